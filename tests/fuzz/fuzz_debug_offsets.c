/* Any bytes as a _Py_DebugOffsets block: it is refused and the layout stays as it was, or it is
 * taken and then every field that was overridden lies inside its structure. The version is the
 * block's own, so that a corpus file is just a block. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cpython/layout/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(int64_t offset, int64_t width, int64_t size)
{
	if (offset < 0 || offset + width > size || (width != 0 && offset % width != 0))
		abort();
}

static void check_taken(const struct layout_offsets *at)
{
	inside(at->runtime_interpreters_head, 8, at->runtime_size);
	inside(at->runtime_interpreters_main, 8, at->runtime_size);
	inside(at->interp_threads_head, 8, at->interp_size);
	inside(at->interp_gc_collecting, 4, at->interp_size);
	inside(at->interp_gil_ptr, 8, at->interp_size);
	inside(at->tstate_current_frame, 8, at->tstate_size);
	inside(at->tstate_native_thread_id, 8, at->tstate_size);
	inside(at->tstate_datastack_chunk, 8, at->tstate_size);
	inside(at->tstate_datastack_top, 8, at->tstate_size);
	inside(at->tstate_datastack_limit, 8, at->tstate_size);
	/* What a sample reads in one piece stays small. */
	inside(at->frame_position, 8, 1 << 14);
	inside(at->frame_localsplus, 8, 1 << 14);
	inside(at->code_code, 8, 1 << 14);
	inside(at->tstate_size, 0, 1 << 14);
	inside(at->gil_locked, 4, 4 << 20);
	inside(at->object_type, 8, 4 << 20);
	inside(at->unicode_state, 4, 4 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layout layout, before;
	struct err err = {0};
	uint32_t version_hex = 0x030d00f0;
	bool free_threaded = false;

	if (debug_offsets_head(data, size, &version_hex, &free_threaded))
		version_hex &= 0x03FFFFFF; /* also a block whose version says another major */
	if (layout_for_version(version_hex, &layout, &err) < 0)
		return 0;
	before = layout;
	if (layout_apply_debug_offsets(&layout, data, size, &err) < 0) {
		if (err.code != ERR_NOT_PYTHON || memcmp(&layout, &before, sizeof(layout)) != 0)
			abort();
		return 0;
	}
	if (free_threaded || !layout.from_debug_offsets)
		abort();
	check_taken(&layout.at);
	return 0;
}
