#include "process/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "process/proc_text.h"

#define READ_STEP ((size_t)64 * 1024)

static const char deleted_suffix[] = " (deleted)";

void maps_init(struct maps *maps)
{
	*maps = (struct maps){0};
	arena_init(&maps->text, 2 * MAPS_TEXT_MAX);
}

void maps_release(struct maps *maps)
{
	mem_free(maps->entries);
	arena_release(&maps->text);
	maps_init(maps);
}

static bool take_permissions(struct proc_cursor *cursor, unsigned *ret_permissions)
{
	static const char letters[] = "rwx";
	unsigned permissions = 0;

	if (cursor->end - cursor->at < 4)
		return false;
	for (int i = 0; i < 3; i++) {
		char c = *cursor->at++;
		if (c == letters[i])
			permissions |= 1u << i;
		else if (c != '-')
			return false;
	}
	char c = *cursor->at++;
	if (c != 'p' && c != 's')
		return false;
	if (c == 's')
		permissions |= MAP_SHARE;
	*ret_permissions = permissions;
	return true;
}

static bool take_device(struct proc_cursor *cursor, struct map_entry *entry)
{
	uint64_t major_number, minor_number;

	if (!proc_take_hex(cursor, &major_number) || !proc_take_char(cursor, ':') ||
	    !proc_take_hex(cursor, &minor_number) || major_number > UINT32_MAX ||
	    minor_number > UINT32_MAX)
		return false;
	entry->device_major = (uint32_t)major_number;
	entry->device_minor = (uint32_t)minor_number;
	return true;
}

/* One line without its end; everything but the path. */
static bool take_numbers(struct proc_cursor *cursor, struct map_entry *entry)
{
	return proc_take_hex(cursor, &entry->start) && proc_take_char(cursor, '-') &&
	       proc_take_hex(cursor, &entry->end) && entry->start < entry->end &&
	       proc_take_char(cursor, ' ') && take_permissions(cursor, &entry->permissions) &&
	       proc_take_char(cursor, ' ') && proc_take_hex(cursor, &entry->offset) &&
	       proc_take_char(cursor, ' ') && take_device(cursor, entry) &&
	       proc_take_char(cursor, ' ') && proc_take_u64(cursor, &entry->inode) &&
	       (cursor->at == cursor->end || *cursor->at == ' ');
}

static const char *copy_path(struct maps *maps, struct proc_cursor path, bool *ret_deleted)
{
	size_t suffix = sizeof(deleted_suffix) - 1, size = (size_t)(path.end - path.at), out = 0;

	*ret_deleted = size > suffix && !memcmp(path.end - suffix, deleted_suffix, suffix);
	if (*ret_deleted)
		size -= suffix;
	if (size == 0)
		return "";
	char *copy = arena_copy_text(&maps->text, path.at, size);
	if (!copy)
		return NULL;
	for (size_t in = 0; in < size; out++) {
		bool escape = size - in >= 4 && !memcmp(copy + in, "\\012", 4);
		copy[out] = escape ? '\n' : copy[in];
		in += escape ? 4 : 1;
	}
	copy[out] = '\0';
	return copy;
}

static int add_line(struct maps *maps, struct proc_cursor line)
{
	struct map_entry entry = {0};

	bool understood = take_numbers(&line, &entry);
	proc_skip_blanks(&line);
	if (understood && memchr(line.at, '\0', (size_t)(line.end - line.at)))
		understood = false;
	if (understood && maps->count > 0 && entry.start < maps->entries[maps->count - 1].end)
		understood = false; /* out of order: torn by a change while it was read */
	if (!understood) {
		maps->malformed++;
		return 0;
	}
	entry.path = copy_path(maps, line, &entry.deleted);
	if (!entry.path)
		return -ERR_MEMORY;
	int rc = grow_array((void **)&maps->entries, &maps->capacity, maps->count + 1,
			    sizeof(entry), MAPS_MAX);
	if (rc == 0)
		maps->entries[maps->count++] = entry;
	return rc;
}

int maps_parse(struct maps *maps, const char *text, size_t size, struct err *err)
{
	const char *at = text, *end = text + size;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end) {
			maps->malformed++;
			break;
		}
		if (maps->count >= MAPS_MAX) {
			maps->cut = true;
			break;
		}
		if (add_line(maps, (struct proc_cursor){at, line_end}) < 0)
			return err_set(err, ERR_MEMORY, "No memory for a table of mappings");
		at = line_end + 1;
	}
	return 0;
}

/* A table isn't read by pread at an offset but by read: the kernel resumes it by address. */
static int read_all(int fd, struct buffer *text, bool *ret_cut)
{
	for (;;) {
		size_t wanted = text->maximum - text->size;
		if (wanted == 0) {
			*ret_cut = true;
			return 0;
		}
		if (text->capacity - text->size < READ_STEP &&
		    grow_array((void **)&text->bytes, &text->capacity,
			       wanted < READ_STEP ? text->maximum : text->size + READ_STEP, 1,
			       text->maximum) < 0)
			return -ENOMEM;
		if (wanted > text->capacity - text->size)
			wanted = text->capacity - text->size;
		ssize_t got = read(fd, text->bytes + text->size, wanted);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		text->size += (size_t)got;
	}
}

int maps_read(struct maps *maps, pid_t pid, struct err *err)
{
	char path[64];
	struct buffer text;
	bool cut = false;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NO_PROCESS : ERR_FILE, errno,
				     "Can't read the mappings of process %d", (int)pid);
	buffer_init(&text, MAPS_TEXT_MAX);
	rc = read_all(fd, &text, &cut);
	close(fd);
	if (rc < 0) {
		rc = err_set_errno(err, rc == -ENOMEM ? ERR_MEMORY : ERR_FILE, -rc,
				   "Can't read the mappings of process %d", (int)pid);
	} else {
		rc = maps_parse(maps, (const char *)text.bytes, text.size, err);
		maps->cut |= cut;
	}
	buffer_release(&text);
	return rc;
}

const struct map_entry *maps_find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct map_entry *entry = &maps->entries[middle];

		if (address < entry->start)
			high = middle;
		else if (address >= entry->end)
			low = middle + 1;
		else
			return entry;
	}
	return NULL;
}

bool map_entry_is_file(const struct map_entry *entry)
{
	return entry->inode != 0 && entry->path[0] == '/';
}

bool map_entry_same_file(const struct map_entry *a, const struct map_entry *b)
{
	return a->inode != 0 && a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor;
}
