/* Worktrees of revisions, in a repository made for the test: what is in them, and that the
 * user's tree, index and branches stay as they were. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/git_command.h"
#include "bench/revision.h"

static char folder[512], repository[600];

static void git(const char *const *arguments)
{
	struct err err = {0};

	if (git_command(repository, arguments, NULL, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
}
#define GIT(...) git((const char *const[]){__VA_ARGS__, NULL})

static void write_file(const char *name, const char *text)
{
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", repository, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *root, const char *name, const char *expected)
{
	char path[2048], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	file = fopen(path, "re");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static void git_prints(const char *const *arguments, const char *expected)
{
	char *output;

	assert_int_equal(git_command(repository, arguments, &output, NULL), 0);
	assert_string_equal(output, expected);
	mem_free(output);
}
#define GIT_PRINTS(expected, ...) git_prints((const char *const[]){__VA_ARGS__, NULL}, expected)

static size_t worktrees(void)
{
	static const char *const arguments[] = {"worktree", "list", NULL};
	size_t lines = 0;
	char *output;

	assert_int_equal(git_command(repository, arguments, &output, NULL), 0);
	for (const char *at = output; *at; at++)
		lines += *at == '\n';
	mem_free(output);
	return lines;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/pyrometer-test-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	setenv("TMPDIR", folder, 1);
	snprintf(repository, sizeof(repository), "%s/repository", folder);
	mkdir(repository, 0700);
	GIT("init", "-q", "-b", "main");
	write_file("fast.py", "one\n");
	GIT("add", "fast.py");
	GIT("commit", "-q", "-m", "first");
	write_file("fast.py", "two\n");
	GIT("commit", "-q", "-a", "-m", "second");
	return 0;
}

static int tear_down(void **state)
{
	char command[1024];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void each_revision_lies_in_a_tree_of_its_own(void **state)
{
	const struct revision_tree *a, *b;
	struct revisions revisions;
	struct stat status;
	char path[REVISION_PATH_MAX];

	(void)state;
	assert_int_equal(revision_open(repository, &revisions, NULL), 0);
	assert_int_equal(revision_add(&revisions, "HEAD~1", &a, NULL), 0);
	assert_int_equal(revision_add(&revisions, "main", &b, NULL), 0);
	assert_int_equal(strlen(a->path), strlen(b->path));
	assert_file(a->path, "fast.py", "one\n");
	assert_file(b->path, "fast.py", "two\n");
	assert_string_equal(a->subject, "first");
	assert_string_equal(b->subject, "second");
	assert_false(revision_same_file(a, b, "fast.py"));
	assert_true(revision_same_file(a, a, "fast.py"));
	assert_false(revision_same_file(a, a, "no-such-file"));
	assert_int_equal(worktrees(), 3);
	snprintf(path, sizeof(path), "%s", revisions.folder);
	assert_int_equal(revision_close(&revisions, NULL), 0);
	assert_int_equal(revision_close(&revisions, NULL), 0);
	assert_int_equal(worktrees(), 1);
	assert_int_not_equal(stat(path, &status), 0);
}

static void the_users_tree_stays_as_it_was(void **state)
{
	const struct revision_tree *a, *now;
	struct revisions revisions;

	(void)state;
	write_file("fast.py", "three, not committed\n");
	write_file("new.py", "unknown to git\n");
	assert_int_equal(revision_open(repository, &revisions, NULL), 0);
	assert_int_equal(revisions.modified, 1);
	assert_int_equal(revisions.untracked, 1);
	assert_int_equal(revision_add(&revisions, "HEAD", &a, NULL), 0);
	assert_int_equal(revision_add(&revisions, ".", &now, NULL), 0);
	assert_true(now->working);
	assert_file(a->path, "fast.py", "two\n");
	assert_file(now->path, "fast.py", "three, not committed\n");
	assert_int_equal(revision_close(&revisions, NULL), 0);
	assert_file(repository, "fast.py", "three, not committed\n");
	assert_file(repository, "new.py", "unknown to git\n");
	GIT_PRINTS(" M fast.py\n?? new.py\n", "status", "--porcelain");
	GIT_PRINTS("", "stash", "list");
	GIT_PRINTS("* main\n", "branch", "-a");
	GIT("checkout", "-q", "--", "fast.py");
}

static void what_the_benchmark_left_in_a_tree_goes_with_it(void **state)
{
	const struct revision_tree *tree;
	struct revisions revisions;
	char path[REVISION_PATH_MAX + 32], folder_of[REVISION_PATH_MAX];
	struct stat status;
	FILE *file;

	(void)state;
	assert_int_equal(revision_open(repository, &revisions, NULL), 0);
	assert_int_equal(revision_add(&revisions, "HEAD", &tree, NULL), 0);
	snprintf(folder_of, sizeof(folder_of), "%s", revisions.folder);
	snprintf(path, sizeof(path), "%s/__pycache__", tree->path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/__pycache__/x.pyc", tree->path);
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
	/* Without it git no longer takes the folder for a worktree. */
	snprintf(path, sizeof(path), "%s/.git", tree->path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(revision_close(&revisions, NULL), 0);
	assert_int_not_equal(stat(folder_of, &status), 0);
	assert_int_equal(worktrees(), 1);
}

static void what_a_killed_run_left_the_next_one_removes(void **state)
{
	const struct revision_tree *tree;
	struct revisions killed, living, next;
	struct stat status;

	(void)state;
	assert_int_equal(revision_open(repository, &killed, NULL), 0);
	assert_int_equal(revision_add(&killed, "HEAD", &tree, NULL), 0);
	assert_int_equal(revision_add(&killed, "HEAD~1", &tree, NULL), 0);
	close(killed.lock_fd); /* as the kernel does for a process that ended */
	assert_int_equal(revision_open(repository, &living, NULL), 0);
	assert_int_equal(revision_add(&living, "HEAD", &tree, NULL), 0);
	assert_int_not_equal(stat(killed.folder, &status), 0);
	assert_int_equal(revision_open(repository, &next, NULL), 0);
	assert_int_equal(revision_add(&next, "HEAD", &tree, NULL), 0);
	assert_int_equal(stat(living.folder, &status), 0);
	assert_int_equal(worktrees(), 3);
	assert_int_equal(revision_close(&living, NULL), 0);
	assert_int_equal(revision_close(&next, NULL), 0);
	assert_int_equal(worktrees(), 1);
}

static void what_is_no_revision_is_refused_by_name(void **state)
{
	static const char *const names[] = {"no-such", "-h", "--all", "", "HEAD~99", "fast.py"};
	const struct revision_tree *tree;
	struct revisions revisions;

	(void)state;
	assert_int_equal(revision_open(repository, &revisions, NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct err err = {0};

		assert_int_equal(revision_add(&revisions, names[i], &tree, &err), -ERR_USAGE);
		assert_non_null(strstr(err.what, names[i]));
		assert_string_not_equal(err.next, "");
	}
	assert_int_equal(revision_close(&revisions, NULL), 0);
	assert_int_equal(worktrees(), 1);
}

static void a_folder_without_a_repository_is_refused(void **state)
{
	struct revisions revisions;
	struct err err = {0};

	(void)state;
	assert_int_equal(revision_open(folder, &revisions, &err), -ERR_USAGE);
	assert_non_null(strstr(err.why, "not a git repository"));
	assert_int_equal(revision_close(&revisions, NULL), 0);
}

#define SKIPPED 77 /* to meson */

int main(void)
{
	static const char *const version[] = {"--version", NULL};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_revision_lies_in_a_tree_of_its_own),
	    cmocka_unit_test(the_users_tree_stays_as_it_was),
	    cmocka_unit_test(what_the_benchmark_left_in_a_tree_goes_with_it),
	    cmocka_unit_test(what_a_killed_run_left_the_next_one_removes),
	    cmocka_unit_test(what_is_no_revision_is_refused_by_name),
	    cmocka_unit_test(a_folder_without_a_repository_is_refused),
	};
	if (git_command(".", version, NULL, NULL) == -ERR_FILE) {
		fputs("no git here\n", stderr);
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
