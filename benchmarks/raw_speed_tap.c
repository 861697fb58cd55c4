/* For raw_speed.py: what a profiler's reads alone cost the kernel. Loaded into a profiler by
 * LD_PRELOAD it passes process_vm_readv on, counts the calls and keeps the first KEEP_CALLS of
 * them. When the profiler ends, its target still runs: the calls that were kept are made again in a
 * loop with nothing between them, and their CPU time is written to the file that $READ_TAP names.
 * No part of Pyrometer; a profiler that is linked statically is not reached. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SKIP_CALLS 2000 /* at the start: what is read once */
#define KEEP_CALLS 30000
#define KEEP_RANGES (1 << 18)
#define CALL_RANGES 1024 /* IOV_MAX */
#define CALL_BYTES (8u << 20)
#define ROUNDS 2

struct kept_call {
	pid_t pid;
	unsigned first, count;
	size_t bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long calls;
static struct kept_call kept[KEEP_CALLS];
static unsigned kept_count, range_count;
static struct iovec ranges[KEEP_RANGES];

static void keep(pid_t pid, const struct iovec *remote, unsigned long count)
{
	struct kept_call *call = &kept[kept_count];
	size_t bytes = 0;

	if (kept_count == KEEP_CALLS || count > KEEP_RANGES - range_count || count > CALL_RANGES)
		return;
	for (unsigned long i = 0; i < count; i++) {
		if (remote[i].iov_len > CALL_BYTES - bytes)
			return;
		bytes += remote[i].iov_len;
		ranges[range_count + i] = remote[i];
	}
	*call = (struct kept_call){pid, range_count, (unsigned)count, bytes};
	range_count += (unsigned)count;
	kept_count++;
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long local_count,
			 const struct iovec *remote, unsigned long remote_count,
			 unsigned long flags)
{
	pthread_mutex_lock(&lock);
	if (calls++ >= SKIP_CALLS)
		keep(pid, remote, remote_count);
	pthread_mutex_unlock(&lock);
	return syscall(SYS_process_vm_readv, pid, local, local_count, remote, remote_count, flags);
}

static double thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

__attribute__((destructor)) static void replay(void)
{
	const char *path = getenv("READ_TAP");
	char *bytes = malloc(CALL_BYTES);
	double began = thread_cpu_us(), each;
	size_t total = 0;
	FILE *file;

	if (!path || !bytes || kept_count == 0)
		return;
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < kept_count; i++) {
			struct iovec local = {bytes, kept[i].bytes};

			syscall(SYS_process_vm_readv, kept[i].pid, &local, 1,
				ranges + kept[i].first, kept[i].count, 0);
			total += kept[i].bytes;
		}
	}
	each = (thread_cpu_us() - began) / ((double)kept_count * ROUNDS);
	free(bytes);
	file = fopen(path, "w");
	if (!file)
		return;
	fprintf(file,
		"{\"calls\": %lu, \"us_a_call\": %.4f, \"ranges_a_call\": %.2f, "
		"\"bytes_a_call\": %.0f}\n",
		calls, each, (double)range_count / kept_count,
		(double)total / ((double)kept_count * ROUNDS));
	fclose(file);
}
