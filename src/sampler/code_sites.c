/* See code_sites.h. Hot path. */
#include "sampler/code_sites.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define CODES_MAX (1u << 16)
#define UNKNOWN 0xffu /* in the pool */

int code_sites_init(struct code_sites *sites, const struct remote_memory *memory,
		    const struct layout *layout)
{
	*sites = (struct code_sites){.memory = memory, .layout = layout};
	u64_map_init(&sites->index, CODES_MAX);
	sites->pool = mem_alloc(CODE_SITES_POOL_BYTES);
	return sites->pool ? 0 : -ERR_MEMORY;
}

void code_sites_release(struct code_sites *sites)
{
	u64_map_release(&sites->index);
	mem_free(sites->pool);
	sites->pool = NULL;
}

/* Where the bytecode lies and how many units it has. False: this is no code object. */
static bool find_bytecode(const struct code_sites *sites, uint64_t code, uint64_t *ret_start,
			  uint64_t *ret_units)
{
	const struct layout_offsets *at = &sites->layout->at;
	uint64_t bytes, size;

	if (sites->layout->code_storage == CODE_ADAPTIVE) {
		if (remote_read_u64(sites->memory,
				    (struct raddr){code + (uint64_t)at->varobject_size_field},
				    ret_units) < 0)
			return false;
		*ret_start = code + (uint64_t)at->code_code;
	} else {
		if (remote_read_u64(sites->memory, (struct raddr){code + (uint64_t)at->code_code},
				    &bytes) < 0 ||
		    !bytes || bytes & 7 ||
		    remote_read_u64(sites->memory,
				    (struct raddr){bytes + (uint64_t)at->varobject_size_field},
				    &size) < 0)
			return false;
		*ret_start = bytes + (uint64_t)at->bytes_data;
		*ret_units = size / 2;
	}
	return *ret_units > 0 && *ret_units <= CODE_SITES_UNITS_MAX;
}

/* Bytecode → one class a unit, in place: units are two bytes, classes one. */
static void classify(const struct code_sites *sites, uint8_t *bytecode, uint32_t units)
{
	uint32_t i = 0;

	while (i < units) {
		uint8_t opcode = sites->layout->opcodes[bytecode[2 * i]];
		uint32_t caches = opcode >> OPCODE_CACHES_SHIFT;

		if (opcode & OPCODE_HIDES) {
			memset(bytecode + i, UNKNOWN, units - i);
			return;
		}
		bytecode[i++] = opcode & (OPCODE_CLASS | OPCODE_RESUMES);
		while (caches-- && i < units)
			bytecode[i++] = opcode & (OPCODE_CLASS | OPCODE_RESUMES);
	}
}

/* 0: unknown. */
static uint64_t learn(struct code_sites *sites, uint64_t code)
{
	uint64_t start, units, entry;

	if (!find_bytecode(sites, code, &start, &units))
		return 0;
	if (sites->used + 2 * units > CODE_SITES_POOL_BYTES ||
	    sites->index.count >= CODES_MAX / 2) {
		u64_map_clear(&sites->index);
		sites->used = 0;
	}
	if (remote_read(sites->memory, (struct raddr){start}, sites->pool + sites->used, 2 * units,
			NULL) < 0)
		return 0;
	classify(sites, sites->pool + sites->used, (uint32_t)units);
	entry = (uint64_t)sites->used << 32 | units;
	if (u64_map_put(&sites->index, code, entry) < 0)
		return 0;
	sites->used += (uint32_t)units;
	return entry;
}

static uint64_t entry_of(struct code_sites *sites, uint64_t code)
{
	uint64_t entry;

	if (u64_map_get(&sites->index, code, &entry) && entry)
		return entry;
	return learn(sites, code);
}

int code_sites_class(struct code_sites *sites, uint64_t code, int32_t offset)
{
	uint64_t entry = code && offset >= 0 ? entry_of(sites, code) : 0;
	uint32_t unit = (uint32_t)offset / 2;
	uint8_t class;

	if (!entry || unit >= (uint32_t)entry)
		return -1;
	class = sites->pool[(entry >> 32) + unit];
	return class == UNKNOWN ? -1 : class;
}

uint32_t code_sites_bytes(struct code_sites *sites, uint64_t code)
{
	return code ? (uint32_t)entry_of(sites, code) * 2 : 0;
}

void code_sites_forget(struct code_sites *sites, uint64_t code)
{
	u64_map_put(&sites->index, code, 0);
}
