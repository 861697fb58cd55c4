/* A damaged or hostile ELF file: every question is asked, twice, and answered the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/elf_file.h"
#include "process/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void ask_symbols(const struct elf_file *file)
{
	static const char *const names[] = {"_PyRuntime", "Py_Version", "", "main"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct elf_symbol first, second;
		int rc = elf_file_symbol(file, names[i], &first, NULL);

		require(rc == elf_file_symbol(file, names[i], &second, NULL));
		require(rc != 0 || (first.address == second.address && first.address != 0));
		elf_file_symbol_from(file, ELF_SYMBOL_DYNSYM, names[i], &first, NULL);
	}
}

static void ask_sections(const struct elf_file *file)
{
	static const char *const names[] = {".PyRuntime", ".bss", ".data", ""};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct elf_range range;

		if (elf_file_section(file, names[i], &range, NULL) == 0)
			require(range.address + range.size >= range.address);
	}
}

static void ask_bias(const struct elf_file *file)
{
	static const char text[] =
	    "555555554000-555555556000 r--p 00000000 08:01 77 /usr/bin/python3\n"
	    "555555556000-555555558000 r-xp 00001000 08:01 77 /usr/bin/python3\n"
	    "555555558000-55555555a000 rw-p 00002000 08:01 77 /usr/bin/python3\n";
	struct maps maps;
	uint64_t bias;

	maps_init(&maps);
	require(maps_parse(&maps, text, sizeof(text) - 1, NULL) == 0 && maps.count == 3);
	elf_file_load_bias(file, &maps, &maps.entries[1], &bias, NULL);
	maps_release(&maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file file;
	uint8_t id[ELF_BUILD_ID_MAX];
	size_t id_size = 0;

	if (elf_file_open_memory(&file, data, size, NULL) == 0) {
		require(file.load_count > 0 && file.load_count <= ELF_LOADS_MAX);
		ask_sections(&file);
		ask_symbols(&file);
		if (elf_file_build_id(&file, id, &id_size, NULL) == 0)
			require(id_size > 0 && id_size <= ELF_BUILD_ID_MAX);
		ask_bias(&file);
	}
	elf_file_release(&file);
	return 0;
}
