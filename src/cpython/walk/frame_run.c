/* Runs of frames of a thread's data stack, taken in one go: most of a deep stack is frames that
 * Python functions called one another in, one below the other in one window. What walk_chain would
 * give for them, for less; whatever is out of the ordinary ends the run and is left to it.
 * Hot path: no allocation, no formatting, no locks, no reads of the target. */
#include "cpython/walk/frames.h"
#include "cpython/walk/frames_internal.h"

#define OWNED_BY_THREAD 0 /* FRAME_OWNED_BY_THREAD in every version that has it */

/* Offsets of the few words that are looked at, in registers. */
struct run_layout {
	uint32_t head, owner, code, position, back, stacktop;
	uint64_t first_instruction, tag_mask;
	bool has_stacktop;
};

/* False: this version's frames are walked one by one. */
static bool run_layout_of(const struct layout *layout, struct run_layout *run)
{
	const struct layout_offsets *at = &layout->at;

	if ((layout->frame_owner != OWNER_312 && layout->frame_owner != OWNER_314) ||
	    (layout->frame_position != POSITION_PREV_INSTR &&
	     layout->frame_position != POSITION_INSTR_PTR) ||
	    (layout->frame_liveness != LIVENESS_CALLER_STACKTOP &&
	     layout->frame_liveness != LIVENESS_EXECUTABLE) ||
	    at->frame_is_entry >= 0)
		return false;
	*run = (struct run_layout){
	    .head = (uint32_t)at->frame_size,
	    .owner = (uint32_t)at->frame_owner,
	    .code = (uint32_t)at->frame_code,
	    .position = (uint32_t)at->frame_position,
	    .back = (uint32_t)at->frame_back,
	    .first_instruction = (uint64_t)at->code_code,
	    .tag_mask = layout->executable_tagged ? ~3ull : ~0ull,
	    .has_stacktop = layout->frame_liveness == LIVENESS_CALLER_STACKTOP,
	};
	if (run->has_stacktop)
		run->stacktop = (uint32_t)at->frame_stacktop;
	return true;
}

uint32_t frames_run(struct stack_reader *reader, uint64_t *frame, struct raw_frame *frames,
		    uint32_t capacity)
{
	struct stack_window *window = &reader->windows[reader->last_hit];
	uint64_t start = window->start, address = *frame, room, end = 0;
	const uint8_t *bytes = window->bytes;
	uint16_t index = (uint16_t)reader->last_hit;
	struct run_layout run;
	uint32_t count = 0;

	if (reader->last_hit >= reader->window_count || !run_layout_of(reader->layout, &run) ||
	    window->size < run.head)
		return 0;
	room = window->size - run.head;
	while (count < capacity && !(address & 7) && address >= start && address - start <= room) {
		const uint8_t *head = bytes + (address - start);
		uint64_t code = load_u64(head + run.code) & run.tag_mask;
		uint64_t offset = load_u64(head + run.position) - (code + run.first_instruction);
		uint16_t flags = 0;

		if (head[run.owner] != OWNED_BY_THREAD || !code || (code & 7) || (offset & 1) ||
		    offset > INT32_MAX - 1)
			break;
		if (run.has_stacktop && load_i32(head + run.stacktop) >= 0)
			flags = RAW_WAITS;
		if (address - start > end)
			end = address - start;
		frames[count++] = (struct raw_frame){code, address, (int32_t)offset, flags, index};
		address = load_u64(head + run.back);
	}
	if (count && end + run.head > window->used)
		window->used = (uint32_t)end + run.head;
	*frame = address;
	return count;
}
