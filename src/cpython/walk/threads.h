/* The interpreters and thread states of a target, and the Python names of its
 * threads (threading._active, read from sys.modules). Off the hot path. */
#ifndef CPYTHON_WALK_THREADS_H
#define CPYTHON_WALK_THREADS_H

#include "cpython/layout/runtime_find.h"

#define THREADS_MAX 4096
#define INTERPRETERS_MAX 256

struct python_thread {
	struct raddr tstate;
	struct raddr interp;
	int64_t interp_id;
	uint64_t ident;	    /* pthread_self() */
	uint64_t native_id; /* kernel tid as we see it (3.8–3.10: read from glibc's struct pthread
			       at +0x2d0); only one that is a thread of the process; 0 unknown */
};

/* Lists all thread states of all interpreters; cycles and absurd lengths are cut
 * at the bounds. *ret_threads is mem_alloc'd. -ERR_TORN when the lists change
 * under the reader, or when they run in a circle: try again. A thread that runs in two interpreters
 * is listed once in each. Where the target lives in another PID namespace its ids are translated to
 * ours. Image memory: native ids are not checked. */
int python_threads_list(const struct remote_memory *, const struct runtime *,
			struct python_thread **ret_threads, size_t *ret_count, struct err *);

/* Whether the process has another PID namespace than we (a container): then what it keeps of its
 * threads' ids are numbers of that namespace. Two calls of stat. */
bool python_in_other_pid_namespace(pid_t pid);
/* The kernel's id of a thread, as its process knows it, from glibc's own record of it: `pthread` is
 * what pthread_self() gives there. 0: none, or not readable. Not checked to be a living thread. */
uint32_t python_thread_id_of_pthread(const struct remote_memory *, uint64_t pthread);
/* Our number of the thread that the process itself knows as `inside`; 0: it has none such. Opens a
 * file for each thread: once for a thread, not for each sample. */
pid_t python_thread_id_outside(pid_t pid, pid_t inside);

/* ident → name (UTF-8, escaped as object_read_str says). Calls `name` for each live
 * threading.Thread, the main interpreter's first and each ident once. 0, or a negative
 * code when threading is not imported (-ERR_TOO_LITTLE) or could not be read. */
#define THREAD_NAME_MAX 4096 /* bytes; longer ones are cut */
typedef void (*python_thread_name_fn)(void *context, uint64_t ident, const char *name);
int python_thread_names(const struct remote_memory *, const struct runtime *,
			python_thread_name_fn name, void *context, struct err *);

#endif
