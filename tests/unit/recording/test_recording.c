/* What is written into a recording is what is read from it. */
#include "recording_fixture.h"

static void assert_tables(const struct profile *a, const struct profile *b)
{
	assert_int_equal(a->string_count, b->string_count);
	for (uint32_t i = 0; i < a->string_count; i++)
		assert_string_equal(a->strings[i], b->strings[i]);
	assert_int_equal(a->function_count, b->function_count);
	assert_memory_equal(a->functions, b->functions, a->function_count * sizeof(*a->functions));
	assert_int_equal(a->frame_count, b->frame_count);
	for (uint32_t i = 0; i < a->frame_count; i++) {
		assert_int_equal(a->frames[i].function.v, b->frames[i].function.v);
		assert_int_equal(a->frames[i].line, b->frames[i].line);
		assert_int_equal(a->frames[i].column, b->frames[i].column);
		assert_int_equal(a->frames[i].kind, b->frames[i].kind);
	}
	assert_int_equal(a->stack_count, b->stack_count);
	assert_memory_equal(a->stacks, b->stacks, a->stack_count * sizeof(*a->stacks));
	assert_int_equal(a->process_count, b->process_count);
	assert_int_equal(a->thread_count, b->thread_count);
	for (uint32_t i = 1; i < a->thread_count; i++) {
		assert_int_equal(a->threads[i].tid, b->threads[i].tid);
		assert_int_equal(a->threads[i].name.v, b->threads[i].name.v);
		assert_int_equal(a->threads[i].is_main, b->threads[i].is_main);
		assert_true(a->threads[i].on_cpu_ns == b->threads[i].on_cpu_ns);
	}
	for (uint32_t i = 1; i < a->process_count; i++) {
		assert_int_equal(a->processes[i].pid, b->processes[i].pid);
		assert_true(a->processes[i].cpu_ns == b->processes[i].cpu_ns);
		assert_true(a->processes[i].end_ns == b->processes[i].end_ns);
	}
	assert_int_equal(a->marker_count, b->marker_count);
	assert_string_equal(a->meta.command, b->meta.command);
	assert_true(a->meta.rate_hz == b->meta.rate_hz);
	assert_true(a->meta.stolen_ns == b->meta.stolen_ns);
	assert_true(a->meta.counts.scheduled == b->meta.counts.scheduled);
	assert_null(a->meta.host);
}

static void what_is_written_in_appends_is_read_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct written written;
		struct recording_writer *writer;
		struct profile *profile;
		struct recording_damage damage;
		const struct profile *view;
		size_t sums;

		made_start(&written, seed, 1 + 40 * (uint32_t)seed, 1 + (uint32_t)seed % 5);
		view = profile_builder_view(written.made.builder);
		assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(append(&written, writer, 1 + 30 * i), 0);
			made_grow(&written.made, 10, i % 2);
			profile_builder_process(written.made.builder, (struct process_id){1})
			    ->end_ns += 7;
		}
		assert_int_equal(recording_writer_finish(writer, view, NULL), 0);
		assert_true(recording_writer_size_bytes(writer) > 0);
		recording_writer_free(writer);

		assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL),
				 0);
		assert_string_equal(damage.text, "");
		assert_tables(profile, view);
		assert_true(profile->meta.complete);
		assert_samples(profile, written.samples, written.count);
		profile_free(profile);

		assert_int_equal(
		    recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
		assert_true(profile->meta.aggregated);
		sums = sum(written.samples, written.count);
		assert_samples(profile, written.samples, sums);
		profile_free(profile);

		assert_int_equal(recording_read(path, RECORDING_META, &profile, &damage, NULL), 0);
		assert_int_equal(profile->thread_count, view->thread_count);
		assert_int_equal(profile->sample_count, 0);
		profile_free(profile);
		made_end(&written);
	}
}

static void near_its_bound_the_time_line_stops_and_the_sums_go_on(void **state)
{
	struct recording_writer_options options = {.overwrite = true, .max_size_bytes = 200000};
	struct written written;
	struct recording_writer *writer;
	struct recording_damage damage;
	struct profile *profile;
	size_t sums;

	(void)state;
	made_start(&written, 8, 50, 10);
	assert_int_equal(recording_writer_open(path, &options, &writer, NULL), 0);
	for (int i = 0; i < 150; i++)
		assert_int_equal(append(&written, writer, 100), 0);
	assert_int_equal(
	    recording_writer_finish(writer, profile_builder_view(written.made.builder), NULL), 0);
	assert_in_range(recording_writer_size_bytes(writer), 100000, 200000);
	recording_writer_free(writer);
	assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL), 0);
	assert_string_equal(damage.text, "");
	assert_in_range(profile->sample_count, 1000, written.count - 1000);
	assert_int_equal(profile->sample_count + profile->meta.timeline_dropped, written.count);
	profile_free(profile);
	assert_int_equal(recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
	sums = sum(written.samples, written.count);
	assert_samples(profile, written.samples, sums);
	profile_free(profile);
	made_end(&written);
}

/* a (self 10) calls b, which calls itself (self 30): totals count recursion once. */
static void the_views_count_recursion_once(void **state)
{
	struct profile_builder *builder = profile_builder_new();
	struct recording_writer *writer;
	struct profile_sample samples[2] = {0};
	struct stack_id stack = {0};
	struct process_id process;
	sqlite3_stmt *row;
	sqlite3 *db;
	static const char names[] = "abb";

	(void)state;
	profile_builder_add_process(builder, &(struct profile_process){.pid = 1}, &process, NULL);
	profile_builder_add_thread(builder, &(struct profile_thread){.process = process},
				   &samples[0].thread, NULL);
	for (int i = 0; i < 3; i++) {
		struct profile_function function = {0};
		struct profile_frame frame = {.line = (uint32_t)(names[i] - 'a') + 5,
					      .kind = FRAME_PYTHON};
		struct frame_id frame_id;

		profile_builder_string(builder, &names[i], 1, &function.name, NULL);
		profile_builder_string(builder, "x.py", 4, &function.file, NULL);
		profile_builder_function(builder, &function, &frame.function, NULL);
		profile_builder_frame(builder, &frame, &frame_id, NULL);
		profile_builder_stack(builder, stack, frame_id, &stack, NULL);
	}
	samples[0].count = 1;
	samples[0].weight_ns = 10;
	samples[0].stack.v = 1;
	samples[1] = samples[0];
	samples[1].weight_ns = 30;
	samples[1].stack = stack;
	assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
	assert_int_equal(
	    recording_writer_append(writer, profile_builder_view(builder), samples, 2, NULL), 0);
	recording_writer_free(writer);
	profile_builder_free(builder);

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_prepare_v2(
	    db, "SELECT group_concat(name || ' ' || self || ' ' || total, ', ') FROM hot_functions",
	    -1, &row, NULL);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0), "b 0.75 0.75, a 0.25 1.0");
	sqlite3_finalize(row);
	sqlite3_prepare_v2(db,
			   "SELECT group_concat(file || ':' || line || ' ' || self || ' ' || "
			   "total, ', ') FROM hot_lines",
			   -1, &row, NULL);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0),
			    "x.py:6 0.75 0.75, x.py:5 0.25 1.0");
	sqlite3_finalize(row);
	sqlite3_prepare_v2(
	    db, "SELECT group_concat(text, ' ') FROM (SELECT text FROM stack_text ORDER BY stack)",
	    -1, &row, NULL);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0), "a a;b;b");
	sqlite3_finalize(row);
	sqlite3_close(db);
}

static void every_allocation_may_fail(void **state)
{
	struct written written;
	struct profile *profile;
	struct recording_writer *writer;
	int code = -1;

	(void)state;
	made_start(&written, 2, 30, 2);
	for (long n = 0; code != 0; n++) {
		writer = NULL;
		mem_fail_after(n);
		code = recording_writer_open(path, &plain, &writer, NULL);
		if (code == 0)
			code = append(&written, writer, 5);
		mem_fail_after(-1);
		recording_writer_free(writer);
		assert_true(code == 0 || code == -ERR_MEMORY);
		assert_true(n < 1000);
	}
	code = -1;
	for (long n = 0; code != 0; n++) {
		mem_fail_after(n);
		code = recording_read(path, n % 2 ? RECORDING_TIMELINE : RECORDING_AGGREGATED,
				      &profile, NULL, NULL);
		mem_fail_after(-1);
		assert_true(code == 0 || code == -ERR_MEMORY);
		assert_true(n < 3000);
	}
	profile_free(profile);
	made_end(&written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_written_in_appends_is_read_back),
	    TEST(near_its_bound_the_time_line_stops_and_the_sums_go_on),
	    TEST(the_views_count_recursion_once),
	    TEST(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
