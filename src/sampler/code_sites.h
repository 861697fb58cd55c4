/* Which instructions of a code object can have a Python callee, whatever the program does: from its
 * bytecode, read once, and the version's table of opcodes. A frame that stands anywhere else has no
 * callee: what lies above it is of another instant.
 *
 * Up to 3.12 a caller's position stands on the inline cache of its call: each cache belongs to its
 * instruction, found by walking the bytecode from its start. Hot path: no allocation after init; a
 * remote read only for code not met before.
 */
#ifndef SAMPLER_CODE_SITES_H
#define SAMPLER_CODE_SITES_H

#include "base/hash_map.h"
#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

#define CODE_SITES_POOL_BYTES (8u << 20) /* a byte a code unit; starts anew when full */
#define CODE_SITES_UNITS_MAX (1u << 18)	 /* longer code is not told */

struct code_sites {
	const struct remote_memory *memory;
	const struct layout *layout;
	struct u64_map index; /* code address → place in the pool << 32 | units */
	uint8_t *pool;
	uint32_t used;
};

int code_sites_init(struct code_sites *sites, const struct remote_memory *memory,
		    const struct layout *layout);
void code_sites_release(struct code_sites *sites);

/* The class of the instruction that byte `offset` belongs to, with OPCODE_RESUMES; −1 unknown. */
int code_sites_class(struct code_sites *sites, uint64_t code, int32_t offset);

/* The bytes of the code object's bytecode; 0 unknown. */
uint32_t code_sites_bytes(struct code_sites *sites, uint64_t code);

/* Another code object may lie there by now. */
void code_sites_forget(struct code_sites *sites, uint64_t code);

#endif
