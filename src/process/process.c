#include "process/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "process/proc_text.h"

#define STAT_TEXT_MAX 2048 /* 52 fields of at most 20 digits and comm */
#define STATUS_TEXT_MAX 8192

static bool stat_comm(const char *text, const char *close, struct process_stat *stat)
{
	const char *open = memchr(text, '(', (size_t)(close - text));

	if (!open)
		return false;
	size_t size = (size_t)(close - open - 1);
	if (size >= sizeof(stat->comm))
		size = sizeof(stat->comm) - 1;
	memcpy(stat->comm, open + 1, size);
	stat->comm[size] = '\0';
	return true;
}

bool process_stat_parse(const char *text, size_t size, struct process_stat *ret_stat)
{
	struct process_stat stat = {0};
	struct proc_cursor cursor;
	int64_t ppid, cpu;

	if (!proc_stat_after_comm(text, size, &cursor) || !stat_comm(text, cursor.at - 1, &stat))
		return false;
	if (!proc_take_char(&cursor, ' ') || cursor.at >= cursor.end)
		return false;
	stat.state = *cursor.at++;
	if (stat.state <= ' ' || stat.state > '~')
		return false;
	if (!proc_take_i64(&cursor, &ppid) || ppid < 0 || ppid > INT32_MAX)
		return false;
	/* Numbers as in proc(5): 4 is ppid; 14, 15 the times; 20 threads; 22 start; 39 the CPU. */
	if (!proc_skip_fields(&cursor, 9) || !proc_take_u64(&cursor, &stat.user_ticks) ||
	    !proc_take_u64(&cursor, &stat.system_ticks) || !proc_skip_fields(&cursor, 4) ||
	    !proc_take_i64(&cursor, &stat.thread_count) || !proc_skip_fields(&cursor, 1) ||
	    !proc_take_u64(&cursor, &stat.start_ticks) || !proc_skip_fields(&cursor, 16) ||
	    !proc_take_i64(&cursor, &cpu) || cpu < INT32_MIN || cpu > INT32_MAX)
		return false;
	stat.ppid = (pid_t)ppid;
	stat.cpu = (int32_t)cpu;
	*ret_stat = stat;
	return true;
}

int process_stat_read(pid_t pid, struct process_stat *ret_stat, struct err *err)
{
	char text[STAT_TEXT_MAX];
	size_t size;

	int rc = proc_read(pid, "stat", text, sizeof(text), &size, NULL);
	if (rc == -ERR_NO_PROCESS) {
		err_set(err, ERR_NO_PROCESS, "There is no process %d", (int)pid);
		err_why(err, "/proc/%d/stat doesn't exist", (int)pid);
		err_next(err, "list Python processes: pgrep -a python");
		return rc;
	}
	if (rc < 0)
		return proc_read(pid, "stat", text, sizeof(text), &size, err);
	if (!process_stat_parse(text, size, ret_stat)) {
		err_set(err, ERR_FILE, "Can't understand /proc/%d/stat", (int)pid);
		err_why(err, "its %zu bytes don't have the 39 fields of proc(5)", size);
		return -ERR_FILE;
	}
	return 0;
}

int process_identity_of(pid_t pid, struct process_identity *ret_identity, struct err *err)
{
	struct process_stat stat;

	int rc = process_stat_read(pid, &stat, err);
	if (rc == 0)
		*ret_identity = (struct process_identity){pid, stat.start_ticks};
	return rc;
}

bool process_is_alive(const struct process_identity *identity)
{
	struct process_stat stat;

	if (process_stat_read(identity->pid, &stat, NULL) < 0)
		return false;
	return stat.start_ticks == identity->start_ticks && stat.state != 'Z' && stat.state != 'X';
}

uint64_t process_image_mark(pid_t pid)
{
	char bytes[1024];
	uint64_t mark = 14695981039346656037ull; /* FNV-1a */
	size_t got;

	if (proc_read(pid, "auxv", bytes, sizeof(bytes), &got, NULL) < 0 || got == 0)
		return 0;
	for (size_t i = 0; i < got; i++)
		mark = (mark ^ (unsigned char)bytes[i]) * 1099511628211ull;
	return mark | 1;
}

int process_command_line(pid_t pid, char *text, size_t size, struct err *err)
{
	size_t got;

	if (size == 0)
		return err_set(err, ERR_LIMIT, "No room for the command line of process %d",
			       (int)pid);
	int rc = proc_read(pid, "cmdline", text, size - 1, &got, err);
	if (rc < 0)
		return rc;
	process_command_line_clean(text, &got);
	text[got] = '\0';
	return 0;
}

void process_command_line_clean(char *text, size_t *size)
{
	while (*size > 0 && text[*size - 1] == '\0')
		(*size)--;
	for (size_t i = 0; i < *size; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\0')
			text[i] = ' ';
		else if (c < ' ' || c == 0x7f)
			text[i] = '?';
	}
}

static int read_link(pid_t pid, const char *name, char *path, size_t size, struct err *err)
{
	char link[64];

	if (size == 0)
		return err_set(err, ERR_LIMIT, "No room for a path");
	snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, name);
	ssize_t got = readlink(link, path, size);
	if (got < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NO_PROCESS : ERR_FILE, errno,
				     "Can't read the link %s", link);
	if ((size_t)got >= size) {
		err_set(err, ERR_LIMIT, "The path behind %s is too long", link);
		err_why(err, "it has more than %zu bytes", size - 1);
		return -ERR_LIMIT;
	}
	path[got] = '\0';
	return 0;
}

int process_executable(pid_t pid, char *path, size_t size, uint64_t *ret_device,
		       uint64_t *ret_inode, struct err *err)
{
	char link[64];
	struct stat st;

	int rc = read_link(pid, "exe", path, size, err);
	if (rc < 0)
		return rc;
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	if (stat(link, &st) < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't follow %s", link);
	*ret_device = st.st_dev;
	*ret_inode = st.st_ino;
	return 0;
}

int process_directory(pid_t pid, char *path, size_t size, struct err *err)
{
	return read_link(pid, "cwd", path, size, err);
}

int process_peak_rss(pid_t pid, uint64_t *ret_bytes, struct err *err)
{
	char text[STATUS_TEXT_MAX];
	size_t size;
	uint64_t kib;

	int rc = proc_read(pid, "status", text, sizeof(text), &size, err);
	if (rc < 0)
		return rc;
	if (!proc_find_number(text, size, "VmHWM", 10, &kib) || kib > UINT64_MAX / 1024) {
		err_set(err, ERR_NO_PROCESS, "Process %d has no memory any more", (int)pid);
		err_why(err, "/proc/%d/status has no VmHWM: it ended, or is a kernel thread",
			(int)pid);
		return -ERR_NO_PROCESS;
	}
	*ret_bytes = kib * 1024;
	return 0;
}

/* Whether /proc/PID/NAME and /proc/self/NAME lead to different files; false when either
 * can't be followed. */
static bool differs_from_ours(pid_t pid, const char *name)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (stat(path, &theirs) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/%s", name);
	if (stat(path, &ours) < 0)
		return false;
	return theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
}

bool process_in_other_root(pid_t pid)
{
	return differs_from_ours(pid, "ns/mnt") || differs_from_ours(pid, "root/.");
}
