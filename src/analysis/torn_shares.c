/* See torn_shares.h. A group is (the caller's own callers, the caller's function):
 * the line of the caller may differ between samples of one call. */
#include "analysis/torn_shares.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"

struct torn_group {
	double torn_ns, known_ns;
	double torn_count, known_count;
};

struct torn_groups {
	struct u64_map index; /* (callers' stack << 32 | function) → group */
	struct torn_group *groups;
	size_t count, capacity;
	/* By stack: on all below it; what it and all below it are multiplied by. */
	double *below_ns, *below_count, *scale, *count_scale;
};

/* Of its own weight nothing more is known; what lies below such a frame is known, like that of any
 * other callee. */
static bool is_torn(const struct profile *profile, uint32_t stack)
{
	return profile->frames[profile->stacks[stack].frame.v].kind == FRAME_TORN &&
	       profile->stacks[stack].parent.v != 0;
}

static uint64_t group_key(const struct profile *profile, uint32_t caller)
{
	const struct profile_stack *stack = &profile->stacks[caller];

	return (uint64_t)stack->parent.v << 32 | profile->frames[stack->frame.v].function.v;
}

static int add_torn(struct torn_groups *torn, uint64_t key, double weight_ns, uint64_t count)
{
	uint64_t index;
	int result;

	if (!u64_map_get(&torn->index, key, &index)) {
		result = grow_array((void **)&torn->groups, &torn->capacity, torn->count + 1,
				    sizeof(*torn->groups), SIZE_MAX / 64);
		if (result < 0)
			return result;
		index = torn->count++;
		torn->groups[index] = (struct torn_group){0};
		result = u64_map_put(&torn->index, key, index);
		if (result < 0)
			return result;
	}
	torn->groups[index].torn_ns += weight_ns;
	torn->groups[index].torn_count += (double)count;
	return 0;
}

static struct torn_group *group_of(const struct torn_groups *torn, const struct profile *profile,
				   uint32_t caller)
{
	uint64_t index;

	if (caller == 0 || !u64_map_get(&torn->index, group_key(profile, caller), &index))
		return NULL;
	return &torn->groups[index];
}

static int find_groups(struct torn_groups *torn, struct stack_weights *weights,
		       const struct profile *profile)
{
	for (uint32_t i = weights->stack_count; i-- > 1;) {
		uint32_t parent = profile->stacks[i].parent.v;

		torn->below_ns[parent] += torn->below_ns[i] + weights->self_ns[i];
		torn->below_count[parent] += torn->below_count[i] + (double)weights->self_count[i];
		if (weights->self_ns[i] > 0 && is_torn(profile, i)) {
			int result = add_torn(torn, group_key(profile, parent), weights->self_ns[i],
					      weights->self_count[i]);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

static void sum_known(struct torn_groups *torn, const struct stack_weights *weights,
		      const struct profile *profile)
{
	for (uint32_t i = 1; i < weights->stack_count; i++) {
		struct torn_group *group = group_of(torn, profile, profile->stacks[i].parent.v);

		if (!group)
			continue;
		group->known_ns += torn->below_ns[i];
		group->known_count += torn->below_count[i];
		if (!is_torn(profile, i)) {
			group->known_ns += weights->self_ns[i];
			group->known_count += (double)weights->self_count[i];
		}
	}
}

/* Callers have smaller ids: their scale is known before that of what they call. */
static void share_out(struct torn_groups *torn, struct stack_weights *weights,
		      const struct profile *profile)
{
	sum_known(torn, weights, profile);
	torn->scale[0] = torn->count_scale[0] = 1;
	for (uint32_t i = 1; i < weights->stack_count; i++) {
		uint32_t parent = profile->stacks[i].parent.v;
		const struct torn_group *group = group_of(torn, profile, parent);

		torn->scale[i] = torn->scale[parent];
		torn->count_scale[i] = torn->count_scale[parent];
		if (group && group->known_ns > 0) {
			if (is_torn(profile, i)) {
				weights->torn_shared_ns += weights->self_ns[i];
				weights->self_ns[i] = 0;
				weights->self_count[i] = 0;
			}
			torn->scale[i] *= 1 + group->torn_ns / group->known_ns;
			if (group->known_count > 0)
				torn->count_scale[i] *= 1 + group->torn_count / group->known_count;
		}
		weights->self_ns[i] *= torn->scale[i];
		weights->self_count[i] =
		    (uint64_t)((double)weights->self_count[i] * torn->count_scale[i] + 0.5);
	}
}

int torn_shares_apply(struct stack_weights *weights, const struct profile *profile, struct err *err)
{
	struct torn_groups torn = {.count = 0};
	int result = 0;

	if (weights->torn_count == 0)
		return 0;
	u64_map_init(&torn.index, SIZE_MAX / 64);
	torn.below_ns = mem_zalloc(weights->stack_count, sizeof(double));
	torn.below_count = mem_zalloc(weights->stack_count, sizeof(double));
	torn.scale = mem_zalloc(weights->stack_count, sizeof(double));
	torn.count_scale = mem_zalloc(weights->stack_count, sizeof(double));
	if (!torn.below_ns || !torn.below_count || !torn.scale || !torn.count_scale)
		result = -ERR_MEMORY;
	if (result == 0)
		result = find_groups(&torn, weights, profile);
	if (result == 0 && torn.count > 0)
		share_out(&torn, weights, profile);
	u64_map_release(&torn.index);
	mem_free(torn.groups);
	mem_free(torn.below_ns);
	mem_free(torn.below_count);
	mem_free(torn.scale);
	mem_free(torn.count_scale);
	return result < 0 ? err_set(err, ERR_MEMORY, "no memory to share out what was torn") : 0;
}
