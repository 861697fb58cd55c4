/* Manual pages: roff for man(1), from the same tables as --help. */
#include <ctype.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>

#include "base/options.h"
#include "base/program.h"
#include "base/utf8.h"

/* Text so that roff prints it as it is: hyphens that can be copied, no requests by accident. */
static void put_escaped(FILE *stream, const char *text, size_t size)
{
	bool at_line_start = true;
	for (size_t at = 0; at < size;) {
		uint32_t character;
		size_t length = utf8_decode((const uint8_t *)text + at, size - at, &character);
		if (at_line_start && (character == '.' || character == '\'')) {
			fputs("\\&", stream);
		}
		at_line_start = character == '\n';
		if (character == UTF8_INVALID) {
			putc('?', stream);
		} else if (character == '\\') {
			fputs("\\(rs", stream);
		} else if (character == '-') {
			fputs("\\-", stream);
		} else if (character == '\'') {
			fputs("\\(aq", stream);
		} else if (character == '`') {
			fputs("\\(ga", stream);
		} else if (character == '^') {
			fputs("\\(ha", stream);
		} else if (character == '~') {
			fputs("\\(ti", stream);
		} else if (character >= 0x80) {
			fprintf(stream, "\\[u%04X]", (unsigned)character);
		} else {
			putc((int)character, stream);
		}
		at += length;
	}
}

static void put_text(FILE *stream, const char *text)
{
	put_escaped(stream, text, strlen(text));
}

static void put_upper(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '-') {
			putc('\\', stream);
		}
		putc(toupper((unsigned char)*text), stream);
	}
}

/* Lines that begin with a space stay as they are; an empty line ends a paragraph. */
static void put_paragraphs(FILE *stream, const char *text)
{
	bool is_verbatim = false;
	bool was_break = true; /* no .PP right after a heading */
	for (const char *line = text; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		if (length > 0 && (*line == ' ') != is_verbatim) {
			is_verbatim = !is_verbatim;
			fputs(is_verbatim ? ".nf\n" : ".fi\n", stream);
		}
		if (length == 0) {
			fputs(was_break ? "" : ".PP\n", stream);
			was_break = true;
		} else {
			put_escaped(stream, line, length);
			putc('\n', stream);
			was_break = false;
		}
		line += length + (line[length] == '\n');
	}
	fputs(is_verbatim ? ".fi\n" : "", stream);
}

static void put_examples(FILE *stream, const char *examples)
{
	if (examples == NULL) {
		return;
	}
	fputs(".SH EXAMPLES\n.nf\n", stream);
	put_text(stream, examples);
	if (examples[0] != '\0' && examples[strlen(examples) - 1] != '\n') {
		putc('\n', stream);
	}
	fputs(".fi\n", stream);
}

static void put_title(FILE *stream, const char *name, const char *command, const char *version)
{
	fputs(".TH ", stream);
	put_upper(stream, name);
	if (command != NULL) {
		fputs("\\-", stream);
		put_upper(stream, command);
	}
	fprintf(stream, " 1 \"\" \"Pyrometer %s\" \"Pyrometer\"\n", version);
	fputs(".SH NAME\n", stream);
	put_text(stream, name);
	if (command != NULL) {
		fputs("\\-", stream);
		put_text(stream, command);
	}
	fputs(" \\- ", stream);
}

static void put_synopsis(FILE *stream, const char *usage)
{
	fputs(".SH SYNOPSIS\n.nf\n", stream);
	for (const char *line = usage; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		fputs("\\fBpyrometer\\fR ", stream);
		put_escaped(stream, line, length);
		putc('\n', stream);
		line += length + (line[length] == '\n');
	}
	fputs(".fi\n", stream);
}

static void put_option(FILE *stream, const struct command *command, const struct option *option)
{
	const char *value = option_value_name(option);
	fputs(".TP\n", stream);
	if (option->letter != 0) {
		fprintf(stream, "\\fB\\-%c\\fR, ", option->letter);
	}
	fputs("\\fB\\-\\-", stream);
	put_text(stream, option->name);
	fputs("\\fR", stream);
	if (*value != '\0') {
		fputs(" \\fI", stream);
		put_text(stream, value);
		fputs("\\fR", stream);
	}
	putc('\n', stream);
	put_text(stream, option->help);
	putc('\n', stream);
	if (option->type == OPTION_CHOICE) {
		fputs(".br\nOne of: ", stream);
		for (size_t i = 0; option->choices[i] != NULL; i++) {
			fputs(i > 0 ? ", " : "", stream);
			put_text(stream, option->choices[i]);
		}
		putc('\n', stream);
	}
	const char *key = option_config_key(option);
	if (key != NULL) {
		fputs(".br\nConfiguration: ", stream);
		put_text(stream, key);
		fputs(" in [tool.pyrometer", stream);
		fprintf(stream, ".%s]\n", command->name);
	}
}

void options_print_man(const struct command *command, const char *program_version, FILE *stream)
{
	put_title(stream, "pyrometer", command->name, program_version);
	put_text(stream, command->summary != NULL ? command->summary : command->name);
	putc('\n', stream);
	put_synopsis(stream, command->usage != NULL ? command->usage : command->name);
	if (command->description != NULL) {
		fputs(".SH DESCRIPTION\n", stream);
		put_paragraphs(stream, command->description);
	}
	fputs(".SH OPTIONS\n", stream);
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (!option->hidden) {
			put_option(stream, command, option);
		}
	}
	fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nPrint the options and end\n", stream);
	put_examples(stream, command->examples);
	fputs(".SH SEE ALSO\n\\fBpyrometer\\fR(1)\n", stream);
}

static const struct {
	const char *status, *meaning;
} exit_statuses[] = {
    {"0", "All is well."},
    {"1", "Findings or a regression, where asked for."},
    {"2", "The command line or the configuration is wrong."},
    {"3", "The system does not permit it."},
    {"4", "There is no such process, or it ended."},
    {"5", "Not CPython, or a version that is not supported."},
    {"7", "Too little data to answer."},
    {"8", "A file or the network."},
    {"9", "It cannot be told."},
    {"10", "It was not measured."},
    {"125", "Pyrometer's own failure where else the measured program's status is returned: "
	    "that, or 128 + N where signal N ended it."},
};

void program_print_man(const struct program *program, FILE *stream)
{
	put_title(stream, program->name, NULL, program->version);
	put_text(stream, program->summary);
	putc('\n', stream);
	put_synopsis(stream, "COMMAND [options] \xE2\x80\xA6");
	fputs(".SH DESCRIPTION\n", stream);
	put_paragraphs(stream,
		       program->description != NULL ? program->description : program->summary);
	fputs(".SH COMMANDS\n", stream);
	for (size_t i = 0; program->commands[i] != NULL; i++) {
		fputs(".TP\n\\fB", stream);
		put_text(stream, program->name);
		fputs("\\-", stream);
		put_text(stream, program->commands[i]->name);
		fputs("\\fR(1)\n", stream);
		put_text(stream, program->commands[i]->summary);
		putc('\n', stream);
	}
	fputs(".SH CONFIGURATION\n", stream);
	put_paragraphs(
	    stream, "The nearest pyproject.toml, from the working directory upwards, may hold "
		    "[tool.pyrometer] for all commands and [tool.pyrometer.COMMAND] for one. The "
		    "keys are the options' long names. The command line wins over the command's "
		    "own table, that one over the common one. A flag that the configuration "
		    "turned on is turned off by --no-NAME. `pyrometer config` shows where each "
		    "value comes from.");
	fputs(".SH EXIT STATUS\n", stream);
	for (size_t i = 0; i < sizeof exit_statuses / sizeof exit_statuses[0]; i++) {
		fprintf(stream, ".TP\n.B %s\n", exit_statuses[i].status);
		put_text(stream, exit_statuses[i].meaning);
		putc('\n', stream);
	}
	put_examples(stream, program->examples);
}
