/* Source text beside a recording: see source_file.h. */
#include "report/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

static int read_all(int fd, char *text, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, text + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1; /* shorter than its size said: it is being changed */
		used += (size_t)got;
	}
	return 0;
}

/* Opens what may be shown; -1 with why_not filled otherwise. */
static int open_source(struct source_file *source, const struct profile *profile, const char *file,
		       size_t *ret_size)
{
	const char *directory = profile->meta.directory;
	char path[PATH_MAX];
	struct stat status;
	uint64_t changed_ns;
	int fd, length;

	if (*file == '\0' || *file == '<') {
		snprintf(source->why_not, sizeof(source->why_not), "it has no source file");
		return -1;
	}
	length = *file == '/' || directory == NULL
		     ? snprintf(path, sizeof(path), "%s", file)
		     : snprintf(path, sizeof(path), "%s/%s", directory, file);
	/* O_NONBLOCK: a recording may name a FIFO. */
	fd = length < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
					: -1;
	if (fd < 0 || fstat(fd, &status) < 0) {
		snprintf(source->why_not, sizeof(source->why_not),
			 "its source cannot be read here: %s", strerror(errno));
		goto fail;
	}
	if (!S_ISREG(status.st_mode) || status.st_size > (off_t)SOURCE_BYTES_MAX) {
		snprintf(source->why_not, sizeof(source->why_not),
			 "its source is not a regular file under 16 MiB");
		goto fail;
	}
	changed_ns =
	    (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
	if (changed_ns > profile->meta.started_unix_ns) {
		snprintf(source->why_not, sizeof(source->why_not),
			 "its source has changed since the recording began, so it is not shown");
		goto fail;
	}
	*ret_size = (size_t)status.st_size;
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

static int split_lines(struct source_file *source, size_t size)
{
	size_t count = 1, at = 0;

	for (size_t i = 0; i < size; i++)
		count += source->text[i] == '\n';
	source->lines = mem_alloc(count * sizeof(*source->lines));
	if (source->lines == NULL)
		return -1;
	for (size_t i = 0; i < count && at <= size; i++) {
		char *end = memchr(source->text + at, '\n', size - at);
		size_t stop = end != NULL ? (size_t)(end - source->text) : size;

		source->lines[source->line_count++] = source->text + at;
		source->text[stop] = '\0';
		if (stop > at && source->text[stop - 1] == '\r')
			source->text[stop - 1] = '\0';
		at = stop + 1;
	}
	return 0;
}

void source_file_read(struct source_file *source, const struct profile *profile, const char *file)
{
	size_t size = 0;
	int fd;

	*source = (struct source_file){0};
	fd = open_source(source, profile, file, &size);
	if (fd < 0)
		return;
	source->text = mem_alloc(size + 1);
	if (source->text == NULL || read_all(fd, source->text, size) < 0 ||
	    split_lines(source, size) < 0) {
		source_file_release(source);
		snprintf(source->why_not, sizeof(source->why_not), "its source cannot be read");
	} else {
		source->text[size] = '\0';
	}
	close(fd);
}

void source_file_release(struct source_file *source)
{
	mem_free(source->lines);
	mem_free(source->text);
	*source = (struct source_file){0};
}

const char *source_file_line(const struct source_file *source, uint32_t line)
{
	return line == 0 || line > source->line_count ? NULL : source->lines[line - 1];
}
