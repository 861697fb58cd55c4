/* pyrometer diff: what changed between two recordings. */
#include <string.h>

#include "analysis/diff.h"
#include "base/err.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/report_input.h"
#include "profile/builder.h"
#include "report/diff_view.h"

struct diff_options {
	struct selection_arguments selection;
	const char *output;
	int64_t limit;
	double fail_on_points;
	bool fail_on_set, json;
};

static const struct diff_options diff_defaults = {.selection = {.threads = "main"}};

#define FIELD(member) .offset = offsetof(struct diff_options, member)
#define NO_SET .set_offset = OPTION_NO_SET

#define SELECTION_IN(field) offsetof(struct diff_options, selection.field)
#define SELECTION_THREADS selection_threads
#define SELECTION_THREADS_HELP "The main thread, or all threads together."
#define SELECTION_FOLDS

static const struct option diff_options[] = {
    {.name = "json",
     .type = OPTION_FLAG,
     FIELD(json),
     NO_SET,
     .no_config = true,
     .help = "The comparison as JSON."},
    {.name = "fail-on",
     .type = OPTION_NUMBER,
     FIELD(fail_on_points),
     .set_offset = offsetof(struct diff_options, fail_on_set),
     .value_name = "POINTS",
     .minimum = 0,
     .maximum = 100,
     .help = "Exit with 1 when a function's self share grew, beyond chance and in time too, by "
	     "at least POINTS percentage points."},
    {.name = "limit",
     .type = OPTION_INTEGER,
     FIELD(limit),
     NO_SET,
     .value_name = "N",
     .minimum = 1,
     .maximum = 1000000,
     .help = "At most N rows."},
#include "commands/selection_options.def"
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "Write to FILE instead of standard output."},
    {.name = NULL},
};

#define ROWS_DEFAULT 20

/* A larger share of a shorter run is no regression: the time must have grown too. */
static const struct diff_row *worst_regression(const struct profile_diff *diff, double points)
{
	const struct diff_row *worst = NULL;

	for (size_t i = 0; i < diff->row_count; i++) {
		const struct diff_row *row = &diff->rows[i];

		if (row->significant && row->change > 0 && row->change * 100 >= points &&
		    row->seconds_b > row->seconds_a &&
		    (worst == NULL || row->change > worst->change))
			worst = row;
	}
	return worst;
}

static int read_side(const char *path, const struct selection *selection,
		     struct profile **ret_profile, struct err *err)
{
	struct recording_damage damage = {0};
	int r = recording_read(path, selection_detail(selection), ret_profile, &damage, err);

	if (r == 0)
		damage_say(path, &damage);
	return r;
}

static int write_diff(const struct diff_options *options, struct diff_view *view, struct err *err)
{
	struct terminal terminal;
	struct output output;
	int r = output_open(&output, options->output, err);

	if (r < 0)
		return r;
	view->limit = options->limit > 0 ? (size_t)options->limit
		      : options->json	 ? 0
					 : ROWS_DEFAULT;
	terminal_describe(&terminal, output.stream);
	r = options->json ? diff_json_write(view, output.stream, err)
			  : diff_view_write(view, output.stream, &terminal, err);
	return output_close(&output, r, err);
}

static int compare(const struct diff_options *options, const char *path_a, const char *path_b,
		   struct profile *a, struct profile *b, struct err *err)
{
	struct selection selection;
	struct profile_diff diff;
	struct diff_view view = {.a = a,
				 .b = b,
				 .path_a = path_a,
				 .path_b = path_b,
				 .selection = &selection,
				 .diff = &diff};
	const struct diff_row *worst;
	int r;

	selection_from_arguments(&options->selection, &selection);
	r = profile_diff_compute(a, b, &selection, &diff, err);
	if (r < 0)
		return r;
	r = write_diff(options, &view, err);
	worst = options->fail_on_set ? worst_regression(&diff, options->fail_on_points) : NULL;
	if (r == 0 && worst != NULL) {
		r = err_set(err, ERR_GATE, "%s takes more than before", worst->name);
		err_why(
		    err,
		    "its self share grew by %.1f points, from %.1f %% to %.1f %%; --fail-on is %g",
		    worst->change * 100, worst->share_a * 100, worst->share_b * 100,
		    options->fail_on_points);
		err_next(err, "pyrometer report --lines --filter %s %s", worst->name, path_b);
	}
	profile_diff_release(&diff);
	return r;
}

static int diff_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct diff_options *options = values;
	struct profile *a = NULL, *b = NULL;
	struct selection selection;
	int r;

	if (operand_count != 2) {
		r = err_set(err, ERR_USAGE, "diff takes two recordings");
		err_why(err, "%d %s given", operand_count, operand_count == 1 ? "was" : "were");
		err_next(err, "pyrometer diff BEFORE.pyro AFTER.pyro");
		return r;
	}
	selection_from_arguments(&options->selection, &selection);
	r = read_side(operands[0], &selection, &a, err);
	if (r == 0)
		r = read_side(operands[1], &selection, &b, err);
	if (r == 0)
		r = compare(options, operands[0], operands[1], a, b, err);
	profile_free(a);
	profile_free(b);
	return r;
}

const struct command command_diff = {
    .name = "diff",
    .summary = "What changed between two recordings, with significance",
    .usage = "diff [options] A B",
    .description =
	"Compares the self shares of every function in two recordings, A before and B after. "
	"A change is called more, less, new or gone only when chance doesn't explain it (95 %, "
	"corrected for the number of functions); everything else is noise.\n"
	"\n"
	"Recordings that were taken in different ways are refused. One run each cannot tell "
	"how much the whole run varies from run to run.",
    .examples = "pyrometer diff before.pyro after.pyro\n"
		"pyrometer diff --threads all --cpu before.pyro after.pyro\n"
		"pyrometer diff --fail-on 5 before.pyro after.pyro",
    .options = diff_options,
    .options_size = sizeof(struct diff_options),
    .defaults = &diff_defaults,
    .main = diff_main,
};
