/* Shared by report, export and diff: see report_input.h. */
#include "commands/report_input.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/terminal.h"

const char *const selection_threads[] = {"main", "all", NULL};

void selection_from_arguments(const struct selection_arguments *arguments,
			      struct selection *selection)
{
	*selection = (struct selection){
	    .all_threads = arguments->threads != NULL && strcmp(arguments->threads, "main") != 0,
	    .basis = arguments->cpu ? BASIS_CPU : BASIS_WALL,
	    .pid = (uint32_t)arguments->pid,
	    .thread = arguments->thread,
	    .module = arguments->module,
	    .text = arguments->filter,
	    .fold_library = arguments->fold_library,
	    .from_ns = (uint64_t)(arguments->from_s * 1e9),
	    .to_ns = (uint64_t)(arguments->to_s * 1e9),
	};
}

enum recording_detail selection_detail(const struct selection *selection)
{
	return selection->from_ns != 0 || selection->to_ns != 0 ? RECORDING_TIMELINE
								: RECORDING_AGGREGATED;
}

static bool is_recording_name(const char *name)
{
	size_t length = strlen(name);

	return length > 5 && strcmp(name + length - 5, ".pyro") == 0;
}

/* The newest recording of the working directory; false when there is none. */
static bool newest_recording(char *ret_path)
{
	DIR *directory = opendir(".");
	struct timespec newest = {0};
	struct dirent *entry;
	bool found = false;

	if (directory == NULL)
		return false;
	while ((entry = readdir(directory)) != NULL) {
		struct stat status;

		if (!is_recording_name(entry->d_name) || stat(entry->d_name, &status) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		if (found && (status.st_mtim.tv_sec < newest.tv_sec ||
			      (status.st_mtim.tv_sec == newest.tv_sec &&
			       status.st_mtim.tv_nsec <= newest.tv_nsec)))
			continue;
		newest = status.st_mtim;
		snprintf(ret_path, RECORDING_PATH_MAX, "%s%s", entry->d_name[0] == '-' ? "./" : "",
			 entry->d_name);
		found = true;
	}
	closedir(directory);
	return found;
}

int recording_operand(const char *command, int operand_count, char **operands, char *ret_path,
		      struct err *err)
{
	int r;

	if (operand_count > 1) {
		r = err_set(err, ERR_USAGE, "%s takes one recording", command);
		err_why(err, "%d were given; the second is \"%s\"", operand_count, operands[1]);
		err_next(err, "pyrometer %s %s", command, operands[0]);
		return r;
	}
	if (operand_count == 1) {
		if (strlen(operands[0]) >= RECORDING_PATH_MAX)
			return err_set_errno(err, ERR_FILE, ENAMETOOLONG, "the recording's path");
		strcpy(ret_path, operands[0]);
		return 0;
	}
	if (newest_recording(ret_path)) {
		fputs("the newest recording here: ", stderr);
		text_write_safe(stderr, ret_path);
		fputc('\n', stderr);
		return 0;
	}
	r = err_set(err, ERR_FILE, "no recording to read");
	err_why(err, "none was named, and there is no *.pyro in the working directory");
	err_next(err,
		 "pyrometer %s FILE.pyro, or first: pyrometer record -o FILE.pyro -- python APP.py",
		 command);
	return r;
}

int no_samples(const char *doing, const struct profile *profile, const char *damage,
	       struct err *err)
{
	unsigned long long taken = profile->meta.counts.valid + profile->meta.counts.torn;
	int r;

	if (profile->sample_count == 0 && damage[0] != '\0') {
		r = err_set(err, ERR_TOO_LITTLE,
			    "nothing to %s: the recording is damaged, and none of its samples is "
			    "left",
			    doing);
		err_why(err, "%s", damage);
		err_next(err, "record again: pyrometer record -o FILE.pyro -- PROGRAM");
		return r;
	}
	r = err_set(err, ERR_TOO_LITTLE, "nothing to %s: no sample is in the selection", doing);
	if (profile->sample_count == 0) {
		err_why(err, "the recording has no samples; it lasted %.2f s",
			(double)profile->meta.duration_ns / 1e9);
		err_next(err, "record for longer, or more densely: pyrometer record --rate max");
		return r;
	}
	err_why(err, "the recording has %llu samples over %.2f s; none of them fits the options",
		taken, (double)profile->meta.duration_ns / 1e9);
	err_next(err, "try --threads all, fewer filters, or: pyrometer report --threads list");
	return r;
}

void damage_say(const char *path, const struct recording_damage *damage)
{
	if (damage->text[0] == '\0')
		return;
	if (path != NULL) {
		text_write_safe(stderr, path);
		fputs(": ", stderr);
	}
	text_write_safe(stderr, damage->text);
	fputc('\n', stderr);
}

int output_open(struct output *output, const char *path, struct err *err)
{
	struct stat status;
	int r;

	*output = (struct output){.stream = stdout};
	if (path == NULL || strcmp(path, "-") == 0)
		return 0;
	if (strlen(path) >= sizeof(output->path))
		return err_set_errno(err, ERR_FILE, ENAMETOOLONG, "the output's path");
	strcpy(output->path, path);
	/* A device or a pipe is written as it is; a file is put in place when it is whole. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		strcpy(output->temporary, path);
	else
		snprintf(output->temporary, sizeof(output->temporary), "%s.%ld.part", path,
			 (long)getpid());
	output->stream = fopen(output->temporary, "we");
	if (output->stream != NULL)
		return 0;
	r = err_set_errno(err, ERR_FILE, errno, "%s cannot be written", path);
	err_next(err, "choose another place with -o FILE, or -o - for standard output");
	return r;
}

int output_close(struct output *output, int result, struct err *err)
{
	bool to_stdout = output->path[0] == '\0';
	bool moves = !to_stdout && strcmp(output->path, output->temporary) != 0;
	int failed = 0;

	if (output->stream == NULL)
		return result;
	if (ferror(output->stream) || fflush(output->stream) != 0)
		failed = errno != 0 ? errno : EIO;
	if (!to_stdout && fclose(output->stream) != 0 && failed == 0)
		failed = errno;
	output->stream = NULL;
	if (result >= 0 && failed == 0 && moves && rename(output->temporary, output->path) < 0)
		failed = errno;
	if (moves && (result < 0 || failed != 0))
		unlink(output->temporary);
	if (result < 0 || failed == 0)
		return result;
	result = err_set_errno(err, ERR_FILE, failed, "%s could not be written",
			       to_stdout ? "standard output" : output->path);
	err_next(err, "free some space or choose another place with -o FILE");
	return result;
}
