/* Thread states, native ids and names against what the target says; circles in images. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/threads.h"
#include "walk_truth.h"

#define NAMES_MAX 256

struct names {
	struct {
		uint64_t ident;
		char text[1024];
	} items[NAMES_MAX];
	size_t count;
};

static void take_name(void *context, uint64_t ident, const char *name)
{
	struct names *names = context;

	assert_true(names->count < NAMES_MAX);
	names->items[names->count].ident = ident;
	snprintf(names->items[names->count++].text, sizeof(names->items[0].text), "%s", name);
}

static void check_thread(struct truth *truth, const struct python_thread *threads, size_t count,
			 const struct names *names)
{
	uint64_t ident = truth_u64(truth, 1), native_id = truth_u64(truth, 2);
	const char *name = truth_text(truth, 3);
	size_t states = 0, named = 0;

	for (size_t i = 0; i < count; i++) {
		if (threads[i].ident != ident || threads[i].interp_id != 0)
			continue;
		assert_int_equal(threads[i].native_id, native_id);
		states++;
	}
	for (size_t i = 0; i < names->count; i++) {
		if (names->items[i].ident != ident)
			continue;
		assert_string_equal(names->items[i].text, name);
		named++;
	}
	assert_int_equal(states, 1);
	assert_int_equal(named, 1);
}

static bool has_interpreter(const struct python_thread *threads, size_t count, int64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (threads[i].interp_id == id)
			return true;
	return false;
}

static void check_threads(struct truth *truth)
{
	static struct names names;
	struct runtime runtime = {.layout = *truth->layout, .address = truth->runtime};
	struct python_thread *threads = NULL;
	size_t count = 0, told = 0, of_main = 0, interpreters = 0;
	int64_t ids[8];
	struct err err = {0};

	while (truth_next(truth) && truth->fields[0][0] != 'T')
		if (truth->fields[0][0] == 'P' && interpreters < 8)
			ids[interpreters++] = truth_i64(truth, 1);
	names.count = 0;
	if (python_threads_list(&truth->memory, &runtime, &threads, &count, &err) ||
	    python_thread_names(&truth->memory, &runtime, take_name, &names, &err))
		fail_msg("%s: %s: %s", truth->python.path, err.what, err.why);
	do {
		check_thread(truth, threads, count, &names);
		told++;
	} while (truth_next(truth));
	for (size_t i = 0; i < count; i++)
		of_main += threads[i].interp_id == 0;
	assert_int_equal(of_main, told);
	assert_int_equal(names.count, told);
	assert_true(told >= 9 && interpreters >= 1);
	/* From 3.12 on an interpreter in which nothing runs has no thread state. */
	if (truth->layout->gil_in_runtime)
		for (size_t i = 0; i < interpreters; i++)
			assert_true(has_interpreter(threads, count, ids[i]));
	print_message("    %zu thread states, %zu names, %zu interpreters\n", count, names.count,
		      interpreters);
	mem_free(threads);
}

static void threads_and_names_are_what_the_target_says(void **state)
{
	(void)state;
	truth_for_each("threads", "", check_threads);
}

/* ---- another PID namespace, as in a container ---- */

static void check_inside_namespace(struct truth *truth)
{
	struct runtime runtime = {.layout = *truth->layout, .address = truth->runtime};
	struct python_thread *threads = NULL;
	size_t count = 0, inside_ids = 0;
	char path[64];

	while (truth_next(truth) && truth->fields[0][0] != 'T')
		;
	assert_int_equal(truth_u64(truth, 2), 1); /* its own name for its main thread */
	assert_int_equal(python_threads_list(&truth->memory, &runtime, &threads, &count, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		if (threads[i].interp_id != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%llu", (int)truth->pid,
			 (unsigned long long)threads[i].native_id);
		assert_int_equal(access(path, F_OK), 0);
		inside_ids++;
		if (threads[i].ident == truth_u64(truth, 1))
			assert_int_equal(threads[i].native_id, truth->pid);
	}
	assert_true(inside_ids >= 9);
	mem_free(threads);
}

static void native_ids_of_another_pid_namespace_become_ours(void **state)
{
	static struct truth_pythons pythons;
	int ours = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	(void)state;
	truth_find(&pythons);
	for (size_t i = 0; i < pythons.count; i++) {
		struct truth truth;

		if (unshare(CLONE_NEWPID) != 0) {
			close(ours);
			skip(); /* only root may make namespaces */
		}
		pythons.items[i].section = "threads";
		if (truth_start(&truth, &pythons.items[i]))
			check_inside_namespace(&truth);
		truth_stop(&truth);
		assert_int_equal(setns(ours, CLONE_NEWPID), 0);
	}
	close(ours);
}

/* ---- images: a runtime, interpreters and thread states as words ---- */

#define BASE 0x10000000ull
#define IMAGE_SIZE (1u << 20)
#define INTERP(n) (BASE + 0x80000 + 0x40000ull * (n))
#define TSTATE(n) (BASE + 0x40000 + 0x1000ull * (n))

struct image {
	uint8_t *bytes;
	struct remote_segment segment;
	struct remote_memory memory;
	struct runtime runtime;
};

static void put(struct image *image, uint64_t address, int32_t offset, uint64_t word)
{
	memcpy(image->bytes + (address + (uint64_t)offset - BASE), &word, sizeof(word));
}

static void put_tstate(struct image *image, uint64_t tstate, uint64_t interp, uint64_t prev,
		       uint64_t next)
{
	const struct layout_offsets *at = &image->runtime.layout.at;

	put(image, tstate, at->tstate_interp, interp);
	put(image, tstate, at->tstate_prev, prev);
	put(image, tstate, at->tstate_next, next);
	put(image, tstate, at->tstate_thread_id, tstate);
}

/* One interpreter with `count` thread states in a row. */
static void image_init(struct image *image, int minor, uint64_t count)
{
	const struct layout_offsets *at;

	image->runtime = (struct runtime){.layout = *layout_for_minor(minor)};
	at = &image->runtime.layout.at;
	image->runtime.address.v = BASE;
	image->bytes = calloc(1, IMAGE_SIZE);
	image->segment = (struct remote_segment){BASE, image->bytes, IMAGE_SIZE};
	remote_memory_init_image(&image->memory, &image->segment, 1);
	put(image, BASE, at->runtime_interpreters_head, INTERP(0));
	put(image, BASE, at->runtime_interpreters_main, INTERP(0));
	put(image, INTERP(0), at->interp_threads_head, TSTATE(0));
	for (uint64_t i = 0; i < count; i++)
		put_tstate(image, TSTATE(i), INTERP(0), i ? TSTATE(i - 1) : 0,
			   i + 1 < count ? TSTATE(i + 1) : 0);
}

static int list_image(const struct image *image, size_t *ret_count)
{
	struct python_thread *threads = NULL;
	int error = python_threads_list(&image->memory, &image->runtime, &threads, ret_count, NULL);

	mem_free(threads);
	return error;
}

static void circles_and_broken_links_are_torn(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct image image;
		const struct layout_offsets *at;
		size_t count = 0;

		image_init(&image, minor, 4);
		at = &image.runtime.layout.at;
		assert_int_equal(list_image(&image, &count), 0);
		assert_int_equal(count, 4);
		put(&image, TSTATE(3), at->tstate_next, TSTATE(1)); /* back into the row */
		assert_int_equal(list_image(&image, &count), -ERR_TORN);
		put(&image, TSTATE(3), at->tstate_next, TSTATE(3)); /* itself */
		assert_int_equal(list_image(&image, &count), -ERR_TORN);
		put(&image, TSTATE(3), at->tstate_next, TSTATE(3) + 1); /* not aligned */
		assert_int_equal(list_image(&image, &count), -ERR_TORN);
		put(&image, TSTATE(3), at->tstate_next, 0x7000); /* not there */
		assert_int_equal(list_image(&image, &count), -ERR_UNREADABLE);
		put(&image, TSTATE(3), at->tstate_next, 0);
		put(&image, TSTATE(2), at->tstate_interp, INTERP(1)); /* of nobody */
		assert_int_equal(list_image(&image, &count), -ERR_TORN);
		put(&image, TSTATE(2), at->tstate_interp, INTERP(0));
		put(&image, INTERP(0), at->interp_next, INTERP(0)); /* interpreters in a circle */
		assert_int_equal(list_image(&image, &count), -ERR_TORN);
		put(&image, INTERP(0), at->interp_next, 0);
		assert_int_equal(list_image(&image, &count), 0);
		free(image.bytes);
	}
}

/* Two states that point at each other through an honest-looking prev: the head's has to be 0. */
static void a_ring_without_a_head_is_torn(void **state)
{
	struct image image;
	size_t count;

	(void)state;
	image_init(&image, 11, 2);
	put_tstate(&image, TSTATE(0), INTERP(0), TSTATE(1), TSTATE(1));
	put_tstate(&image, TSTATE(1), INTERP(0), TSTATE(0), TSTATE(0));
	assert_int_equal(list_image(&image, &count), -ERR_TORN);
	free(image.bytes);
}

static void no_interpreter_yet_has_no_names(void **state)
{
	struct image image;

	(void)state;
	image_init(&image, 12, 1);
	assert_int_equal(python_thread_names(&image.memory, &image.runtime, take_name, NULL, NULL),
			 -ERR_TOO_LITTLE);
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_and_names_are_what_the_target_says),
	    cmocka_unit_test(native_ids_of_another_pid_namespace_become_ours),
	    cmocka_unit_test(circles_and_broken_links_are_torn),
	    cmocka_unit_test(a_ring_without_a_head_is_torn),
	    cmocka_unit_test(no_interpreter_yet_has_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
