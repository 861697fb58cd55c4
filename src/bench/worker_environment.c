/* The environment of what is measured: what a program needs to find its things, nothing that
 * changes from shell to shell, and always the same number of bytes. The kernel puts it on the
 * stack, so its length moves every frame, and that alone changes times by some percent (Mytkowicz
 * et al. 2009, "Producing wrong data without doing anything obviously wrong"). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "bench/worker.h"
#include "bench/worker_process.h"

#define SIZE_STEP 8192 /* bytes of environment and argv together: filled up to a multiple */
#define VARIABLES_MAX 4096
#define PAD_NAME "PYROMETER_PAD="

/* A '*' stands for any ending. */
static const char *const kept[] = {
    "PATH",	   "HOME",    "USER",	 "LOGNAME", "LANG",
    "LC_*",	   "TZ",      "TMPDIR",	 "TERM",    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV", "CONDA_*", "PYENV_*", "PYTHON*", "OMP_*",
    "OPENBLAS_*",  "MKL_*",   "XDG_*",	 NULL,
};
/* These would change what is measured, or how. */
static const char *const dropped[] = {
    "PYTHONHASHSEED", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE",    "PYTHONINSPECT",
    "PYTHONSTARTUP",  "PYTHONTRACEMALLOC",	 "PYTHONBREAKPOINT", NULL,
};

static bool is_named(const char *variable, const char *name)
{
	size_t length = strlen(name);

	if (name[length - 1] == '*')
		return strncmp(variable, name, length - 1) == 0;
	return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

static bool is_in(const char *variable, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (is_named(variable, names[i]))
			return true;
	return false;
}

static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return length == strcspn(b, "=") && strncmp(a, b, length) == 0;
}

/* Takes the place of a variable of that name. */
static void set(char **list, size_t *count, char *variable)
{
	for (size_t i = 0; i < *count; i++)
		if (same_name(list[i], variable)) {
			list[i] = variable;
			return;
		}
	if (*count < VARIABLES_MAX)
		list[(*count)++] = variable;
}

static size_t bytes_of(char *const *texts)
{
	size_t bytes = 0;

	for (size_t i = 0; texts[i]; i++)
		bytes += strlen(texts[i]) + 1;
	return bytes;
}

static char *padding(size_t used, struct arena *arena)
{
	size_t own = sizeof(PAD_NAME);
	size_t fill = SIZE_STEP - (used + own) % SIZE_STEP;
	char *text = arena_alloc(arena, own + fill);

	if (text) {
		memcpy(text, PAD_NAME, own);
		memset(text + own - 1, 'x', fill);
		text[own - 1 + fill] = 0;
	}
	return text;
}

char **worker_environment(const struct worker_spec *spec, char *const *argv, struct arena *arena)
{
	char **list = arena_alloc(arena, (VARIABLES_MAX + 3) * sizeof(*list));
	char seed[48];
	size_t count = 0;

	if (!list)
		return NULL;
	for (size_t i = 0; environ[i]; i++)
		if (is_in(environ[i], kept) && !is_in(environ[i], dropped))
			set(list, &count, environ[i]);
	/* Python takes 32 bits. Ten digits always: the length stays the same. */
	snprintf(seed, sizeof(seed), "PYTHONHASHSEED=%010" PRIu32, (uint32_t)spec->seed);
	list[count++] = arena_copy_text(arena, seed, strlen(seed));
	for (size_t i = 0; spec->environment && spec->environment[i]; i++)
		set(list, &count, spec->environment[i]);
	list[count] = NULL;
	for (size_t i = 0; i < count; i++)
		if (!list[i])
			return NULL;
	list[count] = padding(bytes_of(list) + bytes_of(argv) + strlen(argv[0]), arena);
	if (!list[count])
		return NULL;
	list[count + 1] = NULL;
	return list;
}
