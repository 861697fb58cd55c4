/* What a stack reader copies at each sample, in as few system calls and ranges as possible, and
 * what the next sample will want. Each range of a read costs the kernel as much as kilobytes of
 * bytes do, so that words near to one another are read as one. Hot path: no allocation, no
 * formatting, no locks, no /proc. */
#include <string.h>

#include "base/err.h"
#include "cpython/walk/frames.h"
#include "cpython/walk/frames_internal.h"

#define CHUNK_SLACK_BYTES 768u /* read beyond the last stack's end: it may have grown */
#define HIGH_KEPT 128	       /* samples for which a stack's height is remembered, at least */
#define GOES_ON_MAX 15	       /* see learn_top */
#define GONE_MAX 3	       /* windows of one fetch that may be gone, or all is read anew */

/* --- words beside the windows ---------------------------------------------------------------- */

/* Near words are read as one range: not more than WORDS_SPAN bytes, so that it touches no page that
 * none of them lies on. */
struct word_group {
	uint64_t start, end;
	uint32_t members;
};

struct words {
	const struct remote_range *lead;
	size_t lead_count;
	struct word_group groups[WORDS_GROUPS];
	uint8_t of_lead[WORDS_GROUPS];
	uint32_t count;
};

/* The group that these bytes lie in or may join. */
static struct word_group *group_near(struct words *words, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < words->count; i++) {
		struct word_group *group = &words->groups[i];
		uint64_t low = start < group->start ? start : group->start;
		uint64_t high = end > group->end ? end : group->end;

		if (high - low > WORDS_SPAN)
			continue;
		*group = (struct word_group){low, high, group->members + 1};
		return group;
	}
	return NULL;
}

/* False: too many, or too large, to be grouped. */
static bool words_group(struct words *words, const struct remote_range *lead, size_t count)
{
	*words = (struct words){.lead = lead, .lead_count = count};
	if (count > WORDS_GROUPS)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t start = lead[i].from.v, end = start + lead[i].size;
		struct word_group *group;

		if (end < start || lead[i].size > WORDS_SPAN)
			return false;
		group = group_near(words, start, end);
		if (!group) {
			group = &words->groups[words->count++];
			*group = (struct word_group){start, end, 1};
		}
		words->of_lead[i] = (uint8_t)(group - words->groups);
	}
	return true;
}

static uint8_t *group_bytes(struct stack_reader *reader, uint32_t group)
{
	return reader->words_bytes + (size_t)group * WORDS_SPAN;
}

static size_t words_ranges(struct stack_reader *reader, const struct words *words,
			   struct remote_range *ranges)
{
	for (uint32_t i = 0; i < words->count; i++) {
		const struct word_group *group = &words->groups[i];

		ranges[i] = (struct remote_range){
		    {group->start}, group_bytes(reader, i), group->end - group->start};
	}
	return words->count;
}

static void words_hand_out(struct stack_reader *reader, const struct words *words)
{
	for (size_t i = 0; i < words->lead_count; i++) {
		const struct remote_range *lead = &words->lead[i];
		uint32_t group = words->of_lead[i];

		memcpy(lead->to,
		       group_bytes(reader, group) + (lead->from.v - words->groups[group].start),
		       lead->size);
	}
}

/* --- from another core ----------------------------------------------------------------------- */

/* Reads ranges in order; the first `windows` of them may be gone, and then hold nothing. Chunks of
 * the data stack come from the root up: above one that is gone there is nothing. False: too many
 * are gone, or one of the others is. */
static bool read_stepping_over(struct stack_reader *reader, const struct remote_range *ranges,
			       const uint32_t *window_of, size_t windows, size_t count)
{
	size_t from = 0;

	for (int tries = 0; tries <= GONE_MAX; tries++) {
		ssize_t got;

		reader->reads++;
		got = remote_read_ranges(reader->memory, ranges + from, count - from);
		if (got < 0 && got != -ERR_UNREADABLE)
			return false;
		while (from < count && got >= (ssize_t)ranges[from].size)
			got -= (ssize_t)ranges[from++].size;
		if (from == count)
			return true;
		if (from >= windows)
			return false;
		do
			reader->windows[window_of[from++]].size = 0;
		while (from < windows && !heap_frames(reader));
	}
	return false;
}

/* A small window near to the words comes with them. */
#define NEAR_WINDOW_BYTES 128u
#define NEAR_WINDOWS_MAX 4u

struct near_window {
	uint32_t window, group;
};

/* From another core the frames come first and what says where they are after them: reading the
 * words that every call and return writes (current_frame, datastack_top) takes their cache line
 * from the target, which then stands at its next call or return, in our view, until it has it back.
 * What is read after them within half a microsecond sees transitions too often. False: not so much
 * can be read this way, or words are gone. */
static bool fetch_frames_first(struct stack_reader *reader,
			       const struct stack_prediction *prediction,
			       const struct remote_range *lead, size_t lead_count)
{
	struct remote_range ranges[REMOTE_RANGES_MAX];
	uint32_t window_of[REMOTE_RANGES_MAX], near_count = 0;
	struct near_window near[NEAR_WINDOWS_MAX];
	struct words words;
	size_t windows = 0, count;

	if (prediction->count == 0 || prediction->count + lead_count > REMOTE_RANGES_MAX ||
	    !words_group(&words, lead, lead_count))
		return false;
	for (uint32_t i = 0; i < prediction->count; i++) {
		const struct predicted_window *want = &prediction->windows[i];
		uint32_t index = reader->window_count;
		struct stack_window *window = window_reserve(reader, want->start, want->size);
		struct word_group *group = NULL;

		if (!window)
			break;
		if (want->size <= NEAR_WINDOW_BYTES && near_count < NEAR_WINDOWS_MAX)
			group = group_near(&words, want->start, want->start + want->size);
		if (group) {
			near[near_count++] =
			    (struct near_window){index, (uint32_t)(group - words.groups)};
			continue;
		}
		window_of[windows] = index;
		ranges[windows++] = (struct remote_range){
		    {want->start}, (uint8_t *)(uintptr_t)window->bytes, want->size};
	}
	count = windows + words_ranges(reader, &words, ranges + windows);
	if (!read_stepping_over(reader, ranges, window_of, windows, count)) {
		windows_reset(reader);
		return false;
	}
	words_hand_out(reader, &words);
	for (uint32_t i = 0; i < near_count; i++) {
		struct stack_window *window = &reader->windows[near[i].window];

		window->bytes = group_bytes(reader, near[i].group) +
				(window->start - words.groups[near[i].group].start);
	}
	for (uint32_t i = 0; i < reader->window_count; i++)
		if (reader->windows[i].size)
			window_publish(reader, i);
	return true;
}

/* --- any other ---------------------------------------------------------------------------------
 */

/* Read predicted windows from `first` on; on a short read the rest is dropped. Returns bytes of
 * `lead` ranges that came. */
static ssize_t fetch_batch(struct stack_reader *reader, struct remote_range *ranges, size_t lead,
			   size_t count, uint32_t first_window)
{
	size_t wanted = 0, lead_bytes = 0;
	ssize_t got;

	for (size_t i = 0; i < count; i++) {
		wanted += ranges[i].size;
		if (i < lead)
			lead_bytes += ranges[i].size;
	}
	reader->reads++;
	got = remote_read_ranges(reader->memory, ranges, count);
	if (got < 0) {
		reader->window_count = first_window;
		return got;
	}
	if ((size_t)got < wanted) {
		/* A predicted window is gone: keep the whole ones before it. */
		size_t end = lead_bytes;
		uint32_t keep = first_window;

		for (size_t i = lead; i < count && end + ranges[i].size <= (size_t)got; i++) {
			end += ranges[i].size;
			keep++;
		}
		reader->window_count = keep;
	}
	for (uint32_t i = first_window; i < reader->window_count; i++)
		window_publish(reader, i);
	return (size_t)got < lead_bytes ? got : (ssize_t)lead_bytes;
}

int stack_reader_fetch(struct stack_reader *reader, uint64_t tstate,
		       const struct stack_prediction *prediction, const struct remote_range *extra,
		       size_t extra_count)
{
	struct remote_range ranges[REMOTE_RANGES_MAX];
	size_t count = 0, lead, extra_bytes = 0;
	uint32_t next = 0, first_window = 0;
	ssize_t got;

	if (extra_count > REMOTE_RANGES_MAX - 2)
		return -ERR_LIMIT;
	windows_reset(reader);
	reader->tstate = tstate;
	reader->have_tstate = reader->have_cframe = false;
	reader->cframe = 0;
	for (; count < extra_count; count++) {
		ranges[count] = extra[count];
		extra_bytes += extra[count].size;
	}
	if (tstate) {
		ranges[count++] = (struct remote_range){
		    {tstate + reader->span_start}, reader->tstate_span, reader->span_size};
		if (prediction->cframe) {
			reader->cframe = prediction->cframe;
			ranges[count++] =
			    (struct remote_range){{prediction->cframe},
						  reader->cframe_span,
						  (size_t)reader->layout->at.cframe_size};
		}
	}
	lead = count;
	if (reader->target_runs && tstate && fetch_frames_first(reader, prediction, ranges, lead)) {
		reader->have_tstate = true;
		reader->have_cframe = reader->cframe != 0;
		return (int)extra_count;
	}
	for (;;) {
		while (tstate && next < prediction->count && count < REMOTE_RANGES_MAX) {
			const struct predicted_window *want = &prediction->windows[next++];
			struct stack_window *window =
			    window_reserve(reader, want->start, want->size);
			if (!window)
				break;
			ranges[count++] = (struct remote_range){
			    {want->start}, (uint8_t *)(uintptr_t)window->bytes, want->size};
		}
		if (count == 0)
			break;
		got = fetch_batch(reader, ranges, lead, count, first_window);
		if (lead) {
			if (got < 0)
				return (int)got;
			reader->have_tstate =
			    tstate && (size_t)got >= extra_bytes + reader->span_size;
			reader->have_cframe =
			    reader->cframe && reader->have_tstate &&
			    (size_t)got >= extra_bytes + reader->span_size +
					       (size_t)reader->layout->at.cframe_size;
			if ((size_t)got < extra_bytes) {
				size_t whole = 0, sum = 0;
				while (whole < extra_count &&
				       sum + extra[whole].size <= (size_t)got)
					sum += extra[whole++].size;
				return (int)whole;
			}
		}
		if (!tstate || next >= prediction->count || !reader->have_tstate)
			break;
		count = lead = 0;
		first_window = reader->window_count;
	}
	return (int)extra_count;
}

static void predict(struct stack_prediction *prediction, uint64_t start, uint32_t size)
{
	if (prediction->count < FRAMES_PREDICTED_MAX)
		prediction->windows[prediction->count++] = (struct predicted_window){start, size};
}

/* A frame that was read by itself while its chunk could not be: not asked for again. */
static bool inside_another(const struct stack_reader *reader, const struct stack_window *window)
{
	if (window->size > NEAR_WINDOW_BYTES || heap_frames(reader))
		return false;
	for (uint32_t i = 0; i < reader->window_count && i < REMOTE_RANGES_MAX; i++) {
		const struct stack_window *other = &reader->windows[i];

		if (other->size > window->size && window->start >= other->start &&
		    window->start - other->start <= other->size - window->size)
			return true;
	}
	return false;
}

/* What is remembered of a chunk of the data stack; the oldest gives way to a new one. */
static struct predicted_chunk *chunk_memory(struct stack_prediction *prediction, uint64_t start)
{
	struct predicted_chunk *chunk;

	for (uint32_t i = 0; i < FRAMES_CHUNKS_KNOWN; i++)
		if (prediction->chunks[i].start == start)
			return &prediction->chunks[i];
	chunk = &prediction->chunks[prediction->chunk_turn++ % FRAMES_CHUNKS_KNOWN];
	*chunk = (struct predicted_chunk){.start = start, .goes_on = GOES_ON_MAX / 2};
	return chunk;
}

/* Bytes of a chunk that were in use at most, lately: a stack that was higher will be again, and
 * what is not read in advance is read late, and anew. */
static uint32_t chunk_high(struct predicted_chunk *chunk, uint32_t used)
{
	uint32_t high;

	if (used > chunk->high)
		chunk->high = used;
	high = chunk->high > chunk->high_before ? chunk->high : chunk->high_before;
	if (++chunk->samples >= HIGH_KEPT) {
		chunk->high_before = chunk->high;
		chunk->high = used;
		chunk->samples = 0;
	}
	return high;
}

/* A chunk is freed as soon as nothing lies in it. Whether the stack will have gone on to the chunk
 * above the top one by the next sample is guessed from what it did lately. */
static void learn_top(struct stack_prediction *prediction, uint64_t top, uint64_t below)
{
	struct predicted_chunk *last = chunk_memory(prediction, prediction->top_chunk);

	if (last->above && last->start != top && last->above == top)
		last->goes_on += last->goes_on < GOES_ON_MAX;
	else
		last->goes_on -= last->goes_on > 0;
	if (below)
		chunk_memory(prediction, below)->above = top;
	prediction->top_chunk = top;
}

static void predict_top(const struct stack_reader *reader, const struct stack_window *window,
			struct stack_prediction *prediction)
{
	const struct layout_offsets *at = &reader->layout->at;
	uint64_t size = reader->top > window->start ? reader->top - window->start : window->used;
	uint64_t limit = CHUNK_BYTES_MIN, below = 0;
	struct predicted_chunk *chunk;

	if (window->size >= (uint32_t)at->chunk_data) {
		uint64_t known = load_u64(window->bytes + at->chunk_size);

		if (known >= window->used && known <= CHUNK_BYTES_MAX)
			limit = known;
		below = load_u64(window->bytes + at->chunk_previous);
	}
	if (size > limit)
		size = window->used;
	learn_top(prediction, window->start, below);
	chunk = chunk_memory(prediction, window->start);
	size = chunk_high(chunk, (uint32_t)size) + CHUNK_SLACK_BYTES;
	if (size > limit)
		size = limit;
	predict(prediction, window->start, size > window->used ? (uint32_t)size : window->used);
	if (chunk->above && chunk->goes_on > GOES_ON_MAX / 2) {
		chunk = chunk_memory(prediction, chunk->above);
		size = chunk->high > chunk->high_before ? chunk->high : chunk->high_before;
		if (size && size <= CHUNK_BYTES_MIN)
			predict(prediction, chunk->start, (uint32_t)size);
	}
}

static struct stack_window *window_at(const struct stack_reader *reader, uint64_t start)
{
	for (uint32_t i = 0; i < reader->window_count; i++)
		if (reader->windows[i].used && reader->windows[i].start == start)
			return &reader->windows[i];
	return NULL;
}

/* The windows of the data stack's chunks, the top one first, as far as they lead to one another. */
static uint32_t chain_of_chunks(const struct stack_reader *reader,
				struct stack_window *chain[FRAMES_CHUNKS_MAX])
{
	const struct layout_offsets *at = &reader->layout->at;
	uint64_t chunk =
	    at->tstate_datastack_chunk < 0 ? 0 : tstate_word(reader, at->tstate_datastack_chunk);
	uint32_t count = 0;

	while (chunk && count < FRAMES_CHUNKS_MAX) {
		struct stack_window *window = window_at(reader, chunk);

		if (!window || window->chained)
			break;
		window->chained = true;
		chain[count++] = window;
		chunk = window->size < (uint32_t)at->chunk_data
			    ? 0
			    : load_u64(window->bytes + at->chunk_previous);
	}
	return count;
}

/* In an order in which what goes away costs least: chunks come last, from the root up. */
void remember_windows(const struct stack_reader *reader, struct stack_prediction *prediction)
{
	struct stack_window *chain[FRAMES_CHUNKS_MAX];
	uint32_t chunks = chain_of_chunks(reader, chain);

	prediction->count = 0;
	for (uint32_t i = 0; i < reader->window_count; i++) {
		const struct stack_window *window = &reader->windows[i];

		if (window->used && !window->chained && !inside_another(reader, window))
			predict(prediction, window->start, window->used);
	}
	for (uint32_t i = chunks; i-- > 0;) {
		chain[i]->chained = false;
		if (i > 0)
			predict(prediction, chain[i]->start, chain[i]->used);
		else
			predict_top(reader, chain[i], prediction);
	}
}
