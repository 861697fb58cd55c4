/* The call tree of a selection by function: stacks that differ only in their
 * lines become one node. Children are in order of falling total. */
#include "analysis/shares.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/stack_weights.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"

/* Nodes are made in the order of the stacks' ids, hence callers first; node_of
 * maps a stack to its node, and may be the frame's whole table. */
static int make_nodes(struct call_tree *tree, const struct profile *profile,
		      const struct stack_weights *weights, uint32_t *node_of)
{
	struct u64_map known;
	int rc = 0;

	u64_map_init(&known, 0);
	tree->node_count = 1;
	tree->nodes[0].self_ns = weights->self_ns[0];
	tree->nodes[0].count = weights->self_count[0];
	for (uint32_t i = 1; i < weights->stack_count && rc == 0; i++) {
		if (weights->subtree_count[i] == 0)
			continue;
		struct function_id function = profile->frames[profile->stacks[i].frame.v].function;
		uint32_t parent = node_of[stack_weights_parent(weights, profile, i)];
		uint64_t key = (uint64_t)parent << 32 | function.v, node;
		if (!u64_map_get(&known, key, &node)) {
			node = tree->node_count++;
			tree->nodes[node].function = function;
			tree->nodes[node].parent = parent;
			rc = u64_map_put(&known, key, node);
		}
		node_of[i] = (uint32_t)node;
		tree->nodes[node].self_ns += weights->self_ns[i];
		tree->nodes[node].count += weights->self_count[i];
	}
	u64_map_release(&known);
	return rc;
}

struct ranked_node {
	double total_ns;
	uint32_t node;
};

static int by_rising_total(const void *left, const void *right)
{
	const struct ranked_node *a = left, *b = right;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? -1 : 1;
	return (a->node < b->node) - (a->node > b->node);
}

/* Totals from the leaves up, then each node is put before its siblings in the
 * order of rising totals, which leaves the largest first. */
static int link_nodes(struct call_tree *tree)
{
	struct ranked_node *ranked = mem_zalloc(tree->node_count, sizeof(*ranked));

	if (!ranked)
		return -ERR_MEMORY;
	for (size_t i = tree->node_count; i-- > 0;) {
		struct tree_node *node = &tree->nodes[i];
		node->total_ns += node->self_ns;
		if (i > 0) {
			tree->nodes[node->parent].total_ns += node->total_ns;
			tree->nodes[node->parent].count += node->count;
		}
		ranked[i] = (struct ranked_node){node->total_ns, (uint32_t)i};
	}
	qsort(ranked, tree->node_count, sizeof(*ranked), by_rising_total);
	for (size_t i = 0; i < tree->node_count; i++) {
		uint32_t at = ranked[i].node;
		if (at == 0)
			continue;
		struct tree_node *parent = &tree->nodes[tree->nodes[at].parent];
		tree->nodes[at].next_sibling = parent->first_child;
		parent->first_child = at;
	}
	mem_free(ranked);
	return 0;
}

int call_tree_build(const struct profile *profile, const struct selection *selection,
		    struct call_tree *ret, struct err *err)
{
	struct call_tree tree = {0};
	struct stack_weights weights;
	uint32_t *node_of = NULL;
	int rc = stack_weights_compute(&weights, profile, selection, err);

	if (rc != 0)
		return rc;
	tree.weight_ns = weights.weight_ns;
	tree.effective_n = stack_weights_effective_n(&weights);
	tree.nodes = mem_zalloc(weights.stack_count, sizeof(*tree.nodes));
	node_of = mem_zalloc(weights.stack_count, sizeof(*node_of));
	rc = tree.nodes && node_of ? make_nodes(&tree, profile, &weights, node_of) : -ERR_MEMORY;
	if (rc == 0)
		rc = link_nodes(&tree);
	mem_free(node_of);
	stack_weights_release(&weights);
	if (rc != 0) {
		call_tree_release(&tree);
		return err_set(err, ERR_MEMORY, "no memory for the call tree");
	}
	*ret = tree;
	return 0;
}

void call_tree_release(struct call_tree *tree)
{
	mem_free(tree->nodes);
	tree->nodes = NULL;
	tree->node_count = 0;
}
