/* Objects against what the target says of them: strings, numbers, dicts, attributes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/object.h"
#include "walk_truth.h"

static void check_str(struct truth *truth)
{
	struct raddr object = {truth_u64(truth, 1)};
	const char *want = truth_text(truth, 2);
	char *text = NULL;
	int64_t number;

	assert_int_equal(
	    object_read_str(&truth->memory, truth->layout, object, 1 << 20, &text, NULL), 0);
	assert_string_equal(text, want);
	mem_free(text);
	assert_int_equal(object_read_int(&truth->memory, truth->layout, object, &number),
			 -ERR_TORN);
	for (size_t max = 0; max < 12; max++) { /* cut at a boundary, a prefix */
		assert_int_equal(
		    object_read_str(&truth->memory, truth->layout, object, max, &text, NULL), 0);
		assert_true(strlen(text) <= max && strncmp(text, want, strlen(text)) == 0);
		assert_true((want[strlen(text)] & 0xc0) != 0x80);
		mem_free(text);
	}
}

static void check_int(struct truth *truth)
{
	struct raddr object = {truth_u64(truth, 1)};
	int64_t number = 0;
	char *text = NULL;

	assert_int_equal(object_read_int(&truth->memory, truth->layout, object, &number), 0);
	assert_int_equal(number, truth_i64(truth, 2));
	assert_int_equal(object_read_str(&truth->memory, truth->layout, object, 100, &text, NULL),
			 -ERR_TORN);
}

static void check_bytes(struct truth *truth)
{
	struct raddr object = {truth_u64(truth, 1)};
	size_t want = (size_t)truth_u64(truth, 2), size = 0;
	uint8_t *bytes = NULL;

	assert_int_equal(
	    object_read_bytes(&truth->memory, truth->layout, object, want, &bytes, &size, NULL), 0);
	assert_int_equal(size, want);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], i % 256);
	mem_free(bytes);
	if (want > 0)
		assert_int_equal(object_read_bytes(&truth->memory, truth->layout, object, want - 1,
						   &bytes, &size, NULL),
				 -ERR_LIMIT);
}

static void check_type_name(struct truth *truth)
{
	struct raddr object = {truth_u64(truth, 1)};
	char name[512], cut[4];

	assert_int_equal(
	    object_type_name(&truth->memory, truth->layout, object, name, sizeof(name)), 0);
	assert_string_equal(name, truth->fields[2]);
	assert_int_equal(object_type_name(&truth->memory, truth->layout, object, cut, sizeof(cut)),
			 0);
	assert_int_equal(strlen(cut), strlen(name) < 3 ? strlen(name) : 3);
}

static void check_attribute(struct truth *truth)
{
	struct raddr object = {truth_u64(truth, 1)}, value = {1};

	if (object_attribute(&truth->memory, truth->layout, object, truth->fields[2], &value))
		fail_msg("%s: attribute %s could not be read", truth->python.path,
			 truth->fields[2]);
	if (value.v != truth_u64(truth, 3))
		fail_msg("%s: attribute %s is %llx, not %llx", truth->python.path, truth->fields[2],
			 (unsigned long long)value.v, (unsigned long long)truth_u64(truth, 3));
}

/* Dicts are compared item by item in order: D says how many, K lines follow. */
#define ITEMS_MAX 100000
struct items {
	struct raddr pairs[ITEMS_MAX][2];
	size_t count;
};

static int collect(void *context, struct raddr key, struct raddr value)
{
	struct items *items = context;

	assert_true(items->count < ITEMS_MAX);
	items->pairs[items->count][0] = key;
	items->pairs[items->count++][1] = value;
	return 0;
}

static int stop_at_third(void *context, struct raddr key, struct raddr value)
{
	size_t *count = context;

	(void)key, (void)value;
	return ++*count == 3 ? 7 : 0;
}

static void check_dict(struct truth *truth, struct items *items)
{
	struct raddr dict = {truth_u64(truth, 1)};
	size_t want = (size_t)truth_u64(truth, 2), told = 0;

	items->count = 0;
	assert_int_equal(
	    object_dict_each(&truth->memory, truth->layout, dict, ITEMS_MAX, collect, items), 0);
	assert_int_equal(items->count, want);
	if (want >= 3) {
		assert_int_equal(object_dict_each(&truth->memory, truth->layout, dict, ITEMS_MAX,
						  stop_at_third, &told),
				 7);
		told = 0;
		assert_int_equal(
		    object_dict_each(&truth->memory, truth->layout, dict, 2, stop_at_third, &told),
		    0);
		assert_int_equal(told, 2);
	}
}

/* Addresses inside and between objects: nothing to check but that they end, in errors when odd. */
static void check_garbage(struct truth *truth)
{
	struct raddr value;
	char name[64], *text = NULL;
	int64_t number;

	for (uint64_t shift = 1; shift < 64; shift++) {
		struct raddr object = {truth_u64(truth, 1) + shift};
		int error = object_attribute(&truth->memory, truth->layout, object, "x", &value);

		assert_true(error <= 0 && (shift % 8 == 0 || error < 0));
		if (object_read_str(&truth->memory, truth->layout, object, 64, &text, NULL) == 0)
			mem_free(text);
		object_read_int(&truth->memory, truth->layout, object, &number);
		object_type_name(&truth->memory, truth->layout, object, name, sizeof(name));
	}
}

static void check_no_object(struct truth *truth)
{
	int64_t number;

	assert_int_equal(object_read_int(&truth->memory, truth->layout, (struct raddr){0}, &number),
			 -ERR_TORN);
	assert_int_equal(object_read_int(&truth->memory, truth->layout, (struct raddr){8}, &number),
			 -ERR_UNREADABLE);
}

static void check_objects(struct truth *truth)
{
	static struct items items;
	size_t at = 0, lines[128] = {0};

	while (truth_next(truth)) {
		lines[truth->fields[0][0] & 127]++;
		if (truth->fields[0][0] == 'Y' || truth->fields[0][0] == 'I')
			check_garbage(truth);
		switch (truth->fields[0][0]) {
		case 'S':
			check_str(truth);
			break;
		case 'I':
			check_int(truth);
			break;
		case 'B':
			check_bytes(truth);
			break;
		case 'Y':
			check_type_name(truth);
			break;
		case 'A':
			check_attribute(truth);
			break;
		case 'D':
			check_dict(truth, &items);
			at = 0;
			break;
		case 'K':
			assert_int_equal(items.pairs[at][0].v, truth_u64(truth, 1));
			assert_int_equal(items.pairs[at++][1].v, truth_u64(truth, 2));
			break;
		}
	}
	check_no_object(truth);
	assert_true(lines['S'] > 10 && lines['I'] > 15 && lines['B'] > 4 && lines['Y'] > 10 &&
		    lines['A'] > 80 && lines['D'] > 6 && lines['K'] > 70000);
}

static void objects_are_what_the_target_says(void **state)
{
	(void)state;
	truth_for_each("objects", "", check_objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(objects_are_what_the_target_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
