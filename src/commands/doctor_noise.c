#include "commands/doctor_noise.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/noise.h"
#include "bench/worker.h"
#include "report/page.h"

#define PATH_SIZE 4096
#define TEXT_SIZE (PATH_SIZE + 256)

static volatile sig_atomic_t stopped;

static void note_signal(int number)
{
	stopped = number;
}

static void percent(char *text, size_t size, double part)
{
	if (isfinite(part))
		snprintf(text, size, "%.1f %%", part * 100);
	else
		snprintf(text, size, "unknown");
}

static void print_side(const struct page *page, const char *what, const struct noise_side *side)
{
	char text[TEXT_SIZE], change[NUMBER_TEXT_MAX], low[NUMBER_TEXT_MAX], high[NUMBER_TEXT_MAX];

	percent(change, sizeof(change), side->change);
	percent(low, sizeof(low), side->low);
	percent(high, sizeof(high), side->high);
	snprintf(text, sizeof(text), "%s: %s (%s to %s) after %zu pairs in %.0f s, %s", what,
		 change, low, high, side->pairs, side->elapsed_s,
		 side->called_different ? "called different" : "not called different");
	page_sentence(page, 2, STYLE_PLAIN, text);
}

static void print_noise(const struct noise *noise, const char *path)
{
	struct terminal terminal;
	struct page page;
	char text[TEXT_SIZE], floor[NUMBER_TEXT_MAX], spread[NUMBER_TEXT_MAX];

	terminal_describe(&terminal, stdout);
	page_init(&page, stdout, &terminal);
	percent(floor, sizeof(floor), noise->floor);
	if (isfinite(noise->floor))
		snprintf(text, sizeof(text),
			 "Comparisons of this length can tell %s on this machine.", floor);
	else
		snprintf(text, sizeof(text),
			 "Too few pairs to say what this machine can tell: give it more time.");
	page_sentence(&page, 0, STYLE_BOLD, text);
	print_side(&page, "the same program twice", &noise->equal);
	print_side(&page, "a tenth more work", &noise->slower);
	percent(spread, sizeof(spread), noise->spread);
	snprintf(text, sizeof(text), "one pair varies by %s (standard deviation, robust)", spread);
	page_sentence(&page, 2, STYLE_PLAIN, text);
	snprintf(text, sizeof(text), "kept in %.*s, where gate looks for it", PATH_SIZE, path);
	page_sentence(&page, 2, STYLE_PLAIN, text);
}

int doctor_noise(const char *python, double seconds, const char *path, bool json, struct err *err)
{
	struct sigaction action = {.sa_handler = note_signal}, before;
	char kept[PATH_SIZE], *found = NULL;
	struct noise noise;
	int r = 0;

	if (path != NULL)
		snprintf(kept, sizeof(kept), "%s", path);
	else if (!noise_default_path(kept, sizeof(kept)))
		r = err_set(err, ERR_FILE,
			    "no place to keep it: neither XDG_CACHE_HOME nor HOME "
			    "is set");
	if (r == 0)
		r = python_find(python, &found, err);
	if (r < 0)
		return r;
	stopped = 0;
	sigaction(SIGINT, &action, &before);
	r = noise_measure(found, seconds, &stopped, &noise, err);
	sigaction(SIGINT, &before, NULL);
	mem_free(found);
	if (r == 0)
		r = noise_keep(&noise, kept, err);
	if (r == 0 && json)
		r = noise_write(&noise, stdout, err);
	else if (r == 0)
		print_noise(&noise, kept);
	return r < 0 ? r : isfinite(noise.floor) ? 0 : ERR_TOO_LITTLE;
}
