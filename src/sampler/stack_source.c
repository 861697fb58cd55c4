/* See stack_source.h. */
#include "sampler/stack_source.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"

#define CODES_FIRST 4096u
#define STACKS_FIRST 8192u
#define CHECK_LEAVES 4u		    /* leaf-most codes, compared in every stack */
#define CHECK_IN_TURN 2u	    /* of the others */
#define CHECK_ALL_DEPTH 16u	    /* so few are all compared, in every stack */
#define CHECK_ALL_AFTER_REUSE 4096u /* stacks: as are all of them at first and after a reuse */
#define CHECK_SPARSE 64u	    /* sparse: only in every so many stacks */
#define RESOLVE_AT_ONCE 8u

int stack_source_init(struct stack_source *source, const struct remote_memory *memory,
		      const struct layout *layout, const struct stack_sink *sink, uint64_t seed)
{
	memset(source, 0, sizeof(*source));
	source->memory = memory;
	source->layout = layout;
	source->sink = *sink;
	source->seed = seed | 1;
	source->span = code_fingerprint_span(layout);
	source->code_capacity = CODES_FIRST;
	source->stack_capacity = STACKS_FIRST;
	source->next_code_key = source->next_stack_key = 1;
	source->epoch = 1;
	source->check_all = CHECK_ALL_AFTER_REUSE;
	source->codes = mem_zalloc(source->code_capacity, sizeof(*source->codes));
	source->stacks = mem_zalloc(source->stack_capacity, sizeof(*source->stacks));
	source->keyed = mem_alloc((FRAMES_DEPTH_MAX + 1) * sizeof(*source->keyed));
	source->span_bytes = mem_alloc((size_t)source->span.size * REMOTE_RANGES_MAX);
	source->last = mem_alloc((FRAMES_DEPTH_MAX + 1) * sizeof(*source->last));
	if (source->codes && source->stacks && source->keyed && source->last && source->span_bytes)
		return 0;
	stack_source_release(source);
	return -ERR_MEMORY;
}

void stack_source_release(struct stack_source *source)
{
	mem_free(source->codes);
	mem_free(source->stacks);
	mem_free(source->keyed);
	mem_free(source->last);
	mem_free(source->span_bytes);
	memset(source, 0, sizeof(*source));
}

static struct code_slot *code_slot(struct code_slot *slots, uint32_t capacity, uint64_t address)
{
	uint32_t at = (uint32_t)(hash_u64(address) >> 32) & (capacity - 1);

	while (slots[at].address && slots[at].address != address)
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static int codes_grow(struct stack_source *source)
{
	uint32_t capacity = source->code_capacity * 2;
	struct code_slot *slots;

	if (capacity > STACK_SOURCE_CODES_MAX * 2)
		return -ERR_LIMIT;
	slots = mem_zalloc(capacity, sizeof(*slots));
	if (!slots)
		return -ERR_MEMORY;
	for (uint32_t i = 0; i < source->code_capacity; i++)
		if (source->codes[i].address)
			*code_slot(slots, capacity, source->codes[i].address) = source->codes[i];
	mem_free(source->codes);
	source->codes = slots;
	source->code_capacity = capacity;
	return 0;
}

/* A code object that is new at this address: gives it a key and tells the sink. */
static int code_learn(struct stack_source *source, struct code_slot *slot, uint64_t address,
		      const struct code_fingerprint *fingerprint, bool resolve)
{
	struct code_announcement announcement = {
	    .code_key = source->next_code_key, .address = address, .fingerprint = *fingerprint};

	if (resolve) {
		if (code_info_read(source->memory, source->layout, (struct raddr){address},
				   &announcement.info, NULL) < 0)
			announcement.info = NULL;
		else if (memcmp(&announcement.info->fingerprint, fingerprint,
				sizeof(*fingerprint)) != 0) {
			code_info_free(announcement.info);
			announcement.info = NULL;
		}
	}
	if (!source->sink.code(source->sink.context, &announcement)) {
		code_info_free(announcement.info);
		return -ERR_LIMIT;
	}
	if (slot->address) {
		source->reused++;
		source->check_all = CHECK_ALL_AFTER_REUSE;
	} else
		source->code_count++;
	slot->address = address;
	slot->code_key = source->next_code_key++;
	slot->fingerprint = *fingerprint;
	slot->generation = source->epoch;
	return 0;
}

struct check_list {
	struct remote_range ranges[REMOTE_RANGES_MAX];
	uint64_t address[REMOTE_RANGES_MAX];
	uint32_t count, resolved;
};

/* Read the fingerprints that were asked for and compare or learn them. */
static int check_flush(struct stack_source *source, struct check_list *list)
{
	uint32_t count = list->count;
	ssize_t got;

	if (!count)
		return 0;
	list->count = 0;
	got = remote_read_ranges(source->memory, list->ranges, count);
	if (got < (ssize_t)(count * source->span.size))
		return -ERR_TORN;
	for (uint32_t i = 0; i < count; i++) {
		struct code_slot *slot =
		    code_slot(source->codes, source->code_capacity, list->address[i]);
		struct code_fingerprint now;
		int result;

		code_fingerprint_from_span(source->layout, list->ranges[i].to, &now);
		if (slot->address && memcmp(&slot->fingerprint, &now, sizeof(now)) == 0) {
			slot->generation = source->epoch;
			continue;
		}
		if (!slot->address && source->code_count * 2 >= source->code_capacity) {
			result = codes_grow(source);
			if (result < 0)
				return result;
			slot = code_slot(source->codes, source->code_capacity, list->address[i]);
		}
		result = code_learn(source, slot, list->address[i], &now,
				    source->resolve_now && list->resolved++ < RESOLVE_AT_ONCE);
		if (result < 0)
			return result;
	}
	return 0;
}

static int check_add(struct stack_source *source, struct check_list *list, uint64_t address)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->address[i] == address)
			return 0;
	if (list->count == REMOTE_RANGES_MAX) {
		int result = check_flush(source, list);
		if (result < 0)
			return result;
	}
	list->address[list->count] = address;
	list->ranges[list->count] =
	    (struct remote_range){{address + (uint64_t)source->span.offset},
				  source->span_bytes + (size_t)list->count * source->span.size,
				  source->span.size};
	list->count++;
	return 0;
}

/* Frames [from, to) of the stack: codes that are new, and with `known` the others too. */
static int check_range(struct stack_source *source, struct check_list *list,
		       const struct raw_frame *frames, uint32_t from, uint32_t to, bool known)
{
	uint64_t last = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct code_slot *slot;
		uint64_t address = frames[i].code;
		bool compare = known;
		int result;

		if (!address || address == last)
			continue;
		last = address;
		if (!compare) {
			slot = code_slot(source->codes, source->code_capacity, address);
			compare = !slot->address ||
				  (source->have_generation && slot->generation != source->epoch);
		}
		result = compare ? check_add(source, list, address) : 0;
		if (result < 0)
			return result;
	}
	return 0;
}

/* Which codes of the stack must be compared now; new ones always. Only the `fresh` leaf-most frames
 * may have any. */
static int check_codes(struct stack_source *source, const struct raw_frame *frames, uint32_t depth,
		       uint32_t fresh)
{
	struct check_list list = {.count = 0};
	uint32_t leaves = depth < CHECK_LEAVES ? depth : CHECK_LEAVES;
	uint32_t turn = depth > leaves ? leaves + source->turn % (depth - leaves) : depth;
	uint32_t turn_end = depth - turn < CHECK_IN_TURN ? depth : turn + CHECK_IN_TURN;
	bool all = depth <= CHECK_ALL_DEPTH || source->check_all != 0;
	bool skip = source->have_generation || (source->sparse && source->turn % CHECK_SPARSE != 0);
	int result;

	if (!skip && all) {
		result = check_range(source, &list, frames, 0, depth, true);
	} else {
		result = check_range(source, &list, frames, 0, fresh, false);
		if (result == 0 && !skip)
			result = check_range(source, &list, frames, 0, leaves, true);
		if (result == 0 && !skip)
			result = check_range(source, &list, frames, turn, turn_end, true);
	}
	if (result < 0)
		return result;
	source->turn++;
	if (source->check_all && !skip)
		source->check_all--;
	return check_flush(source, &list);
}

static struct stack_slot *stack_slot(struct stack_slot *slots, uint32_t capacity,
				     const uint64_t hash[2])
{
	uint32_t at = (uint32_t)hash[0] & (capacity - 1);

	while (slots[at].stack_key &&
	       (slots[at].hash[0] != hash[0] || slots[at].hash[1] != hash[1]))
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static int stacks_grow(struct stack_source *source)
{
	uint32_t capacity = source->stack_capacity * 2;
	struct stack_slot *slots;

	if (source->stack_count >= STACK_SOURCE_STACKS_MAX) {
		memset(source->stacks, 0, source->stack_capacity * sizeof(*source->stacks));
		source->stack_count = 0;
		return 0;
	}
	slots = mem_zalloc(capacity, sizeof(*slots));
	if (!slots)
		return -ERR_MEMORY;
	for (uint32_t i = 0; i < source->stack_capacity; i++)
		if (source->stacks[i].stack_key)
			*stack_slot(slots, capacity, source->stacks[i].hash) = source->stacks[i];
	mem_free(source->stacks);
	source->stacks = slots;
	source->stack_capacity = capacity;
	return 0;
}

static inline uint64_t fold_multiply(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* How many frames from the root on are as they were in the last stack, with the same keys. */
static uint32_t shared_with_last(const struct stack_source *source, const struct raw_frame *frames,
				 uint32_t depth)
{
	uint32_t most = depth < source->last_depth ? depth : source->last_depth, shared = 0;

	if (source->last_epoch != source->epoch || source->last_reused != source->reused)
		return 0;
	while (shared < most) {
		const struct raw_frame *frame = &frames[depth - 1 - shared];
		const struct stack_part *part = &source->last[shared];

		if (frame->code != part->code || frame->offset != part->offset)
			break;
		shared++;
	}
	return shared;
}

/* Keys of the frames that the last stack did not have, and the hash of all of them. */
static void key_frames(struct stack_source *source, const struct raw_frame *frames, uint32_t depth,
		       uint32_t shared, uint32_t flags, uint64_t ret_hash[2])
{
	struct stack_part part = {.hash = {source->seed, ~source->seed}};
	uint64_t last = 0;
	uint32_t last_key = 0;

	if (shared)
		part = source->last[shared - 1];
	for (uint32_t i = shared; i < depth; i++) {
		const struct raw_frame *frame = &frames[depth - 1 - i];
		uint64_t word;

		part.code = frame->code;
		part.offset = frame->offset;
		if (!frame->code) {
			part.code_key = 0;
			part.torn = true;
		} else {
			if (frame->code != last) {
				last = frame->code;
				last_key =
				    code_slot(source->codes, source->code_capacity, last)->code_key;
			}
			part.code_key = last_key;
		}
		word = (uint64_t)part.code_key << 32 | (uint32_t)(frame->code ? frame->offset : -1);
		part.hash[0] = fold_multiply(part.hash[0] ^ word, 0xa0761d6478bd642full);
		part.hash[1] =
		    fold_multiply(part.hash[1] + word, 0xe7037ed1a0b428dbull) + part.hash[0];
		source->last[i] = part;
	}
	source->last_depth = depth;
	source->last_epoch = source->epoch;
	source->last_reused = source->reused;
	source->last_torn = part.torn;
	ret_hash[0] = fold_multiply(part.hash[0] ^ flags, 0x9e3779b97f4a7c15ull) + depth;
	ret_hash[1] = (part.hash[1] + flags) | 1;
}

/* Leaf first, as the sink takes them. */
static const struct keyed_frame *keyed_frames(struct stack_source *source, uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++) {
		const struct stack_part *part = &source->last[depth - 1 - i];

		source->keyed[i] =
		    (struct keyed_frame){part->code_key, part->code_key ? part->offset : -1};
	}
	return source->keyed;
}

int stack_source_intern(struct stack_source *source, const struct raw_frame *frames, uint32_t depth,
			uint32_t flags, uint64_t generation, uint32_t *ret_stack_key)
{
	struct stack_slot *slot;
	uint64_t hash[2];
	uint32_t shared;
	int result;

	source->have_generation = generation != UINT64_MAX;
	if (source->have_generation && generation != source->last_generation) {
		source->last_generation = generation;
		source->epoch++;
	}
	shared = shared_with_last(source, frames, depth);
	result = check_codes(source, frames, depth, depth - shared);
	if (result < 0)
		return result;
	/* A comparison may have given an address another key. */
	if (source->last_reused != source->reused)
		shared = 0;
	key_frames(source, frames, depth, shared, flags, hash);
	slot = stack_slot(source->stacks, source->stack_capacity, hash);
	if (slot->stack_key) {
		*ret_stack_key = slot->stack_key;
		return 0;
	}
	if (!source->sink.stack(source->sink.context, source->next_stack_key,
				keyed_frames(source, depth), depth, flags))
		return -ERR_LIMIT;
	if ((source->stack_count + 1) * 2 > source->stack_capacity) {
		result = stacks_grow(source);
		if (result < 0)
			return result;
		slot = stack_slot(source->stacks, source->stack_capacity, hash);
	}
	slot->hash[0] = hash[0];
	slot->hash[1] = hash[1];
	slot->stack_key = source->next_stack_key++;
	source->stack_count++;
	*ret_stack_key = slot->stack_key;
	return 0;
}
