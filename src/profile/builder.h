/* Fills a profile: interns strings, functions, frames and stacks, checks every
 * row, and freezes into a read-only `struct profile`. One thread at a time.
 * Interning the same value twice gives the same id; ids grow by one, so a
 * consumer may remember "written up to here". Text ends at its first NUL; empty
 * text is string 0. A frame needs a function, a thread a process, a sample a
 * thread; the other references may be 0. A new builder's meta has the unknown
 * values: exit status -1, stolen_ns UINT64_MAX, texts NULL.
 */
#ifndef PROFILE_BUILDER_H
#define PROFILE_BUILDER_H

#include "profile/profile.h"

struct err;
struct profile_builder; /* heap */

/* NULL when there is no memory. */
struct profile_builder *profile_builder_new(void);
void profile_builder_free(struct profile_builder *builder);

/* Each returns 0 and sets *ret_id, or -ERR_MEMORY, -ERR_LIMIT (a table is full:
 * 2^31 rows or the bound set), or -ERR_FILE for a row that refers to none. */
int profile_builder_string(struct profile_builder *, const char *text, size_t size,
			   struct string_id *ret_id, struct err *);
int profile_builder_function(struct profile_builder *, const struct profile_function *,
			     struct function_id *ret_id, struct err *);
int profile_builder_frame(struct profile_builder *, const struct profile_frame *,
			  struct frame_id *ret_id, struct err *);
int profile_builder_stack(struct profile_builder *, struct stack_id parent, struct frame_id frame,
			  struct stack_id *ret_id, struct err *);

/* Processes and threads are not interned: each call adds one. Their rows stay
 * writable (name, end time, CPU) until the profile is frozen. The pointers are
 * valid until the next add of the same kind. */
int profile_builder_add_process(struct profile_builder *, const struct profile_process *,
				struct process_id *ret_id, struct err *);
int profile_builder_add_thread(struct profile_builder *, const struct profile_thread *,
			       struct thread_id *ret_id, struct err *);
struct profile_process *profile_builder_process(struct profile_builder *, struct process_id);
struct profile_thread *profile_builder_thread(struct profile_builder *, struct thread_id);

int profile_builder_add_sample(struct profile_builder *, const struct profile_sample *,
			       struct err *);
int profile_builder_add_marker(struct profile_builder *, const struct profile_marker *,
			       struct err *);

/* Writable until frozen; strings in it are set by profile_meta_set_text. */
struct profile_meta *profile_builder_meta(struct profile_builder *);
/* Free *slot and put a copy of text (NULL clears) there. 0 or -ERR_MEMORY. */
int profile_meta_set_text(char **slot, const char *text);

/* A view of what is there so far; valid until the next call that adds. Used by
 * the recording writer, which appends the rows that are new. */
const struct profile *profile_builder_view(struct profile_builder *);

/* Takes the builder (it is gone afterwards, also on failure). NULL on no memory. */
struct profile *profile_builder_freeze(struct profile_builder *);
void profile_free(struct profile *);

#endif
