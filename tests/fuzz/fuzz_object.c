/* Every reader of objects on the object at the start of the image. */
#include "base/arena.h"
#include "cpython/walk/object.h"
#include "fuzz_walk_image.h"

#define TEXT_MAX 300
#define ITEMS_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_item(void *context, struct raddr key, struct raddr value)
{
	size_t *count = context;

	if (key.v == 0 || value.v == 0 || ++*count > ITEMS_MAX)
		abort();
	return 0;
}

static void read_texts(const struct fuzz_image *image, struct raddr object)
{
	char name[TEXT_MAX], *text = NULL;
	uint8_t *bytes = NULL;
	size_t size;

	if (object_read_str(&image->memory, image->layout, object, TEXT_MAX, &text, NULL) == 0) {
		fuzz_check_text(text, TEXT_MAX);
		mem_free(text);
	}
	if (object_read_bytes(&image->memory, image->layout, object, TEXT_MAX, &bytes, &size,
			      NULL) == 0) {
		if (size > TEXT_MAX)
			abort();
		mem_free(bytes);
	}
	if (object_type_name(&image->memory, image->layout, object, name, sizeof(name)) == 0)
		fuzz_check_text(name, sizeof(name) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raddr object = {FUZZ_FIRST}, value;
	struct fuzz_image image;
	size_t count = 0;
	int64_t number;

	if (!fuzz_image_init(&image, data, size))
		return 0;
	read_texts(&image, object);
	object_read_int(&image.memory, image.layout, object, &number);
	object_dict_each(&image.memory, image.layout, object, ITEMS_MAX, count_item, &count);
	object_attribute(&image.memory, image.layout, object, "name", &value);
	object.v += 64; /* room for the words before an object with a managed dict */
	object_attribute(&image.memory, image.layout, object, "name", &value);
	return 0;
}
