/* Tree, lines with source, threads, processes, JSON. */
#include "report_fixture.h"

#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/json_view.h"
#include "report/lines_view.h"
#include "report/page.h"
#include "report/processes_view.h"
#include "report/threads_view.h"
#include "report/tree_view.h"

enum view { VIEW_TREE, VIEW_LINES, VIEW_THREADS, VIEW_PROCESSES };

static char *show_at(enum view view, const struct profile *profile,
		     const struct selection *selection, size_t limit,
		     const struct terminal *terminal)
{
	static const struct selection everything = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	struct shares shares;
	struct page page;
	int r = 0;

	if (selection == NULL)
		selection = &everything;
	page_init(&page, stream, terminal);
	assert_int_equal(shares_compute(profile, selection, &shares, NULL), 0);
	if (view == VIEW_TREE)
		r = tree_view_write(&page, profile, selection, limit, NULL);
	else if (view == VIEW_LINES)
		r = lines_view_write(&page, profile, &shares, limit, NULL);
	else if (view == VIEW_THREADS)
		r = threads_view_write(&page, profile, selection, limit, NULL);
	else
		(void)processes_view_write(&page, profile, limit, false);
	assert_int_equal(r, 0);
	shares_release(&shares);
	fclose(stream);
	if (getenv("SHOW_REPORT") != NULL)
		printf("%s----\n", text);
	assert_page_is_sound(text, (size_t)terminal->columns);
	return text;
}

static char *show(enum view view, const struct profile *profile, size_t limit)
{
	return show_at(view, profile, NULL, limit, &fixture_plain);
}

static void tree_puts_the_heaviest_branch_first(void **state)
{
	struct profile *profile = fixture_orders();
	char *text = show(VIEW_TREE, profile, 50);
	const char *match = strstr(text, "├ match"), *decode = strstr(text, "JSONDecoder.decode");

	(void)state;
	assert_contains(text, " 100.0 %   0.0 %  (module level)");
	assert_contains(text, " 100.0 %  23.0 %  └ main");
	assert_contains(text, "  38.0 %  38.0 %    ├ match");
	assert_contains(text, "    └ fetch");
	assert_true(match != NULL && decode != NULL && match < decode);
	free(text);
	profile_free(profile);
}

static void tree_tells_what_its_limit_hides(void **state)
{
	struct profile *profile = fixture_orders();
	char *text = show(VIEW_TREE, profile, 3);

	(void)state;
	assert_contains(text, "match");
	assert_lacks(text, "fetch");
	assert_contains(text, "are not shown: --limit N");
	free(text);
	profile_free(profile);
}

static void tree_shows_recursion_as_one_row(void **state)
{
	enum { DEPTH = 3000 };
	struct fixture fixture;
	struct profile *profile;
	struct frame_id fib;
	struct stack_id stack = {0};
	struct profile_sample sample = {
	    .weight_ns = FIXTURE_WEIGHT_NS, .count = 100, .state = STATE_ON_CPU};
	char *text;

	(void)state;
	fixture_start(&fixture);
	fib = fixture_frame(&fixture, "fib@fib.py:3", strlen("fib@fib.py:3"));
	for (int i = 0; i < DEPTH; i++)
		assert_int_equal(profile_builder_stack(fixture.builder, stack, fib, &stack, NULL),
				 0);
	sample.thread = fixture.main;
	sample.stack = stack;
	assert_int_equal(profile_builder_add_sample(fixture.builder, &sample, NULL), 0);
	profile = fixture_finish(&fixture);
	text = show(VIEW_TREE, profile, 10000);
	assert_contains(text, "fib");
	assert_contains(text, " ×3000");
	assert_ptr_equal(strstr(strstr(text, "fib.py") + 1, "fib.py"), NULL);
	free(text);
	profile_free(profile);
}

static void deep_trees_stay_on_the_page(void **state)
{
	struct fixture fixture;
	struct profile *profile;
	char frames[64 * 60] = "", *text;
	struct terminal narrow = {.columns = 50};

	(void)state;
	fixture_start(&fixture);
	for (int i = 0; i < 60; i++)
		snprintf(frames + strlen(frames), 64, "%slevel_%d_日本@/srv/shop/deep.py:%d",
			 i > 0 ? "|" : "", i, i + 1);
	fixture_add(&fixture, fixture.main, frames, STATE_ON_CPU, 100);
	profile = fixture_finish(&fixture);
	text = show(VIEW_TREE, profile, 100);
	assert_contains(text, "level_59");
	free(text);
	free(show_at(VIEW_TREE, profile, NULL, 100, &narrow));
	profile_free(profile);
}

/* A profile whose only file lies in a directory of its own. */
static struct profile *with_source(const char *directory, uint64_t started_unix_ns)
{
	struct fixture fixture;

	fixture_start(&fixture);
	profile_meta_set_text(&profile_builder_meta(fixture.builder)->directory, directory);
	profile_builder_meta(fixture.builder)->started_unix_ns = started_unix_ns;
	fixture_add(&fixture, fixture.main, "f@hot.py:4", STATE_ON_CPU, 700);
	fixture_add(&fixture, fixture.main, "f@hot.py:5|g@hot.py:90", STATE_ON_CPU, 100);
	fixture_add(&fixture, fixture.main, "h@<string>:1", STATE_ON_CPU, 200);
	return fixture_finish(&fixture);
}

static void lines_show_their_source_and_its_heat(void **state)
{
	char directory[] = "/tmp/pyrometer-lines-XXXXXX", path[64];
	struct stat status;
	struct profile *profile;
	FILE *file;
	char *text;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/hot.py", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("import os\n\ndef f(x):\n\tif x \033[31m in seen:  # größer\r\n"
	      "        return g(x)\n",
	      file);
	fclose(file);
	assert_int_equal(stat(path, &status), 0);

	profile = with_source(directory, ((uint64_t)status.st_mtim.tv_sec + 10) * 1000000000u);
	text = show(VIEW_LINES, profile, 20);
	assert_contains(text, "hot.py  80.0 % self\n");
	assert_contains(text, "     4  70.0 %  70.0 %  █████      if x ?[31m in seen:  # größer\n");
	assert_contains(text, "     3                         def f(x):\n");
	assert_contains(text, "     5          10.0 %");
	assert_contains(
	    text, "    90  10.0 %  10.0 %  ▋      g\n"); /* past the end of the file: no text */
	assert_contains(text, "it has no source file");
	free(text);
	profile_free(profile);

	/* Changed since: the lines may be others, so their text is not shown. */
	profile = with_source(directory, ((uint64_t)status.st_mtim.tv_sec - 10) * 1000000000u);
	text = show(VIEW_LINES, profile, 20);
	assert_contains(text, "has changed since the recording");
	assert_contains(text, "     4  70.0 %");
	assert_lacks(text, "in seen");
	free(text);
	profile_free(profile);

	unlink(path);
	profile = with_source(directory, UINT64_MAX);
	text = show(VIEW_LINES, profile, 20);
	assert_contains(text, "No such file");
	free(text);
	profile_free(profile);

	/* Not a file to wait for. */
	assert_int_equal(mkfifo(path, 0600), 0);
	profile = with_source(directory, UINT64_MAX);
	text = show(VIEW_LINES, profile, 20);
	assert_contains(text, "not a regular file");
	free(text);
	profile_free(profile);
	unlink(path);
	rmdir(directory);
}

static struct profile *with_threads(void)
{
	struct fixture fixture;
	struct thread_id worker;

	fixture_start(&fixture);
	worker = fixture_thread(&fixture, 4712, "worker-größe", 1500000000u);
	fixture_thread(&fixture, 4713, "idle", UINT64_MAX);
	fixture_add(&fixture, fixture.main, "wait@app.py:3", STATE_BLOCKED, 400);
	fixture_add(&fixture, worker, "crunch@app.py:9", STATE_ON_CPU, 300);
	fixture_add(&fixture, worker, "crunch@app.py:9", STATE_GIL_WAIT, 100);
	return fixture_finish(&fixture);
}

static void threads_have_their_own_shares(void **state)
{
	struct profile *profile = with_threads();
	char *text = show(VIEW_THREADS, profile, 20);

	(void)state;
	assert_contains(text, "(main)");
	assert_contains(text, "worker-größe");
	assert_contains(text, "crunch");
	assert_contains(text, "75.0 %   25.0 %");
	assert_contains(text, "unknown"); /* the CPU time of the idle one */
	free(text);
	text = show(VIEW_THREADS, profile, 1);
	assert_contains(text, "and 2 more threads");
	free(text);
	profile_free(profile);
}

static json_t *json_of(const struct profile *profile, const struct selection *selection)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	json_error_t error;
	json_t *root;

	assert_int_equal(report_json_write(profile, selection, SORT_SELF, 0, NULL, stream, NULL),
			 0);
	fclose(stream);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		fail_msg("%s at line %d:\n%s", error.text, error.line, text);
	free(text);
	return root;
}

static double json_share(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void json_holds_what_was_built(void **state)
{
	static const char *const keys[] = {
	    "command",	  "python", "wall_s",	 "cpu_s", "peak_rss_bytes", "samples",
	    "self_cpu_s", "states", "functions", "lines", "findings",	    "schema_version"};
	static const char *const states[] = {"python", "builtin",  "native", "waiting", "gil_wait",
					     "gc",     "runqueue", "on_cpu", "blocked"};
	struct profile *profile = fixture_orders();
	struct selection everything = {0};
	json_t *root = json_of(profile, &everything), *first, *object;
	double sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(root, keys[i]));
	object = json_object_get(root, "states");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		assert_non_null(json_object_get(object, states[i]));
	assert_true(json_is_null(json_object_get(object, "python")));
	assert_true(json_is_null(json_object_get(object, "native")));
	assert_float_equal(json_share(object, "on_cpu"), 0.83, 1e-6);
	assert_float_equal(json_share(object, "waiting"), 0.14, 1e-6);
	assert_float_equal(json_share(object, "gc"), 0.03, 1e-6);
	first = json_array_get(json_object_get(root, "functions"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "name")), "match");
	assert_string_equal(json_string_value(json_object_get(first, "file")),
			    "/srv/shop/orders.py");
	assert_int_equal(json_integer_value(json_object_get(first, "line")), 41);
	assert_float_equal(json_share(first, "self"), 0.38, 1e-6);
	assert_true(json_share(first, "self_low") < 0.38 && json_share(first, "self_high") > 0.38);
	object = json_object_get(root, "lines");
	for (size_t i = 0; i < json_array_size(object); i++)
		sum += json_share(json_array_get(object, i), "self");
	assert_float_equal(sum, 1, 1e-6);
	assert_int_equal(json_array_size(json_object_get(root, "findings")), 0);
	object = json_object_get(root, "samples");
	assert_int_equal(json_integer_value(json_object_get(object, "taken")), 1000);
	assert_true(json_is_null(json_object_get(root, "taken_from_target_s")));
	json_decref(root);
	profile_free(profile);
}

static void json_keeps_hostile_names_as_text(void **state)
{
	struct fixture fixture;
	struct selection everything = {0};
	struct profile *profile;
	json_t *root, *first;

	(void)state;
	fixture_start(&fixture);
	fixture_add(&fixture, fixture.main, "\"\\\n\033größe@/srv/日本.py:5", STATE_ON_CPU, 30);
	profile = fixture_finish(&fixture);
	root = json_of(profile, &everything);
	first = json_array_get(json_object_get(root, "functions"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "name")), "\"\\\n\033größe");
	json_decref(root);
	profile_free(profile);
}

static void processes_keep_the_command_first(void **state)
{
	struct fixture fixture;
	struct profile_process child = {.parent_pid = 4711};
	struct process_id id;
	struct profile *profile;
	char *text;

	(void)state;
	fixture_start(&fixture);
	for (uint32_t i = 0; i < 9; i++) {
		child.pid = 5000 + i;
		child.cpu_ns = (uint64_t)(i + 20) * 1000000000u;
		child.peak_rss_bytes = UINT64_MAX;
		assert_int_equal(profile_builder_add_process(fixture.builder, &child, &id, NULL),
				 0);
	}
	profile = fixture_finish(&fixture);
	text = show(VIEW_PROCESSES, profile, 3);
	assert_true(strstr(text, "4711") < strstr(text, "5008"));
	assert_true(strstr(text, "5008") < strstr(text, "5007"));
	assert_lacks(text, "5006");
	assert_contains(text, "and 7 more: --processes");
	free(text);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tree_puts_the_heaviest_branch_first),
	    cmocka_unit_test(tree_tells_what_its_limit_hides),
	    cmocka_unit_test(tree_shows_recursion_as_one_row),
	    cmocka_unit_test(deep_trees_stay_on_the_page),
	    cmocka_unit_test(lines_show_their_source_and_its_heat),
	    cmocka_unit_test(threads_have_their_own_shares),
	    cmocka_unit_test(json_holds_what_was_built),
	    cmocka_unit_test(json_keeps_hostile_names_as_text),
	    cmocka_unit_test(processes_keep_the_command_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
