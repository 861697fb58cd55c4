/* layers: base,profile,recording
 * A whole recording from memory: whatever the bytes, the profile that comes back
 * holds together. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "profile/builder.h"
#include "recording/recording_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct profile *profile)
{
	for (uint32_t i = 1; i < profile->stack_count; i++) {
		if (profile->stacks[i].parent.v >= i || profile->stacks[i].frame.v == 0 ||
		    profile->stacks[i].frame.v >= profile->frame_count)
			abort();
	}
	for (uint32_t i = 1; i < profile->frame_count; i++) {
		if (profile->frames[i].function.v >= profile->function_count)
			abort();
	}
	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];

		if (sample->thread.v == 0 || sample->thread.v >= profile->thread_count ||
		    sample->stack.v >= profile->stack_count || sample->state >= STATE_COUNT)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recording_damage damage;
	struct profile *profile;

	if (size < 1)
		return 0;
	/* The last byte chooses the detail: the first ones are the file's header. */
	if (recording_read_bytes(data, size - 1,
				 data[size - 1] % 2 ? RECORDING_TIMELINE : RECORDING_AGGREGATED,
				 &profile, &damage, NULL) == 0) {
		check(profile);
		profile_free(profile);
	}
	return 0;
}
