#include "process/proc_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

void proc_skip_blanks(struct proc_cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
		cursor->at++;
}

bool proc_take_char(struct proc_cursor *cursor, char wanted)
{
	if (cursor->at >= cursor->end || *cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

static bool at_field_end(const struct proc_cursor *cursor)
{
	return cursor->at == cursor->end || *cursor->at == ' ' || *cursor->at == '\t' ||
	       *cursor->at == '\n';
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static bool take_number(struct proc_cursor *cursor, int base, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *first = cursor->at;

	while (cursor->at < cursor->end) {
		int digit = digit_of(*cursor->at);

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
		cursor->at++;
	}
	if (cursor->at == first)
		return false;
	*ret_value = value;
	return true;
}

bool proc_take_u64(struct proc_cursor *cursor, uint64_t *ret_value)
{
	uint64_t value;

	proc_skip_blanks(cursor);
	if (!take_number(cursor, 10, &value) || !at_field_end(cursor))
		return false;
	*ret_value = value;
	return true;
}

bool proc_take_hex(struct proc_cursor *cursor, uint64_t *ret_value)
{
	proc_skip_blanks(cursor);
	return take_number(cursor, 16, ret_value);
}

bool proc_take_i64(struct proc_cursor *cursor, int64_t *ret_value)
{
	uint64_t value;

	proc_skip_blanks(cursor);
	bool negative = proc_take_char(cursor, '-');
	if (!take_number(cursor, 10, &value) || !at_field_end(cursor))
		return false;
	if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

bool proc_skip_fields(struct proc_cursor *cursor, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		proc_skip_blanks(cursor);
		const char *first = cursor->at;
		while (!at_field_end(cursor))
			cursor->at++;
		if (cursor->at == first)
			return false;
	}
	return true;
}

bool proc_stat_after_comm(const char *text, size_t size, struct proc_cursor *ret_cursor)
{
	/* comm may hold anything, ')' too; what follows it are numbers: the last one counts. */
	const char *close = size ? memrchr(text, ')', size) : NULL;

	if (!close)
		return false;
	*ret_cursor = (struct proc_cursor){close + 1, text + size};
	return true;
}

bool proc_find_number(const char *text, size_t size, const char *name, int base,
		      uint64_t *ret_value)
{
	size_t name_size = strlen(name);
	const char *line = text, *end = text + size;

	while (line < end) {
		const char *line_end = memchr(line, '\n', (size_t)(end - line));
		if (!line_end)
			line_end = end;
		if ((size_t)(line_end - line) > name_size && !memcmp(line, name, name_size) &&
		    line[name_size] == ':') {
			struct proc_cursor cursor = {line + name_size + 1, line_end};
			proc_skip_blanks(&cursor);
			return take_number(&cursor, base, ret_value);
		}
		line = line_end < end ? line_end + 1 : end;
	}
	return false;
}

ssize_t proc_read_fd(int fd, char *text, size_t size_max)
{
	size_t size = 0;

	while (size < size_max) {
		ssize_t got = pread(fd, text + size, size_max - size, (off_t)size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		size += (size_t)got;
	}
	return (ssize_t)size;
}

int proc_read_file(const char *path, char *text, size_t size_max, size_t *ret_size, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t got;

	if (fd >= 0) {
		got = proc_read_fd(fd, text, size_max);
		close(fd);
	} else {
		got = -errno;
	}
	if (got < 0) {
		enum err_code code = got == -ENOENT ? ERR_NO_PROCESS : ERR_FILE;
		return err_set_errno(err, code, (int)-got, "Can't read %s", path);
	}
	*ret_size = (size_t)got;
	return 0;
}

int proc_read(pid_t pid, const char *name, char *text, size_t size_max, size_t *ret_size,
	      struct err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return proc_read_file(path, text, size_max, ret_size, err);
}
