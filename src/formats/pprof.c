/* pprof: profile.proto, gzipped. Samples are summed by stack, thread and state,
 * with the values samples, cpu and wall. docs/formats/pprof.md. */
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "formats/format_support.h"
#include "formats/gzip_stream.h"
#include "formats/protobuf.h"

/* Field numbers of github.com/google/pprof/proto/profile.proto. */
enum profile_field {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};
enum value_type_field { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT = 2 };
enum sample_field { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum label_field { LABEL_KEY = 1, LABEL_STRING = 2, LABEL_NUMBER = 3 };
enum location_field { LOCATION_ID = 1, LOCATION_LINE = 4 };
enum line_field { LINE_FUNCTION = 1, LINE_LINE = 2, LINE_COLUMN = 3 };
enum function_field {
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILE = 4,
	FUNCTION_START_LINE = 5,
};

/* Texts of our own come after the profile's strings, whose row 0 is "" as
 * pprof's must be. */
enum own_text {
	TEXT_SAMPLES,
	TEXT_COUNT,
	TEXT_CPU,
	TEXT_WALL,
	TEXT_NANOSECONDS,
	TEXT_THREAD,
	TEXT_TID,
	TEXT_STATE,
	TEXT_PID,
	TEXT_NO_STACK,
	TEXT_COMMENT,
	TEXT_STATES, /* one for each state, then thread labels */
};
static const char *const own_texts[] = {
    [TEXT_SAMPLES] = "samples",
    [TEXT_COUNT] = "count",
    [TEXT_CPU] = "cpu",
    [TEXT_WALL] = "wall",
    [TEXT_NANOSECONDS] = "nanoseconds",
    [TEXT_THREAD] = "thread",
    [TEXT_TID] = "tid",
    [TEXT_STATE] = "state",
    [TEXT_PID] = "pid",
    [TEXT_NO_STACK] = NO_STACK_NAME,
    [TEXT_COMMENT] = ("written by pyrometer " PYROMETER_VERSION),
};

/* Equal samples, summed. */
struct sum {
	uint32_t stack, thread, next; /* next of the same (stack, thread); 0 ends */
	uint8_t state;
	uint64_t count, wall_ns, cpu_ns;
};

struct pprof {
	const struct profile *profile;
	struct gzip_stream gzip;
	struct buffer message, part,
	    packed; /* reused: a field of the profile, a part of it, an array */
	struct sum *sums;
	size_t sum_count, sum_capacity;
	struct u64_map first_sum; /* by stack and thread */
	bool failed;
};

static uint64_t text_id(const struct pprof *pprof, uint32_t text)
{
	return (uint64_t)pprof->profile->string_count + text;
}

/* A function and a location of our own stand for "no stack"; their ids follow the tables'. */
static uint64_t no_stack_function(const struct pprof *pprof)
{
	return pprof->profile->function_count;
}

static uint64_t no_stack_location(const struct pprof *pprof)
{
	return pprof->profile->frame_count;
}

/* What is in `message` becomes one field of the profile. */
static void emit_message(struct pprof *pprof, uint32_t field)
{
	uint8_t header[16];
	size_t size = 0;
	uint64_t length = pprof->message.size;

	header[size++] = (uint8_t)(field << 3 | 2);
	do {
		header[size++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
		length >>= 7;
	} while (length > 0);
	pprof->failed = pprof->failed || pprof->message.failed;
	gzip_stream_write(&pprof->gzip, header, size);
	gzip_stream_write(&pprof->gzip, pprof->message.bytes, pprof->message.size);
	pprof->message.size = 0;
}

static void emit_bare(struct pprof *pprof)
{
	pprof->failed = pprof->failed || pprof->message.failed;
	gzip_stream_write(&pprof->gzip, pprof->message.bytes, pprof->message.size);
	pprof->message.size = 0;
}

static void emit_text(struct pprof *pprof, const char *text)
{
	protobuf_text(&pprof->message, PROFILE_STRING, text);
	emit_bare(pprof);
}

static void emit_value_type(struct pprof *pprof, uint32_t field, enum own_text type,
			    enum own_text unit)
{
	protobuf_unsigned(&pprof->message, VALUE_TYPE_TYPE, text_id(pprof, type));
	protobuf_unsigned(&pprof->message, VALUE_TYPE_UNIT, text_id(pprof, unit));
	emit_message(pprof, field);
}

static void emit_head(struct pprof *pprof)
{
	const struct profile_meta *meta = &pprof->profile->meta;

	emit_value_type(pprof, PROFILE_SAMPLE_TYPE, TEXT_SAMPLES, TEXT_COUNT);
	emit_value_type(pprof, PROFILE_SAMPLE_TYPE, TEXT_CPU, TEXT_NANOSECONDS);
	emit_value_type(pprof, PROFILE_SAMPLE_TYPE, TEXT_WALL, TEXT_NANOSECONDS);
	emit_value_type(pprof, PROFILE_PERIOD_TYPE, TEXT_WALL, TEXT_NANOSECONDS);
	protobuf_unsigned(&pprof->message, PROFILE_TIME_NANOS, meta->started_unix_ns);
	protobuf_unsigned(&pprof->message, PROFILE_DURATION_NANOS, meta->duration_ns);
	if (meta->rate_hz > 1e-6 && meta->rate_hz < 1e9)
		protobuf_unsigned(&pprof->message, PROFILE_PERIOD,
				  (uint64_t)(1e9 / meta->rate_hz + 0.5));
	protobuf_unsigned(&pprof->message, PROFILE_COMMENT, text_id(pprof, TEXT_COMMENT));
	protobuf_unsigned(&pprof->message, PROFILE_DEFAULT_SAMPLE_TYPE, text_id(pprof, TEXT_WALL));
	emit_bare(pprof);
}

static void emit_texts(struct pprof *pprof)
{
	const struct profile *profile = pprof->profile;
	char space[32];

	for (uint32_t i = 0; i < profile->string_count; i++)
		emit_text(pprof, profile_string(profile, (struct string_id){i}));
	for (size_t i = 0; i < sizeof(own_texts) / sizeof(own_texts[0]); i++)
		emit_text(pprof, own_texts[i]);
	for (uint8_t i = 0; i < STATE_COUNT; i++)
		emit_text(pprof, state_label(i));
	for (uint32_t i = 0; i < profile->thread_count; i++)
		emit_text(pprof,
			  thread_label(profile, (struct thread_id){i}, space, sizeof(space)));
}

static void emit_function(struct pprof *pprof, uint64_t id, uint64_t name, uint64_t file,
			  uint64_t first_line)
{
	protobuf_unsigned(&pprof->message, FUNCTION_ID, id);
	protobuf_unsigned(&pprof->message, FUNCTION_NAME, name);
	protobuf_unsigned(&pprof->message, FUNCTION_SYSTEM_NAME, name);
	protobuf_unsigned(&pprof->message, FUNCTION_FILE, file);
	protobuf_unsigned(&pprof->message, FUNCTION_START_LINE, first_line);
	emit_message(pprof, PROFILE_FUNCTION);
}

static void emit_location(struct pprof *pprof, uint64_t id, uint64_t function, uint32_t line,
			  uint32_t column)
{
	pprof->part.size = 0;
	protobuf_unsigned(&pprof->part, LINE_FUNCTION, function);
	protobuf_unsigned(&pprof->part, LINE_LINE, line);
	protobuf_unsigned(&pprof->part, LINE_COLUMN, column);
	protobuf_unsigned(&pprof->message, LOCATION_ID, id);
	protobuf_bytes(&pprof->message, LOCATION_LINE, &pprof->part);
	emit_message(pprof, PROFILE_LOCATION);
}

static void emit_places(struct pprof *pprof)
{
	const struct profile *profile = pprof->profile;

	for (uint32_t i = 1; i < profile->function_count; i++) {
		const struct profile_function *row = &profile->functions[i];
		emit_function(pprof, i, row->name.v, row->file.v, row->first_line);
	}
	emit_function(pprof, no_stack_function(pprof), text_id(pprof, TEXT_NO_STACK), 0, 0);
	for (uint32_t i = 1; i < profile->frame_count; i++) {
		const struct profile_frame *row = &profile->frames[i];
		emit_location(pprof, i, row->function.v, row->line, row->column);
	}
	emit_location(pprof, no_stack_location(pprof), no_stack_function(pprof), 0, 0);
}

/* The sum that a sample belongs to, made when it is the first; NULL: no memory. */
static struct sum *sum_for(struct pprof *pprof, const struct profile_sample *sample)
{
	uint64_t key = (uint64_t)sample->stack.v << 32 | sample->thread.v, first = 0;
	uint8_t state = sample->state < STATE_COUNT ? sample->state : STATE_UNKNOWN;
	void *items = pprof->sums;
	struct sum *sum;

	u64_map_get(&pprof->first_sum, key, &first);
	for (uint64_t at = first; at != 0; at = pprof->sums[at].next) {
		if (pprof->sums[at].state == state)
			return &pprof->sums[at];
	}
	if (grow_array(&items, &pprof->sum_capacity, pprof->sum_count + 1, sizeof(*sum),
		       UINT32_MAX) != 0)
		return NULL;
	pprof->sums = items;
	if (u64_map_put(&pprof->first_sum, key, pprof->sum_count) != 0)
		return NULL;
	sum = &pprof->sums[pprof->sum_count++];
	*sum = (struct sum){.stack = sample->stack.v,
			    .thread = sample->thread.v,
			    .next = (uint32_t)first,
			    .state = state};
	return sum;
}

static int add_samples(struct pprof *pprof, const struct format_filter *filter)
{
	const struct profile *profile = pprof->profile;

	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		if (!format_keeps(filter, profile, sample))
			continue;
		struct sum *sum = sum_for(pprof, sample);
		if (!sum)
			return -ERR_MEMORY;
		sum->count += sample->count;
		sum->wall_ns += sample->weight_ns;
		if (state_is_on_cpu(sample->state))
			sum->cpu_ns += sample->weight_ns;
	}
	return 0;
}

static void add_label(struct pprof *pprof, enum own_text key, uint64_t text, uint64_t number)
{
	pprof->part.size = 0;
	protobuf_unsigned(&pprof->part, LABEL_KEY, text_id(pprof, key));
	protobuf_unsigned(&pprof->part, LABEL_STRING, text);
	protobuf_unsigned(&pprof->part, LABEL_NUMBER, number);
	protobuf_bytes(&pprof->message, SAMPLE_LABEL, &pprof->part);
}

/* Leaf first, as pprof has it. */
static void emit_sum(struct pprof *pprof, const struct sum *sum)
{
	const struct profile *profile = pprof->profile;
	const struct profile_thread *thread = &profile->threads[sum->thread];
	uint64_t thread_text =
	    text_id(pprof, sizeof(own_texts) / sizeof(own_texts[0]) + STATE_COUNT + sum->thread);

	pprof->packed.size = 0;
	if (sum->stack == 0)
		buffer_varint(&pprof->packed, no_stack_location(pprof));
	for (uint32_t at = sum->stack; at != 0; at = profile->stacks[at].parent.v)
		buffer_varint(&pprof->packed, profile->stacks[at].frame.v);
	protobuf_bytes(&pprof->message, SAMPLE_LOCATION, &pprof->packed);
	pprof->packed.size = 0;
	buffer_varint(&pprof->packed, sum->count);
	buffer_varint(&pprof->packed, sum->cpu_ns);
	buffer_varint(&pprof->packed, sum->wall_ns);
	protobuf_bytes(&pprof->message, SAMPLE_VALUE, &pprof->packed);
	add_label(pprof, TEXT_THREAD, thread_text, 0);
	add_label(pprof, TEXT_TID, 0, thread->tid);
	add_label(pprof, TEXT_STATE, text_id(pprof, TEXT_STATES + sum->state), 0);
	add_label(pprof, TEXT_PID, 0, profile->processes[thread->process.v].pid);
	emit_message(pprof, PROFILE_SAMPLE);
}

static int pprof_write(const struct profile *profile, const struct format_filter *filter,
		       FILE *stream, struct err *err)
{
	/* Row 0 of the sums is "none". */
	struct pprof pprof = {.profile = profile, .sum_count = 1};
	int rc;

	buffer_init(&pprof.message, SIZE_MAX);
	buffer_init(&pprof.part, SIZE_MAX);
	buffer_init(&pprof.packed, SIZE_MAX);
	u64_map_init(&pprof.first_sum, 0);
	rc = add_samples(&pprof, filter);
	if (rc == 0)
		rc = gzip_stream_init(&pprof.gzip, stream);
	if (rc == 0) {
		emit_head(&pprof);
		emit_texts(&pprof);
		emit_places(&pprof);
		for (size_t i = 1; i < pprof.sum_count; i++)
			emit_sum(&pprof, &pprof.sums[i]);
		rc = gzip_stream_finish(&pprof.gzip);
	}
	buffer_release(&pprof.message);
	buffer_release(&pprof.part);
	buffer_release(&pprof.packed);
	u64_map_release(&pprof.first_sum);
	mem_free(pprof.sums);
	if (rc != 0 || pprof.failed)
		return format_no_memory("pprof", err);
	return format_finish(stream, "pprof", err);
}

extern const struct format format_pprof;
const struct format format_pprof = {
    .name = "pprof",
    .summary = "profile.proto, gzipped: samples, CPU and wall time by thread and state",
    .extension = ".pb.gz",
    .opened_by = "go tool pprof, Pyroscope, Parca, Grafana, speedscope",
    .binary = true,
    .write = pprof_write,
};
