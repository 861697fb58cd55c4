/* `pyrometer config`: each option's value for each command, and where it comes from. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/json_write.h"
#include "base/options.h"
#include "base/program.h"
#include "base/terminal.h"
#include "commands/commands.h"

#define VALUE_BYTES_MAX 512
#define SCHEMA_VERSION 1

struct config_options {
	bool json, all;
};

static const struct config_options defaults;

static const struct option options[] = {
    {.name = "all",
     .type = OPTION_FLAG,
     .offset = offsetof(struct config_options, all),
     .set_offset = OPTION_NO_SET,
     .help = "Also the options that are at their default",
     .no_config = true},
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = offsetof(struct config_options, json),
     .set_offset = OPTION_NO_SET,
     .help = "As JSON, with all options",
     .no_config = true},
    {.name = NULL},
};

struct listing {
	const struct config *config;
	const struct config_options *options;
	const struct terminal *terminal;
	struct json_writer json;
	size_t shown;
};

static void show_text(struct listing *listing, const struct command *command, const char *key,
		      const char *value, const struct config_entry *entry)
{
	char name[128];
	if (entry == NULL && !listing->options->all) {
		return;
	}
	listing->shown++;
	snprintf(name, sizeof name, "%s.%s", command->name, key);
	text_write_cell(stdout, name, 28, CUT_END, false);
	putchar(' ');
	if (text_display_width(value) < 20) {
		text_write_cell(stdout, value, 20, CUT_END, false);
	} else {
		text_write_safe(stdout, value);
	}
	fputs(style_on(listing->terminal, STYLE_DIM), stdout);
	if (entry != NULL) {
		putchar(' ');
		text_write_safe(stdout, listing->config->path);
		printf(":%d", entry->line);
	} else {
		fputs(" default", stdout);
	}
	fputs(style_off(listing->terminal), stdout);
	putchar('\n');
}

static void show_json(struct listing *listing, const struct command *command, const char *key,
		      const char *value, const struct config_entry *entry)
{
	struct json_writer *json = &listing->json;
	listing->shown++;
	json_object_begin(json);
	json_key(json, "command");
	json_text(json, command->name);
	json_key(json, "key");
	json_text(json, key);
	json_key(json, "value");
	json_text(json, value[0] != '\0' ? value : NULL);
	json_key(json, "file");
	json_text(json, entry != NULL ? listing->config->path : NULL);
	json_key(json, "line");
	if (entry != NULL) {
		json_signed(json, entry->line);
	} else {
		json_absent(json);
	}
	json_object_end(json);
}

static int show_command(struct listing *listing, const struct command *command, struct err *err)
{
	char value[VALUE_BYTES_MAX];
	char argv0[] = "config";
	char *argv[] = {argv0, NULL};
	int first;
	bool help;
	void *values = mem_zalloc(1, command->options_size);
	if (values == NULL) {
		return err_set(err, ERR_MEMORY, "cannot show the configuration of %s",
			       command->name);
	}
	int rc = options_parse(command, listing->config, 1, argv, values, &first, &help, err);
	for (const struct option *option = command->options; rc == 0 && option->name != NULL;
	     option++) {
		const char *key = option_config_key(option);
		if (key == NULL || option->hidden) {
			continue;
		}
		option_format(option, values, value, sizeof value);
		const struct config_entry *entry = config_find(listing->config, command, option);
		(listing->options->json ? show_json : show_text)(listing, command, key, value,
								 entry);
	}
	options_release(command, values);
	mem_free(values);
	return rc;
}

static int show_all(struct listing *listing, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; pyrometer_program.commands[i] != NULL && rc == 0; i++) {
		const struct command *command = pyrometer_program.commands[i];
		if (command->options != NULL && command->options_size > 0) {
			rc = show_command(listing, command, err);
		}
	}
	return rc;
}

static int show(struct listing *listing, struct err *err)
{
	int rc;
	if (!listing->options->json) {
		rc = show_all(listing, err);
		if (rc == 0 && listing->shown == 0 && listing->config->path != NULL) {
			fputs("nothing is set by ", stderr);
			text_write_safe(stderr, listing->config->path);
			fputs("; all options: pyrometer config --all\n", stderr);
		} else if (rc == 0 && listing->shown == 0) {
			fputs("no " CONFIG_FILE_NAME
			      " here or above; all options: pyrometer config --all\n",
			      stderr);
		}
		return rc;
	}
	json_start(&listing->json, stdout, true);
	json_object_begin(&listing->json);
	json_key(&listing->json, "schema_version");
	json_signed(&listing->json, SCHEMA_VERSION);
	json_key(&listing->json, "file");
	json_text(&listing->json, listing->config->path);
	json_key(&listing->json, "options");
	json_array_begin(&listing->json);
	rc = show_all(listing, err);
	json_array_end(&listing->json);
	json_object_end(&listing->json);
	return rc;
}

static int config_main(const void *values, int operand_count, char **operands, struct err *err)
{
	struct terminal terminal;
	struct config config;
	if (operand_count > 0) {
		int rc = err_set(err, ERR_USAGE, "config takes no '%s'", operands[0]);
		err_why(err, "it shows the configuration of all commands");
		err_next(err, "pyrometer config");
		return rc;
	}
	terminal_describe(&terminal, stdout);
	config_init(&config);
	int rc = config_load(&config, NULL, err);
	if (rc == 0) {
		rc = config_check(&config, pyrometer_program.commands, err);
	}
	if (rc == 0) {
		struct listing listing = {
		    .config = &config, .options = values, .terminal = &terminal};
		rc = show(&listing, err);
	}
	config_release(&config);
	return rc;
}

const struct command command_config = {
    .name = "config",
    .summary = "Show what the configuration sets, and where",
    .usage = "config [--all] [--json]",
    .description = "The nearest pyproject.toml, from the working directory upwards, may hold "
		   "[tool.pyrometer] for every command that has the option, and "
		   "[tool.pyrometer.COMMAND] for one. The keys are the options' long names. The "
		   "command line wins over the command's own table, that one over the common one.\n"
		   "\n"
		   "  [tool.pyrometer.run]\n"
		   "  rate = 500",
    .examples = "pyrometer config --all",
    .options = options,
    .options_size = sizeof(struct config_options),
    .defaults = &defaults,
    .main = config_main,
};
