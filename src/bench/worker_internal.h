/* What the files of the Python worker share; for the rest bench/worker.h is all there is. */
#ifndef BENCH_WORKER_INTERNAL_H
#define BENCH_WORKER_INTERNAL_H

#include "bench/command_worker.h"
#include "bench/steal.h"
#include "bench/worker.h"
#include "bench/worker_energy.h"
#include "bench/worker_process.h"
#include "bench/worker_protocol.h"

#define NOTES_MAX 16

struct worker {
	struct worker_spec spec;
	bool is_command, asked_once, failed;
	struct command_worker command;
	struct worker_process process;
	char *version, *implementation, *unit;
	enum bench_kind kind;
	double overhead_s;
	char *notes[NOTES_MAX];
	size_t note_count;
	struct steal_meter steal;
	struct energy_reading energy;
};

struct worker *worker_new(const struct worker_spec *spec);
void worker_free(struct worker *worker);
int worker_start_python(struct worker *worker, struct err *err);

/* What the messages call it. */
const char *worker_name(const struct worker_spec *spec);
enum bench_kind worker_kind_named(const char *name);
/* A text out of a reply: the caller's. */
char *worker_take_text(struct worker_reply *reply, size_t i);
/* An error of its process, with its name in it; marks nothing. */
int worker_explain(const struct worker *worker, int result, struct err *err);

/* A request as it is, with its line end. */
int worker_ask(struct worker *worker, const char *request, size_t size, struct err *err);
/* One reply of `kind`, or of `other` (the same: no other). Notes are taken on the way; what fails
 * here fails the worker for good. */
int worker_answer(struct worker *worker, double deadline_s, enum reply_kind kind,
		  enum reply_kind other, struct worker_reply *ret_reply, struct err *err);
int worker_converse(struct worker *worker, const char *request, size_t size, double patience_s,
		    enum reply_kind kind, struct worker_reply *ret_reply, struct err *err);

#endif
