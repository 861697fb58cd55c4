/* An open-addressed hash map from a 64-bit hash to a 32-bit value, with the
 * caller comparing keys (interning tables), and a plain u64 → u64 map. Growable with a
 * stated maximum. */
#ifndef BASE_HASH_MAP_H
#define BASE_HASH_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed); /* fast, not cryptographic */
uint64_t hash_u64(uint64_t value);				    /* mixes all bits */

/* Interning: value 0 is "none". */
struct intern_slot {
	uint32_t hash, value;
};
struct intern_map {
	struct intern_slot *slots;
	size_t capacity, count, maximum;
};
typedef bool (*intern_equal_fn)(const void *context, uint32_t value, const void *key);
void intern_map_init(struct intern_map *, size_t maximum);
void intern_map_release(struct intern_map *);
uint32_t intern_map_find(const struct intern_map *, uint64_t hash, intern_equal_fn,
			 const void *context, const void *key);
int intern_map_insert(struct intern_map *, uint64_t hash,
		      uint32_t value); /* 0, -ERR_MEMORY, -ERR_LIMIT */

struct u64_slot {
	uint64_t key, value;
	bool used;
};
struct u64_map {
	struct u64_slot *slots;
	size_t capacity, count, maximum;
};
void u64_map_init(struct u64_map *, size_t maximum);
void u64_map_release(struct u64_map *);
bool u64_map_get(const struct u64_map *, uint64_t key, uint64_t *ret_value);
int u64_map_put(struct u64_map *, uint64_t key, uint64_t value); /* replaces */
void u64_map_clear(struct u64_map *);

#endif
