/* What a name such as "3.11" or "pypy3" stands for: see worker.h. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/worker.h"

#define PATH_TEXT_MAX 4096

/* Where people's installers put interpreters, below the home directory. */
static const char *const installed[] = {
    "%s/.pyenv/versions/%s*/bin/python",
    "%s/.pyenv/versions/%s*/bin/python3",
    "%s/.local/share/uv/python/cpython-%s*/bin/python3",
    "%s/.asdf/installs/python/%s*/bin/python3",
};

/* pyenv's shims are scripts that choose: they cost a shell at each start, and refuse versions that
 * are installed but not chosen. */
static bool is_shims(const char *folder, size_t length)
{
	return length >= 5 && memcmp(folder + length - 5, "shims", 5) == 0;
}

static bool in_path(const char *name, bool shims, char *path, size_t size)
{
	const char *folders = getenv("PATH");

	for (const char *at = folders ? folders : "/usr/bin:/bin"; at;) {
		size_t length = strcspn(at, ":");

		if (is_shims(at, length) == shims) {
			snprintf(path, size, "%.*s%s%s", (int)length, at, length ? "/" : "", name);
			if (access(path, X_OK) == 0)
				return true;
		}
		at = at[length] ? at + length + 1 : NULL;
	}
	return false;
}

/* The last in the order of names: "3.11.7" before "3.11.10" is a small wrong. */
static bool in_home(const char *version, char *path, size_t size)
{
	const char *home = getenv("HOME");
	bool found = false;

	for (size_t i = 0; home && !found && i < sizeof(installed) / sizeof(installed[0]); i++) {
		char pattern[PATH_TEXT_MAX];
		glob_t paths;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(pattern, sizeof(pattern), installed[i], home, version);
#pragma GCC diagnostic pop
		if (glob(pattern, 0, NULL, &paths) != 0)
			continue;
		for (size_t j = paths.gl_pathc; j > 0 && !found; j--) {
			/* "3.1*" is 3.1.4 and not 3.11.4. */
			const char *at = strstr(paths.gl_pathv[j - 1], version);
			char after = at ? at[strlen(version)] : '0';

			found = (after < '0' || after > '9') &&
				access(paths.gl_pathv[j - 1], X_OK) == 0;
			if (found)
				snprintf(path, size, "%s", paths.gl_pathv[j - 1]);
		}
		globfree(&paths);
	}
	return found;
}

/* What pyenv's shim would start, asked of pyenv itself. */
static bool behind_shim(const char *name, char *path, size_t size)
{
	char command[PATH_TEXT_MAX];
	FILE *pipe;
	bool found;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != strlen(name))
		return false;
	snprintf(command, sizeof(command), "pyenv which %s 2>/dev/null", name);
	pipe = popen(command, "re");
	if (!pipe)
		return false;
	found = fgets(command, sizeof(command), pipe) != NULL;
	pclose(pipe);
	command[found ? strcspn(command, "\n") : 0] = 0;
	if (!found || access(command, X_OK) != 0)
		return false;
	snprintf(path, size, "%s", command);
	return true;
}

static bool find(const char *name, char *path, size_t size)
{
	char python[64];
	bool is_version = name[0] >= '0' && name[0] <= '9';

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		return access(path, X_OK) == 0;
	}
	if (is_version) {
		snprintf(python, sizeof(python), "python%s", name);
		return in_path(python, false, path, size) || in_home(name, path, size) ||
		       behind_shim(python, path, size);
	}
	/* The first in PATH decides, as in a shell: when it is a shim, what lies behind it. */
	if (in_path(name, true, path, size) && behind_shim(name, path, size))
		return true;
	return in_path(name, false, path, size) || in_path(name, true, path, size);
}

int python_find(const char *name, char **ret_path, struct err *err)
{
	char path[PATH_TEXT_MAX];
	int result;

	if (!name)
		name = "python3";
	if (!find(name, path, sizeof(path))) {
		result = err_set(err, ERR_FILE, "there is no Python interpreter `%s`", name);
		err_why(err, "it is not in PATH, nor where pyenv, uv or asdf put theirs");
		err_next(err, "give its path: --python /path/to/python");
		return result;
	}
	*ret_path = mem_copy_text(path);
	return *ret_path ? 0 : err_set(err, ERR_MEMORY, "no memory for a path");
}
