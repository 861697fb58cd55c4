/* An ELF file that a process has mapped (or bytes in memory): where its sections and symbols
 * are. Opened through the target's own root and only if it is the very file that is mapped.
 * Everything in the file is untrusted: tables are bounded, a corrupted file is an error.
 * 64-bit little-endian files only. Addresses are the file's own until the load bias is
 * added. Not thread-safe; not for hot paths. */
#ifndef PROCESS_ELF_FILE_H
#define PROCESS_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct map_entry;
struct maps;

#define ELF_SECTIONS_MAX 65536
#define ELF_LOADS_MAX 64
#define ELF_SYMBOLS_MAX 8000000u
#define ELF_TABLE_MAX ((uint64_t)512 * 1024 * 1024) /* of one symbol or string table, bytes */
#define ELF_BUILD_ID_MAX 64

struct elf_load { /* a PT_LOAD segment */
	uint64_t address, size, file_size, offset;
	bool writable, executable;
};

struct elf_file {
	void *elf; /* libelf's */
	int fd;	   /* -1: bytes in memory */
	const uint8_t *bytes;
	uint64_t size;			      /* of the file or the bytes */
	struct elf_load loads[ELF_LOADS_MAX]; /* by address, as the file gives them */
	size_t load_count;
	uint64_t dynamic_offset, dynamic_size; /* PT_DYNAMIC; size 0: none */
	char opened_as[256];		       /* the path that was opened, for messages */
};

struct elf_range {
	uint64_t address, size;
};

enum elf_symbol_source { ELF_SYMBOL_SYMTAB = 1, ELF_SYMBOL_DYNSYM };
struct elf_symbol {
	uint64_t address, size;
	enum elf_symbol_source source;
};

/* The file behind one entry of the table of process `pid`: /proc/PID/map_files (needs
 * CAP_CHECKPOINT_RESTORE), then the path below /proc/PID/root, then the path as we see it,
 * then /proc/PID/exe. What isn't the mapped file by device and inode, or not a
 * regular file, is refused. -ERR_PERMISSION, -ERR_NO_PROCESS, -ERR_FILE. */
int elf_file_open_mapped(struct elf_file *file, pid_t pid, const struct map_entry *entry,
			 struct err *err);
int elf_file_open_path(struct elf_file *file, const char *path, struct err *err);
/* `bytes` stay the caller's and must outlive the file. */
int elf_file_open_memory(struct elf_file *file, const void *bytes, size_t size, struct err *err);
void elf_file_release(struct elf_file *file); /* may be called twice, and after a failed open */

/* These return 0, or -ERR_FILE where there is none (which is common: err may be NULL). */
int elf_file_section(const struct elf_file *file, const char *name, struct elf_range *ret_range,
		     struct err *err);
/* .symtab first, then the dynamic symbols, by .dynsym or, without section headers, by
 * PT_DYNAMIC. Defined symbols only. */
int elf_file_symbol(const struct elf_file *file, const char *name, struct elf_symbol *ret_symbol,
		    struct err *err);
/* Only one of the two tables. */
int elf_file_symbol_from(const struct elf_file *file, enum elf_symbol_source source,
			 const char *name, struct elf_symbol *ret_symbol, struct err *err);
int elf_file_build_id(const struct elf_file *file, uint8_t ret_id[ELF_BUILD_ID_MAX],
		      size_t *ret_size, struct err *err);

/* What to add to the file's addresses: the mapping of the same file as `entry` whose
 * neighbours fit the most PT_LOAD segments; -ERR_FILE when none fits. */
int elf_file_load_bias(const struct elf_file *file, const struct maps *maps,
		       const struct map_entry *entry, uint64_t *ret_bias, struct err *err);

#endif
