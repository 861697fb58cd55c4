/* Two revisions of a git repository side by side, each in a worktree of its own in a fresh folder,
 * with paths of equal length (a longer path is a longer string in every code object). The user's
 * working tree, index and branches are left alone; the worktrees are gone after revision_close,
 * and what a killed run left behind is removed by the next one. */
#ifndef BENCH_REVISION_H
#define BENCH_REVISION_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

#define REVISION_TREES_MAX 8
#define REVISION_PATH_MAX 1024

struct revision_tree {
	char path[REVISION_PATH_MAX]; /* root of the worktree */
	char commit[72];	      /* full hash */
	char subject[128];	      /* first line of its message */
	bool working;		      /* the working tree as it was, not a commit of the user's */
	bool made;		      /* there is something to remove */
};

struct revisions {
	char root[REVISION_PATH_MAX];	/* of the user's working tree */
	char prefix[REVISION_PATH_MAX]; /* from there to where we are: "", or "sub/folder/" */
	char folder[REVISION_PATH_MAX]; /* of ours, that holds the worktrees; "" none yet */
	size_t modified, untracked;	/* files with uncommitted changes; files git doesn't know */
	int lock_fd; /* held while we live, so that the next run can tell what is left over; -1 */
	struct revision_tree trees[REVISION_TREES_MAX];
	size_t count;
};

/* Finds the repository of `directory` (NULL: the present one) and its uncommitted changes.
 * -ERR_USAGE: not in one; -ERR_FILE: no git. */
int revision_open(const char *directory, struct revisions *ret_revisions, struct err *err);
/* Makes the worktree of `rev` (anything that names a commit); "." is the working tree as it is
 * now, with uncommitted changes of files that git knows. -ERR_USAGE: no such revision. */
int revision_add(struct revisions *revisions, const char *rev,
		 const struct revision_tree **ret_tree, struct err *err);
/* Removes every worktree and the folder. Also after a failure, and twice. Something that could not
 * be removed is told, the rest is removed all the same. */
int revision_close(struct revisions *revisions, struct err *err);

/* Whether a path (from the root) is the same in both trees: 1 it is, 0 not, or in one only. */
bool revision_same_file(const struct revision_tree *a, const struct revision_tree *b,
			const char *path);

#endif
