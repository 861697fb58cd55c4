/* See recorder.h. */
#include "commands/recorder.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "commands/target_command.h"
#include "process/launch.h"
#include "process/process.h"
#include "recording/recording_reader.h"
#include "recording/recording_writer.h"
#include "sampler/session.h"
#include "system/host.h"

#define STEP_NS 20000000ull
#define KILL_AFTER_NS 5000000000ull /* after SIGTERM by --time-limit */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

struct recorder {
	const struct record_arguments *arguments;
	struct recorded *recorded;
	struct target_command command;
	struct session *session;
	struct recording_writer *writer;
	struct launch launch;
	bool launched, reaped, sampling_over;
	uint64_t terminated_ns;
};

static int append(void *context, const struct profile *view, const struct profile_sample *samples,
		  size_t count, struct err *err)
{
	struct recorder *recorder = context;

	return recording_writer_append(recorder->writer, view, samples, count, err);
}

/* The recording of before goes aside: it tells what changed. Nothing else is ever moved. */
static int set_aside(struct recorded *recorded, struct err *err)
{
	struct recording_damage damage;
	struct profile *profile;
	struct stat info;
	size_t length = strlen(recorded->path);

	recorded->previous_path[0] = 0;
	if (stat(recorded->path, &info) < 0)
		return 0;
	if (recording_read(recorded->path, RECORDING_META, &profile, &damage, NULL) < 0) {
		int result =
		    err_set(err, ERR_FILE, "%s exists and is not a recording", recorded->path);

		err_why(err, "a file of %lld bytes that Pyrometer did not write is never replaced",
			(long long)info.st_size);
		err_next(err, "choose another name: -o FILE");
		return result;
	}
	profile_free(profile);
	if (length > 5 && strcmp(recorded->path + length - 5, ".pyro") == 0)
		length -= 5;
	snprintf(recorded->previous_path, sizeof(recorded->previous_path), "%.*s.previous.pyro",
		 (int)(length < RECORDER_PATH_MAX - 32 ? length : RECORDER_PATH_MAX - 32),
		 recorded->path);
	if (rename(recorded->path, recorded->previous_path) < 0) {
		int result =
		    err_set_errno(err, ERR_FILE, errno, "cannot set %s aside", recorded->path);

		err_next(err, "write elsewhere: -o FILE");
		return result;
	}
	return 0;
}

static void choose_path(struct recorder *recorder)
{
	const char *name = recorder->arguments->output;

	if (name)
		snprintf(recorder->recorded->path, sizeof(recorder->recorded->path), "%s", name);
	else
		snprintf(recorder->recorded->path, sizeof(recorder->recorded->path), "%s.pyro",
			 recorder->command.short_name);
}

static int open_writer(struct recorder *recorder, struct err *err)
{
	struct recording_writer_options options = {.overwrite = false};
	int result;

	options.max_size_bytes = recorder->arguments->max_size_bytes
				     ? recorder->arguments->max_size_bytes
				     : RECORDER_DEFAULT_MAX_SIZE;
	choose_path(recorder);
	result = set_aside(recorder->recorded, err);
	if (result < 0)
		return result;
	return recording_writer_open(recorder->recorded->path, &options, &recorder->writer, err);
}

static int open_session(struct recorder *recorder, struct err *err)
{
	const struct record_arguments *arguments = recorder->arguments;
	struct session_options options = {.reader = READER_SAME_CORE,
					  .rate_hz = arguments->rate_hz,
					  .budget = arguments->budget_percent / 100,
					  .follow_children = !arguments->no_children};
	struct session_sink sink = {append, recorder};

	if (arguments->stop)
		options.reader = READER_STOPPING;
	else if (arguments->other_core || isinf(arguments->rate_hz))
		options.reader = READER_OTHER_CORE;
	return session_new(&options, &sink, &recorder->session, err);
}

static int fill_first_meta(struct recorder *recorder)
{
	struct profile_meta *meta = profile_builder_meta(session_builder(recorder->session));
	char directory[4096], text[512];
	struct host host;
	pid_t pid = recorder->launched ? recorder->launch.pid : recorder->arguments->pid;

	if (process_directory(pid, directory, sizeof(directory), NULL) == 0)
		profile_meta_set_text(&meta->directory, directory);
	host_read(&host);
	host_describe(&host, text, sizeof(text));
	profile_meta_set_text(&meta->host, text);
	profile_meta_set_text(&meta->command, recorder->command.text);
	profile_meta_set_text(&meta->pyrometer_version, PYROMETER_VERSION);
	profile_meta_set_text(&meta->mode, "samples");
	profile_meta_set_text(&meta->clock, "wall");
	meta->exit_status = -1;
	return 0;
}

/* --- the program that we started --------------------------------------------------------- */

static void enforce_time_limit(struct recorder *recorder)
{
	uint64_t now = session_elapsed_ns(recorder->session);

	if (recorder->arguments->time_limit_s <= 0 || recorder->reaped ||
	    (double)now < recorder->arguments->time_limit_s * 1e9)
		return;
	if (!recorder->terminated_ns) {
		kill(recorder->launch.pid, SIGTERM);
		recorder->terminated_ns = now;
	} else if (now - recorder->terminated_ns > KILL_AFTER_NS) {
		kill(recorder->launch.pid, SIGKILL);
	}
}

static void reap(struct recorder *recorder)
{
	struct profile_builder *builder = session_builder(recorder->session);
	struct rusage usage, own;
	int status, result;

	if (!recorder->launched || recorder->reaped)
		return;
	result = launch_poll(&recorder->launch, &status, &usage, NULL);
	if (result == 0)
		return;
	if (result < 0) {
		/* Somebody else took its status: unknown, and nothing more to wait for. */
		recorder->reaped = true;
		return;
	}
	recorder->reaped = true;
	recorder->recorded->exit_status = launch_exit_code(status);
	profile_builder_meta(builder)->exit_status = recorder->recorded->exit_status;
	/* ru_maxrss survives the exec: below our own size it tells nothing of the program. */
	getrusage(RUSAGE_SELF, &own);
	if (usage.ru_maxrss > own.ru_maxrss) {
		struct profile_process *row =
		    profile_builder_process(builder, (struct process_id){1});
		uint64_t peak = (uint64_t)usage.ru_maxrss * 1024;

		if (row && (row->peak_rss_bytes == UINT64_MAX || row->peak_rss_bytes < peak))
			row->peak_rss_bytes = peak;
	}
}

static bool recording_over(const struct recorder *recorder)
{
	double elapsed_s = (double)session_elapsed_ns(recorder->session) / 1e9;

	if (interrupted && !recorder->launched)
		return true;
	if (recorder->arguments->duration_s > 0 && elapsed_s >= recorder->arguments->duration_s)
		return true;
	return session_root_ended(recorder->session);
}

static void print_sink_failure(const struct err *err)
{
	fprintf(stderr,
		"pyrometer: %s\n  why: %s\n  next: %s; sampling goes on, what fits is kept\n",
		err->what, err->why, err->next[0] ? err->next : "make room");
}

/* Samples until the end of the recording; then waits for the program, whose end is its own. */
static int record_loop(struct recorder *recorder, struct err *err)
{
	int result;

	while (!recording_over(recorder)) {
		struct err failure = {0};

		if (session_step(recorder->session, STEP_NS, &failure) < 0)
			print_sink_failure(&failure);
		if (recorder->launched)
			enforce_time_limit(recorder);
	}
	result = 0;
	if (recorder->launched && session_root_ended(recorder->session))
		reap(recorder);
	result = session_finish(recorder->session, err);
	while (recorder->launched && !recorder->reaped) {
		struct timespec pause = {0, 5000000};

		nanosleep(&pause, NULL);
		enforce_time_limit(recorder);
		reap(recorder);
	}
	return result;
}

static int start_target(struct recorder *recorder, struct err *err)
{
	pid_t pid = recorder->arguments->pid;
	int result;

	if (pid > 0) {
		struct sigaction action = {.sa_handler = on_interrupt};

		result = process_readable(pid, err);
		if (result < 0)
			return result;
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		sigaction(SIGHUP, &action, NULL);
		return session_add_root(recorder->session, pid, false, err);
	}
	result = launch_start(recorder->command.argv, &recorder->launch, err);
	if (result < 0)
		return result;
	recorder->launched = recorder->recorded->launched = true;
	launch_signals_take(&recorder->launch);
	return session_add_root(recorder->session, recorder->launch.pid, true, err);
}

/* A program that never was Python leaves no recording; one that was too short leaves its sentence.
 */
static int judge(struct recorder *recorder, struct err *err)
{
	int refused = session_root_refusal(recorder->session, err);
	const struct profile *view = profile_builder_view(session_builder(recorder->session));
	bool any = false;

	for (uint32_t i = 1; i < view->process_count; i++)
		any = any || view->processes[i].python.v;
	if (refused == 0 || any || refused == -ERR_TOO_LITTLE || refused == -ERR_NO_PROCESS)
		return 0;
	return refused;
}

static void release(struct recorder *recorder, bool discard)
{
	struct recorded *recorded = recorder->recorded;

	session_free(recorder->session);
	recording_writer_free(recorder->writer);
	if (discard && recorder->writer) {
		unlink(recorded->path);
		if (recorded->previous_path[0])
			rename(recorded->previous_path, recorded->path);
	}
	if (recorder->launched) {
		launch_signals_restore();
		launch_release(&recorder->launch);
	}
	target_command_release(&recorder->command);
}

int recorder_run(const struct record_arguments *arguments, int operand_count, char **operands,
		 struct recorded *ret_recorded, struct err *err)
{
	struct recorder recorder = {.arguments = arguments, .recorded = ret_recorded};
	int result, loop;

	memset(ret_recorded, 0, sizeof(*ret_recorded));
	result = target_command_make(&recorder.command, arguments->pid, arguments->python,
				     arguments->module, operand_count, operands, err);
	if (result < 0)
		return result;
	result = open_writer(&recorder, err);
	if (result == 0)
		result = open_session(&recorder, err);
	if (result == 0)
		result = start_target(&recorder, err);
	if (result < 0) {
		release(&recorder, true);
		return result;
	}
	fill_first_meta(&recorder);
	loop = record_loop(&recorder, err);
	result = judge(&recorder, err);
	if (result == 0)
		result = recording_writer_finish(
		    recorder.writer, profile_builder_view(session_builder(recorder.session)), err);
	if (result == 0)
		result = loop;
	release(&recorder, judge(&recorder, NULL) < 0);
	return result;
}
