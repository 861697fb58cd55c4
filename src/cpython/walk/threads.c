#include "cpython/walk/threads.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "cpython/walk/object.h"
#include "process/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* glibc (2.17–2.41): nptl/descr.h, struct pthread.tid on x86-64; pthread_self() is the struct's
 * address. */
#define PTHREAD_TID_OFFSET 0x2d0

static struct raddr plus(struct raddr address, int64_t offset)
{
	return (struct raddr){address.v + (uint64_t)offset};
}

/* ---- kernel thread ids ---- */

struct tid_pair {
	pid_t inside; /* as the target's PID namespace names it */
	pid_t ours;
};
struct tid_map {
	struct tid_pair *pairs; /* sorted by inside */
	size_t count;
};

bool python_in_other_pid_namespace(pid_t pid)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	if (stat(path, &theirs) != 0 || stat("/proc/self/ns/pid", &ours) != 0)
		return false;
	return theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev;
}

/* The last number of the line NSpid of a thread's status; `tid` itself when there is none. */
static pid_t innermost_tid(pid_t pid, pid_t tid)
{
	char path[64], line[256];
	pid_t inside = tid;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	file = fopen(path, "re");
	if (!file)
		return tid;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		char *last = strrchr(line, '\t');

		if (last)
			inside = (pid_t)strtol(last, NULL, 10);
		break;
	}
	fclose(file);
	return inside;
}

static int compare_inside(const void *a, const void *b)
{
	pid_t left = ((const struct tid_pair *)a)->inside;
	pid_t right = ((const struct tid_pair *)b)->inside;

	return (left > right) - (left < right);
}

static int tid_map_read(pid_t pid, struct tid_map *map, struct err *err)
{
	bool translate = python_in_other_pid_namespace(pid);
	pid_t *tids;
	size_t count;
	int error = process_threads(pid, &tids, &count, err);

	if (error)
		return error;
	map->pairs = mem_zalloc(count + 1, sizeof(*map->pairs));
	if (!map->pairs) {
		mem_free(tids);
		return err_set(err, ERR_MEMORY, "no memory for the threads of process %d",
			       (int)pid);
	}
	map->count = count;
	for (size_t i = 0; i < count; i++)
		map->pairs[i] =
		    (struct tid_pair){translate ? innermost_tid(pid, tids[i]) : tids[i], tids[i]};
	qsort(map->pairs, count, sizeof(*map->pairs), compare_inside);
	mem_free(tids);
	return 0;
}

static uint64_t tid_map_ours(const struct tid_map *map, uint64_t inside)
{
	struct tid_pair key = {(pid_t)inside, 0};
	const struct tid_pair *found;

	if (inside == 0 || inside > INT32_MAX)
		return 0;
	found = bsearch(&key, map->pairs, map->count, sizeof(*map->pairs), compare_inside);
	return found ? (uint64_t)found->ours : 0;
}

pid_t python_thread_id_outside(pid_t pid, pid_t inside)
{
	pid_t *tids, found = 0;
	size_t count;

	if (inside <= 0 || process_threads(pid, &tids, &count, NULL) < 0)
		return 0;
	for (size_t i = 0; i < count && !found; i++)
		if (innermost_tid(pid, tids[i]) == inside)
			found = tids[i];
	mem_free(tids);
	return found;
}

uint32_t python_thread_id_of_pthread(const struct remote_memory *memory, uint64_t pthread)
{
	uint32_t tid;

	if (pthread == 0 ||
	    remote_read_u32(memory, (struct raddr){pthread + PTHREAD_TID_OFFSET}, &tid) ||
	    tid > INT32_MAX)
		return 0;
	return tid;
}

/* An image has no threads to compare with: what it says is taken. */
static void fill_native_id(const struct remote_memory *memory, const struct tid_map *map,
			   uint64_t stated, struct python_thread *thread)
{
	bool live = memory->pid != 0;
	uint64_t tid = live ? tid_map_ours(map, stated) : stated;

	if (tid == 0) {
		uint64_t other = python_thread_id_of_pthread(memory, thread->ident);

		tid = live ? tid_map_ours(map, other) : other;
	}
	thread->native_id = tid;
}

/* ---- interpreters and thread states ---- */

static bool is_listed(const struct raddr *interps, size_t count, struct raddr interp)
{
	for (size_t i = 0; i < count; i++)
		if (interps[i].v == interp.v)
			return true;
	return false;
}

/* The main interpreter first, then the others as they are linked; at most INTERPRETERS_MAX. */
static int list_interpreters(const struct remote_memory *memory, const struct runtime *runtime,
			     struct raddr interps[INTERPRETERS_MAX], size_t *ret_count)
{
	const struct layout_offsets *at = &runtime->layout.at;
	struct raddr interp, main_interp = {0};
	size_t count = 0;
	int error = remote_read_raddr(memory, plus(runtime->address, at->runtime_interpreters_head),
				      &interp);

	if (error)
		return error;
	while (interp.v != 0 && count < INTERPRETERS_MAX) {
		if (interp.v % 8 != 0 || is_listed(interps, count, interp))
			return -ERR_TORN;
		interps[count++] = interp;
		error = remote_read_raddr(memory, plus(interp, at->interp_next), &interp);
		if (error)
			return error;
	}
	error = remote_read_raddr(memory, plus(runtime->address, at->runtime_interpreters_main),
				  &main_interp);
	if (error)
		return error;
	for (size_t i = 1; i < count; i++) {
		if (interps[i].v != main_interp.v)
			continue;
		memmove(interps + 1, interps, i * sizeof(*interps));
		interps[0] = main_interp;
	}
	*ret_count = count;
	return 0;
}

struct thread_list {
	struct python_thread *threads;
	size_t count, capacity;
};

static int list_add(struct thread_list *list, const struct python_thread *thread)
{
	int error = grow_array((void **)&list->threads, &list->capacity, list->count + 1,
			       sizeof(*list->threads), THREADS_MAX);

	if (!error)
		list->threads[list->count++] = *thread;
	return error;
}

/* One thread state: its links must agree with the way we came, which also cuts circles. */
static int read_thread(const struct remote_memory *memory, const struct layout *layout,
		       const struct tid_map *map, struct raddr previous,
		       struct python_thread *thread, struct raddr *ret_next)
{
	const struct layout_offsets *at = &layout->at;
	struct raddr back, interp;
	uint64_t stated = 0;
	int error;

	if ((error = remote_read_raddr(memory, plus(thread->tstate, at->tstate_prev), &back)) ||
	    (error = remote_read_raddr(memory, plus(thread->tstate, at->tstate_interp), &interp)) ||
	    (error = remote_read_raddr(memory, plus(thread->tstate, at->tstate_next), ret_next)) ||
	    (error = remote_read_u64(memory, plus(thread->tstate, at->tstate_thread_id),
				     &thread->ident)))
		return error;
	if (back.v != previous.v || interp.v != thread->interp.v)
		return -ERR_TORN;
	if (at->tstate_native_thread_id >= 0) {
		error = remote_read_u64(memory, plus(thread->tstate, at->tstate_native_thread_id),
					&stated);
		if (error)
			return error;
	}
	fill_native_id(memory, map, stated, thread);
	return 0;
}

static int list_threads_of(const struct remote_memory *memory, const struct layout *layout,
			   const struct tid_map *map, struct raddr interp, struct thread_list *list)
{
	struct python_thread thread = {.interp = interp};
	struct raddr next, previous = {0};
	uint64_t id;
	int error = remote_read_u64(memory, plus(interp, layout->at.interp_id), &id);

	if (!error)
		error =
		    remote_read_raddr(memory, plus(interp, layout->at.interp_threads_head), &next);
	if (error)
		return error;
	thread.interp_id = (int64_t)id;
	while (next.v != 0 && list->count < THREADS_MAX) {
		thread.tstate = next;
		error = read_thread(memory, layout, map, previous, &thread, &next);
		if (!error)
			error = list_add(list, &thread);
		if (error)
			return error;
		previous = thread.tstate;
	}
	return 0;
}

int python_threads_list(const struct remote_memory *memory, const struct runtime *runtime,
			struct python_thread **ret_threads, size_t *ret_count, struct err *err)
{
	struct raddr interps[INTERPRETERS_MAX];
	struct thread_list list = {0};
	struct tid_map map = {0};
	size_t interp_count = 0;
	int error = 0;

	if (memory->pid != 0) {
		error = tid_map_read(memory->pid, &map, err);
		if (error)
			return error;
	}
	error = list_interpreters(memory, runtime, interps, &interp_count);
	for (size_t i = 0; !error && i < interp_count; i++)
		error = list_threads_of(memory, &runtime->layout, &map, interps[i], &list);
	mem_free(map.pairs);
	if (error) {
		mem_free(list.threads);
		err_set(err, (enum err_code) - error, "the list of Python threads can't be read");
		err_why(err, "%s", error == -ERR_TORN ? "it changed while it was read" : "");
		return error;
	}
	*ret_threads = list.threads;
	*ret_count = list.count;
	return 0;
}

/* ---- names ---- */

struct name_walk {
	const struct remote_memory *memory;
	const struct layout *layout;
	struct u64_map told;
	python_thread_name_fn name;
	void *context;
};

/* An entry of threading._active; one that can't be read (it may just have ended) is left out. */
static int tell_thread(void *context, struct raddr key, struct raddr value)
{
	struct name_walk *walk = context;
	struct raddr name;
	int64_t ident;
	uint64_t seen;
	char *text;
	int error;

	if (object_read_int(walk->memory, walk->layout, key, &ident) || ident <= 0)
		return 0;
	if (u64_map_get(&walk->told, (uint64_t)ident, &seen))
		return 0;
	if (object_attribute(walk->memory, walk->layout, value, "_name", &name) || name.v == 0)
		return 0;
	if (object_read_str(walk->memory, walk->layout, name, THREAD_NAME_MAX, &text, NULL))
		return 0;
	error = u64_map_put(&walk->told, (uint64_t)ident, 1);
	if (!error)
		walk->name(walk->context, (uint64_t)ident, text);
	mem_free(text);
	return error;
}

/* sys.modules["threading"]._active of one interpreter; -ERR_TOO_LITTLE when it is not imported. */
static int tell_threads_of(struct name_walk *walk, struct raddr interp)
{
	struct raddr modules, threading = {0}, active = {0};
	int32_t offset = walk->layout->at.interp_modules;
	int error;

	if (offset < 0)
		return -ERR_CANNOT_TELL;
	error = remote_read_raddr(walk->memory, plus(interp, offset), &modules);
	if (error)
		return error;
	if (modules.v == 0)
		return -ERR_TOO_LITTLE;
	error = object_dict_find(walk->memory, walk->layout, modules, "threading", &threading);
	if (!error && threading.v == 0)
		return -ERR_TOO_LITTLE;
	if (!error)
		error = object_attribute(walk->memory, walk->layout, threading, "_active", &active);
	if (!error && active.v == 0)
		return -ERR_TOO_LITTLE;
	if (!error)
		error = object_dict_each(walk->memory, walk->layout, active, THREADS_MAX,
					 tell_thread, walk);
	return error;
}

int python_thread_names(const struct remote_memory *memory, const struct runtime *runtime,
			python_thread_name_fn name, void *context, struct err *err)
{
	struct name_walk walk = {memory, &runtime->layout, {0}, name, context};
	struct raddr interps[INTERPRETERS_MAX];
	size_t count = 0;
	int worst = -ERR_TOO_LITTLE, error;

	u64_map_init(&walk.told, THREADS_MAX * 2);
	error = list_interpreters(memory, runtime, interps, &count);
	/* One interpreter's answer is an answer; a failure counts only where there is none. */
	for (size_t i = 0; !error && i < count; i++) {
		int one = tell_threads_of(&walk, interps[i]);

		if (one == 0)
			worst = 0;
		else if (worst != 0 && one != -ERR_TOO_LITTLE)
			worst = one;
	}
	u64_map_release(&walk.told);
	if (!error)
		error = worst;
	if (error == -ERR_TOO_LITTLE)
		err_set(err, ERR_TOO_LITTLE, "no module threading is imported in the target");
	else if (error)
		err_set(err, (enum err_code) - error,
			"the names of the Python threads can't be read");
	return error;
}
