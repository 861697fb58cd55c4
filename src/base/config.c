/* Configuration from pyproject.toml. The file is untrusted input: see toml.h. */
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/options.h"

#define ARENA_BYTES_MAX ((size_t)16 << 20)
#define KEYS_LISTED_MAX 512
#define WHERE_BYTES_MAX 256

static const char *const prefix[] = {"tool", "pyrometer", NULL};

void config_init(struct config *config)
{
	*config = (struct config){.path = NULL};
	arena_init(&config->arena, ARENA_BYTES_MAX);
}

void config_release(struct config *config)
{
	mem_free(config->entries);
	arena_release(&config->arena);
	config_init(config);
}

/* ---- Parsing ---- */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int refuse_second(const struct config *config, const char *command, const char *key,
			 int line, struct err *err)
{
	for (size_t i = 0; key != NULL && i < config->count; i++) {
		const struct config_entry *entry = &config->entries[i];
		if (same_text(entry->command, command) && same_text(entry->key, key)) {
			int rc = err_set(err, ERR_USAGE, "%s:%d: '%s' is set twice", config->path,
					 line, key);
			err_why(err, "it is set on line %d already", entry->line);
			return rc;
		}
	}
	return 0;
}

static const char *keep_text(struct config *config, const char *text)
{
	return arena_copy_text(&config->arena, text, strlen(text));
}

static int add_entry(struct config *config, const char *command, const char *key,
		     const struct toml_value *value, struct err *err)
{
	int rc = refuse_second(config, command, key, value->line, err);
	if (rc < 0) {
		return rc;
	}
	rc = grow_array((void **)&config->entries, &config->capacity, config->count + 1,
			sizeof config->entries[0], CONFIG_ENTRIES_MAX);
	if (rc == -ERR_LIMIT) {
		rc = err_set(err, ERR_USAGE, "%s:%d: too many settings", config->path, value->line);
		err_why(err, "[tool.pyrometer] may hold %d", CONFIG_ENTRIES_MAX);
		return rc;
	}
	struct config_entry entry = {.line = value->line, .value = *value};
	if (rc == 0) {
		entry.command = command != NULL ? keep_text(config, command) : NULL;
		entry.key = key != NULL ? keep_text(config, key) : NULL;
	}
	if (rc < 0 || (command != NULL && entry.command == NULL) ||
	    (key != NULL && entry.key == NULL)) {
		return err_set(err, ERR_MEMORY, "%s: no memory to read it", config->path);
	}
	config->entries[config->count++] = entry;
	return 0;
}

/* Tables that are no command's: what `gate` holds a program to. Their keys are benchmarks' names,
 * and bench/budgets reads them. */
static bool is_foreign(const char *table)
{
	return strcmp(table, "budgets") == 0 || strcmp(table, "waivers") == 0;
}

static int on_entry(void *context, const char *const *path, size_t depth,
		    const struct toml_value *value, struct err *err)
{
	struct config *config = context;
	bool is_table = value->kind == TOML_TABLE;
	if (is_table && depth == 0) {
		return 0;
	}
	if (depth > 0 && is_foreign(path[0]) && (is_table || depth > 1)) {
		return 0;
	}
	if (is_table && depth == 1) {
		return add_entry(config, path[0], NULL, value, err);
	}
	if (!is_table && depth == 1) {
		return add_entry(config, NULL, path[0], value, err);
	}
	if (!is_table && depth == 2) {
		return add_entry(config, path[0], path[1], value, err);
	}
	int rc = err_set(err, ERR_USAGE, "%s:%d: cannot be read", config->path, value->line);
	err_why(err, "settings lie in [tool.pyrometer] and [tool.pyrometer.COMMAND], not %s",
		depth == 0 ? "in its place" : "deeper");
	return rc;
}

int config_parse(struct config *config, const char *path, const char *bytes, size_t size,
		 struct err *err)
{
	config->path = keep_text(config, path);
	if (config->path == NULL) {
		return err_set(err, ERR_MEMORY, "%s: no memory to read it", path);
	}
	int rc =
	    toml_parse(config->path, bytes, size, prefix, &config->arena, on_entry, config, err);
	if (rc == -ERR_USAGE) {
		err_next(err, "correct that line, then: pyrometer config");
	}
	return rc;
}

/* ---- The file ---- */

/* Reads all of an open file; -ERR_FILE. */
static int read_all(int fd, const char *path, char *bytes, size_t size, size_t *ret_size,
		    struct err *err)
{
	size_t done = 0;
	while (done < size) {
		ssize_t got = read(fd, bytes + done, size - done);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return err_set_errno(err, ERR_FILE, errno, "cannot read %s", path);
		}
		if (got == 0) {
			break;
		}
		done += (size_t)got;
	}
	*ret_size = done;
	return 0;
}

static int parse_open_file(struct config *config, int fd, const char *path, struct err *err)
{
	struct stat status;
	if (fstat(fd, &status) < 0) {
		return err_set_errno(err, ERR_FILE, errno, "cannot read %s", path);
	}
	if (!S_ISREG(status.st_mode) || status.st_size > (off_t)TOML_FILE_BYTES_MAX) {
		int rc = err_set(err, ERR_FILE, "cannot read %s", path);
		if (S_ISREG(status.st_mode)) {
			err_why(err, "it is larger than 4 MiB: %lld bytes",
				(long long)status.st_size);
		} else {
			err_why(err, "it is not a regular file");
		}
		err_next(err, "run pyrometer from a folder below another %s", CONFIG_FILE_NAME);
		return rc;
	}
	size_t size = (size_t)status.st_size;
	char *bytes = mem_alloc(size);
	if (bytes == NULL) {
		return err_set(err, ERR_MEMORY, "%s: no memory to read it", path);
	}
	int rc = read_all(fd, path, bytes, size, &size, err);
	if (rc == 0) {
		rc = config_parse(config, path, bytes, size, err);
	}
	mem_free(bytes);
	return rc;
}

/* Cuts the last part of a path; false at the root. */
static bool go_up(char *folder)
{
	char *slash = strrchr(folder, '/');
	if (slash == NULL || slash[1] == '\0') {
		return false;
	}
	slash[slash == folder ? 1 : 0] = '\0';
	return true;
}

int config_load(struct config *config, const char *folder, struct err *err)
{
	char current[PATH_MAX], path[PATH_MAX + sizeof CONFIG_FILE_NAME + 1];
	if (folder == NULL ? getcwd(current, sizeof current) == NULL
			   : realpath(folder, current) == NULL) {
		return 0; /* a folder that is gone or unreadable has no configuration */
	}
	do {
		bool is_root = strcmp(current, "/") == 0;
		snprintf(path, sizeof path, "%s/%s", is_root ? "" : current, CONFIG_FILE_NAME);
		/* O_NONBLOCK: a FIFO of that name must not hold us. */
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0) {
			int rc = parse_open_file(config, fd, path, err);
			close(fd);
			return rc;
		}
		if (errno != ENOENT && errno != ENOTDIR) {
			int rc = err_set_errno(err, ERR_FILE, errno, "cannot read %s", path);
			err_next(err, "ls -l %s", path);
			return rc;
		}
	} while (go_up(current));
	return 0;
}

/* ---- Against the option tables ---- */

static int unknown(const struct config *config, const struct config_entry *entry, const char *what,
		   const char *name, const char *const *names, struct err *err)
{
	const char *near = options_did_you_mean(name, names);
	int rc;
	if (near != NULL) {
		rc = err_set(err, ERR_USAGE, "%s:%d: unknown %s '%s'; did you mean '%s'?",
			     config->path, entry->line, what, name, near);
	} else {
		rc = err_set(err, ERR_USAGE, "%s:%d: unknown %s '%s'", config->path, entry->line,
			     what, name);
	}
	if (entry->command != NULL) {
		err_why(err, "no such %s for [tool.pyrometer.%s]", what, entry->command);
	} else {
		err_why(err, "no command has such a key for [tool.pyrometer]");
	}
	err_next(err, "pyrometer config");
	return rc;
}

/* The keys of a command, or of all (NULL). */
static size_t list_keys(const struct command *const *commands, const struct command *only,
			const char **names)
{
	size_t count = 0;
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (only != NULL && commands[i] != only) {
			continue;
		}
		for (const struct option *option = commands[i]->options;
		     option != NULL && option->name != NULL; option++) {
			const char *key = option_config_key(option);
			if (key != NULL && count < KEYS_LISTED_MAX) {
				names[count++] = key;
			}
		}
	}
	names[count] = NULL;
	return count;
}

static bool is_key_of(const struct command *const *commands, const struct command *only,
		      const char *key)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		if ((only == NULL || commands[i] == only) &&
		    options_find_key(commands[i], key) != NULL) {
			return true;
		}
	}
	return false;
}

static int check_entry(const struct config *config, const struct config_entry *entry,
		       const struct command *const *commands, struct err *err)
{
	const char *names[KEYS_LISTED_MAX + 1];
	const struct command *command = NULL;
	if (entry->command != NULL) {
		command = commands_find(commands, entry->command);
		if (command == NULL) {
			size_t i = 0;
			for (; i < KEYS_LISTED_MAX && commands[i] != NULL; i++) {
				names[i] = commands[i]->name;
			}
			names[i] = NULL;
			return unknown(config, entry, "command", entry->command, names, err);
		}
	}
	if (entry->key != NULL && !is_key_of(commands, command, entry->key)) {
		list_keys(commands, command, names);
		return unknown(config, entry, "key", entry->key, names, err);
	}
	return 0;
}

int config_check(const struct config *config, const struct command *const *commands,
		 struct err *err)
{
	int rc = 0;
	for (size_t i = 0; i < config->count && rc == 0; i++) {
		rc = check_entry(config, &config->entries[i], commands, err);
	}
	return rc;
}

const struct config_entry *config_find(const struct config *config, const struct command *command,
				       const struct option *option)
{
	const char *key = option_config_key(option);
	const struct config_entry *found = NULL;
	for (size_t i = 0; key != NULL && i < config->count; i++) {
		const struct config_entry *entry = &config->entries[i];
		if (entry->key == NULL || strcmp(entry->key, key) != 0) {
			continue;
		}
		if (entry->command == NULL) {
			found = found != NULL ? found : entry;
		} else if (strcmp(entry->command, command->name) == 0) {
			return entry;
		}
	}
	return found;
}

/* Whether a value of that kind may be written for the option. A unit makes a number a text:
 * duration = "200ms". */
static bool fits_kind(const struct option *option, enum toml_kind kind)
{
	switch (option->type) {
	case OPTION_FLAG:
		return kind == TOML_BOOL;
	case OPTION_TEXT:
	case OPTION_CHOICE:
	case OPTION_TEXTS:
		return kind == TOML_TEXT;
	case OPTION_INTEGER:
	case OPTION_PID:
		return kind == TOML_INTEGER;
	case OPTION_NUMBER:
		return kind == TOML_INTEGER || kind == TOML_NUMBER;
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_RATE:
		return kind == TOML_INTEGER || kind == TOML_NUMBER || kind == TOML_TEXT;
	}
	return false;
}

static const char *wanted_kind(const struct option *option)
{
	switch (option->type) {
	case OPTION_FLAG:
		return "true or false";
	case OPTION_INTEGER:
	case OPTION_PID:
		return "a whole number";
	case OPTION_NUMBER:
		return "a number";
	case OPTION_TEXTS:
		return "\"text\" or an array of it";
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_RATE:
		return "a number, or \"text\" with a unit";
	default:
		return "\"text\"";
	}
}

static int apply_value(const struct config *config, const struct option *option,
		       const struct toml_value *value, void *values, struct err *err)
{
	char where[WHERE_BYTES_MAX];
	if (!fits_kind(option, value->kind)) {
		int rc = err_set(err, ERR_USAGE, "%s:%d: the value doesn't fit", config->path,
				 value->line);
		err_why(err, "%s takes %s", option_config_key(option), wanted_kind(option));
		return rc;
	}
	snprintf(where, sizeof where, "%s:%d: %s", config->path, value->line,
		 option_config_key(option));
	return option_set(option, values, value->text, where, err);
}

static int apply_entry(const struct config *config, const struct option *option,
		       const struct config_entry *entry, void *values, struct err *err)
{
	if (option->type != OPTION_TEXTS) {
		return apply_value(config, option, &entry->value, values, err);
	}
	((struct option_texts *)(void *)((char *)values + option->offset))->count = 0;
	if (entry->value.kind != TOML_ARRAY) {
		return apply_value(config, option, &entry->value, values, err);
	}
	int rc = 0;
	for (size_t i = 0; i < entry->value.item_count && rc == 0; i++) {
		rc = apply_value(config, option, &entry->value.items[i], values, err);
	}
	return rc;
}

int config_apply(const struct config *config, const struct command *command, void *values,
		 struct err *err)
{
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		const struct config_entry *entry = config_find(config, command, option);
		int rc = entry != NULL ? apply_entry(config, option, entry, values, err) : 0;
		if (rc < 0) {
			if (rc == -ERR_USAGE) {
				err_next(err, "correct that line, then: pyrometer config");
			}
			return rc;
		}
	}
	return 0;
}
