/* doctor --noise: what comparisons can tell on this machine, measured and kept for `gate`. */
#ifndef COMMANDS_DOCTOR_NOISE_H
#define COMMANDS_DOCTOR_NOISE_H

#include <stdbool.h>

struct err;

/* python: a name as of python_find, NULL python3 of PATH; path: where to keep it, NULL the default
 * place. The figures go to stdout. */
int doctor_noise(const char *python, double seconds, const char *path, bool json, struct err *err);

#endif
