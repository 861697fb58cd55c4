/* Decoding UTF-8 that may be broken or hostile. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_INVALID UINT32_MAX

/* Decodes the character at `bytes` (size ≥ 1) and returns how many bytes it takes, ≥ 1. A byte
 * sequence that is no character (also surrogates, overlong forms, above U+10FFFF) gives
 * UTF8_INVALID and takes its longest part that could have begun a character (Unicode 15, 3.9). */
size_t utf8_decode(const uint8_t *bytes, size_t size, uint32_t *ret_character);

/* Writes `character` (a valid one) to `bytes`; how many bytes. */
size_t utf8_put(uint32_t character, uint8_t bytes[4]);

#endif
