#include "system/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "process/proc_text.h"
#include "system/cpu.h"

#define CPUINFO_TEXT_MAX 8192 /* the first processor is enough */

/* The value of the first "NAME : VALUE" line, control characters replaced. */
static bool cpuinfo_value(const char *text, size_t size, const char *name, struct proc_cursor *ret)
{
	const char *at = memmem(text, size, name, strlen(name));
	const char *end = text + size;

	if (!at)
		return false;
	const char *line_end = memchr(at, '\n', (size_t)(end - at));
	if (!line_end)
		line_end = end;
	const char *colon = memchr(at, ':', (size_t)(line_end - at));
	if (!colon)
		return false;
	*ret = (struct proc_cursor){colon + 1, line_end};
	proc_skip_blanks(ret);
	return true;
}

static void read_processor(struct host *host)
{
	char text[CPUINFO_TEXT_MAX];
	size_t size;
	struct proc_cursor value;

	if (proc_read_file("/proc/cpuinfo", text, sizeof(text), &size, NULL) < 0)
		return;
	if (cpuinfo_value(text, size, "model name", &value))
		snprintf(host->processor, sizeof(host->processor), "%.*s",
			 (int)(value.end - value.at), value.at);
	if (cpuinfo_value(text, size, "flags", &value))
		host->virtual_machine =
		    memmem(value.at, (size_t)(value.end - value.at), " hypervisor", 11) != NULL;
}

/* cgroup v2 "QUOTA PERIOD" or "max PERIOD", as the container sees its own group. */
static double read_quota(void)
{
	char text[64];
	size_t size;
	uint64_t quota, period;

	if (proc_read_file("/sys/fs/cgroup/cpu.max", text, sizeof(text), &size, NULL) < 0)
		return 0;
	struct proc_cursor cursor = {text, text + size};
	if (!proc_take_u64(&cursor, &quota) || !proc_take_u64(&cursor, &period) || period == 0)
		return 0;
	return (double)quota / (double)period;
}

void host_read(struct host *ret_host)
{
	struct host host = {.load_1m = -1};
	struct utsname names;
	struct cpu_set allowed;
	double load;

	if (uname(&names) == 0) {
		snprintf(host.kernel, sizeof(host.kernel), "%s %s", names.sysname, names.release);
		snprintf(host.machine, sizeof(host.machine), "%s", names.machine);
	}
	read_processor(&host);
	host.cpus_online = (int)sysconf(_SC_NPROCESSORS_ONLN);
	host.cpus_allowed =
	    cpu_allowed(0, &allowed, NULL) == 0 ? cpu_set_count(&allowed) : host.cpus_online;
	host.cpu_quota = read_quota();
	host.container = access("/.dockerenv", F_OK) == 0 ||
			 access("/run/.containerenv", F_OK) == 0 || getenv("container") != NULL;
	if (getloadavg(&load, 1) == 1)
		host.load_1m = load;
	*ret_host = host;
}

void host_describe(const struct host *host, char *text, size_t size)
{
	char cpus[64], quota[48] = "", load[32] = "";

	if (host->cpus_allowed == host->cpus_online)
		snprintf(cpus, sizeof(cpus), "%d CPU%s", host->cpus_online,
			 host->cpus_online == 1 ? "" : "s");
	else
		snprintf(cpus, sizeof(cpus), "%d of %d CPUs", host->cpus_allowed,
			 host->cpus_online);
	if (host->cpu_quota > 0)
		snprintf(quota, sizeof(quota), ", limited to %.2f CPUs", host->cpu_quota);
	if (host->load_1m >= 0)
		snprintf(load, sizeof(load), ", load %.2f", host->load_1m);
	snprintf(text, size, "%s %s%s%s, %s%s%s%s%s", host->kernel, host->machine,
		 host->processor[0] ? ", " : "", host->processor, cpus, quota,
		 host->virtual_machine ? ", virtual machine" : "",
		 host->container ? ", container" : "", load);
}
