#include "cpython/layout/runtime_scan.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/maps.h"

#define CHUNK_BYTES ((size_t)256 << 10)
#define PAGE_BYTES 4096
#define CHECKS_MAX 4096	     /* places looked at closely in one scan */
#define VERSION_TEXT_MAX 300 /* static char version[300] */
/* A patch release may put a word before the main interpreter (3.12.1 did): bytes. */
#define DRIFT_MAX 512
#define THREADS_CHECKED_MAX 4 /* first links of the list of threads */
#define USER_ADDRESS_END (UINT64_C(1) << 47)

void scan_regions_of(const struct maps *maps, const struct map_entry *entry,
		     struct scan_regions *ret_regions)
{
	uint64_t left = SCAN_BYTES_MAX;
	const struct map_entry *previous = NULL;

	ret_regions->count = 0;
	for (size_t i = 0; i < maps->count; i++) {
		const struct map_entry *item = &maps->entries[i];
		bool of_file = map_entry_is_file(item) && map_entry_same_file(item, entry);
		bool bss =
		    previous != NULL && item->path[0] == '\0' && item->start == previous->end;
		uint64_t size = item->end - item->start;

		/* .bss follows the file's last mapping, writable or (where data fills its pages)
		 * not. */
		previous = of_file ? item : NULL;
		if ((!of_file && !bss) || (item->permissions & MAP_WRITE) == 0 ||
		    (item->permissions & MAP_READ) == 0)
			continue;
		if (left == 0 || ret_regions->count == SCAN_REGIONS_MAX)
			return;
		if (size > left)
			size = left;
		left -= size;
		ret_regions->items[ret_regions->count++] =
		    (struct scan_region){item->start, item->start + size};
	}
}

/* Sees a piece of memory; true ends the scan. */
typedef bool (*scan_fn)(void *context, uint64_t address, const uint8_t *bytes, size_t size);

/* Pieces overlap by `overlap` bytes, so that what lies across two is seen whole in one. */
static void scan_each(const struct remote_memory *memory, const struct scan_regions *regions,
		      size_t overlap, scan_fn see, void *context)
{
	uint8_t *bytes = mem_alloc(CHUNK_BYTES);

	for (size_t i = 0; bytes != NULL && i < regions->count; i++) {
		uint64_t at = regions->items[i].start, end = regions->items[i].end;

		while (at < end) {
			size_t wanted = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
			struct remote_range range = {{at}, bytes, wanted};
			ssize_t got = remote_read_ranges(memory, &range, 1);

			if (got <= 0) { /* a page that can't be read: past it */
				at = (at / PAGE_BYTES + 1) * PAGE_BYTES;
				continue;
			}
			if (see(context, at, bytes, (size_t)got))
				goto out;
			at += (size_t)got > overlap && at + (size_t)got < end
				  ? (size_t)got - overlap
				  : (size_t)got;
		}
	}
out:
	mem_free(bytes);
}

/* A number of at most three digits; -1: none. */
static int parse_number(const char **cursor, const char *end)
{
	int value = 0, digits = 0;

	while (*cursor < end && **cursor >= '0' && **cursor <= '9' && digits < 3) {
		value = value * 10 + (**cursor - '0');
		(*cursor)++;
		digits++;
	}
	return digits == 0 || value > 255 ? -1 : value;
}

static bool skip_char(const char **cursor, const char *end, char wanted)
{
	if (*cursor == end || **cursor != wanted)
		return false;
	(*cursor)++;
	return true;
}

/* "(build info) [compiler": what makes a version number one of Python's. */
static bool parse_build(const char *cursor, const char *end)
{
	const char *close = memmem(cursor, (size_t)(end - cursor), ") ", 2);

	if (!skip_char(&cursor, end, ' ') || !skip_char(&cursor, end, '(') || close == NULL ||
	    close < cursor || memchr(cursor, ',', (size_t)(close - cursor)) == NULL ||
	    memchr(cursor, '\0', (size_t)(close - cursor)) != NULL)
		return false;
	cursor = close + 2;
	skip_char(&cursor, end, '\n');
	return skip_char(&cursor, end, '[');
}

uint32_t version_text_parse(const char *text, size_t size)
{
	const char *cursor = text, *end = text + size;
	struct python_version version = {.level = 0xF};
	int major = parse_number(&cursor, end), minor, micro, serial;

	if ((major != 2 && major != 3) || !skip_char(&cursor, end, '.'))
		return 0;
	minor = parse_number(&cursor, end);
	if (minor < 0 || !skip_char(&cursor, end, '.'))
		return 0;
	micro = parse_number(&cursor, end);
	if (micro < 0)
		return 0;
	if (skip_char(&cursor, end, 'a'))
		version.level = 0xA;
	else if (skip_char(&cursor, end, 'b'))
		version.level = 0xB;
	else if (skip_char(&cursor, end, 'r') && skip_char(&cursor, end, 'c'))
		version.level = 0xC;
	serial = version.level == 0xF ? 0 : parse_number(&cursor, end);
	skip_char(&cursor, end, '+'); /* built from a working tree */
	if (serial < 0 || serial > 15 || !parse_build(cursor, end))
		return 0;
	version.major = (uint8_t)major;
	version.minor = (uint8_t)minor;
	version.micro = (uint8_t)micro;
	version.serial = (uint8_t)serial;
	return python_version_hex(&version);
}

static bool see_version_text(void *context, uint64_t address, const uint8_t *bytes, size_t size)
{
	uint32_t *version_hex = context;
	const char *text = (const char *)bytes;

	(void)address;
	for (size_t i = 0; i + 1 < size; i++) {
		size_t left = size - i < VERSION_TEXT_MAX ? size - i : VERSION_TEXT_MAX;

		/* '3' and '2' are rare beside a '.' */
		if (text[i + 1] != '.' || (text[i] != '3' && text[i] != '2'))
			continue;
		*version_hex = version_text_parse(text + i, left);
		if (*version_hex != 0)
			return true;
	}
	return false;
}

uint32_t scan_version_text(const struct remote_memory *memory, const struct scan_regions *regions)
{
	uint32_t version_hex = 0;

	scan_each(memory, regions, VERSION_TEXT_MAX + 1, see_version_text, &version_hex);
	return version_hex;
}

static bool see_cookie(void *context, uint64_t address, const uint8_t *bytes, size_t size)
{
	struct raddr *found = context;

	for (size_t i = 0; i + DEBUG_OFFSETS_HEAD_SIZE <= size; i += 8) {
		uint32_t version_hex;
		bool free_threaded;

		if (bytes[i] == 'x' &&
		    debug_offsets_head(bytes + i, size - i, &version_hex, &free_threaded) &&
		    (version_hex >> 24) == 3) {
			found->v = address + i;
			return true;
		}
	}
	return false;
}

struct raddr scan_cookie(const struct remote_memory *memory, const struct scan_regions *regions)
{
	struct raddr found = {0};

	scan_each(memory, regions, DEBUG_OFFSETS_HEAD_SIZE, see_cookie, &found);
	return found;
}

static bool is_pointer(uint64_t value)
{
	return value != 0 && value % 8 == 0 && value >= PAGE_BYTES && value < USER_ADDRESS_END;
}

struct runtime_search {
	const struct remote_memory *memory;
	const struct maps *maps;
	const struct layout *layout;
	bool same; /* before 3.11, first pass: only a head that is the main interpreter too */
	size_t checks;
	struct raddr found;
};

static bool is_data(const struct maps *maps, uint64_t value)
{
	const struct map_entry *entry = is_pointer(value) ? maps_find(maps, value) : NULL;

	return entry != NULL && (entry->permissions & MAP_WRITE) != 0;
}

/* interpreters.head and .main stand side by side, and are the same but for sub-interpreters. Two
 * equal pointers in a row are rare, two pointers are not: static objects are full of them.
 * From 3.11 on the main interpreter has its place in the runtime, which leaves little to chance.
 */
static bool see_runtime(void *context, uint64_t address, const uint8_t *bytes, size_t size)
{
	struct runtime_search *search = context;
	const struct layout_offsets *at = &search->layout->at;
	uint64_t pair[2];

	for (size_t i = 0; i + sizeof(pair) <= size; i += 8) {
		struct raddr start = {address + i - (uint64_t)at->runtime_interpreters_head};

		memcpy(pair, bytes + i, sizeof(pair));
		if (at->runtime_main_interpreter >= 0) {
			uint64_t low = start.v + (uint64_t)at->runtime_main_interpreter - DRIFT_MAX;

			if (pair[1] < low || pair[1] - low > 2 * DRIFT_MAX)
				continue;
		} else if ((pair[0] == pair[1]) != search->same) {
			continue;
		}
		if (!is_data(search->maps, pair[0]) || !is_data(search->maps, pair[1]))
			continue;
		if (search->checks++ == CHECKS_MAX)
			return true;
		if (runtime_check(search->memory, search->layout, start) == 0) {
			search->found = start;
			return true;
		}
	}
	return false;
}

struct raddr scan_runtime(const struct remote_memory *memory, const struct maps *maps,
			  const struct scan_regions *regions, const struct layout *layout)
{
	struct runtime_search search = {memory, maps, layout, true, 0, {0}};

	if (layout->at.runtime_interpreters_main != layout->at.runtime_interpreters_head + 8)
		return search.found;
	scan_each(memory, regions, 8, see_runtime, &search);
	search.same = false;
	if (search.found.v == 0 && layout->at.runtime_main_interpreter < 0)
		scan_each(memory, regions, 8, see_runtime, &search);
	return search.found;
}

static int read_word(const struct remote_memory *memory, uint64_t base, int32_t offset,
		     uint64_t *ret_value)
{
	return remote_read_u64(memory, (struct raddr){base + (uint64_t)offset}, ret_value);
}

/* The first threads of the list: linked both ways, and each of this interpreter. */
static int check_threads(const struct remote_memory *memory, const struct layout_offsets *at,
			 uint64_t interp, uint64_t tstate)
{
	uint64_t before = 0;

	for (int i = 0; i < THREADS_CHECKED_MAX && tstate != 0; i++) {
		uint64_t owner, prev, next;
		int code = is_pointer(tstate) ? 0 : -ERR_TORN;

		if (code == 0)
			code = read_word(memory, tstate, at->tstate_interp, &owner);
		if (code == 0)
			code = read_word(memory, tstate, at->tstate_prev, &prev);
		if (code == 0)
			code = read_word(memory, tstate, at->tstate_next, &next);
		if (code < 0)
			return code;
		/* Threads come and go while we read: only the first link has to be right. */
		if (owner != interp || prev != before)
			return i == 0 ? -ERR_TORN : 0;
		before = tstate;
		tstate = next;
	}
	return 0;
}

int runtime_check(const struct remote_memory *memory, const struct layout *layout,
		  struct raddr address)
{
	const struct layout_offsets *at = &layout->at;
	uint64_t head, interp, id, runtime, tstate;
	int code = read_word(memory, address.v, at->runtime_interpreters_head, &head);

	if (code == 0)
		code = read_word(memory, address.v, at->runtime_interpreters_main, &interp);
	if (code < 0)
		return code;
	if (head == 0 || interp == 0)
		return -ERR_TOO_LITTLE;
	if (!is_pointer(head) || !is_pointer(interp))
		return -ERR_TORN;
	code = read_word(memory, interp, at->interp_id, &id);
	if (code == 0)
		code = read_word(memory, interp, at->interp_threads_head, &tstate);
	if (code < 0)
		return code;
	if (id != 0)
		return -ERR_TORN;
	if (at->interp_runtime >= 0) {
		code = read_word(memory, interp, at->interp_runtime, &runtime);
		if (code < 0)
			return code;
		if (runtime != address.v)
			return runtime == 0 ? -ERR_TOO_LITTLE : -ERR_TORN;
	}
	if (tstate == 0)
		return -ERR_TOO_LITTLE;
	return check_threads(memory, at, interp, tstate);
}
