/* Interpreters inside programs of other names: built here against the libraries that ~/.pyenv and
 * /usr/bin/python3 have, shared and static, with all names taken away from the static ones; and
 * blocks of debug offsets that no interpreter here has (free-threaded, too new, damaged).
 * Needs cc; what isn't there is named and left out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>

#include "find_target.h"

#define PREFIXES_MAX 16

struct prefix {
	char path[512];
	int minor;
};

static struct prefix prefixes[PREFIXES_MAX];
static size_t prefix_count;
static char folder[] = "/tmp/pyrometer-built-XXXXXX";

/* Says READY before Python starts, after it, and with a sub-interpreter, each with a wait for a
 * line of stdin. */
static const char embedder[] =
    "#include <Python.h>\n"
    "extern char _PyRuntime[];\n"
    "static void say(void) {\n"
    "	char line[16];\n"
    "	printf(\"READY %x %llx\\n\", PY_VERSION_HEX, (unsigned long long)(size_t)_PyRuntime);\n"
    "	fflush(stdout);\n"
    "	if (!fgets(line, sizeof(line), stdin)) exit(0);\n"
    "}\n"
    "int main(void) { say(); Py_Initialize(); say(); Py_NewInterpreter(); say(); return 0; }\n";

/* What starts a _PyRuntime of 3.13+, and nothing else of it. */
static const char block[] =
    "#include <stdio.h>\n"
    "#include <stdint.h>\n"
    "__attribute__((section(\".PyRuntime\"), used)) struct {\n"
    "	char cookie[8]; uint64_t version, free_threaded, words[120];\n"
    "} runtime = { \"xdebugpy\", VERSION, FREE_THREADED, { FILL, FILL, FILL, FILL } };\n"
    "int main(void) {\n"
    "	printf(\"READY %x 0\\n\", VERSION); fflush(stdout); return getchar() == 0;\n"
    "}\n";

static void write_file(const char *name, const char *text)
{
	char path[600];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int collect(void **state)
{
	const char *home = getenv("HOME");
	char pattern[600];
	glob_t found;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(pattern, sizeof(pattern), "%s/.pyenv/versions/3.*/include/python3.*",
		 home == NULL ? "" : home);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && prefix_count < PREFIXES_MAX; i++) {
			const char *path = found.gl_pathv[i], *end = strstr(path, "/include/");
			struct prefix *prefix = &prefixes[prefix_count];

			prefix->minor = atoi(strrchr(path, '.') + 1);
			if (layout_for_minor(prefix->minor) == NULL ||
			    strchr(path, 'm') == strrchr(path, 'm') + 1)
				continue;
			snprintf(prefix->path, sizeof(prefix->path), "%.*s", (int)(end - path),
				 path);
			prefix_count++;
		}
		globfree(&found);
	}
	write_file("embedder.c", embedder);
	write_file("block.c", block);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	return shell("rm -rf %s", folder) ? 0 : -1;
}

enum build {
	BUILD_SHARED, /* by -lpython */
	BUILD_COPIED, /* the same, but _PyRuntime moves into the program by a copy relocation */
	BUILD_STATIC, /* the whole interpreter inside the program, no name exported */
};

static bool build_embedder(const struct prefix *prefix, enum build build, const char *name)
{
	if (!shell("command -v cc >/dev/null"))
		return false;
	if (build == BUILD_STATIC)
		return shell("cc -w -o %s/%s %s/embedder.c -I%s/include/python3.%d "
			     "%s/lib/python3.%d/config-*/libpython3.%d.a -lpthread -ldl -lutil -lm "
			     "2>/dev/null",
			     folder, name, folder, prefix->path, prefix->minor, prefix->path,
			     prefix->minor, prefix->minor);
	return shell(
	    "cc -w %s -o %s/%s %s/embedder.c -I%s/include/python3.%d -L%s/lib -lpython3.%d "
	    "-Wl,-rpath,%s/lib 2>/dev/null",
	    build == BUILD_SHARED ? "-fPIC" : "-fno-pic -no-pie", folder, name, folder,
	    prefix->path, prefix->minor, prefix->path, prefix->minor, prefix->path);
}

/* Nothing of a file's names is left: only its memory tells. */
static void take_names_away(const char *name)
{
	assert_true(shell("strip -s %s/%s", folder, name));
	assert_true(shell(
	    "printf '\\0\\0\\0\\0\\0\\0\\0\\0' | dd of=%s/%s bs=1 seek=40 conv=notrunc status=none",
	    folder, name));
	assert_true(
	    shell("printf '\\0\\0\\0\\0' | dd of=%s/%s bs=1 seek=60 conv=notrunc status=none",
		  folder, name));
}

/* Refused as not started at its first line, found at the others. nameless: before it has started
 * nothing tells that it will be Python. */
static void check_embedder(const char *name, bool nameless, bool shared)
{
	char path[600];
	char *argv[] = {path, NULL};
	struct target target;
	struct runtime runtime;
	struct err err;
	uint32_t version_hex;
	uint64_t address;
	int code;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	target_start(&target, NULL, argv);
	target_ready(&target, &version_hex, &address);
	code = find_in(target.pid, &runtime, &err);
	/* On 3.13+ the table of offsets is there from the start, names or not. */
	if (nameless && version_hex < 0x030d0000)
		assert_int_equal(code, -ERR_NOT_PYTHON);
	else
		assert_int_equal(code, -ERR_TOO_LITTLE);
	assert_true(err.next[0] != '\0');

	for (int stage = 0; stage < 2; stage++) {
		assert_int_equal(write(target.input, "\n", 1), 1);
		target_ready(&target, &version_hex, &address);
		code = find_in(target.pid, &runtime, &err);
		if (code != 0)
			fail_msg("%s: %s: %s", name, err.what, err.why);
		assert_int_equal(python_version_hex(&runtime.layout.version), version_hex);
		assert_int_equal(runtime.address.v, address);
		assert_int_equal(runtime.shared_library, shared);
		if (nameless)
			assert_int_equal(runtime.found_by, FOUND_BY_SCAN);
	}
	target_end(&target);
}

static void an_embedder_is_found_once_python_has_started(void **state)
{
	int built = 0;

	(void)state;
	for (size_t i = 0; i < prefix_count; i++) {
		char name[64];

		setenv("PYTHONHOME", prefixes[i].path, 1);
		snprintf(name, sizeof(name), "shared-%d", prefixes[i].minor);
		if (build_embedder(&prefixes[i], BUILD_SHARED, name)) {
			check_embedder(name, false, true);
			built++;
		}
		snprintf(name, sizeof(name), "copied-%d", prefixes[i].minor);
		if (build_embedder(&prefixes[i], BUILD_COPIED, name)) {
			check_embedder(name, false, false);
			built++;
		}
		snprintf(name, sizeof(name), "static-%d", prefixes[i].minor);
		if (build_embedder(&prefixes[i], BUILD_STATIC, name)) {
			check_embedder(name, false, false);
			take_names_away(name);
			check_embedder(name, true, false);
			built++;
		} else {
			print_message("no static library for %s\n", prefixes[i].path);
		}
	}
	unsetenv("PYTHONHOME");
	if (built == 0) {
		print_message("no cc, or no libpython to build with\n");
		skip();
	}
	print_message("%d embedders\n", built);
}

static void blocks_that_no_table_fits_are_refused_by_name(void **state)
{
	static const struct {
		const char *version, *free_threaded, *fill;
		const char *named; /* in what or why */
	} rows[] = {
	    {"0x030d00f0", "1", "0", "free-threaded CPython 3.13.0"},
	    {"0x030e01f0", "1", "0", "free-threaded CPython 3.14.1"},
	    {"0x031000f0", "0", "0", "CPython 3.16.0 is not supported"},
	    {"0x040000f0", "0", "0", "CPython 4.0.0 is not supported"},
	    {"0x030f00a3", "0", "0", "CPython 3.15.0a3 is not supported"},
	    {"0x030e00f0", "0", "0", "table of offsets is not valid"},
	    {"0x030f00f0", "0", "0xFFFFFFFFFFFFFFF8", "table of offsets is not valid"},
	};

	(void)state;
	if (!shell("command -v cc >/dev/null"))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[600];
		char *argv[] = {path, NULL};
		struct target target;
		struct runtime runtime;
		struct err err;
		uint32_t version_hex;
		uint64_t address;

		snprintf(path, sizeof(path), "%s/block-%zu", folder, i);
		assert_true(
		    shell("cc -w -DVERSION=%s -DFREE_THREADED=%s -DFILL=%s -o %s %s/block.c",
			  rows[i].version, rows[i].free_threaded, rows[i].fill, path, folder));
		target_start(&target, NULL, argv);
		target_ready(&target, &version_hex, &address);
		assert_int_equal(find_in(target.pid, &runtime, &err), -ERR_NOT_PYTHON);
		if (strstr(err.what, rows[i].named) == NULL)
			fail_msg("row %zu: %s: %s", i, err.what, err.why);
		assert_true(err.next[0] != '\0');
		target_end(&target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_embedder_is_found_once_python_has_started),
	    cmocka_unit_test(blocks_that_no_table_fits_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, collect, clean);
}
