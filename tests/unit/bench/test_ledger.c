/* The ledger: what is written is read back, branches merge, and what was changed is noticed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/ledger.h"
#include "bench/ledger_hash.h"

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_ledger.XXXXXX");
	return mkdtemp(folder) == NULL;
}

static void in_folder(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", folder, name);
}

static int remove_folder(void **state)
{
	DIR *directory = opendir(folder);
	const struct dirent *item;
	char path[512];

	(void)state;
	while (directory != NULL && (item = readdir(directory)) != NULL) {
		in_folder(item->d_name, path, sizeof(path));
		unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
	return rmdir(folder);
}

static struct ledger_entry entry_of(const char *hypothesis, double created_s)
{
	struct ledger_entry entry = {.created_s = created_s};

	entry.hypothesis = mem_copy_text(hypothesis);
	entry.decision = mem_copy_text("kept");
	entry.reason = mem_copy_text("it is 31 % of the run");
	entry.a.label = mem_copy_text("rev:main");
	entry.a.revision = mem_copy_text("0123456789abcdef");
	entry.a.subject = mem_copy_text("the `old` | way \\| <!-- x");
	entry.b.label = mem_copy_text(".");
	entry.b.python = mem_copy_text("CPython 3.12.1");
	entry.rows = mem_zalloc(2, sizeof(*entry.rows));
	entry.row_count = 2;
	entry.rows[0] = (struct ledger_row){.name = mem_copy_text("app:parse[n=1|2\\|3]"),
					    .verdict = mem_copy_text("improvement"),
					    .ratio = 0.9,
					    .low = 0.88,
					    .high = 0.92,
					    .detectable = 0.021,
					    .pairs = 12};
	entry.rows[1] = (struct ledger_row){.name = mem_copy_text("app:gone"),
					    .verdict = mem_copy_text("not-measured"),
					    .ratio = NAN,
					    .low = NAN,
					    .high = NAN,
					    .detectable = NAN};
	return entry;
}

/* Adds to what the folder holds now; the new entry's file name, to be freed. */
static char *add(const char *hypothesis, double created_s)
{
	struct ledger_entry entry = entry_of(hypothesis, created_s);
	struct ledger ledger;
	struct err err = {0};
	char *file;

	assert_int_equal(ledger_read(folder, &ledger, &err), 0);
	if (ledger_add(folder, &ledger, &entry, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
	file = mem_copy_text(entry.file);
	ledger_entry_release(&entry);
	ledger_release(&ledger);
	return file;
}

static void assert_ledger(size_t count, size_t problems)
{
	struct ledger ledger;

	assert_int_equal(ledger_read(folder, &ledger, NULL), 0);
	assert_int_equal(ledger.count, count);
	assert_int_equal(ledger.problems, problems);
	ledger_release(&ledger);
}

static void the_hash_is_sha_256(void **state)
{
	static const struct {
		const char *text, *hash;
	} rows[] = {
	    /* FIPS 180-4's examples, and lengths about the block's end. */
	    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
	};
	char hash[LEDGER_HASH_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ledger_hash(rows[i].text, strlen(rows[i].text), hash);
		assert_string_equal(hash, rows[i].hash);
	}
}

static void an_entry_comes_back_as_it_was(void **state)
{
	char *file = add("a set beside the list makes `match` 30 % faster", 1767225600);
	struct ledger ledger;
	const struct ledger_entry *entry;

	(void)state;
	assert_int_equal(ledger_read(folder, &ledger, NULL), 0);
	assert_int_equal(ledger.count, 1);
	entry = &ledger.entries[0];
	assert_null(entry->problem);
	assert_memory_equal(file, "2026-01-01-a-set-beside-the-list-makes-match-30-fas-", 51);
	assert_string_equal(entry->file, file);
	assert_string_equal(entry->hypothesis, "a set beside the list makes `match` 30 % faster");
	assert_string_equal(entry->decision, "kept");
	assert_string_equal(entry->reason, "it is 31 % of the run");
	assert_true(entry->created_s == 1767225600);
	assert_string_equal(entry->a.label, "rev:main");
	assert_string_equal(entry->a.revision, "0123456789abcdef");
	assert_string_equal(entry->a.subject, "the 'old' | way \\| <!-- x");
	assert_null(entry->a.python);
	assert_null(entry->b.revision); /* unknown is not a text */
	assert_string_equal(entry->b.python, "CPython 3.12.1");
	assert_int_equal(entry->row_count, 2);
	assert_string_equal(entry->rows[0].name, "app:parse[n=1|2\\|3]");
	assert_string_equal(entry->rows[0].verdict, "improvement");
	assert_true(entry->rows[0].ratio == 0.9 && entry->rows[0].low == 0.88);
	assert_true(entry->rows[0].high == 0.92 && entry->rows[0].detectable == 0.021);
	assert_int_equal(entry->rows[0].pairs, 12);
	assert_true(isnan(entry->rows[1].ratio));
	assert_int_equal(entry->parent_count, 0);
	ledger_release(&ledger);
	mem_free(file);
}

static void replace(const char *file, const char *from, const char *to)
{
	char path[512], text[8192], *at;
	FILE *stream;
	size_t size;

	in_folder(file, path, sizeof(path));
	stream = fopen(path, "r");
	assert_non_null(stream);
	size = fread(text, 1, sizeof(text) - 1, stream);
	fclose(stream);
	text[size] = '\0';
	at = strstr(text, from);
	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	stream = fopen(path, "w");
	assert_int_equal(fwrite(text, 1, size, stream), size);
	fclose(stream);
}

static void any_change_of_an_entry_is_noticed(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
	    {"improvement", "regression "},
	    {"0.90000", "0.50000"},
	    {"kept", "lost"},
	    {"2026", "2025"},
	    {"31 %", "32 %"},
	    {"sha256: ", "sha256:0"},
	    {"parents:", "Parents:"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *first = add("first", 1767225600), *second = add("second", 1767225700);
		struct ledger_entry entry = entry_of("third", 1767225800);
		struct ledger ledger;
		struct err err = {0};

		assert_ledger(2, 0);
		/* In the last entry, then in one that another follows. */
		replace(second, rows[i].from, rows[i].to);
		assert_ledger(2, 1);
		replace(first, rows[i].from, rows[i].to);
		assert_int_equal(ledger_read(folder, &ledger, NULL), 0);
		assert_int_equal(ledger.problems, 2);
		assert_int_equal(ledger_add(folder, &ledger, &entry, &err), -ERR_GATE);
		assert_ledger(2, 2); /* nothing is built on it */
		ledger_entry_release(&entry);
		ledger_release(&ledger);
		mem_free(first);
		mem_free(second);
		remove_folder(state);
		make_folder(state);
	}
}

static void an_entry_that_is_gone_is_missed(void **state)
{
	char *first = add("first", 1767225600), *second = add("second", 1767225700);
	char path[512];
	struct ledger ledger;

	(void)state;
	in_folder(first, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ledger_read(folder, &ledger, NULL), 0);
	assert_int_equal(ledger.count, 1);
	assert_non_null(strstr(ledger.entries[0].problem, "is gone or was changed"));
	ledger_release(&ledger);
	mem_free(first);
	mem_free(second);
}

static void move(const char *file, const char *from, const char *to)
{
	char old[512], new[512];

	snprintf(old, sizeof(old), "%s/%s", from, file);
	snprintf(new, sizeof(new), "%s/%s", to, file);
	assert_int_equal(rename(old, new), 0);
}

static void branches_that_are_merged_are_both_followed(void **state)
{
	char *first = add("first", 1767225600), *ours, *theirs, *merged;
	char aside[] = "/tmp/test_ledger_aside.XXXXXX";
	struct ledger ledger;

	(void)state;
	assert_non_null(mkdtemp(aside));
	/* Two branches each add an entry to the same ledger; then both files are there. */
	ours = add("ours", 1767225700);
	move(ours, folder, aside);
	theirs = add("theirs", 1767225700);
	move(ours, aside, folder);
	assert_ledger(3, 0);
	merged = add("after the merge", 1767225800);
	assert_int_equal(ledger_read(folder, &ledger, NULL), 0);
	assert_int_equal(ledger.problems, 0);
	assert_string_equal(ledger.entries[3].file, merged);
	assert_int_equal(ledger.entries[3].parent_count, 2);
	ledger_release(&ledger);
	/* Now either one is missed. */
	move(theirs, folder, aside);
	assert_ledger(3, 1);
	move(theirs, aside, folder);
	assert_int_equal(rmdir(aside), 0);
	mem_free(first);
	mem_free(ours);
	mem_free(theirs);
	mem_free(merged);
}

static void other_files_are_not_entries(void **state)
{
	char path[512];
	FILE *stream;

	(void)state;
	in_folder("README.md", path, sizeof(path));
	stream = fopen(path, "w");
	fputs("# Our ledger\n", stream);
	fclose(stream);
	mem_free(add("first", 1767225600));
	assert_ledger(1, 0);
	/* But what has an entry's name and isn't one is. */
	in_folder("2026-01-01-x-0123456789abcdef.md", path, sizeof(path));
	stream = fopen(path, "w");
	fclose(stream);
	assert_ledger(2, 1);
}

static void no_folder_is_an_empty_ledger(void **state)
{
	struct ledger ledger;

	(void)state;
	assert_int_equal(ledger_read("/tmp/test_ledger.none", &ledger, NULL), 0);
	assert_int_equal(ledger.count, 0);
	ledger_release(&ledger);
}

static void no_memory_is_an_error_each_time(void **state)
{
	int failed = 0;

	(void)state;
	mem_free(add("first", 1767225600));
	mem_free(add("second", 1767225700));
	for (long n = 0;; n++) {
		struct ledger ledger = {0};
		bool ended;
		int r;

		mem_fail_after(n);
		r = ledger_read(folder, &ledger, NULL);
		ended = !mem_failed();
		mem_fail_after(-1);
		ledger_release(&ledger);
		if (ended) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ERR_MEMORY);
		failed++;
	}
	assert_true(failed > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_hash_is_sha_256),
	    cmocka_unit_test_setup_teardown(an_entry_comes_back_as_it_was, make_folder,
					    remove_folder),
	    cmocka_unit_test_setup_teardown(any_change_of_an_entry_is_noticed, make_folder,
					    remove_folder),
	    cmocka_unit_test_setup_teardown(an_entry_that_is_gone_is_missed, make_folder,
					    remove_folder),
	    cmocka_unit_test_setup_teardown(branches_that_are_merged_are_both_followed, make_folder,
					    remove_folder),
	    cmocka_unit_test_setup_teardown(other_files_are_not_entries, make_folder,
					    remove_folder),
	    cmocka_unit_test(no_folder_is_an_empty_ledger),
	    cmocka_unit_test_setup_teardown(no_memory_is_an_error_each_time, make_folder,
					    remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
