/* Files of results from memory: ours, pyperf's, pytest-benchmark's, hyperfine's, asv's, and the
 * ledger's entries. Whatever the bytes, they are results or an error with its reason; results can
 * be written in each format, and what was written of ours is read back. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/ledger.h"
#include "bench/result_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *export_to(const struct bench_results *results, enum bench_format format,
		       size_t *ret_size)
{
	char *text = NULL, *copy = NULL;
	FILE *stream = open_memstream(&text, ret_size);
	struct err err = {0};
	int r;

	if (stream == NULL)
		abort();
	r = bench_results_export(results, format, stream, &err);
	if (fclose(stream) != 0)
		abort();
	if (r < 0 && (err.code == 0 || err.what[0] == '\0'))
		abort();
	if (r == 0)
		copy = mem_copy_text(text);
	free(text);
	return copy;
}

static void check_values(const struct bench_results *results)
{
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *benchmark = &results->benchmarks[i];

		if (benchmark->name == NULL || benchmark->unit == NULL)
			abort();
		for (size_t r = 0; r < benchmark->run_count; r++) {
			for (size_t k = 0; k < benchmark->runs[r].value_count; k++) {
				if (!isfinite(benchmark->runs[r].values[k]))
					abort();
			}
		}
	}
}

static void check_results(const struct bench_results *results)
{
	struct bench_results *back = NULL;
	size_t size;
	char *text;

	check_values(results);
	for (int format = BENCH_PYPERF; format <= BENCH_ASV; format++)
		mem_free(export_to(results, (enum bench_format)format, &size));
	text = export_to(results, BENCH_PYROMETER, &size);
	if (text == NULL || bench_results_parse("again.json", &text, size, &back, NULL, NULL) < 0 ||
	    back->benchmark_count != results->benchmark_count)
		abort();
	mem_free(text);
	bench_results_free(back);
}

static void check_ledger(const uint8_t *data, size_t size)
{
	struct ledger_entry entry;
	struct err err = {0};
	char *text = NULL;

	if (ledger_entry_parse("2026-01-01-x-0123456789abcdef.md", (const char *)data, size,
			       &entry) < 0)
		abort();
	if (entry.problem == NULL &&
	    (entry.hypothesis == NULL || entry.decision == NULL || entry.reason == NULL))
		abort();
	if (entry.hypothesis != NULL && entry.decision != NULL && entry.reason != NULL &&
	    ledger_entry_write(&entry, &text, &err) < 0)
		abort();
	mem_free(text);
	ledger_entry_release(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench_results *results = NULL;
	struct err err = {0};
	char *text = mem_alloc(size + 1);
	int r;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	r = bench_results_parse("x.json", &text, size, &results, NULL, &err);
	if (r == 0)
		check_results(results);
	else if (err.code == 0 || err.what[0] == '\0')
		abort();
	mem_free(text);
	bench_results_free(results);
	check_ledger(data, size);
	return 0;
}
