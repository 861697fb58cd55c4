/* The benchmarks behind an operand of `compare`: of a file those that it holds, on either side. */
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/terminal.h"
#include "commands/compare_plan.h"

static const char *const side_names[2] = {"A", "B"};

struct listed {
	struct listed_benchmark *items;
	size_t count;
	bool failed;
	char why[1024];
};

/* --- a file of the repository, in both trees -------------------------------------------------- */

static int make_folders_of(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, 0777);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -ERR_FILE;
	}
	return 0;
}

static int copy_file(const char *from, const char *to, struct err *err)
{
	FILE *source = fopen(from, "re"), *copy = NULL;
	char chunk[8192], folders[PATH_MAX];
	size_t got;
	int r = 0;

	snprintf(folders, sizeof(folders), "%s", to);
	if (source != NULL && make_folders_of(folders) == 0)
		copy = fopen(to, "we");
	if (copy == NULL)
		r = err_set_errno(err, ERR_FILE, errno, "Can't copy %s to %s", from, to);
	while (r == 0 && (got = fread(chunk, 1, sizeof(chunk), source)) > 0)
		if (fwrite(chunk, 1, got, copy) != got)
			r = err_set_errno(err, ERR_FILE, errno, "Can't write %s", to);
	if (copy != NULL && fclose(copy) != 0 && r == 0)
		r = err_set_errno(err, ERR_FILE, errno, "Can't write %s", to);
	if (source != NULL)
		fclose(source);
	return r;
}

/* The path from the repository's root; NULL: the file lies outside, and is the same for both. */
static const char *path_in_repository(struct compare_plan *plan, const char *path)
{
	const char *root = plan->revisions.root;
	char *whole = realpath(path, NULL);
	const char *found = NULL;

	if (whole == NULL) /* perhaps only in a revision */
		return path[0] != '/' && strstr(path, "..") == NULL
			   ? compare_plan_text(plan, "%s%s", plan->revisions.prefix, path)
			   : NULL;
	if (strncmp(whole, root, strlen(root)) == 0 && whole[strlen(root)] == '/')
		found = compare_plan_text(plan, "%s", whole + strlen(root) + 1);
	free(whole);
	return found;
}

static int say_which_text(struct compare_plan *plan, const char *path, const char *within,
			  const bool there[2], struct err *err)
{
	bool same = revision_same_file(plan->trees[0], plan->trees[1], within);

	for (int side = 0; side < 2; side++) {
		const char *copy;
		int r;

		if (there[side])
			continue;
		copy = compare_plan_text(plan, "%s/%s", plan->trees[side]->path, within);
		if (copy == NULL)
			return err_set(err, ERR_MEMORY, "No memory for a path");
		r = copy_file(path, copy, err);
		if (r < 0)
			return r;
		text_write_safe(stderr, path);
		fprintf(stderr, " is not in %s: the working tree's is used there\n",
			side_names[side]);
	}
	if (there[0] && there[1] && !same) {
		text_write_safe(stderr, path);
		fputs(" itself differs between A and B: each runs its own\n", stderr);
	}
	return 0;
}

/* The file as each tree has it. A revision that doesn't have it gets the working tree's: one
 * benchmark, written today, tells of yesterday's code too. */
static int place_file(struct compare_plan *plan, const char *path, const char *ret_paths[2],
		      struct err *err)
{
	const char *within = path_in_repository(plan, path);
	bool there[2];

	ret_paths[0] = ret_paths[1] = path;
	if (within == NULL) {
		char *whole = realpath(path, NULL);

		/* The workers run in other folders than ours. */
		ret_paths[0] = ret_paths[1] =
		    whole != NULL ? compare_plan_text(plan, "%s", whole) : path;
		free(whole);
		return 0;
	}
	for (int side = 0; side < 2; side++) {
		ret_paths[side] = compare_plan_text(plan, "%s/%s", plan->trees[side]->path, within);
		if (ret_paths[side] == NULL)
			return err_set(err, ERR_MEMORY, "No memory for a path");
		there[side] = access(ret_paths[side], R_OK) == 0;
	}
	if (!there[0] && !there[1] && access(path, R_OK) < 0) {
		err_set(err, ERR_FILE, "There is no file %s", path);
		err_why(err, "neither revision has it, nor the working tree");
		return -ERR_FILE;
	}
	return say_which_text(plan, path, within, there, err);
}

/* --- files ------------------------------------------------------------------------------------ */

static void list_side(const struct worker_spec *spec, struct listed *listed)
{
	struct err cause = {0};

	*listed = (struct listed){.items = NULL};
	if (worker_list(spec, &listed->items, &listed->count, &cause) == 0)
		return;
	listed->failed = true;
	listed->items = NULL;
	listed->count = 0;
	snprintf(listed->why, sizeof(listed->why), "%s%s%s", cause.what, cause.why[0] ? ": " : "",
		 cause.why);
}

static const struct listed_benchmark *find(const struct listed *listed, const char *name)
{
	for (size_t i = 0; i < listed->count; i++)
		if (strcmp(listed->items[i].name, name) == 0)
			return &listed->items[i];
	return NULL;
}

static bool is_wanted(const struct operand *operand, const char *select, const char *name)
{
	size_t length = operand->name != NULL ? strlen(operand->name) : 0;

	/* FILE.py::NAME stands for every parameter of NAME. */
	if (length > 0 && (strncmp(name, operand->name, length) != 0 ||
			   (name[length] != '\0' && name[length] != '(')))
		return false;
	return select == NULL || fnmatch(select, name, 0) == 0;
}

static int add_listed(struct compare_plan *plan, const struct listed_benchmark *listed,
		      const bool has[2], const struct worker_spec *base, const char *shown,
		      struct err *err)
{
	struct worker_spec specs[2] = {base[0], base[1]};
	const char *name = compare_plan_text(plan, "%s", listed->name), *missing = NULL;
	const char *unit = compare_plan_text(plan, "%s", listed->unit ? listed->unit : "s");

	if (name == NULL || unit == NULL)
		return err_set(err, ERR_MEMORY, "No memory for the benchmarks");
	specs[0].target.name = specs[1].target.name = name;
	if (!has[0] || !has[1])
		missing = compare_plan_text(plan, "%s has it, %s has not",
					    side_names[has[0] ? 0 : 1], side_names[has[0] ? 1 : 0]);
	if (shown != NULL)
		name = compare_plan_text(plan, "%s::%s", shown, name);
	return compare_plan_add(plan, name, unit, listed->kind, &specs[0], &specs[1], missing, err);
}

static int add_union(struct compare_plan *plan, const struct compare_arguments *arguments,
		     const struct operand *targets, const struct worker_spec *specs,
		     const struct listed listed[2], const char *shown, struct err *err)
{
	int r = 0;

	for (int side = 0; side < 2; side++) {
		const struct listed *other = &listed[!side];

		for (size_t i = 0; i < listed[side].count && r == 0; i++) {
			const struct listed_benchmark *benchmark = &listed[side].items[i];
			const struct listed_benchmark *twin = find(other, benchmark->name);
			bool has[2] = {side == 0 || twin != NULL, side == 1 || twin != NULL};

			if (!is_wanted(&targets[side], arguments->select, benchmark->name) ||
			    (side == 1 && twin != NULL))
				continue;
			r = add_listed(plan, benchmark, has, specs, shown, err);
		}
	}
	return r;
}

static int add_files(struct compare_plan *plan, const struct compare_arguments *arguments,
		     const struct operand *targets, const struct worker_spec *base,
		     bool prefix_names, struct err *err)
{
	struct worker_spec specs[2] = {base[0], base[1]};
	const char *paths[2] = {targets[0].text, targets[1].text};
	struct listed *listed = mem_zalloc(2, sizeof(*listed));
	int r = 0;

	if (listed == NULL)
		return err_set(err, ERR_MEMORY, "No memory for the benchmarks");
	if (plan->trees[0] != NULL)
		r = place_file(plan, targets[0].text, paths, err);
	for (int side = 0; side < 2 && r == 0; side++) {
		specs[side].target = (struct bench_target){
		    .kind = TARGET_FILE, .text = paths[side], .setup = arguments->setup};
		list_side(&specs[side], &listed[side]);
	}
	/* A side that can't even be listed has measured nothing, whatever the other has. */
	for (int side = 0; side < 2 && r == 0; side++)
		if (listed[side].failed) {
			r = compare_plan_add(
			    plan, compare_plan_text(plan, "%s", targets[0].text), NULL, BENCH_TIME,
			    NULL, NULL,
			    compare_plan_text(plan, "%s: %s", side_names[side], listed[side].why),
			    err);
			goto out;
		}
	if (r == 0)
		r = add_union(plan, arguments, targets, specs, listed,
			      prefix_names ? targets[0].text : NULL, err);
out:
	for (int side = 0; side < 2; side++)
		listed_free(listed[side].items, listed[side].count);
	mem_free(listed);
	return r;
}

/* --- everything else -------------------------------------------------------------------------- */

/* A command's `python` is the side's interpreter, where one was named. */
static int command_words(struct compare_plan *plan, const struct compare_arguments *arguments,
			 const struct operand *target, const struct worker_spec *spec,
			 char ***ret_words, struct err *err)
{
	bool named = arguments->python != NULL || plan->operands[0].kind == OPERAND_PYTHON;
	int r = words_split(target->text, &plan->arena, ret_words, err);

	if (r == 0 && named && spec->python != NULL &&
	    (strcmp(**ret_words, "python") == 0 || strcmp(**ret_words, "python3") == 0))
		**ret_words = (char *)compare_plan_text(plan, "%s", spec->python);
	if (r == 0 && **ret_words == NULL)
		r = err_set(err, ERR_MEMORY, "No memory for a command");
	return r;
}

int compare_targets_add(struct compare_plan *plan, const struct compare_arguments *arguments,
			const struct operand *targets, const struct worker_spec *base,
			bool prefix_names, struct err *err)
{
	struct worker_spec specs[2] = {base[0], base[1]};
	const char *name = targets[0].text;
	int r = 0;

	if (targets[0].target == TARGET_FILE)
		return add_files(plan, arguments, targets, base, prefix_names, err);
	for (int side = 0; side < 2 && r == 0; side++) {
		char **words = NULL;

		specs[side].target = (struct bench_target){.kind = targets[side].target,
							   .text = targets[side].text,
							   .setup = arguments->setup};
		if (targets[side].target == TARGET_COMMAND)
			r = command_words(plan, arguments, &targets[side], &specs[side], &words,
					  err);
		specs[side].target.argv = words;
	}
	if (r < 0)
		return r;
	if (strcmp(targets[0].text, targets[1].text) != 0)
		name = compare_plan_text(plan, "%s → %s", targets[0].text, targets[1].text);
	return compare_plan_add(plan, name, "s", BENCH_TIME, &specs[0], &specs[1], NULL, err);
}
