/* See torn_shares.h. A group is (the caller's own callers, the caller's function):
 * the line of the caller may differ between samples of one call. */
#include "analysis/torn_shares.h"

#include <math.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"

struct torn_group {
	double torn_ns, known_ns;
};

struct torn_groups {
	struct u64_map index; /* (callers' stack << 32 | function) → group */
	struct torn_group *groups;
	size_t count, capacity;
	double *below_ns; /* by stack: on it and on all below it */
	double *scale;	  /* by stack */
};

static bool is_torn_leaf(const struct profile *profile, uint32_t stack)
{
	return profile->frames[profile->stacks[stack].frame.v].kind == FRAME_TORN &&
	       profile->stacks[stack].parent.v != 0;
}

static uint64_t group_key(const struct profile *profile, uint32_t caller)
{
	const struct profile_stack *stack = &profile->stacks[caller];

	return (uint64_t)stack->parent.v << 32 | profile->frames[stack->frame.v].function.v;
}

static int add_torn(struct torn_groups *torn, uint64_t key, double weight_ns)
{
	uint64_t index;
	int result;

	if (!u64_map_get(&torn->index, key, &index)) {
		result = grow_array((void **)&torn->groups, &torn->capacity, torn->count + 1,
				    sizeof(*torn->groups), SIZE_MAX / 64);
		if (result < 0)
			return result;
		index = torn->count++;
		torn->groups[index] = (struct torn_group){0, 0};
		result = u64_map_put(&torn->index, key, index);
		if (result < 0)
			return result;
	}
	torn->groups[index].torn_ns += weight_ns;
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
		torn->below_ns[i] += weights->self_ns[i];
		torn->below_ns[profile->stacks[i].parent.v] += torn->below_ns[i];
		if (weights->self_ns[i] > 0 && is_torn_leaf(profile, i)) {
			int result = add_torn(torn, group_key(profile, profile->stacks[i].parent.v),
					      weights->self_ns[i]);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

/* Callers have smaller ids: their scale is known before that of what they call. */
static void share_out(struct torn_groups *torn, struct stack_weights *weights,
		      const struct profile *profile)
{
	for (uint32_t i = 1; i < weights->stack_count; i++) {
		struct torn_group *group = group_of(torn, profile, profile->stacks[i].parent.v);

		if (group && !is_torn_leaf(profile, i))
			group->known_ns += torn->below_ns[i];
	}
	torn->scale[0] = 1;
	for (uint32_t i = 1; i < weights->stack_count; i++) {
		const struct torn_group *group =
		    group_of(torn, profile, profile->stacks[i].parent.v);
		double scale = torn->scale[profile->stacks[i].parent.v];

		if (group && group->known_ns > 0) {
			if (is_torn_leaf(profile, i)) {
				weights->torn_shared_ns += weights->self_ns[i];
				scale = 0;
			} else {
				scale *= 1 + group->torn_ns / group->known_ns;
			}
		}
		torn->scale[i] = scale;
		weights->self_ns[i] *= scale;
		weights->self_count[i] = (uint64_t)llround((double)weights->self_count[i] * scale);
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
	torn.scale = mem_zalloc(weights->stack_count, sizeof(double));
	if (!torn.below_ns || !torn.scale)
		result = -ERR_MEMORY;
	if (result == 0)
		result = find_groups(&torn, weights, profile);
	if (result == 0 && torn.count > 0)
		share_out(&torn, weights, profile);
	u64_map_release(&torn.index);
	mem_free(torn.groups);
	mem_free(torn.below_ns);
	mem_free(torn.scale);
	return result < 0 ? err_set(err, ERR_MEMORY, "no memory to share out what was torn") : 0;
}
