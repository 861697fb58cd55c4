/* Samples summed by stack, then carried up the stack tree. A stack's parent has
 * a smaller id than itself, so that a pass downwards over the ids meets every
 * stack after all those below it, and a pass upwards after its callers. */
#include "analysis/stack_weights.h"

#include <string.h>

#include "analysis/filter.h"
#include "analysis/torn_shares.h"
#include "base/arena.h"
#include "base/err.h"

double stack_weights_effective_n(const struct stack_weights *weights)
{
	if (!(weights->square_sum > 0))
		return 0;
	return weights->weight_ns * weights->weight_ns / weights->square_sum;
}

uint32_t stack_weights_parent(const struct stack_weights *weights, const struct profile *profile,
			      uint32_t stack)
{
	uint32_t parent = profile->stacks[stack].parent.v;

	return weights->base ? weights->base[parent] : parent;
}

void stack_weights_release(struct stack_weights *weights)
{
	mem_free(weights->self_ns);
	mem_free(weights->subtree_ns);
	mem_free(weights->self_count);
	mem_free(weights->subtree_count);
	mem_free(weights->base);
	mem_free(weights->first_child);
	mem_free(weights->next_sibling);
	memset(weights, 0, sizeof(*weights));
}

static int allocate(struct stack_weights *weights, const struct profile *profile,
		    const struct selection *selection, struct err *err)
{
	size_t rows = profile->stack_count > 0 ? profile->stack_count : 1;

	memset(weights, 0, sizeof(*weights));
	weights->stack_count = (uint32_t)rows;
	weights->self_ns = mem_zalloc(rows, sizeof(double));
	weights->subtree_ns = mem_zalloc(rows, sizeof(double));
	weights->self_count = mem_zalloc(rows, sizeof(uint64_t));
	weights->subtree_count = mem_zalloc(rows, sizeof(uint64_t));
	weights->first_child = mem_zalloc(rows, sizeof(uint32_t));
	weights->next_sibling = mem_zalloc(rows, sizeof(uint32_t));
	if (selection->fold_library)
		weights->base = mem_zalloc(rows, sizeof(uint32_t));
	if (!weights->self_ns || !weights->subtree_ns || !weights->self_count ||
	    !weights->subtree_count || !weights->first_child || !weights->next_sibling ||
	    (selection->fold_library && !weights->base)) {
		stack_weights_release(weights);
		return err_set(err, ERR_MEMORY, "no memory to sum %zu stacks", rows);
	}
	return 0;
}

static int sum_samples(struct stack_weights *weights, const struct profile *profile,
		       const struct selection *selection, struct err *err)
{
	struct sample_filter filter;
	int rc = sample_filter_init(&filter, profile, selection, err);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		if (!sample_filter_keep(&filter, profile, sample))
			continue;
		double weight = (double)sample->weight_ns;
		uint32_t stack = sample->stack.v;
		weights->self_ns[stack] += weight;
		weights->self_count[stack] += sample->count;
		weights->weight_ns += weight;
		weights->sample_count += sample->count;
		if (sample->count > 0)
			weights->square_sum += weight * weight / sample->count;
		weights->state_ns[sample->state < STATE_COUNT ? sample->state : 0] += weight;
		if (sample->flags & SAMPLE_TORN)
			weights->torn_count += sample->count;
		if (stack == 0)
			weights->no_stack_count += sample->count;
	}
	sample_filter_release(&filter);
	return 0;
}

static bool function_is_import(const struct profile *profile, uint32_t function)
{
	const struct profile_function *row = &profile->functions[function];

	return strcmp(profile_string(profile, row->name), "_find_and_load") == 0 &&
	       strstr(profile_string(profile, row->file), "importlib._bootstrap");
}

/* Before anything is folded: importing is library code itself. */
static int sum_imports(struct stack_weights *weights, const struct profile *profile,
		       struct err *err)
{
	uint8_t *importing = mem_zalloc(weights->stack_count, 1);
	uint8_t *is_import = mem_zalloc((size_t)profile->function_count + 1, 1);
	int rc = 0;

	if (!importing || !is_import) {
		rc = err_set(err, ERR_MEMORY, "no memory to sum the imports");
		goto out;
	}
	for (uint32_t i = 1; i < profile->function_count; i++)
		is_import[i] = function_is_import(profile, i);
	for (uint32_t i = 1; i < profile->stack_count; i++) {
		const struct profile_stack *stack = &profile->stacks[i];
		importing[i] = importing[stack->parent.v] ||
			       is_import[profile->frames[stack->frame.v].function.v];
		if (importing[i])
			weights->import_ns += weights->self_ns[i];
	}
out:
	mem_free(importing);
	mem_free(is_import);
	return rc;
}

static bool frame_is_python(const struct profile_frame *frame)
{
	return frame->kind == FRAME_PYTHON || frame->kind == 0;
}

/* The node that stands for stack i, given that of its caller. What the library
 * calls in C goes the library's way; what could not be told stays untold. */
static uint32_t fold_one(const struct profile *profile, const uint32_t *base, uint32_t i,
			 bool below_own, bool is_library)
{
	const struct profile_stack *stack = &profile->stacks[i];
	const struct profile_frame *frame = &profile->frames[stack->frame.v];
	uint32_t parent = stack->parent.v;
	bool caller_folded = base[parent] != parent;

	if (frame->kind == FRAME_TORN || frame->kind == FRAME_TRUNCATED)
		return i;
	if (frame_is_python(frame))
		return is_library && below_own ? base[parent] : i;
	return caller_folded ? base[parent] : i;
}

static int fold_libraries(struct stack_weights *weights, const struct profile *profile,
			  struct err *err)
{
	uint8_t *library = mem_zalloc((size_t)profile->function_count + 1, 1);
	uint8_t *holds_own = mem_zalloc(weights->stack_count, 1);
	int rc = 0;

	if (!library || !holds_own) {
		rc = err_set(err, ERR_MEMORY, "no memory to fold library code");
		goto out;
	}
	for (uint32_t i = 1; i < profile->function_count; i++) {
		library[i] = file_is_library(profile_string(profile, profile->functions[i].file));
	}
	for (uint32_t i = 1; i < profile->stack_count; i++) {
		uint32_t parent = profile->stacks[i].parent.v;
		const struct profile_frame *frame = &profile->frames[profile->stacks[i].frame.v];
		bool is_library = library[frame->function.v];
		weights->base[i] =
		    fold_one(profile, weights->base, i, holds_own[parent], is_library);
		holds_own[i] = holds_own[parent] || (frame_is_python(frame) && !is_library);
		if (weights->base[i] != i) {
			uint32_t to = weights->base[i];
			weights->self_ns[to] += weights->self_ns[i];
			weights->self_count[to] += weights->self_count[i];
			weights->self_ns[i] = 0;
			weights->self_count[i] = 0;
		}
	}
out:
	mem_free(library);
	mem_free(holds_own);
	return rc;
}

static void carry_up(struct stack_weights *weights, const struct profile *profile)
{
	for (uint32_t i = weights->stack_count; i-- > 0;) {
		weights->subtree_ns[i] += weights->self_ns[i];
		weights->subtree_count[i] += weights->self_count[i];
		if (i == 0 || weights->subtree_count[i] == 0)
			continue;
		uint32_t parent = stack_weights_parent(weights, profile, i);
		weights->subtree_ns[parent] += weights->subtree_ns[i];
		weights->subtree_count[parent] += weights->subtree_count[i];
		weights->next_sibling[i] = weights->first_child[parent];
		weights->first_child[parent] = i;
	}
}

int stack_weights_compute(struct stack_weights *weights, const struct profile *profile,
			  const struct selection *selection, struct err *err)
{
	int rc = allocate(weights, profile, selection, err);

	if (rc != 0)
		return rc;
	rc = sum_samples(weights, profile, selection, err);
	if (rc == 0)
		rc = torn_shares_apply(weights, profile, err);
	if (rc == 0)
		rc = sum_imports(weights, profile, err);
	if (rc == 0 && selection->fold_library)
		rc = fold_libraries(weights, profile, err);
	if (rc == 0)
		carry_up(weights, profile);
	else
		stack_weights_release(weights);
	return rc;
}

/* Depth first with a count of each group on the path: a node's subtree goes to
 * its group where the group is met for the first time on the way from the root. */
int stack_weights_group(const struct stack_weights *weights, const struct profile *profile,
			const uint32_t *group, uint32_t group_count, struct group_sums *sums,
			struct err *err)
{
	uint32_t *on_path = mem_zalloc((size_t)group_count + 1, sizeof(*on_path));
	uint32_t at = weights->first_child[0];

	if (!on_path)
		return err_set(err, ERR_MEMORY, "no memory to sum %u groups", group_count);
	memset(sums, 0, group_count * sizeof(*sums));
	while (at != 0) {
		uint32_t g = group[profile->stacks[at].frame.v];
		sums[g].self_ns += weights->self_ns[at];
		sums[g].self_count += weights->self_count[at];
		if (on_path[g]++ == 0) {
			sums[g].total_ns += weights->subtree_ns[at];
			sums[g].total_count += weights->subtree_count[at];
		}
		if (weights->first_child[at] != 0) {
			at = weights->first_child[at];
			continue;
		}
		/* Leave this node, and every caller that has no further child. */
		for (;;) {
			on_path[group[profile->stacks[at].frame.v]]--;
			if (weights->next_sibling[at] != 0) {
				at = weights->next_sibling[at];
				break;
			}
			at = stack_weights_parent(weights, profile, at);
			if (at == 0)
				break;
		}
	}
	mem_free(on_path);
	return 0;
}
