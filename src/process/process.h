/* One other process as /proc tells it: identity, threads, files, tree. Opens
 * files: not for hot paths. All text is untrusted. Linux. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* pid alone is reused by the kernel; with the start time it is not. */
struct process_identity {
	pid_t pid;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
};

struct process_stat {
	char comm[32];
	char state; /* R S D Z T t X … */
	pid_t ppid;
	uint64_t user_ticks, system_ticks; /* sysconf(_SC_CLK_TCK) a second */
	uint64_t start_ticks;
	int32_t cpu; /* field 39: last CPU */
	int64_t thread_count;
};

/* /proc/PID/stat; -ERR_NO_PROCESS when there is none (a zombie is there: state 'Z'). */
int process_stat_read(pid_t pid, struct process_stat *ret_stat, struct err *);
/* Pure: the text of a stat file; comm may hold blanks and parentheses. */
bool process_stat_parse(const char *text, size_t size, struct process_stat *ret_stat);

int process_identity_of(pid_t pid, struct process_identity *ret_identity, struct err *);
bool process_is_alive(const struct process_identity *identity); /* zombies are not alive */

/* argv joined by blanks (control characters as '?'), cut at size. */
int process_command_line(pid_t pid, char *text, size_t size, struct err *);
/* Pure, in place: the raw bytes of a cmdline file to one line of text (no NUL added). */
void process_command_line_clean(char *text, size_t *size);
/* A number that an exec changes and nothing else: of the auxiliary vector, whose random addresses
 * the kernel makes anew for each program. 0: not known. */
uint64_t process_image_mark(pid_t pid);
/* The link /proc/PID/exe, and (device, inode) of what it names. */
int process_executable(pid_t pid, char *path, size_t size, uint64_t *ret_device,
		       uint64_t *ret_inode, struct err *);
int process_directory(pid_t pid, char *path, size_t size, struct err *);
/* VmHWM: never inherited over exec, unlike ru_maxrss. */
int process_peak_rss(pid_t pid, uint64_t *ret_bytes, struct err *);

/* Kernel thread ids, sorted; freed by mem_free. At most PROCESS_THREADS_MAX. */
#define PROCESS_THREADS_MAX 65536
int process_threads(pid_t pid, pid_t **ret_tids, size_t *ret_count, struct err *);

/* Direct children of any of its threads, sorted; freed by mem_free. Works without /proc/…/children
 * too. */
#define PROCESS_CHILDREN_MAX 65536
int process_children(pid_t pid, pid_t **ret_pids, size_t *ret_count, struct err *);
/* The slow way that process_children falls back to: every /proc/PID/stat is read. */
int process_children_scan(pid_t pid, pid_t **ret_pids, size_t *ret_count, struct err *);

/* Whether we may read its memory, and if not the kernel's reason in words with
 * the command that helps (Yama ptrace_scope, other user, missing capability,
 * seccomp). Does not stop the process. */
int process_readable(pid_t pid, struct err *);

/* In another mount namespace or root directory than ours (container, chroot)? */
bool process_in_other_root(pid_t pid);

#endif
