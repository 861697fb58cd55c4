#include "cpython/layout/runtime_module.h"

#include <gelf.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "process/maps.h"

#define KEPT_FILES 128
#define NEEDED_MAX 4096
#define SCAN_CHUNK ((size_t)1 << 20)
#define SCAN_FILE_MAX ((uint64_t)256 << 20)

/* Device and inode alone are reused; with the times of its last changes they are not. */
struct file_identity {
	uint64_t inode, size;
	uint32_t device_major, device_minor;
	struct timespec modified, changed;
};

struct kept_file {
	struct file_identity identity;
	struct module_facts facts;
	uint64_t last_use; /* 0: empty */
};

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept_file kept[KEPT_FILES];
static uint64_t kept_clock;

/* Through the target's root, or as we see the path (the kernel shows a chroot's paths from the
 * reader's root). Only to recognise a file again: opening checks on its own that it is the mapped
 * one. */
static bool identity_of(pid_t pid, const struct map_entry *entry,
			struct file_identity *ret_identity)
{
	char path[4200];
	struct stat st;

	if (snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, entry->path) >=
	    (int)sizeof(path))
		return false;
	if ((stat(path, &st) < 0 || st.st_ino != entry->inode) &&
	    (stat(entry->path, &st) < 0 || st.st_ino != entry->inode))
		return false;
	memset(ret_identity, 0, sizeof(*ret_identity));
	ret_identity->inode = entry->inode;
	ret_identity->device_major = entry->device_major;
	ret_identity->device_minor = entry->device_minor;
	ret_identity->size = (uint64_t)st.st_size;
	ret_identity->modified = st.st_mtim;
	ret_identity->changed = st.st_ctim;
	return true;
}

/* Under the lock. */
static struct kept_file *kept_find(const struct file_identity *identity)
{
	for (size_t i = 0; i < KEPT_FILES; i++)
		if (kept[i].last_use != 0 &&
		    memcmp(&kept[i].identity, identity, sizeof(*identity)) == 0)
			return &kept[i];
	return NULL;
}

/* Under the lock: the place used longest ago. */
static void kept_put(const struct file_identity *identity, const struct module_facts *facts)
{
	struct kept_file *place = kept_find(identity);

	for (size_t i = 0; place == NULL && i < KEPT_FILES; i++)
		if (kept[i].last_use == 0)
			place = &kept[i];
	if (place == NULL) {
		place = &kept[0];
		for (size_t i = 1; i < KEPT_FILES; i++)
			if (kept[i].last_use < place->last_use)
				place = &kept[i];
	}
	place->identity = *identity;
	place->facts = *facts;
	place->last_use = ++kept_clock;
}

static bool needs_libpython(const struct elf_file *file)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section)) != NULL) {
		GElf_Shdr header;
		GElf_Dyn entry;
		Elf_Data *data;

		if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data != NULL && i < NEEDED_MAX &&
				gelf_getdyn(data, i, &entry) != NULL && entry.d_tag != DT_NULL;
		     i++) {
			const char *name;

			if (entry.d_tag != DT_NEEDED)
				continue;
			name = elf_strptr(file->elf, header.sh_link, entry.d_un.d_val);
			if (name != NULL && strncmp(name, "libpython", 9) == 0)
				return true;
		}
	}
	return false;
}

static void facts_from(const struct elf_file *file, struct module_facts *facts)
{
	struct elf_symbol symbol;

	facts->opened = true;
	for (size_t i = 0; i < file->load_count && i < MODULE_LOADS_MAX; i++)
		facts->loads[facts->load_count++] = file->loads[i];
	/* 0, -ERR_FILE: most files have none of these. */
	if (elf_file_section(file, ".PyRuntime", &facts->section, NULL) < 0)
		facts->section = (struct elf_range){0, 0};
	if (elf_file_symbol(file, "_PyRuntime", &facts->runtime, NULL) < 0)
		facts->runtime = (struct elf_symbol){.address = 0};
	if (facts->section.address != 0 || facts->runtime.address != 0) {
		if (elf_file_symbol(file, "Py_Version", &symbol, NULL) == 0)
			facts->version_address = symbol.address;
		facts->exports_python = true;
		return;
	}
	facts->exports_python =
	    elf_file_symbol_from(file, ELF_SYMBOL_DYNSYM, "Py_GetVersion", &symbol, NULL) == 0;
	facts->needs_libpython = needs_libpython(file);
}

void module_facts_read(pid_t pid, const struct map_entry *entry, struct module_facts *ret_facts)
{
	struct module_facts facts = {.jit = -1};
	struct file_identity identity;
	struct elf_file file;
	bool known = identity_of(pid, entry, &identity);

	if (known) {
		struct kept_file *found;

		pthread_mutex_lock(&kept_lock);
		found = kept_find(&identity);
		if (found != NULL) {
			found->last_use = ++kept_clock;
			*ret_facts = found->facts;
		}
		pthread_mutex_unlock(&kept_lock);
		if (found != NULL)
			return;
	}
	if (elf_file_open_mapped(&file, pid, entry, NULL) < 0) {
		*ret_facts = facts; /* not kept: another process may be allowed to */
		return;
	}
	facts_from(&file, &facts);
	elf_file_release(&file);
	if (known) {
		pthread_mutex_lock(&kept_lock);
		kept_put(&identity, &facts);
		pthread_mutex_unlock(&kept_lock);
	}
	*ret_facts = facts;
}

void module_facts_remember_version(pid_t pid, const struct map_entry *entry, uint32_t version_hex)
{
	struct file_identity identity;
	struct kept_file *found;

	if (!identity_of(pid, entry, &identity))
		return;
	pthread_mutex_lock(&kept_lock);
	found = kept_find(&identity);
	if (found != NULL)
		found->facts.version_hex = version_hex;
	pthread_mutex_unlock(&kept_lock);
}

/* Does the file's read-only data hold `text`? Read piece by piece: a file that is cut meanwhile
 * ends the search. */
static bool file_holds(const struct elf_file *file, const char *text)
{
	size_t overlap = strlen(text) - 1;
	uint8_t *chunk = mem_alloc(SCAN_CHUNK);
	bool found = false;

	for (size_t i = 0; chunk != NULL && i < file->load_count && !found; i++) {
		const struct elf_load *load = &file->loads[i];
		uint64_t end = load->offset +
			       (load->file_size < SCAN_FILE_MAX ? load->file_size : SCAN_FILE_MAX);

		if (load->writable)
			continue;
		for (uint64_t at = load->offset; at < end && !found;) {
			size_t wanted = end - at < SCAN_CHUNK ? (size_t)(end - at) : SCAN_CHUNK;
			ssize_t got = pread(file->fd, chunk, wanted, (off_t)at);

			if (got <= (ssize_t)overlap)
				break;
			found = memmem(chunk, (size_t)got, text, strlen(text)) != NULL;
			at += (uint64_t)got - overlap;
		}
	}
	mem_free(chunk);
	return found;
}

bool module_has_jit(pid_t pid, const struct map_entry *entry)
{
	struct module_facts facts;
	struct file_identity identity;
	struct elf_file file;

	module_facts_read(pid, entry, &facts);
	if (facts.jit >= 0)
		return facts.jit != 0;
	if (elf_file_open_mapped(&file, pid, entry, NULL) < 0)
		return false;
	/* Python/pylifecycle.c reads it where the JIT or its interpreter is compiled in. */
	facts.jit = file_holds(&file, "PYTHON_JIT") ? 1 : 0;
	elf_file_release(&file);
	if (identity_of(pid, entry, &identity)) {
		pthread_mutex_lock(&kept_lock);
		kept_put(&identity, &facts);
		pthread_mutex_unlock(&kept_lock);
	}
	return facts.jit != 0;
}

bool module_bias(const struct module_facts *facts, const struct maps *maps,
		 const struct map_entry *entry, uint64_t *ret_bias)
{
	struct elf_file file = {.fd = -1, .load_count = facts->load_count};

	memcpy(file.loads, facts->loads, facts->load_count * sizeof(facts->loads[0]));
	return elf_file_load_bias(&file, maps, entry, ret_bias, NULL) == 0;
}
