/* Files that are no recording, cut, changed by hand or at random: refused by name, or read as far
 * as they are true. */
#include "recording_fixture.h"

static void another_kind_of_file_is_named_and_not_replaced(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *name;
	} rows[] = {
	    {"", 0, "empty"},
	    {"{\"a\": 1}", 8, "JSON"},
	    {"\x1f\x8b\x08\0", 4, "gzip"},
	    {"hello\n", 6, "text"},
	    {"\x7f"
	     "ELF\2",
	     5, "ELF"},
	    {"SQLite format 3\0xx", 18, "cut within its header"},
	    {"\1\2\3", 3, "binary"},
	};
	struct recording_writer *writer;
	struct profile *profile;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(rows[i].bytes, rows[i].size);
		memset(&err, 0, sizeof(err));
		assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err),
				 -ERR_FILE);
		assert_non_null(strstr(err.why, rows[i].name));
		if (rows[i].size) {
			assert_int_equal(recording_writer_open(path, &plain, &writer, &err),
					 -ERR_FILE);
			assert_non_null(strstr(err.why, rows[i].name));
		}
	}
	assert_int_equal(recording_read(folder, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "a directory"));
	assert_int_equal(recording_writer_open(folder, &plain, &writer, &err), -ERR_FILE);
	unlink(path);
	assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.what, path));
}

static void a_newer_schema_and_another_program_are_refused_by_name(void **state)
{
	struct profile *profile;
	struct recording_writer *writer;
	struct err err;

	(void)state;
	write_small(1, 5);
	assert_int_equal(
	    recording_writer_open(path, &(struct recording_writer_options){0}, &writer, &err),
	    -ERR_FILE);
	change(
	    "UPDATE meta SET value='9.8.7' WHERE key='pyrometer_version'; PRAGMA user_version=2");
	assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "9.8.7"));
	assert_non_null(strstr(err.what, "newer"));
	change("PRAGMA application_id=7");
	assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "another program"));
}

static void hostile_tables_cost_what_they_hold_and_no_more(void **state)
{
	static const struct {
		const char *sql;
		const char *says;
	} rows[] = {
	    {"UPDATE stack SET parent = id WHERE id = 5", "left out"},
	    {"UPDATE stack SET parent = 4000000000 WHERE id = 5", "left out"},
	    {"UPDATE stack SET parent = -1", "left out"},
	    {"UPDATE frame SET kind = 77 WHERE id = 2", "left out"},
	    {"UPDATE frame SET line = 'x' WHERE id = 2", "left out"},
	    {"UPDATE function SET name = 999999", "left out"},
	    {"INSERT INTO string VALUES(9223372036854775807, 'far')", "string"},
	    {"UPDATE string SET text = x'ff00fe' WHERE id = 3", "left out"},
	    {"UPDATE string SET text = CAST(x'ff0afe1b' AS TEXT) WHERE id = 3", NULL},
	    {"UPDATE thread SET process = 9 WHERE id = 1", "left out"},
	    {"UPDATE aggregate SET state = 6 WHERE state = 1", NULL},
	    {"UPDATE aggregate SET count = 9223372036854775807", NULL},
	    {"UPDATE sample_block SET data = x'0105'", "blocks"},
	    {"UPDATE sample_block SET data = 'text'", "blocks"},
	    {"UPDATE meta SET value = x'00' WHERE key = 'rate_hz'", NULL},
	    {"UPDATE meta SET value = -5 WHERE key = 'duration_ns'", "left out"},
	    {"DROP TABLE stack; CREATE VIEW stack(id, parent, frame) AS WITH RECURSIVE c(x) AS "
	     "(SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, 0, 1 FROM c",
	     "stack is missing"},
	    {"DROP TABLE string; CREATE TABLE string(id INTEGER PRIMARY KEY, text TEXT, more)",
	     "string is missing"},
	    {"DROP TABLE sample_block", "sample_block is missing"},
	    {"CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END", NULL},
	};
	struct recording_damage damage;
	struct profile *profile;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_small(2, 20);
		change(rows[i].sql);
		assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL),
				 0);
		check_profile(profile);
		if (rows[i].says && !strstr(damage.text, rows[i].says))
			fail_msg("%s: says \"%s\"", rows[i].sql, damage.text);
		profile_free(profile);
		assert_int_equal(
		    recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
		check_profile(profile);
		profile_free(profile);
	}
}

static void a_file_cut_anywhere_gives_its_readable_part(void **state)
{
	size_t size, all, count = write_small(250, 60), at_half = 0;
	uint8_t *bytes = read_file(&size);

	(void)state;
	for (size_t cut = 1; cut < size; cut += cut < 200 ? 1 : 2997) {
		for (enum recording_detail detail = RECORDING_META; detail <= RECORDING_TIMELINE;
		     detail++) {
			struct recording_damage damage;
			struct profile *profile;
			struct stat status;
			struct err err = {0};
			int code;

			if (detail == RECORDING_META && cut > 20000)
				continue;
			write_file(bytes, cut);
			code = recording_read(path, detail, &profile, &damage, &err);
			assert_int_equal(stat(path, &status), 0);
			assert_int_equal(status.st_size, cut);
			if (code < 0) {
				assert_int_equal(code, -ERR_FILE);
				assert_true(err.what[0] && err.why[0] && err.next[0]);
				assert_true(cut < 3 * size / 4);
				continue;
			}
			check_profile(profile);
			assert_true(damage.text[0]);
			all = 0;
			for (size_t i = 0; i < profile->sample_count; i++)
				all += profile->samples[i].count;
			assert_true(all <= count);
			if (cut >= size / 2 && !at_half && detail == RECORDING_TIMELINE) {
				at_half = all;
				print_message("cut in half: %zu of %zu samples; %s\n", all, count,
					      damage.text);
			}
			profile_free(profile);
		}
	}
	assert_true(at_half > count / 4);
	write_file(bytes, size);
	free(bytes);
}

static void bytes_changed_at_random_never_break_the_model(void **state)
{
	size_t size, good = 0;
	uint8_t *bytes;
	struct made made = {.seed = 5};

	(void)state;
	write_small(5, 30);
	bytes = read_file(&size);
	for (int round = 0; round < 1500; round++) {
		uint8_t *copy = malloc(size);
		struct profile *profile;
		struct recording_damage damage;

		memcpy(copy, bytes, size);
		for (uint32_t i = 0, changes = 1 + made_random(&made, 20); i < changes; i++)
			copy[100 + made_random(&made, (uint32_t)size - 100)] =
			    (uint8_t)made_random(&made, 256);
		if (recording_read_bytes(copy, size,
					 round % 2 ? RECORDING_TIMELINE : RECORDING_AGGREGATED,
					 &profile, &damage, NULL) == 0) {
			check_profile(profile);
			profile_free(profile);
			good++;
		}
		free(copy);
	}
	assert_true(good > 100);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(another_kind_of_file_is_named_and_not_replaced),
	    TEST(a_newer_schema_and_another_program_are_refused_by_name),
	    TEST(hostile_tables_cost_what_they_hold_and_no_more),
	    TEST(a_file_cut_anywhere_gives_its_readable_part),
	    TEST(bytes_changed_at_random_never_break_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
