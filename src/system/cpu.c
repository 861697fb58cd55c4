#include "system/cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

bool cpu_set_has(const struct cpu_set *set, int cpu)
{
	return cpu >= 0 && cpu < CPU_MAX && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

int cpu_set_count(const struct cpu_set *set)
{
	int count = 0;

	for (size_t i = 0; i < CPU_MAX / 64; i++)
		count += __builtin_popcountll(set->bits[i]);
	return count;
}

void cpu_set_text(const struct cpu_set *set, char *text, size_t size)
{
	size_t used = 0;

	if (size > 0)
		text[0] = '\0';
	for (int cpu = 0; cpu < CPU_MAX && used < size; cpu++) {
		int last = cpu;

		if (!cpu_set_has(set, cpu))
			continue;
		while (cpu_set_has(set, last + 1))
			last++;
		int wrote = snprintf(text + used, size - used, last > cpu ? "%s%d-%d" : "%s%d",
				     used ? "," : "", cpu, last);
		used += (size_t)wrote;
		cpu = last;
	}
}

/* Raw: the C library's sets hold 1,024 CPUs only, and the call refuses smaller than the kernel's.
 */
int cpu_allowed(int tid, struct cpu_set *ret_set, struct err *err)
{
	struct cpu_set set = {0};

	if (syscall(SYS_sched_getaffinity, tid, sizeof(set), &set) < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't ask for the CPUs of thread %d",
				     tid);
	*ret_set = set;
	return 0;
}

static int bind_failed(int cpu, int errno_value, struct err *err)
{
	char path[64], allowed_text[128] = "?";
	struct cpu_set allowed;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	if (cpu < 0 || cpu >= CPU_MAX ||
	    (access("/sys/devices/system/cpu", F_OK) == 0 && access(path, F_OK) != 0)) {
		err_set(err, ERR_FILE, "There is no CPU %d", cpu);
		return -ERR_FILE;
	}
	if (errno_value != EINVAL)
		return err_set_errno(err, ERR_FILE, errno_value, "Can't bind a thread to CPU %d",
				     cpu);
	if (cpu_allowed(0, &allowed, NULL) == 0)
		cpu_set_text(&allowed, allowed_text, sizeof(allowed_text));
	err_set(err, ERR_PERMISSION, "May not run on CPU %d", cpu);
	err_why(err, "it is off, or outside the cpuset of this container or service (now on: %s)",
		allowed_text);
	return -ERR_PERMISSION;
}

int cpu_bind(int cpu, struct err *err)
{
	struct cpu_set set = {0};

	if (cpu < 0 || cpu >= CPU_MAX)
		return bind_failed(cpu, EINVAL, err);
	set.bits[cpu / 64] = (uint64_t)1 << (cpu % 64);
	/* As many bytes as needed: the kernel copies them in each time. */
	size_t size = (size_t)(cpu / 64 + 1) * 8;
	if (syscall(SYS_sched_setaffinity, 0, size, &set) < 0)
		return bind_failed(cpu, errno, err);
	return 0;
}

int cpu_restore(const struct cpu_set *set, struct err *err)
{
	if (syscall(SYS_sched_setaffinity, 0, sizeof(*set), set) < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't give a thread its CPUs back");
	return 0;
}

int cpu_current(void)
{
	return sched_getcpu();
}

/* struct sched_attr of linux/sched/types.h, first version; not all C libraries have it. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

bool cpu_short_slice(uint64_t slice_ns)
{
	struct attributes wanted = {0}, got = {0};

	if (syscall(SYS_sched_getattr, 0, &wanted, sizeof(wanted), 0) < 0 ||
	    wanted.policy != SCHED_OTHER)
		return false;
	wanted.size = sizeof(wanted);
	wanted.runtime = slice_ns;
	if (syscall(SYS_sched_setattr, 0, &wanted, 0) < 0)
		return false;
	/* Older kernels take the call and ignore the field. */
	return syscall(SYS_sched_getattr, 0, &got, sizeof(got), 0) == 0 && got.runtime == slice_ns;
}

uint64_t cpu_thread_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
