/* Hash maps with open addressing and linear probing. Nothing is ever removed singly, so there are
 * no tombstones.
 *
 * Hot path: the sampler interns through intern_map_find. No allocation happens in find or get. */
#include "base/hash_map.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define CAPACITY_FIRST 64

/* Three odd constants with about as many ones as zeros (fractions of √2, √3 and √5). */
#define SECRET_A 0x6A09E667F3BCC909ULL
#define SECRET_B 0xBB67AE8584CAA73BULL
#define SECRET_C 0x3C6EF372FE94F82BULL

/* ---- Hashing: 64×64 → 128 bit products, folded ---- */

__extension__ typedef unsigned __int128 uint128;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	uint128 product = (uint128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

static inline uint64_t load_u32(const uint8_t *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
	const uint8_t *at = bytes;
	uint64_t state = seed ^ SECRET_A;
	uint64_t first = 0, last = 0;

	if (size > 16) {
		size_t left = size;
		if (left > 32) { /* two chains, so that the products overlap */
			uint64_t other = state;
			do {
				state = fold(load_u64(at) ^ SECRET_B, load_u64(at + 8) ^ state);
				other =
				    fold(load_u64(at + 16) ^ SECRET_C, load_u64(at + 24) ^ other);
				at += 32;
				left -= 32;
			} while (left > 32);
			state ^= other;
		}
		if (left > 16) {
			state = fold(load_u64(at) ^ SECRET_B, load_u64(at + 8) ^ state);
			at += 16;
			left -= 16;
		}
		/* The last 16 bytes, overlapping what was read before. */
		first = load_u64(at + left - 16);
		last = load_u64(at + left - 8);
	} else if (size >= 8) {
		first = load_u64(at);
		last = load_u64(at + size - 8);
	} else if (size >= 4) {
		first = load_u32(at);
		last = load_u32(at + size - 4);
	} else if (size > 0) {
		first = (uint64_t)at[0] << 16 | (uint64_t)at[size / 2] << 8 | at[size - 1];
	}
	return fold(fold(first ^ SECRET_B, last ^ state) ^ SECRET_C, (uint64_t)size ^ SECRET_A);
}

uint64_t hash_u64(uint64_t value)
{
	/* A bijection: no two keys collide before the table's mask. */
	value ^= value >> 32;
	value *= SECRET_B;
	value ^= value >> 29;
	value *= SECRET_C;
	return value ^ value >> 32;
}

/* Grows at three quarters. */
static bool is_full(size_t count, size_t capacity)
{
	return count >= capacity - capacity / 4;
}

/* ---- Interning ---- */

void intern_map_init(struct intern_map *map, size_t maximum)
{
	*map = (struct intern_map){.maximum =
				       maximum > 0 && maximum < UINT32_MAX ? maximum : UINT32_MAX};
}

void intern_map_release(struct intern_map *map)
{
	mem_free(map->slots);
	map->slots = NULL;
	map->capacity = 0;
	map->count = 0;
}

static inline uint32_t slot_hash(uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32);
}

uint32_t intern_map_find(const struct intern_map *map, uint64_t hash, intern_equal_fn equal,
			 const void *context, const void *key)
{
	if (map->capacity == 0) {
		return 0;
	}
	uint32_t short_hash = slot_hash(hash);
	size_t mask = map->capacity - 1;
	/* Ends: a quarter of the slots is empty. */
	for (size_t at = short_hash & mask;; at = (at + 1) & mask) {
		const struct intern_slot *slot = &map->slots[at];
		if (slot->value == 0) {
			return 0;
		}
		if (slot->hash == short_hash && equal(context, slot->value, key)) {
			return slot->value;
		}
	}
}

static void put_intern_slot(struct intern_slot *slots, size_t capacity, struct intern_slot slot)
{
	size_t mask = capacity - 1;
	size_t at = slot.hash & mask;
	while (slots[at].value != 0) {
		at = (at + 1) & mask;
	}
	slots[at] = slot;
}

static int intern_map_grow(struct intern_map *map)
{
	size_t capacity = map->capacity > 0 ? map->capacity * 2 : CAPACITY_FIRST;
	struct intern_slot *slots = mem_zalloc(capacity, sizeof *slots);
	if (slots == NULL) {
		return -ERR_MEMORY;
	}
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->slots[i].value != 0) {
			put_intern_slot(slots, capacity, map->slots[i]);
		}
	}
	mem_free(map->slots);
	map->slots = slots;
	map->capacity = capacity;
	return 0;
}

int intern_map_insert(struct intern_map *map, uint64_t hash, uint32_t value)
{
	assert(value != 0);
	if (map->count >= map->maximum) {
		return -ERR_LIMIT;
	}
	if (map->capacity == 0 || is_full(map->count, map->capacity)) {
		int rc = intern_map_grow(map);
		if (rc < 0) {
			return rc;
		}
	}
	put_intern_slot(map->slots, map->capacity,
			(struct intern_slot){.hash = slot_hash(hash), .value = value});
	map->count++;
	return 0;
}

/* ---- u64 → u64 ---- */

void u64_map_init(struct u64_map *map, size_t maximum)
{
	*map = (struct u64_map){.maximum = maximum > 0 ? maximum : SIZE_MAX};
}

void u64_map_release(struct u64_map *map)
{
	mem_free(map->slots);
	map->slots = NULL;
	map->capacity = 0;
	map->count = 0;
}

/* The slot that holds `key`, or the empty one where it belongs. */
static struct u64_slot *u64_slot_of(struct u64_slot *slots, size_t capacity, uint64_t key)
{
	size_t mask = capacity - 1;
	size_t at = (size_t)hash_u64(key) & mask;
	while (slots[at].used && slots[at].key != key) {
		at = (at + 1) & mask;
	}
	return &slots[at];
}

bool u64_map_get(const struct u64_map *map, uint64_t key, uint64_t *ret_value)
{
	if (map->capacity == 0) {
		return false;
	}
	const struct u64_slot *slot = u64_slot_of(map->slots, map->capacity, key);
	if (!slot->used) {
		return false;
	}
	*ret_value = slot->value;
	return true;
}

static int u64_map_grow(struct u64_map *map)
{
	size_t capacity = CAPACITY_FIRST;
	if (map->capacity > 0 && !size_multiply(map->capacity, 2, &capacity)) {
		return -ERR_LIMIT;
	}
	struct u64_slot *slots = mem_zalloc(capacity, sizeof *slots);
	if (slots == NULL) {
		return -ERR_MEMORY;
	}
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->slots[i].used) {
			*u64_slot_of(slots, capacity, map->slots[i].key) = map->slots[i];
		}
	}
	mem_free(map->slots);
	map->slots = slots;
	map->capacity = capacity;
	return 0;
}

int u64_map_put(struct u64_map *map, uint64_t key, uint64_t value)
{
	if (map->capacity > 0) {
		struct u64_slot *slot = u64_slot_of(map->slots, map->capacity, key);
		if (slot->used) {
			slot->value = value;
			return 0;
		}
	}
	if (map->count >= map->maximum) {
		return -ERR_LIMIT;
	}
	if (map->capacity == 0 || is_full(map->count, map->capacity)) {
		int rc = u64_map_grow(map);
		if (rc < 0) {
			return rc;
		}
	}
	*u64_slot_of(map->slots, map->capacity, key) =
	    (struct u64_slot){.key = key, .value = value, .used = true};
	map->count++;
	return 0;
}

void u64_map_clear(struct u64_map *map)
{
	if (map->slots != NULL) {
		memset(map->slots, 0, map->capacity * sizeof *map->slots);
	}
	map->count = 0;
}
