/* Which callee belongs to which call site: makes stacks that were read while the
 * target ran (another core) say only what is known.
 *
 * A stack's depth comes from the word that names the running frame, read first and
 * true by itself. By the time its frames are read some of them may have returned.
 * Most links tell by themselves whether the call was still going on (enum
 * frame_liveness_kind), and caller and callee of one window are read within
 * nanoseconds: what such a link says is so. For the others (C in between, frames of
 * different windows, heap frames of 3.8–3.10) the heads and the word are read
 * again: what has not changed is taken; a pair that did change is taken where that
 * call site was confirmed to call that callee. Else the callee is torn: the stack
 * keeps its lower part, the leaf becomes "<torn>", and the line of a caller that
 * stands on no known call is unknown. Dropping such samples instead would bias
 * the shares by up to 15 points.
 *
 * Hot path: no allocation after init, except that tables start anew when full.
 */
#ifndef SAMPLER_CALL_SITES_H
#define SAMPLER_CALL_SITES_H

#include "cpython/walk/frames.h"
#include "sampler/live_top.h"

#define CALL_SITES_EDGES 6 /* pairs nearest to the leaf that are checked */
#define CALL_SITES_SLOTS (1u << 15)

enum call_verdict { CALL_KNOWN, CALL_TORN };

struct call_edge {
	uint64_t caller;
	int32_t offset;
	uint32_t confirmed; /* times this pair was read twice without change */
	uint64_t callee;    /* 0: the totals of the site */
	int32_t home;	    /* offset HOME: the site that calls it most */
};

struct call_sites {
	const struct remote_memory *memory;
	const struct layout *layout;
	struct call_edge *edges;
	uint32_t edge_count;
	struct live_top *top;
};

int call_sites_init(struct call_sites *sites, const struct remote_memory *memory,
		    const struct layout *layout, struct live_top *top);
void call_sites_release(struct call_sites *sites);

/* Checks the pairs nearest to the leaf and changes frames where they can't be (a torn frame has
 * code 0). Now and then reads the heads again, to learn; leaf_word is where
 * the target keeps the address of its running frame. */
enum call_verdict call_sites_check(struct call_sites *sites, struct raw_frame *frames,
				   uint32_t *depth, uint64_t leaf_word);

/* Same, with the confirmation given (tests, simulated targets): does not read. */
enum call_verdict call_sites_judge(struct call_sites *sites, struct raw_frame *frames,
				   uint32_t *depth);
void call_sites_learn(struct call_sites *sites, const struct raw_frame *frames, uint32_t depth);

#endif
