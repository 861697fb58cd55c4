/* The option table: one table per command gives the parser, --help, the man
 * page and the shell completions. PRODUCT rules: common names, "did you mean",
 * exit 2 on usage. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config;
struct err;
struct program;

enum option_type {
	OPTION_FLAG,	 /* bool */
	OPTION_TEXT,	 /* const char * (points into argv or the configuration) */
	OPTION_INTEGER,	 /* int64_t */
	OPTION_NUMBER,	 /* double */
	OPTION_DURATION, /* double seconds: "5", "1.5s", "200ms", "2m", "1h" */
	OPTION_SIZE,	 /* uint64_t bytes: "64MiB", "1G", "500k" */
	OPTION_RATE,	 /* double Hz; "max" = INFINITY */
	OPTION_CHOICE,	 /* const char *, one of `choices` */
	OPTION_PID,	 /* int32_t > 0 */
	OPTION_TEXTS,	 /* struct option_texts: may be given several times */
};
struct option_texts {
	const char **items;
	size_t count;
};

struct option {
	const char *name; /* long name without dashes */
	char letter;	  /* 0 none */
	enum option_type type;
	size_t offset;		    /* of the field in the command's options struct */
	size_t set_offset;	    /* of a `bool …_set` field, or OPTION_NO_SET */
	const char *value_name;	    /* "FILE", "HZ" */
	const char *help;	    /* one sentence */
	const char *const *choices; /* OPTION_CHOICE, NULL-terminated */
	const char *config_key;	 /* key in [tool.pyrometer] / [tool.pyrometer.COMMAND]; NULL = same
				    as name */
	bool no_config;		 /* never from configuration */
	double minimum, maximum; /* numbers; both 0 = no bound, maximum < minimum = none above */
	bool hidden;
	/* Where the command stops at an operand: this option's value names the program as an
	 * operand would (python's -m), and all that follows is the program's own. */
	bool ends_options;
};
#define OPTION_NO_SET ((size_t)-1)

struct command;

/* A command of the program, one file each (commands/cmd_NAME.c), listed in commands/commands.c. */
struct command {
	const char *name;
	const char *summary;		    /* one line for the list */
	const char *usage;		    /* "run [options] [--] PROGRAM [ARGS…]" */
	const char *description;	    /* paragraphs for --help and the man page */
	const char *examples;		    /* lines for --help and the man page */
	const struct option *options;	    /* ends with .name = NULL */
	size_t options_size;		    /* sizeof the options struct */
	const void *defaults;		    /* initial value of the struct */
	const char *const *operand_choices; /* for completions: NULL-terminated, or NULL: files */
	bool operands_are_commands;	    /* for completions: help, man */
	bool stops_at_operand; /* options after the first operand are the operand's own (run, record
				  --) */
	int own_failure_status; /* 0: err_exit_status; 125 for run and record */
	/* operands: what is left of argv. Returns the exit status; on failure fills err and returns
	 * a negative code, which main prints and maps. */
	int (*main)(const void *options, int operand_count, char **operands, struct err *);
};

#define OPTIONS_MAX 64 /* per command */

/* argv[0] is the command's name. Fills `values` (options_size bytes): defaults, then the
 * configuration (NULL: none), then argv; a list given in argv replaces the configuration's.
 * A flag that the configuration turned on is turned off by --no-NAME.
 * -ERR_USAGE with "did you mean". *ret_first: index of the first operand in argv: operands are
 * moved to its end, and what lies before them is spent, unless stops_at_operand.
 * *ret_help: --help was given. options_release also after a failure. */
int options_parse(const struct command *, const struct config *, int argc, char **argv,
		  void *values, int *ret_first, bool *ret_help, struct err *);
void options_release(const struct command *, void *values);

/* One value from text, as after `--name `; `where` opens the message of an error. */
int option_set(const struct option *, void *values, const char *text, const char *where,
	       struct err *);
/* The value as it would be written in the configuration; "" where there is none. */
void option_format(const struct option *, const void *values, char *text, size_t size);

/* The option's key in the configuration, NULL where it has none. */
const char *option_config_key(const struct option *);
const char *option_value_name(const struct option *); /* never NULL; "" for a flag */
/* By key or NULL. */
const struct option *options_find_key(const struct command *, const char *key);
const struct command *commands_find(const struct command *const *commands, const char *name);

void options_print_help(const struct command *, FILE *, int columns, bool color);
void options_print_man(const struct command *, const char *program_version, FILE *);
void program_print_help(const struct program *, FILE *, int columns, bool color);
void program_print_man(const struct program *, FILE *);
/* shell: one of completion_shells. */
extern const char *const completion_shells[];
void options_print_completions(const struct command *const *commands, const char *shell, FILE *);

/* The nearest of `names` (edit distance ≤ 2, or a prefix), or NULL. */
const char *options_did_you_mean(const char *typed, const char *const *names);

#endif
