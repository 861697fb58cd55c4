/* The code object at the start of the image, and all its locations. */
#include "cpython/walk/code.h"
#include "fuzz_walk_image.h"

#define OFFSETS_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct code_location location;
	struct code_info *info = NULL;
	struct fuzz_image image;

	if (!fuzz_image_init(&image, data, size))
		return 0;
	if (code_info_read(&image.memory, image.layout, (struct raddr){FUZZ_FIRST}, &info, NULL))
		return 0;
	fuzz_check_text(info->name, CODE_NAME_MAX);
	fuzz_check_text(info->file, CODE_NAME_MAX);
	if (info->code_size > CODE_BYTES_MAX || info->line_table_size > CODE_LINE_TABLE_MAX)
		abort();
	for (int64_t offset = -2; offset < OFFSETS_MAX; offset++) {
		bool found = code_location_at(info, image.layout->line_table, offset, &location);

		if (found && offset != -1 && (offset < 0 || offset >= info->code_size))
			abort();
		if (location.line < 0 || (!found && location.line != 0))
			abort();
	}
	code_info_free(info);
	return 0;
}
