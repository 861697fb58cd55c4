/* See live_top.h. Hot path. */
#include "sampler/live_top.h"

#include <string.h>

#include "base/err.h"

#define CODES_MAX (1u << 18)
#define FRAME_WORDS_MAX (1 << 20)
#define CODE_UNITS_MAX (1 << 26)

void live_top_init(struct live_top *top, const struct remote_memory *memory,
		   const struct layout *layout)
{
	top->memory = memory;
	top->layout = layout;
	u64_map_init(&top->codes, CODES_MAX);
	u64_map_init(&top->opcodes, CODES_MAX);
}

void live_top_release(struct live_top *top)
{
	u64_map_release(&top->codes);
	u64_map_release(&top->opcodes);
}

static void remember(struct u64_map *map, uint64_t key, uint64_t value)
{
	if (map->count >= CODES_MAX / 2)
		u64_map_clear(map);
	u64_map_put(map, key, value); /* a cache: failing is fine */
}

/* Sizes of a code object's bytecode and frame; 0 when it is none. */
static uint64_t read_code_sizes(struct live_top *top, uint64_t code)
{
	const struct layout_offsets *at = &top->layout->at;
	uint64_t units, sizes;
	int32_t locals, stack;
	struct remote_range ranges[] = {
	    {{code + (uint64_t)at->varobject_size_field}, &units, sizeof(units)},
	    {{code + (uint64_t)at->code_nlocalsplus}, &locals, sizeof(locals)},
	    {{code + (uint64_t)at->code_stacksize}, &stack, sizeof(stack)},
	};

	if (top->layout->code_storage != CODE_ADAPTIVE ||
	    remote_read_ranges(top->memory, ranges, 3) !=
		(ssize_t)(sizeof(units) + 2 * sizeof(locals)))
		return 0;
	if (units == 0 || units > CODE_UNITS_MAX || locals < 0 || locals > FRAME_WORDS_MAX ||
	    stack < 0 || stack > FRAME_WORDS_MAX)
		return 0;
	sizes = units * 2 << 32 |
		(uint64_t)((uint32_t)at->frame_size + 8u * (uint32_t)(locals + stack));
	remember(&top->codes, code, sizes);
	return sizes;
}

static uint64_t code_sizes(struct live_top *top, uint64_t code)
{
	uint64_t sizes;

	return u64_map_get(&top->codes, code, &sizes) ? sizes : read_code_sizes(top, code);
}

uint32_t live_top_code_bytes(struct live_top *top, uint64_t code)
{
	return (uint32_t)(code_sizes(top, code) >> 32);
}

uint32_t live_top_code_bytes_anew(struct live_top *top, uint64_t code)
{
	return (uint32_t)(read_code_sizes(top, code) >> 32);
}

/* The opcode that a frame stands on; −1 unknown. Specialisation changes it among those of one
 * family, which is all that is asked. */
static int opcode_of(struct live_top *top, const struct raw_frame *frame)
{
	uint64_t at = frame->code + (uint64_t)top->layout->at.code_code + (uint64_t)frame->offset,
		 value;
	uint8_t byte;

	if (frame->offset < 0 || !frame->code)
		return -1;
	if (u64_map_get(&top->opcodes, at, &value))
		return (int)value;
	if (remote_read(top->memory, (struct raddr){at}, &byte, sizeof(byte), NULL) < 0)
		return -1;
	remember(&top->opcodes, at, byte);
	return byte;
}

/* Being left. */
static bool is_leaving(const struct layout_offsets *at, int opcode)
{
	return opcode >= 0 &&
	       (opcode == at->opcode_return_value || opcode == at->opcode_return_const ||
		opcode == at->opcode_return_generator || opcode == at->opcode_yield_value);
}

/* A saved stack pointer that does not belong to a frame that waits for a callee: it is being left,
 * or is a generator that is about to begin or go on (3.13 steps over its yield first), or an
 * exception is leaving it. */
static bool calls_nothing(const struct layout_offsets *at, int opcode)
{
	return is_leaving(at, opcode) ||
	       (opcode >= 0 &&
		(opcode == at->opcode_resume || opcode == at->opcode_resume_check ||
		 opcode == at->opcode_pop_top || opcode == at->opcode_raise_varargs ||
		 opcode == at->opcode_reraise));
}

static bool resumes_generator(const struct layout_offsets *at, int opcode)
{
	return opcode >= 0 && (opcode == at->opcode_for_iter_gen || opcode == at->opcode_send_gen);
}

/* A frame that was made but has not begun has a saved stack pointer too: it stands at its start. */
static bool waits(struct live_top *top, const struct raw_frame *frame)
{
	if (!(frame->flags & RAW_WAITS) || frame->offset <= 0)
		return false;
	/* A caller's prev_instr stands on the inline cache of its call, whose bytes are no opcodes.
	 */
	return top->layout->frame_position == POSITION_PREV_INSTR ||
	       !calls_nothing(&top->layout->at, opcode_of(top, frame));
}

/* Stands on its return and is being cleared: its caller is current already. Where the version tells
 * so, the stack pointer that a return saves first says that it has got that far. */
static bool has_been_left(struct live_top *top, const struct raw_frame *frame)
{
	if (!top->layout->unlinks_before_clearing ||
	    (top->layout->frame_liveness == LIVENESS_CALLER_STACKTOP &&
	     !(frame->flags & RAW_WAITS)))
		return false;
	return is_leaving(&top->layout->at, opcode_of(top, frame));
}

/* Was this call over when its frames were copied? */
static bool link_is_over(struct live_top *top, const struct raw_frame *callee,
			 const struct raw_frame *caller)
{
	if (has_been_left(top, callee) && !(callee->flags & RAW_ENTERED_FROM_C))
		return true;
	switch (top->layout->frame_liveness) {
	case LIVENESS_CALLER_STACKTOP:
		return !(callee->flags & RAW_ENTERED_FROM_C) && !waits(top, caller);
	case LIVENESS_EXECUTABLE:
		return callee->flags & RAW_DEAD;
	default:
		return false;
	}
}

static void cut(struct live_top *top, struct raw_frame *frames, uint32_t *depth)
{
	uint32_t from = *depth - 1 < LIVE_TOP_CUT ? *depth - 1 : LIVE_TOP_CUT;

	for (uint32_t i = from; i-- > 0;) {
		if (!link_is_over(top, &frames[i], &frames[i + 1]))
			continue;
		memmove(frames, frames + i + 1, (*depth - i - 1) * sizeof(*frames));
		*depth -= i + 1;
		return;
	}
}

enum growth { GROWTH_NONE, GROWTH_FRAME, GROWTH_UNKNOWN };

/* The frame that the leaf called, if it did. */
static enum growth callee_of(struct live_top *top, struct stack_reader *reader,
			     const struct raw_frame *leaf, struct raw_frame *ret_callee)
{
	bool told = top->layout->frame_liveness == LIVENESS_CALLER_STACKTOP;
	uint64_t sizes, back;

	if (told && !waits(top, leaf))
		return GROWTH_NONE;
	if (told && resumes_generator(&top->layout->at, opcode_of(top, leaf)))
		return GROWTH_UNKNOWN;
	sizes = leaf->code ? code_sizes(top, leaf->code) : 0;
	if (!sizes)
		return told ? GROWTH_UNKNOWN : GROWTH_NONE;
	if (!stack_reader_frame_at(reader, leaf->address + (uint32_t)sizes, ret_callee, &back) ||
	    back != leaf->address || (ret_callee->flags & RAW_DEAD) || !ret_callee->code)
		return GROWTH_NONE; /* a callee is linked before its caller's stack pointer is saved
				     */
	/* What lay there before may look like a frame: its code must be one. */
	sizes = code_sizes(top, ret_callee->code);
	if (!sizes || (ret_callee->offset >= 0 && (uint32_t)ret_callee->offset >= sizes >> 32))
		return GROWTH_NONE;
	if (has_been_left(top, ret_callee))
		return GROWTH_NONE;
	return GROWTH_FRAME;
}

static bool push(struct raw_frame *frames, uint32_t *depth, uint32_t capacity,
		 const struct raw_frame *frame)
{
	if (*depth == capacity)
		return false;
	memmove(frames + 1, frames, *depth * sizeof(*frames));
	frames[0] = *frame;
	++*depth;
	return true;
}

bool live_top_settle(struct live_top *top, struct stack_reader *reader, struct raw_frame *frames,
		     uint32_t *depth, uint32_t capacity)
{
	struct raw_frame callee, torn = {.offset = -1};

	if (top->layout->frame_liveness != LIVENESS_CALLER_STACKTOP &&
	    top->layout->frame_liveness != LIVENESS_EXECUTABLE)
		return true;
	cut(top, frames, depth);
	/* Heap frames of generators have nothing above them on the data stack that is found by
	 * place. */
	for (int i = 0; i < LIVE_TOP_GROW; i++) {
		enum growth growth = callee_of(top, reader, &frames[0], &callee);

		if (growth == GROWTH_NONE)
			return true;
		if (growth == GROWTH_UNKNOWN) {
			push(frames, depth, capacity, &torn);
			return false;
		}
		if (!push(frames, depth, capacity, &callee))
			return true;
	}
	return true;
}
