/* ELF files: this program itself as known truth, the tiny files of the corpus, damage. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "process/elf_file.h"
#include "process/maps.h"

int known_variable[5] = {1};
int known_zeros[700];
static int known_static = 3;

static const struct map_entry *own_entry(const struct maps *maps, const void *address)
{
	const struct map_entry *entry = maps_find(maps, (uintptr_t)address);

	assert_non_null(entry);
	return entry;
}

static void our_own_symbols_are_where_they_are(void **state)
{
	struct maps maps;
	struct elf_file file;
	struct elf_symbol symbol;
	struct elf_range bss;
	uint64_t bias;
	uint8_t id[ELF_BUILD_ID_MAX];
	size_t id_size;

	(void)state;
	known_static++;
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	const struct map_entry *entry = own_entry(&maps, known_variable);
	assert_int_equal(elf_file_open_mapped(&file, getpid(), entry, NULL), 0);
	assert_int_equal(elf_file_load_bias(&file, &maps, entry, &bias, NULL), 0);
	assert_int_equal(elf_file_symbol(&file, "known_variable", &symbol, NULL), 0);
	assert_int_equal(symbol.source, ELF_SYMBOL_SYMTAB);
	assert_true(symbol.address + bias == (uintptr_t)known_variable);
	assert_true(symbol.size == sizeof(known_variable));
	assert_int_equal(elf_file_symbol(&file, "known_static", &symbol, NULL), 0);
	assert_true(symbol.address + bias == (uintptr_t)&known_static);
	assert_int_equal(elf_file_section(&file, ".bss", &bss, NULL), 0);
	assert_true(bss.address + bias <= (uintptr_t)known_zeros &&
		    (uintptr_t)(known_zeros + 700) <= bss.address + bias + bss.size);
	assert_int_equal(elf_file_symbol(&file, "no_such_symbol", &symbol, NULL), -ERR_FILE);
	assert_int_equal(elf_file_symbol(&file, "getpid", &symbol, NULL),
			 -ERR_FILE); /* undefined */
	if (elf_file_build_id(&file, id, &id_size, NULL) == 0)
		assert_true(id_size >= 8 && id_size <= ELF_BUILD_ID_MAX);
	elf_file_release(&file);
	elf_file_release(&file);
	maps_release(&maps);
}

static void a_shared_library_is_read_by_its_dynamic_symbols(void **state)
{
	struct maps maps;
	struct elf_file file;
	struct elf_symbol symbol;
	uint64_t bias;

	(void)state;
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	const struct map_entry *entry = own_entry(&maps, known_variable);
	for (size_t i = 0; i < maps.count; i++)
		if (strstr(maps.entries[i].path, "libcmocka"))
			entry = &maps.entries[i];
	assert_non_null(strstr(entry->path, "libcmocka"));
	assert_int_equal(elf_file_open_mapped(&file, getpid(), entry, NULL), 0);
	assert_int_equal(elf_file_load_bias(&file, &maps, entry, &bias, NULL), 0);
	assert_int_equal(elf_file_symbol_from(&file, ELF_SYMBOL_DYNSYM, "_fail", &symbol, NULL), 0);
	assert_true(symbol.address + bias == (uintptr_t)_fail);
	elf_file_release(&file);
	maps_release(&maps);
}

static const struct {
	const char *path;
	bool sections, symtab;
	bool dynamic;
} seeds[] = {
    {"tests/corpus/elf/exec.elf", true, true, false},
    {"tests/corpus/elf/pie.elf", true, true, false},
    {"tests/corpus/elf/shared_gnu.elf", true, true, true},
    {"tests/corpus/elf/shared_sysv.elf", true, true, true},
    {"tests/corpus/elf/stripped_symtab.elf", true, false, true},
    {"tests/corpus/elf/strip_gnu.elf", false, false, true},
    {"tests/corpus/elf/strip_sysv.elf", false, false, true},
};

static void symbols_are_found_with_and_without_section_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		struct elf_file file;
		struct elf_symbol symbol;
		struct elf_range range;
		uint64_t from_section = 0;
		const char *path = seeds[i].path;

		if (elf_file_open_path(&file, path, NULL) != 0)
			fail_msg("%s", path);
		int rc = elf_file_section(&file, ".PyRuntime", &range, NULL);
		assert_int_equal(rc, seeds[i].sections ? 0 : -ERR_FILE);
		if (rc == 0) {
			assert_int_equal(range.size, 64);
			from_section = range.address;
		}
		rc = elf_file_symbol_from(&file, ELF_SYMBOL_SYMTAB, "_PyRuntime", &symbol, NULL);
		if (rc != (seeds[i].symtab ? 0 : -ERR_FILE))
			fail_msg("%s: symtab %d", path, rc);
		rc = elf_file_symbol_from(&file, ELF_SYMBOL_DYNSYM, "_PyRuntime", &symbol, NULL);
		if (rc != (seeds[i].dynamic ? 0 : -ERR_FILE))
			fail_msg("%s: dynsym %d", path, rc);
		assert_int_equal(elf_file_symbol(&file, "_PyRuntime", &symbol, NULL), 0);
		assert_int_equal(symbol.size, 64);
		assert_true(from_section == 0 || symbol.address == from_section);
		assert_int_equal(elf_file_symbol(&file, "Py_Version", &symbol, NULL), 0);
		assert_int_equal(elf_file_symbol(&file, "_PyRuntim", &symbol, NULL), -ERR_FILE);
		elf_file_release(&file);
	}
}

static uint8_t *load(const char *path, size_t *ret_size)
{
	static uint8_t bytes[65536];
	FILE *stream = fopen(path, "rb");

	assert_non_null(stream);
	*ret_size = fread(bytes, 1, sizeof(bytes), stream);
	fclose(stream);
	return bytes;
}

static void cut_and_flipped_files_end_in_an_error_or_an_answer(void **state)
{
	size_t size, refused = 0;
	uint8_t *bytes = load("tests/corpus/elf/shared_gnu.elf", &size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		struct elf_file file;
		struct elf_symbol symbol;
		struct elf_range range;
		uint8_t *copy = malloc(size);
		size_t keep = i % 2 ? size : i;

		assert_non_null(copy);
		memcpy(copy, bytes, size);
		if (i % 2)
			copy[i] ^= 0xFF;
		if (elf_file_open_memory(&file, copy, keep, NULL) == 0) {
			elf_file_symbol(&file, "_PyRuntime", &symbol, NULL);
			elf_file_section(&file, ".PyRuntime", &range, NULL);
		} else {
			refused++;
		}
		elf_file_release(&file);
		free(copy);
	}
	assert_true(refused > 32); /* at least every file cut within its header */
}

static void what_is_not_elf_is_refused_with_a_reason(void **state)
{
	static const char *const paths[] = {"/dev/zero", "/proc/self/maps", "meson.build", "/",
					    "/no/such/file"};
	struct elf_file file;
	char fifo[] = "/tmp/elf_fifo_XXXXXX";

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct err err = {0};

		assert_true(elf_file_open_path(&file, paths[i], &err) < 0);
		assert_true(err.what[0] && err.why[0]);
		elf_file_release(&file);
	}
	assert_int_equal(elf_file_open_memory(&file, "", 0, NULL), -ERR_FILE);
	assert_non_null(mkdtemp(fifo));
	char path[64];
	snprintf(path, sizeof(path), "%s/fifo", fifo);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(20); /* opening it would block for ever */
	assert_true(elf_file_open_path(&file, path, NULL) < 0);
	alarm(0);
	unlink(path);
	rmdir(fifo);
}

/* Maps a copy of `seed` at `path` in a child that is stopped then. */
static pid_t child_with(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(path, O_RDONLY);
		if (fd < 0 || mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
			_exit(1);
		close(fd);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void copy_file(const char *from, const char *to)
{
	size_t size;
	uint8_t *bytes = load(from, &size);
	FILE *stream = fopen(to, "wb");

	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, size, stream), size);
	fclose(stream);
}

static const struct map_entry *entry_of(const struct maps *maps, const char *path)
{
	for (size_t i = 0; i < maps->count; i++)
		if (!strcmp(maps->entries[i].path, path))
			return &maps->entries[i];
	return NULL;
}

/* With the privilege for map_files the mapped file itself is found; without, an error tells. */
static void a_replaced_file_is_never_taken_for_the_mapped_one(void **state)
{
	char directory[] = "/tmp/elf_mapped_XXXXXX", path[64];
	struct maps maps;
	struct elf_file file;
	struct elf_symbol symbol;
	struct elf_range range;
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lib (deleted)", directory);
	copy_file("tests/corpus/elf/strip_gnu.elf", path);
	pid_t pid = child_with(path);
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, pid, NULL), 0);
	char shown[64];
	snprintf(shown, sizeof(shown), "%s/lib", directory); /* the suffix is the file's own */
	const struct map_entry *entry = entry_of(&maps, shown);
	assert_non_null(entry);
	assert_int_equal(elf_file_open_mapped(&file, pid, entry, NULL), 0);
	elf_file_release(&file);

	unlink(path);
	copy_file("tests/corpus/elf/exec.elf", path);
	maps_release(&maps);
	assert_int_equal(maps_read(&maps, pid, NULL), 0);
	snprintf(shown, sizeof(shown), "%s", path);
	entry = entry_of(&maps, shown);
	assert_non_null(entry);
	assert_true(entry->deleted);
	if (elf_file_open_mapped(&file, pid, entry, &err) == 0) {
		/* The file that was mapped has no sections; the one there now has. */
		assert_int_equal(elf_file_section(&file, ".PyRuntime", &range, NULL), -ERR_FILE);
		assert_int_equal(elf_file_symbol(&file, "_PyRuntime", &symbol, NULL), 0);
		elf_file_release(&file);
	} else {
		assert_non_null(strstr(err.why, "replaced"));
		assert_true(err.next[0]);
	}
	/* The same without privilege. */
	pid_t unprivileged = fork();
	if (unprivileged == 0) {
		struct err why = {0};
		if (getuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(2);
		_exit(elf_file_open_mapped(&file, pid, entry, &why) < 0 && why.why[0] ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(unprivileged, &status, 0), unprivileged);
	assert_int_equal(status, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	maps_release(&maps);
	unlink(path);
	rmdir(directory);
}

/* The kernel shows a chroot's paths from the reader's root. Needs root. */
static void a_file_inside_a_chroot_is_opened(void **state)
{
	char directory[] = "/tmp/elf_chroot_XXXXXX", path[64];
	struct maps maps;
	struct elf_file file;

	(void)state;
	if (getuid() != 0)
		skip();
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lib.so", directory);
	copy_file("tests/corpus/elf/shared_gnu.elf", path);
	pid_t pid = fork();
	if (pid == 0) {
		if (chroot(directory) < 0 || chdir("/") < 0)
			_exit(1);
		int fd = open("/lib.so", O_RDONLY);
		if (fd < 0 || mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
			_exit(1);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, pid, NULL), 0);
	const struct map_entry *entry = entry_of(&maps, path);
	if (!entry)
		entry = entry_of(&maps, "/lib.so");
	assert_non_null(entry);
	assert_int_equal(elf_file_open_mapped(&file, pid, entry, NULL), 0);
	elf_file_release(&file);
	maps_release(&maps);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	rmdir(directory);
}

static void the_bias_is_of_the_loaded_copy_not_of_a_reading_one(void **state)
{
	static const char text[] =
	    "100000000-100002000 r--p 00000000 08:01 7 /lib.so\n" /* mapped as data */
	    "200000000-200001000 r-xp 00000000 08:01 7 /lib.so\n"
	    "200001000-200002000 rw-p 00000000 08:01 7 /lib.so\n"
	    "300000000-300001000 r-xp 00000000 08:01 8 /other.so\n";
	struct maps maps;
	struct elf_file file;
	uint64_t bias = 0;

	(void)state;
	maps_init(&maps);
	assert_int_equal(maps_parse(&maps, text, sizeof(text) - 1, NULL), 0);
	assert_int_equal(elf_file_open_path(&file, "tests/corpus/elf/shared_gnu.elf", NULL), 0);
	assert_int_equal(elf_file_load_bias(&file, &maps, &maps.entries[0], &bias, NULL), 0);
	assert_true(bias == 0x200000000);
	maps.entries[3].offset = 0x9000;
	assert_int_equal(elf_file_load_bias(&file, &maps, &maps.entries[3], &bias, NULL),
			 -ERR_FILE);
	elf_file_release(&file);
	maps_release(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(our_own_symbols_are_where_they_are),
	    cmocka_unit_test(a_shared_library_is_read_by_its_dynamic_symbols),
	    cmocka_unit_test(symbols_are_found_with_and_without_section_headers),
	    cmocka_unit_test(cut_and_flipped_files_end_in_an_error_or_an_answer),
	    cmocka_unit_test(what_is_not_elf_is_refused_with_a_reason),
	    cmocka_unit_test(a_replaced_file_is_never_taken_for_the_mapped_one),
	    cmocka_unit_test(a_file_inside_a_chroot_is_opened),
	    cmocka_unit_test(the_bias_is_of_the_loaded_copy_not_of_a_reading_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
