/* What comparisons can tell on this machine: a program is compared with itself, and with itself and
 * a little more work. Kept in a small file, which `gate` reads: a budget below the floor is refused
 * rather than judged by chance. */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err;
struct worker_spec;

#define NOISE_SCHEMA_VERSION 1
#define NOISE_INJECTED 0.10 /* more work, counted, in the second comparison */

struct noise_side { /* one comparison; ratios as parts of 1: 0.05 = 5 % longer */
	double change, low, high, detectable;
	size_t pairs;
	double elapsed_s;
	bool called_different; /* by the comparison's own verdict */
};

struct noise {
	char host[128], python[64];
	double created_s;
	double floor;  /* the smallest budget that this machine can judge; INFINITY none */
	double spread; /* robust standard deviation of a pair, a part of 1 */
	struct noise_side equal, slower;
};

/* Takes up to 2 × seconds. python: an interpreter's path. stop may be NULL. -ERR_NOT_MEASURED. */
int noise_measure(const char *python, double seconds, const volatile sig_atomic_t *stop,
		  struct noise *ret_noise, struct err *err);

int noise_write(const struct noise *, FILE *stream, struct err *err);
/* -ERR_FILE, -ERR_USAGE: not such a file. */
int noise_read(const char *path, struct noise *ret_noise, struct err *err);

/* The name of this machine. */
void noise_host(char *text, size_t size);
/* $XDG_CACHE_HOME/pyrometer/noise.json, else below ~/.cache; false: no home. */
bool noise_default_path(char *path, size_t size);
/* As default: makes the folder. The file appears whole or not at all. */
int noise_keep(const struct noise *, const char *path, struct err *err);

#endif
