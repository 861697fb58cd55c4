/* Reading the text of /proc: numbers and fields from untrusted bytes (pure), and whole
 * small files. Not for hot paths, but for the pure parts. */
#ifndef PROCESS_PROC_TEXT_H
#define PROCESS_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* A place in text that need not be NUL-terminated. */
struct proc_cursor {
	const char *at, *end;
};

/* Each skips leading blanks (not line ends), takes one number and stops behind it; false
 * (cursor anywhere) when there is no digit or the value doesn't fit 64 bits. A decimal
 * number must fill its field: a blank, a line end or the end of the text follows. */
bool proc_take_u64(struct proc_cursor *cursor, uint64_t *ret_value);
bool proc_take_i64(struct proc_cursor *cursor, int64_t *ret_value);
bool proc_take_hex(struct proc_cursor *cursor, uint64_t *ret_value); /* no 0x */
/* The one character `wanted`, without skipping. */
bool proc_take_char(struct proc_cursor *cursor, char wanted);
void proc_skip_blanks(struct proc_cursor *cursor);
/* Skips `count` blank-separated fields; false when the text ends before. */
bool proc_skip_fields(struct proc_cursor *cursor, size_t count);
/* Sets the cursor behind the last ')' of a stat file: on the blank before field 3. */
bool proc_stat_after_comm(const char *text, size_t size, struct proc_cursor *ret_cursor);
/* The number behind "NAME:" at the start of a line, in base 10 or 16. */
bool proc_find_number(const char *text, size_t size, const char *name, int base,
		      uint64_t *ret_value);

/* Reads a file whole into `text` (size_max bytes, no NUL added). ENOENT and ESRCH below
 * /proc/PID are -ERR_NO_PROCESS; more than size_max bytes: cut there. */
int proc_read_file(const char *path, char *text, size_t size_max, size_t *ret_size,
		   struct err *err);
/* The same for /proc/PID/name. */
int proc_read(pid_t pid, const char *name, char *text, size_t size_max, size_t *ret_size,
	      struct err *err);
/* Reads at offset 0 of a kept descriptor. Bytes, or a negative errno. */
ssize_t proc_read_fd(int fd, char *text, size_t size_max);

#endif
