/* Gives each raw stack a small number, and each code object one that stays right
 * when its address is used again.
 *
 * A code object is known by (address, fingerprint of its head). While the target
 * stands still the fingerprints of the leaf-most codes of a stack are compared,
 * those of the others in turn; on 3.14+ the interpreter's own count of code
 * objects freed says when there is nothing to compare. A stack is known by a
 * 128-bit hash of its (code key, offset) pairs, so that a stack seen before costs
 * one probe. New codes and stacks go to a sink, once.
 *
 * Hot path: allocates only while tables grow. One thread at a time.
 */
#ifndef SAMPLER_STACK_SOURCE_H
#define SAMPLER_STACK_SOURCE_H

#include "cpython/walk/code.h"
#include "cpython/walk/frames.h"

struct keyed_frame {
	uint32_t code_key; /* 1… ; 0 = torn */
	int32_t offset;
};

struct code_announcement {
	uint32_t code_key;
	uint64_t address;
	struct code_fingerprint fingerprint;
	struct code_info
	    *info; /* read while it was certain; NULL: the receiver reads it. Receiver frees */
};

struct stack_sink {
	/* False: no room now; the code or stack is announced again when it is next seen. */
	bool (*code)(void *context, const struct code_announcement *);
	/* Frames leaf first. */
	bool (*stack)(void *context, uint32_t stack_key, const struct keyed_frame *frames,
		      uint32_t depth, uint32_t flags);
	void *context;
};

#define STACK_SOURCE_CODES_MAX (1u << 20)
#define STACK_SOURCE_STACKS_MAX (1u << 19) /* then the table starts anew: memory stays bounded */

struct code_slot {
	uint64_t address; /* 0 free */
	uint32_t code_key;
	uint32_t generation; /* of the last check */
	struct code_fingerprint fingerprint;
};
struct stack_slot {
	uint64_t hash[2]; /* both 0: free */
	uint32_t stack_key;
};

/* The last stack, root first: what it shares with the next one is neither compared nor hashed
 * again. */
struct stack_part {
	uint64_t code;
	int32_t offset;
	uint32_t code_key;
	uint64_t hash[2]; /* of the frames from the root to this one */
	bool torn;	  /* one of them is */
};

struct stack_source {
	const struct remote_memory *memory;
	const struct layout *layout;
	struct stack_sink sink;
	struct code_fingerprint_span span;
	struct code_slot *codes;
	uint32_t code_capacity, code_count, next_code_key;
	struct stack_slot *stacks;
	uint32_t stack_capacity, stack_count, next_stack_key;
	struct keyed_frame *keyed; /* FRAMES_DEPTH_MAX + 1 */
	struct stack_part *last;   /* as many */
	uint32_t last_depth, last_epoch;
	uint64_t last_reused; /* `reused` then: keys may have changed since */
	uint8_t *span_bytes;
	uint64_t seed;
	uint64_t last_generation; /* the target's, 3.14+ */
	uint32_t epoch, turn;
	uint32_t check_all; /* stacks yet to be compared whole: codes were dropped lately */
	bool have_generation;
	bool last_torn;	  /* the last stack has a torn frame */
	bool sparse;	  /* the owner says: at full speed known codes are compared now and then */
	bool resolve_now; /* read new codes while the target stands still */
	uint64_t reused;  /* addresses seen with another code object */
};

int stack_source_init(struct stack_source *source, const struct remote_memory *memory,
		      const struct layout *layout, const struct stack_sink *sink, uint64_t seed);
void stack_source_release(struct stack_source *source);

/* `generation`: the interpreter's count of freed code objects as read with this stack, or
 * UINT64_MAX where the version has none. A frame with code 0 is torn. Returns 0 and the key,
 * or -ERR_LIMIT (no room in the sink or the tables), -ERR_TORN, -ERR_MEMORY. */
int stack_source_intern(struct stack_source *source, const struct raw_frame *frames, uint32_t depth,
			uint32_t flags, uint64_t generation, uint32_t *ret_stack_key);

#endif
