/* Numbers of benchmarks as people read them: with the unit that fits and with as many digits as
 * mean something. */
#ifndef REPORT_BENCH_NUMBERS_H
#define REPORT_BENCH_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct benchmark;

#define BENCH_NUMBER_MAX 64

/* "1.024 ms", "21.3 MiB", "17 items"; "unknown" for NaN. unit: "s", "bytes", or any other, which
 * may be hostile and is cut. utf8: µs, else us. Returns text. */
char *bench_number_text(char *text, size_t size, double value, const char *unit, bool utf8);

/* "4.2 %", "0.35 %", "31 %", "3.1 times" from 100 % on: of a log ratio, without its sign. */
char *ratio_text(char *text, size_t size, double log_ratio);

/* Causes of one value in words: "steal, context switch"; "" for 0. */
char *causes_text(char *text, size_t size, uint8_t causes);

#endif
