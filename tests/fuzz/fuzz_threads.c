/* A runtime at the start of the image: its lists of threads, and their names. The interpreter's
 * fields, thousands of bytes apart in life, are moved together so that inputs stay small. */
#include "base/arena.h"
#include "cpython/walk/threads.h"
#include "fuzz_walk_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_name(void *context, uint64_t ident, const char *name)
{
	size_t *count = context;

	if (ident == 0 || ++*count > THREADS_MAX * 2)
		abort();
	fuzz_check_text(name, THREAD_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct python_thread *threads = NULL;
	struct runtime runtime = {.address = {FUZZ_FIRST}};
	struct fuzz_image image;
	size_t count = 0, names = 0;

	if (!fuzz_image_init(&image, data, size))
		return 0;
	runtime.layout = *image.layout;
	runtime.layout.at.runtime_interpreters_head = 0;
	runtime.layout.at.runtime_interpreters_main = 8;
	runtime.layout.at.interp_next = 0;
	runtime.layout.at.interp_id = 8;
	runtime.layout.at.interp_threads_head = 16;
	runtime.layout.at.interp_modules = 24;
	if (python_threads_list(&image.memory, &runtime, &threads, &count, NULL) == 0) {
		if (count > THREADS_MAX)
			abort();
		for (size_t i = 0; i < count; i++) /* a circle would list one twice */
			for (size_t j = i + 1; j < count; j++)
				if (threads[i].tstate.v == threads[j].tstate.v)
					abort();
		mem_free(threads);
	}
	python_thread_names(&image.memory, &runtime, take_name, &names, NULL);
	return 0;
}
