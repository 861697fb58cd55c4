/* The call tree as text: see tree_view.h. No recursion: trees may be 20,000 deep. */
#include "report/tree_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

/* Deeper rows are not indented further, so that names keep their room. */
#define INDENT_LEVELS_MAX 24
#define PLACE_COLUMNS 24
#define NAME_COLUMNS_MIN 16
#define PLACE_COLUMNS_MIN 10 /* less of a place says nothing */
#define NUMBER_COLUMNS 8

struct tree_row {
	const struct tree_node *node; /* the innermost of a chain that calls itself */
	double self_ns;		      /* of the whole chain */
	uint32_t depth, repeats;
	bool last; /* the last of its siblings that is shown */
};

struct tree_state {
	const struct page *page;
	const struct profile *profile;
	const struct call_tree *tree;
	double least_ns; /* lighter nodes are not shown */
	int decimals;
	bool more[INDENT_LEVELS_MAX + 1]; /* by level: a sibling follows below */
};

static int by_weight(const void *a, const void *b)
{
	const struct tree_node *left = *(const struct tree_node *const *)a;
	const struct tree_node *right = *(const struct tree_node *const *)b;

	if (left->total_ns != right->total_ns)
		return left->total_ns < right->total_ns ? 1 : -1;
	return left < right ? -1 : left > right;
}

/* The weight of the limit-th heaviest node: what is lighter has no row. */
static int find_least(struct tree_state *state, size_t limit)
{
	size_t count = state->tree->node_count - 1;
	const struct tree_node **nodes = mem_alloc((count + 1) * sizeof(*nodes));

	if (nodes == NULL)
		return -ERR_MEMORY;
	for (size_t i = 0; i < count; i++)
		nodes[i] = &state->tree->nodes[i + 1];
	qsort(nodes, count, sizeof(*nodes), by_weight);
	state->least_ns = count > limit ? nodes[limit]->total_ns * (1 + 1e-9) : 0;
	mem_free(nodes);
	return 0;
}

/* The children that are shown, lightest first (they go onto a stack). */
static size_t shown_children(const struct tree_state *state, const struct tree_node *node,
			     const struct tree_node **children)
{
	const struct tree_node *nodes = state->tree->nodes;
	size_t count = 0;

	for (uint32_t i = node->first_child; i != 0; i = nodes[i].next_sibling) {
		if (nodes[i].total_ns > 0 && nodes[i].total_ns >= state->least_ns)
			children[count++] = &nodes[i];
	}
	qsort(children, count, sizeof(const struct tree_node *), by_weight);
	for (size_t i = 0; i < count / 2; i++) {
		const struct tree_node *swap = children[i];

		children[i] = children[count - 1 - i];
		children[count - 1 - i] = swap;
	}
	return count;
}

static size_t write_guides(const struct tree_state *state, const struct tree_row *row)
{
	const struct page *page = state->page;
	bool utf8 = page->terminal->utf8;
	uint32_t most = (uint32_t)(page->columns - 2 * NUMBER_COLUMNS - 2 - NAME_COLUMNS_MIN) / 2;
	uint32_t levels;

	if (most > INDENT_LEVELS_MAX)
		most = INDENT_LEVELS_MAX;
	levels = row->depth < most ? row->depth : most;

	fputs(style_on(page->terminal, STYLE_DIM), page->stream);
	for (uint32_t i = 1; i < levels; i++)
		fputs(!state->more[i] ? "  " : utf8 ? "│ " : "| ", page->stream);
	if (levels > 0 && row->last)
		fputs(utf8 ? "└ " : "` ", page->stream);
	else if (levels > 0)
		fputs(utf8 ? "├ " : "| ", page->stream);
	fputs(style_off(page->terminal), page->stream);
	return levels * 2;
}

static void write_row(struct tree_state *state, const struct tree_row *row)
{
	const struct page *page = state->page;
	const struct profile_function *function = &state->profile->functions[row->node->function.v];
	const char *file = profile_string(state->profile, function->file);
	char text[PLACE_TEXT_MAX], repeats[32] = "";
	size_t name_room = page->columns - 2 * NUMBER_COLUMNS - 2 - PLACE_COLUMNS - 2;
	size_t guides, width;

	text_percent(text, sizeof(text), row->node->total_ns / state->tree->weight_ns,
		     state->decimals);
	page_cell(page, text, NUMBER_COLUMNS, CUT_END, true, STYLE_PLAIN);
	text_percent(text, sizeof(text), row->self_ns / state->tree->weight_ns, state->decimals);
	page_cell(page, text, NUMBER_COLUMNS, CUT_END, true,
		  row->self_ns > 0 ? STYLE_PLAIN : STYLE_DIM);
	fputs("  ", page->stream);
	guides = write_guides(state, row);
	/* On a narrow page the guides take from the place, never from the name's last columns. */
	width = name_room > guides + NAME_COLUMNS_MIN ? name_room - guides : NAME_COLUMNS_MIN;
	if (row->repeats > 1)
		snprintf(repeats, sizeof(repeats), " %s%u", page->terminal->utf8 ? "×" : "x",
			 row->repeats);
	width -= text_display_width(repeats) < width ? text_display_width(repeats) : 0;
	page_cell(page, function_shown(state->profile, row->node->function), width, CUT_MIDDLE,
		  false, STYLE_PLAIN);
	fputs(repeats, page->stream);
	guides += width + text_display_width(repeats) + 2 * NUMBER_COLUMNS + 4;
	if (*file != '\0' && page->columns > guides + PLACE_COLUMNS_MIN) {
		fputs("  ", page->stream);
		text_place(text, sizeof(text), state->profile, file, function->first_line);
		width = text_display_width(text);
		if (width > page->columns - guides)
			width = page->columns - guides;
		page_cell(page, text, width, CUT_START, false, STYLE_DIM);
	}
	fputc('\n', page->stream);
}

/* Follows a function that calls only itself; the row is then its innermost call. */
static size_t merge_recursion(struct tree_state *state, struct tree_row *row,
			      const struct tree_node **children)
{
	size_t count;

	row->self_ns = row->node->self_ns;
	row->repeats = 1;
	for (;;) {
		count = shown_children(state, row->node, children);
		if (count != 1 || children[0]->function.v != row->node->function.v)
			return count;
		row->node = children[0];
		row->self_ns += row->node->self_ns;
		row->repeats++;
	}
}

static void write_rows(struct tree_state *state, struct tree_row *pending,
		       const struct tree_node **children)
{
	size_t waiting = 0, count = shown_children(state, &state->tree->nodes[0], children);

	for (size_t i = 0; i < count; i++)
		pending[waiting++] = (struct tree_row){.node = children[i]};
	while (waiting > 0) {
		struct tree_row row = pending[--waiting];
		const struct tree_node *outermost = row.node;

		if (row.depth <= INDENT_LEVELS_MAX)
			state->more[row.depth] = !row.last;
		count = merge_recursion(state, &row, children);
		for (size_t i = 0; i < count; i++)
			pending[waiting++] = (struct tree_row){
			    .node = children[i], .depth = row.depth + 1, .last = i == 0};
		/* The chain's total is that of its outermost call. */
		row.node = outermost;
		write_row(state, &row);
	}
}

int tree_view_write(const struct page *page, const struct profile *profile,
		    const struct selection *selection, size_t limit, struct err *err)
{
	struct tree_state state = {.page = page, .profile = profile};
	struct call_tree tree;
	struct tree_row *pending = NULL;
	const struct tree_node **children = NULL;
	int r = call_tree_build(profile, selection, &tree, err);

	if (r < 0)
		return r;
	state.tree = &tree;
	state.decimals = percent_decimals(tree.effective_n > 0 ? 0.98 / sqrt(tree.effective_n) : 1);
	if (tree.node_count <= 1)
		goto out;
	pending = mem_alloc(tree.node_count * sizeof(*pending));
	children = mem_alloc(tree.node_count * sizeof(*children));
	if (pending == NULL || children == NULL || find_least(&state, limit) < 0) {
		r = err_set(err, ERR_MEMORY, "no memory for a call tree of %zu nodes",
			    tree.node_count);
		goto out;
	}
	page_cell(page, "total", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "self", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	fputs("  ", page->stream);
	page_cell(page, "function", strlen("function"), CUT_END, false, STYLE_DIM);
	fputc('\n', page->stream);
	write_rows(&state, pending, children);
	if (state.least_ns > 0) {
		char text[128], share[NUMBER_TEXT_MAX];

		snprintf(text, sizeof(text), "branches under %s are not shown: --limit N",
			 text_percent(share, sizeof(share), state.least_ns / tree.weight_ns,
				      state.least_ns < 0.01 * tree.weight_ns ? 2 : state.decimals));
		page_sentence(page, 2 * NUMBER_COLUMNS + 2, STYLE_DIM, text);
	}
out:
	mem_free(children);
	mem_free(pending);
	call_tree_release(&tree);
	return r;
}
