/* Reads what the probe of `imports` writes (python/pyrometer/_imports.py). Pure.
 *
 * UTF-8 text, a line a record, fields with tabs between them. In a field %09 %0A %0D %25 stand for
 * tab, newline, carriage return, percent, %2D for a lone minus; a lone "-" is absent.
 *   P 1 implementation version executable entered started use_method
 *   B module file                                             one that was there before
 *   I number parent thread name kind file start total children body compile cpu memory files bytes
 *     stats by_file by_line by_function at_module_level how lazy work error error_text missing
 *   A number event detail      E number file      L number line ns hits
 *   U module yes|no|unknown    M module           Y module    Z main_ended ended probe_ns peak
 * Times are ns of CLOCK_MONOTONIC, or durations without the probe's own. `children` is the total of
 * the imports inside; those are written before it, and number it as their parent (0: none). A last
 * line that is cut is no error: the program may have been killed. */
#ifndef BENCH_IMPORTS_EVENTS_H
#define BENCH_IMPORTS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct imports_result;

/* Evidence waits among the result's work under this name until imports_judge takes it. */
#define IMPORTS_EVIDENCE "sibling"

/* Fills the result from zeros; the arena must be ready. launched_ns: CLOCK_MONOTONIC at the start
 * of the process. -ERR_NOT_PYTHON: no probe wrote this; -ERR_FILE: not in this form, with the line;
 * -ERR_MEMORY. */
int imports_events_read(struct imports_result *result, const char *bytes, size_t size,
			int64_t launched_ns, struct err *err);

/* What -X importtime wrote to stderr: self and total times of modules in `before`. Lines that are
 * something else are passed over. A NUL must follow the last byte. */
void imports_importtime_read(struct imports_result *result, const char *bytes, size_t size);

#endif
