/* The CPU of the calling thread: which, bound to one, for how long at a time. Linux. */
#ifndef SYSTEM_CPU_H
#define SYSTEM_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define CPU_MAX 8192 /* CPUs that a set of ours can hold; the kernel's own limit */

struct cpu_set {
	uint64_t bits[CPU_MAX / 64];
};

bool cpu_set_has(const struct cpu_set *set, int cpu);
int cpu_set_count(const struct cpu_set *set);
/* "0-3,8"; cut at size. */
void cpu_set_text(const struct cpu_set *set, char *text, size_t size);

/* Where a thread may run (0: the calling one): its affinity, already within its cpuset. */
int cpu_allowed(int tid, struct cpu_set *ret_set, struct err *err);

/* Binds the calling thread to one CPU. -ERR_PERMISSION when its cpuset or container doesn't
 * have that CPU, -ERR_FILE when it is off or doesn't exist; err says which. Hot: one system
 * call and no formatting when it works. */
int cpu_bind(int cpu, struct err *err);
/* Gives the calling thread a set back (from cpu_allowed). */
int cpu_restore(const struct cpu_set *set, struct err *err);

/* The CPU that runs us now; -1 unknown. No system call where the C library has rseq. */
int cpu_current(void);

/* Asks for a short slice for the calling thread (EEVDF, Linux 6.12+: earlier deadlines at the
 * same share): 0.1 to 100 ms. false where the kernel doesn't take it; nothing changes then. */
bool cpu_short_slice(uint64_t slice_ns);

/* CPU time of the calling thread, ns. */
uint64_t cpu_thread_time_ns(void);

#endif
