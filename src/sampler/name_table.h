/* From the keys of one stack source to rows of the profile: code keys to functions,
 * (code, offset) to frames, stack keys to stacks. Each is resolved once. */
#ifndef SAMPLER_NAME_TABLE_H
#define SAMPLER_NAME_TABLE_H

#include "base/hash_map.h"
#include "profile/builder.h"
#include "sampler/stack_source.h"

struct named_code {
	struct code_info *info; /* NULL: gone before it could be read */
	struct function_id function;
};

/* A frame of the last stack, and the stack from the root to it. */
struct named_part {
	struct keyed_frame frame;
	struct stack_id stack;
};

struct name_table {
	struct profile_builder *builder;
	const struct remote_memory *memory;
	const struct layout *layout;
	struct named_code *codes; /* by code key */
	size_t code_count, code_capacity;
	struct stack_id *stacks; /* by stack key */
	size_t stack_count, stack_capacity;
	struct named_part *last; /* root first: a new stack often shares its lower part */
	size_t last_depth, last_capacity;
	uint32_t last_flags;
	struct u64_map frames; /* code key << 32 | offset + 1 → frame id */
	uint64_t codes_gone;   /* read too late */
	uint64_t stacks_truncated;
};

void name_table_init(struct name_table *table, struct profile_builder *builder,
		     const struct remote_memory *memory, const struct layout *layout);
void name_table_release(struct name_table *table);

/* Takes over announcement->info. 0, or a negative code (no memory, a table is full). */
int name_table_code(struct name_table *table, const struct code_announcement *announcement,
		    struct err *err);
int name_table_stack(struct name_table *table, uint32_t stack_key, const struct keyed_frame *frames,
		     uint32_t depth, uint32_t flags, struct err *err);
/* Stack 0 for a key that is not known. */
struct stack_id name_table_stack_id(const struct name_table *table, uint32_t stack_key);

#endif
