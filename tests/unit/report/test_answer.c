/* The answer's text: verdicts, widths, honesty about few samples. */
#include "report_fixture.h"

#include "report/answer.h"

static char *answer_with(const struct profile *profile, const struct answer_options *options,
			 const struct terminal *terminal)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	struct err err = {0};

	assert_non_null(stream);
	assert_int_equal(report_answer(profile, options, stream, terminal, &err), 0);
	fclose(stream);
	if (getenv("SHOW_REPORT") != NULL)
		printf("%s----\n", text);
	return text;
}

static char *answer(const struct profile *profile)
{
	struct answer_options options = {.recording_path = "orders.pyro"};

	return answer_with(profile, &options, &fixture_plain);
}

struct verdict_case {
	const char *name;
	struct {
		const char *frames;
		enum sample_state state;
		unsigned count;
	} rows[4];
	const char *first_line;
};

#define ROOT "<module>@/srv/shop/orders.py:99|"

static const struct verdict_case verdict_cases[] = {
    {"one line",
     {{ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU, 600},
      {ROOT "other@/srv/shop/orders.py:61", STATE_ON_CPU, 400}},
     "60 % of the run goes into orders.py:44 (match).\n"},
    {"module level",
     {{"<module>@/srv/shop/orders.py:7", STATE_ON_CPU, 1000}},
     "100 % of the run goes into orders.py:7 (module level).\n"},
    {"one function, no line",
     {{ROOT "f@/srv/shop/orders.py:41", STATE_ON_CPU, 250},
      {ROOT "f@/srv/shop/orders.py:42", STATE_ON_CPU, 250},
      {ROOT "f@/srv/shop/orders.py:43", STATE_ON_CPU, 250},
      {ROOT "f@/srv/shop/orders.py:44", STATE_ON_CPU, 250}},
     "100 % of the run goes into f (orders.py:1), spread over its lines.\n"},
    {"waiting in own code",
     {{ROOT "fetch@/srv/shop/orders.py:22", STATE_BLOCKED, 700},
      {ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU, 300}},
     "70 % of the run is spent waiting, most of it at orders.py:22 (fetch).\n"},
    {"waiting in a library",
     {{ROOT "fetch@/srv/shop/orders.py:22|"
	    "recv@/usr/lib/python3.12/socket.py:700",
       STATE_BLOCKED, 700},
      {ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU, 300}},
     "70 % of the run is spent waiting, most of it called from orders.py:22 (fetch).\n"},
    {"collections",
     {{ROOT "match@/srv/shop/orders.py:44", STATE_GC, 400},
      {ROOT "a@/srv/shop/orders.py:22", STATE_ON_CPU, 300},
      {ROOT "b@/srv/shop/orders.py:23", STATE_ON_CPU, 300}},
     "40 % of the run goes into garbage collection; the hottest line is orders.py:44\n(match).\n"},
    {"no CPU to be had",
     {{ROOT "a@/srv/shop/orders.py:44", STATE_RUNQUEUE, 400},
      {ROOT "b@/srv/shop/orders.py:44", STATE_ON_CPU, 200},
      {ROOT "c@/srv/shop/orders.py:22", STATE_ON_CPU, 400}},
     "40 % of the run is spent ready to run but waiting for a CPU (the machine had too\nfew); the "
     "hottest line is orders.py:44 (a).\n"},
    {"the lock",
     {{ROOT "a@/srv/shop/orders.py:44", STATE_GIL_WAIT, 500},
      {ROOT "c@/srv/shop/orders.py:22", STATE_ON_CPU, 500}},
     "50 % of the run is spent waiting for the interpreter lock,"},
    {"imports",
     {{ROOT "_find_and_load@<frozen importlib._bootstrap>:1349|"
	    "<module>@/usr/lib/python3.12/typing.py:1",
       STATE_ON_CPU, 300},
      {ROOT "_find_and_load@<frozen importlib._bootstrap>:1349|"
	    "<module>@/usr/lib/python3.12/re.py:1",
       STATE_ON_CPU, 300},
      {ROOT "c@/srv/shop/orders.py:22", STATE_ON_CPU, 400}},
     "60 % of the run goes into importing modules.\n"},
    {"a wide interval",
     {{ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU, 24},
      {ROOT "other@/srv/shop/orders.py:61", STATE_ON_CPU, 16}},
     "About 60 % of the run goes into orders.py:44 (match).\n"},
    {"too few",
     {{ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU, 7}},
     "Too few samples to tell: only 7, standing for 7.0 ms of the run.\n"},
    {"no Python stack",
     {{"", STATE_ON_CPU, 800}, {ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU, 200}},
     "80 % of the run had no Python stack to read.\n"},
    {"nothing", {{0}}, "Nothing to tell: no sample of the run was taken.\n"},
};

static struct profile *build_case(const struct verdict_case *row)
{
	struct fixture fixture;

	fixture_start(&fixture);
	for (size_t i = 0; i < 4 && row->rows[i].frames != NULL; i++)
		fixture_add(&fixture, fixture.main, row->rows[i].frames, row->rows[i].state,
			    row->rows[i].count);
	return fixture_finish(&fixture);
}

static void first_line_says_where_the_time_went(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(verdict_cases[0]); i++) {
		struct profile *profile = build_case(&verdict_cases[i]);
		char *text = answer(profile);

		if (strncmp(text, verdict_cases[i].first_line,
			    strlen(verdict_cases[i].first_line)) != 0)
			fail_msg("%s: %s", verdict_cases[i].name, text);
		assert_page_is_sound(text, 80);
		free(text);
		profile_free(profile);
	}
}

static void time_spread_thin_names_no_culprit(void **state)
{
	struct fixture fixture;
	struct profile *profile;
	char *text, frames[64];

	(void)state;
	fixture_start(&fixture);
	for (int i = 0; i < 50; i++) {
		snprintf(frames, sizeof(frames), ROOT "f%d@/srv/shop/orders.py:%d", i, 100 + i);
		fixture_add(&fixture, fixture.main, frames, STATE_ON_CPU, 20);
	}
	profile = fixture_finish(&fixture);
	text = answer(profile);
	assert_memory_equal(text, "The time is spread thin: the hottest function, ", 47);
	assert_contains(text, "f0 (orders.py:1), has 2 % of the");
	assert_contains(text, "and 40 more with 80.0 % self together");
	assert_page_is_sound(text, 80);
	free(text);
	profile_free(profile);
}

static void shares_are_those_that_were_built(void **state)
{
	struct profile *profile = fixture_orders();
	char *text = answer(profile);

	(void)state;
	assert_memory_equal(text, "31 % of the run goes into orders.py:44 (match).\n", 48);
	assert_contains(text, "orders.py  CPython 3.12.1  8.42 s wall  7.91 s CPU  "
			      "peak memory 212 MiB\n");
	assert_contains(text, "on CPU 83.0 %   waiting 14.0 %   garbage collection 3.0 %\n");
	assert_contains(text, "38.0 % ± 3.1");
	assert_contains(text, "44: 31.0 %");
	assert_contains(text, "json/decoder.py:332");
	assert_contains(text, "1,000 samples, 796 a second, read on its own core\n");
	assert_contains(text, "Pyrometer used 1.8 % of a core\n");
	assert_contains(text, "pyrometer report --lines orders.pyro\n");
	assert_lacks(text, "\033");
	free(text);
	profile_free(profile);
}

static void nothing_unknown_has_a_row_or_a_number(void **state)
{
	struct fixture fixture;
	struct profile *profile;
	char *text;

	(void)state;
	fixture_start(&fixture);
	profile_builder_process(fixture.builder, fixture.process)->cpu_ns = UINT64_MAX;
	profile_builder_process(fixture.builder, fixture.process)->peak_rss_bytes = UINT64_MAX;
	fixture_add(&fixture, fixture.main, ROOT "f@/srv/shop/orders.py:44", STATE_ON_CPU, 100);
	profile = fixture_finish(&fixture);
	text = answer(profile);
	assert_lacks(text, "peak memory");
	assert_lacks(text, "s CPU");
	assert_lacks(text, "garbage");
	assert_lacks(text, "waiting");
	assert_lacks(text, "since the last");
	assert_lacks(text, "torn");
	assert_lacks(text, "process ");
	assert_lacks(text, "note:");
	free(text);
	profile_free(profile);
}

static void few_samples_give_counts_and_no_shares(void **state)
{
	struct fixture fixture;
	struct profile *profile;
	char *text;

	(void)state;
	fixture_start(&fixture);
	profile_builder_meta(fixture.builder)->self_cpu_ns = 0;
	fixture_add(&fixture, fixture.main, ROOT "f@/srv/shop/orders.py:44", STATE_ON_CPU, 5);
	fixture_add(&fixture, fixture.main, ROOT "g@/srv/shop/orders.py:66", STATE_BLOCKED, 2);
	profile = fixture_finish(&fixture);
	text = answer(profile);
	assert_contains(text, "f orders.py:44 (5)");
	assert_contains(text, "g orders.py:66 (2)");
	assert_contains(text, "pyrometer run --rate max -- python orders.py --fast\n");
	assert_lacks(text, "± ");
	assert_lacks(text, "hottest line");
	free(text);
	profile_free(profile);
}

static void pages_keep_their_width(void **state)
{
	static const int columns[] = {40, 60, 72, 80, 100, 200};
	struct profile *profile = fixture_orders();

	(void)state;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct terminal terminal = {.columns = columns[i], .utf8 = i % 2 == 0};
		struct answer_options options = {.recording_path = "o.pyro"};
		char *text = answer_with(profile, &options, &terminal);

		assert_page_is_sound(text, (size_t)columns[i]);
		if (!terminal.utf8)
			assert_lacks(text, "±");
		free(text);
	}
	profile_free(profile);
}

static void hostile_names_are_shown_harmlessly(void **state)
{
	struct fixture fixture;
	struct profile *profile;
	char *text, *name = malloc(20001);

	(void)state;
	memset(name, 'x', 20000);
	memcpy(name + 19980, "@/srv/shop/long.py:5", 21);
	fixture_start(&fixture);
	profile_meta_set_text(&profile_builder_meta(fixture.builder)->command,
			      "python \033]0;title\007\033[2Jevil.py");
	fixture_add(&fixture, fixture.main, "\033[31mred\r\n@/srv/shop/\033[1m.py:5", STATE_ON_CPU,
		    400);
	fixture_add(&fixture, fixture.main, "sortiere_größte_日本語の関数名@/srv/shop/größe.py:5",
		    STATE_ON_CPU, 300);
	fixture_add(&fixture, fixture.main, name, STATE_ON_CPU, 200);
	profile = fixture_finish(&fixture);
	text = answer(profile);
	assert_page_is_sound(text, 80);
	assert_contains(text, "größe.py:1");
	free(text);
	free(name);
	profile_free(profile);
}

static void color_only_where_it_is_wanted(void **state)
{
	struct profile *profile = fixture_orders();
	struct answer_options options = {0};
	struct terminal colorful = {.columns = 80, .utf8 = true, .color = true};
	char *plain = answer_with(profile, &options, &fixture_plain);
	char *colored = answer_with(profile, &options, &colorful);
	char *out = colored;

	(void)state;
	assert_null(strchr(plain, '\033'));
	assert_non_null(strchr(colored, '\033'));
	/* Without its colours the page is the same. */
	for (const char *in = colored; *in != '\0'; in++) {
		if (*in == '\033')
			in = strchr(in, 'm');
		else
			*out++ = *in;
	}
	*out = '\0';
	assert_string_equal(plain, colored);
	free(plain);
	free(colored);
	profile_free(profile);
}

static struct profile *two_functions(unsigned first, unsigned second)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_add(&fixture, fixture.main, ROOT "match@/srv/shop/orders.py:44", STATE_ON_CPU,
		    first);
	fixture_add(&fixture, fixture.main, ROOT "other@/srv/shop/orders.py:64", STATE_ON_CPU,
		    second);
	return fixture_finish(&fixture);
}

static void changes_are_told_when_they_are_no_chance(void **state)
{
	static const struct {
		unsigned first;
		const char *says;
	} cases[] = {{300, "match +30.0 ±"},
		     {590, "no share changed beyond chance"},
		     {800, "match −20.0 ±"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *before = two_functions(cases[i].first, 1000 - cases[i].first);
		struct profile *now = two_functions(600, 400);
		struct answer_options options = {.previous = before};
		char *text = answer_with(now, &options, &fixture_plain);

		assert_contains(text, "since the last recording of this command:");
		assert_contains(text, cases[i].says);
		assert_page_is_sound(text, 80);
		free(text);
		profile_free(before);
		profile_free(now);
	}
}

static void doubts_are_said(void **state)
{
	struct fixture fixture;
	struct profile *profile;
	struct answer_options options = {.damage = "the file ends in the middle of a page"};
	struct sample_counts *counts;
	char *text;

	(void)state;
	fixture_start(&fixture);
	fixture_add(&fixture, fixture.main, ROOT "f@/srv/shop/orders.py:44", STATE_ON_CPU, 900);
	fixture_add(&fixture, fixture.main, "", STATE_BLOCKED, 100);
	fixture_thread(&fixture, 4712, "worker", 4000000000u);
	profile_builder_meta(fixture.builder)->complete = false;
	profile = fixture_finish(&fixture);
	counts = (struct sample_counts *)&profile->meta.counts;
	counts->missed = 500;
	counts->torn = 2;
	counts->scheduled = 1502;
	counts->stacks_truncated = 3;
	text = answer_with(profile, &options, &fixture_plain);
	assert_contains(text, "note: the file ends in the middle of a page");
	assert_contains(text, "33 % of the planned samples");
	assert_contains(text, "10.0 % of the samples have no Python stack");
	assert_contains(text, "3 stacks were deeper");
	assert_contains(text, "2 torn, 500 missed");
	assert_contains(text, "1 other thread used 4.00 s CPU");
	assert_page_is_sound(text, 80);
	free(text);
	profile_free(profile);
}

static void scope_is_said(void **state)
{
	static const struct {
		struct selection selection;
		const char *first_line;
	} cases[] = {
	    {{.basis = BASIS_CPU}, "36 % of the CPU time goes into orders.py:44 (match).\n"},
	    {{.all_threads = true}, "31 % of the time of all threads goes into"},
	    {{.thread = "4711"}, "31 % of the time of thread 4711 goes into"},
	    {{.text = "match"}, "82 % of the selected time goes into"},
	    {{.pid = 4711}, "31 % of the run of process 4711 goes into"},
	};
	struct profile *profile = fixture_orders();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer_options options = {.selection = &cases[i].selection};
		char *text = answer_with(profile, &options, &fixture_plain);

		if (strncmp(text, cases[i].first_line, strlen(cases[i].first_line)) != 0)
			fail_msg("wanted %s, got %s", cases[i].first_line, text);
		assert_page_is_sound(text, 80);
		free(text);
	}
	profile_free(profile);
}

static void full_output_is_an_error(void **state)
{
	struct profile *profile = fixture_orders();
	struct answer_options options = {0};
	FILE *stream = fopen("/dev/full", "w");
	struct err err = {0};

	(void)state;
	assert_non_null(stream);
	assert_int_equal(report_answer(profile, &options, stream, &fixture_plain, &err), -ERR_FILE);
	assert_contains(err.why, "No space left");
	fclose(stream);
	profile_free(profile);
}

static void states_that_the_kernel_contradicts_are_no_verdict(void **state)
{
	static const struct {
		uint64_t on_cpu_ns;
		bool believed;
	} cases[] = {{3900000000u, false}, {500000000u, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;
		struct profile_thread *thread;
		struct profile *profile;
		char *text;

		fixture_start(&fixture);
		thread = profile_builder_thread(fixture.builder, fixture.main);
		thread->on_cpu_ns = cases[i].on_cpu_ns;
		thread->end_ns = 10000000000u;
		fixture_add(&fixture, fixture.main, ROOT "f@/srv/shop/orders.py:44", STATE_RUNQUEUE,
			    950);
		fixture_add(&fixture, fixture.main, ROOT "f@/srv/shop/orders.py:44", STATE_ON_CPU,
			    50);
		profile = fixture_finish(&fixture);
		text = answer(profile);
		if (cases[i].believed) {
			assert_memory_equal(text, "95 % of the run is spent ready to run", 37);
			assert_lacks(text, "the kernel's clock");
		} else {
			assert_memory_equal(text, "100 % of the run goes into orders.py:44", 39);
			assert_contains(text,
					"the samples say 5 % on CPU, the kernel's clock 39 %");
		}
		assert_page_is_sound(text, 80);
		free(text);
		profile_free(profile);
	}
}

static void children_are_listed(void **state)
{
	struct fixture fixture;
	struct profile_process child = {
	    .pid = 4800, .parent_pid = 4711, .cpu_ns = UINT64_MAX, .peak_rss_bytes = 9u << 20};
	struct process_id id;
	struct profile *profile;
	char *text;

	(void)state;
	fixture_start(&fixture);
	child.command = fixture_string(&fixture, "/bin/sh -c 'sleep 1'");
	child.python = fixture_string(&fixture, "3.9.18");
	assert_int_equal(profile_builder_add_process(fixture.builder, &child, &id, NULL), 0);
	fixture_add(&fixture, fixture.main, ROOT "f@/srv/shop/orders.py:44", STATE_ON_CPU, 900);
	profile = fixture_finish(&fixture);
	text = answer(profile);
	assert_contains(text, "4800  /bin/sh -c 'sleep 1'");
	assert_contains(text, "unknown");
	assert_contains(text, "9.0 MiB");
	assert_page_is_sound(text, 80);
	free(text);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_line_says_where_the_time_went),
	    cmocka_unit_test(time_spread_thin_names_no_culprit),
	    cmocka_unit_test(shares_are_those_that_were_built),
	    cmocka_unit_test(nothing_unknown_has_a_row_or_a_number),
	    cmocka_unit_test(few_samples_give_counts_and_no_shares),
	    cmocka_unit_test(pages_keep_their_width),
	    cmocka_unit_test(hostile_names_are_shown_harmlessly),
	    cmocka_unit_test(color_only_where_it_is_wanted),
	    cmocka_unit_test(changes_are_told_when_they_are_no_chance),
	    cmocka_unit_test(doubts_are_said),
	    cmocka_unit_test(scope_is_said),
	    cmocka_unit_test(full_output_is_an_error),
	    cmocka_unit_test(states_that_the_kernel_contradicts_are_no_verdict),
	    cmocka_unit_test(children_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
