/* The ladder that finds an interpreter in a process: see runtime_find.h. One rung gives candidates
 * (a place, in a module); each is examined in the same way, and the first that holds an
 * interpreter wins. Of those that don't, the reason that tells most is kept. */
#include "cpython/layout/runtime_find.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/layout/runtime_module.h"
#include "cpython/layout/runtime_scan.h"
#include "process/maps.h"
#include "process/process.h"

#define MODULES_MAX 1024 /* files with code, mapped by one process */

struct module {
	const struct map_entry *entry;
	struct module_facts facts;
	uint64_t bias;
	bool placed;	 /* bias is known */
	bool executable; /* the program itself, not a library */
};

struct search {
	pid_t pid;
	const struct remote_memory *memory;
	struct maps maps;
	struct module *modules; /* the executable first, then in order of address */
	size_t module_count;
	char program[64]; /* comm, for messages */
	struct err best;  /* why the most promising candidate was not it */
	int best_code;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* ---- the modules ---- */

static bool is_listed(const struct search *search, const struct map_entry *entry)
{
	for (size_t i = search->module_count; i-- > 0;)
		if (map_entry_same_file(search->modules[i].entry, entry))
			return true;
	return false;
}

/* Files with code. The kernel maps the program itself with code in any case, but for a
 * program whose code was moved elsewhere; then its other mappings stand for it. */
static int list_modules(struct search *search, struct err *err)
{
	char path[4096];
	uint64_t device = 0, inode = 0;
	size_t capacity = 0;

	(void)process_executable(search->pid, path, sizeof(path), &device, &inode, NULL);
	for (size_t i = 0; i < search->maps.count && search->module_count < MODULES_MAX; i++) {
		const struct map_entry *entry = &search->maps.entries[i];
		bool executable = inode != 0 && entry->inode == inode;
		struct module *module;
		int code;

		if (!map_entry_is_file(entry) ||
		    ((entry->permissions & MAP_EXECUTE) == 0 && !executable) ||
		    is_listed(search, entry))
			continue;
		code = grow_array((void **)&search->modules, &capacity, search->module_count + 1,
				  sizeof(*search->modules), MODULES_MAX);
		if (code < 0)
			return err_set(err, ERR_MEMORY, "no memory for the %zu files of process %d",
				       search->module_count + 1, (int)search->pid);
		module = &search->modules[search->module_count++];
		*module = (struct module){.entry = entry, .executable = executable};
	}
	for (size_t i = 1; i < search->module_count; i++) {
		if (search->modules[i].executable) {
			struct module first = search->modules[i];

			memmove(&search->modules[1], &search->modules[0], i * sizeof(first));
			search->modules[0] = first;
			break;
		}
	}
	return 0;
}

static void read_modules(struct search *search)
{
	for (size_t i = 0; i < search->module_count; i++) {
		struct module *module = &search->modules[i];

		module_facts_read(search->pid, module->entry, &module->facts);
		/* Most files hold nothing: where they lie doesn't matter then. */
		module->placed =
		    (module->facts.section.address != 0 || module->facts.runtime.address != 0) &&
		    module_bias(&module->facts, &search->maps, module->entry, &module->bias);
	}
}

/* ---- one candidate ---- */

/* How much a reason tells: "not yet" most, since it may still come true. */
static int weight_of(int code)
{
	switch (-code) {
	case ERR_TOO_LITTLE:
		return 4;
	case ERR_PERMISSION:
	case ERR_NO_PROCESS:
		return 3;
	case ERR_NOT_PYTHON:
		return 2;
	default:
		return 1;
	}
}

static void keep_reason(struct search *search, int code, const struct err *err)
{
	if (search->best_code != 0 && weight_of(code) <= weight_of(search->best_code))
		return;
	search->best_code = code;
	search->best = *err;
}

static int not_yet(const struct search *search, const struct module *module, struct err *err)
{
	int code = err_set(err, ERR_TOO_LITTLE, "Python has not started yet in process %d (%s)",
			   (int)search->pid, search->program);

	err_why(err, "%s is loaded, but has no interpreter with a thread yet",
		module == NULL ? "its Python library" : module->entry->path);
	err_next(err, "try again in a moment");
	return code;
}

/* What a module tells of its version: kept from before, Py_Version, or the text. 0: nothing. */
static uint32_t module_version(const struct search *search, const struct module *module)
{
	struct scan_regions regions;
	uint64_t word;

	if (module->facts.version_hex != 0)
		return module->facts.version_hex;
	if (module->facts.version_address != 0 && module->placed) {
		struct raddr at = {module->facts.version_address + module->bias};

		if (remote_read_u64(search->memory, at, &word) == 0 && word <= UINT32_MAX &&
		    (word >> 24) == 3)
			return (uint32_t)word;
	}
	scan_regions_of(&search->maps, module->entry, &regions);
	return scan_version_text(search->memory, &regions);
}

/* The version that the target says it has: its own table, then the module, then another one: a
 * program that names _PyRuntime has the library's moved into itself by a copy relocation, while
 * the rest of the interpreter stays in the library. */
static int read_version(struct search *search, struct module *module, struct raddr address,
			uint8_t block[DEBUG_OFFSETS_SIZE_MAX], uint32_t *ret_version_hex,
			struct err *err)
{
	bool free_threaded = false;
	int code = remote_read(search->memory, address, block, DEBUG_OFFSETS_HEAD_SIZE, err);

	if (code < 0)
		return code;
	if (debug_offsets_head(block, DEBUG_OFFSETS_HEAD_SIZE, ret_version_hex, &free_threaded))
		return 0;
	*ret_version_hex = module_version(search, module);
	for (size_t i = 0; i < search->module_count && *ret_version_hex == 0; i++)
		if (&search->modules[i] != module && search->modules[i].facts.runtime.address != 0)
			*ret_version_hex = module_version(search, &search->modules[i]);
	return *ret_version_hex != 0 ? 0 : not_yet(search, module, err);
}

/* The layout for what stands at `address`. */
static int read_layout(struct search *search, struct module *module, struct raddr address,
		       struct layout *ret_layout, struct err *err)
{
	uint8_t block[DEBUG_OFFSETS_SIZE_MAX];
	uint32_t version_hex = 0;
	size_t size;
	int code = read_version(search, module, address, block, &version_hex, err);

	if (code < 0)
		return code;
	code = layout_for_version(version_hex, ret_layout, err);
	if (code < 0)
		return code;
	size = debug_offsets_size(ret_layout);
	if (size == 0)
		return 0;
	code = remote_read(search->memory, address, block, size, err);
	if (code < 0)
		return code;
	return layout_apply_debug_offsets(ret_layout, block, size, err);
}

static int damaged(const struct search *search, const struct module *module,
		   const struct layout *layout, struct err *err)
{
	char text[32];
	int code;

	python_version_text(&layout->version, text, sizeof(text));
	code = err_set(err, ERR_NOT_PYTHON, "process %d (%s) holds no readable CPython %s",
		       (int)search->pid, search->program, text);
	err_why(err, "%s: the list of interpreters does not fit this version's layout",
		module->entry->path);
	err_next(err, "is it a patched or a debug build? Try a release build of %s", text);
	return code;
}

static int found(struct search *search, struct module *module, const struct layout *layout,
		 struct raddr address, enum runtime_found_by by, struct runtime *ret_runtime)
{
	memset(ret_runtime, 0, sizeof(*ret_runtime));
	ret_runtime->layout = *layout;
	ret_runtime->address = address;
	ret_runtime->found_by = by;
	snprintf(ret_runtime->file, sizeof(ret_runtime->file), "%s", module->entry->path);
	python_version_text(&layout->version, ret_runtime->version_text,
			    sizeof(ret_runtime->version_text));
	ret_runtime->shared_library = !module->executable;
	if (debug_offsets_size(layout) != 0)
		ret_runtime->jit_possible = module_has_jit(search->pid, module->entry);
	if (module->facts.version_hex == 0)
		module_facts_remember_version(search->pid, module->entry,
					      python_version_hex(&layout->version));
	return 0;
}

/* Examines one place. 0: it is the interpreter. Otherwise the reason is kept. */
static int examine(struct search *search, struct module *module, struct raddr address,
		   enum runtime_found_by by, struct runtime *ret_runtime)
{
	struct layout layout;
	struct err err = {0};
	int code = read_layout(search, module, address, &layout, &err);

	if (code == 0) {
		code = runtime_check(search->memory, &layout, address);
		if (code == 0)
			return found(search, module, &layout, address, by, ret_runtime);
		if (code == -ERR_TOO_LITTLE)
			code = not_yet(search, module, &err);
		else if (code != -ERR_NO_PROCESS && code != -ERR_PERMISSION)
			code = damaged(search, module, &layout, &err);
	}
	keep_reason(search, code, &err);
	return code;
}

/* ---- the rungs ---- */

static int try_sections(struct search *search, struct runtime *ret_runtime)
{
	for (size_t i = 0; i < search->module_count; i++) {
		struct module *module = &search->modules[i];
		struct raddr at = {module->facts.section.address + module->bias};

		if (module->placed && module->facts.section.address != 0 &&
		    examine(search, module, at, FOUND_BY_SECTION, ret_runtime) == 0)
			return 0;
	}
	return -ERR_NOT_PYTHON;
}

static int try_symbols(struct search *search, enum elf_symbol_source source,
		       struct runtime *ret_runtime)
{
	enum runtime_found_by by =
	    source == ELF_SYMBOL_SYMTAB ? FOUND_BY_SYMBOL : FOUND_BY_DYNAMIC_SYMBOL;

	for (size_t i = 0; i < search->module_count; i++) {
		struct module *module = &search->modules[i];
		struct raddr at = {module->facts.runtime.address + module->bias};

		if (module->placed && module->facts.runtime.address != 0 &&
		    module->facts.runtime.source == source &&
		    examine(search, module, at, by, ret_runtime) == 0)
			return 0;
	}
	return -ERR_NOT_PYTHON;
}

/* Memory alone: nothing of the file is believed, or it can't be opened. */
static int try_scan(struct search *search, struct runtime *ret_runtime)
{
	for (size_t i = 0; i < search->module_count; i++) {
		struct module *module = &search->modules[i];
		struct scan_regions regions;
		struct layout layout;
		struct err err = {0};
		struct raddr at;
		uint32_t version_hex;
		int code;

		scan_regions_of(&search->maps, module->entry, &regions);
		at = scan_cookie(search->memory, &regions);
		if (at.v != 0 && examine(search, module, at, FOUND_BY_SCAN, ret_runtime) == 0)
			return 0;
		version_hex = at.v != 0 ? 0 : scan_version_text(search->memory, &regions);
		if (version_hex == 0)
			continue;
		code = layout_for_version(version_hex, &layout, &err);
		if (code < 0) {
			keep_reason(search, code, &err);
			continue;
		}
		at = scan_runtime(search->memory, &search->maps, &regions, &layout);
		if (at.v != 0)
			return found(search, module, &layout, at, FOUND_BY_SCAN, ret_runtime);
		keep_reason(search, not_yet(search, module, &err), &err);
	}
	return -ERR_NOT_PYTHON;
}

/* ---- when there is none ---- */

static int refuse_pypy(const struct search *search, const char *path, struct err *err)
{
	int code = err_set(err, ERR_NOT_PYTHON, "process %d (%s) runs PyPy, which is not supported",
			   (int)search->pid, search->program);

	err_why(err, "%s is mapped: PyPy has another interpreter than CPython", path);
	err_next(err, "run the program under CPython %s", layout_supported_versions());
	return code;
}

static int refuse_process(const struct search *search, struct err *err)
{
	struct process_stat stat;
	int code;

	if (search->maps.count == 0) {
		code = process_stat_read(search->pid, &stat, err);
		if (code < 0)
			return code;
		if (stat.state == 'Z' || stat.state == 'X') {
			code = err_set(err, ERR_NO_PROCESS, "process %d (%s) has ended",
				       (int)search->pid, search->program);
			err_why(err, "its parent has not collected it yet (state %c)", stat.state);
			err_next(err, "start it again");
			return code;
		}
	}
	code = err_set(err, ERR_NOT_PYTHON, "process %d (%s) is not a Python program",
		       (int)search->pid, search->program);
	err_why(err, "no CPython in %s nor in the %zu libraries that it has loaded",
		search->module_count == 0 ? "it" : search->modules[0].entry->path,
		search->module_count == 0 ? 0 : search->module_count - 1);
	err_next(err, "give the pid of the Python process itself: pgrep -af python");
	return code;
}

static int give_reason(struct search *search, struct err *err)
{
	for (size_t i = 0; i < search->module_count; i++) {
		const struct module *module = &search->modules[i];
		const char *name = base_name(module->entry->path);

		if (starts_with(name, "libpypy") ||
		    (module->executable && starts_with(name, "pypy")))
			return refuse_pypy(search, module->entry->path, err);
	}
	if (search->best_code == -ERR_PERMISSION && process_readable(search->pid, err) < 0)
		return -ERR_PERMISSION;
	if (search->best_code != 0) {
		if (err != NULL)
			*err = search->best;
		return search->best_code;
	}
	for (size_t i = 0; i < search->module_count; i++)
		if (search->modules[i].facts.needs_libpython ||
		    search->modules[i].facts.exports_python)
			return not_yet(search, NULL, err);
	return refuse_process(search, err);
}

static int climb(struct search *search, struct runtime *ret_runtime, struct err *err)
{
	read_modules(search);
	if (try_sections(search, ret_runtime) == 0 ||
	    try_symbols(search, ELF_SYMBOL_SYMTAB, ret_runtime) == 0 ||
	    try_symbols(search, ELF_SYMBOL_DYNSYM, ret_runtime) == 0)
		return 0;
	/* A file told us where it is, and what is there can't be read: looking elsewhere finds no
	 * other. */
	if (search->best_code == 0 && try_scan(search, ret_runtime) == 0)
		return 0;
	return give_reason(search, err);
}

int runtime_find(pid_t pid, const struct remote_memory *memory, struct runtime *ret_runtime,
		 struct err *err)
{
	struct search search = {.pid = pid, .memory = memory};
	struct process_stat stat;
	int code;

	maps_init(&search.maps);
	code = process_stat_read(pid, &stat, err);
	if (code < 0)
		goto out;
	snprintf(search.program, sizeof(search.program), "%s", stat.comm);
	code = maps_read(&search.maps, pid, err);
	if (code == -ERR_PERMISSION)
		(void)process_readable(pid, err); /* says what would help */
	if (code < 0)
		goto out;
	code = list_modules(&search, err);
	if (code < 0)
		goto out;
	code = climb(&search, ret_runtime, err);
out:
	maps_release(&search.maps);
	mem_free(search.modules);
	return code;
}
