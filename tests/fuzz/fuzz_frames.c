/* Frame chains in an image that changes between readings: an input is a program of small steps
 * (put a frame, a chunk, a word, unmap a page, walk). What is checked besides memory safety: the
 * bounds that frames.h promises, and that a prediction never changes the answer — a walk that was
 * predicted by the readings before equals one that knew nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cpython/walk/frames.h"

#define PAGES 16u
#define PAGE 4096u
#define IMAGE_BYTES (PAGES * PAGE)
#define WORDS (IMAGE_BYTES / 8)
#define FIRST 0x100000ull
#define STEPS_MAX 512u
#define WALKS_MAX 8u
#define CAPACITY_MAX 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct machine {
	const struct layout *layout;
	struct remote_memory memory;
	struct remote_segment segments[PAGES];
	uint8_t image[IMAGE_BYTES];
	uint32_t unmapped; /* a bit for each page */
	struct stack_reader reader;
	struct stack_prediction prediction, none;
	struct raw_frame frames[CAPACITY_MAX], fresh[CAPACITY_MAX];
};

struct input {
	const uint8_t *bytes;
	size_t left;
};

static uint8_t take8(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->bytes++;
}

static uint16_t take16(struct input *input)
{
	uint16_t low = take8(input);

	return (uint16_t)(low | take8(input) << 8);
}

static uint64_t take_address(struct input *input)
{
	return FIRST + 8ull * (take16(input) % WORDS);
}

static void put(struct machine *machine, uint64_t address, const void *bytes, size_t size)
{
	uint64_t at = address - FIRST;

	if (at < IMAGE_BYTES && size <= IMAGE_BYTES - at)
		memcpy(machine->image + at, bytes, size);
}

static void put_word(struct machine *machine, uint64_t address, int32_t offset, uint64_t word)
{
	if (offset >= 0)
		put(machine, address + (uint64_t)offset, &word, sizeof(word));
}

static void map(struct machine *machine)
{
	size_t count = 0;

	for (uint32_t page = 0; page < PAGES; page++)
		if (!(machine->unmapped >> page & 1))
			machine->segments[count++] = (struct remote_segment){
			    FIRST + page * PAGE, machine->image + page * PAGE, PAGE};
	remote_memory_init_image(&machine->memory, machine->segments, count);
}

static void put_frame(struct machine *machine, struct input *input)
{
	const struct layout_offsets *at = &machine->layout->at;
	uint64_t frame = take_address(input), back = take_address(input);
	uint64_t code = take_address(input), step = take8(input), position;
	uint8_t owner = take8(input);

	if (step & 0x80)
		back = 0; /* the root of a stack */
	step &= 0x7f;
	put_word(machine, frame, at->frame_back, back);
	put_word(machine, frame, at->frame_code,
		 code | (machine->layout->executable_tagged & step));
	position = code + (uint64_t)at->code_code + 2 * step;
	if (machine->layout->frame_position == POSITION_LASTI_BYTES ||
	    machine->layout->frame_position == POSITION_LASTI_UNITS)
		put(machine, frame + (uint64_t)at->frame_position, &(int32_t){(int32_t)step - 1},
		    4);
	else
		put_word(machine, frame, at->frame_position, position);
	if (at->frame_owner >= 0)
		put(machine, frame + (uint64_t)at->frame_owner, &(uint8_t){owner & 7}, 1);
}

static void put_tstate(struct machine *machine, struct input *input)
{
	const struct layout_offsets *at = &machine->layout->at;
	uint64_t frame = take_address(input), chunk = take_address(input);

	put_word(machine, FIRST, at->tstate_frame, frame);
	put_word(machine, FIRST, at->tstate_current_frame, frame);
	put_word(machine, FIRST, at->tstate_datastack_chunk, chunk);
	put_word(machine, FIRST, at->tstate_datastack_top, take_address(input));
	if (at->tstate_cframe >= 0) {
		uint64_t cframe = take_address(input);

		put_word(machine, FIRST, at->tstate_cframe, cframe);
		put_word(machine, cframe, at->cframe_current_frame, frame);
	}
}

static void check_frames(const struct raw_frame *frames, int depth, uint32_t capacity,
			 uint32_t flags, bool runs)
{
	uint32_t possible = STACK_TORN | STACK_TRUNCATED | (runs ? STACK_RECALLED : 0);

	if (depth > (int)capacity || flags & ~possible)
		abort();
	for (int i = 0; i < depth; i++)
		if (frames[i].code & 7 || frames[i].address & 7 || frames[i].offset < -1 ||
		    (!frames[i].code && !runs))
			abort();
}

static int walk_once(struct machine *machine, struct stack_prediction *prediction,
		     struct raw_frame *frames, uint32_t capacity, uint32_t *flags)
{
	int fetched = stack_reader_fetch(&machine->reader, FIRST, prediction, NULL, 0), depth;

	*flags = 0;
	if (fetched < 0)
		return fetched;
	depth = stack_reader_walk(&machine->reader, prediction, frames, capacity, flags);
	check_frames(frames, depth, capacity, *flags, machine->reader.target_runs);
	if (prediction->count > FRAMES_PREDICTED_MAX)
		abort();
	return depth;
}

static bool same_frames(const struct raw_frame *a, const struct raw_frame *b, int depth)
{
	for (int i = 0; i < depth; i++)
		if (a[i].code != b[i].code || a[i].address != b[i].address ||
		    a[i].offset != b[i].offset || a[i].flags != b[i].flags)
			return false;
	return true;
}

static void walk_twice(struct machine *machine, uint32_t capacity)
{
	uint32_t flags, fresh_flags;
	int depth, fresh;

	map(machine);
	depth = walk_once(machine, &machine->prediction, machine->frames, capacity, &flags);
	if (machine->reader.target_runs)
		return; /* links are recalled from one reading to the next */
	machine->none.count = 0;
	machine->none.cframe = 0;
	fresh = walk_once(machine, &machine->none, machine->fresh, capacity, &fresh_flags);
	if (depth != fresh || flags != fresh_flags ||
	    !same_frames(machine->frames, machine->fresh, depth))
		abort();
}

static void step(struct machine *machine, struct input *input, uint32_t *walks)
{
	const struct layout_offsets *at = &machine->layout->at;
	uint64_t address;

	switch (take8(input) & 7) {
	case 0:
	case 1:
		put_frame(machine, input);
		break;
	case 2:
		put_tstate(machine, input);
		break;
	case 3:
		address = take_address(input);
		put_word(machine, address, at->chunk_previous, take_address(input) & ~4ull);
		put_word(machine, address, at->chunk_size, 8ull * (take16(input) % WORDS));
		break;
	case 4: /* the bottom chunk, or any word */
		address = take_address(input);
		put_word(machine, address, 0, (uint64_t)(int8_t)take8(input));
		break;
	case 5:
		address = take_address(input);
		put_word(machine, address, 0, take_address(input) | (take8(input) & 7));
		break;
	case 6:
		machine->unmapped ^= 1u << (take8(input) % PAGES);
		break;
	default:
		if ((*walks)++ < WALKS_MAX)
			walk_twice(machine, 1u + take8(input) % CAPACITY_MAX);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine *machines[8]; /* a reader's buffers are too large to make each time */
	struct input input = {data, size};
	struct machine *machine;
	uint32_t version, walks = 0;
	bool runs;

	version = take8(&input);
	runs = version & 0x80;
	version %= 8;
	machine = machines[version];
	if (!machine) {
		machine = machines[version] = mem_zalloc(1, sizeof(*machine));
		if (!machine)
			abort();
		machine->layout = layout_for_minor(8 + (int)version);
		if (stack_reader_init(&machine->reader, &machine->memory, machine->layout) < 0)
			abort();
	}
	memset(machine->image, 0, sizeof(machine->image));
	memset(machine->reader.recalled, 0, sizeof(machine->reader.recalled));
	machine->reader.target_runs = runs;
	machine->unmapped = 0;
	machine->prediction.count = 0;
	machine->prediction.cframe = 0;
	for (uint32_t i = 0; i < STEPS_MAX && input.left; i++)
		step(machine, &input, &walks);
	walk_twice(machine, CAPACITY_MAX);
	return 0;
}
