/* The top of a stack that was read while the target ran: settles which frame ran at
 * the instant at which the frames themselves were copied.
 *
 * The word that names the running frame is read half a microsecond away from the
 * frames: about as long as a short call lasts, so that joining the two would favour
 * whatever lies half a microsecond further on. But one window of the data stack is
 * copied within nanoseconds, and on 3.11+ its frames tell by themselves which of
 * them waits for a Python callee and which is dead (enum frame_liveness_kind). So the
 * stack is cut at the first frame, from the root up, that does not wait, and goes on
 * above the last one if that waits: depth, call site and callee are then of one instant.
 *
 * A generator's frame lies elsewhere, and is copied at another instant. There the
 * data stack has the last word: whether a loop waits for its generator says whether
 * that runs; where the generator's own words then say that it does not, it is torn.
 *
 * 3.8–3.10 have neither: their stacks are left as they are (call_sites.h).
 * Hot path; remote reads only for code and call sites not met before.
 */
#ifndef SAMPLER_LIVE_TOP_H
#define SAMPLER_LIVE_TOP_H

#include "base/hash_map.h"
#include "cpython/walk/frames.h"
#include "sampler/code_sites.h"

#define LIVE_TOP_CUT 16	 /* frames from the leaf that may have been left meanwhile */
#define LIVE_TOP_GROW 16 /* frames that may have been entered meanwhile */

#define LIVE_TOP_GENERATORS 256u /* loops over generators that are remembered */

struct live_top {
	const struct remote_memory *memory;
	const struct layout *layout;
	struct u64_map codes; /* code address → size of its bytecode << 32 | size of its frame */
	struct u64_map opcodes;	  /* code address + offset → opcode */
	struct code_sites *sites; /* NULL: every position may be a call */
	struct resumed_generator {
		uint64_t caller; /* frame that stands at `offset` */
		uint64_t frame;	 /* the generator's that it goes on with there */
		int32_t offset;
	} generators[LIVE_TOP_GENERATORS];
};

void live_top_init(struct live_top *top, const struct remote_memory *memory,
		   const struct layout *layout);
void live_top_release(struct live_top *top);

/* Changes the leaf end of frames[*depth] (room for `capacity`). False: a callee is there but could
 * not be told; then the leaf is torn (code 0). */
bool live_top_settle(struct live_top *top, struct stack_reader *reader,
		     struct stack_prediction *prediction, struct raw_frame *frames, uint32_t *depth,
		     uint32_t capacity);

/* Bytes of a code object's bytecode; 0 unknown. Remembered. */
uint32_t live_top_code_bytes(struct live_top *top, uint64_t code);
/* Read again: another code object may lie at the address by now. */
uint32_t live_top_code_bytes_anew(struct live_top *top, uint64_t code);

#endif
