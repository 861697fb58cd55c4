/* The option table: parsing, values, typos, help, manual pages, completions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/options.h"
#include "base/terminal.h"

#define WORDS_MAX 16

struct sample_options {
	bool json, json_set, quiet;
	const char *output, *view;
	int64_t depth;
	double factor, duration, rate;
	uint64_t size;
	int32_t pid;
	struct option_texts only;
};

static const char *const views[] = {"tree", "lines", "flat", NULL};
static const char *default_only[] = {"a", "b"};
static const struct sample_options defaults = {
    .view = "flat", .depth = 7, .rate = 500, .only = {default_only, 2}};

#define AT(field) .offset = offsetof(struct sample_options, field), .set_offset = OPTION_NO_SET
static const struct option options[] = {
    {.name = "json",
     .letter = 'j',
     .type = OPTION_FLAG,
     .offset = offsetof(struct sample_options, json),
     .set_offset = offsetof(struct sample_options, json_set),
     .help = "Print JSON"},
    {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, AT(quiet), .help = "Say less"},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     AT(output),
     .value_name = "FILE",
     .help = "Where to; it's \"quoted\" [and] a:b `c` $d \\e",
     .no_config = true},
    {.name = "view", .type = OPTION_CHOICE, AT(view), .choices = views, .help = "How"},
    {.name = "depth",
     .type = OPTION_INTEGER,
     AT(depth),
     .minimum = 1,
     .maximum = 100,
     .help = "How deep"},
    {.name = "factor", .type = OPTION_NUMBER, AT(factor), .help = "How much"},
    {.name = "duration",
     .letter = 'd',
     .type = OPTION_DURATION,
     AT(duration),
     .value_name = "SECONDS",
     .help = "How long"},
    {.name = "rate", .letter = 'r', .type = OPTION_RATE, AT(rate), .help = "How often"},
    {.name = "max-size", .type = OPTION_SIZE, AT(size), .help = "How large"},
    {.name = "pid", .letter = 'p', .type = OPTION_PID, AT(pid), .help = "Which process"},
    {.name = "only", .type = OPTION_TEXTS, AT(only), .help = "Only these"},
    {.name = "secret", .type = OPTION_FLAG, AT(quiet), .help = "hidden", .hidden = true},
    {.name = NULL},
};

static const struct command command_sample = {
    .name = "sample",
    .summary = "Do a thing - once",
    .usage = "sample [options] FILE\xE2\x80\xA6",
    .description = "First paragraph, that's long enough to be filled over more than one line of "
		   "any terminal.\n\n  verbatim -x\n.not a request\n\\not an escape",
    .examples = "pyrometer sample x\n.y",
    .options = options,
    .options_size = sizeof(struct sample_options),
    .defaults = &defaults,
};
static const struct option runner_options[] = {
    {.name = "module",
     .letter = 'm',
     .type = OPTION_TEXT,
     AT(output),
     .value_name = "MODULE",
     .help = "A module",
     .ends_options = true},
    {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, AT(quiet), .help = "Say less"},
    {.name = NULL},
};
static const struct command command_moduled = {
    .name = "moduled",
    .summary = "Run",
    .usage = "moduled",
    .options = runner_options,
    .options_size = sizeof(struct sample_options),
    .defaults = &defaults,
    .stops_at_operand = true,
};
static const struct command command_runner = {
    .name = "runner",
    .summary = "Run",
    .usage = "runner",
    .options = options,
    .options_size = sizeof(struct sample_options),
    .defaults = &defaults,
    .stops_at_operand = true,
};
static const struct command command_helper = {
    .name = "helper",
    .summary = "Help",
    .usage = "helper",
    .operands_are_commands = true,
};
static const struct command *const commands[] = {&command_sample, &command_runner, &command_helper,
						 &command_moduled, NULL};

/* A parse of words split at spaces. */
struct parsed {
	int rc, argc, first;
	bool help;
	char line[256];
	char *argv[WORDS_MAX + 1];
	struct sample_options values;
	struct err err;
};

static void parse_line(const struct command *command, const char *line, struct parsed *parsed)
{
	memset(parsed, 0, sizeof *parsed);
	snprintf(parsed->line, sizeof parsed->line, "%s", line);
	char *rest = parsed->line;
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		assert_true(parsed->argc < WORDS_MAX);
		parsed->argv[parsed->argc++] = word;
	}
	parsed->rc = options_parse(command, NULL, parsed->argc, parsed->argv, &parsed->values,
				   &parsed->first, &parsed->help, &parsed->err);
}

/* "rc|operands|json quiet output view depth duration rate size pid only" */
static void describe(const struct parsed *parsed, char *text, size_t size)
{
	size_t used = 0;
	for (int i = parsed->first; i < parsed->argc; i++) {
		used += (size_t)snprintf(text + used, size - used, "%s,", parsed->argv[i]);
	}
	const struct sample_options *values = &parsed->values;
	used += (size_t)snprintf(text + used, size - used, "|%d%d%d %s %s %lld %g %g %llu %d",
				 values->json, values->json_set, values->quiet,
				 values->output != NULL ? values->output : "-", values->view,
				 (long long)values->depth, values->duration, values->rate,
				 (unsigned long long)values->size, values->pid);
	for (size_t i = 0; i < values->only.count; i++) {
		used += (size_t)snprintf(text + used, size - used, " %s", values->only.items[i]);
	}
}

static void command_lines_are_read(void **state)
{
	static const struct {
		const struct command *command;
		const char *line, *wanted;
	} rows[] = {
	    {&command_sample, "sample", "|000 - flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample --json x --output=f y", "x,y,|110 f flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample x -jqo f y", "x,y,|111 f flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample -of -r250 -d 2m", "|000 f flat 7 120 250 0 0 a b"},
	    {&command_sample, "sample --output= x", "x,|000  flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample --output=a=b", "|000 a=b flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample -o -x", "|000 -x flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample - x -q", "-,x,|001 - flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample a -- -q --json", "a,-q,--json,|000 - flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample --json --no-json", "|010 - flat 7 0 500 0 0 a b"},
	    {&command_sample, "sample --only c --only=d", "|000 - flat 7 0 500 0 0 c d"},
	    {&command_sample, "sample --view tree -p 42 --max-size 64MiB",
	     "|000 - tree 7 0 500 67108864 42 a b"},
	    {&command_sample, "sample -r max", "|000 - flat 7 0 inf 0 0 a b"},
	    {&command_runner, "runner -q app.py -j --nonsense",
	     "app.py,-j,--nonsense,|001 - flat 7 0 500 0 0 a b"},
	    {&command_runner, "runner -q -- -j x", "-j,x,|001 - flat 7 0 500 0 0 a b"},
	    {&command_moduled, "moduled -q -m mod -q --help",
	     "-q,--help,|001 mod flat 7 0 500 0 0 a b"},
	    {&command_moduled, "moduled -mmod", "|000 mod flat 7 0 500 0 0 a b"},
	    {&command_moduled, "moduled --module=mod -- x", "--,x,|000 mod flat 7 0 500 0 0 a b"},
	    {&command_runner, "runner -- -- x", "--,x,|000 - flat 7 0 500 0 0 a b"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct parsed parsed;
		char text[512] = "";
		parse_line(rows[i].command, rows[i].line, &parsed);
		assert_int_equal(parsed.rc, 0);
		describe(&parsed, text, sizeof text);
		assert_string_equal(text, rows[i].wanted);
		assert_null(parsed.argv[parsed.argc]);
		options_release(rows[i].command, &parsed.values);
	}
}

static void wrong_command_lines_say_what_and_why(void **state)
{
	static const struct {
		const char *line, *what, *why;
	} rows[] = {
	    {"sample --jsno", "did you mean '--json'?", "no such option"},
	    {"sample --dur 5", "did you mean '--duration'?", "no such option"},
	    {"sample --xyzzy", "unknown option '--xyzzy'", "no such option"},
	    {"sample --secre", "unknown option '--secre'", ""},
	    {"sample -x", "unknown option '-x'", ""},
	    {"sample -jx", "unknown option '-x'", ""},
	    {"sample --output", "--output needs a value", "nothing follows"},
	    {"sample -o", "-o needs a value", "nothing follows"},
	    {"sample -o --json", "-o needs a value", "--output=--json"},
	    {"sample --json=yes", "--json takes no value", "--no-json"},
	    {"sample --no-output", "unknown option '--no-output'", ""},
	    {"sample --view treee", "did you mean 'tree'?", "tree, lines, flat"},
	    {"sample --view zzz", "'zzz' is unknown", "tree, lines, flat"},
	    {"sample --depth 0", "out of range", "at least 1 and at most 100"},
	    {"sample --depth 101", "out of range", "at most 100"},
	    {"sample --depth 1.5", "is not a whole number", ""},
	    {"sample --depth 99999999999999999999", "is not a whole number", ""},
	    {"sample --depth=", "is not a whole number", ""},
	    {"sample --factor nan", "is not a number", ""},
	    {"sample --factor 0x10", "is not a number", ""},
	    {"sample --factor 1e999", "is not a number", ""},
	    {"sample --factor 1..2", "is not a number", ""},
	    {"sample --duration=-1", "is not a time", ""},
	    {"sample --duration 5x", "is not a time", ""},
	    {"sample --duration ms", "is not a time", ""},
	    {"sample --rate 0", "is not a rate", "above 0"},
	    {"sample --rate fast", "is not a rate", ""},
	    {"sample --max-size 1e30", "is not a size", ""},
	    {"sample --max-size 5Q", "is not a size", ""},
	    {"sample --pid 0", "is not a process id", ""},
	    {"sample --pid 4294967297", "is not a process id", ""},
	    {"sample --pid=-4", "is not a process id", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct parsed parsed;
		parse_line(&command_sample, rows[i].line, &parsed);
		if (parsed.rc != -ERR_USAGE || strstr(parsed.err.what, rows[i].what) == NULL ||
		    strstr(parsed.err.why, rows[i].why) == NULL) {
			fail_msg("%s: %d %s / %s", rows[i].line, parsed.rc, parsed.err.what,
				 parsed.err.why);
		}
		assert_string_equal(parsed.err.next, "pyrometer sample --help");
		options_release(&command_sample, &parsed.values);
	}
}

static void units_are_what_they_say(void **state)
{
	static const struct {
		const char *option, *text;
		double wanted;
	} rows[] = {
	    {"duration", "5", 5},	  {"duration", "1.5s", 1.5},
	    {"duration", "200ms", 0.2},	  {"duration", "2m", 120},
	    {"duration", "1h", 3600},	  {"duration", "1e-3", 0.001},
	    {"rate", "2kHz", 2000},	  {"rate", "0.5", 0.5},
	    {"rate", "99Hz", 99},	  {"max-size", "500k", 5e5},
	    {"max-size", "1G", 1e9},	  {"max-size", "1GiB", 1073741824.0},
	    {"max-size", "1.5KiB", 1536}, {"max-size", "0", 0},
	    {"factor", "-2.5e3", -2500},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sample_options values = defaults;
		const struct option *option = options;
		while (strcmp(option->name, rows[i].option) != 0) {
			option++;
		}
		assert_int_equal(option_set(option, &values, rows[i].text, "x", NULL), 0);
		double found = option->type == OPTION_SIZE	 ? (double)values.size
			       : option->type == OPTION_RATE	 ? values.rate
			       : option->type == OPTION_DURATION ? values.duration
								 : values.factor;
		assert_true(fabs(found - rows[i].wanted) <= 1e-12 * fabs(rows[i].wanted));
	}
}

static void formatted_values_can_be_read_back(void **state)
{
	static const char *const texts[] = {"true", "false", "some text", "tree", "12",
					    "2.5",  "0.25",  "1000",	  "4096", "4711"};
	static const char *const names[] = {"json",   "quiet",	  "output", "view",	"depth",
					    "factor", "duration", "rate",   "max-size", "pid"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct sample_options values = defaults;
		char text[128], quoted[128];
		const struct option *option = options;
		while (strcmp(option->name, names[i]) != 0) {
			option++;
		}
		assert_int_equal(option_set(option, &values, texts[i], "x", NULL), 0);
		option_format(option, &values, text, sizeof text);
		snprintf(quoted, sizeof quoted, "\"%s\"", texts[i]);
		assert_true(strcmp(text, texts[i]) == 0 || strcmp(text, quoted) == 0);
	}
}

static void typos_find_their_names(void **state)
{
	static const char *const names[] = {"run",  "record", "report",	     "export", "diff",
					    "dump", "doctor", "completions", NULL};
	static const struct {
		const char *typed, *wanted;
	} rows[] = {
	    {"rn", "run"},	   {"urn", "run"},  {"reprot", "report"},
	    {"recrod", "record"},  {"dif", "diff"}, {"comp", "completions"},
	    {"docter", "doctor"},  {"xyz", NULL},   {"", NULL},
	    {"r", "run"},	   {"fun", "run"},  {"top", NULL},
	    {"exports", "export"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *found = options_did_you_mean(rows[i].typed, names);
		if (rows[i].wanted == NULL) {
			assert_null(found);
		} else {
			assert_non_null(found);
			assert_string_equal(found, rows[i].wanted);
		}
	}
	char endless[5000];
	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	assert_null(options_did_you_mean(endless, names));
}

static void help_fits_the_terminal_and_hides_the_hidden(void **state)
{
	(void)state;
	for (int columns = 20; columns <= 140; columns += 10) {
		char *bytes = NULL;
		size_t length = 0;
		FILE *stream = open_memstream(&bytes, &length);
		options_print_help(&command_sample, stream, columns, false);
		fclose(stream);
		assert_non_null(strstr(bytes, "--duration SECONDS"));
		assert_non_null(strstr(bytes, "[default: 500]"));
		assert_null(strstr(bytes, "secret"));
		assert_null(strstr(bytes, "\033"));
		size_t wide = 0;
		char *rest = bytes;
		for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
			size_t width = text_display_width(line);
			wide = width > wide ? width : wide;
			assert_true(width == 0 || line[strlen(line) - 1] != ' ');
		}
		assert_true(columns < 40 || wide <= (size_t)columns);
		free(bytes);
	}
}

static void help_is_found_wherever_it_stands(void **state)
{
	static const struct {
		const struct command *command;
		const char *line;
		bool help;
	} rows[] = {{&command_sample, "sample --help", true},
		    {&command_sample, "sample x -h", true},
		    {&command_sample, "sample -jh", true},
		    {&command_runner, "runner x --help", false},
		    {&command_sample, "sample -- -h", false}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct parsed parsed;
		parse_line(rows[i].command, rows[i].line, &parsed);
		assert_int_equal(parsed.rc, 0);
		assert_int_equal(parsed.help, rows[i].help);
		options_release(rows[i].command, &parsed.values);
	}
}

/* What a shell command prints for the bytes on its stdin; -1: the program isn't there. */
static int pipe_through(const char *command, const char *bytes, char *output, size_t size)
{
	char path[] = "/tmp/pyrometer-test-XXXXXX", line[512];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *stream = fdopen(fd, "w");
	fputs(bytes, stream);
	fclose(stream);
	snprintf(line, sizeof line, "%s < %s 2>&1", command, path);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	size_t got = fread(output, 1, size - 1, pipe);
	output[got] = '\0';
	int status = pclose(pipe);
	remove(path);
	return status;
}

static void manual_pages_are_clean_roff(void **state)
{
	char *bytes = NULL;
	size_t length = 0;
	char output[16384];
	FILE *stream = open_memstream(&bytes, &length);
	(void)state;
	options_print_man(&command_sample, "1.2", stream);
	fclose(stream);
	assert_non_null(strstr(bytes, ".TH PYROMETER\\-SAMPLE 1"));
	assert_non_null(strstr(bytes, "\n\\&.not a request\n"));
	assert_non_null(strstr(bytes, "\\(rsnot an escape"));
	for (size_t i = 0; i < length; i++) {
		assert_true((unsigned char)bytes[i] < 0x80);
	}
	if (system("command -v groff >/dev/null 2>&1") == 0) {
		assert_int_equal(
		    pipe_through("groff -man -z -ww -Tutf8", bytes, output, sizeof output), 0);
		assert_string_equal(output, "");
		pipe_through("groff -man -Tutf8 -P-cbou", bytes, output, sizeof output);
		assert_non_null(strstr(output, ".not a request \\not an escape"));
		assert_non_null(strstr(output, "-d, --duration SECONDS"));
		assert_non_null(strstr(output, "it's \"quoted\" [and] a:b `c` $d \\e"));
		assert_non_null(strstr(output, "\xE2\x80\xA6"));
	}
	free(bytes);
}

static void completions_are_scripts_that_their_shells_accept(void **state)
{
	static const struct {
		const char *shell, *check;
	} rows[] = {{"bash", "bash -n"}, {"zsh", "zsh -n"}, {"fish", "fish --no-execute"}};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *bytes = NULL;
		size_t length = 0;
		char output[4096], exists[64];
		FILE *stream = open_memstream(&bytes, &length);
		options_print_completions(commands, rows[i].shell, stream);
		fclose(stream);
		assert_non_null(strstr(bytes, "duration"));
		assert_null(strstr(bytes, "secret"));
		snprintf(exists, sizeof exists, "command -v %s >/dev/null 2>&1", rows[i].shell);
		if (system(exists) == 0) {
			int status = pipe_through(rows[i].check, bytes, output, sizeof output);
			assert_string_equal(output, "");
			assert_int_equal(status, 0);
		}
		free(bytes);
	}
}

/* What bash offers for the words, the last of them being typed. */
static void bash_offers(const char *script, const char *words, char *offered, size_t size)
{
	char *bytes = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&bytes, &length);
	fprintf(stream,
		"%s\nCOMP_WORDS=(%s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_pyrometer\n"
		"echo \"${COMPREPLY[*]}\"\n",
		script, words);
	fclose(stream);
	pipe_through("bash --norc", bytes, offered, size);
	free(bytes);
}

static void bash_completes_commands_options_and_values(void **state)
{
	static const struct {
		const char *words, *wanted;
	} rows[] = {
	    {"pyrometer s", "sample\n"},
	    {"pyrometer ''", "sample runner helper moduled --help --version\n"},
	    {"pyrometer sample --d", "--depth --duration\n"},
	    {"pyrometer sample --view ''", "tree lines flat\n"},
	    {"pyrometer sample --view = l", "lines\n"},
	    {"pyrometer sample --view =", "tree lines flat\n"},
	    {"pyrometer sample --rate ''", "\n"},
	    {"pyrometer sample -o meson.bu", "meson.build\n"},
	    {"pyrometer sample meson.bu", "meson.build\n"},
	    {"pyrometer runner -o x meson.bu", "meson.build\n"},
	    {"pyrometer runner app.py --d", "\n"},
	    {"pyrometer runner -o app.py --d", "--depth --duration\n"},
	    {"pyrometer helper sa", "sample\n"},
	    {"pyrometer moduled --q", "--quiet\n"},
	    {"pyrometer moduled -m mod --q", "\n"},
	    {"pyrometer moduled -m mo", "\n"},
	};
	char *script = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&script, &length);
	(void)state;
	options_print_completions(commands, "bash", stream);
	fclose(stream);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char offered[4096];
		bash_offers(script, rows[i].words, offered, sizeof offered);
		assert_string_equal(offered, rows[i].wanted);
	}
	free(script);
}

static void any_allocation_may_fail(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		struct parsed parsed;
		mem_fail_after(n);
		parse_line(&command_sample, "sample --only c --only d x --json", &parsed);
		bool failed = mem_failed();
		mem_fail_after(-1);
		assert_int_equal(parsed.rc, failed ? -ERR_MEMORY : 0);
		options_release(&command_sample, &parsed.values);
		if (!failed) {
			assert_true(n >= 4);
			return;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(command_lines_are_read),
	    cmocka_unit_test(wrong_command_lines_say_what_and_why),
	    cmocka_unit_test(units_are_what_they_say),
	    cmocka_unit_test(formatted_values_can_be_read_back),
	    cmocka_unit_test(typos_find_their_names),
	    cmocka_unit_test(help_fits_the_terminal_and_hides_the_hidden),
	    cmocka_unit_test(help_is_found_wherever_it_stands),
	    cmocka_unit_test(manual_pages_are_clean_roff),
	    cmocka_unit_test(completions_are_scripts_that_their_shells_accept),
	    cmocka_unit_test(bash_completes_commands_options_and_values),
	    cmocka_unit_test(any_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
