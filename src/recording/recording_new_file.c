/* See recording_new_file.h. */
#include "recording/recording_new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "recording/recording_file.h"

static int refuse_existing(const char *path, bool overwrite, struct err *err)
{
	uint8_t head[RECORDING_HEAD_BYTES];
	struct stat status;
	const char *kind = NULL;
	ssize_t size;
	int fd;

	if (lstat(path, &status) < 0)
		return errno == ENOENT
			   ? 0
			   : err_set_errno(err, ERR_FILE, errno, "can't look at %s", path);
	if (!S_ISREG(status.st_mode)) {
		err_set(err, ERR_FILE, "will not replace %s", path);
		err_why(err, "it is %s",
			S_ISDIR(status.st_mode) ? "a directory" : "not a plain file");
		err_next(err, "record elsewhere with -o FILE");
		return -ERR_FILE;
	}
	if (overwrite && status.st_size == 0)
		return 1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set_errno(err, ERR_FILE, errno, "can't read %s", path);
	size = pread(fd, head, sizeof(head), 0);
	close(fd);
	kind = recording_other_kind(head, size < 0 ? 0 : (size_t)size);
	if (!kind && overwrite)
		return 1;
	err_set(err, ERR_FILE, "will not replace %s", path);
	err_why(err, "it is %s", kind ? kind : "a recording, and replacing was not asked for");
	err_next(err, "record elsewhere with -o FILE");
	return -ERR_FILE;
}

/* SQLite would take a journal that lies beside a new file for that file's own. */
static int remove_old(const char *path, bool exists, struct err *err)
{
	static const char *const suffixes[] = {"-journal", "-wal", "-shm", ""};
	size_t size = strlen(path) + sizeof("-journal");
	char *name = mem_alloc(size);
	int code = 0;

	if (!name)
		return err_set(err, ERR_MEMORY, "no memory to open %s", path);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && !code; i++) {
		if (!suffixes[i][0] && !exists)
			continue;
		snprintf(name, size, "%s%s", path, suffixes[i]);
		if (unlink(name) < 0 && errno != ENOENT)
			code = err_set_errno(err, ERR_FILE, errno, "can't replace %s", name);
	}
	mem_free(name);
	return code;
}

/* By ourselves, because of SQLite's errno: it tells a folder that may not be written as "no such
 * file". */
static int create_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	int code;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	code = err_set_errno(err, ERR_FILE, errno, "can't create the recording %s", path);
	err_next(err, "record elsewhere with -o FILE");
	return code;
}

int recording_new_file(const char *path, bool overwrite, struct err *err)
{
	int code = refuse_existing(path, overwrite, err);

	if (code < 0)
		return code;
	code = remove_old(path, code > 0, err);
	return code < 0 ? code : create_file(path, err);
}
