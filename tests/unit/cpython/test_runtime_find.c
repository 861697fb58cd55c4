/* The interpreter is found in every CPython of this machine, at the address and with the
 * version that it gives itself; all others are refused by name. Interpreters: PYROMETER_PYTHONS
 * (colons between), ~/.pyenv, /usr/bin/python3, and as root python3.14 and python3.15 in
 * PYROMETER_SID or ~/.cache/pyrometer/sid. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>

#include "find_target.h"

#define PYTHONS_MAX 64

struct python {
	char root[512]; /* "": none */
	char path[512];
};

static struct python pythons[PYTHONS_MAX];
static size_t python_count;
static char folder[] = "/tmp/pyrometer-find-XXXXXX";

static void add_python(const char *root, const char *path)
{
	char whole[1100];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	if (python_count == PYTHONS_MAX || access(whole, X_OK) < 0)
		return;
	snprintf(pythons[python_count].root, sizeof(pythons[0].root), "%s", root);
	snprintf(pythons[python_count].path, sizeof(pythons[0].path), "%s", path);
	python_count++;
}

static void add_pyenv(const char *pattern)
{
	const char *home = getenv("HOME");
	char path[1024];
	glob_t found;

	snprintf(path, sizeof(path), "%s/.pyenv/versions/%s", home == NULL ? "" : home, pattern);
	if (glob(path, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_python("", found.gl_pathv[i]);
	globfree(&found);
}

static int collect(void **state)
{
	const char *given = getenv("PYROMETER_PYTHONS"), *sid = getenv("PYROMETER_SID");
	const char *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");
	char copy[4096], root[512], *rest = copy, *path;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(copy, sizeof(copy), "%s", given == NULL ? "" : given);
	while ((path = strsep(&rest, ":")) != NULL)
		if (path[0] != '\0')
			add_python("", path);
	add_pyenv("3.[89].*/bin/python3");
	add_pyenv("3.1[0-5].*/bin/python3");
	add_python("", "/usr/bin/python3");
	if (sid != NULL)
		snprintf(root, sizeof(root), "%s", sid);
	else if (cache != NULL)
		snprintf(root, sizeof(root), "%s/pyrometer/sid", cache);
	else
		snprintf(root, sizeof(root), "%s/.cache/pyrometer/sid", home == NULL ? "" : home);
	if (geteuid() == 0) {
		add_python(root, "/usr/bin/python3.14");
		add_python(root, "/usr/bin/python3.15");
	}
	for (size_t i = 0; i < python_count; i++)
		print_message("interpreter: %s%s\n", pythons[i].root, pythons[i].path);
	return python_count == 0 ? -1 : 0;
}

static int clean(void **state)
{
	(void)state;
	return shell("rm -rf %s", folder) ? 0 : -1;
}

/* remove: a file to unlink once the target runs (NULL: none). */
static void assert_found_without(struct target *target, const char *name, const char *remove,
				 struct runtime *ret_runtime)
{
	uint32_t version_hex;
	uint64_t address;
	struct err err;
	int code;

	target_ready(target, &version_hex, &address);
	if (remove != NULL)
		assert_int_equal(unlink(remove), 0);
	code = find_in(target->pid, ret_runtime, &err);
	if (code != 0)
		fail_msg("%s: %s: %s", name, err.what, err.why);
	assert_int_equal(python_version_hex(&ret_runtime->layout.version), version_hex);
	if (address != 0) /* 0: this build has no ctypes */
		assert_int_equal(ret_runtime->address.v, address);
	assert_int_equal(ret_runtime->layout.from_debug_offsets, version_hex >= 0x030d0000);
}

static void assert_found(struct target *target, const char *name, struct runtime *ret_runtime)
{
	assert_found_without(target, name, NULL, ret_runtime);
}

static void every_interpreter_is_found_where_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < python_count; i++) {
		const struct python *python = &pythons[i];
		char *argv[] = {(char *)python->path, (char *)"-c", (char *)TARGET_PROGRAM, NULL};
		struct target target;
		struct runtime runtime;

		target_start(&target, python->root[0] == '\0' ? NULL : python->root, argv);
		assert_found(&target, python->path, &runtime);
		assert_true(runtime.found_by == FOUND_BY_SECTION ||
			    runtime.found_by == FOUND_BY_SYMBOL ||
			    runtime.found_by == FOUND_BY_DYNAMIC_SYMBOL);
		/* Once more, from what was kept of the file. */
		struct runtime again;
		struct err err;
		assert_int_equal(find_in(target.pid, &again, &err), 0);
		assert_int_equal(again.address.v, runtime.address.v);
		assert_string_equal(again.version_text, runtime.version_text);
		target_end(&target);
	}
}

static void a_virtual_environment_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < python_count; i++) {
		char path[1024];
		char *argv[] = {path, (char *)"-c", (char *)TARGET_PROGRAM, NULL};
		struct target target;
		struct runtime runtime;

		if (pythons[i].root[0] != '\0' ||
		    !shell("%s -m venv --without-pip %s/venv%zu 2>/dev/null", pythons[i].path,
			   folder, i))
			continue;
		snprintf(path, sizeof(path), "%s/venv%zu/bin/python", folder, i);
		target_start(&target, NULL, argv);
		assert_found(&target, path, &runtime);
		target_end(&target);
	}
}

/* An executable that holds its interpreter: copied under another name, stripped, then without
 * section headers, then deleted while it runs. */
static void a_renamed_stripped_or_deleted_executable_is_found(void **state)
{
	char path[1024], home[1100], real[1024] = "";
	char *argv[] = {path, (char *)"-c", (char *)TARGET_PROGRAM, NULL};
	struct target target;
	struct runtime runtime;
	const char *prefix = NULL;

	(void)state;
	for (size_t i = 0; i < python_count && prefix == NULL; i++) {
		char *at[] = {pythons[i].path, (char *)"-c", (char *)TARGET_PROGRAM, NULL};

		if (pythons[i].root[0] != '\0' || realpath(pythons[i].path, real) == NULL)
			continue;
		target_start(&target, NULL, at);
		assert_found(&target, pythons[i].path, &runtime);
		target_end(&target);
		if (!runtime.shared_library)
			prefix = real;
	}
	if (prefix == NULL) {
		print_message("no interpreter inside an executable on this machine\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/worker", folder);
	snprintf(home, sizeof(home), "%.*s", (int)(strstr(real, "/bin/") - real), real);
	assert_true(shell("cp %s %s", real, path));
	setenv("PYTHONHOME", home, 1);

	target_start(&target, NULL, argv);
	assert_found(&target, "renamed", &runtime);
	assert_false(runtime.shared_library);
	assert_non_null(strstr(runtime.file, "/worker"));
	target_end(&target);

	if (shell("strip -s %s", path)) {
		target_start(&target, NULL, argv);
		assert_found(&target, "stripped", &runtime);
		target_end(&target);
	}
	/* e_shoff, e_shnum, e_shstrndx: now only PT_DYNAMIC tells of its symbols. */
	assert_true(shell(
	    "printf '\\0\\0\\0\\0\\0\\0\\0\\0' | dd of=%s bs=1 seek=40 conv=notrunc status=none",
	    path));
	assert_true(
	    shell("printf '\\0\\0\\0\\0' | dd of=%s bs=1 seek=60 conv=notrunc status=none", path));
	target_start(&target, NULL, argv);
	assert_found(&target, "without section headers", &runtime);
	assert_int_equal(runtime.found_by, FOUND_BY_DYNAMIC_SYMBOL);
	target_end(&target);

	target_start(&target, NULL, argv);
	assert_found_without(&target, "deleted", path, &runtime);
	target_end(&target);
	unsetenv("PYTHONHOME");
}

static void a_version_that_is_too_old_is_refused_by_name(void **state)
{
	static const struct {
		const char *pattern, *named;
	} rows[] = {
	    {"2.7.*/bin/python2.7", "CPython 2.7."},
	    {"3.6.*/bin/python3", "CPython 3.6."},
	    {"3.7.*/bin/python3", "CPython 3.7."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t before = python_count;
		char *argv[] = {NULL, (char *)"-c", (char *)TARGET_PROGRAM, NULL};
		struct target target;
		struct runtime runtime;
		struct err err;
		uint32_t version_hex;
		uint64_t address;

		add_pyenv(rows[i].pattern);
		if (python_count == before) {
			print_message("%s is not on this machine\n", rows[i].named);
			continue;
		}
		argv[0] = pythons[before].path;
		target_start(&target, NULL, argv);
		target_ready(&target, &version_hex, &address);
		assert_int_equal(find_in(target.pid, &runtime, &err), -ERR_NOT_PYTHON);
		assert_refusal(&err, -ERR_NOT_PYTHON, rows[i].named);
		target_end(&target);
		python_count = before;
	}
}

/* cat is ready when it has answered: its loader is done then. */
static void start_cat(struct target *target, char *path)
{
	char *argv[] = {path, NULL};
	char line[16];

	target_start(target, NULL, argv);
	assert_int_equal(write(target->input, "hello\n", 6), 6);
	target_line(target, line, sizeof(line));
	assert_string_equal(line, "hello");
}

static void a_program_that_is_not_python_is_refused_by_name(void **state)
{
	static const struct {
		const char *copy_as, *named; /* NULL: as it is */
	} rows[] = {
	    {NULL, "is not a Python program"},
	    {"python3.11", "is not a Python program"}, /* a name proves nothing */
	    {"pypy3.9", "PyPy"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[1024] = "cat";
		struct target target;
		struct runtime runtime;
		struct err err;

		if (rows[i].copy_as != NULL) {
			snprintf(path, sizeof(path), "%s/%s", folder, rows[i].copy_as);
			assert_true(shell("cp \"$(command -v cat)\" %s", path));
		}
		start_cat(&target, path);
		assert_int_equal(find_in(target.pid, &runtime, &err), -ERR_NOT_PYTHON);
		assert_refusal(&err, -ERR_NOT_PYTHON, rows[i].named);
		target_end(&target);
	}
}

static void a_process_that_ended_is_named(void **state)
{
	struct target target;
	struct runtime runtime;
	struct err err;
	siginfo_t info;

	(void)state;
	start_cat(&target, (char *)"cat");
	kill(target.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)target.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(find_in(target.pid, &runtime, &err), -ERR_NO_PROCESS); /* a zombie */
	target_end(&target);
	assert_int_equal(find_in(target.pid, &runtime, &err), -ERR_NO_PROCESS);
	assert_true(err.what[0] != '\0');
}

static void another_users_process_is_a_matter_of_permission(void **state)
{
	char *argv[] = {pythons[0].path, (char *)"-c", (char *)TARGET_PROGRAM, NULL};
	struct target target;
	uint32_t version_hex;
	uint64_t address;
	int status;
	pid_t other;

	(void)state;
	if (geteuid() != 0)
		skip();
	target_start(&target, NULL, argv);
	target_ready(&target, &version_hex, &address);
	other = fork();
	if (other == 0) {
		struct runtime runtime;
		struct err err;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		_exit(find_in(target.pid, &runtime, &err) == -ERR_PERMISSION && err.next[0] != '\0'
			  ? 0
			  : 2);
	}
	assert_true(waitpid(other, &status, 0) == other);
	assert_int_equal(status, 0);
	target_end(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_interpreter_is_found_where_it_says),
	    cmocka_unit_test(a_virtual_environment_is_found),
	    cmocka_unit_test(a_renamed_stripped_or_deleted_executable_is_found),
	    cmocka_unit_test(a_version_that_is_too_old_is_refused_by_name),
	    cmocka_unit_test(a_program_that_is_not_python_is_refused_by_name),
	    cmocka_unit_test(a_process_that_ended_is_named),
	    cmocka_unit_test(another_users_process_is_a_matter_of_permission),
	};

	return cmocka_run_group_tests(tests, collect, clean);
}
