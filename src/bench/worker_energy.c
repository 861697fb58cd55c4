#include "bench/worker_energy.h"

#include <math.h>
#include <stdio.h>

#include "process/proc_text.h"

static int read_zone(size_t zone, const char *file, uint64_t *ret_value)
{
	char path[96], text[32];
	struct proc_cursor cursor;
	size_t size;

	snprintf(path, sizeof(path), "/sys/class/powercap/intel-rapl:%zu/%s", zone, file);
	if (proc_read_file(path, text, sizeof(text), &size, NULL) < 0)
		return -1;
	cursor = (struct proc_cursor){text, text + size};
	return proc_take_u64(&cursor, ret_value) ? 0 : -1;
}

void energy_read(struct energy_reading *ret_reading)
{
	struct energy_reading reading = {.zone_count = 0};
	size_t zone;

	while ((zone = reading.zone_count) < ENERGY_ZONES_MAX &&
	       read_zone(zone, "energy_uj", &reading.energy_uj[zone]) == 0 &&
	       read_zone(zone, "max_energy_range_uj", &reading.range_uj[zone]) == 0)
		reading.zone_count++;
	*ret_reading = reading;
}

double energy_between_j(const struct energy_reading *before, const struct energy_reading *after)
{
	double joules = 0;

	if (before->zone_count == 0 || before->zone_count != after->zone_count)
		return NAN;
	for (size_t i = 0; i < after->zone_count; i++) {
		uint64_t from = before->energy_uj[i], to = after->energy_uj[i];

		if (to < from && from > after->range_uj[i])
			return NAN;
		joules += 1e-6 * (double)(to >= from ? to - from : to + after->range_uj[i] - from);
	}
	return joules;
}
