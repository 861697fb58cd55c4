/* See imports_events.h. */
#include "bench/imports_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash_map.h"
#include "bench/imports.h"

#define FIELDS_MAX 32
#define SHELL_DEPTH_MAX 256
#define LIST_MAX 4000000 /* of anything but records */

/* One growing list of the result. */
struct list {
	void **items;
	size_t *count, capacity, size, maximum;
};

struct use {
	const char *name;
	enum imports_use use;
};

enum list_name {
	LIST_RECORDS,
	LIST_BEFORE,
	LIST_MODULES,
	LIST_LAZY,
	LIST_WORK,
	LIST_LINES,
	LIST_NUMBERS,
	LIST_PARENTS,
	LIST_USES,
	LISTS
};

struct reader {
	struct imports_result *result;
	int64_t launched_ns, prepared_ns;
	struct list lists[LISTS];
	uint32_t *numbers, *parents; /* of each record, as the probe counts */
	struct use *uses;
	size_t number_count, parent_count, use_count;
	char *fields[FIELDS_MAX];
	size_t field_count, line;
	bool begun, no_memory;
};

/* --- fields -------------------------------------------------------------------------------- */

static const char *text_at(struct reader *reader, size_t at)
{
	static const struct {
		char code[4], character;
	} codes[] = {{"%09", '\t'}, {"%0A", '\n'}, {"%0D", '\r'}, {"%25", '%'}, {"%2D", '-'}};
	const char *field = reader->fields[at];
	char *text, *to;

	if (strcmp(field, "-") == 0)
		return NULL;
	text = to = arena_copy_text(&reader->result->arena, field, strlen(field));
	if (!text) {
		reader->no_memory = true;
		return NULL;
	}
	for (const char *from = field; *from; from++) {
		char character = *from;

		for (size_t i = 0; *from == '%' && i < sizeof(codes) / sizeof(codes[0]); i++)
			if (strncmp(from, codes[i].code, 3) == 0) {
				character = codes[i].character;
				from += 2;
				break;
			}
		*to++ = character;
	}
	*to = 0;
	return text;
}

static bool number_at(const struct reader *reader, size_t at, int64_t *ret_value)
{
	const char *field = reader->fields[at], *digits = field + (field[0] == '-');
	size_t length = strlen(digits);

	/* 18 digits always fit. */
	if (length == 0 || length > 18 || strspn(digits, "0123456789") != length)
		return false;
	*ret_value = strtoll(field, NULL, 10);
	return true;
}

static bool amount_at(const struct reader *reader, size_t at, uint64_t *ret_value)
{
	int64_t value;

	if (strcmp(reader->fields[at], "-") == 0) {
		*ret_value = UINT64_MAX;
		return true;
	}
	if (!number_at(reader, at, &value))
		return false;
	*ret_value = value < 0 ? 0 : (uint64_t)value; /* clocks of two CPUs may differ a little */
	return true;
}

static bool index_at(const struct reader *reader, size_t at, uint32_t *ret_value)
{
	int64_t value;

	if (strcmp(reader->fields[at], "-") == 0) {
		*ret_value = 0;
		return true;
	}
	if (!number_at(reader, at, &value) || value < 0 || value >= UINT32_MAX)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

/* --- lines --------------------------------------------------------------------------------- */

/* The new item, zeroed; NULL: no memory, or the list is full (then it is as if it was not there).
 */
static void *append(struct reader *reader, enum list_name name)
{
	struct list *list = &reader->lists[name];
	int result =
	    grow_array(list->items, &list->capacity, *list->count + 1, list->size, list->maximum);
	char *item;

	if (result < 0) {
		reader->no_memory = reader->no_memory || result == -ERR_MEMORY;
		return NULL;
	}
	item = (char *)*list->items + *list->count * list->size;
	memset(item, 0, list->size);
	++*list->count;
	return item;
}

static bool read_start(struct reader *reader)
{
	int64_t version, entered, started;

	if (!number_at(reader, 1, &version) || version != 1 || !number_at(reader, 5, &entered) ||
	    !number_at(reader, 6, &started))
		return false;
	reader->result->implementation = text_at(reader, 2);
	reader->result->version = text_at(reader, 3);
	reader->result->executable = text_at(reader, 4);
	reader->result->use_method = text_at(reader, 7);
	reader->result->began_ns = entered - reader->launched_ns;
	/* On the program's clock the probe's own start takes no time. */
	reader->prepared_ns = started > entered ? started - entered : 0;
	reader->begun = true;
	return true;
}

static bool read_before(struct reader *reader)
{
	struct imports_before *before = append(reader, LIST_BEFORE);

	if (before)
		*before = (struct imports_before){text_at(reader, 1), text_at(reader, 2),
						  UINT64_MAX, UINT64_MAX};
	return true;
}

static bool read_amounts(struct reader *reader, struct imports_record *record)
{
	uint64_t children, total;
	int64_t start, memory = IMPORTS_UNKNOWN;

	if (!number_at(reader, 7, &start) || !amount_at(reader, 8, &total) || total == UINT64_MAX ||
	    !amount_at(reader, 9, &children) || !amount_at(reader, 10, &record->body_ns) ||
	    !amount_at(reader, 11, &record->compile_ns) ||
	    !amount_at(reader, 12, &record->cpu_ns) || !amount_at(reader, 14, &record->files) ||
	    !amount_at(reader, 15, &record->bytes) || !amount_at(reader, 16, &record->stats))
		return false;
	if (strcmp(reader->fields[13], "-") != 0 && !number_at(reader, 13, &memory))
		return false;
	record->start_ns = start - reader->launched_ns - reader->prepared_ns;
	record->total_ns = total;
	record->self_ns = children < total ? total - children : 0;
	record->memory_bytes = memory;
	return true;
}

static bool read_import(struct reader *reader)
{
	struct imports_record record = {0}, *place;
	uint32_t number, parent, flags[2], *number_place, *parent_place;

	if (!index_at(reader, 1, &number) || !index_at(reader, 2, &parent) || parent >= number ||
	    !index_at(reader, 3, &record.thread) || !read_amounts(reader, &record) ||
	    !index_at(reader, 18, &record.by_line) || !index_at(reader, 20, &flags[0]) ||
	    !index_at(reader, 22, &flags[1]) || !amount_at(reader, 23, &record.work_count))
		return false;
	record.name = text_at(reader, 4);
	if (!record.name)
		return false;
	record.kind = text_at(reader, 5);
	record.file = text_at(reader, 6);
	record.by_file = text_at(reader, 17);
	record.by_function = text_at(reader, 19);
	record.at_start = flags[0] != 0;
	record.how = text_at(reader, 21);
	record.lazy = flags[1] != 0;
	record.error = text_at(reader, 24);
	record.error_text = text_at(reader, 25);
	record.missing = text_at(reader, 26);
	record.parent = IMPORTS_NONE;
	place = append(reader, LIST_RECORDS);
	if (!place)
		return true;
	*place = record;
	number_place = append(reader, LIST_NUMBERS);
	parent_place = append(reader, LIST_PARENTS);
	if (!number_place || !parent_place)
		return false;
	*number_place = number;
	*parent_place = parent;
	return true;
}

static bool read_work(struct reader *reader)
{
	struct imports_work work = {0}, *place;

	if (!index_at(reader, 1, &work.record))
		return false;
	work.event = text_at(reader, 2);
	work.detail = text_at(reader, 3);
	work.order = (uint32_t)reader->line;
	place = append(reader, LIST_WORK);
	if (place)
		*place = work;
	return true;
}

/* Files beside a missing part: kept as work of their own kind until its import is judged. */
static bool read_evidence(struct reader *reader)
{
	struct imports_work work = {.event = IMPORTS_EVIDENCE}, *place;

	if (!index_at(reader, 1, &work.record))
		return false;
	work.detail = text_at(reader, 2);
	work.order = (uint32_t)reader->line;
	place = append(reader, LIST_WORK);
	if (place)
		*place = work;
	return true;
}

static bool read_line(struct reader *reader)
{
	struct imports_line line = {0}, *place;

	if (!index_at(reader, 1, &line.record) || !index_at(reader, 2, &line.line) ||
	    !amount_at(reader, 3, &line.self_ns) || !amount_at(reader, 4, &line.hits))
		return false;
	place = append(reader, LIST_LINES);
	if (place)
		*place = line;
	return true;
}

static bool read_use(struct reader *reader)
{
	struct use use = {.name = text_at(reader, 1)}, *place;

	if (strcmp(reader->fields[2], "yes") == 0)
		use.use = IMPORTS_USE_YES;
	else if (strcmp(reader->fields[2], "no") == 0)
		use.use = IMPORTS_USE_NO;
	place = use.name ? append(reader, LIST_USES) : NULL;
	if (place)
		*place = use;
	return true;
}

static bool read_name(struct reader *reader, enum list_name list)
{
	const char *name = text_at(reader, 1), **place = name ? append(reader, list) : NULL;

	if (place)
		*place = name;
	return true;
}

static bool read_module(struct reader *reader)
{
	return read_name(reader, LIST_MODULES);
}

static bool read_lazy(struct reader *reader)
{
	return read_name(reader, LIST_LAZY);
}

static bool read_end(struct reader *reader)
{
	struct imports_result *result = reader->result;
	int64_t main_ended;

	if (!number_at(reader, 1, &main_ended) || !amount_at(reader, 3, &result->probe_ns) ||
	    !amount_at(reader, 4, &result->peak_bytes))
		return false;
	result->ended_ns = main_ended - reader->launched_ns - reader->prepared_ns;
	if (result->probe_ns != UINT64_MAX)
		result->probe_ns += (uint64_t)reader->prepared_ns;
	result->complete = true;
	return true;
}

static const struct {
	char letter;
	size_t fields;
	bool (*read)(struct reader *);
} kinds[] = {
    {'P', 8, read_start},    {'B', 3, read_before}, {'I', 27, read_import}, {'A', 4, read_work},
    {'E', 3, read_evidence}, {'L', 5, read_line},   {'U', 3, read_use},	    {'M', 2, read_module},
    {'Y', 2, read_lazy},     {'Z', 5, read_end},
};

static bool read_one(struct reader *reader, char *line)
{
	reader->field_count = 0;
	for (char *field = line; field; reader->field_count++) {
		char *tab = strchr(field, '\t');

		if (reader->field_count == FIELDS_MAX)
			return false;
		if (tab)
			*tab++ = 0;
		reader->fields[reader->field_count] = field;
		field = tab;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(line) == 1 && line[0] == kinds[i].letter)
			return reader->field_count == kinds[i].fields &&
			       (reader->begun || line[0] == 'P') && kinds[i].read(reader);
	return false;
}

/* --- what only all of it tells ------------------------------------------------------------- */

struct numbered {
	uint32_t number, parent;
	struct imports_record record;
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

static bool find_index(const struct u64_map *indexes, uint32_t *number)
{
	uint64_t index;

	if (!u64_map_get(indexes, *number, &index))
		return false;
	*number = (uint32_t)index;
	return true;
}

static int compare(uint64_t left, uint64_t right)
{
	return left < right ? -1 : left > right;
}

/* Within a record as it happened. */
static int by_work_order(const void *a, const void *b)
{
	const struct imports_work *left = a, *right = b;

	return left->record != right->record ? compare(left->record, right->record)
					     : compare(left->order, right->order);
}

static int by_line_order(const void *a, const void *b)
{
	const struct imports_line *left = a, *right = b;

	if (left->record != right->record)
		return compare(left->record, right->record);
	return left->self_ns != right->self_ns ? compare(right->self_ns, left->self_ns)
					       : compare(left->line, right->line);
}

/* Work and lines name records by number: by index from here on; of no record, gone. */
static void renumber(struct imports_result *result, const struct u64_map *indexes)
{
	size_t kept = 0;

	for (size_t i = 0; i < result->work_count; i++) {
		result->work[kept] = result->work[i];
		kept += find_index(indexes, &result->work[kept].record);
	}
	result->work_count = kept;
	kept = 0;
	for (size_t i = 0; i < result->line_count; i++) {
		result->lines[kept] = result->lines[i];
		kept += find_index(indexes, &result->lines[kept].record);
	}
	result->line_count = kept;
	if (result->work_count)
		qsort(result->work, result->work_count, sizeof(*result->work), by_work_order);
	if (result->line_count)
		qsort(result->lines, result->line_count, sizeof(*result->lines), by_line_order);
}

/* Records in the order in which they began, so that a parent comes before its children. */
static int order(struct reader *reader)
{
	struct imports_result *result = reader->result;
	size_t count = result->record_count;
	struct numbered *all = mem_zalloc(count + 1, sizeof(*all));
	struct u64_map indexes;
	int status = all ? 0 : -ERR_MEMORY;

	u64_map_init(&indexes, 0);
	for (size_t i = 0; status == 0 && i < count; i++)
		all[i] =
		    (struct numbered){reader->numbers[i], reader->parents[i], result->records[i]};
	if (status == 0)
		qsort(all, count, sizeof(*all), by_number);
	for (size_t i = 0; status == 0 && i < count; i++) {
		uint32_t parent = all[i].parent;

		result->records[i] = all[i].record;
		if (find_index(&indexes, &parent))
			result->records[i].parent = parent;
		status = u64_map_put(&indexes, all[i].number, i);
	}
	if (status == 0)
		renumber(result, &indexes);
	u64_map_release(&indexes);
	mem_free(all);
	return status;
}

/* `import a.b` where a imports a.b itself: the outer import finds it loaded. */
static void mark_shells(struct imports_result *result, const struct imports_record *record)
{
	uint32_t at = record->parent;

	for (size_t i = 0; i < SHELL_DEPTH_MAX && at != IMPORTS_NONE && !record->error; i++) {
		if (strcmp(result->records[at].name, record->name) == 0)
			result->records[at].shell = true;
		at = result->records[at].parent;
	}
}

/* What happens inside an import happens when that one does. */
static void inherit(struct imports_result *result)
{
	for (size_t i = 0; i < result->record_count; i++) {
		struct imports_record *record = &result->records[i];

		if (record->parent != IMPORTS_NONE)
			record->at_start = result->records[record->parent].at_start;
		else if (record->lazy || record->thread != 0)
			record->at_start = false;
		mark_shells(result, record);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct use *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static void join_use(struct reader *reader)
{
	struct imports_result *result = reader->result;

	if (reader->use_count)
		qsort(reader->uses, reader->use_count, sizeof(*reader->uses), by_name);
	for (size_t i = 0; i < result->record_count && reader->use_count; i++) {
		struct imports_record *record = &result->records[i];
		struct use key = {.name = record->name};
		const struct use *found =
		    bsearch(&key, reader->uses, reader->use_count, sizeof(*reader->uses), by_name);

		if (found && !record->error && !record->shell)
			record->use = found->use;
	}
}

static void make_lists(struct reader *reader)
{
	struct imports_result *result = reader->result;
	const struct list lists[LISTS] = {
	    [LIST_RECORDS] = {(void **)&result->records, &result->record_count, 0,
			      sizeof(*result->records), IMPORTS_RECORDS_MAX},
	    [LIST_BEFORE] = {(void **)&result->before, &result->before_count, 0,
			     sizeof(*result->before), LIST_MAX},
	    [LIST_MODULES] = {(void **)&result->modules, &result->module_count, 0,
			      sizeof(*result->modules), LIST_MAX},
	    [LIST_LAZY] = {(void **)&result->lazy_left, &result->lazy_left_count, 0,
			   sizeof(*result->lazy_left), LIST_MAX},
	    [LIST_WORK] = {(void **)&result->work, &result->work_count, 0, sizeof(*result->work),
			   LIST_MAX},
	    [LIST_LINES] = {(void **)&result->lines, &result->line_count, 0, sizeof(*result->lines),
			    LIST_MAX},
	    [LIST_NUMBERS] = {(void **)&reader->numbers, &reader->number_count, 0,
			      sizeof(*reader->numbers), 0},
	    [LIST_PARENTS] = {(void **)&reader->parents, &reader->parent_count, 0,
			      sizeof(*reader->parents), 0},
	    [LIST_USES] = {(void **)&reader->uses, &reader->use_count, 0, sizeof(*reader->uses),
			   LIST_MAX},
	};

	memcpy(reader->lists, lists, sizeof(lists));
}

static int read_lines(struct reader *reader, char *text, struct err *err)
{
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		int result;

		*end = 0;
		reader->line++;
		if (read_one(reader, line) && !reader->no_memory)
			continue;
		if (reader->no_memory)
			return err_set(err, ERR_MEMORY, "no memory for what the probe wrote");
		if (!reader->begun)
			return err_set(err, ERR_NOT_PYTHON, "the probe did not begin");
		result = err_set(err, ERR_FILE, "can't read what the probe wrote");
		err_why(err, "its line %zu is in no form that is known", reader->line);
		err_next(err, "the program may have written to a descriptor that is not its own");
		return result;
	}
	return 0;
}

int imports_events_read(struct imports_result *result, const char *bytes, size_t size,
			int64_t launched_ns, struct err *err)
{
	struct reader reader = {.result = result, .launched_ns = launched_ns};
	char *text;
	int status;

	if (memchr(bytes, 0, size))
		return err_set(err, ERR_FILE, "what the probe wrote holds a NUL");
	text = mem_alloc(size + 1);
	if (!text)
		return err_set(err, ERR_MEMORY, "no memory for what the probe wrote");
	memcpy(text, bytes, size);
	text[size] = 0;
	result->peak_bytes = UINT64_MAX;
	make_lists(&reader);
	status = read_lines(&reader, text, err);
	if (status == 0 && !reader.begun)
		status = err_set(err, ERR_NOT_PYTHON, "the probe did not begin");
	if (status == 0 && order(&reader) < 0)
		status = err_set(err, ERR_MEMORY, "no memory for the imports");
	if (status == 0) {
		inherit(result);
		join_use(&reader);
	}
	mem_free(reader.numbers);
	mem_free(reader.parents);
	mem_free(reader.uses);
	mem_free(text);
	return status;
}
