/* Stacks of code objects that come, go and lie where others lay, with a sink that refuses when the
 * input says so. Checked: a key is announced before it is given, once; what was announced for it
 * has the depth and offsets of the stack; the leaf's code is the one that lies there now; a code
 * that can't be read is torn, never another's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "sampler/stack_source.h"

#define CODES 32u
#define CODE_STEP 512u
#define FIRST 0x200000ull
#define DEPTH_MAX 24u
#define ANNOUNCED_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	uint8_t image[CODES * CODE_STEP];
	struct remote_segment segment;
	struct remote_memory memory;
	bool refuse_code, refuse_stack;
	uint32_t last_code, last_stack;
	struct code_fingerprint fingerprints[ANNOUNCED_MAX];
	uint64_t addresses[ANNOUNCED_MAX];
	struct announced_stack {
		uint32_t depth, flags;
		struct keyed_frame leaf, root;
	} stacks[ANNOUNCED_MAX];
};

static bool take_code(void *context, const struct code_announcement *announcement)
{
	struct world *world = context;

	if (world->refuse_code)
		return false;
	if (announcement->code_key != world->last_code + 1 ||
	    announcement->code_key >= ANNOUNCED_MAX)
		abort();
	world->last_code = announcement->code_key;
	world->fingerprints[announcement->code_key] = announcement->fingerprint;
	world->addresses[announcement->code_key] = announcement->address;
	code_info_free(announcement->info);
	return true;
}

static bool take_stack(void *context, uint32_t key, const struct keyed_frame *frames,
		       uint32_t depth, uint32_t flags)
{
	struct world *world = context;

	if (world->refuse_stack)
		return false;
	if (key != world->last_stack + 1 || key >= ANNOUNCED_MAX)
		abort();
	world->last_stack = key;
	world->stacks[key] = (struct announced_stack){depth, flags, frames[0], frames[depth - 1]};
	for (uint32_t i = 0; i < depth; i++)
		if (frames[i].code_key > world->last_code)
			abort();
	return true;
}

static void check_frame(const struct world *world, const struct layout *layout,
			struct keyed_frame keyed, const struct raw_frame *raw, bool leaf)
{
	struct code_fingerprint_span span = code_fingerprint_span(layout);
	uint64_t at = raw->code - FIRST + (uint64_t)span.offset;
	struct code_fingerprint now;
	bool readable = raw->code >= FIRST && at + span.size <= sizeof(world->image);

	if (!raw->code || (leaf && !readable)) {
		if (keyed.code_key != 0)
			abort();
		return;
	}
	if (keyed.code_key == 0)
		return;
	if (keyed.offset != raw->offset || world->addresses[keyed.code_key] != raw->code)
		abort();
	if (!leaf)
		return;
	code_fingerprint_from_span(layout, world->image + at, &now);
	if (memcmp(&now, &world->fingerprints[keyed.code_key], sizeof(now)) != 0)
		abort();
}

static void intern(struct world *world, struct stack_source *source, const uint8_t *bytes,
		   uint32_t depth, uint64_t generation)
{
	struct raw_frame frames[DEPTH_MAX] = {0};
	uint32_t flags = bytes[0] & 3, key = 0;
	int result;

	for (uint32_t i = 0; i < depth; i++) {
		uint8_t which = bytes[i] % (CODES + 2); /* one torn, one not mapped */

		frames[i].code = which == CODES ? 0 : FIRST + which * (uint64_t)CODE_STEP;
		frames[i].offset = bytes[i] >> 6;
	}
	result = stack_source_intern(source, frames, depth, flags, generation, &key);
	if (result < 0) {
		if (result == -ERR_LIMIT && !world->refuse_code && !world->refuse_stack)
			abort();
		return;
	}
	if (key == 0 || key > world->last_stack || world->stacks[key].depth != depth ||
	    world->stacks[key].flags != flags)
		abort();
	check_frame(world, source->layout, world->stacks[key].leaf, &frames[0], true);
	check_frame(world, source->layout, world->stacks[key].root, &frames[depth - 1], depth == 1);
}

/* As stack_source_init left it; its tables are too large to make for each input. */
static void start_anew(struct stack_source *source, uint64_t seed)
{
	memset(source->codes, 0, source->code_capacity * sizeof(*source->codes));
	memset(source->stacks, 0, source->stack_capacity * sizeof(*source->stacks));
	source->code_count = source->stack_count = 0;
	source->next_code_key = source->next_stack_key = source->epoch = 1;
	source->turn = source->last_depth = 0;
	source->last_generation = source->reused = 0;
	source->seed = seed | 1;
	source->resolve_now = seed & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	static struct stack_source sources[8];
	struct stack_sink sink = {take_code, take_stack, &world};
	struct stack_source *source;
	uint64_t generation = 1;
	const struct layout *layout;

	if (size < 2)
		return 0;
	layout = layout_for_minor(8 + data[0] % 8);
	world.refuse_code = world.refuse_stack = false;
	world.last_code = world.last_stack = 0;
	for (size_t i = 0; i < sizeof(world.image); i += 8)
		memcpy(world.image + i, &(uint64_t){i * 0x9e3779b97f4a7c15ull}, 8);
	world.segment = (struct remote_segment){FIRST, world.image, sizeof(world.image)};
	remote_memory_init_image(&world.memory, &world.segment, 1);
	source = &sources[data[0] % 8];
	if (!source->codes && stack_source_init(source, &world.memory, layout, &sink, data[1]) < 0)
		abort();
	start_anew(source, data[1]);
	for (size_t i = 2; i + 3 < size && i < 4000;) {
		uint32_t depth = 1 + data[i + 1] % DEPTH_MAX;

		switch (data[i] & 7) {
		case 0: /* another code object at this address: the interpreter freed one */
			world.image[(data[i + 1] % CODES) * CODE_STEP + data[i + 2]] ^= 1;
			generation++;
			i += 3;
			break;
		case 1:
			world.refuse_code = data[i + 1] & 1;
			world.refuse_stack = data[i + 1] & 2;
			i += 2;
			break;
		default:
			if (i + 2 + depth > size)
				depth = (uint32_t)(size - i - 2);
			intern(&world, source, data + i + 2, depth,
			       layout->at.interp_code_generation >= 0 ? generation : UINT64_MAX);
			i += 2 + depth;
			break;
		}
	}
	return 0;
}
