/* What a comparison's numbers are called: verdicts, their names and exit codes, Holm over a
 * suite. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/pairing.h"

static const struct {
	const char *name;
	int exit_code;
	int rank; /* what decides a suite's exit code */
} verdicts[] = {
    [VERDICT_PASS] = {"pass", ERR_NONE, 0},
    [VERDICT_REGRESSION] = {"regression", ERR_GATE, 4},
    [VERDICT_IMPROVEMENT] = {"improvement", ERR_NONE, 1},
    [VERDICT_CANNOT_TELL] = {"cannot-tell", ERR_CANNOT_TELL, 2},
    [VERDICT_NOT_MEASURED] = {"not-measured", ERR_NOT_MEASURED, 3},
};

static const struct {
	enum pair_counter counter;
	const char *name;
	size_t offset;
} counters[] = {
    {PAIR_CALLS, "calls", offsetof(struct bench_counters, calls)},
    {PAIR_BYTECODES, "bytecodes", offsetof(struct bench_counters, bytecodes)},
    {PAIR_MODULES, "modules", offsetof(struct bench_counters, modules)},
    {PAIR_SYSCALLS, "system calls", offsetof(struct bench_counters, syscalls)},
    {PAIR_INSTRUCTIONS, "instructions", offsetof(struct bench_counters, instructions)},
    {PAIR_ALLOCATIONS, "allocations", offsetof(struct bench_counters, allocations)},
};

const char *verdict_name(enum verdict verdict)
{
	return verdicts[verdict].name;
}

int verdict_exit_code(enum verdict verdict)
{
	return verdicts[verdict].exit_code;
}

enum verdict verdict_worse(enum verdict one, enum verdict other)
{
	return verdicts[one].rank >= verdicts[other].rank ? one : other;
}

const char *pair_counter_name(enum pair_counter counter)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (counters[i].counter == counter)
			return counters[i].name;
	return "";
}

uint64_t pair_counter_of(const struct bench_counters *values, enum pair_counter counter)
{
	uint64_t value = UINT64_MAX;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (counters[i].counter == counter)
			memcpy(&value, (const char *)values + counters[i].offset, sizeof(value));
	return value;
}

/* p of a test that stopped without a decision is valid too: Holm may carry what the stopping rule
 * at its stricter level did not, and takes away what it does not carry. */
static void apply_holm(struct pairing_result *result, bool rejected)
{
	bool differs =
	    result->verdict == VERDICT_REGRESSION || result->verdict == VERDICT_IMPROVEMENT;

	if (differs && !rejected)
		result->verdict = VERDICT_CANNOT_TELL;
	else if (result->verdict == VERDICT_CANNOT_TELL && rejected &&
		 isfinite(result->state.location) && result->state.location != 0)
		result->verdict =
		    result->state.location > 0 ? VERDICT_REGRESSION : VERDICT_IMPROVEMENT;
}

int pairing_holm(struct pairing_result *const results[], size_t count, double alpha,
		 struct err *err)
{
	double *p = mem_zalloc(count + 1, sizeof(*p));
	bool *rejected = mem_zalloc(count + 1, sizeof(*rejected));
	size_t tested = 0;
	int r = 0;

	if (p == NULL || rejected == NULL) {
		r = err_set(err, ERR_MEMORY, "No memory for %zu verdicts", count);
	} else {
		for (size_t i = 0; i < count; i++)
			if (!results[i]->exact && results[i]->pair_count > 0)
				p[tested++] =
				    isfinite(results[i]->state.p) ? results[i]->state.p : 1;
		holm(p, tested, alpha, rejected);
		tested = 0;
		for (size_t i = 0; i < count; i++)
			if (!results[i]->exact && results[i]->pair_count > 0)
				apply_holm(results[i], rejected[tested++]);
	}
	mem_free(p);
	mem_free(rejected);
	return r;
}
