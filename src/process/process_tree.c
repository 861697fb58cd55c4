/* Threads and children of a process, by listing /proc. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/proc_text.h"
#include "process/process.h"

#define CHILDREN_TEXT_MAX 65536 /* of one thread: some 8,000 children */

struct pid_list {
	pid_t *items;
	size_t count, capacity, maximum;
};

static int list_add(struct pid_list *list, pid_t pid)
{
	int rc = grow_array((void **)&list->items, &list->capacity, list->count + 1, sizeof(pid_t),
			    list->maximum);
	if (rc == 0)
		list->items[list->count++] = pid;
	return rc;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return (left > right) - (left < right);
}

static void list_sort(struct pid_list *list)
{
	size_t kept = 0;

	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof(pid_t), compare_pids);
	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || list->items[kept - 1] != list->items[i])
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static int list_failed(int rc, const char *what, pid_t pid, size_t maximum, struct err *err)
{
	if (rc == -ERR_LIMIT) {
		err_set(err, ERR_LIMIT, "Process %d has too many %s", (int)pid, what);
		err_why(err, "more than %zu", maximum);
	} else {
		err_set(err, ERR_MEMORY, "No memory for the %s of process %d", what, (int)pid);
	}
	return rc;
}

/* All numeric names of a directory. */
static int list_directory(const char *path, struct pid_list *list, int *ret_errno)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int rc = 0;

	*ret_errno = 0;
	if (!directory) {
		*ret_errno = errno;
		return -ERR_FILE;
	}
	while (rc == 0 && (errno = 0, entry = readdir(directory))) {
		struct proc_cursor cursor = {entry->d_name, entry->d_name + strlen(entry->d_name)};
		uint64_t number;

		if (proc_take_u64(&cursor, &number) && cursor.at == cursor.end &&
		    number <= INT32_MAX)
			rc = list_add(list, (pid_t)number);
	}
	if (rc == 0 && errno != 0) {
		*ret_errno = errno; /* the process ended in mid-listing: ENOENT or ESRCH */
		rc = -ERR_FILE;
	}
	closedir(directory);
	return rc;
}

int process_threads(pid_t pid, pid_t **ret_tids, size_t *ret_count, struct err *err)
{
	struct pid_list list = {.maximum = PROCESS_THREADS_MAX};
	char path[64];
	int errno_value;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	int rc = list_directory(path, &list, &errno_value);
	if (rc == -ERR_FILE)
		rc = err_set_errno(err, errno_value == ENOENT ? ERR_NO_PROCESS : ERR_FILE,
				   errno_value, "Can't list the threads of process %d", (int)pid);
	else if (rc < 0)
		list_failed(rc, "threads", pid, PROCESS_THREADS_MAX, err);
	if (rc < 0) {
		mem_free(list.items);
		return rc;
	}
	list_sort(&list);
	*ret_tids = list.items;
	*ret_count = list.count;
	return 0;
}

/* -ERR_FILE: this kernel or this mount has no children file, or it was cut. */
static int children_of_thread(pid_t pid, pid_t tid, struct pid_list *list)
{
	char path[64];
	size_t size;
	uint64_t child;

	char *text = mem_alloc(CHILDREN_TEXT_MAX);
	if (!text)
		return -ERR_MEMORY;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
	int rc = proc_read_file(path, text, CHILDREN_TEXT_MAX, &size, NULL);
	if (rc == 0 && size == CHILDREN_TEXT_MAX)
		rc = -ERR_FILE;
	if (rc == 0) {
		struct proc_cursor cursor = {text, text + size};
		while (rc == 0 && proc_take_u64(&cursor, &child) && child <= INT32_MAX)
			rc = list_add(list, (pid_t)child);
	}
	mem_free(text);
	return rc;
}

/* Every process whose parent is `pid`. */
static int children_by_scan(pid_t pid, struct pid_list *children)
{
	struct pid_list all = {.maximum = 4 * 1024 * 1024};
	struct process_stat stat;
	int errno_value;

	int rc = list_directory("/proc", &all, &errno_value);
	for (size_t i = 0; rc == 0 && i < all.count; i++)
		if (process_stat_read(all.items[i], &stat, NULL) == 0 && stat.ppid == pid)
			rc = list_add(children, all.items[i]);
	mem_free(all.items);
	return rc;
}

static bool has_children_file(void)
{
	char text[16];
	size_t size;

	return proc_read_file("/proc/thread-self/children", text, sizeof(text), &size, NULL) == 0;
}

int process_children_scan(pid_t pid, pid_t **ret_pids, size_t *ret_count, struct err *err)
{
	struct pid_list list = {.maximum = PROCESS_CHILDREN_MAX};

	int rc = children_by_scan(pid, &list);
	if (rc < 0) {
		mem_free(list.items);
		return rc == -ERR_FILE
			   ? err_set(err, ERR_FILE, "Can't list /proc")
			   : list_failed(rc, "children", pid, PROCESS_CHILDREN_MAX, err);
	}
	list_sort(&list);
	*ret_pids = list.items;
	*ret_count = list.count;
	return 0;
}

int process_children(pid_t pid, pid_t **ret_pids, size_t *ret_count, struct err *err)
{
	struct pid_list list = {.maximum = PROCESS_CHILDREN_MAX};
	pid_t *tids = NULL;
	size_t tid_count = 0;

	int rc = process_threads(pid, &tids, &tid_count, err);
	if (rc < 0)
		return rc;
	bool scan = !has_children_file();
	for (size_t i = 0; !scan && i < tid_count; i++) {
		rc = children_of_thread(pid, tids[i], &list);
		if (rc == -ERR_NO_PROCESS)
			rc = 0; /* that thread ended; its children have another parent thread now */
		if (rc == -ERR_FILE)
			scan = true;
		else if (rc < 0)
			break;
	}
	mem_free(tids);
	if (scan) {
		mem_free(list.items);
		return process_children_scan(pid, ret_pids, ret_count, err);
	}
	if (rc < 0) {
		mem_free(list.items);
		return list_failed(rc, "children", pid, PROCESS_CHILDREN_MAX, err);
	}
	list_sort(&list);
	*ret_pids = list.items;
	*ret_count = list.count;
	return 0;
}
