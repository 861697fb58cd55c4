/* The table of mappings: hostile lines, hostile paths, and our own table as known truth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/maps.h"

static void parse(struct maps *maps, const char *text)
{
	maps_init(maps);
	assert_int_equal(maps_parse(maps, text, strlen(text), NULL), 0);
}

static void good_lines_give_every_field(void **state)
{
	struct maps maps;

	(void)state;
	parse(&maps, "555555554000-555555556000 r-xp 00002000 103:1f 77        /usr/bin/a b\n"
		     "7fff00000000-7fff00001000 -w-s 00000000 00:00 0 \n"
		     "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]\n");
	assert_int_equal(maps.count, 3);
	assert_int_equal(maps.malformed, 0);
	const struct map_entry *entry = &maps.entries[0];
	assert_true(entry->start == 0x555555554000 && entry->end == 0x555555556000);
	assert_int_equal(entry->offset, 0x2000);
	assert_int_equal(entry->device_major, 0x103);
	assert_int_equal(entry->device_minor, 0x1f);
	assert_int_equal(entry->inode, 77);
	assert_int_equal(entry->permissions, MAP_READ | MAP_EXECUTE);
	assert_string_equal(entry->path, "/usr/bin/a b");
	assert_true(map_entry_is_file(entry));
	assert_int_equal(maps.entries[1].permissions, MAP_WRITE | MAP_SHARE);
	assert_string_equal(maps.entries[1].path, "");
	assert_false(map_entry_is_file(&maps.entries[1]));
	assert_ptr_equal(maps_find(&maps, 0x555555555fff), entry);
	assert_null(maps_find(&maps, 0x555555556000));
	assert_null(maps_find(&maps, 0));
	assert_ptr_equal(maps_find(&maps, 0xffffffffff600000), &maps.entries[2]);
	maps_release(&maps);
	maps_release(&maps);
}

static void paths_are_decoded_as_the_kernel_encodes_them(void **state)
{
	static const struct {
		const char *written, *path;
		bool deleted;
	} cases[] = {
	    {"/a b", "/a b", false},
	    {"/a (deleted)", "/a", true},
	    {"/a (deleted) (deleted)", "/a (deleted)", true},
	    {"/line\\012end", "/line\nend", false},
	    {"/not\\040blank\\01", "/not\\040blank\\01", false},
	    {"/\\012\\012", "/\n\n", false},
	    {" (deleted)", "(deleted)", false},
	    {"/memfd:x (deleted)", "/memfd:x", true},
	    {"/\xff\xfe", "/\xff\xfe", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[256];
		struct maps maps;

		snprintf(line, sizeof(line), "1000-2000 r--p 00000000 08:01 7     %s\n",
			 cases[i].written);
		parse(&maps, line);
		assert_int_equal(maps.count, 1);
		assert_string_equal(maps.entries[0].path, cases[i].path);
		assert_int_equal(maps.entries[0].deleted, cases[i].deleted);
		maps_release(&maps);
	}
}

static void damaged_lines_are_counted_and_skipped(void **state)
{
	static const char *const damaged[] = {
	    "",
	    "\n",
	    "x\n",
	    "2000-1000 r--p 0 8:1 7 /a\n",
	    "1000-1000 r--p 0 8:1 7 /a\n",
	    "1000 r--p 0 8:1 7 /a\n",
	    "1000-2000 rq-p 0 8:1 7 /a\n",
	    "1000-2000 r--x 0 8:1 7 /a\n",
	    "1000-2000 r--p 0 81 7 /a\n",
	    "1000-2000 r--p 0 8:1 /a\n",
	    "1000-2000 r--p 0 8:1 7x\n",
	    "1000-2000 r--p 0 8:1 18446744073709551616 /a\n",
	    "10000000000000000-20000000000000000 r--p 0 8:1 7 /a\n",
	    "1000-2000 r--p 0 100000000:1 7 /a\n",
	    "1000-2000 r--p 0 8:1 7 /cut",
	    "1000-2000 r-",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		char text[256];
		struct maps maps;

		snprintf(text, sizeof(text), "500-600 r--p 0 8:1 7 /good\n%s", damaged[i]);
		parse(&maps, text);
		if (maps.count != 1 || maps.malformed != (damaged[i][0] ? 1 : 0))
			fail_msg("case %zu: %zu good, %zu malformed", i, maps.count,
				 maps.malformed);
		maps_release(&maps);
	}
}

static void overlapping_and_unordered_lines_are_refused(void **state)
{
	struct maps maps;

	(void)state;
	parse(&maps, "1000-3000 r--p 0 8:1 7 /a\n2000-4000 r--p 0 8:1 7 /a\n"
		     "500-600 r--p 0 8:1 7 /a\n3000-4000 r--p 0 8:1 7 /a\n");
	assert_int_equal(maps.count, 2);
	assert_int_equal(maps.malformed, 2);
	maps_release(&maps);
}

static void a_path_with_a_nul_is_malformed(void **state)
{
	static const char text[] = "1000-2000 r--p 0 8:1 7 /a\0b\n";
	struct maps maps;

	(void)state;
	maps_init(&maps);
	assert_int_equal(maps_parse(&maps, text, sizeof(text) - 1, NULL), 0);
	assert_int_equal(maps.count, 0);
	assert_int_equal(maps.malformed, 1);
	maps_release(&maps);
}

static void too_many_lines_are_cut_and_said(void **state)
{
	struct maps maps;
	size_t capacity = (size_t)(MAPS_MAX + 10) * 64, size = 0;
	char *text = malloc(capacity);

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < MAPS_MAX + 10; i++)
		size += (size_t)snprintf(text + size, capacity - size,
					 "%x000-%x000 r--p 0 8:1 7 /a\n", i + 1, i + 2);
	maps_init(&maps);
	assert_int_equal(maps_parse(&maps, text, size, NULL), 0);
	assert_int_equal(maps.count, MAPS_MAX);
	assert_true(maps.cut);
	maps_release(&maps);
	free(text);
}

static void every_failing_allocation_is_an_error(void **state)
{
	static const char text[] = "1000-2000 r--p 0 8:1 7 /a\n2000-3000 r--p 0 8:1 7 /b\n";
	bool worked = false;

	(void)state;
	for (long n = 0; n < 20 && !worked; n++) {
		struct maps maps;
		struct err err = {0};

		maps_init(&maps);
		mem_fail_after(n);
		int rc = maps_parse(&maps, text, sizeof(text) - 1, &err);
		mem_fail_after(-1);
		worked = rc == 0;
		if (worked)
			assert_int_equal(maps.count, 2);
		else
			assert_int_equal(rc, -ERR_MEMORY);
		maps_release(&maps);
	}
	assert_true(worked);
}

static void our_own_table_holds_what_we_mapped(void **state)
{
	char path[] = "/tmp/maps test\nXXXXXX";
	int fd = mkstemp(path);
	struct maps maps;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(fstat(fd, &st), 0);
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	assert_ptr_not_equal(at, MAP_FAILED);
	for (int deleted = 0; deleted < 2; deleted++) {
		maps_init(&maps);
		assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
		assert_int_equal(maps.malformed, 0);
		assert_false(maps.cut);
		const struct map_entry *entry = maps_find(&maps, (uintptr_t)at);
		assert_non_null(entry);
		assert_string_equal(entry->path, path);
		assert_int_equal(entry->deleted, deleted);
		assert_int_equal(entry->offset, 4096);
		assert_int_equal(entry->inode, st.st_ino);
		assert_int_equal(entry->permissions, MAP_READ);
		assert_non_null(maps_find(&maps, (uintptr_t)&maps)); /* the stack */
		maps_release(&maps);
		unlink(path);
	}
	munmap(at, 4096);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_lines_give_every_field),
	    cmocka_unit_test(paths_are_decoded_as_the_kernel_encodes_them),
	    cmocka_unit_test(damaged_lines_are_counted_and_skipped),
	    cmocka_unit_test(overlapping_and_unordered_lines_are_refused),
	    cmocka_unit_test(a_path_with_a_nul_is_malformed),
	    cmocka_unit_test(too_many_lines_are_cut_and_said),
	    cmocka_unit_test(every_failing_allocation_is_an_error),
	    cmocka_unit_test(our_own_table_holds_what_we_mapped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
