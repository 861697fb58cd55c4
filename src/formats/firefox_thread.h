/* One thread's tables in the Firefox profiler's processed format: only the rows
 * that its kept samples need, numbered from 0. Inside formats/ only. */
#ifndef FORMATS_FIREFOX_THREAD_H
#define FORMATS_FIREFOX_THREAD_H

#include "base/arena.h"
#include "base/hash_map.h"
#include "base/json_write.h"
#include "profile/profile.h"

#define FIREFOX_NONE UINT32_MAX /* null */

/* Indexes into meta.categories. */
enum firefox_category {
	CATEGORY_OTHER = 0,
	CATEGORY_PYTHON,
	CATEGORY_RUNQUEUE,
	CATEGORY_BLOCKED,
	CATEGORY_GIL_WAIT,
	CATEGORY_GC,
	CATEGORY_COUNT,
};
uint8_t firefox_category_of_state(uint8_t state);

/* A growable column. */
struct column {
	uint32_t *items;
	size_t count, capacity;
};

struct firefox_thread {
	const struct profile *profile;
	struct column strings;	 /* profile's string ids; NO_STACK_STRING is ours */
	struct column functions; /* profile's function ids; 0 = no stack */
	struct column frame_ids, frame_functions, frame_categories; /* frame id 0 = no stack */
	struct column stack_prefixes, stack_frames, stack_categories;
	struct column sample_stacks;
	struct column marker_rows; /* rows of profile->markers */
	struct u64_map string_rows, function_rows, frame_rows, stack_rows;
	bool failed; /* no memory; sticky */
};

void firefox_thread_init(struct firefox_thread *, const struct profile *);
void firefox_thread_release(struct firefox_thread *);
/* Adds the rows of a sample's stack under the category of its state. */
void firefox_thread_add_sample(struct firefox_thread *, const struct profile_sample *);
void firefox_thread_add_marker(struct firefox_thread *, size_t marker_row);
/* frameTable, funcTable, nativeSymbols, resourceTable, stackTable, stringArray, as keys of the
 * open object. */
void firefox_thread_write_tables(struct firefox_thread *, struct json_writer *);
/* Index into stringArray of a string of the profile. */
uint32_t firefox_thread_string(struct firefox_thread *, struct string_id);

#endif
