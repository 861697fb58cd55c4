/* See frames.h: the chain of frames, walked inside the windows that stack_windows.c copied.
 * Hot path: no allocation, no formatting, no locks, no /proc. */
#include "cpython/walk/frames.h"

#include "base/err.h"
#include "cpython/walk/frames_internal.h"

#define TAG_MASK 3ull
#define OWNER_IS_GENERATOR 1 /* FRAME_OWNED_BY_GENERATOR in every version that has it */

uint64_t stack_reader_current_frame(const struct stack_reader *reader)
{
	const struct layout_offsets *at = &reader->layout->at;

	if (!reader->have_tstate)
		return 0;
	switch (reader->layout->frame_link) {
	case FRAME_LINK_HEAP:
		return tstate_word(reader, at->tstate_frame);
	case FRAME_LINK_TSTATE:
		return tstate_word(reader, at->tstate_current_frame);
	case FRAME_LINK_CFRAME:
		if (!reader->have_cframe)
			return 0;
		return load_u64(reader->cframe_span + at->cframe_current_frame);
	}
	return 0;
}

uint64_t stack_reader_leaf_word(const struct stack_reader *reader)
{
	const struct layout_offsets *at = &reader->layout->at;

	switch (reader->layout->frame_link) {
	case FRAME_LINK_HEAP:
		return reader->tstate + (uint64_t)at->tstate_frame;
	case FRAME_LINK_TSTATE:
		return reader->tstate + (uint64_t)at->tstate_current_frame;
	case FRAME_LINK_CFRAME:
		return reader->have_cframe ? reader->cframe + (uint64_t)at->cframe_current_frame
					   : 0;
	}
	return 0;
}

uint64_t stack_reader_thread_word(const struct stack_reader *reader)
{
	const struct layout_offsets *at = &reader->layout->at;

	if (!reader->have_tstate)
		return 0;
	return tstate_word(reader, at->tstate_native_thread_id >= 0 ? at->tstate_native_thread_id
								    : at->tstate_thread_id);
}

/* 3.11, 3.12: the cframe that the thread state names, read now if it was not predicted. */
static int settle_cframe(struct stack_reader *reader, struct stack_prediction *prediction)
{
	uint64_t cframe = tstate_word(reader, reader->layout->at.tstate_cframe);

	if (reader->have_cframe && cframe == reader->cframe)
		return 0;
	if (!cframe || (cframe & 7) || cframe > ADDRESS_MAX)
		return -ERR_TORN;
	reader->reads++;
	if (remote_read(reader->memory, (struct raddr){cframe}, reader->cframe_span,
			(size_t)reader->layout->at.cframe_size, NULL) < 0)
		return -ERR_UNREADABLE;
	reader->cframe = prediction->cframe = cframe;
	reader->have_cframe = true;
	return 0;
}

/* Byte offset of the frame's current instruction; INT32_MIN when it can't be inside any code. */
static int32_t frame_offset(const struct layout *layout, const uint8_t *head, uint64_t code)
{
	const uint8_t *field = head + layout->at.frame_position;
	int64_t offset;

	switch (layout->frame_position) {
	case POSITION_LASTI_BYTES:
		return load_i32(field) < -1 ? INT32_MIN : load_i32(field);
	case POSITION_LASTI_UNITS:
		offset = load_i32(field);
		if (offset < -1 || offset > INT32_MAX / 2)
			return INT32_MIN;
		return offset < 0 ? -1 : (int32_t)offset * 2;
	case POSITION_PREV_INSTR:
	case POSITION_INSTR_PTR:
		offset = (int64_t)(load_u64(field) - (code + (uint64_t)layout->at.code_code));
		/* prev_instr stands one unit before the first instruction of a frame not begun. */
		if (offset == -2)
			return -1;
		if (offset < 0 || offset > INT32_MAX - 1 || (offset & 1))
			return INT32_MIN;
		return (int32_t)offset;
	}
	return INT32_MIN;
}

/* Frames that stand for C code between Python frames and run no code of their own. */
static bool frame_is_shim(const struct layout *layout, const uint8_t *head)
{
	uint8_t owner;

	if (layout->frame_owner != OWNER_312 && layout->frame_owner != OWNER_314)
		return false;
	owner = head[layout->at.frame_owner];
	return owner >= 3;
}

/* The caller's frame. While a generator is being suspended, or a frame of 3.8–3.10 left, its link
 * is cleared: read from another core it may be gone although the generator still ran when the leaf
 * was read; the link that it had when it was last seen is then taken, and said. */
static uint64_t frame_back(struct stack_reader *reader, uint64_t frame, const uint8_t *head,
			   uint32_t *flags)
{
	const struct layout *layout = reader->layout;
	uint64_t back = load_u64(head + layout->at.frame_back);
	struct recalled_link *link;

	if (!reader->target_runs || (layout->frame_owner != OWNER_NONE &&
				     head[layout->at.frame_owner] != OWNER_IS_GENERATOR))
		return back;
	link = &reader->recalled[(frame >> 4) % FRAMES_RECALLED];
	if (back) {
		*link = (struct recalled_link){frame, back};
	} else if (link->frame == frame) {
		*flags |= STACK_RECALLED;
		back = link->back;
	} else if (layout->frame_owner != OWNER_NONE) {
		*flags |= STACK_TORN;
	}
	return back;
}

static uint16_t frame_flags(const struct layout *layout, const uint8_t *head, uint64_t code)
{
	const struct layout_offsets *at = &layout->at;
	uint16_t flags = 0;

	if (at->frame_is_entry >= 0 && head[at->frame_is_entry])
		flags |= RAW_ENTERED_FROM_C;
	if (layout->frame_owner != OWNER_NONE && head[at->frame_owner] == OWNER_IS_GENERATOR)
		flags |= RAW_GENERATOR;
	switch (layout->frame_liveness) {
	case LIVENESS_EXECUTING:
		return head[at->frame_executing] == 1 ? flags : flags | RAW_DEAD;
	case LIVENESS_STATE:
		return head[at->frame_executing] == 0 ? flags : flags | RAW_DEAD;
	case LIVENESS_CALLER_STACKTOP:
		return load_i32(head + at->frame_stacktop) >= 0 ? flags | RAW_WAITS : flags;
	case LIVENESS_EXECUTABLE:
		return code ? flags : flags | RAW_DEAD;
	}
	return flags;
}

/* False: this can't be a frame. */
static bool take_frame(const struct stack_reader *reader, uint64_t address, const uint8_t *head,
		       struct raw_frame *frame)
{
	const struct layout *layout = reader->layout;
	uint64_t code = load_u64(head + layout->at.frame_code);

	if (layout->executable_tagged)
		code &= ~TAG_MASK;
	*frame = (struct raw_frame){.code = code,
				    .address = address,
				    .offset = -1,
				    .flags = frame_flags(layout, head, code),
				    .window = heap_frames(reader) ? 0 : (uint16_t)reader->last_hit};
	if (!code)
		return reader->target_runs && (frame->flags & RAW_DEAD);
	frame->offset = frame_offset(layout, head, code);
	if ((code & 7) || frame->offset == INT32_MIN) {
		/* A frame that is gone: only its place in the chain was true. */
		frame->code = 0;
		frame->offset = -1;
		return reader->target_runs && (frame->flags & RAW_DEAD);
	}
	return true;
}

static int walk_chain(struct stack_reader *reader, uint64_t frame, struct raw_frame *frames,
		      uint32_t capacity, uint32_t *flags)
{
	const struct layout *layout = reader->layout;
	const struct layout_offsets *at = &layout->at;
	uint32_t head_size = (uint32_t)at->frame_size, depth = 0, steps = 0;

	/* Only the head is needed; frame_owner may lie at its end. */
	while (frame) {
		uint32_t run = frames_run(reader, &frame, frames + depth, capacity - depth);
		const uint8_t *head;

		depth += run;
		steps += run;
		if (!frame)
			break;
		if (steps++ >= 2 * FRAMES_DEPTH_MAX) {
			/* So deep, or links of different instants that lead in a circle. */
			*flags |= reader->target_runs ? STACK_TORN : STACK_TRUNCATED;
			return reader->target_runs ? 0 : (int)depth;
		}
		if ((frame & 7) || frame > ADDRESS_MAX) {
			*flags |= STACK_TORN;
			break;
		}
		head = window_find(reader, frame, head_size);
		if (!head)
			head = frame_miss(reader, frame, head_size);
		if (!head) {
			*flags |= STACK_TORN;
			break;
		}
		if (frame_is_shim(layout, head)) {
			if (depth > 0)
				frames[depth - 1].flags |= RAW_ENTERED_FROM_C;
		} else {
			if (depth == capacity) {
				*flags |= reader->target_runs ? STACK_TORN : STACK_TRUNCATED;
				return reader->target_runs ? 0 : (int)depth;
			}
			if (!take_frame(reader, frame, head, &frames[depth])) {
				*flags |= STACK_TORN;
				break;
			}
			depth++;
		}
		frame = frame_back(reader, frame, head, flags);
	}
	return (int)depth;
}

/* 3.11, 3.12: what the frame that entered this run of the evaluation loop was called from;
 * UINT64_MAX when the chain breaks before it. */
static uint64_t back_of_entry(struct stack_reader *reader, uint64_t frame)
{
	const struct layout_offsets *at = &reader->layout->at;
	uint32_t head_size = (uint32_t)at->frame_size;

	for (uint32_t steps = 0; steps < 2 * FRAMES_DEPTH_MAX && frame; steps++) {
		const uint8_t *head;
		bool entry;

		if ((frame & 7) || frame > ADDRESS_MAX)
			break;
		head = window_find(reader, frame, head_size);
		if (!head)
			head = frame_miss(reader, frame, head_size);
		if (!head)
			break;
		entry = at->frame_is_entry >= 0 ? head[at->frame_is_entry] != 0
						: frame_is_shim(reader->layout, head);
		frame = load_u64(head + at->frame_back);
		if (entry)
			return frame;
	}
	return UINT64_MAX;
}

/* 3.11, 3.12: _PyEval_EvalFrameDefault publishes its _PyCFrame before it has set current_frame in
 * it (Python/ceval.c): for some instructions the word holds whatever lay on the C stack. A true one
 * leads to the frame that the previous _PyCFrame runs; if it does not, that frame is the leaf. */
static uint64_t cframe_leaf(struct stack_reader *reader)
{
	const struct layout_offsets *at = &reader->layout->at;
	uint64_t leaf = load_u64(reader->cframe_span + at->cframe_current_frame);
	uint64_t previous = load_u64(reader->cframe_span + at->cframe_previous), expected;
	const uint8_t *bytes;

	if (!previous || (previous & 7) || previous > ADDRESS_MAX)
		return previous ? 0 : leaf;
	bytes = window_find(reader, previous, (uint32_t)at->cframe_size);
	if (!bytes && window_read(reader, previous, (uint32_t)at->cframe_size))
		bytes = window_find(reader, previous, (uint32_t)at->cframe_size);
	if (!bytes)
		return leaf;
	expected = load_u64(bytes + at->cframe_current_frame);
	return back_of_entry(reader, leaf) == expected ? leaf : expected;
}

/* The frames nearest to the leaf, for walk_from_known. */
static void remember_tops(struct stack_prediction *prediction, const struct raw_frame *frames,
			  uint32_t depth)
{
	prediction->top_count = 0;
	for (uint32_t i = 0; i < depth && i < FRAMES_TOPS; i++)
		prediction->tops[prediction->top_count++] = frames[i].address;
}

/* From another core the frames are copied before the word that names the running one: that frame
 * may have been made after the copy, where the copy holds what lay there before. The frames of the
 * last stack then lead to the root of this one; which of them still ran is settled from the copy
 * itself (sampler/live_top.h). The depth, or 0 with STACK_TORN when none does. */
static int walk_from_known(struct stack_reader *reader, const struct stack_prediction *prediction,
			   struct raw_frame *frames, uint32_t capacity, uint32_t *flags)
{
	for (uint32_t i = 0; i < prediction->top_count; i++) {
		uint32_t again = 0;
		int found = walk_chain(reader, prediction->tops[i], frames, capacity, &again);

		if (found > 0 && !(again & STACK_TORN)) {
			*flags = again;
			return found;
		}
	}
	return 0;
}

int stack_reader_walk(struct stack_reader *reader, struct stack_prediction *prediction,
		      struct raw_frame *frames, uint32_t capacity, uint32_t *ret_flags)
{
	const struct layout_offsets *at = &reader->layout->at;
	uint32_t flags = 0;
	uint64_t leaf;
	int depth;

	if (!reader->have_tstate)
		return -ERR_UNREADABLE;
	if (reader->layout->frame_link == FRAME_LINK_CFRAME) {
		int result = settle_cframe(reader, prediction);
		if (result < 0)
			return result;
	}
	reader->chunk_count = reader->last_chunk = 0;
	reader->next_chunk = reader->top = 0;
	if (at->tstate_datastack_chunk >= 0) {
		reader->next_chunk = tstate_word(reader, at->tstate_datastack_chunk);
		reader->top = tstate_word(reader, at->tstate_datastack_top);
		if (reader->next_chunk & 7 || reader->next_chunk > ADDRESS_MAX)
			reader->next_chunk = 0;
	}
	leaf = reader->layout->frame_link == FRAME_LINK_CFRAME ? cframe_leaf(reader)
							       : stack_reader_current_frame(reader);
	depth = walk_chain(reader, leaf, frames, capacity, &flags);
	/* The copies do not lead from the frame that runs by now to where the loop was entered. */
	if (!leaf && reader->target_runs && stack_reader_current_frame(reader))
		flags |= STACK_TORN;
	if (reader->target_runs && (flags & STACK_TORN))
		depth = walk_from_known(reader, prediction, frames, capacity, &flags);
	if (depth > 0 && !(flags & STACK_TORN))
		remember_tops(prediction, frames, (uint32_t)depth);
	remember_windows(reader, prediction);
	*ret_flags = flags;
	if (depth == 0 && (flags & STACK_TORN))
		return -ERR_TORN;
	return depth;
}

bool stack_reader_frame_at(struct stack_reader *reader, uint64_t address,
			   struct raw_frame *ret_frame, uint64_t *ret_back)
{
	const struct layout_offsets *at = &reader->layout->at;
	const uint8_t *head;

	if ((address & 7) || address > ADDRESS_MAX)
		return false;
	head = window_find(reader, address, (uint32_t)at->frame_size);
	if (!head || frame_is_shim(reader->layout, head) ||
	    !take_frame(reader, address, head, ret_frame))
		return false;
	*ret_back = load_u64(head + at->frame_back);
	return true;
}

void stack_reader_want_frame(struct stack_reader *reader, struct stack_prediction *prediction,
			     uint64_t address)
{
	uint32_t head = (uint32_t)reader->layout->at.frame_size;

	if ((address & 7) || address > ADDRESS_MAX)
		return;
	if (!window_find(reader, address, head) && !frame_miss(reader, address, head))
		return;
	remember_windows(reader, prediction);
}
