/* See call_sites.h. */
#include "sampler/call_sites.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define HOME (-3)	/* in call_edge.offset: not a site, the callee's home */
#define HOME_SHARE 8	/* a second site of a callee has at least 1 / this of its home's count */
#define KNOWN_MIN 2u	/* confirmations before a pair counts as possible */
#define KNOWN_SHARE 20u /* and at least 1 / this of the site's confirmations */
#define HEAD_SPAN_MAX 128
#define YOUNG_MAX 64u /* confirmations under which a site may still have unseen callees */

int call_sites_init(struct call_sites *sites, const struct remote_memory *memory,
		    const struct layout *layout, struct live_top *top)
{
	memset(sites, 0, sizeof(*sites));
	sites->memory = memory;
	sites->layout = layout;
	sites->top = top;
	sites->edges = mem_zalloc(CALL_SITES_SLOTS, sizeof(*sites->edges));
	return sites->edges ? 0 : -ERR_MEMORY;
}

void call_sites_release(struct call_sites *sites)
{
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

static void edge_add(struct call_sites *sites, uint64_t caller, int32_t offset, uint64_t callee)
{
	struct call_edge *edge = edge_slot(sites, caller, offset, callee);

	if (!edge->caller) {
		if (sites->edge_count * 2 >= CALL_SITES_SLOTS) {
			memset(sites->edges, 0, CALL_SITES_SLOTS * sizeof(*sites->edges));
			sites->edge_count = 0;
			edge = edge_slot(sites, caller, offset, callee);
		}
		*edge = (struct call_edge){caller, offset, 0, callee};
		sites->edge_count++;
	}
	edge->confirmed++;
}

static uint32_t edge_count(struct call_sites *sites, uint64_t caller, int32_t offset,
			   uint64_t callee)
{
	return edge_slot(sites, caller, offset, callee)->confirmed;
}

/* The site from which this caller calls this callee most. Two cache lines are read a tenth of a
 * microsecond apart, so that between short callees a pair of one site's position and another site's
 * callee comes up again and again, on instructions that call nothing too: where a callee has a home
 * elsewhere in the same caller, a small count here is such a pair. */
static void home_note(struct call_sites *sites, const struct raw_frame *caller, uint64_t callee,
		      uint32_t count)
{
	struct call_edge *home = edge_slot(sites, caller->code, HOME, callee);

	if (home->caller && count < home->confirmed)
		return;
	if (!home->caller) {
		*home = (struct call_edge){caller->code, HOME, 0, callee, 0};
		sites->edge_count++;
	}
	home->confirmed = count;
	home->home = caller->offset;
}

static bool pair_known(struct call_sites *sites, const struct raw_frame *caller, uint64_t callee,
		       uint32_t site_total)
{
	uint32_t count = edge_count(sites, caller->code, caller->offset, callee);
	const struct call_edge *home;

	if (count < KNOWN_MIN || (uint64_t)count * KNOWN_SHARE < site_total)
		return false;
	home = edge_slot(sites, caller->code, HOME, callee);
	return !home->caller || home->home == caller->offset ||
	       (uint64_t)count * HOME_SHARE >= home->confirmed;
}

/* What stands above the caller is not known; where the caller stands on an instruction that was
 * never seen to call, it has moved on since: its line is not known either. */
static void tear_above(struct call_sites *sites, struct raw_frame *frames, uint32_t *depth,
		       uint32_t caller_index)
{
	uint32_t removed = caller_index - 1;

	memmove(frames, frames + removed, (*depth - removed) * sizeof(*frames));
	*depth -= removed;
	frames[0].code = 0;
	frames[0].offset = -1;
	if (!edge_count(sites, frames[1].code, frames[1].offset, 0))
		frames[1].offset = FRAME_OFFSET_UNKNOWN;
}

/* What the frames themselves say of the call from caller to callee. */
enum link_state { LINK_LIVE, LINK_UNSURE, LINK_DEAD };

static enum link_state link_state(const struct call_sites *sites, const struct raw_frame *callee,
				  const struct raw_frame *caller)
{
	bool one_instant = callee->window == caller->window;

	if (callee->flags & RAW_DEAD || !callee->code)
		return LINK_DEAD;
	switch (sites->layout->frame_liveness) {
	case LIVENESS_CALLER_STACKTOP:
		if (callee->flags & RAW_ENTERED_FROM_C)
			return LINK_UNSURE;
		if (!one_instant)
			return LINK_UNSURE;
		return caller->flags & RAW_WAITS ? LINK_LIVE : LINK_DEAD;
	case LIVENESS_EXECUTABLE:
		return one_instant ? LINK_LIVE : LINK_UNSURE;
	default:
		return LINK_UNSURE; /* heap frames lie on pages that were read one after another */
	}
}

enum call_verdict call_sites_judge(struct call_sites *sites, struct raw_frame *frames,
				   uint32_t *depth)
{
	uint32_t pairs = *depth > 0 ? *depth - 1 : 0;
	uint32_t edges = pairs < CALL_SITES_EDGES ? pairs : CALL_SITES_EDGES;

	/* From the stable end up: the lowest pair that can't be cuts all above it. */
	for (uint32_t i = edges; i-- > 0;) {
		struct raw_frame *caller = &frames[i + 1], *callee = &frames[i];
		enum link_state state = link_state(sites, callee, caller);

		if (i == 0 && !callee->code)
			return CALL_TORN; /* torn already, and its caller is where it says */
		if (state != LINK_DEAD &&
		    pair_known(sites, caller, callee->code,
			       edge_count(sites, caller->code, caller->offset, 0)))
			continue;
		tear_above(sites, frames, depth, i + 1);
		return CALL_TORN;
	}
	return CALL_KNOWN;
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

/* Are the top frames as they were, and is the leaf still the one that runs? The word that tells it
 * is read last: a frame that is dead by then confirms nothing, however whole it looks. */
static bool unchanged(struct call_sites *sites, const struct raw_frame *frames, uint32_t depth,
		      uint64_t leaf_word)
{
	struct head_span span = head_span_of(sites->layout);
	uint32_t count = depth < CALL_SITES_EDGES + 1 ? depth : CALL_SITES_EDGES + 1;
	struct remote_range ranges[CALL_SITES_EDGES + 2] = {0};
	uint8_t heads[CALL_SITES_EDGES + 1][HEAD_SPAN_MAX];
	uint64_t leaf;

	if (count == 0 || span.size > HEAD_SPAN_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		ranges[i] =
		    (struct remote_range){{frames[i].address + span.from}, heads[i], span.size};
	ranges[count] = (struct remote_range){{leaf_word}, &leaf, sizeof(leaf)};
	if (remote_read_ranges(sites->memory, ranges, count + 1) !=
	    (ssize_t)(count * span.size + sizeof(leaf)))
		return false;
	if (leaf != frames[0].address)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t code;

		memcpy(&code, heads[i] + span.code_at, sizeof(code));
		if (sites->layout->executable_tagged)
			code &= ~3ull;
		if (code != frames[i].code)
			return false;
		/* The leaf moves on by itself. */
		if (i > 0 && position_offset(sites->layout, heads[i] + span.position_at, code) !=
				 frames[i].offset)
			return false;
	}
	return true;
}

struct links {
	bool broken; /* one is over */
	bool open;   /* one needs a second reading to be taken */
	bool unlike; /* one is of a site that is known to call others */
};

static struct links summarise(struct call_sites *sites, const struct raw_frame *frames,
			      uint32_t depth)
{
	struct links links = {false, false, false};

	for (uint32_t i = 0; i < CALL_SITES_EDGES && i + 1 < depth; i++) {
		const struct raw_frame *caller = &frames[i + 1];
		enum link_state state = link_state(sites, &frames[i], caller);
		uint32_t total = edge_count(sites, caller->code, caller->offset, 0);
		bool known = pair_known(sites, caller, frames[i].code, total);

		links.broken |= state == LINK_DEAD;
		links.open |= state == LINK_UNSURE || total < YOUNG_MAX;
		links.unlike |= total >= YOUNG_MAX && !known;
	}
	return links;
}

/* Counts the pairs that were seen: all of them when a second reading agreed, else those whose link
 * tells that it was live (of which a few are wrong: caller and callee are two cache lines, and one
 * comes a tenth of a microsecond after the other). */
static void learn(struct call_sites *sites, const struct raw_frame *frames, uint32_t depth,
		  bool confirmed)
{
	for (uint32_t i = 0; i < CALL_SITES_EDGES && i + 1 < depth; i++) {
		const struct raw_frame *caller = &frames[i + 1];

		if (!frames[i].code || !caller->code)
			break;
		if (!confirmed && link_state(sites, &frames[i], caller) != LINK_LIVE)
			continue;
		edge_add(sites, caller->code, caller->offset, frames[i].code);
		home_note(sites, caller, frames[i].code,
			  edge_count(sites, caller->code, caller->offset, frames[i].code));
		edge_add(sites, caller->code, caller->offset, 0);
	}
}

void call_sites_learn(struct call_sites *sites, const struct raw_frame *frames, uint32_t depth)
{
	learn(sites, frames, depth, true);
}

/* Code and position of one frame must belong together. */
static bool positions_fit(struct call_sites *sites, struct raw_frame *frames, uint32_t *depth)
{
	for (uint32_t i = 0; i < *depth && i <= CALL_SITES_EDGES; i++) {
		uint64_t size =
		    frames[i].code ? live_top_code_bytes(sites->top, frames[i].code) : 0;

		if (!size || frames[i].offset < 0 || (uint64_t)frames[i].offset < size)
			continue;
		size = live_top_code_bytes_anew(sites->top, frames[i].code);
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
	struct links links;
	bool confirmed;

	if (*depth == 0)
		return CALL_KNOWN;
	if (!positions_fit(sites, frames, depth) || !frames[*depth - 1].code)
		return CALL_TORN;
	links = summarise(sites, frames, *depth);
	if (links.broken)
		return call_sites_judge(sites, frames, depth);
	confirmed = links.open && unchanged(sites, frames, *depth, leaf_word);
	learn(sites, frames, *depth, confirmed);
	/* Twice the same: taken as it is, unless its site is known to call others. */
	if (confirmed && !links.unlike)
		return CALL_KNOWN;
	return call_sites_judge(sites, frames, depth);
}
