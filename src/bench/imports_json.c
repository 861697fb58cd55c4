/* The result of `imports` as JSON: imports_json_write of imports.h. Seconds and bytes; null is
 * unknown. docs/commands/imports.md says what each key means. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json_write.h"
#include "bench/imports.h"

static const char *const use_names[] = {[IMPORTS_USE_YES] = "yes", [IMPORTS_USE_NO] = "no"};

static void put_text(struct json_writer *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text);
}

static void put_count(struct json_writer *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_unsigned(json, value);
}

static void put_bool(struct json_writer *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}

static void put_seconds(struct json_writer *json, const char *key, uint64_t ns)
{
	json_key(json, key);
	if (ns == UINT64_MAX)
		json_absent(json);
	else
		json_number(json, (double)ns / 1e9);
}

static void put_signed_seconds(struct json_writer *json, const char *key, int64_t ns)
{
	json_key(json, key);
	json_number(json, (double)ns / 1e9);
}

static void put_names(struct json_writer *json, const char *key, const char *const *names,
		      size_t count)
{
	json_key(json, key);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_text(json, names[i]);
	json_array_end(json);
}

static void put_place(struct json_writer *json, const struct imports_record *record)
{
	json_key(json, "imported_by");
	if (!record->by_file) {
		json_absent(json);
		return;
	}
	json_object_begin(json);
	put_text(json, "file", record->by_file);
	put_count(json, "line", record->by_line ? record->by_line : UINT64_MAX);
	put_text(json, "function", record->by_function);
	json_object_end(json);
}

static void put_error(struct json_writer *json, const struct imports_record *record)
{
	json_key(json, "error");
	if (!record->error) {
		json_absent(json);
		return;
	}
	json_object_begin(json);
	put_text(json, "type", record->error);
	put_text(json, "text", record->error_text);
	put_text(json, "missing", record->missing);
	put_bool(json, "handled", record->handled);
	json_object_end(json);
}

/* Of a list sorted by record: the rows of one, from *at on. */
static void put_work(struct json_writer *json, const struct imports_result *result, uint32_t record,
		     size_t *at)
{
	json_key(json, "work");
	json_array_begin(json);
	for (; *at < result->work_count && result->work[*at].record == record; ++*at) {
		json_object_begin(json);
		put_text(json, "event", result->work[*at].event);
		put_text(json, "detail", result->work[*at].detail);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_lines(struct json_writer *json, const struct imports_result *result,
		      uint32_t record, size_t *at)
{
	json_key(json, "lines");
	json_array_begin(json);
	for (; *at < result->line_count && result->lines[*at].record == record; ++*at) {
		json_object_begin(json);
		put_count(json, "line", result->lines[*at].line);
		put_seconds(json, "self_s", result->lines[*at].self_ns);
		put_count(json, "hits", result->lines[*at].hits);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_record(struct json_writer *json, const struct imports_record *record)
{
	put_text(json, "name", record->name);
	put_text(json, "kind", record->kind);
	put_text(json, "file", record->file);
	put_count(json, "parent", record->parent == IMPORTS_NONE ? UINT64_MAX : record->parent);
	put_signed_seconds(json, "start_s", record->start_ns);
	put_seconds(json, "self_s", record->self_ns);
	put_seconds(json, "total_s", record->total_ns);
	put_seconds(json, "body_s", record->body_ns);
	put_seconds(json, "compile_s", record->compile_ns);
	put_seconds(json, "cpu_s", record->cpu_ns);
	json_key(json, "memory_bytes");
	if (record->memory_bytes == IMPORTS_UNKNOWN)
		json_absent(json);
	else
		json_signed(json, record->memory_bytes);
	put_count(json, "files", record->files);
	put_count(json, "bytes", record->bytes);
	put_count(json, "stats", record->stats);
	put_place(json, record);
	put_text(json, "how", record->how);
	put_text(json, "when", record->at_start ? "start" : "first-use");
	put_bool(json, "lazy", record->lazy);
	put_bool(json, "loaded_inside", record->shell);
	put_count(json, "thread", record->thread);
	put_error(json, record);
	put_text(json, "used", record->error ? NULL : use_names[record->use]);
	put_count(json, "work_count", record->work_count);
}

static void put_records(struct json_writer *json, const struct imports_result *result)
{
	size_t work = 0, line = 0;

	json_key(json, "imports");
	json_array_begin(json);
	for (size_t i = 0; i < result->record_count; i++) {
		json_object_begin(json);
		put_record(json, &result->records[i]);
		put_work(json, result, (uint32_t)i, &work);
		put_lines(json, result, (uint32_t)i, &line);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_before(struct json_writer *json, const struct imports_result *result)
{
	json_key(json, "before");
	json_array_begin(json);
	for (size_t i = 0; i < result->before_count; i++) {
		json_object_begin(json);
		put_text(json, "name", result->before[i].name);
		put_text(json, "file", result->before[i].file);
		put_seconds(json, "self_s", result->before[i].self_ns);
		put_seconds(json, "total_s", result->before[i].total_ns);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_findings(struct json_writer *json, const struct imports_result *result)
{
	json_key(json, "fallbacks");
	json_array_begin(json);
	for (size_t i = 0; i < result->fallback_count; i++) {
		const struct imports_record *record = &result->records[result->fallbacks[i].record];

		json_object_begin(json);
		put_text(json, "module", result->fallbacks[i].module);
		put_text(json, "missing", record->name);
		put_place(json, record);
		put_text(json, "evidence", result->fallbacks[i].evidence);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "unused");
	json_array_begin(json);
	for (size_t i = 0; i < result->unused_count; i++) {
		json_object_begin(json);
		put_text(json, "name", result->records[result->unused[i].record].name);
		put_count(json, "import", result->unused[i].record);
		put_seconds(json, "avoidable_s", result->unused[i].avoidable_ns);
		json_object_end(json);
	}
	json_array_end(json);
}

static int compare_numbers(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

double imports_median(const double *values, size_t count)
{
	double *sorted = count ? mem_alloc(count * sizeof(*sorted)) : NULL, median = NAN;

	if (sorted) {
		memcpy(sorted, values, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare_numbers);
		median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
	}
	mem_free(sorted);
	return median;
}

static void put_numbers(struct json_writer *json, const char *key, const double *values,
			size_t count)
{
	json_key(json, key);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_number(json, values[i]);
	json_array_end(json);
}

static void put_probe(struct json_writer *json, const struct imports_result *result)
{
	size_t count = result->pair_count;

	json_key(json, "probe");
	json_object_begin(json);
	put_seconds(json, "taken_s", result->complete ? result->probe_ns : UINT64_MAX);
	put_text(json, "use_method", result->use_method);
	put_count(json, "pairs", count);
	put_numbers(json, "plain_s", result->plain_s, count);
	put_numbers(json, "probed_s", result->probed_s, count);
	put_numbers(json, "imports_s", result->probed_imports_s, count);
	json_key(json, "plain_median_s");
	json_number(json, imports_median(result->plain_s, count));
	json_key(json, "probed_median_s");
	json_number(json, imports_median(result->probed_s, count));
	json_key(json, "imports_median_s");
	json_number(json, imports_median(result->probed_imports_s, count));
	json_object_end(json);
}

static void put_header(struct json_writer *json, const struct imports_result *result)
{
	json_key(json, "schema_version");
	json_signed(json, IMPORTS_SCHEMA_VERSION);
	put_text(json, "command", result->command);
	json_key(json, "python");
	json_object_begin(json);
	put_text(json, "implementation", result->implementation);
	put_text(json, "version", result->version);
	put_text(json, "executable", result->executable);
	json_object_end(json);
	json_key(json, "exit_status");
	json_signed(json, result->exit_status);
	put_bool(json, "complete", result->complete);
	put_seconds(json, "wall_s", result->wall_ns);
	put_signed_seconds(json, "began_s", result->began_ns);
	json_key(json, "ended_s");
	json_number(json, result->complete ? (double)result->ended_ns / 1e9 : NAN);
	put_count(json, "peak_rss_bytes", result->peak_bytes);
	put_seconds(json, "imports_s", result->total_ns);
	put_seconds(json, "start_imports_s", result->startup_ns);
	put_seconds(json, "first_use_imports_s", result->first_use_ns);
}

int imports_json_write(const struct imports_result *result, FILE *stream, struct err *err)
{
	struct json_writer json;

	json_start(&json, stream, true);
	json_object_begin(&json);
	put_header(&json, result);
	put_probe(&json, result);
	put_records(&json, result);
	put_before(&json, result);
	put_names(&json, "modules", result->modules, result->module_count);
	put_names(&json, "lazy_unused", result->lazy_left, result->lazy_left_count);
	put_findings(&json, result);
	json_object_end(&json);
	fputc('\n', stream);
	if (fflush(stream) != 0 || ferror(stream))
		return err_set(err, ERR_FILE, "can't write the JSON");
	return 0;
}
