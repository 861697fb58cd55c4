/* pyrometer ledger: what was changed for speed, why, and what it gave; and the history of
 * results. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/history.h"
#include "bench/ledger.h"
#include "commands/commands.h"
#include "commands/report_input.h"
#include "report/ledger_view.h"

#define TEXT_BYTES_MAX 4000

struct ledger_options {
	const char *hypothesis, *decision, *reason, *before, *after, *ledger, *output;
	bool json, markdown;
};

static const struct ledger_options ledger_defaults;

#define FIELD(member) .offset = offsetof(struct ledger_options, member)
#define NO_SET .set_offset = OPTION_NO_SET

static const struct option ledger_options[] = {
    {.name = "hypothesis",
     .type = OPTION_TEXT,
     FIELD(hypothesis),
     NO_SET,
     .value_name = "TEXT",
     .no_config = true,
     .help = "add: what the change was expected to give, and why."},
    {.name = "decision",
     .type = OPTION_TEXT,
     FIELD(decision),
     NO_SET,
     .value_name = "TEXT",
     .no_config = true,
     .help = "add: what was decided: kept, reverted, ..."},
    {.name = "reason",
     .type = OPTION_TEXT,
     FIELD(reason),
     NO_SET,
     .value_name = "TEXT",
     .no_config = true,
     .help = "add: why it was decided so."},
    {.name = "before",
     .type = OPTION_TEXT,
     FIELD(before),
     NO_SET,
     .value_name = "REV",
     .no_config = true,
     .help = "add: the revision of A, where the comparison doesn't know it."},
    {.name = "after",
     .type = OPTION_TEXT,
     FIELD(after),
     NO_SET,
     .value_name = "REV",
     .no_config = true,
     .help = "add: the revision of B, where the comparison doesn't know it."},
    {.name = "ledger",
     .type = OPTION_TEXT,
     FIELD(ledger),
     NO_SET,
     .value_name = "FOLDER",
     .help = "The ledger's folder, instead of performance/ledger in the repository."},
    {.name = "json",
     .type = OPTION_FLAG,
     FIELD(json),
     NO_SET,
     .no_config = true,
     .help = "show, history: as JSON."},
    {.name = "markdown",
     .type = OPTION_FLAG,
     FIELD(markdown),
     NO_SET,
     .no_config = true,
     .help = "show: all entries as one page of Markdown."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "show, history: write to FILE instead of standard output."},
    {.name = NULL},
};

static int find_folder(const struct ledger_options *options, char *folder, size_t size,
		       struct err *err)
{
	int r;

	if (options->ledger != NULL && strlen(options->ledger) > 0 &&
	    strlen(options->ledger) < size) {
		memcpy(folder, options->ledger, strlen(options->ledger) + 1);
		return 0;
	}
	r = options->ledger != NULL ? -ERR_USAGE : ledger_find(".", folder, size);
	if (r < 0) {
		r = err_set(err, ERR_USAGE, "there is no place for the ledger");
		err_why(err, options->ledger != NULL ? "--ledger is empty, or too long for a path"
						     : "the working directory can't be resolved");
		err_next(err, "pyrometer ledger show --ledger FOLDER");
	}
	return r;
}

/* ---- add ---- */

static int check_texts(const struct ledger_options *options, struct err *err)
{
	const struct {
		const char *name, *text;
	} wanted[] = {{"hypothesis", options->hypothesis},
		      {"decision", options->decision},
		      {"reason", options->reason}};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const char *text = wanted[i].text;
		size_t length = text != NULL ? strlen(text) : 0;
		int r;

		if (length > 0 && text[strspn(text, " \t\r\n")] != '\0' && length <= TEXT_BYTES_MAX)
			continue;
		r = err_set(err, ERR_USAGE, "an entry of the ledger needs its %s", wanted[i].name);
		if (length > TEXT_BYTES_MAX)
			err_why(err, "it has %zu bytes; at most %d fit", length, TEXT_BYTES_MAX);
		else
			err_why(err, "--%s is %s", wanted[i].name,
				text == NULL ? "missing" : "empty");
		err_next(err, "pyrometer ledger add --hypothesis TEXT --decision TEXT --reason "
			      "TEXT COMPARISON.json");
		return r;
	}
	return 0;
}

static int set_text(char **field, const char *text, struct err *err)
{
	if (text == NULL)
		return 0;
	mem_free(*field);
	*field = mem_copy_text(text);
	return *field == NULL ? err_set(err, ERR_MEMORY, "no memory for the entry") : 0;
}

static int fill_entry(const struct ledger_options *options, const char *path,
		      struct ledger_entry *entry, struct err *err)
{
	int r = ledger_entry_from_comparison(path, entry, err);

	entry->created_s = (double)time(NULL);
	if (r == 0)
		r = set_text(&entry->hypothesis, options->hypothesis, err);
	if (r == 0)
		r = set_text(&entry->decision, options->decision, err);
	if (r == 0)
		r = set_text(&entry->reason, options->reason, err);
	if (r == 0)
		r = set_text(&entry->a.revision, options->before, err);
	if (r == 0)
		r = set_text(&entry->b.revision, options->after, err);
	return r;
}

static int ledger_add_main(const struct ledger_options *options, const char *folder, int count,
			   char **paths, struct err *err)
{
	struct ledger_entry entry = {.created_s = NAN};
	struct ledger ledger = {0};
	int r;

	if (count != 1) {
		r = err_set(err, ERR_USAGE, "ledger add takes one comparison");
		err_why(err, "%d were given", count);
		err_next(err, "pyrometer compare --json A B > comparison.json");
		return r;
	}
	r = check_texts(options, err);
	if (r == 0)
		r = ledger_read(folder, &ledger, err);
	if (r == 0)
		r = fill_entry(options, paths[0], &entry, err);
	if (r == 0)
		r = ledger_add(folder, &ledger, &entry, err);
	if (r == 0) {
		text_write_safe(stdout, folder);
		fputc('/', stdout);
		text_write_safe(stdout, entry.file);
		fputc('\n', stdout);
		if (entry.a.revision == NULL || entry.b.revision == NULL)
			fputs("A revision is not known to the comparison: --before, --after.\n",
			      stderr);
	}
	ledger_entry_release(&entry);
	ledger_release(&ledger);
	return r;
}

/* ---- show ---- */

/* All of it was shown; then the exit status says that it can't be trusted. */
static int tampered(const struct ledger *ledger, struct err *err)
{
	int r;

	for (size_t i = 0; i < ledger->count; i++) {
		if (ledger->entries[i].problem == NULL)
			continue;
		r = err_set(err, ERR_GATE, "the ledger was tampered with: %s",
			    ledger->entries[i].file);
		err_why(err, "%s%s", ledger->entries[i].problem,
			ledger->problems > 1 ? " (and there is more)" : "");
		err_next(err, "git log -p shows who changed it; git checkout brings it back");
		return r;
	}
	return 0;
}

static int ledger_show_main(const struct ledger_options *options, const char *folder, int count,
			    struct err *err)
{
	struct terminal terminal;
	struct ledger ledger = {0};
	struct output output;
	int r;

	if (count != 0) {
		r = err_set(err, ERR_USAGE, "ledger show takes no operand");
		err_why(err, "%d were given; the ledger is %s", count, folder);
		err_next(err, "pyrometer ledger show --ledger FOLDER");
		return r;
	}
	r = ledger_read(folder, &ledger, err);
	if (r == 0)
		r = output_open(&output, options->output, err);
	if (r == 0) {
		terminal_describe(&terminal, output.stream);
		r = options->json ? ledger_json_write(output.stream, &ledger, err)
		    : options->markdown
			? ledger_markdown_write(output.stream, &ledger, err)
			: ledger_view_print(output.stream, &ledger, folder, &terminal, err);
		r = output_close(&output, r, err);
	}
	if (r == 0)
		r = tampered(&ledger, err);
	ledger_release(&ledger);
	return r;
}

/* ---- history ---- */

static int ledger_history_main(const struct ledger_options *options, int count, char **paths,
			       struct err *err)
{
	struct history history = {0};
	struct terminal terminal;
	struct output output;
	int r;

	if (count == 0) {
		r = err_set(err, ERR_USAGE, "ledger history takes files or folders of results");
		err_why(err, "none was given");
		err_next(err, "pyrometer ledger history performance/results");
		return r;
	}
	r = history_read(paths, (size_t)count, &history, err);
	if (r < 0)
		return r;
	r = output_open(&output, options->output, err);
	if (r == 0) {
		terminal_describe(&terminal, output.stream);
		r = options->json ? history_json_write(output.stream, &history, err)
				  : history_view_print(output.stream, &history, &terminal, err);
		r = output_close(&output, r, err);
	}
	history_release(&history);
	return r;
}

/* ---- The command ---- */

static const char *const verbs[] = {"add", "show", "history", NULL};

static int ledger_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct ledger_options *options = values;
	const char *verb = operand_count > 0 ? operands[0] : "show", *near;
	char folder[RECORDING_PATH_MAX];
	int rest = operand_count > 0 ? operand_count - 1 : 0, r;

	if (strcmp(verb, "history") == 0)
		return ledger_history_main(options, rest, operands + 1, err);
	r = find_folder(options, folder, sizeof(folder), err);
	if (r < 0)
		return r;
	if (strcmp(verb, "add") == 0)
		return ledger_add_main(options, folder, rest, operands + 1, err);
	if (strcmp(verb, "show") == 0)
		return ledger_show_main(options, folder, rest, err);
	near = options_did_you_mean(verb, verbs);
	r = err_set(err, ERR_USAGE, "ledger has no \"%.80s\"", verb);
	if (near != NULL)
		err_why(err, "did you mean \"%s\"?", near);
	else
		err_why(err, "it has add, show and history");
	err_next(err, "pyrometer ledger --help");
	return r;
}

const struct command command_ledger = {
    .name = "ledger",
    .summary = "What was changed for speed, why, and what it gave; the history of results",
    .usage = "ledger [options] add COMPARISON.json | show | history RESULTS...",
    .description =
	"add writes a new entry into the ledger of the repository: hypothesis, both revisions, the "
	"comparison's numbers with their intervals, decision and reason. One Markdown file an "
	"entry, never written again: made for review in a pull request, and for branches that "
	"merge.\n"
	"\n"
	"show prints the ledger, and ends with 1 where an entry was changed or has gone since it "
	"was written.\n"
	"\n"
	"history reads files of results (Pyrometer's, pyperf's, pytest-benchmark's, hyperfine's, "
	"asv's) and says where a benchmark's median changed its level: a place to look, never a "
	"gate.",
    .examples = "pyrometer compare --json rev:main . > comparison.json\n"
		"pyrometer ledger add --hypothesis 'a set instead of the list' --decision kept "
		"--reason '30 % of the run' comparison.json\n"
		"pyrometer ledger show --markdown\n"
		"pyrometer ledger history performance/results",
    .options = ledger_options,
    .options_size = sizeof(struct ledger_options),
    .defaults = &ledger_defaults,
    .operand_choices = verbs,
    .main = ledger_main,
};
