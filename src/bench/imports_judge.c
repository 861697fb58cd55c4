/* See imports_judge.h. */
#include "bench/imports_judge.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "bench/imports.h"
#include "bench/imports_events.h"

#define NAME_DEPTH_MAX 64 /* dots in a module's name */
#define EVIDENCE_MAX 512

size_t imports_top_size(const char *name)
{
	return strcspn(name, ".");
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* --- sums ---------------------------------------------------------------------------------- */

static void sum_up(struct imports_result *result)
{
	result->startup_ns = result->first_use_ns = 0;
	for (size_t i = 0; i < result->record_count; i++) {
		struct imports_record *record = &result->records[i];

		if (record->error && record->parent != IMPORTS_NONE)
			record->handled = !result->records[record->parent].error;
		else if (record->error)
			record->handled = result->complete && result->exit_status == 0;
		if (record->parent != IMPORTS_NONE)
			continue;
		if (record->at_start)
			result->startup_ns += record->total_ns;
		else
			result->first_use_ns += record->total_ns;
	}
	result->total_ns = result->startup_ns + result->first_use_ns;
}

/* --- fallbacks ----------------------------------------------------------------------------- */

static bool has_ending(const char *name, const char *ending)
{
	size_t length = strlen(name), tail = strlen(ending);

	return length >= tail && strcmp(name + length - tail, ending) == 0;
}

/* Parts that are for another system are missing everywhere here. */
static bool is_for_elsewhere(const char *part)
{
	static const char *const words[] = {"win", "nt",  "osx",  "macos",   "darwin", "bsd",
					    "wmi", "aix", "java", "android", "ios",    "scproxy"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(part, words[i]))
			return true;
	return false;
}

/* "scanner" is a part of json.scanner, "json" too. */
static bool has_part(const char *name, const char *part)
{
	size_t length = strlen(part);

	for (const char *at = name; at && length; at = strchr(at, '.')) {
		at += *at == '.';
		if (strncmp(at, part, length) == 0 && (at[length] == '.' || !at[length]))
			return true;
	}
	return false;
}

/* How people name the compiled half of a module: by a word for it, or by the module's own name
 * behind an underscore or a c. */
static bool is_named_as_compiled(const char *part, const char *importer)
{
	static const char *const endings[] = {"_c",  "_ext",  "_rs",   "_cy",
					      "_cc", "_fast", "_impl", "_simd"};
	static const char *const words[] = {"speedup", "optimization", "accel", "cython", "native",
					    "rust",    "cext",	       "cyext", "speed_"};
	const char *bare = part + strspn(part, "_");

	if (bare > part && has_part(importer, bare))
		return true;
	if (bare[0] == 'c' && has_part(importer, bare + 1))
		return true;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (has_ending(part, endings[i]))
			return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(part, words[i]))
			return true;
	return false;
}

/* The names of files beside the missing part, joined; NULL where there are none, or no memory. */
static const char *evidence_for(struct imports_result *result, uint32_t record, bool *ret_compiled)
{
	static const char *const endings[] = {".so", ".pyx", ".c", ".cpp", ".cc", ".rs", ".pyd"};
	char text[EVIDENCE_MAX] = "";

	*ret_compiled = false;
	for (size_t i = 0; i < result->work_count; i++) {
		const struct imports_work *work = &result->work[i];

		if (work->record != record || !work->detail ||
		    strcmp(work->event, IMPORTS_EVIDENCE) != 0 ||
		    strlen(text) + strlen(work->detail) + 3 > sizeof(text))
			continue;
		if (*text)
			strcat(text, ", ");
		strcat(text, work->detail);
		for (size_t j = 0; j < sizeof(endings) / sizeof(endings[0]); j++)
			*ret_compiled = *ret_compiled || has_ending(work->detail, endings[j]);
	}
	return *text ? arena_copy_text(&result->arena, text, strlen(text)) : NULL;
}

static bool is_fallback(struct imports_result *result, uint32_t at, const char **ret_evidence)
{
	const struct imports_record *record = &result->records[at], *importer;
	const char *part = last_part(record->name);
	size_t top = imports_top_size(record->name);
	bool compiled;

	*ret_evidence = NULL;
	if (!record->error || !record->handled || record->parent == IMPORTS_NONE ||
	    (record->missing && strcmp(record->missing, record->name) != 0) ||
	    (!record->missing && strcmp(record->error, "ImportError") != 0))
		return false;
	importer = &result->records[record->parent];
	*ret_evidence = evidence_for(result, at, &compiled);
	if (!record->missing) /* it is there, and can't be loaded */
		*ret_evidence = record->error_text;
	if (record->name[top] == '.')
		return imports_top_size(importer->name) == top &&
		       strncmp(importer->name, record->name, top) == 0 &&
		       (compiled ||
			(is_named_as_compiled(part, importer->name) && !is_for_elsewhere(part)));
	/* PyPy has few of CPython's own compiled parts, and needs none: its compiler serves. */
	return part[0] == '_' && part[1] && has_part(importer->name, part + 1) &&
	       result->implementation && strcmp(result->implementation, "cpython") == 0;
}

static bool is_known(const struct imports_result *result, const struct imports_record *record)
{
	for (size_t i = 0; i < result->fallback_count; i++) {
		const struct imports_record *other = &result->records[result->fallbacks[i].record];

		if (other->parent == record->parent && strcmp(other->name, record->name) == 0)
			return true;
	}
	return false;
}

static int find_fallbacks(struct imports_result *result)
{
	size_t capacity = 0, kept = 0;

	for (size_t i = 0; i < result->record_count; i++) {
		const char *evidence;

		if (!is_fallback(result, (uint32_t)i, &evidence) ||
		    is_known(result, &result->records[i]))
			continue;
		if (grow_array((void **)&result->fallbacks, &capacity, result->fallback_count + 1,
			       sizeof(*result->fallbacks), 0) < 0)
			return -ERR_MEMORY;
		result->fallbacks[result->fallback_count++] = (struct imports_fallback){
		    (uint32_t)i, result->records[result->records[i].parent].name, evidence};
	}
	for (size_t i = 0; i < result->work_count; i++)
		if (strcmp(result->work[i].event ? result->work[i].event : "", IMPORTS_EVIDENCE))
			result->work[kept++] = result->work[i];
	result->work_count = kept;
	return 0;
}

/* --- what is not used ---------------------------------------------------------------------- */

struct named {
	const char *name;
	uint32_t record;
	enum imports_use use; /* with its submodules: yes where any is */
};

static int by_name(const void *a, const void *b)
{
	const struct named *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static struct named *find_name(struct named *names, size_t count, const char *name, size_t size)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strncmp(names[middle].name, name, size);

		if (order == 0)
			order = names[middle].name[size] != 0;
		if (order == 0)
			return &names[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* A package is used where one of its modules is; unused where nothing of it is, and something of
 * it could have been seen. */
static void join_submodules(struct named *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = names[i].name;
		enum imports_use own = names[i].use;
		size_t depth = 0;

		if (own == IMPORTS_USE_UNKNOWN)
			continue;
		for (const char *dot = strchr(name, '.'); dot && depth++ < NAME_DEPTH_MAX;
		     dot = strchr(dot + 1, '.')) {
			struct named *package = find_name(names, count, name, (size_t)(dot - name));

			if (package && package->use != IMPORTS_USE_YES)
				package->use = own;
		}
	}
}

/* Of each record: its time and that of its imports that nothing is known to use. */
static int list_unused(struct imports_result *result, const enum imports_use *uses,
		       uint64_t *avoidable)
{
	size_t capacity = 0;

	for (size_t i = result->record_count; i-- > 0;) {
		const struct imports_record *record = &result->records[i];

		if (uses[i] != IMPORTS_USE_YES)
			avoidable[i] += record->self_ns;
		if (record->parent != IMPORTS_NONE)
			avoidable[record->parent] += avoidable[i];
	}
	for (size_t i = 0; i < result->record_count; i++) {
		uint32_t above = result->records[i].parent;

		while (above != IMPORTS_NONE && uses[above] != IMPORTS_USE_NO)
			above = result->records[above].parent;
		if (uses[i] != IMPORTS_USE_NO || above != IMPORTS_NONE)
			continue;
		if (grow_array((void **)&result->unused, &capacity, result->unused_count + 1,
			       sizeof(*result->unused), 0) < 0)
			return -ERR_MEMORY;
		result->unused[result->unused_count++] =
		    (struct imports_unused){(uint32_t)i, avoidable[i]};
	}
	return 0;
}

static int by_avoidable(const void *a, const void *b)
{
	const struct imports_unused *left = a, *right = b;

	if (left->avoidable_ns != right->avoidable_ns)
		return left->avoidable_ns > right->avoidable_ns ? -1 : 1;
	return left->record < right->record ? -1 : left->record > right->record;
}

static int find_unused(struct imports_result *result)
{
	size_t count = result->record_count, named = 0;
	struct named *names = mem_zalloc(count + 1, sizeof(*names));
	enum imports_use *uses = mem_zalloc(count + 1, sizeof(*uses));
	uint64_t *avoidable = mem_zalloc(count + 1, sizeof(*avoidable));
	int status = names && uses && avoidable ? 0 : -ERR_MEMORY;

	for (size_t i = 0; status == 0 && i < count; i++)
		if (!result->records[i].error && !result->records[i].shell)
			names[named++] = (struct named){result->records[i].name, (uint32_t)i,
							result->records[i].use};
	if (status == 0) {
		qsort(names, named, sizeof(*names), by_name);
		join_submodules(names, named);
		for (size_t i = 0; i < named; i++)
			uses[names[i].record] = names[i].use;
		status = list_unused(result, uses, avoidable);
	}
	if (status == 0 && result->unused_count)
		qsort(result->unused, result->unused_count, sizeof(*result->unused), by_avoidable);
	mem_free(names);
	mem_free(uses);
	mem_free(avoidable);
	return status;
}

int imports_judge(struct imports_result *result, struct err *err)
{
	sum_up(result);
	if (find_fallbacks(result) < 0 || find_unused(result) < 0)
		return err_set(err, ERR_MEMORY, "no memory for the imports");
	return 0;
}
