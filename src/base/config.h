/* Configuration: [tool.pyrometer] (for every command that has the option) and
 * [tool.pyrometer.COMMAND] of the nearest pyproject.toml, from a folder upwards. It feeds the same
 * option tables as the command line. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stddef.h>

#include "base/arena.h"
#include "base/toml.h"

struct command;
struct err;
struct option;

#define CONFIG_FILE_NAME "pyproject.toml"
#define CONFIG_ENTRIES_MAX 512

struct config_entry {
	const char *command; /* NULL: [tool.pyrometer] itself */
	const char *key;     /* NULL: only the table's header */
	int line;
	struct toml_value value;
};

struct config {
	struct arena arena;
	const char *path; /* NULL: no file was found */
	struct config_entry *entries;
	size_t count, capacity;
};

void config_init(struct config *);
void config_release(struct config *);

/* Parses bytes as the file `path`. Pure. -ERR_USAGE with path and line. */
int config_parse(struct config *, const char *path, const char *bytes, size_t size, struct err *);

/* The nearest file from `folder` (NULL: the working directory) upwards; that there is none is no
 * error. Reads only a regular file of up to 4 MiB. -ERR_USAGE, -ERR_PERMISSION, -ERR_FILE. */
int config_load(struct config *, const char *folder, struct err *);

/* -ERR_USAGE with "did you mean" for a command or a key that doesn't exist. */
int config_check(const struct config *, const struct command *const *commands, struct err *);

/* Sets what the file says for this command: its own table wins over [tool.pyrometer]. The values'
 * texts live as long as the config. */
int config_apply(const struct config *, const struct command *, void *values, struct err *);

/* The entry that decides the option for the command; NULL: none does. */
const struct config_entry *config_find(const struct config *, const struct command *,
				       const struct option *);

#endif
