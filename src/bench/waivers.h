/* Budgets that may be missed for a time: [tool.pyrometer.waivers."NAME"] of pyproject.toml, each
 * with a reason and the last day on which it holds. An expired one waives nothing. */
#ifndef BENCH_WAIVERS_H
#define BENCH_WAIVERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct err;

#define WAIVERS_MAX 500
#define DATE_SIZE 11 /* YYYY-MM-DD and the NUL */

struct waiver {
	const char *name; /* of a benchmark, or a pattern, as of budgets */
	const char *reason;
	char until[DATE_SIZE];
	const char *const *keys; /* the budgets it is about; NULL: all of that name */
	size_t key_count;
	int line;
	bool used;
};

struct waivers {
	struct arena arena;
	const char *path;
	struct waiver *items;
	size_t count, capacity;
};

void waivers_init(struct waivers *);
void waivers_release(struct waivers *);

/* -ERR_USAGE: an unknown key, no reason, no day or none that exists. */
int waivers_parse(struct waivers *, const char *path, const char *bytes, size_t size, struct err *);

/* Whether it is about that budget of that benchmark, expired or not. */
bool waiver_fits(const struct waiver *, const char *benchmark, const char *key);
bool waiver_expired(const struct waiver *, const char *today);

/* The day of a Unix time, in UTC. */
void date_of(double unix_s, char text[DATE_SIZE]);

#endif
