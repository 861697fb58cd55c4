/* A diff as people and programs get it. */
#include "report_fixture.h"

#include <jansson.h>

#include "report/diff_view.h"

static struct profile *build(unsigned match, unsigned other, unsigned fresh)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_add(&fixture, fixture.main, "match@/srv/shop/orders.py:44", STATE_ON_CPU, match);
	fixture_add(&fixture, fixture.main, "größte_日本@/srv/shop/orders.py:64", STATE_ON_CPU,
		    other);
	fixture_add(&fixture, fixture.main, "fresh@/srv/shop/new.py:4", STATE_ON_CPU, fresh);
	return fixture_finish(&fixture);
}

typedef int (*write_fn)(const struct diff_view *, FILE *);

static int write_text(const struct diff_view *view, FILE *stream)
{
	return diff_view_write(view, stream, &fixture_plain, NULL);
}

static int write_json(const struct diff_view *view, FILE *stream)
{
	return diff_json_write(view, stream, NULL);
}

static char *compare(const struct profile *a, const struct profile *b, write_fn write)
{
	struct selection everything = {0};
	struct profile_diff diff;
	struct diff_view view = {.a = a,
				 .b = b,
				 .path_a = "a.pyro",
				 .path_b = "b\033[2J.pyro",
				 .selection = &everything,
				 .diff = &diff};
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	assert_int_equal(profile_diff_compute(a, b, &everything, &diff, NULL), 0);
	assert_int_equal(write(&view, stream), 0);
	fclose(stream);
	profile_diff_release(&diff);
	if (getenv("SHOW_REPORT") != NULL)
		printf("%s----\n", text);
	return text;
}

static void changes_are_words_and_signs(void **state)
{
	struct profile *a = build(300, 700, 0), *b = build(500, 300, 200);
	char *text = compare(a, b, write_text);

	(void)state;
	assert_memory_equal(text, "größte_日本 takes less of the run: 70.0 % before, 30.0 % now",
			    strlen("größte_日本 takes less of the run: 70.0 % before, 30.0 % now"));
	assert_contains(text, "+20.0 ±");
	assert_contains(text, "−40.0 ±");
	assert_contains(text, "  more\n");
	assert_contains(text, "  less\n");
	assert_contains(text, "  new\n");
	assert_contains(text, "3 of 3 functions changed beyond chance");
	assert_page_is_sound(text, 80);
	free(text);
	profile_free(a);
	profile_free(b);
}

static void chance_is_called_noise(void **state)
{
	struct profile *a = build(500, 500, 0), *b = build(510, 490, 0);
	char *text = compare(a, b, write_text);

	(void)state;
	assert_memory_equal(text, "No function's share changed beyond chance.", 42);
	assert_contains(text, "  noise\n");
	assert_contains(text, "0 of 2 functions changed beyond chance");
	assert_lacks(text, "  more\n");
	assert_page_is_sound(text, 80);
	free(text);
	profile_free(a);
	profile_free(b);
}

static void json_has_every_function(void **state)
{
	struct profile *a = build(300, 700, 0), *b = build(500, 300, 200);
	char *text = compare(a, b, write_json);
	json_t *root = json_loads(text, 0, NULL), *rows, *row;

	(void)state;
	assert_non_null(root);
	assert_int_equal(json_integer_value(json_object_get(root, "schema_version")), 1);
	rows = json_object_get(root, "functions");
	assert_int_equal(json_array_size(rows), 3);
	row = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "größte_日本");
	assert_string_equal(json_string_value(json_object_get(row, "verdict")), "less");
	assert_true(json_is_true(json_object_get(row, "significant")));
	assert_float_equal(json_number_value(json_object_get(row, "change")), -0.4, 1e-6);
	json_decref(root);
	free(text);
	profile_free(a);
	profile_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_are_words_and_signs),
	    cmocka_unit_test(chance_is_called_noise),
	    cmocka_unit_test(json_has_every_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
