/* See recorder.h. */
#include "commands/recorder.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/terminal.h"
#include "commands/program_file.h"
#include "commands/target_command.h"
#include "process/launch.h"
#include "process/process.h"
#include "recording/recording_writer.h"
#include "sampler/session.h"
#include "system/host.h"

#define STEP_NS 20000000ull
#define KILL_AFTER_NS 5000000000ull /* after SIGTERM by --time-limit */
#define WAIT_MS 200 /* a look at the limits while only the program's end is awaited */
#define SIGNALS_PATIENCE 3
/* A process that was there for less may have ended before its interpreter could be seen. */
#define SEEN_WELL_NS 300000000ull

static volatile sig_atomic_t interrupts;

/* A key pressed twice, or a supervisor's second signal, must not cost the recording that is being
 * finished; a third is meant. */
static void on_interrupt(int signal_number)
{
	if (++interrupts < SIGNALS_PATIENCE)
		return;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

struct recorder {
	const struct record_arguments *arguments;
	struct recorded *recorded;
	struct target_command command;
	struct session *session;
	struct recording_writer *writer;
	struct launch launch;
	bool launched, reaped, alone;
	bool created;  /* the file is there */
	bool appended; /* and something is in it */
	bool failure_said, finished;
	uint64_t terminated_ns, ended_ns;
};

static void print_failure(const struct err *err, const char *then)
{
	fputs("pyrometer: ", stderr);
	text_write_safe(stderr, err->what);
	fputs("\n  why: ", stderr);
	text_write_safe(stderr, err->why);
	fputs("\n  next: ", stderr);
	text_write_safe(stderr, err->next);
	fprintf(stderr, "%s\n", then);
}

/* ---- before the start ------------------------------------------------------------------- */

static int append(void *context, const struct profile *view, const struct profile_sample *samples,
		  size_t count, struct err *err)
{
	struct recorder *recorder = context;
	int result = recording_writer_append(recorder->writer, view, samples, count, err);

	recorder->appended = recorder->appended || (result == 0 && count > 0);
	return result;
}

static int open_writer(struct recorder *recorder, struct err *err)
{
	struct recording_place *place = &recorder->recorded->place;
	struct recording_writer_options options = {.overwrite = false};
	int result = recording_place_take(place, recorder->arguments->output,
					  recorder->command.short_name, err);

	if (result < 0)
		return result;
	options.max_size_bytes = recorder->arguments->max_size_bytes
				     ? recorder->arguments->max_size_bytes
				     : RECORDER_DEFAULT_MAX_SIZE;
	result = recording_writer_open(place->path, &options, &recorder->writer, err);
	recorder->created = result == 0;
	if (result == 0)
		recording_place_hold(place);
	else if (place->previous_path[0])
		rename(place->previous_path, place->path);
	return result;
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
	recorder->alone = program_was_alone(recorder->launch.pid, recorder->command.argv[0]);
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

	if (interrupts && !recorder->launched)
		return true;
	if (recorder->arguments->duration_s > 0 && elapsed_s >= recorder->arguments->duration_s)
		return true;
	return session_root_ended(recorder->session);
}

/* Closes the file. A disk that is full is said once; what is in the file stays to be reported. */
static int finish_writer(struct recorder *recorder, struct err *err)
{
	const struct profile *view = profile_builder_view(session_builder(recorder->session));
	struct err failure = {0};
	int result = recording_writer_finish(recorder->writer, view, &failure);

	recorder->finished = true;
	recording_writer_free(recorder->writer);
	recorder->writer = NULL; /* the name stays ours until we have reported */
	if (result == 0)
		return 0;
	if (!recorder->appended) {
		err_set(err, (enum err_code) - result, "nothing could be recorded in %s",
			recorder->recorded->place.path);
		err_why(err, "%s: %s", failure.what, failure.why);
		err_next(err, "%s", failure.next);
		return result;
	}
	if (!recorder->failure_said)
		print_failure(&failure, "; what was recorded before is kept");
	recorder->failure_said = true;
	if (!recorder->launched)
		recorder->recorded->exit_status = ERR_FILE;
	return 0;
}

static void say_that_it_runs_on(const struct recorder *recorder)
{
	if (!isatty(STDERR_FILENO))
		return;
	fputs("pyrometer: the recording has ended, the program runs on: pyrometer report ", stderr);
	text_write_safe(stderr, recorder->recorded->place.path);
	putc('\n', stderr);
}

static void await_program(struct recorder *recorder)
{
	struct pollfd end = {recorder->launch.pidfd, POLLIN, 0};

	while (!recorder->reaped) {
		/* Without a descriptor to wait for, poll is a pause. */
		poll(&end, 1, end.fd >= 0 ? WAIT_MS : 5);
		enforce_time_limit(recorder);
		reap(recorder);
	}
}

/* Samples until the end of the recording; then waits for the program, whose end is its own. */
static int record_loop(struct recorder *recorder, struct err *err)
{
	int result = 0;

	while (!recording_over(recorder)) {
		struct err failure = {0};

		if (session_step(recorder->session, STEP_NS, &failure) < 0 &&
		    !recorder->failure_said) {
			print_failure(&failure, "; sampling goes on, what fits is kept");
			recorder->failure_said = true;
		}
		if (recorder->launched)
			enforce_time_limit(recorder);
	}
	recorder->ended_ns = session_elapsed_ns(recorder->session);
	if (session_root_ended(recorder->session))
		reap(recorder);
	/* What it can't write now, the writer tries again when it finishes. */
	session_finish(recorder->session, NULL);
	if (recorder->launched && !recorder->reaped) {
		if (!session_root_ended(recorder->session)) {
			result = finish_writer(recorder, err);
			if (result == 0)
				say_that_it_runs_on(recorder);
		}
		await_program(recorder);
	}
	return result;
}

/* SIGHUP stays ignored where nohup has it so. */
static void take_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_interrupt}, before;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] != SIGHUP || sigaction(SIGHUP, NULL, &before) < 0 ||
		    before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

/* A process is looked at before anything is written, a program starts only when that can be. */
static int start_target(struct recorder *recorder, struct err *err)
{
	pid_t pid = recorder->arguments->pid;
	int result = 0;

	if (pid > 0) {
		take_signals();
		result = session_add_root(recorder->session, pid, false, err);
	}
	if (result == 0)
		result = open_writer(recorder, err);
	if (result < 0 || pid > 0)
		return result;
	result = launch_start(recorder->command.argv, &recorder->launch, err);
	if (result < 0)
		return result;
	recorder->launched = recorder->recorded->launched = true;
	launch_signals_take(&recorder->launch);
	return session_add_root(recorder->session, recorder->launch.pid, true, err);
}

/* ---- after the end ---------------------------------------------------------------------- */

static bool python_was_seen(const struct recorder *recorder)
{
	const struct profile *view = profile_builder_view(session_builder(recorder->session));

	for (uint32_t i = 1; i < view->process_count; i++)
		if (view->processes[i].python.v)
			return true;
	return false;
}

static int refuse_program(const char *word, struct err *err)
{
	err_set(err, ERR_NOT_PYTHON, "%s is not a Python program", word);
	err_why(err, "no Python is in its file, and it started no other program");
	err_next(err, "run the Python program itself: pyrometer run -- python APP.py");
	return -ERR_NOT_PYTHON;
}

static void say_that_nothing_was_seen(const char *word)
{
	struct err note = {0};

	err_set(&note, ERR_NOT_PYTHON, "no Python process was seen, so there is nothing to report");
	err_why(&note,
		"%s is not Python itself, and what it started either was not or ended within a few "
		"milliseconds",
		word);
	err_next(&note, "run the Python program itself: pyrometer run -- python APP.py");
	print_failure(&note, "");
}

/* Where no interpreter was seen. 125 takes the program's own status from it: only where it is sure
 * that there was none to see, not where one may have come and gone between two looks. */
static int judge(struct recorder *recorder, struct err *err)
{
	const char *word = recorder->launched ? recorder->command.argv[0] : NULL;
	enum program_kind kind;
	int refused;

	if (python_was_seen(recorder))
		return 0;
	refused = session_root_refusal(recorder->session, err);
	if (refused == -ERR_TOO_LITTLE || refused == -ERR_NO_PROCESS)
		refused = 0;
	if (!recorder->launched || refused == -ERR_PERMISSION)
		return refused;
	kind = program_file_kind(word);
	if (kind == PROGRAM_NOT_PYTHON && recorder->alone)
		return refuse_program(word, err);
	if (kind == PROGRAM_MAYBE_PYTHON)
		return recorder->ended_ns >= SEEN_WELL_NS ? refused : 0;
	say_that_nothing_was_seen(word);
	recorder->recorded->empty = true;
	return 0;
}

static void say_that_it_was_short(const struct recorder *recorder)
{
	const struct profile *view = profile_builder_view(session_builder(recorder->session));

	if (recorder->launched && view->meta.counts.valid + view->meta.counts.torn == 0)
		fputs("Too few samples to tell: the program ended before the first.\n", stderr);
}

static void release(struct recorder *recorder, bool discard)
{
	session_free(recorder->session);
	recording_writer_free(recorder->writer);
	recording_place_release(&recorder->recorded->place);
	if (discard && recorder->created)
		recording_place_undo(&recorder->recorded->place);
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
	ret_recorded->place.folder_fd = ret_recorded->place.lock_fd = -1;
	result = target_command_make(&recorder.command, arguments->pid, arguments->python,
				     arguments->module, operand_count, operands, err);
	if (result < 0)
		return result;
	result = open_session(&recorder, err);
	if (result == 0)
		result = start_target(&recorder, err);
	if (result < 0) {
		if (recorder.launched)
			await_program(&recorder);
		release(&recorder, true);
		return result;
	}
	fill_first_meta(&recorder);
	loop = record_loop(&recorder, err);
	result = judge(&recorder, err);
	if (result == 0 && !ret_recorded->empty)
		result = recorder.finished ? loop : finish_writer(&recorder, err);
	if (result == 0 && !ret_recorded->empty)
		say_that_it_was_short(&recorder);
	release(&recorder, result < 0 || ret_recorded->empty);
	return result;
}
