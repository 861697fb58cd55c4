/* What the fuzz targets of cpython/walk share: an input becomes the memory of a target.
 * Byte 0 chooses the version (8 + n % 8), the rest is cut into FUZZ_SEGMENTS pieces of one size at
 * fixed low addresses, FUZZ_STEP apart, so that mutated words hit them and miss them.
 */
#ifndef FUZZ_WALK_IMAGE_H
#define FUZZ_WALK_IMAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

#define FUZZ_SEGMENTS 4
#define FUZZ_STEP 0x1000u
#define FUZZ_FIRST 0x1000u

struct fuzz_image {
	struct remote_segment segments[FUZZ_SEGMENTS];
	struct remote_memory memory;
	const struct layout *layout;
};

/* False when the input is too short to be anything. */
static inline bool fuzz_image_init(struct fuzz_image *image, const uint8_t *data, size_t size)
{
	size_t piece = size > 0 ? (size - 1) / FUZZ_SEGMENTS / 8 * 8 : 0;

	if (piece == 0 || piece > FUZZ_STEP)
		return false;
	for (size_t i = 0; i < FUZZ_SEGMENTS; i++)
		image->segments[i] = (struct remote_segment){FUZZ_FIRST + i * FUZZ_STEP,
							     data + 1 + i * piece, piece};
	remote_memory_init_image(&image->memory, image->segments, FUZZ_SEGMENTS);
	image->layout = layout_for_minor(8 + data[0] % 8);
	return true;
}

/* What object.h promises of a text; a broken promise is a crash. */
static inline void fuzz_check_text(const char *text, size_t max_bytes)
{
	size_t size = strlen(text);
	uint32_t character;

	if (size > max_bytes)
		abort();
	for (size_t i = 0; i < size;) {
		i += utf8_decode((const uint8_t *)text + i, size - i, &character);
		if (character == UTF8_INVALID || character < 0x20 ||
		    (character >= 0x7f && character < 0xa0))
			abort();
	}
}

#endif
