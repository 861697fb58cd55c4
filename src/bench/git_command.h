/* One git command, its output read whole. Takes nothing from the user's terminal: no prompts, no
 * hooks, no optional locks, and Ctrl-C does not reach it (a worktree half made is worse than one
 * made and removed). */
#ifndef BENCH_GIT_COMMAND_H
#define BENCH_GIT_COMMAND_H

#include <stddef.h>

struct err;

#define GIT_OUTPUT_MAX (4u << 20)
#define GIT_ARGUMENTS_MAX 16

/* `git -C directory ARGUMENTS…` (NULL-terminated). *ret_output is NUL-terminated, mem_free; NULL:
 * not wanted. -ERR_TARGET: git said no, and why in err. -ERR_FILE: there is no git. */
int git_command(const char *directory, const char *const *arguments, char **ret_output,
		struct err *err);
/* The same where the output may hold NULs; neither may be NULL. */
int git_command_sized(const char *directory, const char *const *arguments, char **ret_output,
		      size_t *ret_size, struct err *err);

#endif
