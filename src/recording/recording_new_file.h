/* Makes the empty file of a new recording; replaces another recording where that is asked for, and
 * never a file that is none. */
#ifndef RECORDING_NEW_FILE_H
#define RECORDING_NEW_FILE_H

#include <stdbool.h>

struct err;

/* 0, or -ERR_FILE, -ERR_PERMISSION, -ERR_MEMORY with what is in the way. */
int recording_new_file(const char *path, bool overwrite, struct err *err);

#endif
