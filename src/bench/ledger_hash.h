/* SHA-256 (FIPS 180-4): what chains the ledger's entries. Not for secrets. */
#ifndef BENCH_LEDGER_HASH_H
#define BENCH_LEDGER_HASH_H

#include <stddef.h>

#define LEDGER_HASH_TEXT 65 /* 64 hexadecimal digits and NUL */

void ledger_hash(const void *bytes, size_t size, char ret_text[LEDGER_HASH_TEXT]);

#endif
