/* The benchmarks in a file, and a load on one: the replies that have many lines. */
#include "bench/worker_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"

#define LISTED_MAX 100000

void listed_free(struct listed_benchmark *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < list[i].param_count; j++) {
			mem_free(list[i].params[j].name);
			mem_free(list[i].params[j].value);
		}
		mem_free(list[i].params);
		mem_free(list[i].name);
		mem_free(list[i].unit);
	}
	mem_free(list);
}

static int take_item(struct worker_reply *reply, struct listed_benchmark *item, struct err *err)
{
	size_t params = (reply->text_count - 3) / 2;

	if (reply->text_count % 2 == 0)
		return err_set(err, ERR_TARGET, "a parameter without a value was told");
	*item = (struct listed_benchmark){.kind = worker_kind_named(reply->texts[1])};
	item->params = mem_zalloc(params ? params : 1, sizeof(*item->params));
	if (!item->params)
		return err_set(err, ERR_MEMORY, "no memory for a list of benchmarks");
	item->name = worker_take_text(reply, 0);
	item->unit = worker_take_text(reply, 2);
	item->param_count = params;
	for (size_t i = 0; i < params; i++) {
		item->params[i].name = worker_take_text(reply, 3 + 2 * i);
		item->params[i].value = worker_take_text(reply, 4 + 2 * i);
	}
	return 0;
}

static int list_all(struct worker *worker, struct listed_benchmark **list, size_t *count,
		    struct err *err)
{
	double deadline_s = clock_now_s() + worker->spec.time_limit_s;
	size_t capacity = 0;

	for (;;) {
		struct worker_reply reply;
		int result =
		    worker_answer(worker, deadline_s, REPLY_ITEM, REPLY_LISTED, &reply, err);

		if (result < 0)
			return result;
		bool last = reply.kind == REPLY_LISTED;
		if (!last) {
			result = grow_array((void **)list, &capacity, *count + 1, sizeof(**list),
					    LISTED_MAX);
			if (result < 0)
				err_set(err, ERR_LIMIT, "%s has more than %d benchmarks",
					worker->spec.target.text, LISTED_MAX);
			else
				result = take_item(&reply, &(*list)[*count], err);
		}
		worker_reply_release(&reply);
		if (result < 0 || last)
			return result;
		++*count;
	}
}

int worker_list(const struct worker_spec *spec, struct listed_benchmark **ret_list,
		size_t *ret_count, struct err *err)
{
	struct worker *worker = worker_new(spec);
	struct listed_benchmark *list = NULL;
	size_t count = 0;
	FILE *stream;
	char *request = NULL;
	size_t size;
	int result;

	if (!worker)
		return err_set(err, ERR_MEMORY, "no memory for a benchmark's process");
	result = worker_start_python(worker, err);
	stream = result < 0 ? NULL : open_memstream(&request, &size);
	if (stream) {
		fputs("list ", stream);
		worker_write_word(stream, spec->target.text);
		fputc('\n', stream);
		result = fclose(stream) == 0 ? worker_ask(worker, request, size, err)
					     : err_set(err, ERR_MEMORY, "no memory for a request");
		free(request);
	}
	if (result == 0)
		result = list_all(worker, &list, &count, err);
	worker_free(worker);
	if (result < 0) {
		listed_free(list, count);
		return result;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

int worker_load(struct worker *worker, double rate_hz, size_t count, double **ret_latencies_s,
		struct err *err)
{
	double planned_s = (double)count / rate_hz, deadline_s;
	char request[96];
	int size = snprintf(request, sizeof(request), "o %.9g %zu\n", rate_hz, count), result;
	double *latencies = mem_zalloc(count ? count : 1, sizeof(*latencies));
	size_t done = 0;
	bool last = false;

	if (!latencies)
		return err_set(err, ERR_MEMORY, "no memory for %zu latencies", count);
	deadline_s = clock_now_s() + planned_s + worker->spec.time_limit_s;
	result = worker_ask(worker, request, (size_t)size, err);
	while (result == 0 && !last) {
		struct worker_reply reply;

		result = worker_answer(worker, deadline_s, REPLY_LATENCIES, REPLY_LOAD_DONE, &reply,
				       err);
		if (result < 0)
			break;
		last = reply.kind == REPLY_LOAD_DONE;
		for (size_t i = 0; !last && i < reply.number_count && done < count; i++)
			latencies[done++] = (double)reply.numbers[i] * 1e-9;
		worker_reply_release(&reply);
	}
	if (result == 0 && done != count)
		result = err_set(err, ERR_TARGET, "%s: %zu of %zu latencies were told",
				 worker_name(&worker->spec), done, count);
	if (result < 0)
		mem_free(latencies);
	else
		*ret_latencies_s = latencies;
	return result;
}
