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

/* A generator that is about to begin or go on (3.13 steps over its yield first). */
static bool is_starting(const struct layout_offsets *at, int opcode)
{
	return opcode >= 0 && (opcode == at->opcode_resume || opcode == at->opcode_resume_check ||
			       opcode == at->opcode_pop_top);
}

/* The frame that made a generator, left when its code began: the generator has one of its own. */
static bool made_generator(struct live_top *top, const struct raw_frame *frame)
{
	int32_t making = top->layout->at.opcode_return_generator;
	struct raw_frame before = *frame;

	if (making < 0 || frame->flags & RAW_GENERATOR || frame->offset < 0)
		return false;
	before.offset -= 2;
	return opcode_of(top, frame) == making || opcode_of(top, &before) == making;
}

/* What a frame's own words say: its position and its saved stack pointer lie side by side. */
enum frame_state {
	STATE_RUNS,  /* or C that it called does */
	STATE_NEW,   /* made, not begun */
	STATE_WAITS, /* stands at a call, with its stack pointer saved */
	STATE_LEFT,  /* returned, suspended or unwound: it may be cleared by now */
};

static enum frame_state state_of(struct live_top *top, const struct raw_frame *frame)
{
	const struct layout_offsets *at = &top->layout->at;
	int class, opcode;

	if (!(frame->flags & RAW_WAITS))
		return STATE_RUNS;
	if (frame->offset < 0)
		return STATE_NEW;
	if (made_generator(top, frame))
		return STATE_LEFT;
	if (frame->offset == 0)
		return STATE_NEW;
	class = top->sites ? code_sites_class(top->sites, frame->code, frame->offset) : -1;
	if (class >= 0 && (class & OPCODE_CLASS) == OPCODE_CALLS)
		return STATE_WAITS;
	opcode = opcode_of(top, frame);
	if (is_starting(at, opcode))
		return STATE_NEW;
	return class < 0 && !is_leaving(at, opcode) ? STATE_WAITS : STATE_LEFT;
}

/* 3.14+: the null reference tells a dead frame; while it is cleared it stands on its return. */
static bool is_alive(struct live_top *top, const struct raw_frame *frame)
{
	return frame->code && !(frame->flags & RAW_DEAD) && !made_generator(top, frame) &&
	       !is_leaving(&top->layout->at, opcode_of(top, frame));
}

static void cut_above(struct raw_frame *frames, uint32_t *depth, uint32_t leaf)
{
	memmove(frames, frames + leaf, (*depth - leaf) * sizeof(*frames));
	*depth -= leaf;
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

/* --- frames by their place on the data stack ------------------------------------------------- */

/* Where the next callee's frame would lie; 0 unknown. */
static uint64_t place_above(struct live_top *top, const struct raw_frame *frames, uint32_t depth)
{
	for (uint32_t i = 0; i < depth && i < LIVE_TOP_CUT; i++) {
		uint64_t sizes;

		if (frames[i].flags & RAW_GENERATOR)
			continue;
		sizes = frames[i].code ? code_sizes(top, frames[i].code) : 0;
		return sizes ? frames[i].address + (uint32_t)sizes : 0;
	}
	return 0;
}

/* The frame that the leaf has above it, running or left behind. */
static bool frame_above(struct live_top *top, struct stack_reader *reader,
			const struct raw_frame *frames, uint32_t depth, struct raw_frame *ret_frame)
{
	uint64_t place = place_above(top, frames, depth), sizes, back;

	if (!place || !stack_reader_frame_at(reader, place, ret_frame, &back) ||
	    back != frames[0].address || !ret_frame->code || ret_frame->flags & RAW_GENERATOR)
		return false;
	/* What lay there before may look like a frame: its code must be one. */
	sizes = code_sizes(top, ret_frame->code);
	return sizes && (ret_frame->offset < 0 || (uint32_t)ret_frame->offset < sizes >> 32);
}

/* Frames of one window that lie into one another are of different times: the upper is gone. */
static void cut_overlapping(struct live_top *top, struct raw_frame *frames, uint32_t *depth)
{
	uint32_t from = *depth - 1 < LIVE_TOP_CUT ? *depth - 1 : LIVE_TOP_CUT;

	for (uint32_t i = from; i-- > 0;) {
		const struct raw_frame *callee = &frames[i], *caller = &frames[i + 1];
		uint64_t sizes;

		if ((callee->flags | caller->flags) & RAW_GENERATOR ||
		    callee->window != caller->window || !caller->code)
			continue;
		sizes = code_sizes(top, caller->code);
		if (!sizes || callee->address >= caller->address + (uint32_t)sizes)
			continue;
		cut_above(frames, depth, i + 1);
		return;
	}
}

/* --- generators ------------------------------------------------------------------------------ */

static struct resumed_generator *generator_slot(struct live_top *top,
						const struct raw_frame *caller)
{
	uint64_t hash = hash_u64(caller->address ^ (uint64_t)(uint32_t)caller->offset << 40);

	return &top->generators[hash % LIVE_TOP_GENERATORS];
}

static bool may_resume(struct live_top *top, const struct raw_frame *frame)
{
	int class = top->sites && frame->code
			? code_sites_class(top->sites, frame->code, frame->offset)
			: -1;

	return class >= 0 && class & OPCODE_RESUMES;
}

/* Which generator a loop goes on with: kept for the samples whose chain does not lead to it. */
static void note_generators(struct live_top *top, const struct raw_frame *frames, uint32_t depth)
{
	for (uint32_t i = 0; i + 1 < depth && i < LIVE_TOP_CUT; i++)
		if (frames[i].flags & RAW_GENERATOR && frames[i].code &&
		    may_resume(top, &frames[i + 1]))
			*generator_slot(top, &frames[i + 1]) = (struct resumed_generator){
			    frames[i + 1].address, frames[i].address, frames[i + 1].offset};
}

/* The generator that the frame is known to go on with where it stands; 0 none. */
static uint64_t generator_of(struct live_top *top, const struct raw_frame *caller)
{
	const struct resumed_generator *slot = generator_slot(top, caller);

	return slot->frame && slot->caller == caller->address && slot->offset == caller->offset &&
		       may_resume(top, caller)
		   ? slot->frame
		   : 0;
}

/* Does the caller, by its own words, wait for the generator above it? Where a version goes on with
 * generators through C, or saves no stack pointer, its position is all there is. */
static bool waits_for_generator(struct live_top *top, const struct raw_frame *caller)
{
	if (top->layout->frame_liveness == LIVENESS_CALLER_STACKTOP &&
	    top->layout->at.opcode_for_iter_gen >= 0)
		return state_of(top, caller) == STATE_WAITS && may_resume(top, caller);
	return may_resume(top, caller);
}

static bool generator_runs(struct live_top *top, const struct raw_frame *generator)
{
	if (top->layout->frame_liveness == LIVENESS_EXECUTABLE)
		return is_alive(top, generator);
	return state_of(top, generator) != STATE_LEFT;
}

enum growth { GROWTH_NONE, GROWTH_FRAME, GROWTH_UNKNOWN };

/* The generator above the leaf, when the leaf waits for one. */
static enum growth generator_above(struct live_top *top, struct stack_reader *reader,
				   struct stack_prediction *prediction,
				   const struct raw_frame *leaf, struct raw_frame *ret_frame)
{
	uint64_t address = generator_of(top, leaf), back;

	if (!address || !waits_for_generator(top, leaf))
		return GROWTH_NONE;
	if (!stack_reader_frame_at(reader, address, ret_frame, &back)) {
		stack_reader_want_frame(reader, prediction, address);
		return GROWTH_UNKNOWN;
	}
	if (!(ret_frame->flags & RAW_GENERATOR) || !ret_frame->code)
		return GROWTH_UNKNOWN;
	return back == leaf->address && generator_runs(top, ret_frame) ? GROWTH_FRAME
								       : GROWTH_UNKNOWN;
}

/* Does the caller stand where nothing can have a callee? */
static bool stands_elsewhere(struct live_top *top, const struct raw_frame *caller)
{
	int class = top->sites && caller->code
			? code_sites_class(top->sites, caller->code, caller->offset)
			: -1;

	return class >= 0 && (class & OPCODE_CLASS) < OPCODE_ENTERS;
}

/* Generators above a caller that does not wait for them are of another instant than the caller. */
static void cut_generators(struct live_top *top, struct raw_frame *frames, uint32_t *depth)
{
	uint32_t from = *depth - 1 < LIVE_TOP_CUT ? *depth - 1 : LIVE_TOP_CUT;

	for (uint32_t i = from; i-- > 0;) {
		const struct raw_frame *generator = &frames[i], *caller = &frames[i + 1];
		bool waited_for = generator->flags & RAW_ENTERED_FROM_C
				      ? !stands_elsewhere(top, caller)
				      : waits_for_generator(top, caller);

		if (!(generator->flags & RAW_GENERATOR) ||
		    (waited_for && generator_runs(top, generator)))
			continue;
		cut_above(frames, depth, i + 1);
		return;
	}
}

/* --- which one runs -------------------------------------------------------------------------- */

/* Was this call over when its frames were copied? */
static bool is_over(struct live_top *top, const struct raw_frame *callee,
		    const struct raw_frame *caller)
{
	bool left = state_of(top, callee) == STATE_LEFT;

	if (callee->flags & RAW_GENERATOR)
		return false;
	if (callee->flags & RAW_ENTERED_FROM_C || made_generator(top, callee))
		return left;
	return (left && top->layout->unlinks_before_clearing) ||
	       state_of(top, caller) != STATE_WAITS;
}

/* 3.11–3.13: the lowest frame that waits for nobody ends the stack. It is copied before what lies
 * above it, and from then on is withheld from the target: a callee that returns halts there, in our
 * view, on its return. So what the caller says comes first. */
static void select_running(struct live_top *top, struct raw_frame *frames, uint32_t *depth)
{
	uint32_t from =
	    *depth - 1 < LIVE_TOP_CUT + LIVE_TOP_GROW ? *depth - 1 : LIVE_TOP_CUT + LIVE_TOP_GROW;

	for (uint32_t i = from; i-- > 0;) {
		if (!is_over(top, &frames[i], &frames[i + 1]))
			continue;
		cut_above(frames, depth, i + 1);
		return;
	}
}

/* 3.14+: the lowest frame that is dead ends the stack. */
static void cut_dead(struct live_top *top, struct raw_frame *frames, uint32_t *depth)
{
	uint32_t from =
	    *depth - 1 < LIVE_TOP_CUT + LIVE_TOP_GROW ? *depth - 1 : LIVE_TOP_CUT + LIVE_TOP_GROW;

	for (uint32_t i = from; i-- > 0;) {
		if (frames[i].flags & RAW_GENERATOR || is_alive(top, &frames[i]))
			continue;
		if (frames[i].flags & RAW_ENTERED_FROM_C && frames[i].code &&
		    !(frames[i].flags & RAW_DEAD))
			continue;
		cut_above(frames, depth, i + 1);
		return;
	}
}

static void grow_by_place(struct live_top *top, struct stack_reader *reader,
			  struct raw_frame *frames, uint32_t *depth, uint32_t capacity)
{
	struct raw_frame above;

	for (int i = 0; i < LIVE_TOP_GROW; i++)
		if (!frame_above(top, reader, frames, *depth, &above) ||
		    !push(frames, depth, capacity, &above))
			return;
}

bool live_top_settle(struct live_top *top, struct stack_reader *reader,
		     struct stack_prediction *prediction, struct raw_frame *frames, uint32_t *depth,
		     uint32_t capacity)
{
	struct raw_frame callee, torn = {.offset = -1};
	bool executable = top->layout->frame_liveness == LIVENESS_EXECUTABLE;
	uint64_t last = 0;

	if (!executable && top->layout->frame_liveness != LIVENESS_CALLER_STACKTOP)
		return true;
	note_generators(top, frames, *depth);
	cut_overlapping(top, frames, depth);
	cut_generators(top, frames, depth);
	for (int i = 0; i < LIVE_TOP_GROW; i++) {
		grow_by_place(top, reader, frames, depth, capacity);
		if (executable)
			cut_dead(top, frames, depth);
		else
			select_running(top, frames, depth);
		switch (generator_above(top, reader, prediction, &frames[0], &callee)) {
		case GROWTH_NONE:
			return true;
		case GROWTH_UNKNOWN:
			push(frames, depth, capacity, &torn);
			return false;
		case GROWTH_FRAME:
			if (!push(frames, depth, capacity, &callee) || callee.address == last)
				return true;
			last = callee.address;
		}
	}
	return true;
}
