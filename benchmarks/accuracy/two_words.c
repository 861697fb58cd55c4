/* How far apart are two words that one process_vm_readv reads from a running process?
 *
 *	cc -O2 -o two_words benchmarks/accuracy/two_words.c && ./two_words [SECONDS_A_ROW]
 *
 * A process does what an interpreter does to its stack, without one: a caller steps for a while,
 * says that it waits, its callee says that it runs, steps for as long, says that it does not, and
 *so on. Both words are written within a nanosecond of one another, so that whoever saw one instant
 * would find them equal always. Another process on another core copies both by one range, as the
 * other-core reader does, and counts how often they differ. Between them lie LINES cache lines that
 * the process keeps in its own cache, like the frames of a deeper stack. The share of time that
 * the callee has is known from the process's own cycle counter.
 *
 * Needs two processors; as root the process has real-time priority, so that it keeps its own.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define LINE 64
#define LINES_MAX 32
#define STEP_CYCLES 10 /* between two stores of a position: a bytecode or so */

struct line {
	_Atomic uint64_t flag, position;
	char rest[LINE - 16];
};

struct stage {
	struct line lines[LINES_MAX + 2]; /* the caller's, those between, the callee's */
	/* Written by the process, read in its own time. */
	_Atomic uint64_t caller_cycles, callee_cycles;
};

struct counts {
	uint64_t reads, waits, runs, differ;
};

static void put(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Steps for so many cycles, storing a position at each step. */
static void step_for(struct line *line, uint64_t cycles)
{
	uint64_t start = __rdtsc(), now = start, next = start;

	while (now - start < cycles) {
		if (now >= next) {
			put(&line->position, now);
			next = now + STEP_CYCLES;
		}
		now = __rdtsc();
	}
}

static void alternate(struct stage *stage, uint32_t between, uint64_t cycles)
{
	struct line *caller = &stage->lines[0], *callee = &stage->lines[between + 1];
	uint64_t in_caller = 0, in_callee = 0;

	for (uint64_t turn = 1;; turn++) {
		uint64_t a = __rdtsc(), b, c;

		step_for(caller, cycles);
		for (uint32_t i = 1; i <= between; i++)
			put(&stage->lines[i].position, turn);
		put(&callee->flag, 1);
		put(&caller->flag, 1);
		b = __rdtsc();
		step_for(callee, cycles);
		put(&callee->flag, 0);
		put(&caller->flag, 0);
		c = __rdtsc();
		in_caller += b - a;
		in_callee += c - b;
		if (turn % 256 == 0) {
			put(&stage->caller_cycles, in_caller);
			put(&stage->callee_cycles, in_callee);
		}
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static struct counts watch(pid_t pid, struct stage *stage, uint32_t between, double seconds)
{
	static struct line copy[LINES_MAX + 2];
	struct iovec local = {copy, (between + 2) * LINE}, remote = {stage, local.iov_len};
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), state = 88172645463325252ull;
	struct counts counts = {0};

	while (now_ns() < end) {
		uint64_t pause;

		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len)
			break;
		counts.reads++;
		counts.waits += copy[0].flag;
		counts.runs += copy[between + 1].flag;
		counts.differ += copy[0].flag != copy[between + 1].flag;
		/* Up to four microseconds: no step is kept with what the process does. */
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		pause = __rdtsc() + state % 10000;
		while (__rdtsc() < pause)
			_mm_pause();
	}
	return counts;
}

static double cycles_a_ns(void)
{
	uint64_t start = now_ns(), cycles = __rdtsc();

	while (now_ns() - start < 50000000)
		;
	return (double)(__rdtsc() - cycles) / (double)(now_ns() - start);
}

static void row(struct stage *stage, uint32_t between, unsigned body_ns, double speed,
		double seconds)
{
	struct sched_param first = {.sched_priority = 1};
	struct counts counts;
	double caller, callee;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(1);
		sched_setscheduler(0, SCHED_FIFO, &first);
		alternate(stage, between, (uint64_t)(body_ns * speed));
	}
	if (pid < 0)
		return;
	usleep(50000);
	caller = (double)stage->caller_cycles;
	callee = (double)stage->callee_cycles;
	counts = watch(pid, stage, between, seconds);
	caller = (double)stage->caller_cycles - caller;
	callee = (double)stage->callee_cycles - callee;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!counts.reads || caller + callee <= 0)
		return;
	printf("%8u %6u %9.1f %9.1f %9.1f %9.2f\n", body_ns, between,
	       100 * callee / (caller + callee),
	       100.0 * (double)counts.waits / (double)counts.reads,
	       100.0 * (double)counts.runs / (double)counts.reads,
	       100.0 * (double)counts.differ / (double)counts.reads);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const unsigned bodies[] = {30, 100, 300, 1000, 10000};
	static const uint32_t lines[] = {0, 4, 16};
	double seconds = argc > 1 ? atof(argv[1]) : 1, speed = cycles_a_ns();
	struct stage *stage =
	    mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (stage == MAP_FAILED || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "two_words: needs two processors\n");
		return 2;
	}
	pin(0);
	printf("%8s %6s %9s %9s %9s %9s\n", "body ns", "lines", "truth %", "waits %", "runs %",
	       "differ %");
	for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
		for (size_t l = 0; l < sizeof(lines) / sizeof(lines[0]); l++)
			row(stage, lines[l], bodies[b], speed, seconds);
	return 0;
}
