/* The profile's builder: see builder.h. The profile that a view or a freeze
 * hands out is the builder's own first member, kept up to date by every add, so
 * both cost nothing. Hot path: profile_builder_stack runs once for each frame of
 * each new raw stack (no allocation but the doubling of its table).
 */
#include "profile/builder.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"

#define ROWS_MAX ((size_t)1 << 31)

struct profile_builder {
	struct profile profile; /* first: profile_free casts back */
	struct arena texts;
	char **strings;
	struct profile_function *functions;
	struct profile_frame *frames;
	struct profile_stack *stacks;
	struct profile_process *processes;
	struct profile_thread *threads;
	struct profile_sample *samples;
	struct profile_marker *markers;
	size_t string_capacity, function_capacity, frame_capacity, stack_capacity;
	size_t process_capacity, thread_capacity, sample_capacity, marker_capacity;
	struct intern_map string_map, function_map, frame_map, stack_map;
};

struct text_key {
	const char *text;
	size_t size;
};

static int no_room(int code, const char *table, struct err *err)
{
	if (code == -ERR_LIMIT)
		return err_set(err, ERR_LIMIT, "the profile's table of %s is full", table);
	return err_set(err, ERR_MEMORY, "no memory for the profile's table of %s", table);
}

static int bad_row(const char *what, uint64_t value, struct err *err)
{
	return err_set(err, ERR_FILE, "a profile row refers to %s %llu, which is not there", what,
		       (unsigned long long)value);
}

/* A cleared row for index `count` of a table; NULL fills err. Rows are 0-based here. */
static void *new_row(void *items_slot, size_t *capacity, size_t count, size_t size,
		     const char *table, struct err *err)
{
	void *items;
	int code;

	memcpy(&items, items_slot, sizeof(items));
	code = grow_array(&items, capacity, count + 1, size, ROWS_MAX);
	if (code < 0) {
		no_room(code, table, err);
		return NULL;
	}
	memcpy(items_slot, &items, sizeof(items));
	memset((char *)items + count * size, 0, size);
	return (char *)items + count * size;
}

#define NEW_ROW(builder, table, items, capacity, count)                                            \
	new_row(&(builder)->items, &(builder)->capacity, (count), sizeof(*(builder)->items),       \
		table, err)

static bool make_first_rows(struct profile_builder *builder)
{
	struct err *err = NULL;
	struct profile *profile = &builder->profile;

	if (!NEW_ROW(builder, "strings", strings, string_capacity, 0) ||
	    !NEW_ROW(builder, "functions", functions, function_capacity, 0) ||
	    !NEW_ROW(builder, "frames", frames, frame_capacity, 0) ||
	    !NEW_ROW(builder, "stacks", stacks, stack_capacity, 0) ||
	    !NEW_ROW(builder, "processes", processes, process_capacity, 0) ||
	    !NEW_ROW(builder, "threads", threads, thread_capacity, 0))
		return false;
	builder->strings[0] = arena_copy_text(&builder->texts, "", 0);
	profile->strings = (const char *const *)builder->strings;
	profile->functions = builder->functions;
	profile->frames = builder->frames;
	profile->stacks = builder->stacks;
	profile->processes = builder->processes;
	profile->threads = builder->threads;
	profile->string_count = profile->function_count = profile->frame_count = 1;
	profile->stack_count = profile->process_count = profile->thread_count = 1;
	return builder->strings[0];
}

struct profile_builder *profile_builder_new(void)
{
	struct profile_builder *builder = mem_zalloc(1, sizeof(*builder));

	if (!builder)
		return NULL;
	arena_init(&builder->texts, 0);
	intern_map_init(&builder->string_map, ROWS_MAX);
	intern_map_init(&builder->function_map, ROWS_MAX);
	intern_map_init(&builder->frame_map, ROWS_MAX);
	intern_map_init(&builder->stack_map, ROWS_MAX);
	builder->profile.meta.exit_status = -1;
	builder->profile.meta.stolen_ns = UINT64_MAX;
	if (!make_first_rows(builder)) {
		profile_builder_free(builder);
		return NULL;
	}
	return builder;
}

static void release_maps(struct profile_builder *builder)
{
	intern_map_release(&builder->string_map);
	intern_map_release(&builder->function_map);
	intern_map_release(&builder->frame_map);
	intern_map_release(&builder->stack_map);
}

void profile_builder_free(struct profile_builder *builder)
{
	struct profile_meta *meta;

	if (!builder)
		return;
	meta = &builder->profile.meta;
	mem_free(meta->command);
	mem_free(meta->directory);
	mem_free(meta->python);
	mem_free(meta->python_build);
	mem_free(meta->host);
	mem_free(meta->pyrometer_version);
	mem_free(meta->mode);
	mem_free(meta->clock);
	release_maps(builder);
	arena_release(&builder->texts);
	mem_free(builder->strings);
	mem_free(builder->functions);
	mem_free(builder->frames);
	mem_free(builder->stacks);
	mem_free(builder->processes);
	mem_free(builder->threads);
	mem_free(builder->samples);
	mem_free(builder->markers);
	mem_free(builder);
}

static bool same_string(const void *context, uint32_t value, const void *key)
{
	const struct profile_builder *builder = context;
	const struct text_key *text = key;
	const char *have = builder->strings[value];

	return strncmp(have, text->text, text->size) == 0 && have[text->size] == '\0';
}

int profile_builder_string(struct profile_builder *builder, const char *text, size_t size,
			   struct string_id *ret_id, struct err *err)
{
	struct text_key key = {text, size ? strnlen(text, size) : 0};
	uint64_t hash;
	uint32_t id;
	int code;

	if (key.size == 0) {
		ret_id->v = 0;
		return 0;
	}
	hash = hash_bytes(text, key.size, 0);
	id = intern_map_find(&builder->string_map, hash, same_string, builder, &key);
	if (!id) {
		char *copy;

		id = builder->profile.string_count;
		if (!NEW_ROW(builder, "strings", strings, string_capacity, id))
			return -ERR_MEMORY;
		builder->profile.strings = (const char *const *)builder->strings;
		copy = arena_copy_text(&builder->texts, text, key.size);
		if (!copy)
			return no_room(-ERR_MEMORY, "strings", err);
		code = intern_map_insert(&builder->string_map, hash, id);
		if (code < 0)
			return no_room(code, "strings", err);
		builder->strings[id] = copy;
		builder->profile.string_count++;
	}
	ret_id->v = id;
	return 0;
}

static bool same_function(const void *context, uint32_t value, const void *key)
{
	const struct profile_function *a =
	    &((const struct profile_builder *)context)->functions[value];
	const struct profile_function *b = key;

	return a->name.v == b->name.v && a->file.v == b->file.v && a->first_line == b->first_line;
}

int profile_builder_function(struct profile_builder *builder,
			     const struct profile_function *function, struct function_id *ret_id,
			     struct err *err)
{
	struct profile *profile = &builder->profile;
	uint64_t hash;
	uint32_t id;
	int code;

	if (function->name.v >= profile->string_count)
		return bad_row("string", function->name.v, err);
	if (function->file.v >= profile->string_count)
		return bad_row("string", function->file.v, err);
	hash = hash_u64(((uint64_t)function->name.v << 32 | function->file.v) ^
			hash_u64(function->first_line));
	id = intern_map_find(&builder->function_map, hash, same_function, builder, function);
	if (!id) {
		id = profile->function_count;
		if (!NEW_ROW(builder, "functions", functions, function_capacity, id))
			return -ERR_MEMORY;
		profile->functions = builder->functions;
		code = intern_map_insert(&builder->function_map, hash, id);
		if (code < 0)
			return no_room(code, "functions", err);
		builder->functions[id] = *function;
		profile->function_count++;
	}
	ret_id->v = id;
	return 0;
}

static bool same_frame(const void *context, uint32_t value, const void *key)
{
	const struct profile_frame *a = &((const struct profile_builder *)context)->frames[value];
	const struct profile_frame *b = key;

	return a->function.v == b->function.v && a->line == b->line && a->end_line == b->end_line &&
	       a->column == b->column && a->end_column == b->end_column && a->kind == b->kind;
}

int profile_builder_frame(struct profile_builder *builder, const struct profile_frame *frame,
			  struct frame_id *ret_id, struct err *err)
{
	struct profile *profile = &builder->profile;
	uint64_t hash;
	uint32_t id;
	int code;

	if (frame->function.v == 0 || frame->function.v >= profile->function_count)
		return bad_row("function", frame->function.v, err);
	if (frame->kind < FRAME_PYTHON || frame->kind > FRAME_TRUNCATED)
		return err_set(err, ERR_FILE, "a frame is of kind %u, which is not known",
			       frame->kind);
	hash = hash_u64((uint64_t)frame->function.v << 32 | frame->line);
	hash = hash_u64(
	    hash ^
	    ((uint64_t)frame->end_line << 32 | (uint64_t)frame->column << 16 | frame->end_column) ^
	    (uint64_t)frame->kind << 56);
	id = intern_map_find(&builder->frame_map, hash, same_frame, builder, frame);
	if (!id) {
		id = profile->frame_count;
		if (!NEW_ROW(builder, "frames", frames, frame_capacity, id))
			return -ERR_MEMORY;
		profile->frames = builder->frames;
		code = intern_map_insert(&builder->frame_map, hash, id);
		if (code < 0)
			return no_room(code, "frames", err);
		builder->frames[id] = *frame;
		profile->frame_count++;
	}
	ret_id->v = id;
	return 0;
}

static bool same_stack(const void *context, uint32_t value, const void *key)
{
	const struct profile_stack *a = &((const struct profile_builder *)context)->stacks[value];
	const struct profile_stack *b = key;

	return a->parent.v == b->parent.v && a->frame.v == b->frame.v;
}

int profile_builder_stack(struct profile_builder *builder, struct stack_id parent,
			  struct frame_id frame, struct stack_id *ret_id, struct err *err)
{
	struct profile *profile = &builder->profile;
	struct profile_stack stack = {.parent = parent, .frame = frame};
	uint64_t hash = hash_u64((uint64_t)parent.v << 32 | frame.v);
	uint32_t id;
	int code;

	id = intern_map_find(&builder->stack_map, hash, same_stack, builder, &stack);
	if (!id) {
		if (parent.v >= profile->stack_count)
			return bad_row("stack", parent.v, err);
		if (frame.v == 0 || frame.v >= profile->frame_count)
			return bad_row("frame", frame.v, err);
		stack.depth = builder->stacks[parent.v].depth + 1;
		/* One more than the bound: the frame that says "<truncated>". */
		if (stack.depth > PROFILE_STACK_DEPTH_MAX + 1)
			return err_set(err, ERR_LIMIT, "a stack is deeper than %d frames",
				       PROFILE_STACK_DEPTH_MAX);
		id = profile->stack_count;
		if (!NEW_ROW(builder, "stacks", stacks, stack_capacity, id))
			return -ERR_MEMORY;
		profile->stacks = builder->stacks;
		code = intern_map_insert(&builder->stack_map, hash, id);
		if (code < 0)
			return no_room(code, "stacks", err);
		builder->stacks[id] = stack;
		profile->stack_count++;
	}
	ret_id->v = id;
	return 0;
}

int profile_builder_add_process(struct profile_builder *builder,
				const struct profile_process *process, struct process_id *ret_id,
				struct err *err)
{
	struct profile *profile = &builder->profile;
	struct profile_process *row;

	if (process->command.v >= profile->string_count)
		return bad_row("string", process->command.v, err);
	if (process->python.v >= profile->string_count)
		return bad_row("string", process->python.v, err);
	row = NEW_ROW(builder, "processes", processes, process_capacity, profile->process_count);
	if (!row)
		return -ERR_MEMORY;
	profile->processes = builder->processes;
	*row = *process;
	ret_id->v = profile->process_count++;
	return 0;
}

int profile_builder_add_thread(struct profile_builder *builder, const struct profile_thread *thread,
			       struct thread_id *ret_id, struct err *err)
{
	struct profile *profile = &builder->profile;
	struct profile_thread *row;

	if (thread->process.v == 0 || thread->process.v >= profile->process_count)
		return bad_row("process", thread->process.v, err);
	if (thread->name.v >= profile->string_count)
		return bad_row("string", thread->name.v, err);
	row = NEW_ROW(builder, "threads", threads, thread_capacity, profile->thread_count);
	if (!row)
		return -ERR_MEMORY;
	profile->threads = builder->threads;
	*row = *thread;
	ret_id->v = profile->thread_count++;
	return 0;
}

struct profile_process *profile_builder_process(struct profile_builder *builder,
						struct process_id id)
{
	if (id.v == 0 || id.v >= builder->profile.process_count)
		return NULL;
	return &builder->processes[id.v];
}

struct profile_thread *profile_builder_thread(struct profile_builder *builder, struct thread_id id)
{
	if (id.v == 0 || id.v >= builder->profile.thread_count)
		return NULL;
	return &builder->threads[id.v];
}

int profile_builder_add_sample(struct profile_builder *builder, const struct profile_sample *sample,
			       struct err *err)
{
	struct profile *profile = &builder->profile;
	struct profile_sample *row;

	if (sample->thread.v == 0 || sample->thread.v >= profile->thread_count)
		return bad_row("thread", sample->thread.v, err);
	if (sample->stack.v >= profile->stack_count)
		return bad_row("stack", sample->stack.v, err);
	if (sample->state >= STATE_COUNT || sample->count == 0)
		return err_set(err, ERR_FILE, "a sample of state %u, count %u is not possible",
			       sample->state, sample->count);
	row = NEW_ROW(builder, "samples", samples, sample_capacity, profile->sample_count);
	if (!row)
		return -ERR_MEMORY;
	profile->samples = builder->samples;
	*row = *sample;
	profile->sample_count++;
	return 0;
}

int profile_builder_add_marker(struct profile_builder *builder, const struct profile_marker *marker,
			       struct err *err)
{
	struct profile *profile = &builder->profile;
	struct profile_marker *row;

	if (marker->thread.v >= profile->thread_count)
		return bad_row("thread", marker->thread.v, err);
	if (marker->name.v >= profile->string_count)
		return bad_row("string", marker->name.v, err);
	if (marker->data.v >= profile->string_count)
		return bad_row("string", marker->data.v, err);
	if (marker->end_ns < marker->start_ns)
		return err_set(err, ERR_FILE, "a marker ends before it starts");
	row = NEW_ROW(builder, "markers", markers, marker_capacity, profile->marker_count);
	if (!row)
		return -ERR_MEMORY;
	profile->markers = builder->markers;
	*row = *marker;
	profile->marker_count++;
	return 0;
}

struct profile_meta *profile_builder_meta(struct profile_builder *builder)
{
	return &builder->profile.meta;
}

int profile_meta_set_text(char **slot, const char *text)
{
	char *copy = NULL;

	if (text) {
		copy = mem_copy_text(text);
		if (!copy)
			return -ERR_MEMORY;
	}
	mem_free(*slot);
	*slot = copy;
	return 0;
}

const struct profile *profile_builder_view(struct profile_builder *builder)
{
	return &builder->profile;
}

struct profile *profile_builder_freeze(struct profile_builder *builder)
{
	release_maps(builder);
	intern_map_init(&builder->string_map, 0);
	intern_map_init(&builder->function_map, 0);
	intern_map_init(&builder->frame_map, 0);
	intern_map_init(&builder->stack_map, 0);
	return &builder->profile;
}

void profile_free(struct profile *profile)
{
	profile_builder_free((struct profile_builder *)profile);
}
