/* layers: base,profile,recording
 * The decoder of a block of samples: byte 0 even = the stored form (zstd inside),
 * odd = the decompressed one, which zstd's checks would else keep from the fuzzer. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "recording/sample_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample_block_codec codec;
	int code;

	if (size == 0)
		return 0;
	sample_block_init(&codec);
	code = data[0] & 1 ? sample_block_decode_raw(&codec, data + 1, size - 1, NULL)
			   : sample_block_decode(&codec, data + 1, size - 1, NULL);
	if (code == 0) {
		uint64_t last = 0;

		if (codec.sample_count == 0 || codec.sample_count > SAMPLE_BLOCK_SAMPLES_MAX)
			abort();
		for (size_t i = 0; i < codec.sample_count; i++) {
			if (codec.samples[i].time_ns < last ||
			    codec.samples[i].state >= STATE_COUNT || codec.samples[i].count == 0)
				abort();
			last = codec.samples[i].time_ns;
		}
	}
	sample_block_release(&codec);
	return 0;
}
