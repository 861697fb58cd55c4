/* See recording_file.h. Sources of the signatures: SQLite's "Database File
 * Format", RFC 1952 (gzip), RFC 8878 (zstd), the ELF and ZIP specifications. */
#include "recording/recording_file.h"

#include <string.h>

#include "recording/schema.h"

struct signature {
	const char *bytes;
	size_t size;
	const char *kind;
};

static const struct signature signatures[] = {
    {"\x1f\x8b", 2, "a gzip file (a pprof profile, perhaps)"},
    {"\x28\xb5\x2f\xfd", 4, "a zstd file"},
    {"BZh", 3, "a bzip2 file"},
    {"\xfd"
     "7zXZ",
     5, "an xz file"},
    {"PK\x03\x04", 4, "a zip file"},
    {"\x7f"
     "ELF",
     4, "an ELF program or library"},
    {"PERFILE2", 8, "a recording of Linux perf"},
    {"%PDF", 4, "a PDF file"},
    {"#!", 2, "a script"},
};

uint32_t recording_big_endian32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

uint32_t recording_page_size(const uint8_t *head)
{
	uint32_t size = (uint32_t)head[16] << 8 | head[17];

	if (size == 1)
		size = 65536;
	return size >= 512 && (size & (size - 1)) == 0 ? size : 0;
}

static const char *kind_of_text(const uint8_t *head, size_t size)
{
	size_t start = 0;

	for (size_t i = 0; i < size; i++) {
		if (head[i] == 0x7f || (head[i] < 0x20 && !strchr("\t\n\r\f", head[i])) ||
		    head[i] == 0)
			return "an unknown kind of binary file";
	}
	while (start < size && strchr(" \t\r\n", head[start]))
		start++;
	if (start < size && (head[start] == '{' || head[start] == '['))
		return "a JSON file";
	if (start < size && head[start] == '<')
		return "an HTML or XML file";
	return "a text file";
}

const char *recording_other_kind(const uint8_t *head, size_t size)
{
	static const char sqlite[16] = "SQLite format 3";

	if (size == 0)
		return "an empty file";
	if (size >= sizeof(sqlite) && memcmp(head, sqlite, sizeof(sqlite)) == 0) {
		if (size < RECORDING_HEAD_BYTES)
			return "a SQLite file cut within its header";
		if (recording_big_endian32(head + 68) != RECORDING_APPLICATION_ID)
			return "a SQLite database of another program";
		return NULL;
	}
	if (size < sizeof(sqlite) && memcmp(head, sqlite, size) == 0)
		return "a SQLite file cut within its header";
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		if (size >= signatures[i].size &&
		    memcmp(head, signatures[i].bytes, signatures[i].size) == 0)
			return signatures[i].kind;
	}
	return kind_of_text(head, size);
}
