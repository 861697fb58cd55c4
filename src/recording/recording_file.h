/* What kind of file something is, told from its first bytes: so that a file that
 * is no recording is refused by what it is, and none but a recording replaced.
 */
#ifndef RECORDING_RECORDING_FILE_H
#define RECORDING_RECORDING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDING_HEAD_BYTES 100 /* SQLite's header */

/* NULL for a recording (whatever its schema), else "a gzip file", "an empty file" …
 * The text is static. */
const char *recording_other_kind(const uint8_t *head, size_t size);

/* Of a SQLite header. */
uint32_t recording_big_endian32(const uint8_t *bytes);
uint32_t recording_page_size(const uint8_t *head); /* 0 when it is not possible */

#endif
