/* pyrometer export: a recording in another tool's format. */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/filter.h"
#include "base/err.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/report_input.h"
#include "formats/format.h"
#include "profile/builder.h"

struct export_options {
	struct selection_arguments selection;
	const char *format, *output;
	bool list;
};

/* Other tools show threads side by side: everything is exported unless said. */
static const struct export_options export_defaults = {.selection = {.threads = "all"}};

#define FIELD(member) .offset = offsetof(struct export_options, member), .set_offset = OPTION_NO_SET

#define SELECTION_IN(field) offsetof(struct export_options, selection.field)
#define SELECTION_THREADS selection_threads
#define SELECTION_THREADS_HELP "All threads (the default) or only the main thread."

static const struct option export_options[] = {
    {.name = "format",
     .letter = 'f',
     .type = OPTION_TEXT,
     FIELD(format),
     .value_name = "NAME",
     .help = "The format: collapsed, speedscope, pprof, firefox; --list says what reads it."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     .value_name = "FILE",
     .no_config = true,
     .help = "Write to FILE, - for standard output; by default named after the recording."},
    {.name = "list",
     .type = OPTION_FLAG,
     FIELD(list),
     .no_config = true,
     .help = "List the formats and what opens them."},
#include "commands/selection_options.def"
    {.name = NULL},
};

#define FORMATS_MAX 32

static int list_formats(void)
{
	for (size_t i = 0; formats[i] != NULL; i++) {
		fprintf(stdout, "%-12s %s\n", formats[i]->name, formats[i]->summary);
		fprintf(stdout, "%-12s opened by %s\n", "", formats[i]->opened_by);
	}
	return 0;
}

static int find_format(const char *name, const struct format **ret_format, struct err *err)
{
	const char *names[FORMATS_MAX + 1] = {NULL};
	const char *near;
	int r;

	if (name != NULL)
		*ret_format = format_find(name);
	if (name != NULL && *ret_format != NULL)
		return 0;
	for (size_t i = 0; i < FORMATS_MAX && formats[i] != NULL; i++)
		names[i] = formats[i]->name;
	near = name != NULL ? options_did_you_mean(name, names) : NULL;
	if (name == NULL) {
		r = err_set(err, ERR_USAGE, "which format?");
		err_why(err, "--format NAME was not given");
	} else {
		r = err_set(err, ERR_USAGE, "there is no format \"%s\"", name);
		err_why(err, near != NULL ? "did you mean %s?" : "none has a name like it%s",
			near != NULL ? near : "");
	}
	err_next(err, near != NULL ? "pyrometer export --format %s" : "pyrometer export --list%s",
		 near != NULL ? near : "");
	return r;
}

/* "orders.pyro" → "orders.speedscope.json", in the working directory. */
static void default_name(const char *recording, const struct format *format, char *name)
{
	const char *base = strrchr(recording, '/');
	size_t length;

	base = base != NULL ? base + 1 : recording;
	length = strlen(base);
	if (length > 5 && strcmp(base + length - 5, ".pyro") == 0)
		length -= 5;
	snprintf(name, RECORDING_PATH_MAX, "%.*s%s", (int)length, base, format->extension);
}

static int check_output(const char *recording, const char *output, const struct format *format,
			struct err *err)
{
	struct stat source, target;
	int r;

	if (strcmp(output, "-") == 0) {
		if (!format->binary || !isatty(STDOUT_FILENO))
			return 0;
		r = err_set(err, ERR_USAGE, "%s is not for a terminal", format->name);
		err_why(err, "it is a binary format, and standard output is a terminal");
		err_next(err, "pyrometer export --format %s -o FILE%s %s", format->name,
			 format->extension, recording);
		return r;
	}
	if (stat(recording, &source) == 0 && stat(output, &target) == 0 &&
	    source.st_dev == target.st_dev && source.st_ino == target.st_ino) {
		r = err_set(err, ERR_USAGE, "the output would replace the recording");
		err_why(err, "-o %s is the file that is read", output);
		err_next(err, "pyrometer export --format %s -o OTHER%s %s", format->name,
			 format->extension, recording);
		return r;
	}
	return 0;
}

static int count_kept(const struct profile *profile, const struct sample_filter *filter,
		      const char *damage, struct err *err)
{
	for (size_t i = 0; i < profile->sample_count; i++) {
		if (sample_filter_keep(filter, profile, &profile->samples[i]))
			return 0;
	}
	return no_samples("export", profile, damage, err);
}

static int write_export(const struct profile *profile, const struct selection *selection,
			const struct format *format, const char *path, const char *damage,
			struct err *err)
{
	struct sample_filter filter;
	struct format_filter kept = {.keep = sample_filter_keep, .context = &filter};
	struct output output;
	int r = sample_filter_init(&filter, profile, selection, err);

	if (r < 0)
		return r;
	r = count_kept(profile, &filter, damage, err);
	if (r == 0)
		r = output_open(&output, path, err);
	if (r == 0) {
		r = format->write(profile, &kept, output.stream, err);
		r = output_close(&output, r, err);
	}
	sample_filter_release(&filter);
	return r;
}

static int export_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct export_options *options = values;
	char path[RECORDING_PATH_MAX], name[RECORDING_PATH_MAX];
	const char *output = options->output;
	const struct format *format = NULL;
	struct recording_damage damage = {0};
	struct profile *profile = NULL;
	struct selection selection;
	int r;

	if (options->list)
		return list_formats();
	r = find_format(options->format, &format, err);
	if (r < 0)
		return r;
	selection_from_arguments(&options->selection, &selection);
	r = recording_operand("export", operand_count, operands, path, err);
	if (r < 0)
		return r;
	if (output == NULL) {
		default_name(path, format, name);
		output = name;
	}
	r = check_output(path, output, format, err);
	if (r < 0)
		return r;
	r = recording_read(
	    path, format->needs_timeline ? RECORDING_TIMELINE : selection_detail(&selection),
	    &profile, &damage, err);
	if (r < 0)
		return r;
	r = write_export(profile, &selection, format, output, damage.text, err);
	profile_free(profile);
	if (r == 0)
		damage_say(NULL, &damage);
	if (r == 0 && strcmp(output, "-") != 0) {
		fputs("wrote ", stderr);
		text_write_safe(stderr, output);
		fprintf(stderr, ", opened by %s\n", format->opened_by);
	}
	return r;
}

const struct command command_export = {
    .name = "export",
    .summary = "A recording in another tool's format",
    .usage = "export --format NAME [-o FILE] [RECORDING]",
    .description =
	"Writes the samples of a recording, all threads and processes of it unless the "
	"options select some, in a format that another tool reads.\n"
	"\n"
	"Without -o the file is named after the recording and lies in the working directory; "
	"it appears whole or not at all. Without RECORDING the newest *.pyro of the working "
	"directory is read.",
    .examples = "pyrometer export --format speedscope app.pyro\n"
		"pyrometer export --format pprof -o app.pb.gz app.pyro\n"
		"pyrometer export --format collapsed --cpu -o - app.pyro",
    .options = export_options,
    .options_size = sizeof(struct export_options),
    .defaults = &export_defaults,
    .main = export_main,
};
