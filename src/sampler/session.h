/* A recording in progress: a root process and, when asked, all that come from it.
 * Each Python process gets a sampling thread (reader.h) and a collector; others
 * are listed. Driven by its owner: session_step in a loop, on one thread.
 */
#ifndef SAMPLER_SESSION_H
#define SAMPLER_SESSION_H

#include "profile/builder.h"
#include "sampler/reader.h"

#define SESSION_SAMPLED_MAX 64	    /* processes with a sampling thread at one time */
#define SESSION_PROCESSES_MAX 16384 /* listed in all */

struct session_options {
	enum reader_kind reader;
	double rate_hz; /* 0 adapts to the budget; INFINITY fastest */
	double budget;	/* fraction of the target's time; 0.01 */
	bool follow_children;
	uint64_t seed; /* 0: from the clock */
};

struct session_sink {
	/* New rows in the view and samples since the last call; about every half second and at the
	 * end. A failure is kept and returned by session_step once; sampling goes on. */
	int (*append)(void *context, const struct profile *view,
		      const struct profile_sample *samples, size_t count, struct err *);
	void *context;
};

struct session;

int session_new(const struct session_options *options, const struct session_sink *sink,
		struct session **ret_session, struct err *err);
void session_free(struct session *session);

/* The process to record. `wait_for_python`: it was just started, an interpreter may still appear
 * (launch); otherwise a process that is not Python is refused with the reason. */
int session_add_root(struct session *session, pid_t pid, bool wait_for_python, struct err *err);

/* Work for about timeout_ns: drain, follow, flush. Negative: the sink failed (said once in err). */
int session_step(struct session *session, uint64_t timeout_ns, struct err *err);

/* The root ended (or is a zombie), and so did every process that was followed. */
bool session_root_ended(const struct session *session);
/* Why the root was never sampled (0 when it was): -ERR_NOT_PYTHON …, with the words. */
int session_root_refusal(const struct session *session, struct err *err);

/* Stop the sampling threads, drain, fill meta, last append. */
int session_finish(struct session *session, struct err *err);

/* The model so far: meta is the owner's to complete before session_finish. */
struct profile_builder *session_builder(struct session *session);
uint64_t session_elapsed_ns(const struct session *session);

#endif
