/* See session.h. */
#include "sampler/session.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "sampler/collector.h"
#include "system/cpu.h"

#define FLUSH_NS 400000000ull
#define REFRESH_NS 100000000ull
#define FOLLOW_NS 20000000ull
#define NOT_PYTHON_YOUNG_NS                                                                        \
	3000000000ull /* a young process may still exec or load an interpreter */
#define POLL_SLOW_NS 20000000ull
#define POLL_FAST_NS 1000000ull
#define SAMPLES_HELD_MAX (1u << 20)
#define SAMPLES_FLUSHED_AT (1u << 14) /* the fastest mode fills this in less than FLUSH_NS */

enum target_state { TARGET_SEARCHING, TARGET_SAMPLED, TARGET_NOT_PYTHON, TARGET_ENDED };

struct target {
	struct process_identity identity;
	struct process_id id;
	enum target_state state;
	struct sampling_reader *reader;
	struct collector *collector;
	struct runtime runtime;
	uint64_t device, inode; /* of the executable */
	uint64_t image_mark;	/* changes with each exec; 0 not known */
	uint64_t seen_ns, next_try_ns;
	uint32_t tries;
	bool ever_sampled, row_sampled; /* row: the program that it is now */
	struct err refusal;
	int refused;
	/* Of sampling threads that ended (exec): */
	uint64_t past_cpu_ns, past_stolen_ns;
	uint64_t cpu_before_ns; /* used before the recording began */
};

struct session {
	struct session_options options;
	struct session_sink sink;
	struct profile_builder *builder;
	struct target *targets;
	size_t target_count, target_capacity, sampled;
	struct profile_sample *samples;
	size_t sample_count, sample_capacity;
	struct sample_counts counts;
	uint64_t origin_ns, last_flush_ns, last_refresh_ns, last_follow_ns, cpu_start_ns;
	double rate_sum;
	uint64_t rate_count, held_lost;
	int wake_fd;
	struct err sink_failure;
	int sink_failed;
	bool sink_failure_said;
};

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t session_elapsed_ns(const struct session *session)
{
	return now_ns() - session->origin_ns;
}

int session_new(const struct session_options *options, const struct session_sink *sink,
		struct session **ret_session, struct err *err)
{
	struct session *session = mem_zalloc(1, sizeof(*session));

	if (!session)
		return err_set(err, ERR_MEMORY, "no memory for a session");
	session->options = *options;
	session->sink = *sink;
	session->origin_ns = now_ns();
	session->cpu_start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (!session->options.seed)
		session->options.seed = session->origin_ns ^ (uint64_t)getpid() << 32;
	session->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	session->builder = profile_builder_new();
	if (session->wake_fd < 0 || !session->builder) {
		session_free(session);
		return err_set(err, ERR_MEMORY, "no memory or descriptor for a session");
	}
	profile_builder_meta(session->builder)->started_unix_ns = clock_ns(CLOCK_REALTIME);
	*ret_session = session;
	return 0;
}

static void stop_sampling(struct session *session, struct target *target)
{
	struct sampling_reader_status status;

	if (!target->reader)
		return;
	sampling_reader_stop(target->reader);
	collector_drain(target->collector, &session->counts, NULL);
	sampling_reader_status(target->reader, &status);
	target->past_cpu_ns += status.cpu_ns;
	target->past_stolen_ns += status.stolen_ns;
	collector_refresh(target->collector, session_elapsed_ns(session));
	collector_free(target->collector);
	sampling_reader_free(target->reader);
	target->collector = NULL;
	target->reader = NULL;
	session->sampled--;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	for (size_t i = 0; i < session->target_count; i++)
		stop_sampling(session, &session->targets[i]);
	mem_free(session->targets);
	mem_free(session->samples);
	profile_builder_free(session->builder);
	if (session->wake_fd >= 0)
		close(session->wake_fd);
	mem_free(session);
}

struct profile_builder *session_builder(struct session *session)
{
	return session->builder;
}

/* --- samples on their way to the sink ---------------------------------------------------- */

static int keep_sample(void *context, const struct profile_sample *sample, struct err *err)
{
	struct session *session = context;
	int result;

	if (session->sample_count == SAMPLES_HELD_MAX) {
		session->held_lost++; /* the sink has failed for long; the aggregates of the writer
					 live on */
		return 0;
	}
	result = grow_array((void **)&session->samples, &session->sample_capacity,
			    session->sample_count + 1, sizeof(*session->samples), SAMPLES_HELD_MAX);
	if (result < 0)
		return err_set(err, (enum err_code) - result, "no memory for samples");
	session->samples[session->sample_count++] = *sample;
	return 0;
}

static void fill_meta(struct session *session)
{
	struct profile_meta *meta = profile_builder_meta(session->builder);
	uint64_t stolen = 0;

	for (size_t i = 0; i < session->target_count; i++) {
		struct target *target = &session->targets[i];
		struct sampling_reader_status status = {0};

		if (target->reader)
			sampling_reader_status(target->reader, &status);
		stolen += target->past_stolen_ns + status.stolen_ns;
	}
	meta->duration_ns = session_elapsed_ns(session);
	meta->self_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - session->cpu_start_ns;
	meta->stolen_ns = stolen;
	meta->budget = session->options.rate_hz == 0 ? session->options.budget : 0;
	meta->reader = (uint8_t)session->options.reader;
	meta->counts = session->counts;
	if (session->rate_count)
		meta->rate_hz = session->rate_sum / (double)session->rate_count;
}

static int flush(struct session *session)
{
	struct err err = {0};
	int result;

	fill_meta(session);
	result = session->sink.append(session->sink.context, profile_builder_view(session->builder),
				      session->samples, session->sample_count, &err);
	/* The writer keeps what it could not write: samples are handed over once. */
	session->sample_count = 0;
	session->last_flush_ns = now_ns();
	if (result < 0 && !session->sink_failed) {
		session->sink_failed = result;
		session->sink_failure = err;
	}
	return result;
}

/* --- processes --------------------------------------------------------------------------- */

static void describe(struct session *session, struct target *target)
{
	struct profile_process *row;
	struct process_stat stat;
	char text[PROFILE_COMMAND_MAX];
	struct string_id id;

	if (process_stat_read(target->identity.pid, &stat, NULL) == 0 && stat.state != 'Z') {
		row = profile_builder_process(session->builder, target->id);
		row->parent_pid = (uint32_t)stat.ppid;
	}
	if (process_command_line(target->identity.pid, text, sizeof(text), NULL) == 0 && text[0] &&
	    profile_builder_string(session->builder, text, strlen(text), &id, NULL) == 0)
		profile_builder_process(session->builder, target->id)->command = id;
}

static uint64_t process_cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec ts;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
		return UINT64_MAX;
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void update_usage(struct session *session, struct target *target)
{
	struct profile_process *row = profile_builder_process(session->builder, target->id);
	uint64_t cpu_ns = process_cpu_ns(target->identity.pid), peak;

	if (cpu_ns != UINT64_MAX)
		row->cpu_ns = cpu_ns > target->cpu_before_ns ? cpu_ns - target->cpu_before_ns : 0;
	if (process_peak_rss(target->identity.pid, &peak, NULL) == 0 &&
	    (row->peak_rss_bytes == UINT64_MAX || peak > row->peak_rss_bytes))
		row->peak_rss_bytes = peak;
}

static int add_row(struct session *session, struct target *target, uint64_t start_ns,
		   struct err *err)
{
	struct profile_process row = {.pid = (uint32_t)target->identity.pid,
				      .start_ns = start_ns,
				      .cpu_ns = UINT64_MAX,
				      .peak_rss_bytes = UINT64_MAX};

	return profile_builder_add_process(session->builder, &row, &target->id, err);
}

static struct target *add_target(struct session *session, pid_t pid, struct err *err)
{
	struct target target = {.state = TARGET_SEARCHING, .seen_ns = now_ns()};

	if (process_identity_of(pid, &target.identity, err) < 0)
		return NULL;
	if (grow_array((void **)&session->targets, &session->target_capacity,
		       session->target_count + 1, sizeof(*session->targets),
		       SESSION_PROCESSES_MAX) < 0 ||
	    add_row(session, &target, session_elapsed_ns(session), err) < 0) {
		err_set(err, ERR_LIMIT, "too many processes to follow (%d)", SESSION_PROCESSES_MAX);
		return NULL;
	}
	session->targets[session->target_count] = target;
	describe(session, &session->targets[session->target_count]);
	return &session->targets[session->target_count++];
}

static int start_sampling(struct session *session, struct target *target, struct err *err)
{
	struct sampling_options options = {.reader = session->options.reader,
					   .rate_hz = session->options.rate_hz,
					   .budget = session->options.budget,
					   .seed = session->options.seed +
						   (uint64_t)target->identity.pid,
					   .origin_ns = session->origin_ns,
					   .wake_fd = session->wake_fd};
	struct collector_sink sink = {keep_sample, session};
	struct profile_process *row;
	int result;

	result = sampling_reader_start(&target->runtime, target->identity.pid, &options,
				       &target->reader, err);
	if (result < 0)
		return result;
	result = collector_new(session->builder, target->id, target->identity.pid, &target->runtime,
			       target->reader, &sink, session->origin_ns, &target->collector, err);
	if (result < 0) {
		sampling_reader_free(target->reader);
		target->reader = NULL;
		return result;
	}
	session->sampled++;
	target->state = TARGET_SAMPLED;
	target->ever_sampled = target->row_sampled = true;
	row = profile_builder_process(session->builder, target->id);
	profile_builder_string(session->builder, target->runtime.version_text,
			       strlen(target->runtime.version_text), &row->python, NULL);
	describe(session, target);
	if (target == &session->targets[0]) {
		static const char *const found[] = {"", "section .PyRuntime", "symbol _PyRuntime",
						    "dynamic symbol _PyRuntime",
						    "scan of the data segments"};
		struct profile_meta *meta = profile_builder_meta(session->builder);
		char build[160];

		snprintf(build, sizeof(build), "%s, found by %s",
			 target->runtime.shared_library ? "shared" : "static",
			 found[target->runtime.found_by]);
		profile_meta_set_text(&meta->python, target->runtime.version_text);
		profile_meta_set_text(&meta->python_build, build);
	}
	return 0;
}

/* Look for an interpreter in a process that has none yet. */
static void search(struct session *session, struct target *target)
{
	uint64_t now = now_ns(), age = now - target->seen_ns;
	struct remote_memory memory;
	struct err err = {0};
	char path[512];
	int result;

	if (now < target->next_try_ns || session->sampled >= SESSION_SAMPLED_MAX)
		return;
	process_executable(target->identity.pid, path, sizeof(path), &target->device,
			   &target->inode, NULL);
	target->image_mark = process_image_mark(target->identity.pid);
	remote_memory_init_live(&memory, target->identity.pid);
	result = runtime_find(target->identity.pid, &memory, &target->runtime, &err);
	if (result == 0)
		result = start_sampling(session, target, &err);
	target->tries++;
	target->refused = result;
	if (result == 0)
		return;
	target->refusal = err;
	if (result == -ERR_NO_PROCESS)
		return; /* end_check will see it */
	/* Starting up: look often; not Python after a while: seldom, it may load one yet. */
	if (age < 200000000ull)
		target->next_try_ns = now + POLL_FAST_NS;
	else if (age < NOT_PYTHON_YOUNG_NS)
		target->next_try_ns = now + 20 * POLL_FAST_NS;
	else
		target->next_try_ns = now + 2000 * POLL_FAST_NS;
	if (age >= NOT_PYTHON_YOUNG_NS && result != -ERR_TOO_LITTLE)
		target->state = TARGET_NOT_PYTHON;
}

static void end_target(struct session *session, struct target *target)
{
	update_usage(session, target);
	stop_sampling(session, target);
	target->state = TARGET_ENDED;
	profile_builder_process(session->builder, target->id)->end_ns = session_elapsed_ns(session);
}

static bool is_command_of(const struct session *session, const struct target *target,
			  const char *command)
{
	const struct profile *view = profile_builder_view(session->builder);

	return strcmp(command, profile_string(view, view->processes[target->id.v].command)) == 0;
}

/* What was sampled keeps its row, and its times end here; the new program's begin. The kernel
 * counts a process's CPU time on through exec. Without memory for another row the old one goes on.
 */
static void start_program_row(struct session *session, struct target *target)
{
	uint64_t now = session_elapsed_ns(session), cpu_ns;
	struct process_id old = target->id;

	if (!target->row_sampled || add_row(session, target, now, NULL) < 0)
		return;
	cpu_ns = process_cpu_ns(target->identity.pid);
	if (cpu_ns != UINT64_MAX && cpu_ns >= target->cpu_before_ns) {
		profile_builder_process(session->builder, old)->cpu_ns =
		    cpu_ns - target->cpu_before_ns;
		target->cpu_before_ns = cpu_ns;
	}
	profile_builder_process(session->builder, old)->end_ns = now;
	target->row_sampled = false;
}

/* The same process, another program: exec. Look for its interpreter anew. A program that executes
 * itself with the very same command goes on in its row. */
static void check_exec(struct session *session, struct target *target)
{
	struct sampling_reader_status status = {0};
	char path[512], command[PROFILE_COMMAND_MAX];
	uint64_t device, inode, mark;
	bool same_file, same_image;

	if (target->reader)
		sampling_reader_status(target->reader, &status);
	if (process_executable(target->identity.pid, path, sizeof(path), &device, &inode, NULL) < 0)
		return;
	same_file = device == target->device && inode == target->inode;
	/* An interpreter at fixed addresses goes on to be readable through an exec of itself. */
	mark = process_image_mark(target->identity.pid);
	same_image = !mark || !target->image_mark || mark == target->image_mark;
	if (same_file && same_image && !status.ended)
		return;
	target->image_mark = mark;
	stop_sampling(session, target);
	if (!same_file ||
	    (process_command_line(target->identity.pid, command, sizeof(command), NULL) == 0 &&
	     command[0] && !is_command_of(session, target, command)))
		start_program_row(session, target);
	target->device = device;
	target->inode = inode;
	target->state = TARGET_SEARCHING;
	target->seen_ns = now_ns();
	target->next_try_ns = 0;
	describe(session, target);
}

static bool known_pid(const struct session *session, pid_t pid)
{
	struct process_identity identity;

	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i].identity.pid == pid &&
		    session->targets[i].state != TARGET_ENDED)
			return true;
	/* An ended one may have been replaced by a new process of the same number. */
	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i].identity.pid == pid)
			return process_identity_of(pid, &identity, NULL) < 0 ||
			       identity.start_ticks == session->targets[i].identity.start_ticks;
	return false;
}

static void follow(struct session *session)
{
	for (size_t i = 0; i < session->target_count && session->options.follow_children; i++) {
		pid_t *children;
		size_t count;

		if (session->targets[i].state == TARGET_ENDED ||
		    process_children(session->targets[i].identity.pid, &children, &count, NULL) < 0)
			continue;
		for (size_t k = 0; k < count; k++)
			if (!known_pid(session, children[k]))
				add_target(session, children[k], NULL);
		mem_free(children);
	}
	session->last_follow_ns = now_ns();
}

static void housekeeping(struct session *session)
{
	uint64_t now = now_ns();
	bool refresh = now - session->last_refresh_ns >= REFRESH_NS;

	if (now - session->last_follow_ns >= FOLLOW_NS)
		follow(session);
	for (size_t i = 0; i < session->target_count; i++) {
		struct target *target = &session->targets[i];
		struct sampling_reader_status status;

		if (target->state == TARGET_ENDED)
			continue;
		if (!process_is_alive(&target->identity)) {
			end_target(session, target);
			continue;
		}
		if (target->state == TARGET_SEARCHING)
			search(session, target);
		if (!refresh)
			continue;
		check_exec(session, target);
		update_usage(session, target);
		if (!target->reader)
			continue;
		collector_refresh(target->collector, now - session->origin_ns);
		sampling_reader_status(target->reader, &status);
		session->rate_sum += status.rate_hz;
		session->rate_count++;
	}
	if (refresh)
		session->last_refresh_ns = now;
}

int session_add_root(struct session *session, pid_t pid, bool wait_for_python, struct err *err)
{
	struct target *target = add_target(session, pid, err);

	if (!target)
		return err && err->code ? -err->code : -ERR_NO_PROCESS;
	if (!wait_for_python) {
		uint64_t cpu_ns = process_cpu_ns(pid);

		target->cpu_before_ns = cpu_ns == UINT64_MAX ? 0 : cpu_ns;
	}
	search(session, target);
	if (target->refused < 0 && !wait_for_python && target->refused != -ERR_TOO_LITTLE) {
		if (err)
			*err = target->refusal;
		return target->refused;
	}
	return 0;
}

/* The next thing to do is this far away. */
static uint64_t wait_ns(const struct session *session, uint64_t timeout_ns)
{
	uint64_t wait = timeout_ns < POLL_SLOW_NS ? timeout_ns : POLL_SLOW_NS;

	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i].state == TARGET_SEARCHING &&
		    now_ns() - session->targets[i].seen_ns < 200000000ull)
			return POLL_FAST_NS;
	return isinf(session->options.rate_hz) && wait > 2 * POLL_FAST_NS ? 2 * POLL_FAST_NS : wait;
}

int session_step(struct session *session, uint64_t timeout_ns, struct err *err)
{
	uint64_t wait = wait_ns(session, timeout_ns), ignored;
	struct pollfd wake = {session->wake_fd, POLLIN, 0};
	struct timespec ts = {(time_t)(wait / 1000000000ull), (long)(wait % 1000000000ull)};

	if (ppoll(&wake, 1, &ts, NULL) > 0)
		(void)!read(session->wake_fd, &ignored, sizeof(ignored));
	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i].collector)
			collector_drain(session->targets[i].collector, &session->counts, NULL);
	housekeeping(session);
	if (now_ns() - session->last_flush_ns >= FLUSH_NS ||
	    session->sample_count >= SAMPLES_FLUSHED_AT)
		flush(session);
	if (session->sink_failed && !session->sink_failure_said) {
		session->sink_failure_said = true;
		if (err)
			*err = session->sink_failure;
		return session->sink_failed;
	}
	return 0;
}

bool session_root_ended(const struct session *session)
{
	return session->target_count > 0 && session->targets[0].state == TARGET_ENDED;
}

int session_root_refusal(const struct session *session, struct err *err)
{
	const struct target *root = &session->targets[0];

	if (session->target_count == 0 || root->ever_sampled)
		return 0;
	if (err)
		*err = root->refusal;
	return root->refused;
}

int session_finish(struct session *session, struct err *err)
{
	int result;

	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i].state != TARGET_ENDED) {
			update_usage(session, &session->targets[i]);
			stop_sampling(session, &session->targets[i]);
		}
	profile_builder_meta(session->builder)->complete = true;
	result = flush(session);
	if (result < 0 && err)
		*err = session->sink_failure;
	return result;
}
