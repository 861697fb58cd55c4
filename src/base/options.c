/* The option table: looking things up in it, and the nearest name to a typo. Parsing, values, help,
 * man pages and completions are in options_*.c. */
#include "base/options.h"

#include <stdint.h>
#include <string.h>

#define NAME_LENGTH_MAX 64
#define DISTANCE_MAX 2

const char *option_config_key(const struct option *option)
{
	if (option->no_config) {
		return NULL;
	}
	return option->config_key != NULL ? option->config_key : option->name;
}

static const char *const value_names[] = {
    [OPTION_FLAG] = "",		[OPTION_TEXT] = "TEXT",		[OPTION_INTEGER] = "N",
    [OPTION_NUMBER] = "NUMBER", [OPTION_DURATION] = "DURATION", [OPTION_SIZE] = "SIZE",
    [OPTION_RATE] = "HZ",	[OPTION_CHOICE] = "NAME",	[OPTION_PID] = "PID",
    [OPTION_TEXTS] = "TEXT",
};

const char *option_value_name(const struct option *option)
{
	if (option->type == OPTION_FLAG) {
		return "";
	}
	return option->value_name != NULL ? option->value_name : value_names[option->type];
}

const struct option *options_find_key(const struct command *command, const char *key)
{
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		const char *own_key = option_config_key(option);
		if (own_key != NULL && strcmp(own_key, key) == 0) {
			return option;
		}
	}
	return NULL;
}

const struct command *commands_find(const struct command *const *commands, const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			return commands[i];
		}
	}
	return NULL;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b; both short. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	uint8_t rows[3][NAME_LENGTH_MAX + 1];
	uint8_t *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_length; j++) {
		before[j] = 0;
		last[j] = (uint8_t)j;
	}
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned least = last[j - 1] + (a[i - 1] != b[j - 1] ? 1U : 0U);
			least = last[j] + 1U < least ? last[j] + 1U : least;
			least = row[j - 1] + 1U < least ? row[j - 1] + 1U : least;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1U < least) {
				least = before[j - 2] + 1U;
			}
			row[j] = (uint8_t)least;
		}
		uint8_t *spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_length];
}

const char *options_did_you_mean(const char *typed, const char *const *names)
{
	const char *nearest = NULL;
	size_t least = SIZE_MAX;
	size_t typed_length = strlen(typed);
	if (typed_length == 0 || typed_length > NAME_LENGTH_MAX) {
		return NULL;
	}
	for (size_t i = 0; names[i] != NULL; i++) {
		size_t length = strlen(names[i]);
		if (length > NAME_LENGTH_MAX) {
			continue;
		}
		size_t distance = edit_distance(typed, typed_length, names[i], length);
		size_t longer = length > typed_length ? length : typed_length;
		/* Two edits make any word of three letters out of any other with one letter of
		 * it: at least half must agree. */
		bool is_near = distance <= DISTANCE_MAX && 2 * distance <= longer;
		bool is_prefix = strncmp(names[i], typed, typed_length) == 0;
		/* A beginning of two letters or more tells more than two edits do. */
		size_t rank = is_prefix && typed_length > 1 && distance > 1 ? 3
			      : is_near					    ? 2 * distance
									    : 2 * DISTANCE_MAX + 1;
		if ((is_near || is_prefix) && rank < least) {
			nearest = names[i];
			least = rank;
		}
	}
	return nearest;
}
