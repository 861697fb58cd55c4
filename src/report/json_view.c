/* A report as JSON: see json_view.h. */
#include "report/json_view.h"

#include <math.h>

#include "analysis/filter.h"
#include "base/err.h"
#include "base/json_write.h"
#include "report/header_view.h"
#include "report/page.h"
#include "report/verdict.h"

static void key_number(struct json_writer *json, const char *key, double value)
{
	json_key(json, key);
	json_number(json, value);
}

static void key_unsigned(struct json_writer *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_unsigned(json, value);
}

static void key_text(struct json_writer *json, const char *key, const char *value)
{
	json_key(json, key);
	json_text(json, value);
}

static void key_null(struct json_writer *json, const char *key)
{
	json_key(json, key);
	json_absent(json);
}

static double seconds(uint64_t ns)
{
	return ns == UINT64_MAX ? NAN : (double)ns / 1e9;
}

static void write_run(struct json_writer *json, const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;
	struct profile_process process;
	bool any = profile_first_process_sum(profile, &process);
	const char *python = meta->python;

	if (python == NULL && any && process.python.v != 0)
		python = profile_string(profile, process.python);
	key_text(json, "command", meta->command);
	key_text(json, "python", python);
	key_number(json, "wall_s", profile_wall_s(profile));
	key_number(json, "cpu_s", any ? seconds(process.cpu_ns) : NAN);
	key_unsigned(json, "peak_rss_bytes", any ? process.peak_rss_bytes : UINT64_MAX);
	json_key(json, "exit_status");
	if (meta->exit_status >= 0)
		json_signed(json, meta->exit_status);
	else
		json_absent(json);
}

static void write_samples(struct json_writer *json, const struct profile_meta *meta,
			  const struct shares *shares)
{
	const struct sample_counts *counts = &meta->counts;

	json_key(json, "samples");
	json_object_begin(json);
	key_unsigned(json, "scheduled", counts->scheduled);
	key_unsigned(json, "taken", counts->valid + counts->torn);
	key_unsigned(json, "valid", counts->valid);
	key_unsigned(json, "torn", counts->torn);
	key_unsigned(json, "failed", counts->failed);
	key_unsigned(json, "missed", counts->missed);
	key_number(json, "rate_hz", meta->rate_hz > 0 ? meta->rate_hz : NAN);
	key_unsigned(json, "selected", shares->sample_count);
	json_object_end(json);
	key_number(json, "self_cpu_s", seconds(meta->self_cpu_ns));
	key_number(json, "taken_from_target_s", seconds(meta->stolen_ns));
}

static void write_states(struct json_writer *json, const struct shares *shares)
{
	static const struct {
		const char *key;
		enum sample_state state;
	} rows[] = {
	    {"on_cpu", STATE_ON_CPU},	  {"waiting", STATE_BLOCKED}, {"blocked", STATE_BLOCKED},
	    {"gil_wait", STATE_GIL_WAIT}, {"gc", STATE_GC},	      {"runqueue", STATE_RUNQUEUE},
	    {"unknown", STATE_UNKNOWN},
	};

	json_key(json, "states");
	json_object_begin(json);
	/* What the time on the CPU went into is not known to samples of Python stacks. */
	key_null(json, "python");
	key_null(json, "builtin");
	key_null(json, "native");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		key_number(json, rows[i].key,
			   shares->sample_count > 0 ? shares->state[rows[i].state] : NAN);
	json_object_end(json);
}

static void write_line_number(struct json_writer *json, uint32_t line)
{
	json_key(json, "line");
	if (line != 0)
		json_unsigned(json, line);
	else
		json_absent(json);
}

static void write_row(struct json_writer *json, const struct profile *profile,
		      const struct share_row *row, bool is_function)
{
	const struct profile_function *function = &profile->functions[row->function.v];
	const char *file = profile_string(profile, function->file);

	json_object_begin(json);
	key_text(json, is_function ? "name" : "function", profile_string(profile, function->name));
	key_text(json, "file", *file == '\0' ? NULL : file);
	write_line_number(json, is_function ? function->first_line : row->line);
	key_number(json, "self", row->self);
	key_number(json, "self_low", row->self_low);
	key_number(json, "self_high", row->self_high);
	key_number(json, "total", row->total);
	key_number(json, "total_low", row->total_low);
	key_number(json, "total_high", row->total_high);
	key_unsigned(json, "self_samples", row->self_count);
	if (is_function) {
		json_key(json, "hottest_line");
		if (row->hottest_line != 0)
			json_unsigned(json, row->hottest_line);
		else
			json_absent(json);
		key_number(json, "hottest_line_self",
			   row->hottest_line != 0 ? row->hottest_line_self : NAN);
	}
	json_object_end(json);
}

static void write_rows(struct json_writer *json, const struct profile *profile, bool functions,
		       const struct share_row *rows, size_t count, size_t limit)
{
	json_key(json, functions ? "functions" : "lines");
	json_array_begin(json);
	for (size_t i = 0; i < count && (limit == 0 || i < limit); i++)
		write_row(json, profile, &rows[i], functions);
	json_array_end(json);
}

static void write_processes(struct json_writer *json, const struct profile *profile)
{
	json_key(json, "processes");
	json_array_begin(json);
	for (uint32_t i = 1; i < profile->process_count; i++) {
		const struct profile_process *process = &profile->processes[i];

		json_object_begin(json);
		key_unsigned(json, "pid", process->pid);
		key_unsigned(json, "parent_pid", process->parent_pid);
		key_text(json, "command", profile_string(profile, process->command));
		key_text(json, "python",
			 process->python.v != 0 ? profile_string(profile, process->python) : NULL);
		key_number(json, "cpu_s", seconds(process->cpu_ns));
		key_unsigned(json, "peak_rss_bytes", process->peak_rss_bytes);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_threads(struct json_writer *json, const struct profile *profile)
{
	json_key(json, "threads");
	json_array_begin(json);
	for (uint32_t i = 1; i < profile->thread_count; i++) {
		const struct profile_thread *thread = &profile->threads[i];

		json_object_begin(json);
		key_unsigned(json, "pid", profile->processes[thread->process.v].pid);
		key_unsigned(json, "tid", thread->tid);
		key_text(json, "name",
			 thread->name.v != 0 ? profile_string(profile, thread->name) : NULL);
		json_key(json, "main");
		json_bool(json, thread->is_main);
		key_number(json, "on_cpu_s", seconds(thread->on_cpu_ns));
		key_number(json, "runqueue_s", seconds(thread->runqueue_ns));
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_trust(struct json_writer *json, const struct profile *profile,
			const struct selection *selection, const struct shares *shares,
			const char *damage)
{
	char text[VERDICT_TEXT_MAX];

	verdict_write(profile, selection, shares, text, sizeof(text));
	key_text(json, "verdict", text);
	scope_write(selection, text, sizeof(text));
	key_text(json, "share_of", text);
	json_key(json, "complete");
	json_bool(json, profile->meta.complete);
	key_text(json, "damage", damage == NULL || *damage == '\0' ? NULL : damage);
}

int report_json_write(const struct profile *profile, const struct selection *selection,
		      enum share_sort sort, size_t limit, const char *damage, FILE *stream,
		      struct err *err)
{
	struct json_writer json;
	struct shares shares;
	int r = shares_compute(profile, selection, &shares, err);

	if (r < 0)
		return r;
	json_start(&json, stream, true);
	json_object_begin(&json);
	key_unsigned(&json, "schema_version", REPORT_SCHEMA_VERSION);
	write_trust(&json, profile, selection, &shares, damage);
	shares_sort(&shares, sort);
	write_run(&json, profile);
	write_samples(&json, &profile->meta, &shares);
	write_states(&json, &shares);
	write_rows(&json, profile, true, shares.functions, shares.function_count, limit);
	write_rows(&json, profile, false, shares.lines, shares.line_count, limit);
	json_key(&json, "findings");
	json_array_begin(&json);
	json_array_end(&json);
	write_processes(&json, profile);
	write_threads(&json, profile);
	json_object_end(&json);
	fputc('\n', stream);
	shares_release(&shares);
	return stream_finish(stream, "the report", err);
}
