/* For tests of cpython/walk: a thread of any version as an image that the test builds (thread
 * state, data-stack chunks, heap frames), with the stack that a reader must give back. */
#ifndef FRAME_WORLD_H
#define FRAME_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/frames.h"

#define TSTATE 0x10000000ull
#define CFRAME 0x18000008ull
#define HEAP 0x20000000ull
#define CHUNKS 0x40000000ull
#define CODES 0x60000000ull
#define CHUNK_SIZE 16384u
#define CHUNK_STEP 0x10000ull
#define FRAME_STEP 112u
#define HEAP_STEP 416u /* as frames of three locals lie on 3.8 */
#define HEAP_BYTES (12u << 20)
#define CHUNK_COUNT_MAX 256u
#define REGIONS_MAX (CHUNK_COUNT_MAX + 8)
#define WALK_MAX (FRAMES_DEPTH_MAX + 16)

struct world {
	const struct layout *layout;
	struct remote_segment segments[REGIONS_MAX];
	size_t count;
	struct remote_memory memory;
	struct stack_reader reader;
	struct stack_prediction prediction;
	struct raw_frame *expected, *got;
	uint32_t depth; /* of expected, leaf first */
	uint32_t chunks;
	uint32_t codes; /* distinct code objects */
};

static inline void add_region(struct world *world, uint64_t start, size_t size)
{
	size_t at = world->count++;

	assert_true(world->count <= REGIONS_MAX);
	while (at > 0 && world->segments[at - 1].start > start) {
		world->segments[at] = world->segments[at - 1];
		at--;
	}
	world->segments[at] = (struct remote_segment){start, calloc(1, size), size};
	assert_non_null(world->segments[at].bytes);
	remote_memory_init_image(&world->memory, world->segments, world->count);
}

static inline void drop_region(struct world *world, uint64_t start)
{
	for (size_t i = 0; i < world->count; i++) {
		if (world->segments[i].start != start)
			continue;
		free((void *)(uintptr_t)world->segments[i].bytes);
		memmove(&world->segments[i], &world->segments[i + 1],
			(--world->count - i) * sizeof(world->segments[0]));
		remote_memory_init_image(&world->memory, world->segments, world->count);
		return;
	}
	fail_msg("no region at %llx", (unsigned long long)start);
}

static inline uint8_t *at(struct world *world, uint64_t address)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct remote_segment *segment = &world->segments[i];
		if (address >= segment->start && address - segment->start < segment->size)
			return (uint8_t *)(uintptr_t)segment->bytes + (address - segment->start);
	}
	fail_msg("nothing lies at %llx", (unsigned long long)address);
	return NULL;
}

static inline void put(struct world *world, uint64_t address, uint64_t word)
{
	memcpy(at(world, address), &word, sizeof(word));
}

static inline void world_start(struct world *world, int minor)
{
	const struct layout_offsets *offsets;

	memset(world, 0, sizeof(*world));
	world->codes = 7;
	world->layout = layout_for_minor(minor);
	assert_non_null(world->layout);
	offsets = &world->layout->at;
	add_region(world, TSTATE, 4096);
	add_region(world, HEAP, HEAP_BYTES);
	if (offsets->tstate_cframe >= 0) {
		add_region(world, CFRAME & ~0xfffull, 8192);
		put(world, TSTATE + (uint64_t)offsets->tstate_cframe, CFRAME);
	}
	if (offsets->tstate_datastack_chunk >= 0) {
		add_region(world, CHUNKS, CHUNK_SIZE);
		put(world, CHUNKS + (uint64_t)offsets->chunk_size, CHUNK_SIZE);
		world->chunks = 1;
	}
	world->expected = calloc(WALK_MAX, sizeof(*world->expected));
	world->got = calloc(WALK_MAX, sizeof(*world->got));
	assert_non_null(world->expected);
	assert_non_null(world->got);
	assert_int_equal(0, stack_reader_init(&world->reader, &world->memory, world->layout));
}

static inline void world_end(struct world *world)
{
	stack_reader_release(&world->reader);
	for (size_t i = 0; i < world->count; i++)
		free((void *)(uintptr_t)world->segments[i].bytes);
	free(world->expected);
	free(world->got);
}

static inline void add_chunk(struct world *world)
{
	const struct layout_offsets *offsets = &world->layout->at;
	uint64_t start = CHUNKS + world->chunks * CHUNK_STEP;

	add_region(world, start, CHUNK_SIZE);
	put(world, start + (uint64_t)offsets->chunk_size, CHUNK_SIZE);
	put(world, start + (uint64_t)offsets->chunk_previous, start - CHUNK_STEP);
	world->chunks++;
}

static inline void put_frame(struct world *world, uint64_t address, uint64_t back, uint64_t code,
			     int32_t offset)
{
	const struct layout *layout = world->layout;
	const struct layout_offsets *offsets = &layout->at;
	uint64_t base = code + (uint64_t)offsets->code_code;
	int32_t lasti;

	put(world, address + (uint64_t)offsets->frame_back, back);
	put(world, address + (uint64_t)offsets->frame_code,
	    code | (layout->executable_tagged ? 1 : 0));
	switch (layout->frame_position) {
	case POSITION_LASTI_BYTES:
	case POSITION_LASTI_UNITS:
		lasti = layout->frame_position == POSITION_LASTI_BYTES || offset < 0 ? offset
										     : offset / 2;
		memcpy(at(world, address + (uint64_t)offsets->frame_position), &lasti, 4);
		break;
	default:
		put(world, address + (uint64_t)offsets->frame_position,
		    offset < 0 ? base - 2 : base + (uint64_t)offset);
	}
	if (offsets->frame_owner >= 0)
		*at(world, address + (uint64_t)offsets->frame_owner) = 0;
}

static inline void put_shim(struct world *world, uint64_t address, uint64_t back)
{
	put_frame(world, address, back, CODES, 0);
	put(world, address + (uint64_t)world->layout->at.frame_code, 0);
	*at(world, address + (uint64_t)world->layout->at.frame_owner) = 3;
}

static inline bool has_shims(const struct world *world)
{
	return world->layout->frame_owner == OWNER_312 || world->layout->frame_owner == OWNER_314;
}

static inline bool on_heap(const struct world *world)
{
	return world->layout->frame_link == FRAME_LINK_HEAP;
}

enum odd { PLAIN = 0, GENERATORS = 1, SHIMS = 2 };

static inline void set_current(struct world *world, uint64_t frame, uint64_t chunk, uint64_t top)
{
	const struct layout_offsets *offsets = &world->layout->at;

	switch (world->layout->frame_link) {
	case FRAME_LINK_HEAP:
		put(world, TSTATE + (uint64_t)offsets->tstate_frame, frame);
		return;
	case FRAME_LINK_CFRAME:
		put(world, CFRAME + (uint64_t)offsets->cframe_current_frame, frame);
		break;
	case FRAME_LINK_TSTATE:
		put(world, TSTATE + (uint64_t)offsets->tstate_current_frame, frame);
		break;
	}
	put(world, TSTATE + (uint64_t)offsets->tstate_datastack_chunk, chunk);
	put(world, TSTATE + (uint64_t)offsets->tstate_datastack_top, top);
}

/* The place of the next frame of a stack. Chunks are added as they fill. */
struct places {
	uint64_t next, heap;
	uint32_t chunk;
};

static inline uint64_t chunk_place(struct world *world, struct places *places)
{
	uint64_t start, place;

	if (on_heap(world)) {
		places->heap += HEAP_STEP;
		return places->heap - HEAP_STEP;
	}
	start = CHUNKS + places->chunk * CHUNK_STEP;
	if (places->next + FRAME_STEP > start + CHUNK_SIZE) {
		places->chunk++;
		if (places->chunk == world->chunks)
			add_chunk(world);
		places->next =
		    CHUNKS + places->chunk * CHUNK_STEP + (uint64_t)world->layout->at.chunk_data;
	}
	place = places->next;
	places->next += FRAME_STEP;
	return place;
}

/* A stack of `depth` frames, each at its own code and offset; `odd` ones among them. The sentinel
 * of 3.15 lies in the thread state. */
static inline void build(struct world *world, uint32_t depth, int odd)
{
	struct places places = {.next = CHUNKS + (uint64_t)(world->layout->at.chunk_data),
				.heap = HEAP + 8};
	uint64_t back = 0;

	if (world->layout->has_base_frame) {
		back = TSTATE + 2048;
		put_shim(world, back, 0);
	}
	for (uint32_t i = 0; i < depth; i++) {
		uint64_t code = CODES + 4096 * (i % world->codes), place;
		int32_t offset = i % 11 == 5 ? -1 : (int32_t)(2 * (i % 300));

		if ((odd & SHIMS) && has_shims(world) && i % 6 == 2) {
			put_shim(world, places.heap, back);
			back = places.heap;
			places.heap += 160;
		}
		if ((odd & GENERATORS) && !on_heap(world) && i % 4 == 3) {
			place = places.heap;
			places.heap += 160;
		} else {
			place = chunk_place(world, &places);
		}
		put_frame(world, place, back, code, offset);
		back = place;
		world->expected[depth - 1 - i] =
		    (struct raw_frame){.code = code, .address = place, .offset = offset};
	}
	world->depth = depth;
	set_current(world, back, CHUNKS + places.chunk * CHUNK_STEP, places.next);
}

static inline int read_stack(struct world *world, struct stack_prediction *prediction,
			     uint32_t capacity, uint32_t *flags)
{
	int result = stack_reader_fetch(&world->reader, TSTATE, prediction, NULL, 0);

	*flags = 0;
	return result < 0
		   ? result
		   : stack_reader_walk(&world->reader, prediction, world->got, capacity, flags);
}

static inline void check_same(struct world *world, int depth, uint32_t flags)
{
	assert_int_equal(world->depth, depth);
	assert_int_equal(0, flags);
	for (uint32_t i = 0; i < world->depth; i++) {
		assert_int_equal(world->expected[i].code, world->got[i].code);
		assert_int_equal(world->expected[i].address, world->got[i].address);
		assert_int_equal(world->expected[i].offset, world->got[i].offset);
	}
}

static inline void check_read(struct world *world)
{
	uint32_t flags;
	int depth = read_stack(world, &world->prediction, WALK_MAX, &flags);

	check_same(world, depth, flags);
}

static inline uint64_t reads_of_one(struct world *world)
{
	uint64_t before = world->reader.reads;

	check_read(world);
	return world->reader.reads - before;
}

#endif
