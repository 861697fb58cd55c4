/* Reading the history of results: see history.h. */
#include "bench/history.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "bench/result_internal.h"

#define LABEL_BYTES 12 /* of a commit */

static void series_release(struct history_series *series)
{
	mem_free(series->name);
	mem_free(series->unit);
	mem_free(series->python);
	mem_free(series->machine);
	mem_free(series->points);
	mem_free(series->changes);
}

void history_release(struct history *history)
{
	for (size_t i = 0; i < history->file_count; i++) {
		mem_free(history->files[i].path);
		mem_free(history->files[i].label);
	}
	for (size_t i = 0; i < history->series_count; i++)
		series_release(&history->series[i]);
	mem_free(history->files);
	mem_free(history->series);
	mem_free(history->skipped_text);
	*history = (struct history){0};
}

/* ---- One file ---- */

/* While reading: the history and what finds a series by its texts. */
struct reading {
	struct history history;
	size_t file_capacity, series_capacity;
	struct intern_map by_name;
	struct err *err;
};

struct series_key {
	const char *name, *unit, *python, *machine;
};

static bool same_series(const void *context, uint32_t value, const void *key)
{
	const struct history_series *series = &((const struct history *)context)->series[value - 1];
	const struct series_key *wanted = key;

	return strcmp(series->name, wanted->name) == 0 && strcmp(series->unit, wanted->unit) == 0 &&
	       strcmp(series->python, wanted->python) == 0 &&
	       strcmp(series->machine, wanted->machine) == 0;
}

static int find_series(struct reading *reading, const struct series_key *key,
		       struct history_series **ret_series)
{
	uint64_t hash = hash_bytes(key->name, strlen(key->name), 0);
	struct history *history = &reading->history;
	uint32_t found = intern_map_find(&reading->by_name, hash, same_series, history, key);
	void *items = history->series;
	struct history_series series;

	if (found != 0) {
		*ret_series = &history->series[found - 1];
		return 0;
	}
	if (grow_array(&items, &reading->series_capacity, history->series_count + 1, sizeof(series),
		       HISTORY_SERIES_MAX) < 0)
		return -ERR_LIMIT;
	history->series = items;
	series = (struct history_series){.name = mem_copy_text(key->name),
					 .unit = mem_copy_text(key->unit),
					 .python = mem_copy_text(key->python),
					 .machine = mem_copy_text(key->machine)};
	if (series.name == NULL || series.unit == NULL || series.python == NULL ||
	    series.machine == NULL ||
	    intern_map_insert(&reading->by_name, hash, (uint32_t)history->series_count + 1) < 0) {
		series_release(&series);
		return -ERR_MEMORY;
	}
	history->series[history->series_count] = series;
	*ret_series = &history->series[history->series_count++];
	return 0;
}

static int add_point(struct reading *reading, const struct bench_results *results,
		     const struct benchmark *benchmark)
{
	const char *python = bench_results_fact_of(results, "python");
	const char *machine = bench_results_fact_of(results, "hostname");
	char *name = benchmark_full_name(benchmark);
	struct history_series *series = NULL;
	struct summary summary = {0};
	size_t capacity;
	void *items;
	int r = name == NULL ? -ERR_MEMORY : benchmark_summary(benchmark, &summary);

	if (machine == NULL)
		machine = bench_results_fact_of(results, "machine_name");
	if (r < 0 || summary.n == 0) {
		mem_free(name);
		return r;
	}
	r = find_series(reading,
			&(struct series_key){name, benchmark->unit, python != NULL ? python : "",
					     machine != NULL ? machine : ""},
			&series);
	mem_free(name);
	if (r < 0)
		return r;
	capacity = series->count;
	items = series->points;
	if (grow_array(&items, &capacity, series->count + 1, sizeof(*series->points), 0) < 0)
		return -ERR_MEMORY;
	series->points = items;
	series->points[series->count++] = (struct history_point){
	    .file = reading->history.file_count - 1, .median = summary.median};
	return 0;
}

static char *label_of(const struct bench_results *results, const char *path)
{
	const char *commit = bench_results_fact_of(results, "commit");
	const char *slash = strrchr(path, '/');
	char text[LABEL_BYTES + 1];

	if (commit == NULL || *commit == '\0')
		return mem_copy_text(slash != NULL ? slash + 1 : path);
	snprintf(text, sizeof(text), "%s", commit);
	return mem_copy_text(text);
}

static int add_results(struct reading *reading, const struct bench_results *results,
		       const char *path)
{
	struct history_file file = {.created_s = results->created_s};
	void *items = reading->history.files;
	int r = grow_array(&items, &reading->file_capacity, reading->history.file_count + 1,
			   sizeof(file), HISTORY_FILES_MAX);

	if (r < 0)
		return r;
	reading->history.files = items;
	file.path = mem_copy_text(path);
	file.label = label_of(results, path);
	if (file.path == NULL || file.label == NULL) {
		mem_free(file.path);
		mem_free(file.label);
		return -ERR_MEMORY;
	}
	reading->history.files[reading->history.file_count++] = file;
	for (size_t i = 0; r == 0 && i < results->benchmark_count; i++)
		r = add_point(reading, results, &results->benchmarks[i]);
	return r;
}

static int skip(struct reading *reading, const struct err *fault)
{
	char text[sizeof(fault->what) + sizeof(fault->why) + 4];

	reading->history.skipped++;
	if (reading->history.skipped_text != NULL)
		return 0;
	snprintf(text, sizeof(text), "%s: %s", fault->what, fault->why);
	reading->history.skipped_text = mem_copy_text(text);
	return reading->history.skipped_text == NULL ? -ERR_MEMORY : 0;
}

static int add_file(struct reading *reading, const char *path, bool named)
{
	struct bench_results *results = NULL;
	struct err fault = {0};
	int r = bench_results_read(path, &results, NULL, &fault);

	if (r < 0) {
		if (!named && r != -ERR_MEMORY)
			return skip(reading, &fault);
		if (reading->err != NULL)
			*reading->err = fault;
		return r;
	}
	r = add_results(reading, results, path);
	bench_results_free(results);
	if (r == -ERR_LIMIT) {
		r = err_set(reading->err, ERR_USAGE, "the history is too long");
		err_why(reading->err, "at most %d files with %d benchmarks in all are read",
			HISTORY_FILES_MAX, HISTORY_SERIES_MAX);
		err_next(reading->err, "name the newest ones");
	} else if (r < 0) {
		r = err_set(reading->err, (enum err_code) - r, "no memory to read the history");
	}
	return r;
}

/* ---- Folders ---- */

static int is_json_or_folder(const struct dirent *item)
{
	size_t length = strlen(item->d_name);

	if (item->d_name[0] == '.')
		return 0;
	return item->d_type == DT_DIR || item->d_type == DT_UNKNOWN || item->d_type == DT_LNK ||
	       (length > 5 && strcmp(item->d_name + length - 5, ".json") == 0);
}

static int add_path(struct reading *reading, const char *path, int depth);

static int add_folder(struct reading *reading, const char *path, int depth)
{
	struct dirent **items = NULL;
	int count = scandir(path, &items, is_json_or_folder, alphasort), r = 0;
	char child[4096];

	if (count < 0)
		return err_set_errno(reading->err, ERR_FILE, errno, "%s can't be read", path);
	for (int i = 0; i < count; i++) {
		/* asv's own lists beside its results. */
		bool other = strcmp(items[i]->d_name, "benchmarks.json") == 0 ||
			     strcmp(items[i]->d_name, "machine.json") == 0;
		int length = snprintf(child, sizeof(child), "%s/%s", path, items[i]->d_name);

		free(items[i]);
		if (r == 0 && !other && length < (int)sizeof(child))
			r = add_path(reading, child, depth + 1);
	}
	free(items);
	return r;
}

static int add_path(struct reading *reading, const char *path, int depth)
{
	size_t length = strlen(path);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return depth < HISTORY_DEPTH_MAX ? add_folder(reading, path, depth) : 0;
	if (depth > 0 && (length <= 5 || strcmp(path + length - 5, ".json") != 0))
		return 0;
	return add_file(reading, path, depth == 0);
}

/* ---- In order of time, and where it changed ---- */

static int by_time(const void *a, const void *b, void *files)
{
	const struct history_file *x = (struct history_file *)files + *(const size_t *)a;
	const struct history_file *y = (struct history_file *)files + *(const size_t *)b;

	if (isnan(x->created_s) != isnan(y->created_s))
		return isnan(x->created_s) ? 1 : -1;
	if (!isnan(x->created_s) && x->created_s != y->created_s)
		return x->created_s < y->created_s ? -1 : 1;
	return strcmp(x->path, y->path);
}

static int by_file(const void *a, const void *b)
{
	size_t x = ((const struct history_point *)a)->file;
	size_t y = ((const struct history_point *)b)->file;

	return x < y ? -1 : x > y;
}

static int sort_files(struct history *history)
{
	size_t count = history->file_count;
	size_t *order = mem_zalloc(count + 1, sizeof(*order));
	size_t *rank = mem_zalloc(count + 1, sizeof(*rank));
	struct history_file *files = mem_zalloc(count + 1, sizeof(*files));

	if (order == NULL || rank == NULL || files == NULL) {
		mem_free(order);
		mem_free(rank);
		mem_free(files);
		return -ERR_MEMORY;
	}
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), by_time, history->files);
	for (size_t i = 0; i < count; i++) {
		files[i] = history->files[order[i]];
		rank[order[i]] = i;
	}
	for (size_t i = 0; i < history->series_count; i++) {
		struct history_series *series = &history->series[i];

		for (size_t k = 0; k < series->count; k++)
			series->points[k].file = rank[series->points[k].file];
		qsort(series->points, series->count, sizeof(*series->points), by_file);
	}
	mem_free(history->files);
	history->files = files;
	mem_free(order);
	mem_free(rank);
	return 0;
}

static int find_changes(struct history_series *series, struct err *err)
{
	double *medians;
	int r;

	/* One file may have a benchmark twice; more than there are files says nothing in time. */
	if (series->count > CHANGE_VALUES_MAX)
		return 0;
	medians = mem_zalloc(series->count + 1, sizeof(*medians));
	if (medians == NULL)
		return err_set(err, ERR_MEMORY, "no memory to read the history");
	for (size_t i = 0; i < series->count; i++)
		medians[i] = series->points[i].median;
	r = change_points_find(medians, series->count, HISTORY_ALPHA, 1, &series->changes,
			       &series->change_count, err);
	mem_free(medians);
	return r;
}

int history_read(char *const *paths, size_t count, struct history *ret_history, struct err *err)
{
	struct reading reading = {.err = err};
	struct history *history = &reading.history;
	int r = 0;

	intern_map_init(&reading.by_name, HISTORY_SERIES_MAX);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_path(&reading, paths[i], 0);
	intern_map_release(&reading.by_name);
	if (r == 0 && history->file_count == 0) {
		r = err_set(err, ERR_TOO_LITTLE, "there are no benchmark results in %s", paths[0]);
		err_why(err, "%s",
			history->skipped_text != NULL ? history->skipped_text
						      : "no *.json lies there");
		err_next(err, "pyrometer bench --json -o results.json TARGET");
	}
	if (r == 0 && sort_files(history) < 0)
		r = err_set(err, ERR_MEMORY, "no memory to read the history");
	for (size_t i = 0; r == 0 && i < history->series_count; i++)
		r = find_changes(&history->series[i], err);
	if (r < 0) {
		history_release(history);
		return r;
	}
	*ret_history = *history;
	return 0;
}
