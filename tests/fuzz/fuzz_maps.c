/* /proc/PID/maps as a hostile process could shape it (paths are its own). What must hold for
 * every input: entries sorted, disjoint, found again by address; every line accounted for. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maps maps;
	size_t lines = 0;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	lines += size > 0 && data[size - 1] != '\n';
	maps_init(&maps);
	require(maps_parse(&maps, (const char *)data, size, NULL) == 0);
	require(maps.cut || maps.count + maps.malformed == lines);
	for (size_t i = 0; i < maps.count; i++) {
		const struct map_entry *entry = &maps.entries[i];

		require(entry->start < entry->end);
		require(i == 0 || maps.entries[i - 1].end <= entry->start);
		require(maps_find(&maps, entry->start) == entry);
		require(maps_find(&maps, entry->end - 1) == entry);
		require(strlen(entry->path) <= size);
		require(!map_entry_is_file(entry) || entry->path[0] == '/');
	}
	require(maps.count == 0 || maps.entries[0].start == 0 ||
		!maps_find(&maps, maps.entries[0].start - 1));
	maps_release(&maps);
	return 0;
}
