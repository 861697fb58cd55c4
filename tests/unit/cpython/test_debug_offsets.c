/* _Py_DebugOffsets as untrusted input: the real blocks of three interpreters (tests/corpus) are
 * taken and agree with the generated tables; one word changed is refused by name, and nothing
 * changes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cpython/layout/layout.h"

struct block {
	uint8_t bytes[DEBUG_OFFSETS_SIZE_MAX];
	size_t size;
};

static const char *const files[16] = {
    [13] = "tests/corpus/debug_offsets/cpython-3.13.0.bin",
    [14] = "tests/corpus/debug_offsets/cpython-3.14.10.bin",
    [15] = "tests/corpus/debug_offsets/cpython-3.15.2.bin",
};

static void read_block(int minor, struct block *block)
{
	FILE *file = fopen(files[minor], "rb");

	assert_non_null(file);
	block->size = fread(block->bytes, 1, sizeof(block->bytes), file);
	fclose(file);
}

static int apply(int minor, const struct block *block, struct layout *layout, struct err *err)
{
	*layout = *layout_for_minor(minor);
	memset(err, 0, sizeof(*err));
	return layout_apply_debug_offsets(layout, block->bytes, block->size, err);
}

static void real_blocks_agree_with_the_tables(void **state)
{
	(void)state;
	for (int minor = 13; minor <= 15; minor++) {
		const struct layout *table = layout_for_minor(minor);
		struct layout layout;
		struct block block;
		struct err err;

		read_block(minor, &block);
		assert_int_equal(block.size, debug_offsets_size(table));
		assert_int_equal(apply(minor, &block, &layout, &err), 0);
		assert_true(layout.from_debug_offsets);
		/* Sizes of whole states differ from build to build; what is read in them may not.
		 */
		for (int i = 0; i < layout.difference_count; i++)
			assert_non_null(strstr(layout.differences[i].field, ".size"));
		layout.at.runtime_size = table->at.runtime_size;
		layout.at.interp_size = table->at.interp_size;
		assert_memory_equal(&layout.at, &table->at, sizeof(layout.at));
	}
}

/* Words by their place in the block: Include/internal/pycore_runtime.h (3.13),
 * pycore_debug_offsets.h (3.14, 3.15). */
static void one_wrong_word_is_refused_by_name(void **state)
{
	static const struct {
		int minor;
		size_t word;
		uint64_t value;
		const char *named; /* in why or what */
	} rows[] = {
	    {13, 0, 0, "cookie"},
	    {13, 8, 0x030c00f0, "3.12.0"},
	    {14, 8, 0x030f02f0, "3.15.2"},
	    {15, 8, UINT64_MAX, "cookie"},
	    {13, 16, 1, "free_threaded"},
	    {14, 16, UINT64_MAX, "free_threaded"},
	    {13, 24, 0, "runtime_state.size"},
	    {13, 24, (UINT64_C(4) << 20) + 8, "runtime_state.size"},
	    {13, 40, UINT64_MAX, "runtime_state.interpreters_head"},
	    {13, 40, 633, "runtime_state.interpreters_head"},
	    {13, 48, 64, "interpreter_state."},
	    {13, 80, 194968, "gc.collecting"},
	    {13, 136, 0, "gil_runtime_state_locked"},
	    {13, 152, 152, "thread_state."},
	    {13, 152, 1 << 20, "thread_state."},
	    {13, 184, 304, "thread_state.current_frame"},
	    {13, 184, UINT64_C(1) << 63, "thread_state.current_frame"},
	    {13, 208, 303, "thread_state.datastack_chunk"},
	    {13, 208, 296, "thread_state.datastack"},
	    {13, 224, 16, "interpreter_frame."},
	    {13, 248, 57, "interpreter_frame.instr_ptr"},
	    {15, 208, 888, "thread_state.current_frame"},
	    {15, 272, 38, "thread_state.holds_gil"},
	    {15, 448, 1 << 12, "code_object.co_code_adaptive"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct layout layout;
		struct block block;
		struct err err;

		read_block(rows[i].minor, &block);
		memcpy(block.bytes + rows[i].word, &rows[i].value, sizeof(rows[i].value));
		if (apply(rows[i].minor, &block, &layout, &err) != -ERR_NOT_PYTHON)
			fail_msg("row %zu was taken", i);
		if (strstr(err.why, rows[i].named) == NULL &&
		    strstr(err.what, rows[i].named) == NULL)
			fail_msg("row %zu: %s: %s", i, err.what, err.why);
		assert_true(err.next[0] != '\0');
		assert_memory_equal(&layout, layout_for_minor(rows[i].minor), sizeof(layout));
	}
}

static void a_cut_block_is_refused(void **state)
{
	(void)state;
	for (int minor = 13; minor <= 15; minor++) {
		struct layout layout;
		struct block block;
		struct err err;

		read_block(minor, &block);
		for (size_t whole = block.size; block.size > 0;) {
			block.size -= block.size > whole - 64 || block.size < 64 ? 1 : 32;
			assert_int_equal(apply(minor, &block, &layout, &err), -ERR_NOT_PYTHON);
		}
	}
}

static void a_version_without_a_block_takes_none(void **state)
{
	struct block block;

	(void)state;
	read_block(13, &block);
	for (int minor = 8; minor <= 12; minor++) {
		struct layout layout;
		struct err err;

		assert_int_equal(debug_offsets_size(layout_for_minor(minor)), 0);
		assert_int_equal(apply(minor, &block, &layout, &err), -ERR_NOT_PYTHON);
	}
}

/* A patch release that inserts a word into the thread state: what the block does not have moves
 * with what it has, and each change is noted. */
static void moved_fields_take_their_neighbours_along(void **state)
{
	const struct layout_offsets *table = &layout_for_minor(13)->at;
	struct layout layout;
	struct block block;
	struct err err;
	uint64_t value;

	(void)state;
	read_block(13, &block);
	value = (uint64_t)table->tstate_datastack_chunk + 8;
	memcpy(block.bytes + 208, &value, sizeof(value));
	assert_int_equal(apply(13, &block, &layout, &err), 0);
	assert_int_equal(layout.at.tstate_datastack_top, table->tstate_datastack_top + 8);
	assert_int_equal(layout.at.tstate_datastack_limit, table->tstate_datastack_limit + 8);
	assert_int_equal(layout.difference_count, 1);
	assert_string_equal(layout.differences[0].field, "thread_state.datastack_chunk");
	assert_int_equal(layout.differences[0].table, table->tstate_datastack_chunk);
	assert_int_equal(layout.differences[0].target, table->tstate_datastack_chunk + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(real_blocks_agree_with_the_tables),
	    cmocka_unit_test(one_wrong_word_is_refused_by_name),
	    cmocka_unit_test(a_cut_block_is_refused),
	    cmocka_unit_test(a_version_without_a_block_takes_none),
	    cmocka_unit_test(moved_fields_take_their_neighbours_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
