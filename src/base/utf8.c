/* UTF-8, one character at a time. */
#include "base/utf8.h"

size_t utf8_decode(const uint8_t *bytes, size_t size, uint32_t *ret_character)
{
	uint8_t lead = bytes[0];
	if (lead < 0x80) {
		*ret_character = lead;
		return 1;
	}
	*ret_character = UTF8_INVALID;
	if (lead < 0xC2 || lead > 0xF4) {
		return 1;
	}
	size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	/* The second byte's range is what rules out overlong forms, surrogates and > U+10FFFF. */
	uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
	uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
	uint32_t character = lead & (0xFFU >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if (i >= size || bytes[i] < low || bytes[i] > high) {
			return i;
		}
		character = character << 6 | (bytes[i] & 0x3FU);
		low = 0x80;
		high = 0xBF;
	}
	*ret_character = character;
	return length;
}

size_t utf8_put(uint32_t character, uint8_t bytes[4])
{
	if (character < 0x80) {
		bytes[0] = (uint8_t)character;
		return 1;
	}
	size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--) {
		bytes[i] = (uint8_t)(0x80 | (character & 0x3F));
		character >>= 6;
	}
	bytes[0] = (uint8_t)((0xF0U << (4 - length)) | character);
	return length;
}
