/* pyrometer report: where the time of a recording went. */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/report_input.h"
#include "profile/builder.h"
#include "report/answer.h"
#include "report/functions_view.h"
#include "report/json_view.h"
#include "report/lines_view.h"
#include "report/page.h"
#include "report/processes_view.h"
#include "report/threads_view.h"
#include "report/tree_view.h"
#include "report/verdict.h"

struct report_options {
	struct selection_arguments selection;
	const char *sort, *output;
	int64_t limit;
	bool tree, lines, processes, json;
};

static const struct report_options report_defaults = {
    .selection = {.threads = "main"},
    .sort = "self",
};

static const char *const sort_choices[] = {"self", "total", NULL};
static const char *const threads_choices[] = {"main", "all", "list", NULL};

#define FIELD(member) .offset = offsetof(struct report_options, member), .set_offset = OPTION_NO_SET

#define SELECTION_IN(field) offsetof(struct report_options, selection.field)
#define SELECTION_THREADS threads_choices
#define SELECTION_THREADS_HELP "The main thread, all threads together, or a list of the threads."
#define SELECTION_FOLDS

static const struct option report_options[] = {
    {.name = "tree",
     .type = OPTION_FLAG,
     FIELD(tree),
     .help = "The call tree, heaviest branches first."},
    {.name = "lines",
     .type = OPTION_FLAG,
     FIELD(lines),
     .help = "The hottest lines with their source."},
    {.name = "processes",
     .type = OPTION_FLAG,
     FIELD(processes),
     .help = "The processes of the recording."},
    {.name = "json",
     .type = OPTION_FLAG,
     FIELD(json),
     .no_config = true,
     .help = "The report as JSON."},
    {.name = "sort",
     .type = OPTION_CHOICE,
     FIELD(sort),
     .value_name = "BY",
     .choices = sort_choices,
     .help = "Sort functions by their self or total time."},
    {.name = "limit",
     .type = OPTION_INTEGER,
     FIELD(limit),
     .value_name = "N",
     .minimum = 1,
     .maximum = 1000000,
     .help = "At most N rows."},
#include "commands/selection_options.def"
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     .value_name = "FILE",
     .no_config = true,
     .help = "Write to FILE instead of standard output."},
    {.name = NULL},
};

#define ROWS_DEFAULT 20
#define TREE_ROWS_DEFAULT 50

static size_t row_limit(const struct report_options *options, size_t unless_given)
{
	return options->limit > 0 ? (size_t)options->limit : unless_given;
}

static bool wants_thread_list(const struct report_options *options)
{
	return strcmp(options->selection.threads, "list") == 0;
}

static int check_options(const struct report_options *options, struct err *err)
{
	int views = options->tree + options->lines + options->processes + options->json +
		    wants_thread_list(options);
	int r;

	if (views <= 1)
		return 0;
	r = err_set(err, ERR_USAGE, "one view at a time");
	err_why(err,
		"--tree, --lines, --processes, --threads list and --json exclude each other; "
		"%d were given",
		views);
	err_next(err, "leave out all but one of them");
	return r;
}

static int write_view(const struct report_options *options, const struct profile *profile,
		      const struct selection *selection, const struct shares *shares,
		      const struct page *page, struct err *err)
{
	if (options->tree)
		return tree_view_write(page, profile, selection,
				       row_limit(options, TREE_ROWS_DEFAULT), err);
	if (options->lines)
		return lines_view_write(page, profile, shares, row_limit(options, ROWS_DEFAULT),
					err);
	if (options->processes) {
		(void)processes_view_write(page, profile, row_limit(options, ROWS_DEFAULT), false);
		return 0;
	}
	return threads_view_write(page, profile, selection, row_limit(options, ROWS_DEFAULT), err);
}

/* Text: the verdict, then the view that was asked for; without one the answer. */
static int write_text(const struct report_options *options, const struct profile *profile,
		      const struct selection *selection, const char *path, const char *damage,
		      FILE *stream, struct err *err)
{
	struct answer_options answer = {
	    .selection = selection,
	    .sort = strcmp(options->sort, "total") == 0 ? SORT_TOTAL : SORT_SELF,
	    .limit = row_limit(options, ROWS_DEFAULT),
	    .recording_path = path,
	    .damage = damage,
	};
	char verdict[VERDICT_TEXT_MAX];
	struct terminal terminal;
	struct shares shares;
	struct page page;
	int r = shares_compute(profile, selection, &shares, err);

	if (r < 0)
		return r;
	terminal_describe(&terminal, stream);
	if (!options->processes && !wants_thread_list(options) && shares.sample_count == 0)
		r = no_samples("report", profile, damage, err);
	if (r == 0 && !options->tree && !options->lines && !options->processes &&
	    !wants_thread_list(options)) {
		r = report_answer(profile, &answer, stream, &terminal, err);
	} else if (r == 0) {
		page_init(&page, stream, &terminal);
		if (options->tree || options->lines) {
			verdict_write(profile, selection, &shares, verdict, sizeof(verdict));
			page_sentence(&page, 0, STYLE_BOLD, verdict);
			if (damage[0] != '\0')
				page_sentence(&page, 2, STYLE_YELLOW, damage);
			page_blank(&page);
		}
		r = write_view(options, profile, selection, &shares, &page, err);
	}
	shares_release(&shares);
	return r;
}

static int write_json(const struct report_options *options, const struct profile *profile,
		      const struct selection *selection, const char *damage, FILE *stream,
		      struct err *err)
{
	enum share_sort sort = strcmp(options->sort, "total") == 0 ? SORT_TOTAL : SORT_SELF;
	struct shares shares;
	int r = shares_compute(profile, selection, &shares, err);

	if (r < 0)
		return r;
	if (shares.sample_count == 0)
		r = no_samples("report", profile, damage, err);
	shares_release(&shares);
	return r < 0 ? r
		     : report_json_write(profile, selection, sort, row_limit(options, 0), damage,
					 stream, err);
}

static int report_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct report_options *options = values;
	char path[RECORDING_PATH_MAX];
	struct recording_damage damage = {0};
	struct profile *profile = NULL;
	struct selection selection;
	struct output output;
	int r = check_options(options, err);

	if (r < 0)
		return r;
	selection_from_arguments(&options->selection, &selection);
	r = recording_operand("report", operand_count, operands, path, err);
	if (r < 0)
		return r;
	r = recording_read(path, selection_detail(&selection), &profile, &damage, err);
	if (r < 0)
		return r;
	r = output_open(&output, options->output, err);
	if (r == 0) {
		r = options->json
			? write_json(options, profile, &selection, damage.text, output.stream, err)
			: write_text(options, profile, &selection, path, damage.text, output.stream,
				     err);
		r = output_close(&output, r, err);
	}
	profile_free(profile);
	return r;
}

const struct command command_report = {
    .name = "report",
    .summary = "Where the time of a recording went: functions, tree, lines, threads, JSON",
    .usage = "report [options] [RECORDING]",
    .description =
	"Says in one sentence where the time of a recording went, then shows it: the "
	"functions with their self and total shares, or the view that is asked for.\n"
	"\n"
	"Shares are of the wall time of the main thread of the first Python process, unless "
	"--threads, --thread, --pid or --cpu say otherwise; an interval (±) holds this run's "
	"true share with 95 % confidence. Without RECORDING the newest *.pyro of the "
	"working directory is read.",
    .examples = "pyrometer report app.pyro\n"
		"pyrometer report --lines app.pyro\n"
		"pyrometer report --tree --threads all app.pyro\n"
		"pyrometer report --json app.pyro | jq .functions[0]",
    .options = report_options,
    .options_size = sizeof(struct report_options),
    .defaults = &report_defaults,
    .main = report_main,
};
