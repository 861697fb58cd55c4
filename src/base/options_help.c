/* --help, as wide as the terminal. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/program.h"
#include "base/terminal.h"

#define LABEL_COLUMNS_MAX 30 /* a longer label has its help on the next line */
#define NARROW_COLUMNS 60    /* below, all have */
#define COLUMNS_MOST 100     /* longer lines are hard to read */
#define LABEL_BYTES_MAX 160

struct help {
	FILE *stream;
	size_t columns;
	struct terminal terminal;
};

static struct help help_start(FILE *stream, int columns, bool color)
{
	struct help help = {.stream = stream, .terminal = {.color = color}};
	help.columns = columns < 20 ? 20 : columns > COLUMNS_MOST ? COLUMNS_MOST : (size_t)columns;
	return help;
}

static void heading(const struct help *help, const char *text)
{
	fprintf(help->stream, "\n%s%s%s\n", style_on(&help->terminal, STYLE_BOLD), text,
		style_off(&help->terminal));
}

static void paragraphs(const struct help *help, const char *text, size_t indent)
{
	fprintf(help->stream, "%*s", (int)indent, "");
	text_write_wrapped(help->stream, text, indent, indent, help->columns);
	putc('\n', help->stream);
}

/* The label of one row in its column, its text beside it. */
static void row(const struct help *help, const char *label, const char *text, size_t label_columns)
{
	size_t width = text_display_width(label);
	size_t indent = 2 + label_columns + 2;
	fprintf(help->stream, "  %s%s%s", style_on(&help->terminal, STYLE_BOLD), label,
		style_off(&help->terminal));
	if (help->columns < NARROW_COLUMNS) {
		indent = 6;
	}
	if (help->columns < NARROW_COLUMNS || width > label_columns) {
		fprintf(help->stream, "\n%*s", (int)indent, "");
	} else {
		fprintf(help->stream, "%*s", (int)(indent - 2 - width), "");
	}
	text_write_wrapped(help->stream, text, indent, indent, help->columns);
	putc('\n', help->stream);
}

static void label_of(const struct option *option, char *label, size_t size)
{
	char letter[8] = "    ";
	if (option->letter != 0) {
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	}
	const char *value = option_value_name(option);
	snprintf(label, size, "%s--%s%s%s", letter, option->name, *value != '\0' ? " " : "", value);
}

/* The sentence, the choices, the default: what the sentence doesn't say itself. */
static void text_of(const struct command *command, const struct option *option, char *text,
		    size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%s", option->help);
	if (used < size && option->choices != NULL && option->type == OPTION_CHOICE) {
		for (size_t i = 0; option->choices[i] != NULL && used < size; i++) {
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 i == 0 ? " (" : ", ", option->choices[i]);
		}
		used += used < size ? (size_t)snprintf(text + used, size - used, ")") : 0;
	}
	if (command->defaults == NULL || option->type == OPTION_FLAG ||
	    option->type == OPTION_TEXTS || strstr(option->help, "default") != NULL) {
		return;
	}
	char value[128];
	option_format(option, command->defaults, value, sizeof value);
	if (value[0] != '\0' && strcmp(value, "0") != 0 && strcmp(value, "-1") != 0 &&
	    used < size) {
		snprintf(text + used, size - used, " [default: %s]", value);
	}
}

static void print_options(const struct help *help, const struct command *command)
{
	char label[LABEL_BYTES_MAX], text[1024];
	size_t label_columns = strlen("-h, --help");
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		label_of(option, label, sizeof label);
		size_t width = text_display_width(label);
		if (!option->hidden && width > label_columns && width <= LABEL_COLUMNS_MAX) {
			label_columns = width;
		}
	}
	heading(help, "Options:");
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (!option->hidden) {
			label_of(option, label, sizeof label);
			text_of(command, option, text, sizeof text);
			row(help, label, text, label_columns);
		}
	}
	row(help, "-h, --help", "Print this and end", label_columns);
}

static void print_examples(const struct help *help, const char *examples)
{
	if (examples == NULL) {
		return;
	}
	heading(help, "Examples:");
	for (const char *line = examples; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		fprintf(help->stream, "%s%.*s\n", length > 0 ? "  " : "", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

void options_print_help(const struct command *command, FILE *stream, int columns, bool color)
{
	struct help help = help_start(stream, columns, color);
	const char *usage = command->usage != NULL ? command->usage : command->name;
	fprintf(stream, "%sUsage:%s ", style_on(&help.terminal, STYLE_BOLD),
		style_off(&help.terminal));
	for (const char *line = usage; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		fprintf(stream, "%spyrometer %.*s\n", line == usage ? "" : "       ", (int)length,
			line);
		line += length + (line[length] == '\n');
	}
	putc('\n', stream);
	if (command->summary != NULL) {
		paragraphs(&help, command->summary, 0);
	}
	if (command->description != NULL) {
		putc('\n', stream);
		paragraphs(&help, command->description, 0);
	}
	print_options(&help, command);
	print_examples(&help, command->examples);
}

void program_print_help(const struct program *program, FILE *stream, int columns, bool color)
{
	struct help help = help_start(stream, columns, color);
	size_t label_columns = strlen("--version");
	fprintf(stream, "%sUsage:%s %s COMMAND [options] …\n\n",
		style_on(&help.terminal, STYLE_BOLD), style_off(&help.terminal), program->name);
	paragraphs(&help, program->summary, 0);
	if (program->description != NULL) {
		putc('\n', stream);
		paragraphs(&help, program->description, 0);
	}
	heading(&help, "Commands:");
	for (size_t i = 0; program->commands[i] != NULL; i++) {
		size_t width = text_display_width(program->commands[i]->name);
		label_columns = width > label_columns ? width : label_columns;
	}
	for (size_t i = 0; program->commands[i] != NULL; i++) {
		row(&help, program->commands[i]->name, program->commands[i]->summary,
		    label_columns);
	}
	heading(&help, "Options:");
	row(&help, "--help", "Print this and end; after a command: that command's", label_columns);
	row(&help, "--version", "Print the version and end", label_columns);
	print_examples(&help, program->examples);
}
