/* pyrometer dump: the stack of every thread of a process, now. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json_write.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/pid_operand.h"
#include "profile/profile.h"
#include "sampler/thread_dump.h"

#define DUMP_USAGE "pyrometer dump -p PID"

struct dump_options {
	int32_t pid;
	bool json;
};

static const struct dump_options dump_defaults = {0};

#define FIELD(member) .offset = offsetof(struct dump_options, member), .set_offset = OPTION_NO_SET

static const struct option dump_options[] = {
    {.name = "pid",
     .letter = 'p',
     .type = OPTION_PID,
     FIELD(pid),
     .value_name = "PID",
     .no_config = true,
     .help = "The process."},
    {.name = "json", .type = OPTION_FLAG, FIELD(json), .no_config = true, .help = "As JSON."},
    {.name = NULL},
};

struct state_words {
	const char *word, *key;
	enum style style;
};

static const struct state_words states[STATE_COUNT] = {
    [STATE_UNKNOWN] = {"state unknown", "unknown", STYLE_DIM},
    [STATE_ON_CPU] = {"running", "on_cpu", STYLE_GREEN},
    [STATE_RUNQUEUE] = {"waiting for a CPU", "runqueue", STYLE_YELLOW},
    [STATE_BLOCKED] = {"waiting", "blocked", STYLE_PLAIN},
    [STATE_GIL_WAIT] = {"waiting for the GIL", "gil_wait", STYLE_YELLOW},
    [STATE_GC] = {"collecting garbage", "gc", STYLE_MAGENTA},
};

static const struct state_words stops[] = {
    [DUMP_STOPPED] = {"stopped by a signal", "stopped", STYLE_YELLOW},
    [DUMP_TRACED] = {"stopped by a debugger", "traced", STYLE_YELLOW},
};

static const struct state_words *words_of(const struct dump_thread *thread)
{
	return thread->stop ? &stops[thread->stop] : &states[thread->state];
}

static void print_thread(const struct dump_thread *thread, const struct terminal *terminal)
{
	printf("%sthread %" PRIu64, style_on(terminal, STYLE_BOLD), thread->tid);
	if (thread->name) {
		printf(" \"");
		text_write_safe(stdout, thread->name);
		putchar('"');
	}
	if (thread->interpreter > 0)
		printf(" (interpreter %" PRId64 ")", thread->interpreter);
	printf("%s  %s%s%s%s\n", style_off(terminal), style_on(terminal, words_of(thread)->style),
	       words_of(thread)->word, style_off(terminal),
	       thread->holds_gil ? ", holds the GIL" : "");
	if (!thread->stable)
		printf("  %s(it ran on while it was read: the upper frames may not belong "
		       "together)%s\n",
		       style_on(terminal, STYLE_DIM), style_off(terminal));
	for (uint32_t i = 0; i < thread->depth; i++) {
		const struct dump_frame *frame = &thread->frames[i];

		fputs("  ", stdout);
		text_write_safe(stdout, frame->function);
		fputs("  ", stdout);
		fputs(style_on(terminal, STYLE_DIM), stdout);
		text_write_safe(stdout, frame->file);
		if (frame->location.line > 0)
			printf(":%d", (int)frame->location.line);
		printf("%s\n", style_off(terminal));
	}
	if (thread->depth == 0)
		puts(thread->torn ? "  (its stack could not be read)" : "  (no Python frame)");
	else if (thread->torn || thread->truncated)
		puts(thread->torn ? "  (callers above could not be read)" : "  (deeper: cut here)");
	putchar('\n');
}

static void print_text(const struct thread_dump *dump, int pid)
{
	struct terminal terminal;

	terminal_describe(&terminal, stdout);
	printf("process %d, CPython %s, %zu thread%s\n\n", pid, dump->runtime.version_text,
	       dump->count, dump->count == 1 ? "" : "s");
	for (size_t i = 0; i < dump->count; i++)
		print_thread(&dump->threads[i], &terminal);
}

static void json_thread(struct json_writer *json, const struct dump_thread *thread)
{
	json_object_begin(json);
	json_key(json, "tid");
	json_unsigned(json, thread->tid ? thread->tid : UINT64_MAX);
	json_key(json, "ident");
	json_unsigned(json, thread->ident);
	json_key(json, "name");
	json_text(json, thread->name);
	json_key(json, "interpreter");
	json_signed(json, thread->interpreter);
	json_key(json, "state");
	json_text(json, words_of(thread)->key);
	json_key(json, "holds_gil");
	json_bool(json, thread->holds_gil);
	json_key(json, "stable");
	json_bool(json, thread->stable);
	json_key(json, "complete");
	json_bool(json, !thread->torn && !thread->truncated);
	json_key(json, "frames");
	json_array_begin(json);
	for (uint32_t i = 0; i < thread->depth; i++) {
		const struct dump_frame *frame = &thread->frames[i];

		json_object_begin(json);
		json_key(json, "function");
		json_text(json, frame->function);
		json_key(json, "file");
		json_text(json, frame->file);
		json_key(json, "line");
		if (frame->location.line > 0)
			json_signed(json, frame->location.line);
		else
			json_absent(json);
		json_key(json, "column");
		if (frame->location.column > 0)
			json_signed(json, frame->location.column);
		else
			json_absent(json);
		json_key(json, "first_line");
		json_signed(json, frame->first_line);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

static void print_json(const struct thread_dump *dump, int pid)
{
	struct json_writer json;

	json_start(&json, stdout, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, 1);
	json_key(&json, "pid");
	json_signed(&json, pid);
	json_key(&json, "python");
	json_text(&json, dump->runtime.version_text);
	json_key(&json, "threads");
	json_array_begin(&json);
	for (size_t i = 0; i < dump->count; i++)
		json_thread(&json, &dump->threads[i]);
	json_array_end(&json);
	json_object_end(&json);
	putchar('\n');
}

static int dump_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct dump_options *options = values;
	struct thread_dump dump;
	int pid, result;

	result = pid_operand(options->pid, operand_count, operands, DUMP_USAGE, &pid, err);
	if (result == 0 && !pid)
		result = pid_operand_missing(DUMP_USAGE, err);
	if (result == 0)
		result = thread_dump_take(pid, &dump, err);
	if (result < 0)
		return result;
	if (options->json)
		print_json(&dump, pid);
	else
		print_text(&dump, pid);
	thread_dump_release(&dump);
	return 0;
}

const struct command command_dump = {
    .name = "dump",
    .summary = "The stack of every thread of a process, now, with its state",
    .usage = "dump [--json] -p PID",
    .description =
	"Reads the stacks without stopping the process. A thread that runs on while it is "
	"read is read again until two readings agree; if none do, the dump says so.",
    .examples = "pyrometer dump -p 4711",
    .options = dump_options,
    .options_size = sizeof(struct dump_options),
    .defaults = &dump_defaults,
    .main = dump_main,
};
