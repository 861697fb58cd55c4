/* See imports_view.h. */
#include "report/imports_view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/imports.h"
#include "report/imports_rows.h"
#include "report/page.h"

#define FINDINGS_MAX 5	      /* of each kind */
#define UNUSED_SHARE_MIN 0.01 /* of all import time: less is not worth a line */
#define SENTENCE_MAX 1024
#define LINES_SHOWN 10

/* --- what it comes to ----------------------------------------------------------------------- */

static const struct imports_record *costliest(const struct imports_result *result)
{
	const struct imports_record *found = NULL;

	for (size_t i = 0; i < result->record_count; i++)
		if (result->records[i].parent == IMPORTS_NONE && !result->records[i].error &&
		    (!found || result->records[i].total_ns > found->total_ns))
			found = &result->records[i];
	return found;
}

/* Of the run, without what the probe took; where that is not known, with it. */
static double own_wall_s(const struct imports_result *result)
{
	uint64_t probe =
	    result->complete && result->probe_ns < result->wall_ns ? result->probe_ns : 0;

	return (double)(result->wall_ns - probe) / 1e9;
}

static void write_answer(const struct imports_page *self)
{
	const struct imports_result *result = self->view->result;
	const struct imports_record *most = costliest(result);
	char all[NUMBER_TEXT_MAX], wall[NUMBER_TEXT_MAX], share[NUMBER_TEXT_MAX];
	char name[NAME_TEXT_MAX], place[PLACE_TEXT_MAX + 64], text[SENTENCE_MAX];

	if (!most) {
		page_sentence(self->page, 0, STYLE_BOLD, "The program imports nothing new.");
		return;
	}
	text_seconds(all, sizeof(all), (double)result->total_ns / 1e9);
	text_seconds(wall, sizeof(wall), own_wall_s(result));
	text_percent(share, sizeof(share), (double)most->total_ns / (double)result->total_ns, 0);
	snprintf(text, sizeof(text), "Imports take %s of the run's %s; %s of it is %s, at %s.", all,
		 wall, share, text_name(name, sizeof(name), most->name),
		 imports_place_text(self, most, place, sizeof(place)));
	page_sentence(self->page, 0, STYLE_BOLD, text);
}

static size_t count_loaded(const struct imports_result *result)
{
	size_t count = 0;

	for (size_t i = 0; i < result->record_count; i++)
		count += !result->records[i].error && !result->records[i].shell;
	return count;
}

static uint64_t interpreter_ns(const struct imports_result *result)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < result->before_count; i++)
		if (result->before[i].self_ns != UINT64_MAX)
			sum += result->before[i].self_ns;
	return sum;
}

/* Of all imports: far under their time, they waited, or the machine was busy. */
static uint64_t cpu_ns(const struct imports_result *result)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < result->record_count; i++) {
		if (result->records[i].parent != IMPORTS_NONE)
			continue;
		if (result->records[i].cpu_ns == UINT64_MAX)
			return UINT64_MAX;
		sum += result->records[i].cpu_ns;
	}
	return sum;
}

static void write_header(const struct imports_page *self)
{
	const struct imports_result *result = self->view->result;
	const char *kind = result->implementation ? result->implementation : "Python";
	char text[NUMBER_TEXT_MAX], own[NUMBER_TEXT_MAX];
	struct flow flow;

	flow_begin(&flow, self->page, 0, 2, "  ");
	flow_item(&flow, STYLE_PLAIN, "%s", result->command);
	flow_item(&flow, STYLE_PLAIN, "%s %s",
		  strcmp(kind, "cpython") == 0 ? "CPython"
		  : strcmp(kind, "pypy") == 0  ? "PyPy"
					       : kind,
		  result->version ? result->version : "");
	flow_item(&flow, STYLE_PLAIN, "%s modules",
		  text_count(text, sizeof(text), count_loaded(result)));
	if (result->peak_bytes != UINT64_MAX)
		flow_item(&flow, STYLE_PLAIN, "peak memory %s",
			  text_bytes(text, sizeof(text), result->peak_bytes));
	flow_end(&flow);
	flow_begin(&flow, self->page, 2, 2, "   ");
	text_seconds(text, sizeof(text), (double)result->began_ns / 1e9);
	text_seconds(own, sizeof(own), (double)interpreter_ns(result) / 1e9);
	if (interpreter_ns(result))
		flow_item(&flow, STYLE_PLAIN, "interpreter %s (%zu modules %s)", text,
			  result->before_count, own);
	else
		flow_item(&flow, STYLE_PLAIN, "interpreter %s (%zu modules)", text,
			  result->before_count);
	flow_item(&flow, STYLE_PLAIN, "imports at the start %s",
		  text_seconds(text, sizeof(text), (double)result->startup_ns / 1e9));
	flow_item(&flow, STYLE_PLAIN, "at first use %s",
		  text_seconds(text, sizeof(text), (double)result->first_use_ns / 1e9));
	if (cpu_ns(result) != UINT64_MAX)
		flow_item(&flow, STYLE_PLAIN, "of both on a CPU %s",
			  text_seconds(text, sizeof(text), (double)cpu_ns(result) / 1e9));
	flow_end(&flow);
}

/* --- what to look at ------------------------------------------------------------------------ */

struct findings {
	const struct imports_page *self;
	size_t number;
};

static void finding(struct findings *findings, const char *text)
{
	const struct page *page = findings->self->page;
	char numbered[SENTENCE_MAX + 32];

	if (findings->number++ == 0) {
		page_blank(page);
		page_sentence(page, 2, STYLE_DIM, "what to look at");
	}
	snprintf(numbered, sizeof(numbered), "%zu  %s", findings->number, text);
	page_sentence(page, 2, STYLE_PLAIN, numbered);
}

static void find_unused(struct findings *findings)
{
	const struct imports_result *result = findings->self->view->result;
	char cost[NUMBER_TEXT_MAX], name[NAME_TEXT_MAX], place[PLACE_TEXT_MAX + 64];
	char text[SENTENCE_MAX];

	for (size_t i = 0; i < result->unused_count && i < FINDINGS_MAX; i++) {
		const struct imports_unused *unused = &result->unused[i];
		const struct imports_record *record = &result->records[unused->record];

		if ((double)unused->avoidable_ns < UNUSED_SHARE_MIN * (double)result->total_ns)
			break;
		snprintf(text, sizeof(text),
			 "%s: none of its functions ran after its import (up to %s, imported at "
			 "%s)",
			 text_name(name, sizeof(name), record->name),
			 text_seconds(cost, sizeof(cost), (double)unused->avoidable_ns / 1e9),
			 imports_place_text(findings->self, record, place, sizeof(place)));
		finding(findings, text);
	}
}

static void find_fallbacks(struct findings *findings)
{
	const struct imports_result *result = findings->self->view->result;
	char module[NAME_TEXT_MAX], missing[NAME_TEXT_MAX], place[PLACE_TEXT_MAX + 64];
	char text[SENTENCE_MAX];

	for (size_t i = 0; i < result->fallback_count && i < FINDINGS_MAX; i++) {
		const struct imports_fallback *fallback = &result->fallbacks[i];
		const struct imports_record *record = &result->records[fallback->record];

		snprintf(
		    text, sizeof(text), "%s goes on without its compiled part %s, at %s%s%s%s%s",
		    text_name(module, sizeof(module), fallback->module),
		    text_name(missing, sizeof(missing), record->name),
		    imports_place_text(findings->self, record, place, sizeof(place)),
		    fallback->evidence ? " (" : "",
		    fallback->evidence && record->missing ? "beside it lies " : "",
		    fallback->evidence ? fallback->evidence : "", fallback->evidence ? ")" : "");
		finding(findings, text);
	}
}

/* Modules whose body reads files, starts programs, talks to the network. */
static void find_work(struct findings *findings)
{
	const struct imports_result *result = findings->self->view->result;
	char text[SENTENCE_MAX], name[NAME_TEXT_MAX], detail[NAME_TEXT_MAX];
	size_t found = 0;

	for (size_t i = 0; i < result->work_count && found < FINDINGS_MAX; i++) {
		const struct imports_work *work = &result->work[i];
		const struct imports_record *record = &result->records[work->record];

		if (i > 0 && result->work[i - 1].record == work->record)
			continue;
		found++;
		snprintf(text, sizeof(text), "%s works while it is imported: %s %s%s",
			 text_name(name, sizeof(name), record->name),
			 work->event ? work->event : "",
			 work->detail ? text_name(detail, sizeof(detail), work->detail) : "",
			 record->work_count > 1 ? ", and more" : "");
		finding(findings, text);
	}
}

static void find_compiled(struct findings *findings)
{
	const struct imports_result *result = findings->self->view->result;
	char cost[NUMBER_TEXT_MAX], text[SENTENCE_MAX];
	size_t count = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < result->record_count; i++)
		if (result->records[i].compile_ns != UINT64_MAX) {
			count++;
			sum += result->records[i].compile_ns;
		}
	if (count == 0)
		return;
	snprintf(text, sizeof(text),
		 "%zu of the modules had no compiled file (.pyc) and took %s to compile; a second "
		 "run tells whether that stays so",
		 count, text_seconds(cost, sizeof(cost), (double)sum / 1e9));
	finding(findings, text);
}

static void find_lazy(struct findings *findings)
{
	const struct imports_result *result = findings->self->view->result;
	char text[SENTENCE_MAX], name[NAME_TEXT_MAX];

	if (result->lazy_left_count == 0)
		return;
	snprintf(text, sizeof(text), "imported lazily and never loaded: %s%s",
		 text_name(name, sizeof(name), result->lazy_left[0]),
		 result->lazy_left_count > 1 ? " and others; --json has them all" : "");
	finding(findings, text);
}

/* --- lines, and how it was measured --------------------------------------------------------- */

/* The slowest lines of all bodies: each is taken out of a copy of the times. */
static void write_lines(const struct imports_page *self)
{
	const struct imports_result *result = self->view->result;
	char place[PLACE_TEXT_MAX], cost[NUMBER_TEXT_MAX];
	uint64_t below = UINT64_MAX;
	size_t width, room;

	if (result->line_count == 0)
		return;
	page_blank(self->page);
	page_sentence(self->page, 2, STYLE_DIM, "the slowest lines of module bodies");
	for (size_t shown = 0; shown < LINES_SHOWN; shown++) {
		const struct imports_line *most = NULL;
		const struct imports_record *record;

		for (size_t i = 0; i < result->line_count; i++)
			if (result->lines[i].self_ns < below &&
			    (!most || result->lines[i].self_ns > most->self_ns))
				most = &result->lines[i];
		if (!most)
			break;
		below = most->self_ns;
		record = &result->records[most->record];
		text_place(place, sizeof(place), &self->paths,
			   record->file ? record->file : record->name, most->line);
		fputs("  ", self->page->stream);
		text_seconds(cost, sizeof(cost), (double)most->self_ns / 1e9);
		page_cell(self->page, cost, 9, CUT_END, true, STYLE_PLAIN);
		fputs("  ", self->page->stream);
		width = text_display_width(place);
		room = self->page->columns - 13;
		page_cell(self->page, place, width < room ? width : room, CUT_START, false,
			  STYLE_PLAIN);
		fputc('\n', self->page->stream);
	}
}

static void write_pairs(const struct imports_page *self)
{
	const struct imports_result *result = self->view->result;
	double plain = imports_median(result->plain_s, result->pair_count);
	double probed = imports_median(result->probed_s, result->pair_count);
	double imports = imports_median(result->probed_imports_s, result->pair_count);
	char a[NUMBER_TEXT_MAX], b[NUMBER_TEXT_MAX], c[NUMBER_TEXT_MAX], text[SENTENCE_MAX];

	if (result->pair_count == 0 || isnan(plain))
		return;
	snprintf(text, sizeof(text),
		 "Without the probe the program runs %s, with it %s, of which imports %s: medians "
		 "of %zu runs each, taking turns.",
		 text_seconds(a, sizeof(a), plain), text_seconds(b, sizeof(b), probed),
		 text_seconds(c, sizeof(c), imports), result->pair_count);
	page_sentence(self->page, 2, STYLE_DIM, text);
}

static void write_method(const struct imports_page *self)
{
	const struct imports_result *result = self->view->result;
	const char *method = result->use_method ? result->use_method : "unknown";
	char text[SENTENCE_MAX], taken[NUMBER_TEXT_MAX];

	page_blank(self->page);
	if (!result->complete)
		page_sentence(self->page, 2, STYLE_YELLOW,
			      "The program did not come to its end (a signal, os._exit or exec): "
			      "what it used and its set of modules are not known.");
	else if (strcmp(method, "unknown") == 0)
		page_sentence(self->page, 2, STYLE_DIM,
			      "What is used can't be told in this interpreter.");
	if (result->complete) {
		snprintf(text, sizeof(text), "The probe took %s, which is in no figure above%s%s.",
			 text_seconds(taken, sizeof(taken), (double)result->probe_ns / 1e9),
			 strcmp(method, "unknown") == 0 ? "" : "; what is used is known by ",
			 strcmp(method, "unknown") == 0 ? "" : method);
		page_sentence(self->page, 2, STYLE_DIM, text);
	}
	write_pairs(self);
}

static int write_body(const struct imports_page *self, struct err *err)
{
	int result = 0;

	page_blank(self->page);
	if (self->view->timeline)
		return imports_timeline_write(self, err);
	if (self->view->tree)
		return imports_tree_write(self, err);
	result = imports_list_write(self, true, err);
	if (result == 0 && self->view->result->first_use_ns) {
		page_blank(self->page);
		result = imports_list_write(self, false, err);
	}
	return result;
}

int imports_view_write(const struct imports_view *view, FILE *stream,
		       const struct terminal *terminal, struct err *err)
{
	struct page page;
	struct imports_page self = {.page = &page, .view = view};
	struct findings findings = {.self = &self};
	int result;

	page_init(&page, stream, terminal);
	self.paths.meta.directory = (char *)(uintptr_t)view->directory;
	write_answer(&self);
	write_header(&self);
	result = write_body(&self, err);
	if (result < 0)
		return result;
	find_unused(&findings);
	find_fallbacks(&findings);
	find_work(&findings);
	find_compiled(&findings);
	find_lazy(&findings);
	write_lines(&self);
	write_method(&self);
	return stream_finish(stream, "the answer", err);
}

int imports_modules_write(const struct imports_result *result, FILE *stream, struct err *err)
{
	for (size_t i = 0; i < result->module_count; i++) {
		text_write_safe(stream, result->modules[i]);
		fputc('\n', stream);
	}
	return stream_finish(stream, "the set of modules", err);
}
