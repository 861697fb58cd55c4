/* What the probe of `imports` writes, and -X importtime: the program that is measured may write
 * anything in their place. What is accepted keeps its promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bench/imports.h"
#include "bench/imports_events.h"
#include "bench/imports_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check(const struct imports_result *result)
{
	for (size_t i = 0; i < result->record_count; i++) {
		const struct imports_record *record = &result->records[i];

		require(record->name != NULL);
		require(record->parent == IMPORTS_NONE || record->parent < i);
		require(record->self_ns <= record->total_ns);
	}
	for (size_t i = 0; i < result->work_count; i++)
		require(result->work[i].record < result->record_count);
	for (size_t i = 0; i < result->line_count; i++)
		require(result->lines[i].record < result->record_count);
	for (size_t i = 0; i < result->unused_count; i++)
		require(result->unused[i].record < result->record_count);
	for (size_t i = 0; i < result->fallback_count; i++)
		require(result->fallbacks[i].record < result->record_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imports_result result = {0};
	char *text = malloc(size + 1);

	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	arena_init(&result.arena, (size_t)64 << 20);
	if (imports_events_read(&result, text, size, 1000, NULL) == 0) {
		imports_importtime_read(&result, text, size);
		if (imports_judge(&result, NULL) == 0)
			check(&result);
	}
	imports_release(&result);
	free(text);
	return 0;
}
