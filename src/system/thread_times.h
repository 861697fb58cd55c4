/* What the scheduler tells of one thread: exact on-CPU and run-queue time from
 * a kept descriptor of /proc/PID/task/TID/schedstat (1.4 µs a read), state and
 * CPU from a kept descriptor of …/stat (5 µs). Hot path: no allocation, no opens
 * after thread_times_open. Linux. */
#ifndef SYSTEM_THREAD_TIMES_H
#define SYSTEM_THREAD_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct thread_times { /* embedded; release closes */
	pid_t pid, tid;
	int schedstat_fd, stat_fd, syscall_fd; /* -1 = not open; syscall_fd may be denied */
};

struct thread_schedstat {
	uint64_t on_cpu_ns; /* se.sum_exec_runtime: exact when the thread is off its CPU, else up to
			       a tick old */
	uint64_t runqueue_ns; /* sched_info.run_delay: added when it gets a CPU */
	uint64_t slices;      /* sched_info.pcount: times it got a CPU */
};

struct thread_stat {
	char state;
	int32_t cpu;
};

/* A blocked thread's system call; number -1 = running or unknown. */
struct thread_syscall {
	int64_t number;
	uint64_t arguments[6];
};

int thread_times_open(struct thread_times *, pid_t pid, pid_t tid, struct err *);
void thread_times_release(struct thread_times *);
/* 0, or -ERR_NO_PROCESS when the thread ended; -ERR_PERMISSION from _syscall where the
 * kernel denies it; -ERR_FILE: a text that isn't what proc(5) says. */
int thread_times_schedstat(const struct thread_times *, struct thread_schedstat *ret);
int thread_times_stat(const struct thread_times *, struct thread_stat *ret);
int thread_times_syscall(const struct thread_times *, struct thread_syscall *ret);

/* Pure: the text of the three files, untrusted. false leaves *ret untouched. */
bool thread_schedstat_parse(const char *text, size_t size, struct thread_schedstat *ret);
bool thread_stat_parse(const char *text, size_t size, struct thread_stat *ret);
bool thread_syscall_parse(const char *text, size_t size, struct thread_syscall *ret);

#endif
