/* The small files of /proc: stat, schedstat, syscall, cmdline, status. The first byte chooses
 * nothing: every parser gets every input, as text that isn't NUL-terminated. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/proc_text.h"
#include "process/process.h"
#include "system/thread_times.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_stat(const char *text, size_t size)
{
	struct process_stat process;
	struct thread_stat thread;

	if (!process_stat_parse(text, size, &process))
		return;
	require(memchr(process.comm, '\0', sizeof(process.comm)) != NULL);
	require(process.ppid >= 0 && process.state > ' ' && process.state <= '~');
	/* The quick parser of the hot path must agree with the full one. */
	if (thread_stat_parse(text, size, &thread))
		require(thread.state == process.state && thread.cpu == process.cpu);
	else
		require(process.cpu < 0);
}

static void check_command_line(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	size_t cleaned = size;

	if (!text)
		return;
	memcpy(text, data, size);
	process_command_line_clean(text, &cleaned);
	require(cleaned <= size);
	for (size_t i = 0; i < cleaned; i++)
		require((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct thread_schedstat times;
	struct thread_syscall call;
	struct proc_cursor cursor = {text, text + size};
	uint64_t number;
	int64_t signed_number;

	check_stat(text, size);
	check_command_line(data, size);
	thread_schedstat_parse(text, size, &times);
	if (thread_syscall_parse(text, size, &call))
		require(call.number >= -1);
	proc_find_number(text, size, "VmHWM", 10, &number);
	proc_find_number(text, size, "CapEff", 16, &number);
	while (proc_take_i64(&cursor, &signed_number) || proc_skip_fields(&cursor, 1))
		require(cursor.at <= cursor.end);
	return 0;
}
