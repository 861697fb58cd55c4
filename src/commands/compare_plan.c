#include "commands/compare_plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/terminal.h"

#define TEXTS_MAX (16u << 20)
#define ITEMS_MAX 10000
#define TEXT_MAX 8192
#define SOURCE_FOLDER "src"

const char *compare_plan_text(struct compare_plan *plan, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	if ((size_t)length >= sizeof(text))
		length = sizeof(text) - 1;
	return arena_copy_text(&plan->arena, text, (size_t)length);
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "No memory for the plan of the comparison");
}

int compare_plan_add(struct compare_plan *plan, const char *name, const char *unit,
		     enum bench_kind kind, const struct worker_spec *a, const struct worker_spec *b,
		     const char *missing, struct err *err)
{
	struct compare_item *item;
	int r = grow_array((void **)&plan->items, &plan->capacity, plan->count + 1,
			   sizeof(*plan->items), ITEMS_MAX);

	if (r < 0 || name == NULL)
		return no_memory(err);
	item = &plan->items[plan->count++];
	*item = (struct compare_item){
	    .name = name, .unit = unit != NULL ? unit : "s", .kind = kind, .missing = missing};
	if (a != NULL)
		item->specs[0] = *a;
	if (b != NULL)
		item->specs[1] = *b;
	return 0;
}

bool compare_plan_is_saved(const struct compare_plan *plan)
{
	return plan->operands[0].kind == OPERAND_RESULTS &&
	       plan->operands[1].kind == OPERAND_RESULTS;
}

static bool is_surroundings(const struct operand *operand)
{
	return operand->kind == OPERAND_REVISION || operand->kind == OPERAND_PYTHON ||
	       operand->kind == OPERAND_ENVIRONMENT;
}

/* --- revisions -------------------------------------------------------------------------------- */

static void say_uncommitted(const struct compare_plan *plan)
{
	const struct revisions *revisions = &plan->revisions;
	bool working = plan->trees[0]->working || plan->trees[1]->working;

	if (revisions->modified > 0 && !working)
		fprintf(stderr,
			"uncommitted changes in %zu %s are on neither side (rev:. is the working "
			"tree as it is)\n",
			revisions->modified, revisions->modified == 1 ? "file" : "files");
	if (revisions->untracked > 0)
		fprintf(stderr, "%zu untracked %s on neither side\n", revisions->untracked,
			revisions->untracked == 1 ? "file is" : "files are");
}

static int prepare_tree(const char *command, const struct revision_tree *tree, struct err *err)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't start sh");
	if (pid == 0) {
		/* Our stdout is for data. */
		if (chdir(tree->path) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			_exit(127);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	err_set(err, ERR_NOT_MEASURED, "--prepare failed for %.12s", tree->commit);
	err_why(err, "`%s` ended with %s %d", command, WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return -ERR_NOT_MEASURED;
}

static int make_trees(struct compare_plan *plan, const struct compare_arguments *arguments,
		      struct err *err)
{
	int r = revision_open(NULL, &plan->revisions, err);

	for (int side = 0; side < 2 && r == 0; side++) {
		r = revision_add(&plan->revisions, plan->operands[side].text, &plan->trees[side],
				 err);
		if (r < 0)
			break;
		plan->sides[side].revision = plan->trees[side]->commit;
		plan->sides[side].subject =
		    plan->trees[side]->working ? "the working tree" : plan->trees[side]->subject;
	}
	if (r < 0)
		return r;
	say_uncommitted(plan);
	for (int side = 0; side < 2 && r == 0; side++) {
		if (plan->stop != NULL && *plan->stop)
			return err_set(err, ERR_NOT_MEASURED, "Interrupted before the first pair");
		if (arguments->prepare != NULL)
			r = prepare_tree(arguments->prepare, plan->trees[side], err);
	}
	return r;
}

/* --- surroundings ----------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_relative(const char *path)
{
	return path[0] != '/';
}

/* One folder more behind PYTHONPATH=; *text is NULL from the first failure on. */
static void add_folder(struct compare_plan *plan, const char **text, const char *root,
		       const char *folder)
{
	bool first = *text != NULL && (*text)[strlen(*text) - 1] == '=';
	bool within = folder[0] != '\0' && is_relative(folder);

	if (*text != NULL)
		*text =
		    compare_plan_text(plan, "%s%s%s%s%s", *text, first ? "" : ":",
				      is_relative(folder) ? root : "", within ? "/" : "", folder);
}

/* PYTHONPATH of one side: --path from its folder, or of a revision its src/ and its root, ahead of
 * what is installed (perhaps from the user's own tree); then the user's own. */
static int python_path(struct compare_plan *plan, const struct compare_arguments *arguments,
		       int side, const char *root, const char **ret_variable, struct err *err)
{
	const char *own = getenv("PYTHONPATH"), *text = "PYTHONPATH=";
	const struct revision_tree *tree = plan->trees[side];

	*ret_variable = NULL;
	if (arguments->path.count == 0 && tree == NULL)
		return 0;
	for (size_t i = 0; i < arguments->path.count; i++)
		add_folder(plan, &text, root, arguments->path.items[i]);
	if (arguments->path.count == 0) {
		const char *source = compare_plan_text(plan, "%s/" SOURCE_FOLDER, tree->path);

		if (source != NULL && is_folder(source))
			add_folder(plan, &text, tree->path, SOURCE_FOLDER);
		add_folder(plan, &text, tree->path, "");
	}
	if (own != NULL && own[0] != '\0')
		add_folder(plan, &text, "", own);
	if (text == NULL)
		return no_memory(err);
	*ret_variable = text;
	return 0;
}

static int environment_of(struct compare_plan *plan, const struct compare_arguments *arguments,
			  int side, const char *root, char *const **ret_environment,
			  struct err *err)
{
	const struct operand *operand = &plan->operands[side];
	const char **list =
	    arena_alloc(&plan->arena, (arguments->environment.count + 3) * sizeof(*list));
	const char *path = NULL;
	size_t count = 0;
	int r = python_path(plan, arguments, side, root, &path, err);

	if (r < 0)
		return r;
	if (list == NULL)
		return no_memory(err);
	if (path != NULL)
		list[count++] = path;
	for (size_t i = 0; i < arguments->environment.count; i++) {
		list[count] = arguments->environment.items[i];
		if (strchr(list[count], '=') == NULL || list[count][0] == '=') {
			r = err_set(err, ERR_USAGE, "--env %s sets no variable", list[count]);
			err_next(err, "--env NAME=VALUE");
			return r;
		}
		count++;
	}
	if (operand->kind == OPERAND_ENVIRONMENT && operand->text[0] != '\0')
		list[count++] = operand->text;
	list[count] = NULL;
	*ret_environment = (char *const *)list;
	return 0;
}

static int python_of(struct compare_plan *plan, const struct compare_arguments *arguments, int side,
		     const char **ret_python, struct err *err)
{
	const char *name = plan->operands[side].kind == OPERAND_PYTHON ? plan->operands[side].text
								       : arguments->python;
	char *found;
	int r;

	*ret_python = NULL;
	r = python_find(name, &found, err);
	if (r < 0)
		return name == NULL ? 0 : r; /* commands need none */
	*ret_python = compare_plan_text(plan, "%s", found);
	mem_free(found);
	return *ret_python != NULL ? 0 : no_memory(err);
}

static int surroundings(struct compare_plan *plan, const struct compare_arguments *arguments,
			int side, struct worker_spec *specs, struct err *err)
{
	struct worker_spec spec = {.cpu = -1,
				   .gc_disabled = arguments->gc_disabled,
				   .show_output = arguments->show_output,
				   .memory_limit = arguments->memory_limit,
				   .time_limit_s = arguments->request_limit_s,
				   .stop = plan->stop};
	const struct revision_tree *tree = plan->trees[side];
	const char *root = ".", *prefix = plan->revisions.prefix;
	int r = 0;

	if (tree != NULL) {
		/* Where we are in the user's tree, there the benchmark runs in its own. */
		root = prefix[0] != '\0' ? compare_plan_text(plan, "%s/%.*s", tree->path,
							     (int)strlen(prefix) - 1, prefix)
					 : tree->path;
		if (root != NULL && !is_folder(root))
			root = tree->path;
		if (root == NULL)
			return no_memory(err);
		spec.directory = root;
	} else if (arguments->path.count > 0) {
		root = realpath(".", NULL);
		if (root == NULL)
			return err_set_errno(err, ERR_FILE, errno, "Can't tell where we are");
		spec.directory = compare_plan_text(plan, "%s", root);
		free((char *)root);
		root = spec.directory;
	}
	/* One search for both: it may ask a program that chooses (pyenv). */
	if (side == 0 || plan->operands[0].kind == OPERAND_PYTHON)
		r = python_of(plan, arguments, side, &spec.python, err);
	else
		spec.python = specs[0].python;
	if (r == 0)
		r = environment_of(plan, arguments, side, root, &spec.environment, err);
	specs[side] = spec;
	return r;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int wrong_operands(struct err *err, const char *why, const char *next)
{
	err_set(err, ERR_USAGE, "compare takes A and B");
	err_why(err, "%s", why);
	err_next(err, "%s", next);
	return -ERR_USAGE;
}

static int check_operands(const struct compare_plan *plan, int operand_count, struct err *err)
{
	const struct operand *a = &plan->operands[0], *b = &plan->operands[1];

	if (a->kind != b->kind)
		return wrong_operands(
		    err, "one is not of the other's kind",
		    "pyrometer compare rev:main rev:HEAD bench_file.py, or two of anything else");
	if (is_surroundings(a) && operand_count < 3)
		return wrong_operands(err, "nothing was given to measure in them",
				      "pyrometer compare rev:main rev:HEAD bench_file.py");
	if (!is_surroundings(a) && operand_count > 2)
		return wrong_operands(err, "more than two were given",
				      "pyrometer compare 'python a.py' 'python b.py'");
	if (a->kind == OPERAND_TARGET && (a->target == TARGET_FILE) != (b->target == TARGET_FILE))
		return wrong_operands(err, "one is a file of benchmarks, the other is not",
				      "pyrometer compare bench_a.py bench_b.py");
	if (a->kind == OPERAND_TARGET &&
	    (a->target == TARGET_COMMAND) != (b->target == TARGET_COMMAND))
		return wrong_operands(err, "one is a command, the other runs inside Python",
				      "pyrometer compare 'python a.py' 'python b.py'");
	return 0;
}

static int add_targets(struct compare_plan *plan, const struct compare_arguments *arguments,
		       const struct operand_reading *reading, int count, char **texts,
		       const struct worker_spec *base, struct err *err)
{
	int r = 0;

	for (int i = 0; i < count && r == 0; i++) {
		struct operand targets[2];

		r = operand_parse(texts[i], reading, &plan->arena, &targets[0], err);
		if (r < 0)
			return r;
		if (targets[0].kind != OPERAND_TARGET)
			return wrong_operands(
			    err,
			    "what is measured on both sides is a file, a function, a "
			    "statement or a command",
			    "pyrometer compare rev:main rev:HEAD bench_file.py");
		targets[1] = targets[0];
		r = compare_targets_add(plan, arguments, targets, base, count > 1, err);
	}
	return r;
}

int compare_plan_make(struct compare_plan *plan, const struct compare_arguments *arguments,
		      int operand_count, char **operands, struct err *err)
{
	const struct operand_reading reading = {.statements = arguments->statements ||
							      arguments->setup != NULL,
						.commands = arguments->commands};
	struct worker_spec base[2];
	int r = 0;

	arena_init(&plan->arena, TEXTS_MAX);
	plan->revisions.lock_fd = -1;
	if (operand_count < 2)
		return wrong_operands(err,
				      operand_count == 0 ? "nothing was given" : "one was given",
				      "pyrometer compare rev:main rev:HEAD bench_file.py");
	for (int side = 0; side < 2 && r == 0; side++) {
		r = operand_parse(operands[side], &reading, &plan->arena, &plan->operands[side],
				  err);
		plan->sides[side].label = operands[side];
	}
	if (r == 0)
		r = check_operands(plan, operand_count, err);
	if (r < 0 || compare_plan_is_saved(plan))
		return r;
	if (plan->operands[0].kind == OPERAND_REVISION)
		r = make_trees(plan, arguments, err);
	for (int side = 0; side < 2 && r == 0; side++)
		r = surroundings(plan, arguments, side, base, err);
	if (r < 0)
		return r;
	if (is_surroundings(&plan->operands[0]))
		r = add_targets(plan, arguments, &reading, operand_count - 2, operands + 2, base,
				err);
	else
		r = compare_targets_add(plan, arguments, plan->operands, base, false, err);
	if (r == 0 && plan->count == 0) {
		r = err_set(err, ERR_NOT_MEASURED, "There is no benchmark to compare");
		err_why(err, "%s",
			arguments->select != NULL
			    ? "none has a name that fits --select"
			    : "neither side has a bench_* function or a class with "
			      "time_*, peakmem_* or track_*");
		err_next(err, "pyrometer compare 'python a.py' 'python b.py' compares whole "
			      "programs");
	}
	return r;
}

int compare_plan_release(struct compare_plan *plan, struct err *err)
{
	int r = plan->revisions.root[0] != '\0' ? revision_close(&plan->revisions, err) : 0;

	mem_free(plan->items);
	plan->items = NULL;
	plan->count = 0;
	arena_release(&plan->arena);
	return r;
}
