/* Hot path after thread_times_open: one pread a value, no allocation, no opens. */
#include "system/thread_times.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "process/proc_text.h"

bool thread_schedstat_parse(const char *text, size_t size, struct thread_schedstat *ret)
{
	struct proc_cursor cursor = {text, text + size};
	struct thread_schedstat value;

	if (!proc_take_u64(&cursor, &value.on_cpu_ns) || !proc_take_char(&cursor, ' ') ||
	    !proc_take_u64(&cursor, &value.runqueue_ns) || !proc_take_char(&cursor, ' ') ||
	    !proc_take_u64(&cursor, &value.slices))
		return false;
	*ret = value;
	return true;
}

bool thread_stat_parse(const char *text, size_t size, struct thread_stat *ret)
{
	struct proc_cursor cursor;
	int64_t cpu;

	if (!proc_stat_after_comm(text, size, &cursor) || !proc_take_char(&cursor, ' ') ||
	    cursor.at >= cursor.end)
		return false;
	char state = *cursor.at++;
	if (state <= ' ' || state > '~')
		return false;
	if (!proc_skip_fields(&cursor, 35) || !proc_take_i64(&cursor, &cpu) || cpu < 0 ||
	    cpu > INT32_MAX)
		return false;
	*ret = (struct thread_stat){state, (int32_t)cpu};
	return true;
}

static bool take_0x(struct proc_cursor *cursor, uint64_t *ret_value)
{
	return proc_take_char(cursor, ' ') && proc_take_char(cursor, '0') &&
	       proc_take_char(cursor, 'x') && proc_take_hex(cursor, ret_value);
}

bool thread_syscall_parse(const char *text, size_t size, struct thread_syscall *ret)
{
	struct proc_cursor cursor = {text, text + size};
	struct thread_syscall value = {.number = -1};

	if (size >= 7 && !memcmp(text, "running", 7)) {
		*ret = value;
		return true;
	}
	if (!proc_take_i64(&cursor, &value.number) || value.number < -1)
		return false;
	/* "-1 SP PC": blocked, but not in a system call. */
	for (int i = 0; i < 6 && value.number >= 0; i++)
		if (!take_0x(&cursor, &value.arguments[i]))
			return false;
	*ret = value;
	return true;
}

static int open_file(pid_t pid, pid_t tid, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int thread_times_open(struct thread_times *times, pid_t pid, pid_t tid, struct err *err)
{
	struct thread_times opened = {pid, tid, -1, -1, -1};

	*times = opened;
	opened.schedstat_fd = open_file(pid, tid, "schedstat");
	if (opened.schedstat_fd < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NO_PROCESS : ERR_FILE, errno,
				     "Can't open the scheduler's times of thread %d of process %d",
				     (int)tid, (int)pid);
	opened.stat_fd = open_file(pid, tid, "stat");
	if (opened.stat_fd < 0) {
		int rc = err_set_errno(err, errno == ENOENT ? ERR_NO_PROCESS : ERR_FILE, errno,
				       "Can't open the state of thread %d of process %d", (int)tid,
				       (int)pid);
		thread_times_release(&opened);
		return rc;
	}
	opened.syscall_fd = open_file(pid, tid, "syscall");
	*times = opened;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void thread_times_release(struct thread_times *times)
{
	close_fd(&times->schedstat_fd);
	close_fd(&times->stat_fd);
	close_fd(&times->syscall_fd);
}

static int read_text(int fd, char *text, size_t size_max, size_t *ret_size)
{
	if (fd < 0)
		return -ERR_PERMISSION;
	ssize_t got = pread(fd, text, size_max, 0); /* one call: these files come whole */
	if (got > 0) {
		*ret_size = (size_t)got;
		return 0;
	}
	if (got == 0 || errno == ESRCH || errno == ENOENT)
		return -ERR_NO_PROCESS;
	return errno == EPERM || errno == EACCES ? -ERR_PERMISSION : -ERR_FILE;
}

int thread_times_schedstat(const struct thread_times *times, struct thread_schedstat *ret)
{
	char text[96];
	size_t size;

	int rc = read_text(times->schedstat_fd, text, sizeof(text), &size);
	if (rc < 0)
		return rc;
	return thread_schedstat_parse(text, size, ret) ? 0 : -ERR_FILE;
}

int thread_times_stat(const struct thread_times *times, struct thread_stat *ret)
{
	char text[2048];
	size_t size;

	int rc = read_text(times->stat_fd, text, sizeof(text), &size);
	if (rc < 0)
		return rc;
	return thread_stat_parse(text, size, ret) ? 0 : -ERR_FILE;
}

int thread_times_syscall(const struct thread_times *times, struct thread_syscall *ret)
{
	char text[256];
	size_t size;

	int rc = read_text(times->syscall_fd, text, sizeof(text), &size);
	if (rc < 0)
		return rc;
	return thread_syscall_parse(text, size, ret) ? 0 : -ERR_FILE;
}
