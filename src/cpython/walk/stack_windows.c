/* The windows of a stack reader: copies of parts of the target's memory, and what is read when a
 * frame lies in none of them. What is copied in advance is stack_fetch.c; walking is frames.c.
 * Hot path after stack_reader_init: no allocation, no formatting, no locks, no /proc. */
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/frames.h"
#include "cpython/walk/frames_internal.h"

#define NEIGHBOUR_BYTES 512u
#define PAGE_TABLE_SLOTS (2u * FRAMES_WINDOWS_MAX) /* power of two: never more than half full */

/* The smallest span of the thread state that holds what the walk needs. */
static int choose_tstate_span(struct stack_reader *reader)
{
	const struct layout_offsets *at = &reader->layout->at;
	const int32_t fields[] = {at->tstate_frame,	    at->tstate_cframe,
				  at->tstate_current_frame, at->tstate_datastack_chunk,
				  at->tstate_datastack_top, at->tstate_interp,
				  at->tstate_thread_id,	    at->tstate_native_thread_id};
	int32_t low = INT32_MAX, high = -1;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i] < 0)
			continue;
		if (fields[i] < low)
			low = fields[i];
		if (fields[i] > high)
			high = fields[i];
	}
	if (high < 0 || high - low + 8 > FRAMES_TSTATE_SPAN_MAX)
		return -ERR_INTERNAL;
	reader->span_start = (uint32_t)low;
	reader->span_size = (uint32_t)(high - low) + 8;
	return 0;
}

int stack_reader_init(struct stack_reader *reader, const struct remote_memory *memory,
		      const struct layout *layout)
{
	memset(reader, 0, sizeof(*reader));
	reader->memory = memory;
	reader->layout = layout;
	if (layout->at.cframe_size > (int32_t)sizeof(reader->cframe_span) ||
	    choose_tstate_span(reader) < 0)
		return -ERR_INTERNAL;
	reader->buffer = mem_alloc(FRAMES_BUFFER_BYTES);
	reader->windows = mem_alloc(FRAMES_WINDOWS_MAX * sizeof(*reader->windows));
	reader->page_slots = mem_zalloc(PAGE_TABLE_SLOTS, sizeof(*reader->page_slots));
	reader->chunks = mem_alloc(FRAMES_CHUNKS_MAX * sizeof(*reader->chunks));
	reader->page_mask = PAGE_TABLE_SLOTS - 1;
	if (reader->buffer && reader->windows && reader->page_slots && reader->chunks)
		return 0;
	stack_reader_release(reader);
	return -ERR_MEMORY;
}

void stack_reader_release(struct stack_reader *reader)
{
	mem_free(reader->buffer);
	mem_free(reader->windows);
	mem_free(reader->page_slots);
	mem_free(reader->chunks);
	memset(reader, 0, sizeof(*reader));
}

void windows_reset(struct stack_reader *reader)
{
	if (heap_frames(reader) && reader->window_count)
		memset(reader->page_slots, 0, PAGE_TABLE_SLOTS * sizeof(*reader->page_slots));
	reader->window_count = 0;
	reader->last_hit = 0;
	reader->buffer_used = 0;
	reader->last_single = 0;
	memset(reader->gone_pages, 0, sizeof(reader->gone_pages));
}

struct stack_window *window_reserve(struct stack_reader *reader, uint64_t start, uint32_t size)
{
	struct stack_window *window;

	if (reader->window_count == FRAMES_WINDOWS_MAX ||
	    size > FRAMES_BUFFER_BYTES - reader->buffer_used)
		return NULL;
	window = &reader->windows[reader->window_count++];
	window->start = start;
	window->size = size;
	window->used = 0;
	window->chained = false;
	window->bytes = reader->buffer + reader->buffer_used;
	reader->buffer_used += ((size_t)size + 15) & ~(size_t)15;
	return window;
}

void window_publish(struct stack_reader *reader, uint32_t index)
{
	if (heap_frames(reader))
		*page_slot(reader, reader->windows[index].start / PAGE_BYTES) = index + 1;
}

/* Pages that could not be read in this sample: the frames on one are asked for one by one. */
static bool page_is_gone(const struct stack_reader *reader, uint64_t address)
{
	for (uint32_t i = 0; i < FRAMES_GONE_PAGES; i++)
		if (reader->gone_pages[i] == address / PAGE_BYTES)
			return true;
	return false;
}

static void page_note_gone(struct stack_reader *reader, uint64_t address)
{
	reader->gone_pages[reader->gone_next++ % FRAMES_GONE_PAGES] = address / PAGE_BYTES;
}

const uint8_t *window_read(struct stack_reader *reader, uint64_t start, uint32_t size)
{
	size_t buffer_used = reader->buffer_used;
	struct stack_window *window =
	    page_is_gone(reader, start) ? NULL : window_reserve(reader, start, size);

	if (!window)
		return NULL;
	reader->reads++;
	if (remote_read(reader->memory, (struct raddr){start}, (uint8_t *)(uintptr_t)window->bytes,
			size, NULL) < 0) {
		reader->window_count--;
		reader->buffer_used = buffer_used;
		if (size <= PAGE_BYTES)
			page_note_gone(reader, start);
		return NULL;
	}
	/* A shorter window of the same place is out of date now: nothing finds it, nothing
	 * predicts it. */
	for (uint32_t i = 0; i + 1 < reader->window_count; i++)
		if (reader->windows[i].start == start)
			reader->windows[i].size = reader->windows[i].used = 0;
	window_publish(reader, reader->window_count - 1);
	return window->bytes;
}

/* A heap frame may cross into the next page: then its first page gets a window of two pages, which
 * takes the place of a shorter one. */
static const uint8_t *read_heap_frame(struct stack_reader *reader, uint64_t frame, uint32_t head)
{
	uint64_t page = frame & ~(uint64_t)(PAGE_BYTES - 1);
	uint32_t size = frame + head > page + PAGE_BYTES ? 2 * PAGE_BYTES : PAGE_BYTES;

	if (window_read(reader, page, size))
		return window_find(reader, frame, head);
	/* The next page is not mapped, or we are out of room. */
	return NULL;
}

/* The head of a chunk that no window holds: read with the chunk's part in use, which is wanted
 * next. How much that is the thread state tells of the top one; the others are full, and none is
 * smaller than CHUNK_BYTES_MIN. NULL when it is not there. */
static const uint8_t *chunk_head(struct stack_reader *reader, uint64_t start, uint8_t *local)
{
	uint32_t header = (uint32_t)reader->layout->at.chunk_data, size = CHUNK_BYTES_MIN;
	const uint8_t *bytes = window_find(reader, start, header);

	if (bytes)
		return bytes;
	if (!reader->chunk_count && reader->top > start && reader->top - start < CHUNK_BYTES_MIN)
		size = (uint32_t)(reader->top - start);
	if (size > header && window_read(reader, start, size))
		return window_find(reader, start, header);
	reader->reads++;
	if (remote_read(reader->memory, (struct raddr){start}, local, header, NULL) < 0)
		return NULL;
	return local;
}

/* Reads the head of the next chunk down the list; NULL at its end, or where it is broken. */
static const struct stack_chunk *chunk_next(struct stack_reader *reader)
{
	const struct layout_offsets *at = &reader->layout->at;
	uint32_t header = (uint32_t)at->chunk_data;
	uint64_t start = reader->next_chunk, previous;
	struct stack_chunk *chunk;
	const uint8_t *bytes;
	uint8_t local[64];

	reader->next_chunk = 0;
	if (!start || reader->chunk_count == FRAMES_CHUNKS_MAX || header > sizeof(local))
		return NULL;
	bytes = chunk_head(reader, start, local);
	if (!bytes)
		return NULL;
	chunk = &reader->chunks[reader->chunk_count];
	chunk->start = start;
	chunk->size = load_u64(bytes + at->chunk_size);
	if (chunk->size < header || chunk->size > CHUNK_BYTES_MAX)
		return NULL;
	previous = load_u64(bytes + at->chunk_previous);
	if (!(previous & 7) && previous <= ADDRESS_MAX)
		reader->next_chunk = previous;
	reader->chunk_count++;
	return chunk;
}

/* The chunk that holds `frame`. Heads are read once a walk, however many frames lie elsewhere. */
static const struct stack_chunk *chunk_of(struct stack_reader *reader, uint64_t frame)
{
	const struct stack_chunk *chunk;

	for (uint32_t i = 0; i < reader->chunk_count; i++) {
		uint32_t at = reader->last_chunk + i;

		if (at >= reader->chunk_count)
			at -= reader->chunk_count;
		chunk = &reader->chunks[at];
		if (frame >= chunk->start && frame - chunk->start < chunk->size) {
			reader->last_chunk = at;
			return chunk;
		}
	}
	while ((chunk = chunk_next(reader)) != NULL) {
		if (frame >= chunk->start && frame - chunk->start < chunk->size) {
			reader->last_chunk = reader->chunk_count - 1;
			return chunk;
		}
	}
	return NULL;
}

/* A frame in a data-stack chunk: the chunk's part up to the end of the frame's head is read as one
 * window (of the top chunk, all that is in use). */
static const uint8_t *read_chunk_frame(struct stack_reader *reader, uint64_t frame, uint32_t head)
{
	const struct stack_chunk *chunk = chunk_of(reader, frame);
	uint64_t end = frame + head;
	const uint8_t *bytes;

	if (!chunk || end > chunk->start + chunk->size)
		return NULL;
	bytes = window_find(reader, frame, head); /* came with the chunk's head */
	if (bytes)
		return bytes;
	if (chunk == reader->chunks && reader->top > end &&
	    reader->top <= chunk->start + chunk->size)
		end = reader->top;
	if (!window_read(reader, chunk->start, (uint32_t)(end - chunk->start)))
		return NULL;
	return window_find(reader, frame, head);
}

/* The list of chunks broke: a window that begins as a chunk does, and is too short for `frame`, is
 * read anew up to it. */
static const uint8_t *read_by_window(struct stack_reader *reader, uint64_t frame, uint32_t head)
{
	const struct layout_offsets *at = &reader->layout->at;

	if (at->chunk_data < 0 || at->chunk_data > 64)
		return NULL;
	for (uint32_t i = 0; i < reader->window_count; i++) {
		const struct stack_window *window = &reader->windows[i];
		uint64_t size;

		if (window->start % PAGE_BYTES || window->size < 64 || frame < window->start ||
		    frame - window->start >= CHUNK_BYTES_MAX - head)
			continue;
		size = load_u64(window->bytes + at->chunk_size);
		if (size < CHUNK_BYTES_MIN || size > CHUNK_BYTES_MAX || size % PAGE_BYTES ||
		    frame - window->start > size - head)
			continue;
		if (!window_read(reader, window->start, (uint32_t)(frame - window->start) + head))
			return NULL;
		return window_find(reader, frame, head);
	}
	return NULL;
}

const uint8_t *frame_miss(struct stack_reader *reader, uint64_t frame, uint32_t head)
{
	const uint8_t *bytes;
	uint64_t start;

	if (heap_frames(reader))
		return read_heap_frame(reader, frame, head);
	bytes = read_chunk_frame(reader, frame, head);
	if (!bytes)
		bytes = read_by_window(reader, frame, head);
	if (bytes)
		return bytes;
	/* Not in a chunk that is known: a generator's frame on the heap, a shim on the C stack.
	 * Frames that follow one another do lie in a chunk: its page is read up to here. */
	start = frame;
	if (frame < reader->last_single && reader->last_single - frame < NEIGHBOUR_BYTES)
		start &= ~(uint64_t)(PAGE_BYTES - 1);
	reader->last_single = start;
	if (!window_read(reader, start, (uint32_t)(frame - start) + head))
		return NULL;
	return window_find(reader, frame, head);
}
