/* The ledger: what was changed for speed, why, and what it gave. A folder of the user's repository
 * with one Markdown file an entry, written once and never again: a pull request shows an entry as
 * one new file, and two branches that each add one merge without a conflict. Each entry has the
 * SHA-256 of its text and names the entries that were the last ones when it was written, so that a
 * changed or vanished entry is noticed by what follows it. docs/commands/ledger.md has the form. */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define LEDGER_FOLDER "performance/ledger" /* from the root of the repository */
#define LEDGER_ID_TEXT 17		   /* the first 16 digits of an entry's hash, and NUL */
#define LEDGER_ENTRIES_MAX 5000
#define LEDGER_PARENTS_MAX 64
#define LEDGER_ROWS_MAX 10000
#define LEDGER_FILE_BYTES_MAX (8u << 20)

struct ledger_row {
	char *name, *verdict;
	double ratio, low, high; /* B/A; NaN: not known */
	double detectable;	 /* part of A that would have been seen; NaN */
	uint64_t pairs;
};

struct ledger_side { /* NULL: not known */
	char *label, *revision, *subject, *python;
};

struct ledger_entry {
	char id[LEDGER_ID_TEXT];
	char *file; /* name in the folder */
	char *hypothesis, *decision, *reason;
	double created_s; /* Unix time */
	struct ledger_side a, b;
	struct ledger_row *rows;
	size_t row_count;
	char (*parents)[LEDGER_ID_TEXT];
	size_t parent_count;
	/* What speaks against it: its text was changed, an entry before it is gone; NULL nothing.
	 */
	char *problem;
};

struct ledger {
	struct ledger_entry *entries; /* by time, then id */
	size_t count, problems;
};

/* A folder that isn't there is an empty ledger. Entries that can't be read are there with a
 * problem, not an error. */
int ledger_read(const char *folder, struct ledger *ret_ledger, struct err *err);
void ledger_release(struct ledger *);
void ledger_entry_release(struct ledger_entry *);

/* Fills an entry's sides and rows from a file of `compare --json`. The rest of it is the caller's;
 * ledger_entry_release also after a failure. */
int ledger_entry_from_comparison(const char *path, struct ledger_entry *ret_entry, struct err *err);

/* Writes a new entry after the last ones of `ledger`, making the folder where it is missing. Fills
 * its id, file and parents. -ERR_GATE where the ledger has a problem: nothing is built on it. */
int ledger_add(const char *folder, const struct ledger *ledger, struct ledger_entry *entry,
	       struct err *err);

/* Pure parts, for tests and fuzzing. The text of an entry with its hash; mem_free. */
int ledger_entry_write(struct ledger_entry *entry, char **ret_text, struct err *err);
/* From a file's bytes: whatever they are, an entry, perhaps with a problem. -ERR_MEMORY. */
int ledger_entry_parse(const char *file, const char *bytes, size_t size,
		       struct ledger_entry *ret_entry);

/* Where the ledger is: `LEDGER_FOLDER` of the repository that `directory` lies in, else of it. */
int ledger_find(const char *directory, char *ret_folder, size_t size);

#endif
