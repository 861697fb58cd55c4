/* Opening and PT_LOAD; elf_symbols.c has sections and symbols. */
#include "process/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "process/maps.h"

#define FILE_SIZE_MAX ((uint64_t)8 * 1024 * 1024 * 1024)
#define PROGRAM_HEADERS_MAX 4096

static bool read_at(const struct elf_file *file, uint64_t offset, void *to, size_t size)
{
	if (offset > file->size || size > file->size - offset)
		return false;
	if (file->fd < 0) {
		memcpy(to, file->bytes + offset, size);
		return true;
	}
	return pread(file->fd, to, size, (off_t)offset) == (ssize_t)size;
}

/* Before libelf sees it: libelf allocates by the counts in the header. */
static const char *header_refusal(const struct elf_file *file)
{
	Elf64_Ehdr header;
	Elf64_Shdr first;

	if (file->size > FILE_SIZE_MAX)
		return "it is larger than 8 GiB";
	if (!read_at(file, 0, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return "it is not an ELF file";
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return "it is not a 64-bit little-endian ELF file";
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return "it is neither a program nor a shared library";
	if (header.e_phentsize != sizeof(Elf64_Phdr))
		return "its program headers have a wrong size";
	if (header.e_shoff == 0)
		return NULL;
	if (header.e_shentsize != sizeof(Elf64_Shdr) ||
	    !read_at(file, header.e_shoff, &first, sizeof(first)))
		return "its section headers are cut";
	if (header.e_shnum == 0 && first.sh_size > ELF_SECTIONS_MAX)
		return "it claims too many sections";
	return NULL;
}

static const char *read_loads(struct elf_file *file)
{
	size_t count;

	if (elf_getphdrnum(file->elf, &count) != 0 || count > PROGRAM_HEADERS_MAX)
		return "its program headers are damaged";
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(file->elf, (int)i, &header))
			return "its program headers are damaged";
		if (header.p_type == PT_DYNAMIC && header.p_offset <= file->size &&
		    header.p_filesz <= file->size - header.p_offset) {
			file->dynamic_offset = header.p_offset;
			file->dynamic_size = header.p_filesz;
		}
		if (header.p_type != PT_LOAD)
			continue;
		if (file->load_count == ELF_LOADS_MAX ||
		    header.p_vaddr + header.p_memsz < header.p_vaddr ||
		    header.p_offset + header.p_filesz < header.p_offset)
			return "its PT_LOAD segments are damaged";
		file->loads[file->load_count++] = (struct elf_load){
		    header.p_vaddr,
		    header.p_memsz,
		    header.p_filesz,
		    header.p_offset,
		    (header.p_flags & PF_W) != 0,
		    (header.p_flags & PF_X) != 0,
		};
	}
	return file->load_count > 0 ? NULL : "it has no PT_LOAD segment";
}

/* fd or bytes are set. Takes the descriptor, closes it on failure. */
static int open_elf(struct elf_file *file, struct err *err)
{
	elf_version(EV_CURRENT);
	const char *refusal = header_refusal(file);
	if (!refusal) {
		/* Not mapped: a file that is cut while we read it would be a SIGBUS. */
		file->elf = file->fd >= 0 ? elf_begin(file->fd, ELF_C_READ, NULL)
					  : elf_memory((char *)(uintptr_t)file->bytes, file->size);
		if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
			refusal = "libelf can't read it";
		else
			refusal = read_loads(file);
	}
	if (!refusal)
		return 0;
	err_set(err, ERR_FILE, "Can't use %s", file->opened_as);
	err_why(err, "%s", refusal);
	elf_file_release(file);
	return -ERR_FILE;
}

static void init(struct elf_file *file, const char *opened_as)
{
	*file = (struct elf_file){.fd = -1};
	snprintf(file->opened_as, sizeof(file->opened_as), "%s", opened_as);
}

void elf_file_release(struct elf_file *file)
{
	if (file->elf)
		elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	file->elf = NULL;
	file->fd = -1;
	file->bytes = NULL;
	file->load_count = 0;
}

int elf_file_open_memory(struct elf_file *file, const void *bytes, size_t size, struct err *err)
{
	init(file, "the ELF image in memory");
	file->bytes = bytes;
	file->size = size;
	return open_elf(file, err);
}

/* A regular file, or a negative errno. O_PATH first: opening a hostile path may block (a
 * FIFO) or do something (a device). */
static int open_regular(const char *root, const char *path, struct stat *ret_stat)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC};
	char link[64];
	int place;

	if (root) {
		int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root_fd < 0)
			return -errno;
		how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
		place = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (place < 0 && errno == ENOSYS) /* before 5.6: identity is checked anyway */
			place = openat(root_fd, path + strspn(path, "/"), O_PATH | O_CLOEXEC);
		int errno_value = errno;
		close(root_fd);
		errno = errno_value;
	} else {
		place = open(path, O_PATH | O_CLOEXEC);
	}
	if (place < 0)
		return -errno;
	int fd = -EINVAL;
	if (fstat(place, ret_stat) == 0 && S_ISREG(ret_stat->st_mode)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			fd = -errno;
	}
	close(place);
	return fd;
}

/* On overlayfs and btrfs stat gives another device than a table of mappings does. So map the
 * file here and read what our own table says of it. */
static bool same_when_mapped(int fd, const struct map_entry *wanted)
{
	struct maps maps;
	bool same = false;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	void *mapped = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED)
		return false;
	maps_init(&maps);
	if (maps_read(&maps, getpid(), NULL) == 0) {
		const struct map_entry *ours = maps_find(&maps, (uintptr_t)mapped);
		same = ours && map_entry_same_file(ours, wanted);
	}
	maps_release(&maps);
	munmap(mapped, page);
	return same;
}

static bool is_mapped_file(int fd, const struct stat *st, const struct map_entry *wanted)
{
	if (st->st_ino == wanted->inode && major(st->st_dev) == wanted->device_major &&
	    minor(st->st_dev) == wanted->device_minor)
		return true;
	return same_when_mapped(fd, wanted);
}

enum { TRY_MAP_FILES, TRY_ROOT, TRY_ROOT_DELETED, TRY_OURS, TRY_EXE, TRY_COUNT };

/* A descriptor, or a negative errno; ESTALE: there is another file now. */
static int try_open(int way, pid_t pid, const struct map_entry *entry, char *name, size_t name_size,
		    uint64_t *ret_size)
{
	char root[64], deleted[4128];
	struct stat st;
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	snprintf(name, name_size, "%s%s", way == TRY_OURS ? "" : root, entry->path);
	switch (way) {
	case TRY_MAP_FILES:
		snprintf(name, name_size, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
			 entry->start, entry->end);
		fd = open_regular(NULL, name, &st);
		break;
	case TRY_ROOT:
		fd = open_regular(root, entry->path, &st);
		break;
	case TRY_ROOT_DELETED: /* a file may be called so */
		if (!entry->deleted)
			return -ENOENT;
		snprintf(deleted, sizeof(deleted), "%s (deleted)", entry->path);
		fd = open_regular(root, deleted, &st);
		break;
	case TRY_OURS: /* a chroot's path is shown from the reader's root */
		fd = open_regular(NULL, entry->path, &st);
		break;
	default:
		snprintf(name, name_size, "/proc/%d/exe", (int)pid);
		fd = open_regular(NULL, name, &st);
		break;
	}
	if (fd < 0)
		return fd;
	if (!is_mapped_file(fd, &st, entry)) {
		close(fd);
		return -ESTALE;
	}
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

int elf_file_open_mapped(struct elf_file *file, pid_t pid, const struct map_entry *entry,
			 struct err *err)
{
	int first_errno = 0;

	init(file, entry->path);
	if (!map_entry_is_file(entry))
		return err_set(err, ERR_FILE, "No file is mapped at 0x%" PRIx64, entry->start);
	for (int way = 0; way < TRY_COUNT; way++) {
		int fd = try_open(way, pid, entry, file->opened_as, sizeof(file->opened_as),
				  &file->size);
		if (fd >= 0) {
			file->fd = fd;
			return open_elf(file, err);
		}
		/* The path below the target's root is the way that tells a user something. */
		if (way == TRY_ROOT)
			first_errno = -fd;
	}
	init(file, entry->path);
	if (first_errno == ESTALE || entry->deleted) {
		err_set(err, ERR_FILE, "Can't open %s, which process %d has mapped", entry->path,
			(int)pid);
		err_why(err, "the file was %s since",
			first_errno == ESTALE ? "replaced by another" : "deleted");
		err_next(err, "restart the program, or run as root: the kernel then gives the "
			      "mapped file itself");
		return -ERR_FILE;
	}
	return err_set_errno(err, ERR_FILE, first_errno,
			     "Can't open %s, which process %d has mapped", entry->path, (int)pid);
}

int elf_file_open_path(struct elf_file *file, const char *path, struct err *err)
{
	struct stat st;

	init(file, path);
	int fd = open_regular(NULL, path, &st);
	if (fd < 0)
		return err_set_errno(err, ERR_FILE, -fd, "Can't open %s", path);
	file->fd = fd;
	file->size = (uint64_t)st.st_size;
	return open_elf(file, err);
}

static uint64_t page_of(uint64_t address, uint64_t page)
{
	return address & ~(page - 1);
}

/* Segments that lie where this bias would put them, with the right part of the file. */
static size_t fitting_loads(const struct elf_file *file, const struct maps *maps,
			    const struct map_entry *wanted, uint64_t bias, uint64_t page)
{
	size_t fitting = 0;

	for (size_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];
		uint64_t at = bias + page_of(load->address, page);
		const struct map_entry *entry = maps_find(maps, at);

		if (entry && map_entry_same_file(entry, wanted) &&
		    entry->offset + (at - entry->start) == page_of(load->offset, page))
			fitting +=
			    load->executable == ((entry->permissions & MAP_EXECUTE) != 0) ? 2 : 1;
	}
	return fitting;
}

int elf_file_load_bias(const struct elf_file *file, const struct maps *maps,
		       const struct map_entry *entry, uint64_t *ret_bias, struct err *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), best_bias = 0;
	size_t best = 0;

	for (size_t i = 0; i < maps->count && file->load_count > 0; i++) {
		const struct map_entry *other = &maps->entries[i];
		const struct elf_load *first = &file->loads[0];

		/* Not any segment: the first is enough, the others only weigh. */
		if (!map_entry_same_file(other, entry) ||
		    other->offset != page_of(first->offset, page))
			continue;
		uint64_t bias = other->start - page_of(first->address, page);
		size_t fitting = fitting_loads(file, maps, entry, bias, page);
		if (fitting > best) {
			best = fitting;
			best_bias = bias;
		}
	}
	if (best == 0) {
		err_set(err, ERR_FILE, "Can't tell where %s is loaded", file->opened_as);
		err_why(err, "no mapping of it has the place of its first segment");
		return -ERR_FILE;
	}
	*ret_bias = best_bias;
	return 0;
}
