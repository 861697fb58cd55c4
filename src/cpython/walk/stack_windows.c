/* The windows of a stack reader: which parts of the target's memory are copied, in as few system
 * calls as possible, and what the next fetch will want. Walking inside them is frames.c.
 * Hot path after stack_reader_init: no allocation, no formatting, no locks, no /proc. */
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/frames.h"
#include "cpython/walk/frames_internal.h"

#define PAGE_TABLE_SLOTS (2u * FRAMES_WINDOWS_MAX) /* power of two: never more than half full */
#define CHUNK_SLACK_BYTES 768u /* read beyond the last stack's end: it may have grown */
#define CHUNK_BYTES_MAX (4u << 20)

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

static void windows_reset(struct stack_reader *reader)
{
	if (heap_frames(reader) && reader->window_count)
		memset(reader->page_slots, 0, PAGE_TABLE_SLOTS * sizeof(*reader->page_slots));
	reader->window_count = 0;
	reader->last_hit = 0;
	reader->buffer_used = 0;
}

/* Reserve a window; NULL when a bound is reached. The bytes are not there yet. */
static struct stack_window *window_reserve(struct stack_reader *reader, uint64_t start,
					   uint32_t size)
{
	struct stack_window *window;

	if (reader->window_count == FRAMES_WINDOWS_MAX ||
	    size > FRAMES_BUFFER_BYTES - reader->buffer_used)
		return NULL;
	window = &reader->windows[reader->window_count++];
	window->start = start;
	window->size = size;
	window->used = 0;
	window->bytes = reader->buffer + reader->buffer_used;
	reader->buffer_used += ((size_t)size + 15) & ~(size_t)15;
	return window;
}

/* For heap frames each window is one page and is found by its number. */
static void window_publish(struct stack_reader *reader, uint32_t index)
{
	if (heap_frames(reader))
		*page_slot(reader, reader->windows[index].start / PAGE_BYTES) = index + 1;
}

/* Read predicted windows from `first` on; on a short read the rest is dropped. Returns bytes of
 * `lead` ranges that came. */
static ssize_t fetch_batch(struct stack_reader *reader, struct remote_range *ranges, size_t lead,
			   size_t count, uint32_t first_window)
{
	size_t wanted = 0, lead_bytes = 0;
	ssize_t got;

	for (size_t i = 0; i < count; i++) {
		wanted += ranges[i].size;
		if (i < lead)
			lead_bytes += ranges[i].size;
	}
	reader->reads++;
	got = remote_read_ranges(reader->memory, ranges, count);
	if (got < 0) {
		reader->window_count = first_window;
		return got;
	}
	if ((size_t)got < wanted) {
		/* A predicted window is gone: keep the whole ones before it. */
		size_t end = lead_bytes;
		uint32_t keep = first_window;

		for (size_t i = lead; i < count && end + ranges[i].size <= (size_t)got; i++) {
			end += ranges[i].size;
			keep++;
		}
		reader->window_count = keep;
	}
	for (uint32_t i = first_window; i < reader->window_count; i++)
		window_publish(reader, i);
	return (size_t)got < lead_bytes ? got : (ssize_t)lead_bytes;
}

/* From another core the frames come first and what says where they are after them: reading the
 * words that every call and return writes (current_frame, datastack_top) takes their cache line
 * from the target, which then stands at its next call or return, in our view, until it has it back.
 * What is read after them within half a microsecond sees transitions too often. False: not so much
 * can be read this way, or part of it is gone. */
static bool fetch_frames_first(struct stack_reader *reader,
			       const struct stack_prediction *prediction,
			       const struct remote_range *lead, size_t lead_count)
{
	struct remote_range ranges[REMOTE_RANGES_MAX];
	size_t count = 0;
	ssize_t wanted = 0;

	if (prediction->count == 0 || prediction->count + lead_count > REMOTE_RANGES_MAX)
		return false;
	for (uint32_t i = 0; i < prediction->count; i++) {
		const struct predicted_window *want = &prediction->windows[i];
		struct stack_window *window = window_reserve(reader, want->start, want->size);

		if (!window)
			break;
		ranges[count++] = (struct remote_range){
		    {want->start}, (uint8_t *)(uintptr_t)window->bytes, want->size};
		wanted += want->size;
	}
	for (size_t i = 0; i < lead_count; i++) {
		ranges[count++] = lead[i];
		wanted += (ssize_t)lead[i].size;
	}
	reader->reads++;
	if (remote_read_ranges(reader->memory, ranges, count) != wanted) {
		windows_reset(reader);
		return false;
	}
	for (uint32_t i = 0; i < reader->window_count; i++)
		window_publish(reader, i);
	return true;
}

int stack_reader_fetch(struct stack_reader *reader, uint64_t tstate,
		       const struct stack_prediction *prediction, const struct remote_range *extra,
		       size_t extra_count)
{
	struct remote_range ranges[REMOTE_RANGES_MAX];
	size_t count = 0, lead, extra_bytes = 0;
	uint32_t next = 0, first_window = 0;
	ssize_t got;

	if (extra_count > REMOTE_RANGES_MAX - 2)
		return -ERR_LIMIT;
	windows_reset(reader);
	reader->tstate = tstate;
	reader->have_tstate = reader->have_cframe = false;
	reader->cframe = 0;
	for (; count < extra_count; count++) {
		ranges[count] = extra[count];
		extra_bytes += extra[count].size;
	}
	if (tstate) {
		ranges[count++] = (struct remote_range){
		    {tstate + reader->span_start}, reader->tstate_span, reader->span_size};
		if (prediction->cframe) {
			reader->cframe = prediction->cframe;
			ranges[count++] =
			    (struct remote_range){{prediction->cframe},
						  reader->cframe_span,
						  (size_t)reader->layout->at.cframe_size};
		}
	}
	lead = count;
	if (reader->target_runs && tstate && fetch_frames_first(reader, prediction, ranges, lead)) {
		reader->have_tstate = true;
		reader->have_cframe = reader->cframe != 0;
		return (int)extra_count;
	}
	for (;;) {
		while (tstate && next < prediction->count && count < REMOTE_RANGES_MAX) {
			const struct predicted_window *want = &prediction->windows[next++];
			struct stack_window *window =
			    window_reserve(reader, want->start, want->size);
			if (!window)
				break;
			ranges[count++] = (struct remote_range){
			    {want->start}, (uint8_t *)(uintptr_t)window->bytes, want->size};
		}
		if (count == 0)
			break;
		got = fetch_batch(reader, ranges, lead, count, first_window);
		if (lead) {
			if (got < 0)
				return (int)got;
			reader->have_tstate =
			    tstate && (size_t)got >= extra_bytes + reader->span_size;
			reader->have_cframe =
			    reader->cframe && reader->have_tstate &&
			    (size_t)got >= extra_bytes + reader->span_size +
					       (size_t)reader->layout->at.cframe_size;
			if ((size_t)got < extra_bytes) {
				size_t whole = 0, sum = 0;
				while (whole < extra_count &&
				       sum + extra[whole].size <= (size_t)got)
					sum += extra[whole++].size;
				return (int)whole;
			}
		}
		if (!tstate || next >= prediction->count || !reader->have_tstate)
			break;
		count = lead = 0;
		first_window = reader->window_count;
	}
	return (int)extra_count;
}

const uint8_t *window_read(struct stack_reader *reader, uint64_t start, uint32_t size)
{
	size_t buffer_used = reader->buffer_used;
	struct stack_window *window = window_reserve(reader, start, size);

	if (!window)
		return NULL;
	reader->reads++;
	if (remote_read(reader->memory, (struct raddr){start}, (uint8_t *)(uintptr_t)window->bytes,
			size, NULL) < 0) {
		reader->window_count--;
		reader->buffer_used = buffer_used;
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
	bytes = window_find(reader, start, header);
	if (!bytes) {
		reader->reads++;
		if (remote_read(reader->memory, (struct raddr){start}, local, header, NULL) < 0)
			return NULL;
		bytes = local;
	}
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

	if (!chunk || end > chunk->start + chunk->size)
		return NULL;
	if (chunk == reader->chunks && reader->top > end &&
	    reader->top <= chunk->start + chunk->size)
		end = reader->top;
	if (!window_read(reader, chunk->start, (uint32_t)(end - chunk->start)))
		return NULL;
	return window_find(reader, frame, head);
}

const uint8_t *frame_miss(struct stack_reader *reader, uint64_t frame, uint32_t head)
{
	const uint8_t *bytes;

	if (heap_frames(reader))
		return read_heap_frame(reader, frame, head);
	bytes = read_chunk_frame(reader, frame, head);
	if (bytes)
		return bytes;
	/* Not in a chunk: a generator's frame on the heap, or a shim on the C stack. */
	if (!window_read(reader, frame, head))
		return NULL;
	return window_find(reader, frame, head);
}

void remember_windows(const struct stack_reader *reader, struct stack_prediction *prediction)
{
	const struct layout_offsets *at = &reader->layout->at;
	uint64_t chunk =
	    at->tstate_datastack_chunk < 0 ? 0 : tstate_word(reader, at->tstate_datastack_chunk);

	prediction->count = 0;
	for (uint32_t i = 0; i < reader->window_count && prediction->count < FRAMES_PREDICTED_MAX;
	     i++) {
		const struct stack_window *window = &reader->windows[i];
		uint32_t size = window->used;

		if (!size)
			continue;
		if (window->start == chunk && chunk) {
			uint64_t want =
			    (reader->top > chunk ? reader->top - chunk : size) + CHUNK_SLACK_BYTES;
			uint64_t limit =
			    16384; /* never past the smallest chunk's end unless known */

			if (window->size >= 16) {
				uint64_t known = load_u64(window->bytes + at->chunk_size);
				if (known >= size && known <= CHUNK_BYTES_MAX)
					limit = known;
			}
			if (want > limit)
				want = limit;
			if (want > size)
				size = (uint32_t)want;
		}
		prediction->windows[prediction->count].start = window->start;
		prediction->windows[prediction->count++].size = size;
	}
}
