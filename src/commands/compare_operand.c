#include "commands/compare_operand.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"

#define WORDS_MAX 4096

static const struct {
	const char *prefix;
	enum operand_kind kind;
} prefixes[] = {
    {"rev:", OPERAND_REVISION},
    {"python:", OPERAND_PYTHON},
    {"env:", OPERAND_ENVIRONMENT},
};

static bool ends_with(const char *text, const char *ending)
{
	size_t length = strlen(text), tail = strlen(ending);

	return length > tail && strcmp(text + length - tail, ending) == 0;
}

static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* module:function, either of them with dots. */
static bool names_a_function(const char *text)
{
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return false;
	for (const char *c = text; *c; c++) {
		bool word = isalnum((unsigned char)*c) || *c == '_' || (unsigned char)*c >= 0x80;

		if (!word && *c != '.' && c != colon)
			return false;
	}
	return !isdigit((unsigned char)text[0]) && !isdigit((unsigned char)colon[1]);
}

static int parse_target(const char *text, const struct operand_reading *reading,
			struct arena *arena, struct operand *operand, struct err *err)
{
	const char *name = strstr(text, "::");
	size_t length = name != NULL ? (size_t)(name - text) : strlen(text);
	char *path = arena_copy_text(arena, text, length);

	if (path == NULL)
		return err_set(err, ERR_MEMORY, "No memory for `%s`", text);
	operand->kind = OPERAND_TARGET;
	operand->text = text;
	if (reading->statements) {
		operand->target = TARGET_STATEMENT;
	} else if (reading->commands) {
		operand->target = TARGET_COMMAND;
	} else if (ends_with(path, ".py") && (strchr(path, ' ') == NULL || is_file(path))) {
		operand->target = TARGET_FILE;
		operand->text = path;
		operand->name = name != NULL ? name + 2 : NULL;
	} else if (ends_with(text, ".json") && is_file(text)) {
		operand->kind = OPERAND_RESULTS;
	} else if (names_a_function(text)) {
		operand->target = TARGET_FUNCTION;
	} else {
		operand->target = TARGET_COMMAND;
	}
	return 0;
}

int operand_parse(const char *text, const struct operand_reading *reading, struct arena *arena,
		  struct operand *ret_operand, struct err *err)
{
	struct operand operand = {.kind = OPERAND_TARGET};
	int r = 0;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i].prefix);

		if (strncmp(text, prefixes[i].prefix, length) != 0)
			continue;
		operand.kind = prefixes[i].kind;
		operand.text = text + length;
		if (operand.kind == OPERAND_ENVIRONMENT && operand.text[0] != '\0' &&
		    (operand.text[0] == '=' || strchr(operand.text, '=') == NULL)) {
			r = err_set(err, ERR_USAGE, "`%s` sets no variable", text);
			err_why(err, "it has no NAME=VALUE");
			err_next(err, "env:NAME=VALUE, or env: for nothing added");
		} else if (operand.kind != OPERAND_ENVIRONMENT && operand.text[0] == '\0') {
			r = err_set(err, ERR_USAGE, "`%s` names nothing", text);
		}
		*ret_operand = operand;
		return r;
	}
	r = parse_target(text, reading, arena, &operand, err);
	*ret_operand = operand;
	return r;
}

/* One word from *at on, written to `to`; false: an open quote. */
static bool take_word(const char **at, char **to)
{
	char quote = 0;

	for (; **at && (quote != 0 || !isspace((unsigned char)**at)); (*at)++) {
		char c = **at;

		if (quote == 0 && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == quote) {
			quote = 0;
		} else if (c == '\\' && quote != '\'' && (*at)[1] != '\0' &&
			   (quote == 0 || strchr("\"\\$`", (*at)[1]) != NULL)) {
			(*at)++;
			*(*to)++ = **at;
		} else {
			*(*to)++ = c;
		}
	}
	*(*to)++ = '\0';
	return quote == 0;
}

int words_split(const char *text, struct arena *arena, char ***ret_words, struct err *err)
{
	size_t size = strlen(text), count = 0;
	/* A word and its NUL never take more than the word and the blank behind it, or the quotes
	 * around it. */
	char *bytes = arena_alloc(arena, size + 2);
	char **words = arena_alloc(arena, (size / 2 + 3) * sizeof(*words));

	if (bytes == NULL || words == NULL)
		return err_set(err, ERR_MEMORY, "No memory for the words of a command");
	for (const char *at = text;;) {
		while (isspace((unsigned char)*at))
			at++;
		if (*at == '\0')
			break;
		if (count >= WORDS_MAX)
			return err_set(err, ERR_USAGE, "A command of more than %d words",
				       WORDS_MAX);
		words[count++] = bytes;
		if (!take_word(&at, &bytes)) {
			err_set(err, ERR_USAGE, "A quote is open in `%s`", text);
			return -ERR_USAGE;
		}
	}
	if (count == 0)
		return err_set(err, ERR_USAGE, "An empty command was given");
	words[count] = NULL;
	*ret_words = words;
	return 0;
}
