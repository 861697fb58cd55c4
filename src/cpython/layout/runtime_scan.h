/* The last rung: looking for an interpreter in a module's writable memory, where the file has no
 * section, no symbol, or can't be opened. And Python's own version text, which every
 * version writes there when it starts. All that is read is checked. Not for hot paths. */
#ifndef CPYTHON_LAYOUT_RUNTIME_SCAN_H
#define CPYTHON_LAYOUT_RUNTIME_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

struct err;
struct map_entry;
struct maps;

#define SCAN_REGIONS_MAX 16
#define SCAN_BYTES_MAX ((uint64_t)16 << 20) /* of one module; CPython has below 2 MiB */

struct scan_region {
	uint64_t start, end;
};
struct scan_regions {
	struct scan_region items[SCAN_REGIONS_MAX];
	size_t count;
};

/* The writable mappings of the file of `entry` and the anonymous one that follows (.bss). */
void scan_regions_of(const struct maps *maps, const struct map_entry *entry,
		     struct scan_regions *ret_regions);

/* The text of Py_GetVersion (Python/getversion.c): "3.8.18 (default, Jan  1 2024, 10:00:00)
 * \n[GCC…". Pure: at the start of `text`? The version as PY_VERSION_HEX, 0 if not. */
uint32_t version_text_parse(const char *text, size_t size);
/* Where in the regions it stands; 0 where it doesn't (yet). */
uint32_t scan_version_text(const struct remote_memory *memory, const struct scan_regions *regions);

/* The cookie of _Py_DebugOffsets (3.13+): its address, or 0. */
struct raddr scan_cookie(const struct remote_memory *memory, const struct scan_regions *regions);

/* The address of which runtime_check says yes, or 0. */
struct raddr scan_runtime(const struct remote_memory *memory, const struct maps *maps,
			  const struct scan_regions *regions, const struct layout *layout);

/* Is there a _PyRuntime of this layout at `address`, with a main interpreter whose threads point
 * back to it? 0; -ERR_TOO_LITTLE: nothing there yet; -ERR_TORN: no; and what reading says. */
int runtime_check(const struct remote_memory *memory, const struct layout *layout,
		  struct raddr address);

#endif
