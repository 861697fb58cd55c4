#include "bench/revision.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/git_command.h"

#define FOLDER_NAME "pyrometer-compare-"
#define LOCK_NAME "/in-use"
#define COMPARED_MAX (16u << 20) /* bytes of a file that is compared */
#define WALK_DESCRIPTORS 16

/* The first line of what git prints, cut at size. */
static int git_line(const char *directory, const char *const *arguments, char *line, size_t size,
		    struct err *err)
{
	char *output;
	int r = git_command(directory, arguments, &output, err);

	if (r < 0)
		return r;
	output[strcspn(output, "\n")] = '\0';
	if (strlen(output) >= size)
		r = err_set(err, ERR_LIMIT, "git %s printed %zu bytes, %zu are the limit",
			    arguments[0], strlen(output), size - 1);
	else
		snprintf(line, size, "%s", output);
	mem_free(output);
	return r;
}

/* Entries of `git status -z`: "XY path", and behind a rename the old path as one more. */
static void count_changes(const char *status, size_t size, struct revisions *revisions)
{
	const char *end = status + size;

	for (const char *entry = status; entry < end && *entry;) {
		bool renamed = entry[0] == 'R' || entry[0] == 'C';

		if (entry[0] == '?')
			revisions->untracked++;
		else
			revisions->modified++;
		entry += strnlen(entry, (size_t)(end - entry)) + 1;
		if (renamed && entry < end)
			entry += strnlen(entry, (size_t)(end - entry)) + 1;
	}
}

static int read_status(struct revisions *revisions, struct err *err)
{
	static const char *const arguments[] = {"status", "--porcelain=v1", "-z",
						"--untracked-files=normal", NULL};
	char *output;
	size_t size;
	int r = git_command_sized(revisions->root, arguments, &output, &size, err);

	if (r < 0)
		return r;
	count_changes(output, size, revisions);
	mem_free(output);
	return 0;
}

int revision_open(const char *directory, struct revisions *ret_revisions, struct err *err)
{
	static const char *const top[] = {"rev-parse", "--show-toplevel", NULL};
	static const char *const prefix[] = {"rev-parse", "--show-prefix", NULL};
	struct err cause = {0};
	int r;

	if (directory == NULL)
		directory = ".";
	*ret_revisions = (struct revisions){.lock_fd = -1};
	r = git_line(directory, top, ret_revisions->root, sizeof(ret_revisions->root), &cause);
	if (r == -ERR_TARGET) {
		r = err_set(err, ERR_USAGE, "There is no git working tree here");
		err_why(err, "%s", cause.why);
		err_next(err, "cd into the repository whose revisions are to be compared");
		return r;
	}
	if (r < 0) {
		if (err != NULL)
			*err = cause;
		return r;
	}
	r = git_line(directory, prefix, ret_revisions->prefix, sizeof(ret_revisions->prefix), err);
	return r < 0 ? r : read_status(ret_revisions, err);
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	remove(path); /* what can't be removed shows in what is left */
	return 0;
}

/* The worktree and git's note of it. */
static int remove_tree(const char *root, const char *path, struct err *err)
{
	const char *const arguments[] = {"worktree", "remove", "--force", "--force", path, NULL};
	static const char *const prune[] = {"worktree", "prune", NULL};
	struct stat status;

	if (git_command(root, arguments, NULL, NULL) == 0)
		return 0;
	nftw(path, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (lstat(path, &status) == 0) {
		int r = err_set(err, ERR_FILE, "Can't remove the worktree %s", path);

		err_next(err, "git worktree remove --force --force %s", path);
		return r;
	}
	return git_command(root, prune, NULL, err);
}

int revision_close(struct revisions *revisions, struct err *err)
{
	char path[REVISION_PATH_MAX + sizeof(LOCK_NAME)];
	int result = 0;

	for (size_t i = 0; i < revisions->count; i++) {
		struct revision_tree *tree = &revisions->trees[i];
		int r = tree->made
			    ? remove_tree(revisions->root, tree->path, result == 0 ? err : NULL)
			    : 0;

		tree->made = false;
		if (r < 0 && result == 0)
			result = r;
	}
	revisions->count = 0;
	if (revisions->folder[0] != '\0') {
		snprintf(path, sizeof(path), "%s" LOCK_NAME, revisions->folder);
		unlink(path);
		rmdir(revisions->folder);
	}
	if (revisions->lock_fd >= 0)
		close(revisions->lock_fd);
	revisions->lock_fd = -1;
	revisions->folder[0] = '\0';
	return result;
}

static bool holds_no_tree(const char *folder)
{
	char path[REVISION_PATH_MAX + 16];
	struct stat status;

	for (int letter = 'a'; letter < 'a' + REVISION_TREES_MAX; letter++) {
		snprintf(path, sizeof(path), "%s/%c", folder, letter);
		if (lstat(path, &status) == 0)
			return false;
	}
	return true;
}

/* One that a killed run left: its lock is free. */
static void remove_if_left(const char *root, const char *tree)
{
	char folder[REVISION_PATH_MAX], lock[REVISION_PATH_MAX + sizeof(LOCK_NAME)];
	char *slash, *name;
	int fd;

	if (strlen(tree) >= sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%s", tree);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return;
	*slash = '\0';
	name = strrchr(folder, '/');
	if (name == NULL || strncmp(name + 1, FOLDER_NAME, strlen(FOLDER_NAME)) != 0)
		return;
	snprintf(lock, sizeof(lock), "%s" LOCK_NAME, folder);
	fd = open(lock, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && remove_tree(root, tree, NULL) == 0 &&
	    holds_no_tree(folder)) {
		unlink(lock);
		rmdir(folder);
	}
	close(fd);
}

static void remove_left_over(const struct revisions *revisions)
{
	static const char *const arguments[] = {"worktree", "list", "--porcelain", NULL};
	static const char key[] = "worktree ";
	char *output, *rest, *line;

	if (git_command(revisions->root, arguments, &output, NULL) < 0)
		return;
	for (line = strtok_r(output, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, key, strlen(key)) == 0)
			remove_if_left(revisions->root, line + strlen(key));
	mem_free(output);
}

/* --- adding ----------------------------------------------------------------------------------- */

static int make_folder(struct revisions *revisions, struct err *err)
{
	const char *temporary = getenv("TMPDIR");
	char lock[REVISION_PATH_MAX + sizeof(LOCK_NAME)];
	int length;

	if (temporary == NULL || temporary[0] != '/')
		temporary = "/tmp";
	remove_left_over(revisions);
	length = snprintf(revisions->folder, sizeof(revisions->folder), "%s/" FOLDER_NAME "XXXXXX",
			  temporary);
	if (length < 0 || (size_t)length >= sizeof(revisions->folder) - 16) {
		revisions->folder[0] = '\0';
		return err_set(err, ERR_FILE, "The path in TMPDIR is too long");
	}
	if (mkdtemp(revisions->folder) == NULL) {
		revisions->folder[0] = '\0';
		return err_set_errno(err, ERR_FILE, errno, "Can't make a folder in %s", temporary);
	}
	snprintf(lock, sizeof(lock), "%s" LOCK_NAME, revisions->folder);
	revisions->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (revisions->lock_fd < 0 || flock(revisions->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't lock %s", lock);
	return 0;
}

/* The working tree as a commit that no branch names: git writes its objects and nothing else. */
static int commit_of_working_tree(const struct revisions *revisions, char *commit, size_t size,
				  struct err *err)
{
	static const char *const stash[] = {"stash", "create", NULL};
	static const char *const head[] = {"rev-parse", "--verify", "HEAD^{commit}", NULL};
	int r = git_line(revisions->root, stash, commit, size, err);

	if (r == 0 && commit[0] == '\0')
		r = git_line(revisions->root, head, commit, size, err);
	return r;
}

static int resolve(const struct revisions *revisions, const char *rev, struct revision_tree *tree,
		   struct err *err)
{
	char name[512];
	const char *const verify[] = {"rev-parse", "--verify", "--quiet", name, NULL};
	const char *const subject[] = {"log", "-1", "--format=%<(100,trunc)%s", tree->commit, NULL};
	int r = 0;

	tree->working = strcmp(rev, ".") == 0;
	if (rev[0] == '-' || rev[0] == '\0' || strlen(rev) > sizeof(name) - 16)
		r = -ERR_TARGET;
	snprintf(name, sizeof(name), "%s^{commit}", rev);
	if (tree->working)
		r = commit_of_working_tree(revisions, tree->commit, sizeof(tree->commit), err);
	else if (r == 0)
		r = git_line(revisions->root, verify, tree->commit, sizeof(tree->commit), err);
	if (r == -ERR_TARGET && !tree->working) {
		r = err_set(err, ERR_USAGE, "There is no revision `%s` in %s", rev,
			    revisions->root);
		err_why(err, "git knows no commit of that name");
		err_next(err, "git -C %s log --oneline", revisions->root);
		return r;
	}
	if (r == 0 &&
	    git_line(revisions->root, subject, tree->subject, sizeof(tree->subject), NULL) < 0)
		tree->subject[0] = '\0';
	/* git pads what is shorter. */
	for (size_t size = strlen(tree->subject); size > 0 && tree->subject[size - 1] == ' ';
	     size--)
		tree->subject[size - 1] = '\0';
	return r;
}

int revision_add(struct revisions *revisions, const char *rev,
		 const struct revision_tree **ret_tree, struct err *err)
{
	struct revision_tree *tree = &revisions->trees[revisions->count];
	const char *const arguments[] = {"worktree", "add",	 "--quiet",    "--detach",
					 "--force",  tree->path, tree->commit, NULL};
	int r = 0;

	if (revisions->count >= REVISION_TREES_MAX)
		return err_set(err, ERR_LIMIT, "More than %d revisions at a time",
			       REVISION_TREES_MAX);
	*tree = (struct revision_tree){.made = false};
	r = resolve(revisions, rev, tree, err);
	if (r == 0 && revisions->folder[0] == '\0')
		r = make_folder(revisions, err);
	if (r < 0)
		return r;
	/* One letter each: paths of equal length. */
	snprintf(tree->path, sizeof(tree->path), "%.*s/%c", REVISION_PATH_MAX - 16,
		 revisions->folder, (int)('a' + revisions->count));
	tree->made = true;
	revisions->count++;
	r = git_command(revisions->root, arguments, NULL, err);
	if (r < 0)
		return r;
	*ret_tree = tree;
	return 0;
}

/* --- files of two trees ----------------------------------------------------------------------- */

static int read_whole(const struct revision_tree *tree, const char *path, struct buffer *buffer)
{
	char name[REVISION_PATH_MAX * 2];
	char chunk[4096];
	size_t got;
	FILE *file;

	snprintf(name, sizeof(name), "%s/%s", tree->path, path);
	file = fopen(name, "re");
	if (file == NULL)
		return -ERR_FILE;
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		if (!buffer_append(buffer, chunk, got))
			break;
	fclose(file);
	return buffer->failed ? -ERR_LIMIT : 0;
}

bool revision_same_file(const struct revision_tree *a, const struct revision_tree *b,
			const char *path)
{
	struct buffer of_a, of_b;
	bool same;

	buffer_init(&of_a, COMPARED_MAX);
	buffer_init(&of_b, COMPARED_MAX);
	same = read_whole(a, path, &of_a) == 0 && read_whole(b, path, &of_b) == 0 &&
	       of_a.size == of_b.size &&
	       (of_a.size == 0 || memcmp(of_a.bytes, of_b.bytes, of_a.size) == 0);
	buffer_release(&of_a);
	buffer_release(&of_b);
	return same;
}
