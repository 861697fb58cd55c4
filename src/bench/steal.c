#include "bench/steal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/proc_text.h"
#include "system/cpu.h"

#define STAT_SIZE_MAX (64 * 1024)  /* the lines of 512 CPUs; interrupts behind them are cut */
#define COST_SHARE 0.01		   /* of the time may go into looking */
#define QUIET_WINDOW_NS 100000000L /* ten ticks */
#define STAT_FIELDS 8		   /* user nice system idle iowait irq softirq steal */

enum { FIELD_IDLE = 3, FIELD_IOWAIT = 4, FIELD_STEAL = 7 };

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool take_fields(struct proc_cursor *cursor, uint64_t *ret_steal, uint64_t *ret_idle)
{
	uint64_t fields[STAT_FIELDS];

	for (size_t i = 0; i < STAT_FIELDS; i++)
		if (!proc_take_u64(cursor, &fields[i]))
			return false;
	*ret_steal = fields[FIELD_STEAL];
	*ret_idle = fields[FIELD_IDLE] + fields[FIELD_IOWAIT];
	return true;
}

bool steal_parse(const char *text, size_t size, int cpu, uint64_t *ret_steal, uint64_t *ret_idle)
{
	char label[24];
	const char *end = text + size;
	size_t length;

	if (cpu < 0)
		snprintf(label, sizeof(label), "cpu ");
	else
		snprintf(label, sizeof(label), "cpu%d ", cpu);
	length = strlen(label);
	for (const char *line = text; line < end;) {
		const char *line_end = memchr(line, '\n', (size_t)(end - line));

		if (line_end == NULL)
			return false; /* cut: its last number may be too */
		if ((size_t)(line_end - line) > length && memcmp(line, label, length) == 0) {
			struct proc_cursor cursor = {line + length, line_end};

			return take_fields(&cursor, ret_steal, ret_idle);
		}
		line = line_end + 1;
	}
	return false;
}

static bool read_ticks(const struct steal_meter *meter, uint64_t *ret_ticks)
{
	char *text = mem_alloc(STAT_SIZE_MAX);
	uint64_t idle;
	bool known = false;

	if (text != NULL) {
		ssize_t size = proc_read_fd(meter->fd, text, STAT_SIZE_MAX);

		known = size > 0 && steal_parse(text, (size_t)size, meter->cpu, ret_ticks, &idle);
	}
	mem_free(text);
	return known;
}

void steal_start(struct steal_meter *meter, int cpu)
{
	*meter = (struct steal_meter){.fd = open("/proc/stat", O_RDONLY | O_CLOEXEC), .cpu = cpu};
	if (meter->fd >= 0)
		meter->known = read_ticks(meter, &meter->start_ticks);
	meter->last_ticks = meter->start_ticks;
}

bool steal_look(struct steal_meter *meter)
{
	double before = now_s();
	uint64_t ticks;
	bool stolen;

	if (!meter->known || before < meter->next_s || !read_ticks(meter, &ticks))
		return false;
	stolen = ticks > meter->last_ticks;
	meter->last_ticks = ticks;
	meter->cost_s = now_s() - before;
	meter->next_s = before + meter->cost_s / COST_SHARE;
	return stolen;
}

double steal_seconds(const struct steal_meter *meter)
{
	long per_second = sysconf(_SC_CLK_TCK);

	/* A guest's counter has been seen to run backwards after a migration. */
	if (!meter->known || per_second <= 0 || meter->last_ticks < meter->start_ticks)
		return 0;
	return (double)(meter->last_ticks - meter->start_ticks) / (double)per_second;
}

void steal_end(struct steal_meter *meter)
{
	if (meter->fd >= 0)
		close(meter->fd);
	meter->fd = -1;
	meter->known = false;
}

static int read_stat(char *text, size_t *ret_size, struct err *err)
{
	return proc_read_file("/proc/stat", text, STAT_SIZE_MAX, ret_size, err);
}

static int choose(const char *before, size_t before_size, const char *after, size_t after_size,
		  const struct cpu_set *allowed)
{
	uint64_t most = 0;
	int chosen = -1;

	for (int cpu = 0; cpu < CPU_MAX; cpu++) {
		uint64_t steal, idle_before, idle_after, idle;

		if (!cpu_set_has(allowed, cpu))
			continue;
		if (!steal_parse(before, before_size, cpu, &steal, &idle_before) ||
		    !steal_parse(after, after_size, cpu, &steal, &idle_after))
			idle_before = idle_after = 0;
		idle = idle_after > idle_before ? idle_after - idle_before : 0;
		/* Of equals the last: the first CPU has most of the interrupts. */
		if (chosen < 0 || idle >= most) {
			chosen = cpu;
			most = idle;
		}
	}
	return chosen;
}

int steal_quietest_cpu(int *ret_cpu, struct err *err)
{
	const struct timespec window = {.tv_nsec = QUIET_WINDOW_NS};
	struct cpu_set allowed;
	char *before = mem_alloc(STAT_SIZE_MAX), *after = mem_alloc(STAT_SIZE_MAX);
	size_t before_size = 0, after_size = 0;
	int r = cpu_allowed(0, &allowed, err);

	if (r == 0 && (before == NULL || after == NULL))
		r = err_set(err, ERR_MEMORY, "No memory to look at the CPUs");
	if (r == 0 && read_stat(before, &before_size, NULL) == 0) {
		nanosleep(&window, NULL);
		if (read_stat(after, &after_size, NULL) < 0)
			after_size = 0;
	}
	if (r == 0)
		*ret_cpu = choose(before, before_size, after, after_size, &allowed);
	mem_free(before);
	mem_free(after);
	return r;
}
