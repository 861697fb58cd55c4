#include "commands/bench_request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "commands/compare_operand.h"

/* A load runs once, for its whole length, unless more is asked for. */
#define LOAD_PROCESSES 1

static int refuse_mix(const char *text, struct err *err)
{
	int r =
	    err_set(err, ERR_USAGE, "`%s` is a file of results, which is shown by itself", text);

	err_why(err, "other benchmarks were named beside it");
	err_next(err, "pyrometer bench %s", text);
	return r;
}

static int refuse_surroundings(const char *text, struct err *err)
{
	int r = err_set(err, ERR_USAGE, "bench does not take `%s`", text);

	err_why(err, "surroundings are compared, or set by --python and --env");
	err_next(err, "pyrometer compare --help");
	return r;
}

static int refuse_load(const char *text, struct err *err)
{
	int r = err_set(err, ERR_USAGE, "--load does not take a command");

	err_why(err, "`%s` would be started anew for each request", text);
	err_next(err, "name a function (module:function), a statement or a file of benchmarks");
	return r;
}

static int check_load(const struct bench_arguments *arguments, struct err *err)
{
	int r;

	if (isinf(arguments->load_rate_hz))
		return err_set(err, ERR_USAGE, "--load needs a rate: 200/s");
	if (arguments->load_rate_hz * arguments->load_s <= LOAD_REQUESTS_MAX)
		return 0;
	r = err_set(err, ERR_USAGE, "too many requests: %.0f",
		    arguments->load_rate_hz * arguments->load_s);
	err_why(err, "one process keeps the latencies of %d", LOAD_REQUESTS_MAX);
	err_next(err, "a shorter --duration, or a lower --load with more --processes");
	return r;
}

static int add_target(struct bench_request *request, const struct bench_arguments *arguments,
		      const char *text, struct err *err)
{
	struct operand_reading reading = {arguments->statements || arguments->setup,
					  arguments->commands};
	struct bench_target *target = &request->targets[request->plan.target_count];
	struct operand operand;
	char **words;
	int r = operand_parse(text, &reading, &request->arena, &operand, err);

	if (r < 0)
		return r;
	if (operand.kind == OPERAND_RESULTS) {
		request->saved = operand.text;
		return 0;
	}
	if (operand.kind != OPERAND_TARGET)
		return refuse_surroundings(text, err);
	*target = (struct bench_target){.kind = operand.target,
					.text = operand.text,
					.setup = arguments->setup,
					.name = operand.name};
	if (operand.target == TARGET_COMMAND) {
		r = words_split(text, &request->arena, &words, err);
		if (r == 0 && arguments->load_rate_hz > 0)
			r = refuse_load(text, err);
		target->argv = words;
	}
	if (r == 0)
		request->plan.target_count++;
	return r;
}

static int add_targets(struct bench_request *request, const struct bench_arguments *arguments,
		       int count, char **operands, struct err *err)
{
	int r = 0;

	if (count == 0) {
		r = err_set(err, ERR_USAGE, "nothing to measure");
		err_why(err, "no function, statement, command or file of benchmarks was named");
		err_next(err,
			 "pyrometer bench module:function, or pyrometer bench bench_orders.py");
		return r;
	}
	request->targets = arena_alloc(&request->arena, (size_t)count * sizeof(*request->targets));
	if (!request->targets)
		return err_set(err, ERR_MEMORY, "no memory for %d benchmarks", count);
	request->plan.targets = request->targets;
	for (int i = 0; r == 0 && i < count; i++)
		r = add_target(request, arguments, operands[i], err);
	if (r == 0 && request->saved && count > 1)
		r = refuse_mix(request->saved, err);
	return r;
}

static int find_pythons(struct bench_request *request, const struct bench_arguments *arguments,
			struct err *err)
{
	size_t count = arguments->pythons.count ? arguments->pythons.count : 1;
	bool needed = false;
	int r = 0;

	for (size_t i = 0; i < request->plan.target_count; i++)
		needed = needed || request->targets[i].kind != TARGET_COMMAND;
	if (!needed)
		return 0;
	if (count > PLAN_PYTHONS_MAX)
		return err_set(err, ERR_USAGE, "at most %d interpreters", PLAN_PYTHONS_MAX);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = python_find(arguments->pythons.count ? arguments->pythons.items[i] : NULL,
				&request->pythons[i], err);
	request->plan.pythons = (const char *const *)request->pythons;
	request->plan.python_count = count;
	return r;
}

/* NAME=VALUE as it is; NAME alone: with the value that we have. */
static int set_environment(struct bench_request *request, const struct bench_arguments *arguments,
			   struct err *err)
{
	size_t count = arguments->environment.count;

	request->environment =
	    arena_alloc(&request->arena, (count + 1) * sizeof(*request->environment));
	if (!request->environment)
		return err_set(err, ERR_MEMORY, "no memory for variables");
	for (size_t i = 0; i < count; i++) {
		const char *text = arguments->environment.items[i];

		if (text[0] == '=' || strchr(text, '=') == NULL) {
			int r = err_set(err, ERR_USAGE, "`%s` sets no variable", text);

			err_next(err, "--env NAME=VALUE");
			return r;
		}
		request->environment[i] = text;
	}
	request->environment[count] = NULL;
	request->plan.base.environment = (char *const *)request->environment;
	return 0;
}

static void set_plan(struct bench_plan *plan, const struct bench_arguments *arguments)
{
	bench_plan_defaults(plan);
	plan->pattern = arguments->select;
	if (arguments->load_rate_hz > 0)
		plan->processes = LOAD_PROCESSES;
	if (arguments->processes > 0)
		plan->processes = (size_t)arguments->processes;
	if (arguments->values > 0)
		plan->values = (size_t)arguments->values;
	if (arguments->value_s > 0)
		plan->value_s = arguments->value_s;
	plan->time_limit_s = arguments->time_limit_s;
	plan->seed = arguments->seed >= 0 ? (uint64_t)arguments->seed
					  : clock_ns(CLOCK_REALTIME) / 1000 % 1000000000;
	plan->count = !arguments->no_counters && !(arguments->load_rate_hz > 0);
	plan->load_rate_hz = arguments->load_rate_hz;
	plan->load_s = arguments->load_s;
	plan->base.directory = arguments->directory;
	plan->base.cpu = (int)arguments->pin;
	plan->base.gc_disabled = strcmp(arguments->gc, "off") == 0;
	plan->base.time_limit_s = arguments->timeout_s;
	plan->base.memory_limit = arguments->memory_limit;
	plan->base.show_output = arguments->show_output;
}

int bench_request_make(struct bench_request *request, const struct bench_arguments *arguments,
		       int operand_count, char **operands, struct err *err)
{
	int r;

	*request = (struct bench_request){.saved = NULL};
	arena_init(&request->arena, 0);
	if (arguments->statements && arguments->commands)
		return err_set(err, ERR_USAGE, "--statement and --command exclude each other");
	r = check_load(arguments, err);
	if (r < 0)
		return r;
	set_plan(&request->plan, arguments);
	r = add_targets(request, arguments, operand_count, operands, err);
	if (r == 0)
		r = find_pythons(request, arguments, err);
	if (r == 0)
		r = set_environment(request, arguments, err);
	return r;
}

void bench_request_release(struct bench_request *request)
{
	for (size_t i = 0; i < PLAN_PYTHONS_MAX; i++)
		mem_free(request->pythons[i]);
	arena_release(&request->arena);
}
