/* The ledger and the history of results: for people, as Markdown and as JSON
 * (docs/commands/ledger.md). */
#ifndef REPORT_LEDGER_VIEW_H
#define REPORT_LEDGER_VIEW_H

#include <stdio.h>

#include "bench/history.h"
#include "bench/ledger.h"

struct err;
struct terminal;

int ledger_view_print(FILE *out, const struct ledger *, const char *folder, const struct terminal *,
		      struct err *);
int ledger_markdown_write(FILE *out, const struct ledger *, struct err *);
int ledger_json_write(FILE *out, const struct ledger *, struct err *);

int history_view_print(FILE *out, const struct history *, const struct terminal *, struct err *);
int history_json_write(FILE *out, const struct history *, struct err *);

#endif
