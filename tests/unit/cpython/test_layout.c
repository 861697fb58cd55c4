/* The tables: which versions there are, what each has and has not, and that they say of well-known
 * structures what every release of that version does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cpython/layout/layout.h"

static void only_supported_minors_have_a_table(void **state)
{
	(void)state;
	for (int minor = -1; minor < 300; minor++) {
		const struct layout *table = layout_for_minor(minor);

		assert_int_equal(table != NULL, minor >= 8 && minor <= 15);
		if (table != NULL)
			assert_int_equal(table->version.minor, minor);
	}
}

/* What a kind promises is there. */
static void fields_fit_the_kinds(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		const struct layout *table = layout_for_minor(minor);
		const struct layout_offsets *at = &table->at;

		assert_int_equal(at->tstate_frame >= 0, table->frame_link == FRAME_LINK_HEAP);
		assert_int_equal(at->tstate_cframe >= 0, table->frame_link == FRAME_LINK_CFRAME);
		assert_int_equal(at->cframe_current_frame >= 0,
				 table->frame_link == FRAME_LINK_CFRAME);
		assert_int_equal(at->tstate_current_frame >= 0,
				 table->frame_link == FRAME_LINK_TSTATE);
		assert_int_equal(at->tstate_datastack_top >= 0,
				 table->frame_link != FRAME_LINK_HEAP);
		assert_int_equal(at->frame_valuestack >= 0, table->frame_link == FRAME_LINK_HEAP);
		assert_int_equal(at->frame_owner >= 0, table->frame_owner != OWNER_NONE);
		assert_int_equal(at->frame_is_entry >= 0, table->frame_owner == OWNER_311);
		assert_int_equal(at->code_qualname >= 0, table->code_storage == CODE_ADAPTIVE);
		assert_int_equal(at->code_exceptiontable >= 0,
				 table->line_table == LINE_TABLE_LOCATIONS);
		assert_int_equal(at->runtime_gil_locked >= 0, table->gil_in_runtime);
		assert_int_equal(at->interp_gil_ptr >= 0, !table->gil_in_runtime);
		assert_int_equal(at->runtime_gc_collecting >= 0, table->gc_in_runtime);
		assert_int_equal(at->interp_gc_collecting >= 0, !table->gc_in_runtime);
		assert_int_equal(at->tstate_base_frame >= 0, table->has_base_frame);
		assert_int_equal(at->unicode_ascii_size,
				 table->string_layout == STRING_LAYOUT_WSTR ? 48 : 40);
		assert_int_equal(at->dictkeys_size >= 0, at->dictkeys_log2_size < 0);
	}
}

/* -1 or inside the structure, and words aligned: a table that was cut or mixed up shows here. */
static void offsets_lie_inside_their_structures(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		const struct layout_offsets *at = &layout_for_minor(minor)->at;
		const struct {
			int32_t offset, width, size;
		} rows[] = {
		    {at->runtime_interpreters_head, 8, at->runtime_size},
		    {at->runtime_interpreters_main, 8, at->runtime_size},
		    {at->runtime_gil_locked, 4, at->runtime_size},
		    {at->interp_next, 8, at->interp_size},
		    {at->interp_threads_head, 8, at->interp_size},
		    {at->interp_modules, 8, at->interp_size},
		    {at->interp_gil_ptr, 8, at->interp_size},
		    {at->interp_gc_collecting, 4, at->interp_size},
		    {at->gil_locked, 4, at->gil_size},
		    {at->gil_last_holder, 8, at->gil_size},
		    {at->tstate_interp, 8, at->tstate_size},
		    {at->tstate_frame, 8, at->tstate_size},
		    {at->tstate_cframe, 8, at->tstate_size},
		    {at->tstate_current_frame, 8, at->tstate_size},
		    {at->tstate_thread_id, 8, at->tstate_size},
		    {at->tstate_native_thread_id, 8, at->tstate_size},
		    {at->tstate_datastack_top, 8, at->tstate_size},
		    {at->tstate_current_exception, 8, at->tstate_size},
		    {at->frame_back, 8, at->frame_size},
		    {at->frame_code, 8, at->frame_size},
		    {at->frame_position, 4, at->frame_size},
		    {at->code_name, 8, at->code_size},
		    {at->code_filename, 8, at->code_size},
		    {at->code_linetable, 8, at->code_size},
		    {at->code_firstlineno, 4, at->code_size},
		    {at->code_stacksize, 4, at->code_size},
		};

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (rows[i].offset == -1)
				continue;
			if (rows[i].offset < 0 || rows[i].offset + rows[i].width > rows[i].size ||
			    rows[i].offset % rows[i].width != 0)
				fail_msg("3.%d, row %zu: %d in %d", minor, i, rows[i].offset,
					 rows[i].size);
		}
	}
}

static void versions_are_read_and_written(void **state)
{
	static const struct {
		uint32_t hex;
		const char *text;
	} rows[] = {
	    {0x030812f0, "3.8.18"},   {0x030c01f0, "3.12.1"},	{0x030f00c2, "3.15.0rc2"},
	    {0x030f00a1, "3.15.0a1"}, {0x030e00b4, "3.14.0b4"}, {0x02071200 | 0xf0, "2.7.18"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct python_version version = python_version_of(rows[i].hex);
		char text[32];

		python_version_text(&version, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(python_version_hex(&version), rows[i].hex);
	}
}

static void other_versions_are_refused_by_name(void **state)
{
	static const struct {
		uint32_t hex;
		const char *named; /* NULL: taken */
	} rows[] = {
	    {0x030801f0, NULL},	    {0x030f02f0, NULL},	      {0x030f00c1, NULL},
	    {0x030710f0, "3.7.16"}, {0x020712f0, "2.7.18"},   {0x031000f0, "3.16.0"},
	    {0x040000f0, "4.0.0"},  {0x030f00a7, "3.15.0a7"}, {0x030e00b1, "3.14.0b1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct layout layout = {0};
		struct err err = {0};
		int code = layout_for_version(rows[i].hex, &layout, &err);

		if (rows[i].named == NULL) {
			assert_int_equal(code, 0);
			assert_int_equal(python_version_hex(&layout.version), rows[i].hex);
			continue;
		}
		assert_int_equal(code, -ERR_NOT_PYTHON);
		assert_non_null(strstr(err.what, rows[i].named));
		assert_true(err.next[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_supported_minors_have_a_table),
	    cmocka_unit_test(fields_fit_the_kinds),
	    cmocka_unit_test(offsets_lie_inside_their_structures),
	    cmocka_unit_test(versions_are_read_and_written),
	    cmocka_unit_test(other_versions_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
