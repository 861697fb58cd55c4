/* Which callee belongs to which call site: makes stacks that were read while the
 * target ran (another core) say only what is known.
 *
 * What runs is settled by then (live_top.h; up to 3.10 the word that names the
 * running frame says it). Its callers' positions were read at other instants, from ten
 * nanoseconds (one copy of the data stack) to microseconds (frames on the heap) apart.
 * So the callee is kept and the caller's position doubted: it must stand on an
 * instruction that can have a callee at all (code_sites.h), and on one from which
 * this callee is called mostly, or was seen to be called in two readings a microsecond
 * apart that agree. A pair of two successive short calls agrees with itself by accident
 * only, and so comes up far less often there than true ones.
 *
 * A caller that does not stand so has the line of the one site that is known to call
 * this callee where it stands on no call at all, else its line is unknown (0). Where
 * the caller's function was hardly ever seen to call this callee's, the callee is torn: the
 * stack keeps its lower part and the leaf becomes "<torn>". Dropping such samples
 * instead would bias the shares by up to 15 points.
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
	uint32_t seen;	    /* times it was read at all, the caller standing on a call */
	uint64_t callee;    /* 0: the totals of the site */
	int32_t home;	    /* offset HOME: the site that calls it most */
};

struct call_sites {
	struct code_sites code;
	uint32_t turn;
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
