/* SHA-256 by its definition in FIPS 180-4. Ledger entries are small: no tuning. */
#include "bench/ledger_hash.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int by)
{
	return word >> by | word << (32 - by);
}

static void add_block(uint32_t hash[8], const uint8_t block[BLOCK])
{
	uint32_t words[64], state[8];

	for (int i = 0; i < 16; i++)
		words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
			   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t s0 =
		    rotate(words[i - 15], 7) ^ rotate(words[i - 15], 18) ^ words[i - 15] >> 3;
		uint32_t s1 =
		    rotate(words[i - 2], 17) ^ rotate(words[i - 2], 19) ^ words[i - 2] >> 10;

		words[i] = words[i - 16] + s0 + words[i - 7] + s1;
	}
	memcpy(state, hash, sizeof(state));
	for (int i = 0; i < 64; i++) {
		uint32_t s1 = rotate(state[4], 6) ^ rotate(state[4], 11) ^ rotate(state[4], 25);
		uint32_t choice = (state[4] & state[5]) ^ (~state[4] & state[6]);
		uint32_t one = state[7] + s1 + choice + constants[i] + words[i];
		uint32_t s0 = rotate(state[0], 2) ^ rotate(state[0], 13) ^ rotate(state[0], 22);
		uint32_t majority =
		    (state[0] & state[1]) ^ (state[0] & state[2]) ^ (state[1] & state[2]);

		memmove(state + 1, state, 7 * sizeof(*state));
		state[4] += one;
		state[0] = one + s0 + majority;
	}
	for (int i = 0; i < 8; i++)
		hash[i] += state[i];
}

void ledger_hash(const void *bytes, size_t size, char ret_text[LEDGER_HASH_TEXT])
{
	uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	const uint8_t *at = bytes;
	size_t left = size;
	uint8_t last[2 * BLOCK] = {0};
	size_t last_size;

	for (; left >= BLOCK; left -= BLOCK, at += BLOCK)
		add_block(hash, at);
	if (left > 0)
		memcpy(last, at, left);
	last[left] = 0x80;
	last_size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
	for (int i = 0; i < 8; i++)
		last[last_size - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
	for (size_t i = 0; i < last_size; i += BLOCK)
		add_block(hash, last + i);
	for (int i = 0; i < 8; i++)
		snprintf(ret_text + 8 * i, 9, "%08x", hash[i]);
}
