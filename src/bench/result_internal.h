/* What the readers and writers of result files share: JSON from a hostile file, checked and
 * named where it is wrong. Used by result*.c alone. */
#ifndef BENCH_RESULT_INTERNAL_H
#define BENCH_RESULT_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/result.h"
#include "stats/summary.h"

struct err;
struct json_writer;

/* Replaces *text by a copy of `value`, which may be NULL. */
int bench_text_set(char **text, const char *value);

/* A file being read: what its errors are told with. */
struct bench_reading {
	const char *path, *format; /* format: "pyperf", as in the messages */
	struct err *err;
};

/* Bounds on what a file may hold: far above any real one. */
#define BENCH_FILE_BYTES_MAX (256u << 20)
#define BENCH_TEXT_MAX 65536
#define BENCH_COUNT_MAX (1u << 20) /* benchmarks, combinations of parameters */

/* The error "FILE isn't what it should be: <where> is <value>, <wanted> was expected".
 * -ERR_FILE. */
int bench_wrong(const struct bench_reading *, const json_t *value, const char *wanted,
		const char *where_fmt, ...) __attribute__((format(printf, 4, 5)));
int bench_no_memory(const struct bench_reading *);

/* False where it is something else, or not finite, or negative for a count. Python writes NaN
 * and Infinity; they arrive here as the texts "NaN", "Infinity" and "-Infinity". */
bool bench_json_number(const json_t *value, double *ret_number);
bool bench_json_count(const json_t *value, uint64_t *ret_count);
bool bench_json_text(const json_t *value, const char **ret_text);
bool bench_json_is_nan(const json_t *value);
/* NULL where the member is absent or null. */
const json_t *bench_json_member(const json_t *object, const char *key);

/* Unix time of "2026-01-31T12:00:00.123456", with a blank for the T and with or without a zone;
 * without one it is taken as UTC. NaN where it is none. */
double bench_time_of(const char *text);
/* The reverse, UTC; "" for NaN. */
#define BENCH_TIME_TEXT_MAX 48
char *bench_time_text(char *text, size_t size, double unix_s);

/* A number of any kind as the text of a parameter or fact. */
char *bench_scalar_text(const json_t *value, char *text, size_t size);

/* A number that comes back exactly the same. */
void bench_json_exact(struct json_writer *, double number);

/* "name[a=1,b=2]": the benchmark with its parameters in one line. mem_free; NULL: no memory. */
char *benchmark_full_name(const struct benchmark *);
/* Summary of all values; n = 0 where there are none. 0 or -ERR_MEMORY. */
int benchmark_summary(const struct benchmark *, struct summary *ret_summary);

/* A whole JSON file; json_decref. *text may be replaced by another (mem_free it still). */
int bench_json_read(const char *path, json_t **ret_root, struct err *);
int bench_json_parse(const char *path, char **text, size_t size, json_t **ret_root, struct err *);
/* bench_results_read from bytes; `path` is for the messages. ret_format may be NULL. */
int bench_results_parse(const char *path, char **text, size_t size,
			struct bench_results **ret_results, enum bench_format *ret_format,
			struct err *);

/* The formats: each reads from a parsed file and writes a whole one. */
int bench_read_own(const struct bench_reading *, const json_t *root, struct bench_results *);
int bench_read_pyperf(const struct bench_reading *, const json_t *root, struct bench_results *);
int bench_read_pytest(const struct bench_reading *, const json_t *root, struct bench_results *);
int bench_read_hyperfine(const struct bench_reading *, const json_t *root, struct bench_results *);
int bench_read_asv(const struct bench_reading *, const json_t *root, struct bench_results *);

int bench_write_pyperf(const struct bench_results *, FILE *, struct err *);
int bench_write_pytest(const struct bench_results *, FILE *, struct err *);
int bench_write_hyperfine(const struct bench_results *, FILE *, struct err *);
int bench_write_asv(const struct bench_results *, FILE *, struct err *);

/* 0, or -ERR_FILE when the stream has failed. */
int bench_stream_check(FILE *, struct err *);

#endif
