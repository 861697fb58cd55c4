/* What stack_fetch.c (what is copied in advance), stack_windows.c (copies of the target's memory)
 * and frames.c (the chain walked inside them) share; not for others. Inline is what runs once a
 * frame. */
#ifndef CPYTHON_WALK_FRAMES_INTERNAL_H
#define CPYTHON_WALK_FRAMES_INTERNAL_H

#include <string.h>

#include "cpython/walk/frames.h"

#define PAGE_BYTES 4096u
#define ADDRESS_MAX 0x7fffffffffffull
#define CHUNK_BYTES_MIN 16384u /* of the data stack: DATA_STACK_CHUNK_SIZE in Python/pystate.c */
#define CHUNK_BYTES_MAX (4u << 20)

static inline uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline int32_t load_i32(const uint8_t *bytes)
{
	int32_t value;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline bool heap_frames(const struct stack_reader *reader)
{
	return reader->layout->frame_link == FRAME_LINK_HEAP;
}

static inline uint32_t *page_slot(const struct stack_reader *reader, uint64_t page)
{
	uint32_t slot = (uint32_t)((page * 0x9e3779b97f4a7c15ull) >> 40) & reader->page_mask;

	while (reader->page_slots[slot]) {
		const struct stack_window *window = &reader->windows[reader->page_slots[slot] - 1];
		if (window->start / PAGE_BYTES == page)
			break;
		slot = (slot + 1) & reader->page_mask;
	}
	return &reader->page_slots[slot];
}

static inline uint64_t tstate_word(const struct stack_reader *reader, int32_t offset)
{
	return load_u64(reader->tstate_span + ((uint32_t)offset - reader->span_start));
}

/* Bytes [address, address + size) inside a window, or NULL. */
static inline const uint8_t *window_find(struct stack_reader *reader, uint64_t address,
					 uint32_t size)
{
	if (heap_frames(reader)) {
		uint32_t index = *page_slot(reader, address / PAGE_BYTES);
		struct stack_window *window;

		if (!index)
			return NULL;
		window = &reader->windows[index - 1];
		if (address - window->start + size > window->size)
			return NULL;
		window->used = window->size;
		return window->bytes + (address - window->start);
	}
	for (uint32_t i = 0; i < reader->window_count; i++) {
		uint32_t at = reader->last_hit + i;
		struct stack_window *window;

		if (at >= reader->window_count)
			at -= reader->window_count;
		window = &reader->windows[at];
		if (address >= window->start && address - window->start < window->size &&
		    size <= window->size - (address - window->start)) {
			uint32_t end = (uint32_t)(address - window->start) + size;
			reader->last_hit = at;
			if (end > window->used)
				window->used = end;
			return window->bytes + (address - window->start);
		}
	}
	return NULL;
}

void windows_reset(struct stack_reader *reader);

/* Reserve a window; NULL when a bound is reached. The bytes are not there yet. */
struct stack_window *window_reserve(struct stack_reader *reader, uint64_t start, uint32_t size);

/* For heap frames each window is one page and is found by its number. */
void window_publish(struct stack_reader *reader, uint32_t index);

/* Reads [start, start + size) into a new window; NULL when it can't be read or there is no room. */
const uint8_t *window_read(struct stack_reader *reader, uint64_t start, uint32_t size);

/* The head of a frame that no window holds yet, read now; NULL when it is not there. */
const uint8_t *frame_miss(struct stack_reader *reader, uint64_t frame, uint32_t head);

/* The frames from *frame on that lie one below the other in the window that was hit last, as
 * walk_chain would take them; *frame becomes the one after them. Returns how many. */
uint32_t frames_run(struct stack_reader *reader, uint64_t *frame, struct raw_frame *frames,
		    uint32_t capacity);

/* What this stack needed is what the next fetch reads in advance. */
void remember_windows(const struct stack_reader *reader, struct stack_prediction *prediction);

#endif
