/* The ledger's folder: see ledger.h. */
#include "bench/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"

#define SUFFIX ".md"
#define SLUG_MAX 40

void ledger_release(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->count; i++)
		ledger_entry_release(&ledger->entries[i]);
	mem_free(ledger->entries);
	*ledger = (struct ledger){0};
}

int ledger_find(const char *directory, char *ret_folder, size_t size)
{
	char root[PATH_MAX], git[PATH_MAX + 8];
	char *slash;

	if (realpath(directory, root) == NULL)
		return -ERR_FILE;
	for (;;) {
		snprintf(git, sizeof(git), "%s/.git", root);
		if (access(git, F_OK) == 0)
			break;
		slash = strrchr(root, '/');
		if (slash == NULL || slash == root) { /* no repository: beside what is here */
			if (realpath(directory, root) == NULL)
				return -ERR_FILE;
			break;
		}
		*slash = '\0';
	}
	return snprintf(ret_folder, size, "%s/" LEDGER_FOLDER, root) < (int)size ? 0 : -ERR_LIMIT;
}

/* ---- Reading ---- */

static int read_file(int folder, const char *name, char **ret_bytes, size_t *ret_size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = 0;
	size_t have = 0;
	char *bytes;

	if (fd < 0)
		return -ERR_FILE;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > LEDGER_FILE_BYTES_MAX) {
		close(fd);
		return -ERR_FILE;
	}
	bytes = mem_alloc((size_t)st.st_size + 1);
	while (bytes != NULL && have < (size_t)st.st_size &&
	       ((got = read(fd, bytes + have, (size_t)st.st_size - have)) > 0 ||
		(got < 0 && errno == EINTR)))
		have += got > 0 ? (size_t)got : 0;
	close(fd);
	if (bytes == NULL)
		return -ERR_MEMORY;
	if (got < 0) {
		mem_free(bytes);
		return -ERR_FILE;
	}
	*ret_bytes = bytes;
	*ret_size = have;
	return 0;
}

/* "…-0123456789abcdef.md" */
static bool is_entry_name(const char *name)
{
	const size_t tail = LEDGER_ID_TEXT - 1 + strlen(SUFFIX);
	size_t length = strlen(name);

	return length > tail && name[length - tail - 1] == '-' &&
	       strspn(name + length - tail, "0123456789abcdef") == LEDGER_ID_TEXT - 1;
}

static int read_entry(struct ledger *ledger, int folder, const char *name)
{
	struct ledger_entry entry = {0};
	size_t size = 0, capacity = ledger->count;
	void *items = ledger->entries;
	char *bytes = NULL;
	int r = read_file(folder, name, &bytes, &size);

	if (r == -ERR_FILE) { /* still an entry, with that for a problem */
		entry = (struct ledger_entry){.created_s = NAN};
		entry.file = mem_copy_text(name);
		entry.problem = mem_copy_text("it can't be read");
		r = entry.file == NULL || entry.problem == NULL ? -ERR_MEMORY : 0;
	} else if (r == 0) {
		r = ledger_entry_parse(name, bytes, size, &entry);
		/* A page of the user's own is no entry. */
		if (r == 0 && entry.id[0] == '\0' && !is_entry_name(name)) {
			ledger_entry_release(&entry);
			mem_free(bytes);
			return 0;
		}
	}
	mem_free(bytes);
	if (r == 0)
		r = grow_array(&items, &capacity, ledger->count + 1, sizeof(entry),
			       LEDGER_ENTRIES_MAX);
	if (r < 0) {
		ledger_entry_release(&entry);
		return r;
	}
	ledger->entries = items;
	ledger->entries[ledger->count++] = entry;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct ledger_entry *x = a, *y = b;

	/* What has no date comes last. */
	if (isnan(x->created_s) || isnan(y->created_s))
		return isnan(x->created_s) - isnan(y->created_s) != 0
			   ? isnan(x->created_s) - isnan(y->created_s)
			   : strcmp(x->file, y->file);
	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? -1 : 1;
	return strcmp(x->file, y->file);
}

static bool has_entry(const struct ledger *ledger, const char *id)
{
	for (size_t i = 0; i < ledger->count; i++) {
		if (strcmp(ledger->entries[i].id, id) == 0)
			return true;
	}
	return false;
}

static bool is_followed(const struct ledger *ledger, const char *id)
{
	for (size_t i = 0; i < ledger->count; i++) {
		for (size_t k = 0; k < ledger->entries[i].parent_count; k++) {
			if (strcmp(ledger->entries[i].parents[k], id) == 0)
				return true;
		}
	}
	return false;
}

/* An entry that was changed has another hash, and so is missed by those that follow it. */
static int verify(struct ledger *ledger)
{
	char text[160];

	for (size_t i = 0; i < ledger->count; i++) {
		struct ledger_entry *entry = &ledger->entries[i];

		for (size_t k = 0; k < entry->parent_count && entry->problem == NULL; k++) {
			if (has_entry(ledger, entry->parents[k]))
				continue;
			snprintf(text, sizeof(text),
				 "entry %s, which it follows, is gone or was changed",
				 entry->parents[k]);
			entry->problem = mem_copy_text(text);
			if (entry->problem == NULL)
				return -ERR_MEMORY;
		}
		ledger->problems += entry->problem != NULL;
	}
	return 0;
}

int ledger_read(const char *folder, struct ledger *ret_ledger, struct err *err)
{
	struct ledger ledger = {0};
	DIR *directory = opendir(folder);
	const struct dirent *item;
	int r = 0;

	if (directory == NULL && errno != ENOENT)
		return err_set_errno(err, ERR_FILE, errno, "the ledger %s can't be read", folder);
	while (r == 0 && directory != NULL && (item = readdir(directory)) != NULL) {
		size_t length = strlen(item->d_name);

		if (item->d_name[0] != '.' && length > strlen(SUFFIX) &&
		    strcmp(item->d_name + length - strlen(SUFFIX), SUFFIX) == 0)
			r = read_entry(&ledger, dirfd(directory), item->d_name);
	}
	if (directory != NULL)
		closedir(directory);
	if (r == 0 && ledger.count > 1)
		qsort(ledger.entries, ledger.count, sizeof(*ledger.entries), by_time);
	if (r == 0)
		r = verify(&ledger);
	if (r < 0) {
		ledger_release(&ledger);
		if (r == -ERR_MEMORY)
			return err_set(err, ERR_MEMORY, "no memory to read the ledger");
		r = err_set(err, ERR_FILE, "the ledger %s can't be read", folder);
		err_why(err, "it has more than %d entries", LEDGER_ENTRIES_MAX);
		err_next(err, "begin a new one: --ledger FOLDER");
		return r;
	}
	*ret_ledger = ledger;
	return 0;
}

/* ---- Adding ---- */

static void make_slug(const char *text, char slug[SLUG_MAX + 1])
{
	size_t used = 0;

	for (; *text != '\0' && used < SLUG_MAX; text++) {
		char c = *text >= 'A' && *text <= 'Z' ? (char)(*text + 'a' - 'A') : *text;

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			slug[used++] = c;
		else if (used > 0 && slug[used - 1] != '-')
			slug[used++] = '-';
	}
	while (used > 0 && slug[used - 1] == '-')
		used--;
	slug[used] = '\0';
}

static int make_folders(const char *folder, struct err *err)
{
	char path[PATH_MAX];
	size_t length = strlen(folder);

	if (length >= sizeof(path))
		return err_set(err, ERR_USAGE, "the ledger's path is too long");
	for (size_t i = 1; i <= length; i++) {
		if (folder[i] != '/' && folder[i] != '\0')
			continue;
		memcpy(path, folder, i);
		path[i] = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return err_set_errno(err, ERR_FILE, errno, "the folder %s can't be made",
					     path);
	}
	return 0;
}

/* Never over another file, and never half of one: written beside, then linked to its name. */
static int write_new(const char *folder, const char *name, const char *text, struct err *err)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	size_t size = strlen(text), done = 0;
	ssize_t wrote = 0;
	int fd, r = 0;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
	    snprintf(temporary, sizeof(temporary), "%s/.%s.XXXXXX", folder, name) >=
		(int)sizeof(temporary))
		return err_set(err, ERR_USAGE, "the ledger's path is too long");
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_FILE, errno, "nothing can be written in %s", folder);
	while (done < size && ((wrote = write(fd, text + done, size - done)) > 0 || errno == EINTR))
		done += wrote > 0 ? (size_t)wrote : 0;
	if (done < size || fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		r = err_set_errno(err, ERR_FILE, errno, "%s was not written", path);
	close(fd);
	if (r == 0 && link(temporary, path) < 0)
		r = err_set_errno(err, ERR_FILE, errno, "%s was not written", path);
	unlink(temporary);
	return r;
}

static int take_parents(const struct ledger *ledger, struct ledger_entry *entry, struct err *err)
{
	mem_free(entry->parents);
	entry->parent_count = 0;
	entry->parents = mem_zalloc(LEDGER_PARENTS_MAX, sizeof(*entry->parents));
	if (entry->parents == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the entry of the ledger");
	/* Each last one of the branches that were merged. */
	for (size_t i = 0; i < ledger->count; i++) {
		const char *id = ledger->entries[i].id;

		if (is_followed(ledger, id))
			continue;
		if (entry->parent_count == LEDGER_PARENTS_MAX)
			return err_set(err, ERR_LIMIT, "too many branches of the ledger at once");
		memcpy(entry->parents[entry->parent_count++], id, LEDGER_ID_TEXT);
	}
	return 0;
}

static int refuse_changed(const struct ledger *ledger, struct err *err)
{
	for (size_t i = 0; i < ledger->count; i++) {
		const struct ledger_entry *entry = &ledger->entries[i];
		int r;

		if (entry->problem == NULL)
			continue;
		r = err_set(err, ERR_GATE, "the ledger was tampered with: %s", entry->file);
		err_why(err, "%s", entry->problem);
		err_next(err, "git log -p shows who changed it; git checkout brings it back");
		return r;
	}
	return 0;
}

int ledger_add(const char *folder, const struct ledger *ledger, struct ledger_entry *entry,
	       struct err *err)
{
	char slug[SLUG_MAX + 1], date[24] = "undated", name[128];
	bool dated = entry->created_s >= 0 && entry->created_s < 253402300800.0;
	time_t seconds = dated ? (time_t)entry->created_s : 0;
	char *text = NULL;
	struct tm tm;
	int r = refuse_changed(ledger, err);

	if (r == 0)
		r = take_parents(ledger, entry, err);
	if (r == 0)
		r = ledger_entry_write(entry, &text, err);
	if (r == 0)
		r = make_folders(folder, err);
	if (r == 0) {
		if (dated && gmtime_r(&seconds, &tm) != NULL)
			strftime(date, sizeof(date), "%Y-%m-%d", &tm);
		make_slug(entry->hypothesis, slug);
		snprintf(name, sizeof(name), "%s%s%s-%s" SUFFIX, date, *slug != '\0' ? "-" : "",
			 slug, entry->id);
		r = write_new(folder, name, text, err);
	}
	if (r == 0) {
		mem_free(entry->file);
		entry->file = mem_copy_text(name);
		r = entry->file == NULL ? err_set(err, ERR_MEMORY, "no memory") : 0;
	}
	mem_free(text);
	return r;
}
