/* What the probe writes is read as it says, and anything else is refused or passed over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "bench/imports.h"
#include "bench/imports_events.h"
#include "bench/imports_judge.h"

#define START "P\t1\tcpython\t3.12.1\t/usr/bin/python3\t1490\t1500\tsys.monitoring\n"
#define LAUNCHED 1000

static int read_text(struct imports_result *result, const char *text, struct err *err)
{
	memset(result, 0, sizeof(*result));
	arena_init(&result->arena, 0);
	return imports_events_read(result, text, strlen(text), LAUNCHED, err);
}

/* An import, with what most rows have in common. */
static const char *import_line(int number, int parent, const char *name, int total, int children,
			       const char *error)
{
	static char lines[16][256];
	static int next;
	char *line = lines[next++ % 16];

	snprintf(line, 256,
		 "I\t%d\t%d\t0\t%s\tSourceFileLoader\t/a/%s.py\t%d\t%d\t%d\t-\t-\t-\t4096\t1\t10\t3"
		 "\t/a/app.py\t7\t<module>\t1\timport\t0\t0\t%s\n",
		 number, parent, name, name, 1500 + number, total, children, error);
	return line;
}

#define LOADED "-\t-\t-"
#define MISSING(name) "ModuleNotFoundError\tNo module named it\t" name

struct bad_case {
	const char *name, *text;
	int code;
};

static void what_is_not_the_probes_is_refused(void **state)
{
	static const struct bad_case cases[] = {
	    {"nothing", "", ERR_NOT_PYTHON},
	    {"something else", "hello\n", ERR_NOT_PYTHON},
	    {"an import before the start", "M\tjson\n", ERR_NOT_PYTHON},
	    {"another version", "P\t2\tcpython\t3.12.1\tx\t1\t1\tx\n", ERR_NOT_PYTHON},
	    {"an unknown letter", START "Q\t1\n", ERR_FILE},
	    {"a field too few", START "B\tos\n", ERR_FILE},
	    {"a field too many", START "M\tos\tx\n", ERR_FILE},
	    {"a time that is none", START "Z\tx\t1\t1\t-\n", ERR_FILE},
	    {"a number too long", START "Z\t1234567890123456789\t1\t1\t-\n", ERR_FILE},
	    {"a negative index", START "L\t-1\t2\t3\t4\n", ERR_FILE},
	    {"an empty line", START "\n", ERR_FILE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct imports_result result;
		struct err err = {0};
		int status = read_text(&result, cases[i].text, &err);

		if (status != -cases[i].code)
			fail_msg("%s: %d, %s", cases[i].name, status, err.what);
		imports_release(&result);
	}
}

static void a_parent_is_never_its_own_child(void **state)
{
	struct imports_result result;
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), START "%s", import_line(3, 3, "a", 5, 0, LOADED));
	assert_int_equal(read_text(&result, text, NULL), -ERR_FILE);
	imports_release(&result);
	snprintf(text, sizeof(text), START "%s", import_line(3, 9, "a", 5, 0, LOADED));
	assert_int_equal(read_text(&result, text, NULL), -ERR_FILE);
	imports_release(&result);
}

static void imports_come_in_the_order_in_which_they_began(void **state)
{
	struct imports_result result;
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text),
		 START "%s%s%sA\t3\topen\t/etc/x%%09y\nA\t9\topen\tz\n"
		       "L\t2\t5\t100\t1\nL\t2\t6\t900\t2\n"
		       "U\tb\tno\nU\ta\tyes\nM\ta\nM\tb\nY\tc\n"
		       "Z\t9000\t9500\t77\t123456\ncut off",
		 import_line(3, 2, "b", 30, 0, LOADED), import_line(2, 0, "a", 100, 30, LOADED),
		 import_line(7, 5, "orphan", 1, 0, LOADED));
	assert_int_equal(read_text(&result, text, NULL), 0);
	assert_int_equal(result.record_count, 3);
	assert_string_equal(result.records[0].name, "a");
	assert_int_equal(result.records[0].self_ns, 70);
	assert_int_equal(result.records[0].parent, IMPORTS_NONE);
	assert_int_equal(result.records[0].start_ns, 1502 - LAUNCHED - (1500 - 1490));
	assert_int_equal(result.records[0].by_line, 7);
	assert_int_equal(result.records[0].use, IMPORTS_USE_YES);
	assert_int_equal(result.records[1].parent, 0);
	assert_int_equal(result.records[1].use, IMPORTS_USE_NO);
	assert_true(result.records[1].body_ns == UINT64_MAX);
	assert_int_equal(result.records[2].parent, IMPORTS_NONE); /* killed inside number 5 */
	assert_int_equal(result.work_count, 1);
	assert_int_equal(result.work[0].record, 1);
	assert_string_equal(result.work[0].detail, "/etc/x\ty");
	assert_int_equal(result.line_count, 2);
	assert_int_equal(result.lines[0].line, 6); /* the slowest first */
	assert_int_equal(result.module_count, 2);
	assert_string_equal(result.lazy_left[0], "c");
	assert_true(result.complete);
	assert_int_equal(result.probe_ns, 77 + 10);
	assert_int_equal(result.peak_bytes, 123456);
	assert_int_equal(result.began_ns, 490);
	imports_release(&result);
}

static void without_an_end_the_program_is_incomplete(void **state)
{
	struct imports_result result;

	(void)state;
	assert_int_equal(read_text(&result, START "Z\t9000\t95", NULL), 0);
	assert_false(result.complete);
	assert_true(result.peak_bytes == UINT64_MAX);
	imports_release(&result);
}

static void an_import_that_finds_its_module_loaded_is_a_shell(void **state)
{
	struct imports_result result;
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text), START "%s%s%s", import_line(3, 2, "a.b", 5, 0, LOADED),
		 import_line(2, 1, "a", 9, 5, LOADED), import_line(1, 0, "a.b", 10, 9, LOADED));
	assert_int_equal(read_text(&result, text, NULL), 0);
	assert_true(result.records[0].shell);
	assert_false(result.records[1].shell);
	assert_false(result.records[2].shell);
	imports_release(&result);
}

struct fallback_case {
	const char *importer, *missing, *sibling;
	bool found;
};

static void a_missing_compiled_part_is_told_from_an_optional_module(void **state)
{
	static const struct fallback_case cases[] = {
	    {"pk.core", "pk._speedups", NULL, true},
	    {"pk.parser", "pk._parser", NULL, true},
	    {"pk", "pk._cpk", NULL, true},
	    {"pk.core", "pk.cyextension", NULL, true},
	    {"pk._init", "pk._init_local", NULL, false},
	    {"pk", "pk._version", NULL, false},
	    {"pk", "pk._c", NULL, true},
	    {"pk.parser", "pk.cparser", NULL, true},
	    {"pk.core", "pk.fast_ext", NULL, true},
	    {"pk.core", "pk.helper", "helper.pyx", true},
	    {"pk.core", "pk.helper", "helper.cpython-38-x86_64-linux-gnu.so", true},
	    {"pk.core", "pk.helper", NULL, false},
	    {"pk.core", "pk._windows", NULL, false},
	    {"pk.core", "pk._windows", "_windows.c", true},
	    {"json.scanner", "_json", NULL, true},
	    {"heapq", "_heapq", NULL, true},
	    {"subprocess", "_winapi", NULL, false},
	    {"pk.core", "simplejson", NULL, false},
	    {"pk.core", "other._speedups", NULL, false},
	    {"pkx", "pk._speedups", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct imports_result result;
		char text[4096], error[256];

		snprintf(error, sizeof(error), "ModuleNotFoundError\ttext\t%s", cases[i].missing);
		snprintf(text, sizeof(text), START "%s%s%s%s%s",
			 import_line(2, 1, cases[i].missing, 5, 0, error),
			 cases[i].sibling ? "E\t2\t" : "", cases[i].sibling ? cases[i].sibling : "",
			 cases[i].sibling ? "\n" : "",
			 import_line(1, 0, cases[i].importer, 9, 5, LOADED));
		assert_int_equal(read_text(&result, text, NULL), 0);
		assert_int_equal(imports_judge(&result, NULL), 0);
		if (result.fallback_count != cases[i].found)
			fail_msg("%s without %s", cases[i].importer, cases[i].missing);
		if (cases[i].found)
			assert_string_equal(result.fallbacks[0].module, cases[i].importer);
		assert_int_equal(result.work_count, 0); /* evidence is no work */
		imports_release(&result);
	}
}

static void a_failure_that_ended_the_importer_is_no_fallback(void **state)
{
	struct imports_result result;
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text), START "%s%s",
		 import_line(2, 1, "pk._c", 5, 0, MISSING("pk._c")),
		 import_line(1, 0, "pk", 9, 5, MISSING("pk._c")));
	assert_int_equal(read_text(&result, text, NULL), 0);
	assert_int_equal(imports_judge(&result, NULL), 0);
	assert_int_equal(result.fallback_count, 0);
	assert_false(result.records[1].handled);
	imports_release(&result);
}

static void a_package_is_unused_where_all_of_it_is(void **state)
{
	struct imports_result result;
	char text[8192];

	(void)state;
	/* app imports used (with an unused submodule) and idle (whose helper is used). */
	snprintf(text, sizeof(text),
		 START "%s%s%s%s%s%s"
		       "U\tused\tyes\nU\tused.part\tno\nU\tidle\tunknown\nU\tidle.core\tno\n"
		       "U\thelper\tyes\nZ\t9000\t9500\t77\t-\n",
		 import_line(2, 1, "used.part", 10, 0, LOADED),
		 import_line(1, 0, "used", 15, 10, LOADED),
		 import_line(5, 4, "helper", 30, 0, LOADED),
		 import_line(6, 4, "_compiled", 7, 0, LOADED),
		 import_line(4, 3, "idle.core", 77, 37, LOADED),
		 import_line(3, 0, "idle", 100, 77, LOADED));
	assert_int_equal(read_text(&result, text, NULL), 0);
	assert_int_equal(imports_judge(&result, NULL), 0);
	assert_int_equal(result.unused_count, 2);
	assert_string_equal(result.records[result.unused[0].record].name, "idle");
	assert_int_equal(result.unused[0].avoidable_ns, 100 - 30);
	assert_string_equal(result.records[result.unused[1].record].name, "used.part");
	assert_int_equal(result.unused[1].avoidable_ns, 10);
	assert_int_equal(result.total_ns, 115);
	assert_int_equal(result.startup_ns, 115);
	imports_release(&result);
}

static void importtime_gives_the_times_of_what_was_there_before(void **state)
{
	static const char told[] = "import time: self [us] | cumulative | imported package\n"
				   "import time:       123 |        456 |   encodings\n"
				   "a warning\n"
				   "import time:         7 |          8 | encodings.utf_8\n"
				   "import time:         x |          8 | os\n"
				   "import time:         1 |";
	struct imports_result result;

	(void)state;
	assert_int_equal(
	    read_text(&result, START "B\tencodings\t/lib/encodings/__init__.py\nB\tos\t-\n", NULL),
	    0);
	imports_importtime_read(&result, told, sizeof(told) - 1);
	assert_int_equal(result.before_count, 2);
	assert_int_equal(result.before[0].self_ns, 123000);
	assert_int_equal(result.before[0].total_ns, 456000);
	assert_null(result.before[1].file);
	assert_true(result.before[1].self_ns == UINT64_MAX);
	imports_release(&result);
}

static void out_of_memory_is_an_answer(void **state)
{
	char text[4096];
	bool failed = true;

	(void)state;
	snprintf(text, sizeof(text),
		 START "%s%sB\tos\t-\nA\t1\topen\tx\nU\ta\tno\nM\ta\nZ\t1\t2\t3\t4\n",
		 import_line(2, 1, "a._b", 5, 0, MISSING("a._b")),
		 import_line(1, 0, "a", 9, 5, LOADED));
	for (long n = 0; failed; n++) {
		struct imports_result result;
		struct err err = {0};
		int status;

		mem_fail_after(n);
		status = read_text(&result, text, &err);
		if (status == 0)
			status = imports_judge(&result, &err);
		failed = mem_failed();
		mem_fail_after(-1);
		if (status != 0)
			assert_int_equal(status, -ERR_MEMORY);
		imports_release(&result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_the_probes_is_refused),
	    cmocka_unit_test(a_parent_is_never_its_own_child),
	    cmocka_unit_test(imports_come_in_the_order_in_which_they_began),
	    cmocka_unit_test(without_an_end_the_program_is_incomplete),
	    cmocka_unit_test(an_import_that_finds_its_module_loaded_is_a_shell),
	    cmocka_unit_test(a_missing_compiled_part_is_told_from_an_optional_module),
	    cmocka_unit_test(a_failure_that_ended_the_importer_is_no_fallback),
	    cmocka_unit_test(a_package_is_unused_where_all_of_it_is),
	    cmocka_unit_test(importtime_gives_the_times_of_what_was_there_before),
	    cmocka_unit_test(out_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
