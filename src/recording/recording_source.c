/* See recording_source.h.
 *
 * SQLite refuses a file that is shorter than its header says as "malformed". In
 * memory the header is told the pages that are there, so everything that doesn't
 * need a missing page reads as before, and what does gives an error of its own.
 */
#include "recording/recording_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "recording/recording_file.h"

#define BUSY_TIMEOUT_MS 5000
#define STEPS_PER_CALL 1000
/* SQLite refuses a schema with a root page beyond the end. Empty pages in place of those that were
 * cut off, up to more than our schema has, keep the tables before them readable. */
#define SCHEMA_PAGES_MAX 32u
#define PADDING_BYTES (SCHEMA_PAGES_MAX * 4096u)
#define MEMORY_BYTES_MAX ((uint64_t)1 << 30) /* of a damaged file that is read into memory */
#define VALUE_BYTES_MAX (16 << 20)
#define SQL_BYTES_MAX 65536

static const char *const side_files[] = {"", "-journal", "-wal"};

static int refuse(const char *path, const char *why, struct err *err)
{
	err_set(err, ERR_FILE, "can't read %s as a recording", path);
	err_why(err, "it is %s", why);
	err_next(err, "give a file that `pyrometer run` or `pyrometer record` wrote");
	return -ERR_FILE;
}

static int count_steps(void *context)
{
	struct recording_source *source = context;

	if (source->steps_left < STEPS_PER_CALL)
		return 1;
	source->steps_left -= STEPS_PER_CALL;
	return 0;
}

static void harden(struct recording_source *source)
{
	sqlite3 *db = source->db;

	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_COLUMN, 100);
	sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 50);
	sqlite3_limit(db, SQLITE_LIMIT_COMPOUND_SELECT, 5);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	/* A row takes four bytes of a file and some ten steps; twenty for corrupt trees. */
	source->steps_left = 10 * 1000 * 1000 + 20 * source->size_bytes;
	sqlite3_progress_handler(db, STEPS_PER_CALL, count_steps, source);
}

/* The SQLite code of the first access; a read transaction stays open. */
static int begin(struct recording_source *source)
{
	int code = sqlite3_exec(source->db,
				"PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
				"PRAGMA temp_store=MEMORY; BEGIN",
				NULL, NULL, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_exec(source->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL,
				    NULL);
	return code;
}

static void close_database(struct recording_source *source)
{
	sqlite3_close(source->db);
	source->db = NULL;
	mem_free(source->memory);
	source->memory = NULL;
}

void recording_source_release(struct recording_source *source)
{
	close_database(source);
	if (source->copy_folder) {
		for (size_t i = 0; i < sizeof(side_files) / sizeof(side_files[0]); i++) {
			char name[4096];

			snprintf(name, sizeof(name), "%s/copy%s", source->copy_folder,
				 side_files[i]);
			unlink(name);
		}
		rmdir(source->copy_folder);
		mem_free(source->copy_folder);
	}
	memset(source, 0, sizeof(*source));
}

static void put_big_endian32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 24);
	bytes[1] = (uint8_t)(value >> 16);
	bytes[2] = (uint8_t)(value >> 8);
	bytes[3] = (uint8_t)value;
}

/* Opens source->memory (`size` bytes of a file, and room for PADDING_BYTES). */
static int open_memory(struct recording_source *source, uint64_t size, const char *path,
		       struct err *err)
{
	uint32_t page = recording_page_size(source->memory);
	uint32_t said = recording_big_endian32(source->memory + 28);
	uint64_t pages = page ? size / page : 0, shown;
	int code;

	if (!page)
		return refuse(path, "damaged: its header says an impossible page size", err);
	if (pages == 0)
		return refuse(path, "a recording cut within its first page", err);
	if (said > pages)
		source->bytes_missing = (uint64_t)said * page - size;
	if (said != pages || size % page)
		source->damaged = true;
	shown = said < SCHEMA_PAGES_MAX ? said : SCHEMA_PAGES_MAX;
	if (shown < pages || shown * page > PADDING_BYTES)
		shown = pages;
	memset(source->memory + pages * page, 0, (size_t)((shown - pages) * page));
	put_big_endian32(source->memory + 28, (uint32_t)shown);
	memcpy(source->memory + 92, source->memory + 24, 4); /* the count of pages is valid */
	source->memory[18] = source->memory[19] = 1;	     /* no write-ahead log */
	source->size_bytes = size;
	if (sqlite3_open_v2(":memory:", &source->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return err_set(err, ERR_MEMORY, "no memory to read %s", path);
	harden(source);
	code =
	    sqlite3_deserialize(source->db, "main", source->memory, (sqlite3_int64)(shown * page),
				(sqlite3_int64)(shown * page), SQLITE_DESERIALIZE_READONLY);
	if (code == SQLITE_OK)
		code = begin(source);
	if (code == SQLITE_OK)
		return 0;
	if (code == SQLITE_NOMEM)
		return err_set(err, ERR_MEMORY, "no memory to read %s", path);
	err_set(err, ERR_FILE, "can't read %s as a recording", path);
	err_why(err, "nothing of it is readable: %s", sqlite3_errmsg(source->db));
	err_next(err, "record again; the file is left as it was");
	return -ERR_FILE;
}

static int check_head(const char *path, const uint8_t *head, size_t size, struct err *err)
{
	const char *kind = recording_other_kind(head, size);

	return kind ? refuse(path, kind, err) : 0;
}

int recording_source_open_bytes(struct recording_source *source, const void *bytes, uint64_t size,
				const char *path, struct err *err)
{
	int code;

	memset(source, 0, sizeof(*source));
	code =
	    check_head(path, bytes, size < RECORDING_HEAD_BYTES ? size : RECORDING_HEAD_BYTES, err);
	if (code < 0)
		return code;
	source->memory = size <= MEMORY_BYTES_MAX ? mem_alloc(size + PADDING_BYTES) : NULL;
	if (!source->memory)
		return err_set(err, ERR_MEMORY, "no memory to read %s", path);
	memcpy(source->memory, bytes, size);
	code = open_memory(source, size, path, err);
	if (code < 0)
		recording_source_release(source);
	return code;
}

/* Reads a whole file into source->memory. */
static int load(struct recording_source *source, const char *path, uint64_t *ret_size,
		struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint64_t done = 0;
	int code = 0;

	if (fd < 0 || fstat(fd, &status) < 0) {
		code = err_set_errno(err, ERR_FILE, errno, "can't read %s", path);
		goto end;
	}
	if ((uint64_t)status.st_size > MEMORY_BYTES_MAX) {
		code = refuse(
		    path, "damaged, and larger than 1 GiB: too large to read what is left", err);
		goto end;
	}
	source->memory = mem_alloc((size_t)status.st_size + PADDING_BYTES);
	if (!source->memory) {
		code = err_set(err, ERR_MEMORY, "no memory to read %s", path);
		goto end;
	}
	while (done < (uint64_t)status.st_size) {
		ssize_t got =
		    pread(fd, source->memory + done, (size_t)status.st_size - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			code = err_set_errno(err, ERR_FILE, errno, "can't read %s", path);
			goto end;
		}
		if (got == 0)
			break;
		done += (uint64_t)got;
	}
	code = done < RECORDING_HEAD_BYTES ? refuse(path, "cut within its header", err) : 0;
	*ret_size = done;
end:
	if (fd >= 0)
		close(fd);
	return code;
}

int recording_source_reopen_damaged(struct recording_source *source, const char *path,
				    struct err *err)
{
	uint64_t size = 0;
	int code;
	char name[4096];

	close_database(source);
	source->damaged = true;
	if (source->copy_folder)
		snprintf(name, sizeof(name), "%s/copy", source->copy_folder);
	code = load(source, source->copy_folder ? name : path, &size, err);
	return code < 0 ? code : open_memory(source, size, path, err);
}

static int copy_file(const char *from, const char *to, bool must_exist, struct err *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, code = 0;
	static const size_t chunk = 1 << 16;
	char *bytes = mem_alloc(chunk);
	ssize_t got;

	if (in < 0 && errno == ENOENT && !must_exist)
		goto end;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in < 0 || out < 0 || !bytes) {
		code = err_set_errno(err, ERR_FILE, bytes ? errno : ENOMEM, "can't copy %s to %s",
				     from, to);
		goto end;
	}
	while ((got = read(in, bytes, chunk)) > 0) {
		if (write(out, bytes, (size_t)got) != got) {
			code = err_set_errno(err, ERR_FILE, errno, "can't copy %s to %s", from, to);
			goto end;
		}
	}
	if (got < 0)
		code = err_set_errno(err, ERR_FILE, errno, "can't read %s", from);
end:
	mem_free(bytes);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return code;
}

/* The writer died within a commit: SQLite must roll back, but not in this file. */
static int open_copy(struct recording_source *source, const char *path, struct err *err)
{
	const char *temporary = getenv("TMPDIR");
	char folder[2048], from[4096], to[4096];
	int code = 0;

	close_database(source);
	snprintf(folder, sizeof(folder), "%s/pyrometer-XXXXXX",
		 temporary && *temporary ? temporary : "/tmp");
	if (!mkdtemp(folder))
		return err_set_errno(err, ERR_FILE, errno, "can't make a folder like %s", folder);
	source->copy_folder = mem_copy_text(folder);
	if (!source->copy_folder) {
		rmdir(folder);
		return err_set(err, ERR_MEMORY, "no memory to read %s", path);
	}
	for (size_t i = 0; i < sizeof(side_files) / sizeof(side_files[0]) && code == 0; i++) {
		snprintf(from, sizeof(from), "%s%s", path, side_files[i]);
		snprintf(to, sizeof(to), "%s/copy%s", folder, side_files[i]);
		code = copy_file(from, to, i == 0, err);
	}
	if (code < 0)
		return code;
	snprintf(to, sizeof(to), "%s/copy", folder);
	if (sqlite3_open_v2(to, &source->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK) {
		harden(source);
		if (begin(source) == SQLITE_OK)
			return 0;
	}
	return recording_source_reopen_damaged(source, path, err);
}

static int look_at(const char *path, uint8_t *head, uint64_t *ret_size, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	ssize_t got;
	int code = 0;

	if (fd < 0 || fstat(fd, &status) < 0) {
		code = err_set_errno(err, ERR_FILE, errno, "can't open the recording %s", path);
		err_next(err, "look at the name, or record one: pyrometer record -o %s -- PROGRAM",
			 path);
		goto end;
	}
	if (!S_ISREG(status.st_mode)) {
		code =
		    refuse(path, S_ISDIR(status.st_mode) ? "a directory" : "not a plain file", err);
		goto end;
	}
	got = pread(fd, head, RECORDING_HEAD_BYTES, 0);
	if (got < 0) {
		code = err_set_errno(err, ERR_FILE, errno, "can't read %s", path);
		goto end;
	}
	*ret_size = (uint64_t)status.st_size;
	code = check_head(path, head, (size_t)got, err);
end:
	if (fd >= 0)
		close(fd);
	return code;
}

int recording_source_open(struct recording_source *source, const char *path, struct err *err)
{
	uint8_t head[RECORDING_HEAD_BYTES];
	uint32_t page;
	int code, sqlite = SQLITE_CANTOPEN;

	memset(source, 0, sizeof(*source));
	code = look_at(path, head, &source->size_bytes, err);
	if (code < 0)
		return code;
	page = recording_page_size(head);
	if (!page || source->size_bytes % page) {
		/* SQLite would take the missing rest of the last page for zeros. */
		code = recording_source_reopen_damaged(source, path, err);
	} else {
		/* A log beside the file would make SQLite write an index beside it. */
		if (head[18] < 2 && head[19] < 2) {
			sqlite = sqlite3_open_v2(path, &source->db,
						 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
			if (sqlite == SQLITE_OK) {
				harden(source);
				sqlite = begin(source);
			}
		}
		if (sqlite == SQLITE_OK)
			return 0;
		sqlite &= 0xff;
		if (sqlite == SQLITE_BUSY) {
			err_set(err, ERR_FILE, "can't read the recording %s", path);
			err_why(err, "another process has held it for %d s",
				BUSY_TIMEOUT_MS / 1000);
			err_next(err, "try again when that process has ended");
			code = -ERR_FILE;
		} else if (sqlite == SQLITE_CORRUPT || sqlite == SQLITE_NOTADB) {
			code = recording_source_reopen_damaged(source, path, err);
		} else {
			code = open_copy(source, path, err);
		}
	}
	if (code < 0)
		recording_source_release(source);
	return code;
}
