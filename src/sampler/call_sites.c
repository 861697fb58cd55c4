/* See call_sites.h. */
#include "sampler/call_sites.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define HOME (-3)	   /* in call_edge.offset: not a site, the callee's home */
#define HOME_SHARE 8	   /* a second site of a callee has at least 1 / this of its home's count */
#define HOME_SHARE_APART 3 /* 1 / this where frames lie apart */
#define KNOWN_MIN 2u	   /* confirmations before a pair counts as possible */
#define KNOWN_SHARE 20u	   /* and at least 1 / this of the site's confirmations */
#define HEAD_SPAN_MAX 128
#define YOUNG_MAX 64u	    /* confirmations under which a site may still have unseen callees */
#define MOSTLY_MIN 16u	    /* readings in which most calls of a callee come from one site */
#define SEEN_MIN 4u	    /* readings that make a function one of the caller's callees */
#define SEEN_SHARE 200u	    /* and at least 1 / this of all its callees' */
#define SEEN_SHARE_HEAP 50u /* frames that functions hand on to one another */
#define CONFIRM_EACH 16u    /* one sample in so many is read twice */
#define CONFIRM_EACH_OFTEN 3u
#define CONFIRM_OFTEN 20000u /* samples, at first */

int call_sites_init(struct call_sites *sites, const struct remote_memory *memory,
		    const struct layout *layout, struct live_top *top)
{
	memset(sites, 0, sizeof(*sites));
	sites->memory = memory;
	sites->layout = layout;
	sites->top = top;
	if (code_sites_init(&sites->code, memory, layout) < 0)
		return -ERR_MEMORY;
	sites->edges = mem_zalloc(CALL_SITES_SLOTS, sizeof(*sites->edges));
	if (!sites->edges) {
		code_sites_release(&sites->code);
		return -ERR_MEMORY;
	}
	if (top)
		top->sites = &sites->code;
	return 0;
}

void call_sites_release(struct call_sites *sites)
{
	code_sites_release(&sites->code);
	if (sites->top)
		sites->top->sites = NULL;
	mem_free(sites->edges);
	sites->edges = NULL;
}

static struct call_edge *edge_slot(struct call_sites *sites, uint64_t caller, int32_t offset,
				   uint64_t callee)
{
	uint64_t hash =
	    hash_u64(caller * 31 + (uint64_t)(uint32_t)offset + callee * 0x9e3779b97f4a7c15ull);
	uint32_t at = (uint32_t)hash & (CALL_SITES_SLOTS - 1);

	for (;;) {
		struct call_edge *edge = &sites->edges[at];

		if (!edge->caller ||
		    (edge->caller == caller && edge->offset == offset && edge->callee == callee))
			return edge;
		at = (at + 1) & (CALL_SITES_SLOTS - 1);
	}
}

static void edge_add(struct call_sites *sites, uint64_t caller, int32_t offset, uint64_t callee,
		     bool confirmed)
{
	struct call_edge *edge = edge_slot(sites, caller, offset, callee);

	if (!edge->caller) {
		if (sites->edge_count * 2 >= CALL_SITES_SLOTS) {
			memset(sites->edges, 0, CALL_SITES_SLOTS * sizeof(*sites->edges));
			sites->edge_count = 0;
			edge = edge_slot(sites, caller, offset, callee);
		}
		*edge = (struct call_edge){.caller = caller, .offset = offset, .callee = callee};
		sites->edge_count++;
	}
	edge->seen++;
	edge->confirmed += confirmed;
}

/* Does the caller stand where it was seen to call something? */
static bool site_known(struct call_sites *sites, const struct raw_frame *caller)
{
	const struct call_edge *site = edge_slot(sites, caller->code, caller->offset, 0);

	return site->caller && (site->confirmed >= KNOWN_MIN || site->seen >= MOSTLY_MIN);
}

/* The site from which this caller calls this callee most. Two cache lines are read a tenth of a
 * microsecond apart, so that between short callees a pair of one site's position and another site's
 * callee comes up again and again, on instructions that call nothing too: where a callee has a home
 * elsewhere in the same caller, a small count here is such a pair. */
static void home_note(struct call_sites *sites, const struct raw_frame *caller, uint64_t callee)
{
	const struct call_edge *here = edge_slot(sites, caller->code, caller->offset, callee);
	struct call_edge *home = edge_slot(sites, caller->code, HOME, callee);

	if (here->confirmed < home->confirmed)
		return;
	home->confirmed = here->confirmed;
	home->home = caller->offset;
}

static bool pair_known(struct call_sites *sites, const struct raw_frame *caller,
		       const struct raw_frame *callee)
{
	const struct call_edge *here = edge_slot(sites, caller->code, caller->offset, callee->code);
	const struct call_edge *site = edge_slot(sites, caller->code, caller->offset, 0);
	const struct call_edge *home = edge_slot(sites, caller->code, HOME, callee->code);
	bool apart = sites->layout->frame_link == FRAME_LINK_HEAP || callee->flags & RAW_GENERATOR;

	if (!here->caller)
		return false;
	/* Not where frames lie apart: a short call is over before its caller is read. */
	if (!apart && here->seen >= MOSTLY_MIN && here->seen > home->seen / 5 * 3)
		return true;
	if (here->confirmed < KNOWN_MIN ||
	    (uint64_t)here->confirmed * KNOWN_SHARE < site->confirmed)
		return false;
	return home->home == caller->offset ||
	       (uint64_t)here->confirmed * (apart ? HOME_SHARE_APART : HOME_SHARE) >=
		   home->confirmed;
}

/* Does the caller's function call this callee at all? What a frame was before, or is by now, is
 * seen there too, but hardly ever. */
static bool function_known(struct call_sites *sites, uint64_t caller, uint64_t callee)
{
	const struct call_edge *pair = edge_slot(sites, caller, HOME, callee);
	const struct call_edge *all = edge_slot(sites, caller, HOME, 0);
	bool heap = sites->layout->frame_link == FRAME_LINK_HEAP;
	bool often = (uint64_t)pair->seen * (heap ? SEEN_SHARE_HEAP : SEEN_SHARE) >= all->seen;

	if (!pair->caller)
		return false;
	return (pair->confirmed >= KNOWN_MIN && (often || !heap)) ||
	       (pair->seen >= SEEN_MIN && often);
}

/* Can the instruction that the caller stands on have this callee, whatever was learned? */
static bool can_call(struct call_sites *sites, const struct raw_frame *callee,
		     const struct raw_frame *caller)
{
	int class = code_sites_class(&sites->code, caller->code, caller->offset);
	bool through_c =
	    callee->flags & RAW_ENTERED_FROM_C || sites->layout->frame_link == FRAME_LINK_HEAP;

	if (class < 0)
		return caller->offset >= 0;
	return (class & OPCODE_CLASS) >= (through_c ? OPCODE_ENTERS : OPCODE_CALLS);
}

/* What stands above the caller is not known; where the caller stands on an instruction that was
 * never seen to call, it has moved on since: its line is not known either. */
static void tear_above(struct call_sites *sites, struct raw_frame *frames, uint32_t *depth,
		       uint32_t caller_index)
{
	uint32_t removed = caller_index - 1;
	int class;

	memmove(frames, frames + removed, (*depth - removed) * sizeof(*frames));
	*depth -= removed;
	frames[0].code = 0;
	frames[0].offset = -1;
	class = code_sites_class(&sites->code, frames[1].code, frames[1].offset);
	if ((class >= 0 && (class & OPCODE_CLASS) < OPCODE_ENTERS) ||
	    !site_known(sites, &frames[1]))
		frames[1].offset = FRAME_OFFSET_UNKNOWN;
}

/* The caller's line, where its position is not that of a call of this callee. False: its function
 * was never seen to call the callee's. */
static bool mend_caller(struct call_sites *sites, const struct raw_frame *callee,
			struct raw_frame *caller, bool on_call)
{
	const struct call_edge *home = edge_slot(sites, caller->code, HOME, callee->code);
	const struct call_edge *there;

	if (!function_known(sites, caller->code, callee->code))
		return false;
	there = edge_slot(sites, caller->code, home->home, callee->code);
	/* All but its home is so rare that a reading of two instants explains it. */
	if (!on_call && home->confirmed >= KNOWN_MIN && there->seen >= YOUNG_MAX &&
	    (uint64_t)(home->seen - there->seen) * HOME_SHARE < home->seen)
		caller->offset = home->home;
	else
		caller->offset = FRAME_OFFSET_UNKNOWN;
	return true;
}

/* A torn leaf above a position that calls nothing: the position is of another instant. */
static void doubt_below_torn(struct call_sites *sites, struct raw_frame *frames, uint32_t depth)
{
	int class;

	if (depth < 2)
		return;
	class = code_sites_class(&sites->code, frames[1].code, frames[1].offset);
	if ((class >= 0 && (class & OPCODE_CLASS) < OPCODE_ENTERS) ||
	    !site_known(sites, &frames[1]))
		frames[1].offset = FRAME_OFFSET_UNKNOWN;
}

enum call_verdict call_sites_judge(struct call_sites *sites, struct raw_frame *frames,
				   uint32_t *depth)
{
	uint32_t pairs = *depth > 0 ? *depth - 1 : 0;
	uint32_t edges = pairs < CALL_SITES_EDGES ? pairs : CALL_SITES_EDGES;
	enum call_verdict verdict = CALL_KNOWN;

	/* From the stable end up: the lowest pair that can't be cuts all above it. */
	for (uint32_t i = edges; i-- > 0;) {
		struct raw_frame *caller = &frames[i + 1], *callee = &frames[i];
		bool on_call;

		if (i == 0 && !callee->code) {
			doubt_below_torn(sites, frames, *depth);
			return CALL_TORN;
		}
		if (caller->offset == FRAME_OFFSET_UNKNOWN)
			caller->offset = -1;
		on_call = can_call(sites, callee, caller) && !(i > 0 && callee->flags & RAW_DEAD);
		if (on_call && pair_known(sites, caller, callee))
			continue;
		verdict = CALL_TORN;
		if (!callee->code || !mend_caller(sites, callee, caller, on_call)) {
			tear_above(sites, frames, depth, i + 1);
			return CALL_TORN;
		}
	}
	return verdict;
}

/* Where a frame's code and position lie: one span of its head. */
struct head_span {
	uint32_t from, size, code_at, position_at;
};

static struct head_span head_span_of(const struct layout *layout)
{
	uint32_t code = (uint32_t)layout->at.frame_code,
		 position = (uint32_t)layout->at.frame_position;
	uint32_t low = code < position ? code : position, high = code < position ? position : code;

	return (struct head_span){low, high - low + 8, code - low, position - low};
}

static int64_t position_offset(const struct layout *layout, const uint8_t *field, uint64_t code)
{
	uint64_t pointer;
	int32_t lasti;

	if (layout->frame_position == POSITION_LASTI_BYTES ||
	    layout->frame_position == POSITION_LASTI_UNITS) {
		memcpy(&lasti, field, sizeof(lasti));
		return layout->frame_position == POSITION_LASTI_UNITS && lasti > 0
			   ? 2 * (int64_t)lasti
			   : lasti;
	}
	memcpy(&pointer, field, sizeof(pointer));
	return (int64_t)(pointer - (code + (uint64_t)layout->at.code_code));
}

/* Reads the top frames again and returns from which one down they are as they were, and their calls
 * going on: *depth for none. The word that tells the running frame is read last: a frame that is
 * dead by then confirms nothing, however whole it looks. */
static uint32_t unchanged_from(struct call_sites *sites, const struct raw_frame *frames,
			       uint32_t depth, uint64_t leaf_word)
{
	struct head_span span = head_span_of(sites->layout);
	uint32_t count = depth < CALL_SITES_EDGES + 1 ? depth : CALL_SITES_EDGES + 1;
	struct remote_range ranges[CALL_SITES_EDGES + 2] = {0};
	uint8_t heads[CALL_SITES_EDGES + 1][HEAD_SPAN_MAX];
	uint32_t from = depth;
	uint64_t leaf;

	if (count == 0 || span.size > HEAD_SPAN_MAX)
		return depth;
	for (uint32_t i = 0; i < count; i++)
		ranges[i] =
		    (struct remote_range){{frames[i].address + span.from}, heads[i], span.size};
	ranges[count] = (struct remote_range){{leaf_word}, &leaf, sizeof(leaf)};
	if (remote_read_ranges(sites->memory, ranges, count + 1) !=
	    (ssize_t)(count * span.size + sizeof(leaf)))
		return depth;
	for (uint32_t i = count; i-- > 0;) {
		uint64_t code;

		memcpy(&code, heads[i] + span.code_at, sizeof(code));
		if (sites->layout->executable_tagged)
			code &= ~3ull;
		if (code != frames[i].code)
			break;
		/* A frame whose caller stands as it did is confirmed as its callee when it is the
		 * one that runs, or stands as it did itself. */
		if (i == 0 && leaf != frames[0].address)
			break;
		if (i > 0 && position_offset(sites->layout, heads[i] + span.position_at, code) !=
				 frames[i].offset)
			break;
		from = i;
	}
	return from;
}

/* Counts the pairs; those from frame `from` down are confirmed. */
static void learn(struct call_sites *sites, const struct raw_frame *frames, uint32_t depth,
		  uint32_t from)
{
	for (uint32_t i = 0; i < CALL_SITES_EDGES && i + 1 < depth; i++) {
		const struct raw_frame *caller = &frames[i + 1];
		uint64_t callee = frames[i].code;

		if (!callee || !caller->code || !can_call(sites, &frames[i], caller))
			continue;
		/* What is dead has no caller; the leaf itself may have begun since it was copied.
		 */
		if (i > 0 && frames[i].flags & RAW_DEAD)
			continue;
		edge_add(sites, caller->code, caller->offset, callee, i >= from);
		edge_add(sites, caller->code, caller->offset, 0, i >= from);
		edge_add(sites, caller->code, HOME, callee, false);
		edge_add(sites, caller->code, HOME, 0, false);
		home_note(sites, caller, callee);
	}
}

void call_sites_learn(struct call_sites *sites, const struct raw_frame *frames, uint32_t depth)
{
	learn(sites, frames, depth, 0);
}

/* Code and position of one frame must belong together. */
static bool positions_fit(struct call_sites *sites, struct raw_frame *frames, uint32_t *depth)
{
	for (uint32_t i = 0; i < *depth && i <= CALL_SITES_EDGES; i++) {
		uint64_t size = frames[i].code ? code_sites_bytes(&sites->code, frames[i].code) : 0;

		if (!size || frames[i].offset < 0 || (uint64_t)frames[i].offset < size)
			continue;
		code_sites_forget(&sites->code, frames[i].code);
		live_top_code_bytes_anew(sites->top, frames[i].code);
		size = code_sites_bytes(&sites->code, frames[i].code);
		if (!size || (uint64_t)frames[i].offset < size)
			continue;
		if (i + 1 < *depth)
			tear_above(sites, frames, depth, i + 1);
		else
			frames[i].code = 0;
		return false;
	}
	return true;
}

enum call_verdict call_sites_check(struct call_sites *sites, struct raw_frame *frames,
				   uint32_t *depth, uint64_t leaf_word)
{
	if (*depth == 0)
		return CALL_KNOWN;
	if (!positions_fit(sites, frames, depth) || !frames[*depth - 1].code)
		return CALL_TORN;
	/* Whatever the stack is: a second reading that came with some of them only would put off
	 * the next sample then, and samples have to be taken without regard to what the target
	 * does. */
	if (*depth > 1) {
		uint32_t each = sites->turn < CONFIRM_OFTEN ? CONFIRM_EACH_OFTEN : CONFIRM_EACH;
		bool again = hash_u64(++sites->turn) % each == 0;

		learn(sites, frames, *depth,
		      again ? unchanged_from(sites, frames, *depth, leaf_word) : *depth);
	}
	return call_sites_judge(sites, frames, depth);
}
