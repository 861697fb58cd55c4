/* pyrometer doctor: what works here, and for one process; and the exact command
 * for what does not. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json_write.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/doctor_noise.h"
#include "commands/pid_operand.h"
#include "cpython/layout/runtime_find.h"
#include "process/process.h"
#include "sampler/thread_dump.h"
#include "system/cpu.h"
#include "system/host.h"
#include "system/thread_times.h"

struct doctor_options {
	int32_t pid;
	const char *python, *output;
	double noise_s;
	bool json, noise;
};

static const struct doctor_options doctor_defaults = {.noise_s = 20};

#define FIELD(member) .offset = offsetof(struct doctor_options, member), .set_offset = OPTION_NO_SET

static const struct option doctor_options[] = {
    {.name = "pid",
     .letter = 'p',
     .type = OPTION_PID,
     FIELD(pid),
     .value_name = "PID",
     .no_config = true,
     .help = "The process to examine."},
    {.name = "json", .type = OPTION_FLAG, FIELD(json), .no_config = true, .help = "As JSON."},
    {.name = "noise",
     .type = OPTION_FLAG,
     FIELD(noise),
     .no_config = true,
     .help = "Measure what comparisons can tell on this machine, and keep it for gate."},
    {.name = "duration",
     .letter = 'd',
     .type = OPTION_DURATION,
     FIELD(noise_s),
     .value_name = "SECONDS",
     .no_config = true,
     .minimum = 1,
     .maximum = 3600,
     .help = "Of each of the two comparisons of --noise; 20 s by default."},
    {.name = "python",
     .type = OPTION_TEXT,
     FIELD(python),
     .value_name = "PYTHON",
     .help = "The interpreter that --noise measures with."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     .value_name = "FILE",
     .no_config = true,
     .help = "Where --noise keeps its figures; by default below XDG_CACHE_HOME or ~/.cache."},
    {.name = NULL},
};

enum finding_grade { GRADE_OK, GRADE_NOTE, GRADE_FAIL };

struct finding {
	enum finding_grade grade;
	const char *name;
	char text[512], next[512];
};

#define FINDINGS_MAX 24
struct findings {
	struct finding items[FINDINGS_MAX];
	size_t count;
	int status; /* exit status: of the first failure */
};

static struct finding *add(struct findings *findings, enum finding_grade grade, const char *name,
			   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static struct finding *add(struct findings *findings, enum finding_grade grade, const char *name,
			   const char *fmt, ...)
{
	struct finding *finding =
	    &findings
		 ->items[findings->count < FINDINGS_MAX - 1 ? findings->count++ : FINDINGS_MAX - 1];
	va_list arguments;

	*finding = (struct finding){.grade = grade, .name = name};
	va_start(arguments, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, arguments);
	va_end(arguments);
	return finding;
}

static void add_error(struct findings *findings, const char *name, const struct err *err)
{
	struct finding *finding = add(findings, GRADE_FAIL, name, "%s: %s", err->what, err->why);

	snprintf(finding->next, sizeof(finding->next), "%s",
		 err->next[0] ? err->next : "pyrometer doctor --help");
	if (!findings->status)
		findings->status = err_exit_status(err->code);
}

/* Reading the memory of a child of our own: what `run` needs. */
static void check_reading(struct findings *findings)
{
	volatile char byte = 42;
	char got = 0;
	struct iovec local = {&got, 1}, remote = {(void *)(uintptr_t)&byte, 1};
	pid_t child = fork();
	ssize_t result;
	int failure;

	if (child == 0) {
		pause();
		_exit(0);
	}
	result = process_vm_readv(child, &local, 1, &remote, 1, 0);
	failure = errno;
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	if (result == 1 && got == 42) {
		add(findings, GRADE_OK, "reading memory",
		    "process_vm_readv works for programs that are started here");
		return;
	}
	add(findings, GRADE_FAIL, "reading memory", "process_vm_readv fails even for a child: %s",
	    strerror(failure));
	snprintf(findings->items[findings->count - 1].next, 512,
		 "in a container: docker run --cap-add SYS_PTRACE (or --security-opt "
		 "seccomp=unconfined)");
	if (!findings->status)
		findings->status = ERR_PERMISSION;
}

static void check_ptrace_scope(struct findings *findings)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "r");
	int scope = -1;
	struct finding *finding;

	if (!file) {
		add(findings, GRADE_OK, "other processes",
		    "no Yama restriction: processes of the same user can be read");
		return;
	}
	if (fscanf(file, "%d", &scope) != 1)
		scope = -1;
	fclose(file);
	if (scope == 0 || geteuid() == 0) {
		add(findings, GRADE_OK, "other processes", "Yama ptrace_scope is %d: %s", scope,
		    geteuid() == 0 ? "root may read any process"
				   : "processes of the same user can be read");
		return;
	}
	finding = add(
	    findings, GRADE_NOTE, "other processes",
	    "Yama ptrace_scope is %d: -p PID works only as root; run and record -- PROGRAM work",
	    scope);
	snprintf(finding->next, sizeof(finding->next),
		 "sudo pyrometer record -p PID, or sudo sysctl kernel.yama.ptrace_scope=0");
}

static void check_scheduler(struct findings *findings)
{
	struct thread_times times;
	struct thread_schedstat stat;
	struct cpu_set allowed;
	char text[128];

	if (thread_times_open(&times, getpid(), getpid(), NULL) == 0 &&
	    thread_times_schedstat(&times, &stat) == 0 && stat.on_cpu_ns > 0)
		add(findings, GRADE_OK, "thread states",
		    "schedstat gives exact on-CPU and waiting times");
	else
		add(findings, GRADE_NOTE, "thread states",
		    "no /proc/PID/task/TID/schedstat: time on the CPU and waiting for it are not "
		    "told apart");
	if (cpu_allowed(0, &allowed, NULL) < 0)
		return;
	cpu_set_text(&allowed, text, sizeof(text));
	if (cpu_set_count(&allowed) > 1)
		add(findings, GRADE_OK, "same-core reading", "may use CPUs %s", text);
	else
		add(findings, GRADE_NOTE, "same-core reading",
		    "only CPU %s is allowed here: samples are exact, but naming and writing share "
		    "the program's CPU",
		    text);
}

static void examine_machine(struct findings *findings)
{
	struct host host;
	char text[512];

	host_read(&host);
	host_describe(&host, text, sizeof(text));
	add(findings, GRADE_OK, "machine", "%s", text);
	check_reading(findings);
	check_ptrace_scope(findings);
	check_scheduler(findings);
}

static void examine_affinity(struct findings *findings, int pid)
{
	struct cpu_set own, target;
	struct process_stat stat;

	if (cpu_allowed(0, &own, NULL) < 0 || cpu_allowed(pid, &target, NULL) < 0 ||
	    process_stat_read(pid, &stat, NULL) < 0)
		return;
	for (int cpu = 0; cpu < CPU_MAX; cpu++)
		if (cpu_set_has(&target, cpu) && !cpu_set_has(&own, cpu)) {
			struct finding *finding =
			    add(findings, GRADE_NOTE, "same-core reading",
				"the process may run on CPU %d, Pyrometer may not: samples taken "
				"there are read from another core",
				cpu);
			snprintf(finding->next, sizeof(finding->next),
				 "run Pyrometer in the same cpuset as the process");
			return;
		}
	add(findings, GRADE_OK, "same-core reading",
	    "exact samples: Pyrometer may run wherever the process does (now CPU %d)", stat.cpu);
}

static const char *const found_words[] = {"", "the section .PyRuntime", "the symbol _PyRuntime",
					  "the dynamic symbol _PyRuntime",
					  "a scan of its data segments"};

static void examine_stacks(struct findings *findings, int pid)
{
	struct thread_dump dump;
	struct err err = {0};
	uint64_t before_ns = clock_ns(CLOCK_MONOTONIC), took_ns;
	size_t named = 0;
	int result;

	result = thread_dump_take(pid, &dump, &err);
	took_ns = clock_ns(CLOCK_MONOTONIC) - before_ns;
	if (result < 0) {
		add_error(findings, "stacks", &err);
		return;
	}
	for (size_t i = 0; i < dump.count; i++)
		named += dump.threads[i].name != NULL;
	add(findings, GRADE_OK, "stacks", "%zu thread%s read in %.1f ms, %zu with %s Python name%s",
	    dump.count, dump.count == 1 ? "" : "s", (double)took_ns / 1e6, named,
	    named == 1 ? "its" : "their", named == 1 ? "" : "s");
	thread_dump_release(&dump);
}

static void examine_process(struct findings *findings, int pid)
{
	struct remote_memory memory;
	struct process_stat stat;
	struct runtime *runtime;
	struct err err = {0};
	char text[384];

	if (process_stat_read(pid, &stat, &err) < 0 ||
	    process_command_line(pid, text, sizeof(text), &err) < 0) {
		add_error(findings, "process", &err);
		return;
	}
	add(findings, GRADE_OK, "process", "%d: %s", pid, text);
	if (process_readable(pid, &err) < 0) {
		add_error(findings, "permission", &err);
		return;
	}
	add(findings, GRADE_OK, "permission", "its memory can be read");
	if (process_in_other_root(pid))
		add(findings, GRADE_OK, "container",
		    "it lives in another root folder; its files are read through /proc/%d/root",
		    pid);
	runtime = calloc(1, sizeof(*runtime));
	if (!runtime)
		return;
	remote_memory_init_live(&memory, pid);
	if (runtime_find(pid, &memory, runtime, &err) < 0) {
		add_error(findings, "interpreter", &err);
		free(runtime);
		return;
	}
	add(findings, GRADE_OK, "interpreter",
	    "CPython %s (%s), found by %s in %s; field offsets %s", runtime->version_text,
	    runtime->shared_library ? "shared library" : "in the executable",
	    found_words[runtime->found_by], runtime->file,
	    runtime->layout.from_debug_offsets
		? "from the process itself, checked against the table of its version"
		: "from the table of its version");
	if (runtime->jit_possible)
		add(findings, GRADE_NOTE, "JIT",
		    "built with the experimental JIT: where it is on (PYTHON_JIT=1) lines are less "
		    "precise");
	free(runtime);
	examine_stacks(findings, pid);
	examine_affinity(findings, pid);
}

#define TEXT_COLUMN 25
#define NARROW_TEXT_COLUMN 6
#define NARROW_COLUMNS 80

/* Wrapped, and clean: much of it is another process's. */
static void write_text(const char *text, size_t column, size_t columns)
{
	char *clean = NULL;
	size_t size;
	FILE *stream = open_memstream(&clean, &size);

	if (!stream)
		return;
	text_write_safe(stream, text);
	if (fclose(stream) == 0)
		text_write_wrapped(stdout, clean, column, column, columns);
	mem_free(clean);
	putchar('\n');
}

static void print_finding(const struct finding *finding, const struct terminal *terminal)
{
	static const char *const marks[] = {"ok  ", "note", "FAIL"};
	static const enum style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED};
	bool narrow = terminal->columns < NARROW_COLUMNS;
	size_t column = narrow ? NARROW_TEXT_COLUMN : TEXT_COLUMN;

	printf("%s%s%s  ", style_on(terminal, styles[finding->grade]), marks[finding->grade],
	       style_off(terminal));
	if (narrow)
		printf("%s\n%*s", finding->name, (int)column, "");
	else
		printf("%-18s ", finding->name);
	write_text(finding->text, column, (size_t)terminal->columns);
	if (!finding->next[0])
		return;
	printf("%*snext: ", (int)column, "");
	text_write_safe(stdout, finding->next); /* whole, to copy */
	putchar('\n');
}

static void print_text(const struct findings *findings)
{
	struct terminal terminal;

	terminal_describe(&terminal, stdout);
	for (size_t i = 0; i < findings->count; i++)
		print_finding(&findings->items[i], &terminal);
}

static void print_json(const struct findings *findings)
{
	static const char *const grades[] = {"ok", "note", "fail"};
	struct json_writer json;

	json_start(&json, stdout, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, 1);
	json_key(&json, "checks");
	json_array_begin(&json);
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];

		json_object_begin(&json);
		json_key(&json, "name");
		json_text(&json, finding->name);
		json_key(&json, "grade");
		json_text(&json, grades[finding->grade]);
		json_key(&json, "text");
		json_text(&json, finding->text);
		json_key(&json, "next");
		json_text(&json, finding->next[0] ? finding->next : NULL);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	putchar('\n');
}

static int doctor_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct doctor_options *options = values;
	struct findings findings = {.count = 0};
	int pid;
	int result =
	    pid_operand(options->pid, operand_count, operands, "pyrometer doctor PID", &pid, err);

	if (result < 0)
		return result;
	if (options->noise)
		return doctor_noise(options->python, options->noise_s, options->output,
				    options->json, err);
	examine_machine(&findings);
	if (pid > 0)
		examine_process(&findings, pid);
	if (options->json)
		print_json(&findings);
	else
		print_text(&findings);
	return findings.status;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "What works here and for one process, and what to do about the rest",
    .usage = "doctor [--json] [--noise] [PID]",
    .description =
	"Checks what Pyrometer needs: reading memory, the scheduler's figures, the interpreter "
	"of a process and how it was found. The exit status is 0, or that of the first check "
	"that fails (3 permission, 4 no such process, 5 not Python or not supported).\n"
	"\n"
	"With --noise it compares a program with itself, and with itself and a tenth more work, "
	"and says what comparisons can tell here; gate refuses budgets below that.",
    .examples = "pyrometer doctor\npyrometer doctor 4711\npyrometer doctor --noise",
    .options = doctor_options,
    .options_size = sizeof(struct doctor_options),
    .defaults = &doctor_defaults,
    .main = doctor_main,
};
