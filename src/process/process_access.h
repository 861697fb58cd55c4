/* Why the kernel refuses us the memory of a process: the facts it decides by, and the words.
 * process_readable (process.h) gathers and tells; the telling is pure. */
#ifndef PROCESS_PROCESS_ACCESS_H
#define PROCESS_PROCESS_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct access_facts {
	pid_t pid;
	int errno_value;	     /* what the read was refused with */
	uint32_t our_uid, their_uid; /* effective; real */
	bool their_uid_known;
	bool uids_match;			       /* all of theirs are ours */
	uint64_t our_capabilities, their_capabilities; /* effective; permitted */
	int yama_scope;				       /* -1: no Yama */
	bool not_dumpable; /* the files in /proc/PID belong to root, the process doesn't */
	bool other_user_namespace;
	bool we_are_contained; /* we run in a container */
	bool own_read_refused; /* reading our own memory is refused too: seccomp */
};

void access_facts_read(pid_t pid, int errno_value, struct access_facts *ret_facts);
/* Fills err; returns -ERR_PERMISSION. */
int access_explain(const struct access_facts *facts, struct err *err);

#endif
