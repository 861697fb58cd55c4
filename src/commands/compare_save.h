/* The raw values of a comparison as two files of results, which `compare` and `gate` read. */
#ifndef COMMANDS_COMPARE_SAVE_H
#define COMMANDS_COMPARE_SAVE_H

#include "commands/compare_run.h"

/* DIR/a.json and DIR/b.json; the folder is made. */
int compare_save(const struct compare_answer *answer, const char *folder, struct err *err);

#endif
