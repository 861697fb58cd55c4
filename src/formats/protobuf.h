/* The part of protocol buffers' wire format that pprof needs, written by hand:
 * varints, texts, embedded messages and packed arrays. */
#ifndef FORMATS_PROTOBUF_H
#define FORMATS_PROTOBUF_H

#include "base/arena.h"

/* Each appends one field to the message in the buffer; a failure is sticky in
 * buffer->failed. Fields that are 0 are left out: that is their default. */
void protobuf_unsigned(struct buffer *message, uint32_t field, uint64_t value);
void protobuf_text(struct buffer *message, uint32_t field, const char *text);
/* An embedded message, or the bytes of a packed array. */
void protobuf_bytes(struct buffer *message, uint32_t field, const struct buffer *bytes);

#endif
