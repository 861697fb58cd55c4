/* Wire types: 0 a varint, 2 a length and that many bytes. */
#include "formats/protobuf.h"

#include <string.h>

#define WIRE_VARINT 0
#define WIRE_BYTES 2

static void write_tag(struct buffer *message, uint32_t field, uint32_t wire)
{
	buffer_varint(message, (uint64_t)field << 3 | wire);
}

void protobuf_unsigned(struct buffer *message, uint32_t field, uint64_t value)
{
	if (value == 0)
		return;
	write_tag(message, field, WIRE_VARINT);
	buffer_varint(message, value);
}

void protobuf_text(struct buffer *message, uint32_t field, const char *text)
{
	size_t size = strlen(text);

	write_tag(message, field, WIRE_BYTES);
	buffer_varint(message, size);
	buffer_append(message, text, size);
}

void protobuf_bytes(struct buffer *message, uint32_t field, const struct buffer *bytes)
{
	if (bytes->failed)
		message->failed = true;
	write_tag(message, field, WIRE_BYTES);
	buffer_varint(message, bytes->size);
	buffer_append(message, bytes->bytes, bytes->size);
}
