/* The mappings of a process: /proc/PID/maps as a sorted table. The text is untrusted
 * (paths are the target's): lines that aren't understood are skipped and counted. */
#ifndef PROCESS_MAPS_H
#define PROCESS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"

struct err;

#define MAPS_MAX 65530 /* vm.max_map_count's default */
#define MAPS_TEXT_MAX ((size_t)32 * 1024 * 1024)

enum map_permission { MAP_READ = 1, MAP_WRITE = 2, MAP_EXECUTE = 4, MAP_SHARE = 8 };

struct map_entry {
	uint64_t start, end; /* [start, end), page-aligned as the kernel gives it, not checked */
	uint64_t offset;     /* of start in the file, bytes */
	uint32_t device_major, device_minor;
	uint64_t inode;	      /* 0: no file */
	unsigned permissions; /* enum map_permission */
	bool deleted;	      /* the path ended in " (deleted)", which is cut off */
	const char *path; /* "" for none; "[heap]" and the like as they are; the table owns it */
};

struct maps {
	struct map_entry *entries; /* sorted by start, disjoint */
	size_t count, capacity;
	struct arena text;
	size_t malformed; /* lines skipped: not understood, or not in order */
	bool cut;	  /* more than MAPS_MAX lines or MAPS_TEXT_MAX bytes: the rest is missing */
};

void maps_init(struct maps *maps);
void maps_release(struct maps *maps); /* may be called twice, and on a failed read */

/* Pure: fills an initialised, empty table. The kernel writes a line end in a path as \012,
 * and nothing else is escaped; a cut last line counts as malformed. 0 or -ERR_MEMORY. */
int maps_parse(struct maps *maps, const char *text, size_t size, struct err *err);
/* Reads and parses /proc/PID/maps: -ERR_NO_PROCESS, -ERR_PERMISSION, -ERR_MEMORY. Note that a
 * zombie and a kernel thread have an empty table. The kernel gives it page by page: mappings
 * that change meanwhile may be missing. */
int maps_read(struct maps *maps, pid_t pid, struct err *err);

/* The entry that holds `address`, or NULL. */
const struct map_entry *maps_find(const struct maps *maps, uint64_t address);
/* A file of the file system behind it? */
bool map_entry_is_file(const struct map_entry *entry);
bool map_entry_same_file(const struct map_entry *a, const struct map_entry *b);

#endif
