/* The Firefox profiler's processed profile format, version 48: a time line of
 * every thread, coloured by state. docs/formats/firefox.md says which fields
 * mean what here, and why this version. */
#include <math.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "formats/firefox_thread.h"
#include "formats/format_support.h"

#define PROCESSED_VERSION 48
#define GECKO_VERSION 29 /* the other version number that the viewer asks for */
#define DEFAULT_INTERVAL_MS 1.0

enum marker_phase { PHASE_INSTANT = 0, PHASE_INTERVAL = 1 };

/* The viewer's default category is the one that is grey; there must be one. */
static const struct {
	const char *name, *color;
} categories[CATEGORY_COUNT] = {
    [CATEGORY_OTHER] = {"Unknown state", "grey"},
    [CATEGORY_PYTHON] = {"On CPU", "yellow"},
    [CATEGORY_RUNQUEUE] = {"Waiting for a CPU", "orange"},
    [CATEGORY_BLOCKED] = {"Blocked", "lightblue"},
    [CATEGORY_GIL_WAIT] = {"Waiting for the GIL", "red"},
    [CATEGORY_GC] = {"Garbage collection", "purple"},
};

static double milliseconds(uint64_t ns)
{
	return ns / 1e6;
}

static void write_text(struct json_writer *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text);
}

static void write_empty_array(struct json_writer *json, const char *key)
{
	json_key(json, key);
	json_array_begin(json);
	json_array_end(json);
}

static void write_categories(struct json_writer *json)
{
	json_key(json, "categories");
	json_array_begin(json);
	for (int i = 0; i < CATEGORY_COUNT; i++) {
		json_object_begin(json);
		write_text(json, "name", categories[i].name);
		write_text(json, "color", categories[i].color);
		json_key(json, "subcategories");
		json_array_begin(json);
		json_text(json, "Other");
		json_array_end(json);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_marker_schema(struct json_writer *json)
{
	json_key(json, "markerSchema");
	json_array_begin(json);
	json_object_begin(json);
	write_text(json, "name", "Text");
	write_text(json, "tableLabel", "{marker.name} — {marker.data.name}");
	write_text(json, "chartLabel", "{marker.name} — {marker.data.name}");
	json_key(json, "display");
	json_array_begin(json);
	json_text(json, "marker-chart");
	json_text(json, "marker-table");
	json_array_end(json);
	json_key(json, "data");
	json_array_begin(json);
	json_object_begin(json);
	write_text(json, "key", "name");
	write_text(json, "label", "Details");
	write_text(json, "format", "string");
	json_key(json, "searchable");
	json_bool(json, true);
	json_object_end(json);
	json_array_end(json);
	json_object_end(json);
	json_array_end(json);
}

static void write_extensions(struct json_writer *json)
{
	json_key(json, "extensions");
	json_object_begin(json);
	json_key(json, "length");
	json_unsigned(json, 0);
	write_empty_array(json, "baseURL");
	write_empty_array(json, "id");
	write_empty_array(json, "name");
	json_object_end(json);
}

static void write_meta(struct json_writer *json, const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;

	json_key(json, "meta");
	json_object_begin(json);
	json_key(json, "interval");
	json_number(json, meta->rate_hz > 0 ? 1000 / meta->rate_hz : DEFAULT_INTERVAL_MS);
	json_key(json, "startTime");
	json_unsigned(json, meta->started_unix_ns / 1000000);
	write_text(json, "product", meta->command ? meta->command : "Python");
	write_text(json, "importedFrom", "Pyrometer " PYROMETER_VERSION);
	write_text(json, "oscpu", meta->host ? meta->host : "unknown");
	json_key(json, "version");
	json_unsigned(json, GECKO_VERSION);
	json_key(json, "preprocessedProfileVersion");
	json_unsigned(json, PROCESSED_VERSION);
	json_key(json, "processType");
	json_unsigned(json, 0);
	json_key(json, "stackwalk");
	json_unsigned(json, 1);
	json_key(json, "debug");
	json_bool(json, false);
	json_key(json, "symbolicated");
	json_bool(json, true);
	json_key(json, "usesOnlyOneStackType");
	json_bool(json, true);
	json_key(json, "doesNotUseFrameImplementation");
	json_bool(json, true);
	json_key(json, "sourceCodeIsNotOnSearchfox");
	json_bool(json, true);
	write_categories(json);
	write_marker_schema(json);
	write_extensions(json);
	json_object_end(json);
}

static void write_markers(struct json_writer *json, struct firefox_thread *thread)
{
	const struct profile *profile = thread->profile;
	const struct column *rows = &thread->marker_rows;

#define MARKER_COLUMN(name, write_cell)                                                            \
	json_key(json, name);                                                                      \
	json_array_begin(json);                                                                    \
	for (size_t i = 0; i < rows->count; i++) {                                                 \
		const struct profile_marker *marker = &profile->markers[rows->items[i]];           \
		bool is_span = marker->end_ns > marker->start_ns;                                  \
		(void)is_span;                                                                     \
		write_cell;                                                                        \
	}                                                                                          \
	json_array_end(json)

	json_key(json, "markers");
	json_object_begin(json);
	json_key(json, "length");
	json_unsigned(json, rows->count);
	MARKER_COLUMN("name", json_unsigned(json, firefox_thread_string(thread, marker->name)));
	MARKER_COLUMN("startTime", json_number(json, milliseconds(marker->start_ns)));
	MARKER_COLUMN("endTime", json_number(json, is_span ? milliseconds(marker->end_ns) : NAN));
	MARKER_COLUMN("phase", json_unsigned(json, is_span ? PHASE_INTERVAL : PHASE_INSTANT));
	MARKER_COLUMN("category", json_unsigned(json, CATEGORY_OTHER));
	MARKER_COLUMN("data", {
		json_object_begin(json);
		write_text(json, "type", "Text");
		write_text(json, "name", profile_string(profile, marker->data));
		json_object_end(json);
	});
	json_object_end(json);
#undef MARKER_COLUMN
}

/* Weights as time: the viewer's "running time" is then what the samples stand for. */
static void write_samples(struct json_writer *json, const struct firefox_thread *thread,
			  const size_t *rows, size_t count)
{
	const struct profile_sample *samples = thread->profile->samples;

	json_key(json, "samples");
	json_object_begin(json);
	json_key(json, "length");
	json_unsigned(json, count);
	json_key(json, "stack");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_unsigned(json, thread->sample_stacks.items[i]);
	json_array_end(json);
	json_key(json, "time");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_number(json, milliseconds(samples[rows[i]].time_ns));
	json_array_end(json);
	write_text(json, "weightType", "tracing-ms");
	json_key(json, "weight");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_number(json, milliseconds(samples[rows[i]].weight_ns));
	json_array_end(json);
	json_object_end(json);
}

/* End of a life that may not have been seen. */
static void write_end(struct json_writer *json, const char *key, uint64_t end_ns)
{
	json_key(json, key);
	json_number(json, end_ns != 0 ? milliseconds(end_ns) : NAN);
}

static void write_identity(struct json_writer *json, const struct profile *profile, uint32_t id)
{
	const struct profile_thread *row = &profile->threads[id];
	const struct profile_process *process = &profile->processes[row->process.v];
	const char *command = profile_string(profile, process->command);
	char space[32], pid[16];

	write_text(json, "processType", "default");
	write_text(json, "processName", *command ? command : "Python");
	json_key(json, "processStartupTime");
	json_number(json, milliseconds(process->start_ns));
	write_end(json, "processShutdownTime", process->end_ns);
	json_key(json, "registerTime");
	json_number(json, milliseconds(row->start_ns));
	write_end(json, "unregisterTime", row->end_ns);
	write_empty_array(json, "pausedRanges");
	write_text(json, "name",
		   thread_label(profile, (struct thread_id){id}, space, sizeof(space)));
	json_key(json, "isMainThread");
	json_bool(json, row->is_main);
	snprintf(pid, sizeof(pid), "%u", process->pid);
	write_text(json, "pid", pid);
	json_key(json, "tid");
	json_unsigned(json, row->tid);
}

/* Markers of the whole process go to the first thread that is written. */
static void add_markers(struct firefox_thread *thread, uint32_t id, bool is_first)
{
	const struct profile *profile = thread->profile;

	for (size_t i = 0; i < profile->marker_count; i++) {
		uint32_t of = profile->markers[i].thread.v;
		if (of == id || (of == 0 && is_first))
			firefox_thread_add_marker(thread, i);
	}
}

static int write_thread(struct json_writer *json, const struct profile *profile, uint32_t id,
			const size_t *rows, size_t count, bool is_first)
{
	struct firefox_thread thread;
	int rc = -ERR_MEMORY;

	firefox_thread_init(&thread, profile);
	for (size_t i = 0; i < count; i++)
		firefox_thread_add_sample(&thread, &profile->samples[rows[i]]);
	add_markers(&thread, id, is_first);
	if (!thread.failed) {
		json_object_begin(json);
		write_identity(json, profile, id);
		write_samples(json, &thread, rows, count);
		write_markers(json, &thread);
		firefox_thread_write_tables(&thread, json);
		json_object_end(json);
		rc = thread.failed ? -ERR_MEMORY : 0;
	}
	firefox_thread_release(&thread);
	return rc;
}

static int firefox_write(const struct profile *profile, const struct format_filter *filter,
			 FILE *stream, struct err *err)
{
	struct sample_order order;
	struct json_writer json;
	bool is_first = true;
	int rc = sample_order_init(&order, profile, filter, err);

	if (rc != 0)
		return rc;
	json_start(&json, stream, false);
	json_object_begin(&json);
	write_meta(&json, profile);
	write_empty_array(&json, "libs");
	write_empty_array(&json, "pages");
	json_key(&json, "threads");
	json_array_begin(&json);
	for (uint32_t i = 1; i < profile->thread_count && rc == 0; i++) {
		size_t first = order.start[i], end = order.start[i + 1];
		if (end == first)
			continue;
		rc = write_thread(&json, profile, i, order.order + first, end - first, is_first);
		is_first = false;
	}
	sample_order_release(&order);
	if (rc != 0)
		return format_no_memory("firefox", err);
	json_array_end(&json);
	json_object_end(&json);
	putc('\n', stream);
	return format_finish(stream, "firefox", err);
}

extern const struct format format_firefox;
const struct format format_firefox = {
    .name = "firefox",
    .summary = "the Firefox profiler's JSON: time line of all threads, by state",
    .extension = ".json",
    .opened_by = "https://profiler.firefox.com (also offline, self-hosted)",
    .needs_timeline = true,
    .write = firefox_write,
};
