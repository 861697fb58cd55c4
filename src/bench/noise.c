/* The noise floor of a machine: measuring, keeping, reading. */
#include "bench/noise.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/budgets.h"
#include "bench/pairing.h"
#include "stats/paired.h"

#define PATH_SIZE 4096
/* Plain bytecode, so that a tenth more passes of the loop is a tenth more work. */
#define WORK                                                                                       \
	"def work(n):\n"                                                                           \
	"    total = 0\n"                                                                          \
	"    for i in range(n):\n"                                                                 \
	"        total += i ^ n\n"                                                                 \
	"    return total\n"
#define STATEMENT "work(4000)"
#define SLOWER_STATEMENT "work(4400)"
#define REQUEST_LIMIT_S 60.0

void noise_host(char *text, size_t size)
{
	if (gethostname(text, size) < 0)
		snprintf(text, size, "unknown");
	text[size - 1] = '\0';
}

/* --- measuring
 * ------------------------------------------------------------------------------------ */

static int compare(const char *python, const char *b, double seconds,
		   const volatile sig_atomic_t *stop, struct noise_side *side, struct noise *noise,
		   struct err *err)
{
	struct worker_spec spec_a = {.python = python, .cpu = -1, .time_limit_s = REQUEST_LIMIT_S};
	struct worker_spec spec_b;
	struct pairing_options options;
	struct pairing_result result;
	const char *version;
	int r;

	spec_a.target =
	    (struct bench_target){.kind = TARGET_STATEMENT, .text = STATEMENT, .setup = WORK};
	spec_b = spec_a;
	spec_b.target.text = b;
	pairing_defaults(&options);
	options.plan.tolerance = 0; /* to the end: what could have been seen is asked */
	options.time_limit_s = seconds;
	options.stop = stop;
	r = pairing_run(&spec_a, &spec_b, &options, &result, err);
	if (r < 0)
		return r;
	if (result.verdict == VERDICT_NOT_MEASURED) {
		r = err_set(err, ERR_NOT_MEASURED, "the machine's noise was not measured");
		err_why(err, "%s", result.failure != NULL ? result.failure : "no pair was made");
	} else {
		version = result.a != NULL ? bench_results_fact_of(result.a, "python") : NULL;
		snprintf(noise->python, sizeof(noise->python), "%s",
			 version != NULL ? version : "unknown");
		*side = (struct noise_side){.change = expm1(result.state.location),
					    .low = expm1(result.state.low),
					    .high = expm1(result.state.high),
					    .detectable = expm1(result.state.detectable),
					    .pairs = result.pair_count,
					    .elapsed_s = result.elapsed_s,
					    .called_different =
						result.state.decision == SEQUENTIAL_GREATER ||
						result.state.decision == SEQUENTIAL_LESS};
		if (strcmp(b, STATEMENT) == 0)
			noise->spread = robust_spread(result.log_ratios, result.pair_count);
	}
	pairing_result_release(&result);
	return r;
}

int noise_measure(const char *python, double seconds, const volatile sig_atomic_t *stop,
		  struct noise *ret_noise, struct err *err)
{
	struct noise noise = {.created_s = (double)clock_ns(CLOCK_REALTIME) * 1e-9};
	int r = compare(python, STATEMENT, seconds, stop, &noise.equal, &noise, err);

	if (r == 0)
		r = compare(python, SLOWER_STATEMENT, seconds, stop, &noise.slower, &noise, err);
	if (r < 0)
		return r;
	noise_host(noise.host, sizeof(noise.host));
	noise.floor = noise.equal.detectable;
	/* What the comparison of equals got wrong, and what was not found, count as noise too. */
	if (noise.equal.called_different)
		noise.floor = fmax(noise.floor, 2 * fabs(noise.equal.change));
	if (!noise.slower.called_different || noise.slower.change < 0)
		noise.floor = fmax(noise.floor, NOISE_INJECTED);
	*ret_noise = noise;
	return 0;
}

/* --- the file
 * -------------------------------------------------------------------------------------- */

static void write_side(struct json_writer *json, const char *key, const struct noise_side *side)
{
	json_key(json, key);
	json_object_begin(json);
	json_key(json, "change");
	json_number(json, side->change);
	json_key(json, "low");
	json_number(json, side->low);
	json_key(json, "high");
	json_number(json, side->high);
	json_key(json, "detectable");
	json_number(json, side->detectable);
	json_key(json, "pairs");
	json_unsigned(json, side->pairs);
	json_key(json, "elapsed_s");
	json_number(json, side->elapsed_s);
	json_key(json, "called_different");
	json_bool(json, side->called_different);
	json_object_end(json);
}

int noise_write(const struct noise *noise, FILE *stream, struct err *err)
{
	struct json_writer json;

	json_start(&json, stream, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, NOISE_SCHEMA_VERSION);
	json_key(&json, "host");
	json_text(&json, noise->host);
	json_key(&json, "python");
	json_text(&json, noise->python);
	json_key(&json, "created_s");
	json_number(&json, noise->created_s);
	json_key(&json, "noise_floor");
	json_number(&json, noise->floor); /* null: nothing could be told */
	json_key(&json, "pair_spread");
	json_number(&json, noise->spread);
	json_key(&json, "injected");
	json_number(&json, NOISE_INJECTED);
	write_side(&json, "equal", &noise->equal);
	write_side(&json, "slower", &noise->slower);
	json_object_end(&json);
	fputc('\n', stream);
	if (fflush(stream) != 0 || ferror(stream))
		return err_set_errno(err, ERR_FILE, errno, "cannot write the machine's noise");
	return 0;
}

static int not_such_a_file(const char *path, const char *why, struct err *err)
{
	int r = err_set(err, ERR_USAGE, "%s is no file of doctor --noise", path);

	err_why(err, "%s", why);
	err_next(err, "pyrometer doctor --noise");
	return r;
}

int noise_read(const char *path, struct noise *ret_noise, struct err *err)
{
	struct noise noise = {.floor = INFINITY};
	json_error_t error;
	const json_t *floor, *host;
	json_t *root;
	char *bytes;
	size_t size;
	int r = budgets_read_file(path, &bytes, &size, err);

	if (r < 0)
		return r;
	root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
	mem_free(bytes);
	if (root == NULL)
		return not_such_a_file(path, error.text, err);
	floor = json_object_get(root, "noise_floor");
	host = json_object_get(root, "host");
	if (json_integer_value(json_object_get(root, "schema_version")) != NOISE_SCHEMA_VERSION ||
	    !json_is_string(host) || !(json_is_null(floor) || json_is_number(floor)) ||
	    (json_is_number(floor) && !(json_number_value(floor) >= 0))) {
		json_decref(root);
		return not_such_a_file(path, "it has no host and noise_floor", err);
	}
	if (json_is_number(floor))
		noise.floor = json_number_value(floor);
	snprintf(noise.host, sizeof(noise.host), "%s", json_string_value(host));
	noise.created_s = json_number_value(json_object_get(root, "created_s"));
	json_decref(root);
	*ret_noise = noise;
	return 0;
}

bool noise_default_path(char *path, size_t size)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int length;

	if (cache != NULL && cache[0] == '/')
		length = snprintf(path, size, "%s/pyrometer/noise.json", cache);
	else if (home != NULL && home[0] == '/')
		length = snprintf(path, size, "%s/.cache/pyrometer/noise.json", home);
	else
		return false;
	return length > 0 && (size_t)length < size;
}

static void make_folders(const char *path)
{
	char folders[PATH_SIZE];

	snprintf(folders, sizeof(folders), "%s", path);
	for (char *slash = strchr(folders + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(folders, 0777);
		*slash = '/';
	}
}

int noise_keep(const struct noise *noise, const char *path, struct err *err)
{
	char temporary[PATH_SIZE + 32];
	FILE *file;
	int r;

	make_folders(path);
	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	file = fopen(temporary, "we");
	if (file == NULL)
		return err_set_errno(err, ERR_FILE, errno, "cannot write %s", path);
	r = noise_write(noise, file, err);
	if (fclose(file) != 0 && r == 0)
		r = err_set_errno(err, ERR_FILE, errno, "cannot write %s", path);
	if (r == 0 && rename(temporary, path) < 0)
		r = err_set_errno(err, ERR_FILE, errno, "cannot write %s", path);
	if (r < 0)
		unlink(temporary);
	return r;
}
