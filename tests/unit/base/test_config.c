/* Configuration: TOML that is ours, TOML that isn't, and bytes that are neither. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/err.h"
#include "base/options.h"

struct sample_options {
	bool json;
	const char *view, *title;
	int64_t depth;
	double duration, rate;
	uint64_t size;
	struct option_texts only;
};

static const char *const views[] = {"tree", "lines", NULL};
static const struct sample_options defaults = {.view = "tree", .depth = 7, .rate = 500};

#define AT(field) .offset = offsetof(struct sample_options, field), .set_offset = OPTION_NO_SET
static const struct option options[] = {
    {.name = "json", .type = OPTION_FLAG, AT(json), .help = ""},
    {.name = "view", .type = OPTION_CHOICE, AT(view), .choices = views, .help = ""},
    {.name = "title", .type = OPTION_TEXT, AT(title), .help = ""},
    {.name = "depth", .type = OPTION_INTEGER, AT(depth), .help = ""},
    {.name = "duration", .type = OPTION_DURATION, AT(duration), .help = ""},
    {.name = "rate", .type = OPTION_RATE, AT(rate), .help = "", .config_key = "sampling-rate"},
    {.name = "max-size", .type = OPTION_SIZE, AT(size), .help = ""},
    {.name = "only", .type = OPTION_TEXTS, AT(only), .help = ""},
    {.name = "pid", .type = OPTION_PID, AT(depth), .help = "", .no_config = true},
    {.name = NULL},
};
static const struct command command_run = {.name = "run",
					   .options = options,
					   .options_size = sizeof(struct sample_options),
					   .defaults = &defaults};
static const struct command command_report = {.name = "report",
					      .options = options,
					      .options_size = sizeof(struct sample_options),
					      .defaults = &defaults};
static const struct command command_bare = {.name = "bare"};
static const struct command *const commands[] = {&command_run, &command_report, &command_bare,
						 NULL};

/* Parses, checks and applies to `run` and the given words. */
static int load(const char *text, size_t size, struct config *config, char **argv, int argc,
		struct sample_options *values, struct err *err)
{
	int first;
	bool help;
	memset(values, 0, sizeof *values);
	config_init(config);
	int rc = config_parse(config, "p.toml", text, size, err);
	if (rc == 0) {
		rc = config_check(config, commands, err);
	}
	if (rc == 0) {
		rc = options_parse(&command_run, config, argc, argv, values, &first, &help, err);
	}
	return rc;
}

static void describe(const struct sample_options *values, char *text, size_t size)
{
	size_t used =
	    (size_t)snprintf(text, size, "%d %s %s %lld %g %g %llu", values->json, values->view,
			     values->title != NULL ? values->title : "-", (long long)values->depth,
			     values->duration, values->rate, (unsigned long long)values->size);
	for (size_t i = 0; i < values->only.count; i++) {
		used += (size_t)snprintf(text + used, size - used, " %s", values->only.items[i]);
	}
}

static void settings_reach_the_options(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
	    {"", "0 tree - 7 0 500 0"},
	    {"[tool.pyrometer]\njson = true\n", "1 tree - 7 0 500 0"},
	    {"[tool.pyrometer]\ndepth = 1\n[tool.pyrometer.run]\ndepth = 2", "0 tree - 2 0 500 0"},
	    {"[tool.pyrometer.run]\ndepth = 2\n[tool.pyrometer]\ndepth = 1", "0 tree - 2 0 500 0"},
	    {"[tool.pyrometer.report]\ndepth = 2", "0 tree - 7 0 500 0"},
	    {"[tool.other]\ndepth = 2\n[tool]\npyrometer.depth = 3", "0 tree - 3 0 500 0"},
	    {"tool.pyrometer.run.depth = +1_000 # a comment", "0 tree - 1000 0 500 0"},
	    {"[tool]\npyrometer = {run = {depth = 4, \"json\" = true}, view = 'lines'}",
	     "1 lines - 4 0 500 0"},
	    {"[tool.pyrometer]\nonly = [ 'a', # x\n\n \"b\\tc\\u00e9\" ,\n]",
	     "0 tree - 7 0 500 0 a b\tc\xC3\xA9"},
	    {"[tool.pyrometer]\nonly = 'one'\nsampling-rate = 'max'\nduration = '2m'",
	     "0 tree - 7 120 inf 0 one"},
	    {"[ tool . \"pyrometer\" ]\r\nduration = 1.5\r\nmax-size = 1e3\r\n",
	     "0 tree - 7 1.5 500 1000"},
	    {"\xEF\xBB\xBF[tool.pyrometer]\ntitle = 'C:\\x \"q\"'", "0 tree C:\\x \"q\" 7 0 500 0"},
	    /* What others write in the same file, and what it must not be taken for. */
	    {"a = '''\n[tool.pyrometer]\nnonsense = 1\n'''\nb = "
	     "\"\"\"x\\\"\"\"\"\n[tool.pyrometer]\ndepth = 5",
	     "0 tree - 5 0 500 0"},
	    {"a = [[1, {b = [2]}], \"]\", '#',\n 1979-05-27T07:32:00Z, 0xFF, inf]\n"
	     "d = 1979-05-27 07:32:00\n[[x]]\ny = 1\n[tool.pyrometer]\ndepth = 6",
	     "0 tree - 6 0 500 0"},
	    {"[[tool.pyrometers]]\ndepth = 1\n['tool.pyrometer']\ndepth = 2", "0 tree - 7 0 500 0"},
	    {"[x]\ntool.pyrometer.depth = 2", "0 tree - 7 0 500 0"},
	    {"a = \"\"\"five quotes\"\"\"\"\"\n[tool.pyrometer]\ndepth = 8", "0 tree - 8 0 500 0"},
	    {"a = \"\"\"line\\\n  go on\"\"\"\n[tool.pyrometer]\ndepth = 9", "0 tree - 9 0 500 0"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char name[] = "run", *argv[] = {name, NULL}, text[512];
		struct config config;
		struct sample_options values;
		struct err err = {.code = 0};
		if (load(rows[i].text, strlen(rows[i].text), &config, argv, 1, &values, &err) !=
		    0) {
			fail_msg("%s: %s: %s", rows[i].text, err.what, err.why);
		}
		describe(&values, text, sizeof text);
		assert_string_equal(text, rows[i].wanted);
		options_release(&command_run, &values);
		config_release(&config);
	}
}

static void the_command_line_wins(void **state)
{
	static const char text[] =
	    "[tool.pyrometer.run]\njson = true\ndepth = 2\nonly = ['a', 'b']\n";
	char words[][16] = {"run", "--no-json", "--depth=3", "--only", "c"};
	char *argv[] = {words[0], words[1], words[2], words[3], words[4], NULL}, found[256];
	struct config config;
	struct sample_options values;
	(void)state;
	assert_int_equal(load(text, strlen(text), &config, argv, 5, &values, NULL), 0);
	describe(&values, found, sizeof found);
	assert_string_equal(found, "0 tree - 3 0 500 0 c");
	const struct config_entry *entry = config_find(&config, &command_run, &options[3]);
	assert_non_null(entry);
	assert_int_equal(entry->line, 3);
	assert_null(config_find(&config, &command_report, &options[3]));
	options_release(&command_run, &values);
	config_release(&config);
}

static void errors_name_the_line_and_the_cause(void **state)
{
	static const struct {
		const char *text, *what, *why;
	} rows[] = {
	    {"[tool.pyrometer]\ndpeth = 1", "p.toml:2: unknown key 'dpeth'; did you mean 'depth'?",
	     ""},
	    {"[tool.pyrometer]\nrate = 1", "p.toml:2: unknown key 'rate'", ""},
	    {"[tool.pyrometer]\npid = 1", "p.toml:2: unknown key 'pid'", ""},
	    {"\n[tool.pyrometer.rn]", "p.toml:2: unknown command 'rn'; did you mean 'run'?", ""},
	    {"[tool.pyrometer.bare]\ndepth = 1", "p.toml:2: unknown key 'depth'", "bare"},
	    {"[tool.pyrometer]\ndepth = 'x'", "p.toml:2: the value doesn't fit", "whole number"},
	    {"[tool.pyrometer]\ndepth = 1.5", "p.toml:2: the value doesn't fit", "whole number"},
	    {"[tool.pyrometer]\njson = 1", "p.toml:2: the value doesn't fit", "true or false"},
	    {"[tool.pyrometer]\nview = 'treee'",
	     "p.toml:2: view: 'treee' is unknown; did you mean 'tree'?", "tree, lines"},
	    {"[tool.pyrometer]\nonly = ['a', 1]", "the value doesn't fit", "array"},
	    {"[tool.pyrometer]\ndepth = 1\ndepth = 2", "p.toml:3: 'depth' is set twice", "line 2"},
	    {"[tool.pyrometer]\ntitle = \"\"\"x\"\"\"", "p.toml:2", "several lines"},
	    {"[tool.pyrometer]\nduration = 1979-05-27", "p.toml:2", "not supported"},
	    {"[tool.pyrometer]\ndepth = 0x10", "p.toml:2", "not supported"},
	    {"[tool.pyrometer]\ndepth = 010", "p.toml:2", "not supported"},
	    {"[tool.pyrometer]\ndepth = 1__0", "p.toml:2", "not supported"},
	    {"[tool.pyrometer]\nduration = inf", "p.toml:2", "not supported"},
	    {"[tool.pyrometer]\nonly = [['a']]", "p.toml:2", "arrays or tables in an array"},
	    {"[[tool.pyrometer]]", "p.toml:1", "arrays of tables"},
	    {"[tool.pyrometer.run.deeper]\n", "p.toml:1", "deeper"},
	    {"tool.pyrometer = 5", "p.toml:1", "in its place"},
	    {"[tool.pyrometer]\ntitle = 'x", "p.toml:2", "closing quote"},
	    {"[tool.pyrometer]\ntitle = \"\\q\"", "p.toml:2", "escape"},
	    {"[tool.pyrometer]\ntitle = \"\\u0000\"", "p.toml:2", "escape"},
	    {"[tool.pyrometer]\ntitle = \"\\ud800\"", "p.toml:2", "escape"},
	    {"[tool.pyrometer]\ntitle = '\xFF'", "p.toml:2", "UTF-8"},
	    {"[tool.pyrometer]\ndepth", "p.toml:2", "= is expected"},
	    {"[tool.pyrometer]\ndepth =", "p.toml:2", "a value is expected"},
	    {"[tool.pyrometer]\ndepth = 1 2", "p.toml:2", "not supported"},
	    {"[tool.pyrometer]\ntitle = 'a' 'b'", "p.toml:2", "where the line should end"},
	    {"[tool.pyrometer\n", "p.toml:1", "closing bracket"},
	    {"a = '''\n\n", "p.toml:1", "closing quotes"},
	    {"a = [\n\n", "p.toml:1", "closing bracket"},
	    {"a = {b = 1\n", "p.toml:1", "closing brace"},
	    {"a = [ ] ]", "p.toml:1", "where the line should end"},
	    {"= 1", "p.toml:1", "a key is expected"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char name[] = "run", *argv[] = {name, NULL};
		struct config config;
		struct sample_options values;
		struct err err = {.code = 0};
		int rc = load(rows[i].text, strlen(rows[i].text), &config, argv, 1, &values, &err);
		if (rc != -ERR_USAGE || strstr(err.what, rows[i].what) == NULL ||
		    strstr(err.why, rows[i].why) == NULL || err.next[0] == '\0') {
			fail_msg("%s: %d %s / %s / %s", rows[i].text, rc, err.what, err.why,
				 err.next);
		}
		options_release(&command_run, &values);
		config_release(&config);
	}
}

static void depth_and_count_are_bounded(void **state)
{
	enum { SIZE = 200000 };
	static const char *const starts[] = {
	    "a = ", "[tool.pyrometer]\nonly = ", "[tool]\npyrometer = "};
	static const char *const units[] = {"[",    "{a=", "[{a=", "[1,", "a.",
					    "\"\\", "'''", "[[",   "=",	  "a=1\n"};
	char *text = malloc(SIZE + 64);
	(void)state;
	assert_non_null(text);
	for (size_t s = 0; s < 3; s++) {
		for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
			struct config config;
			size_t used = strlen(starts[s]);
			memcpy(text, starts[s], used);
			while (used < SIZE) {
				memcpy(text + used, units[u], strlen(units[u]));
				used += strlen(units[u]);
			}
			config_init(&config);
			config_parse(&config, "p", text, used, NULL); /* ends, whatever it says */
			config_release(&config);
		}
	}
	size_t used = (size_t)sprintf(text, "[tool.pyrometer]\n");
	for (int i = 0; i < 600; i++) {
		used += (size_t)sprintf(text + used, "k%d = 1\n", i);
	}
	struct config config;
	struct err err = {.code = 0};
	config_init(&config);
	assert_int_equal(config_parse(&config, "p", text, used, &err), -ERR_USAGE);
	assert_non_null(strstr(err.what, "p:514: too many settings"));
	config_release(&config);
	free(text);
}

/* Every prefix and every changed byte of a file that uses all there is. */
static void broken_bytes_do_no_harm(void **state)
{
	static const char text[] =
	    "\xEF\xBB\xBF[project]\nname = \"x\\u00e9\" # c\na = [1, [2, {b = '''x\n'''}]]\n"
	    "t = 1979-05-27T07:32:00Z\n[[tool.q]]\nz = \"\"\"a\\\nb\"\"\"\n"
	    "[tool.pyrometer]\nonly = [\"a\", 'b', ]\ntitle = \"\\t\\U0001F40D\"\n"
	    "run = {json = true, max-size = 1_0.5e-1}\n";
	char copy[sizeof text];
	(void)state;
	for (size_t size = 0; size < sizeof text; size++) {
		/* Exactly as long as said: the sanitizer sees a read past the end. */
		char *bytes = malloc(size > 0 ? size : 1);
		struct config config;
		memcpy(bytes, text, size);
		config_init(&config);
		config_parse(&config, "p", bytes, size, NULL);
		config_release(&config);
		free(bytes);
	}
	for (size_t at = 0; at < sizeof text - 1; at++) {
		static const char replacements[] = "\0\n\"'[]{}=,.#\\\xFF\xC3";
		for (size_t i = 0; i < sizeof replacements - 1; i++) {
			struct config config;
			memcpy(copy, text, sizeof text);
			copy[at] = replacements[i];
			config_init(&config);
			config_parse(&config, "p", copy, sizeof text - 1, NULL);
			config_release(&config);
		}
	}
}

static void any_allocation_may_fail(void **state)
{
	static const char text[] = "[tool.pyrometer]\ntitle = 'x'\nonly = ['a', 'b']\n"
				   "[tool.pyrometer.run]\ndepth = 3\n";
	char name[] = "run", *argv[] = {name, NULL};
	(void)state;
	for (long n = 0;; n++) {
		struct config config;
		struct sample_options values;
		struct err err = {.code = 0};
		mem_fail_after(n);
		int rc = load(text, strlen(text), &config, argv, 1, &values, &err);
		bool failed = mem_failed();
		mem_fail_after(-1);
		assert_int_equal(rc, failed ? -ERR_MEMORY : 0);
		options_release(&command_run, &values);
		config_release(&config);
		if (!failed) {
			assert_true(n >= 4);
			return;
		}
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static void the_nearest_file_is_read_and_only_a_file(void **state)
{
	char folder[] = "/tmp/pyrometer-test-XXXXXX", inner[64], outer_file[64], inner_file[128];
	struct config config;
	struct err err = {.code = 0};
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(inner, sizeof inner, "%s/a", folder);
	snprintf(outer_file, sizeof outer_file, "%s/pyproject.toml", folder);
	snprintf(inner_file, sizeof inner_file, "%s/pyproject.toml", inner);
	assert_int_equal(mkdir(inner, 0700), 0);

	write_file(outer_file, "[tool.pyrometer]\ndepth = 1\n");
	config_init(&config);
	assert_int_equal(config_load(&config, inner, &err), 0);
	assert_int_equal(config.count, 1);
	assert_string_equal(config.path, outer_file);
	config_release(&config);

	write_file(inner_file, "[project]\nname = 'x'\n");
	assert_int_equal(config_load(&config, inner, &err), 0);
	assert_int_equal(config.count, 0);
	assert_string_equal(config.path, inner_file);
	config_release(&config);

	assert_int_equal(remove(inner_file), 0);
	assert_int_equal(mkfifo(inner_file, 0600), 0);
	assert_int_equal(config_load(&config, inner, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "regular file"));
	config_release(&config);

	remove(inner_file);
	write_file(inner_file, "x");
	assert_int_equal(truncate(inner_file, (off_t)(TOML_FILE_BYTES_MAX + 1)), 0);
	assert_int_equal(config_load(&config, inner, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "4 MiB"));
	config_release(&config);

	assert_int_equal(config_load(&config, "/nonexistent-folder", &err), 0);
	assert_null(config.path);
	config_release(&config);
	remove(inner_file);
	remove(outer_file);
	rmdir(inner);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(settings_reach_the_options),
	    cmocka_unit_test(the_command_line_wins),
	    cmocka_unit_test(errors_name_the_line_and_the_cause),
	    cmocka_unit_test(depth_and_count_are_bounded),
	    cmocka_unit_test(broken_bytes_do_no_harm),
	    cmocka_unit_test(any_allocation_may_fail),
	    cmocka_unit_test(the_nearest_file_is_read_and_only_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
