/* A file of `compare --json` becomes the numbers of a ledger's entry. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/ledger.h"
#include "bench/pairing.h"
#include "bench/result_internal.h"

#define NAME_BYTES_MAX 2000

static bool is_verdict(const char *text)
{
	for (int verdict = VERDICT_PASS; verdict <= VERDICT_NOT_MEASURED; verdict++) {
		if (strcmp(verdict_name((enum verdict)verdict), text) == 0)
			return true;
	}
	return false;
}

static int read_text(const struct bench_reading *reading, const json_t *object, const char *key,
		     const char *where, char **ret_text)
{
	const json_t *value = bench_json_member(object, key);
	const char *text;

	if (value == NULL)
		return 0;
	if (!bench_json_text(value, &text) || strlen(text) > NAME_BYTES_MAX)
		return bench_wrong(reading, value, "a short text", "%s.%s", where, key);
	return bench_text_set(ret_text, text) < 0 ? bench_no_memory(reading) : 0;
}

static int read_side(const struct bench_reading *reading, const json_t *root, const char *key,
		     struct ledger_side *side)
{
	const json_t *object = bench_json_member(root, key);
	int r;

	if (!json_is_object(object))
		return bench_wrong(reading, object, "an object", "%s", key);
	r = read_text(reading, object, "label", key, &side->label);
	if (r == 0)
		r = read_text(reading, object, "revision", key, &side->revision);
	if (r == 0)
		r = read_text(reading, object, "subject", key, &side->subject);
	if (r == 0)
		r = read_text(reading, object, "python", key, &side->python);
	return r;
}

static int read_number(const struct bench_reading *reading, const json_t *object, const char *key,
		       size_t at, double *ret_number)
{
	const json_t *value = bench_json_member(object, key);

	*ret_number = NAN;
	if (value != NULL && !bench_json_number(value, ret_number))
		return bench_wrong(reading, value, "a number or null", "benchmarks[%zu].%s", at,
				   key);
	return 0;
}

static int read_row(const struct bench_reading *reading, const json_t *object, size_t at,
		    struct ledger_row *row)
{
	const struct {
		const char *key;
		double *field;
	} numbers[] = {{"ratio", &row->ratio},
		       {"low", &row->low},
		       {"high", &row->high},
		       {"detectable", &row->detectable}};
	const json_t *pairs = bench_json_member(object, "pairs");
	char where[40];
	int r;

	snprintf(where, sizeof(where), "benchmarks[%zu]", at);
	r = read_text(reading, object, "name", where, &row->name);
	if (r == 0)
		r = read_text(reading, object, "verdict", where, &row->verdict);
	for (size_t i = 0; r == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		r = read_number(reading, object, numbers[i].key, at, numbers[i].field);
	if (r < 0)
		return r;
	if (row->name == NULL)
		return bench_wrong(reading, NULL, "a text", "%s.name", where);
	if (row->verdict == NULL || !is_verdict(row->verdict))
		return bench_wrong(reading, bench_json_member(object, "verdict"),
				   "one of pass, regression, improvement, cannot-tell, "
				   "not-measured",
				   "%s.verdict", where);
	if (pairs != NULL && !bench_json_count(pairs, &row->pairs))
		return bench_wrong(reading, pairs, "a whole number", "%s.pairs", where);
	return 0;
}

static int read_comparison(const struct bench_reading *reading, const json_t *root,
			   struct ledger_entry *entry)
{
	const json_t *benchmarks = bench_json_member(root, "benchmarks");
	size_t count = json_array_size(benchmarks);
	int r;

	if (!json_is_array(benchmarks) || count == 0 || count > LEDGER_ROWS_MAX)
		return bench_wrong(reading, benchmarks, "a list of compared benchmarks",
				   "benchmarks");
	r = read_side(reading, root, "a", &entry->a);
	if (r == 0)
		r = read_side(reading, root, "b", &entry->b);
	if (r < 0)
		return r;
	entry->rows = mem_zalloc(count, sizeof(*entry->rows));
	if (entry->rows == NULL)
		return bench_no_memory(reading);
	entry->row_count = count;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_row(reading, json_array_get(benchmarks, i), i, &entry->rows[i]);
	return r;
}

int ledger_entry_from_comparison(const char *path, struct ledger_entry *ret_entry, struct err *err)
{
	const struct bench_reading reading = {
	    .path = path, .format = "pyrometer compare --json", .err = err};
	json_t *root = NULL;
	int r = bench_json_read(path, &root, err);

	if (r == 0)
		r = read_comparison(&reading, root, ret_entry);
	json_decref(root);
	return r;
}
