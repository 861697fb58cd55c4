/* Files of results: which tool wrote one is told by its content. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/result_internal.h"

static const struct bench_file_format {
	const char *name;
	int (*read)(const struct bench_reading *, const json_t *, struct bench_results *);
	int (*write)(const struct bench_results *, FILE *, struct err *);
} formats[] = {
    [BENCH_PYROMETER] = {"pyrometer", bench_read_own, bench_results_write},
    [BENCH_PYPERF] = {"pyperf", bench_read_pyperf, bench_write_pyperf},
    [BENCH_PYTEST] = {"pytest-benchmark", bench_read_pytest, bench_write_pytest},
    [BENCH_HYPERFINE] = {"hyperfine", bench_read_hyperfine, bench_write_hyperfine},
    [BENCH_ASV] = {"asv", bench_read_asv, bench_write_asv},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

int bench_format_named(const char *name)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (strcmp(formats[i].name, name) == 0)
			return (int)i;
	}
	return -ERR_USAGE;
}

int bench_stream_check(FILE *file, struct err *err)
{
	errno = 0;
	if (fflush(file) != 0 || ferror(file))
		return err_set_errno(err, ERR_FILE, errno != 0 ? errno : EIO,
				     "the results were not written");
	return 0;
}

int bench_results_export(const struct bench_results *results, enum bench_format format, FILE *file,
			 struct err *err)
{
	return formats[format].write(results, file, err);
}

/* ---- Which format ---- */

static bool is_text(const json_t *root, const char *key)
{
	return json_is_string(json_object_get(root, key));
}

/* By members that each tool always writes and no other does. */
static int format_of(const json_t *root)
{
	const json_t *benchmarks = json_object_get(root, "benchmarks");
	const json_t *results = json_object_get(root, "results");

	if (json_is_integer(json_object_get(root, "schema_version")) && json_is_array(benchmarks))
		return json_object_get(json_array_get(benchmarks, 0), "ratio") == NULL
			   ? BENCH_PYROMETER
			   : -1; /* a comparison */
	if (json_is_object(json_object_get(root, "machine_info")) && json_is_array(benchmarks))
		return BENCH_PYTEST;
	if (is_text(root, "version") && json_is_array(benchmarks))
		return BENCH_PYPERF;
	if (json_is_array(results))
		return BENCH_HYPERFINE;
	if (json_is_object(results) && json_object_get(root, "commit_hash") != NULL)
		return BENCH_ASV;
	return -1;
}

static int not_results(const char *path, const json_t *root, struct err *err)
{
	bool compared = json_object_get(json_array_get(json_object_get(root, "benchmarks"), 0),
					"ratio") != NULL;
	int r = err_set(err, ERR_FILE, "%s holds no benchmark results", path);

	if (compared)
		err_why(err, "it is a comparison, which has the ratios and not the values");
	else
		err_why(err, "it is JSON, but not as Pyrometer, pyperf, pytest-benchmark, "
			     "hyperfine or asv write it");
	err_next(err, "pyrometer bench --json -o results.json TARGET");
	return r;
}

/* ---- Bytes ---- */

static int open_file(const char *path, off_t *ret_size, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;
	struct stat st;

	if (fd < 0) {
		r = err_set_errno(err, ERR_FILE, errno, "%s can't be read", path);
		err_next(err, "ls -l %s", path);
		return r;
	}
	if (fstat(fd, &st) < 0) {
		r = err_set_errno(err, ERR_FILE, errno, "%s can't be read", path);
	} else if (!S_ISREG(st.st_mode)) {
		r = err_set(err, ERR_FILE, "%s can't be read", path);
		err_why(err, "it is no plain file");
		err_next(err, "give the file of results itself");
	} else if (st.st_size > BENCH_FILE_BYTES_MAX) {
		r = err_set(err, ERR_FILE, "%s is too large for a file of results", path);
		err_why(err, "it has %lld bytes; at most %u are read", (long long)st.st_size,
			BENCH_FILE_BYTES_MAX);
		err_next(err, "have the tool write fewer values, or fewer benchmarks a file");
	} else {
		*ret_size = st.st_size;
		return fd;
	}
	close(fd);
	return r;
}

static int read_bytes(const char *path, char **ret_bytes, size_t *ret_size, struct err *err)
{
	off_t size = 0;
	int fd = open_file(path, &size, err), r = 0;
	size_t have = 0;
	char *bytes;

	if (fd < 0)
		return fd;
	bytes = mem_alloc((size_t)size + 1);
	if (bytes == NULL)
		r = err_set(err, ERR_MEMORY, "no memory to read %s", path);
	while (r == 0 && have < (size_t)size) {
		ssize_t got = read(fd, bytes + have, (size_t)size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = err_set_errno(err, ERR_FILE, errno, "%s can't be read", path);
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	close(fd);
	if (r < 0) {
		mem_free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	*ret_size = have;
	return 0;
}

/* ---- NaN: no JSON, but Python's json writes it and so do asv's results ---- */

static const char *const python_words[] = {"NaN", "Infinity", "-Infinity"};

static const char *python_word_at(const char *bytes, size_t size)
{
	for (size_t i = 0; i < sizeof(python_words) / sizeof(python_words[0]); i++) {
		size_t length = strlen(python_words[i]);

		if (size >= length && memcmp(bytes, python_words[i], length) == 0)
			return python_words[i];
	}
	return NULL;
}

/* Puts quotes around the words that stand outside texts. Without any, *text is left alone. */
static int quote_words(char **text, size_t *size)
{
	struct buffer quoted;
	bool inside = false, found = false;
	const char *word;

	buffer_init(&quoted, 0);
	for (size_t i = 0; i < *size; i++) {
		char c = (*text)[i];

		word = !inside && (c == 'N' || c == 'I' || c == '-')
			   ? python_word_at(*text + i, *size - i)
			   : NULL;
		if (word != NULL) {
			if (!found)
				buffer_append(&quoted, *text, i);
			found = true;
			buffer_append(&quoted, "\"", 1);
			buffer_append(&quoted, word, strlen(word));
			buffer_append(&quoted, "\"", 1);
			i += strlen(word) - 1;
			continue;
		}
		if (found)
			buffer_append(&quoted, &c, 1);
		if (inside && c == '\\' && i + 1 < *size) {
			i++;
			if (found)
				buffer_append(&quoted, *text + i, 1);
		} else if (c == '"') {
			inside = !inside;
		}
	}
	if (quoted.failed) {
		buffer_release(&quoted);
		return -ERR_MEMORY;
	}
	if (found) {
		mem_free(*text);
		*text = (char *)quoted.bytes;
		*size = quoted.size;
	}
	return 0;
}

/* ---- The whole ---- */

int bench_json_parse(const char *path, char **text, size_t size, json_t **ret_root, struct err *err)
{
	json_error_t fault;
	json_t *root;
	int r;

	if (quote_words(text, &size) < 0)
		return err_set(err, ERR_MEMORY, "no memory to read %s", path);
	root = json_loadb(*text, size, JSON_REJECT_DUPLICATES, &fault);
	if (root != NULL) {
		*ret_root = root;
		return 0;
	}
	r = err_set(err, ERR_FILE, "%s is not JSON", path);
	if (size == 0)
		err_why(err, "it is empty");
	else
		err_why(err, "line %d, column %d: %s", fault.line, fault.column, fault.text);
	err_next(err, "look at that place, or have the tool write the file again");
	return r;
}

int bench_results_parse(const char *path, char **text, size_t size,
			struct bench_results **ret_results, enum bench_format *ret_format,
			struct err *err)
{
	struct bench_reading reading = {.path = path, .err = err};
	struct bench_results *results;
	json_t *root = NULL;
	int r = bench_json_parse(path, text, size, &root, err), format;

	if (r < 0)
		return r;
	format = format_of(root);
	results = bench_results_new();
	if (format < 0) {
		r = not_results(path, root, err);
	} else if (results == NULL) {
		r = bench_no_memory(&reading);
	} else {
		reading.format = formats[format].name;
		r = formats[format].read(&reading, root, results);
	}
	json_decref(root);
	if (r < 0) {
		bench_results_free(results);
		return r;
	}
	*ret_results = results;
	if (ret_format != NULL)
		*ret_format = (enum bench_format)format;
	return 0;
}

int bench_results_read(const char *path, struct bench_results **ret_results,
		       enum bench_format *ret_format, struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	int r = read_bytes(path, &text, &size, err);

	if (r == 0)
		r = bench_results_parse(path, &text, size, ret_results, ret_format, err);
	mem_free(text);
	return r;
}

int bench_json_read(const char *path, json_t **ret_root, struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	int r = read_bytes(path, &text, &size, err);

	if (r == 0)
		r = bench_json_parse(path, &text, size, ret_root, err);
	mem_free(text);
	return r;
}
