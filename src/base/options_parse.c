/* The command line: long and short options, bundles, values, operands. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/options.h"

#define NAME_TEXT_MAX 96

struct parse {
	const struct command *command;
	char **argv;
	int argc, at; /* argv[at] is read next */
	void *values;
	uint64_t seen; /* one bit an option: given in argv */
	bool help;
	bool ended; /* by an option that names the program */
};

static bool has_letter(const struct command *command, char letter)
{
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (option->letter == letter) {
			return true;
		}
	}
	return false;
}

static const struct option *find_name(const struct command *command, const char *name,
				      size_t length)
{
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (strncmp(option->name, name, length) == 0 && option->name[length] == '\0') {
			return option;
		}
	}
	return NULL;
}

static void advise_help(const struct command *command, struct err *err)
{
	err_next(err, "pyrometer %s --help", command->name);
}

static int unknown_long(const struct command *command, const char *name, struct err *err)
{
	const char *names[OPTIONS_MAX + 2];
	size_t count = 0;
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (!option->hidden) {
			names[count++] = option->name;
		}
	}
	names[count++] = "help";
	names[count] = NULL;
	const char *near = options_did_you_mean(name, names);
	int rc;
	if (near != NULL) {
		rc = err_set(err, ERR_USAGE, "unknown option '--%s'; did you mean '--%s'?", name,
			     near);
	} else {
		rc = err_set(err, ERR_USAGE, "unknown option '--%s'", name);
	}
	err_why(err, "%s has no such option", command->name);
	advise_help(command, err);
	return rc;
}

/* Lists of the defaults and of the configuration give way to the command line's. */
static void forget_list_once(struct parse *parse, const struct option *option)
{
	uint64_t bit = (uint64_t)1 << (option - parse->command->options);
	if (option->type == OPTION_TEXTS && (parse->seen & bit) == 0) {
		((struct option_texts *)(void *)((char *)parse->values + option->offset))->count =
		    0;
	}
	parse->seen |= bit;
}

static int set_from_argv(struct parse *parse, const struct option *option, const char *text,
			 const char *where, struct err *err)
{
	forget_list_once(parse, option);
	int rc = option_set(option, parse->values, text, where, err);
	parse->ended = option->ends_options && parse->command->stops_at_operand;
	if (rc < 0) {
		advise_help(parse->command, err);
	}
	return rc;
}

/* The value of an option that stands apart from it: the next word. */
static int next_value(struct parse *parse, const struct option *option, const char *where,
		      const char **ret_text, struct err *err)
{
	if (parse->at < parse->argc && strncmp(parse->argv[parse->at], "--", 2) != 0) {
		*ret_text = parse->argv[parse->at++];
		return 0;
	}
	const char *value_name = option_value_name(option);
	int rc = err_set(err, ERR_USAGE, "%s needs a value: %s %s", where, where, value_name);
	if (parse->at < parse->argc) {
		err_why(err, "'%s' follows; a value that begins with dashes is written --%s=%s",
			parse->argv[parse->at], option->name, parse->argv[parse->at]);
	} else {
		err_why(err, "nothing follows it");
	}
	advise_help(parse->command, err);
	return rc;
}

/* `--no-NAME` of a flag. */
static const struct option *find_negated(const struct command *command, const char *name,
					 size_t length)
{
	if (length <= 3 || strncmp(name, "no-", 3) != 0) {
		return NULL;
	}
	const struct option *option = find_name(command, name + 3, length - 3);
	return option != NULL && option->type == OPTION_FLAG ? option : NULL;
}

static int parse_long(struct parse *parse, const char *name, struct err *err)
{
	const struct command *command = parse->command;
	size_t length = strcspn(name, "=");
	const char *text = name[length] == '=' ? name + length + 1 : NULL;
	char where[NAME_TEXT_MAX], typed[NAME_TEXT_MAX];
	snprintf(typed, sizeof typed, "%.*s", (int)(length < sizeof typed ? length : sizeof typed),
		 name);
	snprintf(where, sizeof where, "--%.80s", typed);

	const struct option *option = find_name(command, name, length);
	bool is_negated = false;
	if (option == NULL && strcmp(typed, "help") == 0 && text == NULL) {
		parse->help = true;
		return 0;
	}
	if (option == NULL) {
		option = find_negated(command, name, length);
		is_negated = option != NULL;
	}
	if (option == NULL) {
		return unknown_long(command, typed, err);
	}
	if (option->type == OPTION_FLAG) {
		if (text != NULL) {
			int rc = err_set(err, ERR_USAGE, "%s takes no value", where);
			err_why(err, "'%s' was given; it is on as %s, off as --no-%s", text, where,
				option->name);
			advise_help(command, err);
			return rc;
		}
		return set_from_argv(parse, option, is_negated ? "false" : "true", where, err);
	}
	if (text == NULL) {
		int rc = next_value(parse, option, where, &text, err);
		if (rc < 0) {
			return rc;
		}
	}
	return set_from_argv(parse, option, text, where, err);
}

/* `-a`, `-ab`, `-aVALUE`, `-a VALUE`. */
static int parse_letters(struct parse *parse, const char *letters, struct err *err)
{
	const struct command *command = parse->command;
	for (; *letters != '\0'; letters++) {
		char where[] = {'-', *letters, '\0'};
		const struct option *option = command->options;
		while (option != NULL && option->name != NULL && option->letter != *letters) {
			option++;
		}
		if (option == NULL || option->name == NULL) {
			if (*letters == 'h') {
				parse->help = true;
				continue;
			}
			int rc = err_set(err, ERR_USAGE, "unknown option '-%c'",
					 *letters > ' ' && *letters < 0x7F ? *letters : '?');
			err_why(err, "%s has no such option", command->name);
			advise_help(command, err);
			return rc;
		}
		if (option->type == OPTION_FLAG) {
			int rc = set_from_argv(parse, option, "true", where, err);
			if (rc < 0) {
				return rc;
			}
			continue;
		}
		const char *text = letters + 1;
		if (*text == '\0') {
			int rc = next_value(parse, option, where, &text, err);
			if (rc < 0) {
				return rc;
			}
		}
		return set_from_argv(parse, option, text, where, err);
	}
	return 0;
}

static int parse_words(struct parse *parse, int *ret_first, struct err *err)
{
	int operands = 0; /* moved to argv[1 …]: those cells are read already */
	while (parse->at < parse->argc && !parse->help && !parse->ended) {
		char *word = parse->argv[parse->at];
		int rc = 0;
		if (word[0] != '-' || word[1] == '\0') {
			if (parse->command->stops_at_operand) {
				break;
			}
			parse->argv[1 + operands++] = word;
			parse->at++;
			continue;
		}
		parse->at++;
		if (strcmp(word, "--") == 0) {
			break;
		}
		rc = word[1] == '-' ? parse_long(parse, word + 2, err)
				    : parse_letters(parse, word + 1, err);
		if (rc < 0) {
			return rc;
		}
	}
	/* The operands before meet those after: all at the end. */
	memmove(&parse->argv[parse->at - operands], &parse->argv[1],
		(size_t)operands * sizeof parse->argv[0]);
	*ret_first = parse->at - operands;
	return 0;
}

/* The defaults; lists become our own, so that options_release can free all. */
static int set_defaults(const struct command *command, void *values, struct err *err)
{
	if (command->options_size == 0) {
		return 0;
	}
	if (command->defaults != NULL) {
		memcpy(values, command->defaults, command->options_size);
	} else {
		memset(values, 0, command->options_size);
	}
	int rc = 0;
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		assert(option - command->options < OPTIONS_MAX);
		if (option->type != OPTION_TEXTS) {
			continue;
		}
		struct option_texts *texts = (void *)((char *)values + option->offset);
		struct option_texts defaults = *texts;
		*texts = (struct option_texts){NULL, 0};
		struct option plain = *option;
		plain.set_offset = OPTION_NO_SET; /* a default isn't "set" */
		for (size_t i = 0; i < defaults.count && rc == 0; i++) {
			rc = option_set(&plain, values, defaults.items[i], option->name, err);
		}
	}
	return rc;
}

int options_parse(const struct command *command, const struct config *config, int argc, char **argv,
		  void *values, int *ret_first, bool *ret_help, struct err *err)
{
	struct parse parse = {
	    .command = command, .argv = argv, .argc = argc, .at = 1, .values = values};
	assert(!has_letter(command, '-'));
	int first = argc;
	int rc = set_defaults(command, values, err);
	if (rc == 0 && config != NULL) {
		rc = config_apply(config, command, values, err);
	}
	if (rc == 0) {
		rc = parse_words(&parse, &first, err);
	}
	if (rc == 0) {
		*ret_first = first;
		*ret_help = parse.help;
	}
	return rc;
}

void options_release(const struct command *command, void *values)
{
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (option->type == OPTION_TEXTS) {
			struct option_texts *texts = (void *)((char *)values + option->offset);
			mem_free(texts->items);
			*texts = (struct option_texts){NULL, 0};
		}
	}
}
