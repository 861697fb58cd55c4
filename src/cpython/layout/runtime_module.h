/* What one mapped file says about a Python interpreter inside it, without looking at any
 * process: kept by the file's identity, since the children of a program run the same few files.
 * Where things are in a process's memory is runtime_find's. */
#ifndef CPYTHON_LAYOUT_RUNTIME_MODULE_H
#define CPYTHON_LAYOUT_RUNTIME_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/elf_file.h"

struct err;
struct map_entry;
struct maps;

#define MODULE_LOADS_MAX 8 /* PT_LOADs kept; an interpreter has 4 or 5 */

/* Addresses are the file's own; add module_bias's. 0 = the file has none. */
struct module_facts {
	bool opened;		   /* the file could be read: otherwise nothing below is known */
	struct elf_range section;  /* .PyRuntime (3.11+) */
	struct elf_symbol runtime; /* _PyRuntime (3.7+) */
	uint64_t version_address;  /* Py_Version (3.11+): unsigned long, PY_VERSION_HEX */
	bool exports_python;	   /* Py_GetVersion: some CPython, even one before 3.7 */
	bool needs_libpython;	   /* a DT_NEEDED names a libpython */
	uint32_t version_hex;	   /* found earlier in a process that runs this file; 0: not yet */
	int8_t jit;		   /* -1 not looked yet, 0 no, 1 the JIT's switch is in there */
	struct elf_load loads[MODULE_LOADS_MAX];
	size_t load_count;
};

/* The facts of the file behind an entry of the process's table. Never fails: a file that can't be
 * opened has `opened` false. Thread-safe. Some 100 µs when the file is new, some µs after. */
void module_facts_read(pid_t pid, const struct map_entry *entry, struct module_facts *ret_facts);

/* Keeps what was learned in a process: the version. */
void module_facts_remember_version(pid_t pid, const struct map_entry *entry, uint32_t version_hex);

/* Was the interpreter built with the experimental JIT (3.13+)? Looks for the name of the
 * environment variable that switches it on; reads the file's constants once (some ms). */
bool module_has_jit(pid_t pid, const struct map_entry *entry);

/* What to add to the addresses of `facts`. false: not loaded as its headers say. */
bool module_bias(const struct module_facts *facts, const struct maps *maps,
		 const struct map_entry *entry, uint64_t *ret_bias);

#endif
