/* The rows of `gate` as JSON, and as SARIF 2.1.0 (OASIS) for code scanning. */
#include <string.h>

#include "base/err.h"
#include "base/json_write.h"
#include "bench/gate.h"
#include "report/gate_view.h"
#include "report/page.h"

static void key_text(struct json_writer *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text);
}

static void write_waiver(struct json_writer *json, const struct waiver *waiver)
{
	json_key(json, "waiver");
	if (waiver == NULL) {
		json_absent(json);
		return;
	}
	json_object_begin(json);
	key_text(json, "reason", waiver->reason);
	key_text(json, "until", waiver->until);
	json_object_end(json);
}

static void write_row(struct json_writer *json, const struct gate_row *row)
{
	bool has_limit = row->budget->text[0] != '\0';

	json_object_begin(json);
	key_text(json, "benchmark", row->name);
	key_text(json, "budget", row->budget->key);
	key_text(json, "verdict", gate_verdict_name(row->verdict));
	key_text(json, "unit", strcmp(row->unit, "%") == 0 ? "part" : row->unit);
	json_key(json, "value");
	json_number(json, row->value);
	json_key(json, "low");
	json_number(json, row->low);
	json_key(json, "high");
	json_number(json, row->high);
	json_key(json, "limit");
	if (has_limit)
		json_number(json, row->budget->limit);
	else
		json_absent(json);
	key_text(json, "limit_text", has_limit ? row->budget->text : NULL);
	key_text(json, "reason", row->reason);
	write_waiver(json, row->waiver);
	json_key(json, "line");
	json_signed(json, row->budget->line);
	json_object_end(json);
}

int gate_json_write(FILE *out, const struct gate *gate, struct err *err)
{
	struct json_writer json;
	enum gate_verdict verdict = gate_verdict(gate);

	json_start(&json, out, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, GATE_SCHEMA_VERSION);
	key_text(&json, "verdict", gate_verdict_name(verdict));
	json_key(&json, "exit_code");
	json_signed(&json, gate_exit_code(verdict));
	key_text(&json, "file", gate_file(gate));
	key_text(&json, "date", gate->today);
	json_key(&json, "noise_floor");
	json_number(&json, gate->noise);
	json_key(&json, "budgets");
	json_array_begin(&json);
	for (size_t i = 0; i < gate->count; i++)
		write_row(&json, &gate->rows[i]);
	json_array_end(&json);
	json_key(&json, "unused_waivers");
	json_array_begin(&json);
	for (size_t i = 0; i < gate->waivers->count; i++)
		if (!gate->waivers->items[i].used)
			json_text(&json, gate->waivers->items[i].name);
	json_array_end(&json);
	json_object_end(&json);
	fputc('\n', out);
	return stream_finish(out, "the budgets", err);
}

/* --- SARIF
 * ------------------------------------------------------------------------------------------- */

static const char *const levels[] = {
    [GATE_PASS] = "none",	[GATE_WAIVED] = "note",	       [GATE_CANNOT_TELL] = "warning",
    [GATE_REFUSED] = "warning", [GATE_NOT_MEASURED] = "error", [GATE_FAIL] = "error",
};

static const char *const rules[][2] = {
    [GATE_PASS] = {"budget-met", "A budget is met."},
    [GATE_WAIVED] = {"budget-waived", "A budget is not met, which is allowed for a time."},
    [GATE_CANNOT_TELL] = {"budget-cannot-tell", "What was measured is too near a budget's limit."},
    [GATE_REFUSED] = {"budget-refused", "A budget asks for less than the machine can see."},
    [GATE_NOT_MEASURED] = {"budget-not-measured", "What a budget is about was not measured."},
    [GATE_FAIL] = {"budget-not-met", "A budget is not met."},
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static void write_message(struct json_writer *json, const char *key, const char *text)
{
	json_key(json, key);
	json_object_begin(json);
	key_text(json, "text", text);
	json_object_end(json);
}

static void write_driver(struct json_writer *json)
{
	json_key(json, "tool");
	json_object_begin(json);
	json_key(json, "driver");
	json_object_begin(json);
	key_text(json, "name", "pyrometer");
	key_text(json, "version", PYROMETER_VERSION);
	json_key(json, "rules");
	json_array_begin(json);
	for (size_t i = 0; i < RULE_COUNT; i++) {
		json_object_begin(json);
		key_text(json, "id", rules[i][0]);
		write_message(json, "shortDescription", rules[i][1]);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
	json_object_end(json);
}

/* A path as a URI reference: what is not unreserved is escaped. */
static void write_uri(struct json_writer *json, const char *path)
{
	char uri[3 * 1024];
	size_t used = 0;

	for (const char *c = path; *c != '\0' && used + 4 < sizeof(uri); c++) {
		bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~/",
				    *c) != NULL;

		if (plain)
			uri[used++] = *c;
		else
			used += (size_t)snprintf(uri + used, sizeof(uri) - used, "%%%02X",
						 (unsigned char)*c);
	}
	uri[used] = '\0';
	key_text(json, "uri", uri);
}

static void write_place(struct json_writer *json, const struct gate *gate, int line)
{
	json_key(json, "locations");
	json_array_begin(json);
	json_object_begin(json);
	json_key(json, "physicalLocation");
	json_object_begin(json);
	json_key(json, "artifactLocation");
	json_object_begin(json);
	write_uri(json, gate_file(gate));
	json_object_end(json);
	json_key(json, "region");
	json_object_begin(json);
	json_key(json, "startLine");
	json_signed(json, line);
	json_object_end(json);
	json_object_end(json);
	json_object_end(json);
	json_array_end(json);
}

static void write_suppression(struct json_writer *json, const struct waiver *waiver)
{
	json_key(json, "suppressions");
	json_array_begin(json);
	json_object_begin(json);
	key_text(json, "kind", "external");
	key_text(json, "justification", waiver->reason);
	json_object_end(json);
	json_array_end(json);
}

static void write_result(struct json_writer *json, const struct gate *gate,
			 const struct gate_row *row)
{
	char text[GATE_SENTENCE_MAX], message[GATE_SENTENCE_MAX + 512];

	snprintf(message, sizeof(message), "%.400s: %s", row->name,
		 gate_sentence(row, text, sizeof(text)));
	json_object_begin(json);
	key_text(json, "ruleId", rules[row->verdict][0]);
	json_key(json, "ruleIndex");
	json_signed(json, (int64_t)row->verdict);
	key_text(json, "kind", row->verdict == GATE_PASS ? "pass" : "fail");
	key_text(json, "level", levels[row->verdict]);
	write_message(json, "message", message);
	write_place(json, gate, row->budget->line);
	if (row->waiver != NULL)
		write_suppression(json, row->waiver);
	json_object_end(json);
}

int gate_sarif_write(FILE *out, const struct gate *gate, struct err *err)
{
	struct json_writer json;

	json_start(&json, out, true);
	json_object_begin(&json);
	key_text(&json, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	key_text(&json, "version", "2.1.0");
	json_key(&json, "runs");
	json_array_begin(&json);
	json_object_begin(&json);
	write_driver(&json);
	json_key(&json, "results");
	json_array_begin(&json);
	for (size_t i = 0; i < gate->count; i++)
		write_result(&json, gate, &gate->rows[i]);
	json_array_end(&json);
	json_object_end(&json);
	json_array_end(&json);
	json_object_end(&json);
	fputc('\n', out);
	return stream_finish(out, "the budgets", err);
}
