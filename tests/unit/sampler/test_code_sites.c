/* Which instructions can have a callee: bytecode in a memory image, for each kind of code object.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "sampler/code_sites.h"

#define CODE 0x10000ull
#define BYTES 0x20000ull

struct world {
	uint64_t code[128], bytes[16];
	struct remote_segment segments[2];
	struct remote_memory memory;
	struct code_sites sites;
	const struct layout *layout;
};

/* The opcode of a version that has this class and so many caches; one that hides others where
 * asked.
 */
static uint8_t opcode_with(const struct layout *layout, uint8_t class, uint8_t caches, bool hides)
{
	for (int i = 1; i < 256; i++)
		if (layout->opcodes[i] == (class | caches << OPCODE_CACHES_SHIFT |
					   (hides ? OPCODE_HIDES | OPCODE_RESUMES : 0)))
			return (uint8_t)i;
	fail_msg("3.%d has no opcode of class %d with %d caches", layout->version.minor, class,
		 caches);
	return 0;
}

static void world_start(struct world *world, int minor, const uint8_t *bytecode, uint32_t size)
{
	const struct layout_offsets *at;
	uint64_t units = size / 2, length = size, place = BYTES;

	memset(world, 0, sizeof(*world));
	world->layout = layout_for_minor(minor);
	at = &world->layout->at;
	if (world->layout->code_storage == CODE_ADAPTIVE) {
		memcpy((uint8_t *)world->code + at->varobject_size_field, &units, 8);
		memcpy((uint8_t *)world->code + at->code_code, bytecode, size);
	} else {
		memcpy((uint8_t *)world->code + at->code_code, &place, 8);
		memcpy((uint8_t *)world->bytes + at->varobject_size_field, &length, 8);
		memcpy((uint8_t *)world->bytes + at->bytes_data, bytecode, size);
	}
	world->segments[0] =
	    (struct remote_segment){CODE, (const uint8_t *)world->code, sizeof(world->code)};
	world->segments[1] =
	    (struct remote_segment){BYTES, (const uint8_t *)world->bytes, sizeof(world->bytes)};
	remote_memory_init_image(&world->memory, world->segments, 2);
	assert_int_equal(0, code_sites_init(&world->sites, &world->memory, world->layout));
}

static void calls_are_told_from_the_rest(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		uint8_t caches[] = {0, 0, 0, 4, 3, 3, 3, 3}; /* of CALL, by version */
		uint8_t units = caches[minor - 8];
		uint8_t bytecode[24] = {0};
		struct world world;
		int32_t after = 4 + 2 * units;

		bytecode[0] = opcode_with(layout_for_minor(minor), OPCODE_PURE, 0, false);
		bytecode[2] = opcode_with(layout_for_minor(minor), OPCODE_CALLS, units, false);
		bytecode[after] = opcode_with(layout_for_minor(minor), OPCODE_DROPS, 0, false);
		world_start(&world, minor, bytecode, (uint32_t)after + 2);
		assert_int_equal(OPCODE_PURE, code_sites_class(&world.sites, CODE, 0));
		assert_int_equal(OPCODE_CALLS, code_sites_class(&world.sites, CODE, 2));
		/* Up to 3.12 a caller stands on the last cache of its call. */
		assert_int_equal(OPCODE_CALLS, code_sites_class(&world.sites, CODE, after - 2));
		assert_int_equal(OPCODE_DROPS, code_sites_class(&world.sites, CODE, after));
		assert_int_equal(-1, code_sites_class(&world.sites, CODE, after + 2));
		assert_int_equal(-1, code_sites_class(&world.sites, CODE, -1));
		assert_int_equal(after + 2, code_sites_bytes(&world.sites, CODE));
		code_sites_release(&world.sites);
	}
}

static void what_hides_an_instruction_hides_the_rest(void **state)
{
	(void)state;
	for (int minor = 12; minor <= 15; minor++) {
		uint8_t bytecode[8] = {0};
		struct world world;

		bytecode[0] = opcode_with(layout_for_minor(minor), OPCODE_DROPS, 0, false);
		bytecode[2] = opcode_with(layout_for_minor(minor), OPCODE_CALLS, 0, true);
		world_start(&world, minor, bytecode, sizeof(bytecode));
		assert_int_equal(OPCODE_DROPS, code_sites_class(&world.sites, CODE, 0));
		for (int32_t offset = 2; offset < 8; offset += 2)
			assert_int_equal(-1, code_sites_class(&world.sites, CODE, offset));
		code_sites_release(&world.sites);
	}
}

static void another_code_object_at_the_address(void **state)
{
	uint8_t pure = opcode_with(layout_for_minor(13), OPCODE_PURE, 0, false);
	uint8_t drops = opcode_with(layout_for_minor(13), OPCODE_DROPS, 0, false);
	uint8_t bytecode[4] = {pure, 0, pure, 0};
	struct world world;

	(void)state;
	world_start(&world, 13, bytecode, sizeof(bytecode));
	assert_int_equal(OPCODE_PURE, code_sites_class(&world.sites, CODE, 2));
	((uint8_t *)world.code)[world.layout->at.code_code + 2] = drops;
	assert_int_equal(OPCODE_PURE, code_sites_class(&world.sites, CODE, 2)); /* kept */
	code_sites_forget(&world.sites, CODE);
	assert_int_equal(OPCODE_DROPS, code_sites_class(&world.sites, CODE, 2));
	code_sites_release(&world.sites);
}

static void garbage_is_unknown(void **state)
{
	uint8_t bytecode[4] = {1, 0, 1, 0};

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		uint64_t huge = UINT64_MAX;

		world_start(&world, minor, bytecode, sizeof(bytecode));
		assert_int_equal(-1, code_sites_class(&world.sites, 0x999000, 0));
		assert_int_equal(0, code_sites_bytes(&world.sites, 0x999000));
		memcpy((uint8_t *)world.code + world.layout->at.varobject_size_field, &huge, 8);
		memcpy((uint8_t *)world.bytes + world.layout->at.varobject_size_field, &huge, 8);
		assert_int_equal(-1, code_sites_class(&world.sites, CODE, 0));
		code_sites_release(&world.sites);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_are_told_from_the_rest),
	    cmocka_unit_test(what_hides_an_instruction_hides_the_rest),
	    cmocka_unit_test(another_code_object_at_the_address),
	    cmocka_unit_test(garbage_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
