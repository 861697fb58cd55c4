/* [tool.pyrometer.waivers]. */
#include "bench/waivers.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/toml.h"

#define TEXTS_BYTES_MAX ((size_t)16 << 20)

static const char *const prefix[] = {"tool", "pyrometer", "waivers", NULL};

void waivers_init(struct waivers *waivers)
{
	*waivers = (struct waivers){.path = NULL};
	arena_init(&waivers->arena, TEXTS_BYTES_MAX);
}

void waivers_release(struct waivers *waivers)
{
	mem_free(waivers->items);
	arena_release(&waivers->arena);
	waivers_init(waivers);
}

static int refuse(const struct waivers *waivers, int line, const char *what, const char *why,
		  struct err *err)
{
	int r = err_set(err, ERR_USAGE, "%s:%d: %s", waivers->path, line, what);

	err_why(err, "%s", why);
	err_next(err, "[tool.pyrometer.waivers.\"NAME\"] takes reason = \"…\", "
		      "until = \"YYYY-MM-DD\", and budgets = [\"p95\"] for some of them only");
	return r;
}

static int no_memory(const struct waivers *waivers, struct err *err)
{
	return err_set(err, ERR_MEMORY, "%s: no memory to read it", waivers->path);
}

static bool date_parse(const char *text, char date[DATE_SIZE])
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;
	bool leap;

	if (strlen(text) != DATE_SIZE - 1)
		return false;
	for (size_t i = 0; i < DATE_SIZE - 1; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	sscanf(text, "%4d-%2d-%2d", &year, &month, &day);
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (year < 1 || month < 1 || month > 12 || day < 1 ||
	    day > days[month - 1] + (month == 2 && leap))
		return false;
	memcpy(date, text, DATE_SIZE);
	return true;
}

static struct waiver *waiver_named(struct waivers *waivers, const char *name, int line)
{
	struct waiver waiver = {.line = line};

	for (size_t i = 0; i < waivers->count; i++)
		if (strcmp(waivers->items[i].name, name) == 0)
			return &waivers->items[i];
	waiver.name = arena_copy_text(&waivers->arena, name, strlen(name));
	if (waiver.name == NULL ||
	    grow_array((void **)&waivers->items, &waivers->capacity, waivers->count + 1,
		       sizeof(*waivers->items), WAIVERS_MAX) < 0)
		return NULL;
	waivers->items[waivers->count] = waiver;
	return &waivers->items[waivers->count++];
}

static int take_budgets(struct waivers *waivers, struct waiver *waiver,
			const struct toml_value *value, struct err *err)
{
	size_t count = value->kind == TOML_ARRAY ? value->item_count : 1;
	const struct toml_value *items = value->kind == TOML_ARRAY ? value->items : value;
	const char **texts = arena_alloc(&waivers->arena, (count + 1) * sizeof(*texts));

	if (texts == NULL)
		return no_memory(waivers, err);
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind != TOML_TEXT)
			return refuse(waivers, value->line, "budgets takes texts",
				      "it names budgets: [\"p95\", \"max\"]", err);
		texts[i] = items[i].text;
	}
	waiver->keys = texts;
	waiver->key_count = count;
	return 0;
}

static int on_entry(void *context, const char *const *path, size_t depth,
		    const struct toml_value *value, struct err *err)
{
	struct waivers *waivers = context;
	struct waiver *waiver;

	if (value->kind == TOML_TABLE && depth != 1)
		return 0;
	if (depth != (value->kind == TOML_TABLE ? 1u : 2u))
		return refuse(waivers, value->line, "no waiver can stand here",
			      "each is a table named for its benchmark, in quotes", err);
	waiver = waiver_named(waivers, path[0], value->line);
	if (waiver == NULL)
		return no_memory(waivers, err);
	if (value->kind == TOML_TABLE)
		return 0;
	if (strcmp(path[1], "budgets") == 0)
		return take_budgets(waivers, waiver, value, err);
	if (strcmp(path[1], "reason") == 0 && value->kind == TOML_TEXT) {
		waiver->reason = value->text;
		return 0;
	}
	if (strcmp(path[1], "until") == 0 && value->kind == TOML_TEXT)
		return date_parse(value->text, waiver->until)
			   ? 0
			   : refuse(waivers, value->line, "there is no such day", value->text, err);
	return refuse(waivers, value->line, "no waiver has that", path[1], err);
}

int waivers_parse(struct waivers *waivers, const char *path, const char *bytes, size_t size,
		  struct err *err)
{
	int r;

	waivers->path = arena_copy_text(&waivers->arena, path, strlen(path));
	if (waivers->path == NULL)
		return err_set(err, ERR_MEMORY, "%s: no memory to read it", path);
	r = toml_parse(waivers->path, bytes, size, prefix, &waivers->arena, on_entry, waivers, err);
	for (size_t i = 0; i < waivers->count && r == 0; i++) {
		const struct waiver *waiver = &waivers->items[i];

		if (waiver->reason == NULL || waiver->reason[0] == '\0')
			r = refuse(waivers, waiver->line, "a waiver without a reason", waiver->name,
				   err);
		else if (waiver->until[0] == '\0')
			r = refuse(waivers, waiver->line, "a waiver without an end", waiver->name,
				   err);
	}
	return r;
}

bool waiver_fits(const struct waiver *waiver, const char *benchmark, const char *key)
{
	if (strcmp(waiver->name, benchmark) != 0 && fnmatch(waiver->name, benchmark, 0) != 0)
		return false;
	for (size_t i = 0; i < waiver->key_count; i++)
		if (strcmp(waiver->keys[i], key) == 0)
			return true;
	return waiver->keys == NULL;
}

bool waiver_expired(const struct waiver *waiver, const char *today)
{
	return strcmp(waiver->until, today) < 0;
}

void date_of(double unix_s, char text[DATE_SIZE])
{
	time_t seconds = (time_t)unix_s;
	struct tm tm;
	char date[64];

	gmtime_r(&seconds, &tm);
	snprintf(date, sizeof(date), "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday);
	memcpy(text, date, DATE_SIZE - 1);
	text[DATE_SIZE - 1] = '\0';
}
