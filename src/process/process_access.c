#include "process/process_access.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "process/maps.h"
#include "process/proc_text.h"
#include "process/process.h"

#define STATUS_TEXT_MAX 8192
#define HAS_PTRACE(capabilities) (((capabilities) >> CAP_SYS_PTRACE & 1) != 0)

static int read_byte(pid_t pid, uint64_t address)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)address, 1};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ? 0 : errno;
}

static bool read_uids(const char *text, size_t size, uint64_t uids[3])
{
	const char *line = memmem(text, size, "\nUid:", 5);

	if (!line)
		return false;
	struct proc_cursor cursor = {line + 5, text + size};
	for (int i = 0; i < 3; i++)
		if (!proc_take_u64(&cursor, &uids[i]))
			return false;
	return true;
}

static int read_yama(void)
{
	char text[16];
	size_t size;
	uint64_t scope;

	if (proc_read_file("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text), &size, NULL))
		return -1;
	struct proc_cursor cursor = {text, text + size};
	return proc_take_u64(&cursor, &scope) && scope <= 3 ? (int)scope : -1;
}

static bool other_user_namespace(pid_t pid)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
	       theirs.st_ino != ours.st_ino;
}

void access_facts_read(pid_t pid, int errno_value, struct access_facts *ret_facts)
{
	struct access_facts facts = {.pid = pid, .errno_value = errno_value, .yama_scope = -1};
	char text[STATUS_TEXT_MAX], path[64];
	size_t size;
	uint64_t uids[3];
	struct stat st;

	facts.our_uid = geteuid();
	if (proc_read(getpid(), "status", text, sizeof(text), &size, NULL) == 0)
		proc_find_number(text, size, "CapEff", 16, &facts.our_capabilities);
	if (proc_read(pid, "status", text, sizeof(text), &size, NULL) == 0) {
		proc_find_number(text, size, "CapPrm", 16, &facts.their_capabilities);
		facts.their_uid_known = read_uids(text, size, uids);
	}
	if (facts.their_uid_known) {
		facts.their_uid = (uint32_t)uids[0];
		facts.uids_match = uids[0] == facts.our_uid && uids[1] == facts.our_uid &&
				   uids[2] == facts.our_uid;
		/* Of the directory itself the kernel shows the user in any case. */
		snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
		facts.not_dumpable = stat(path, &st) == 0 && st.st_uid == 0 && uids[1] != 0;
	}
	facts.yama_scope = read_yama();
	facts.other_user_namespace = other_user_namespace(pid);
	facts.we_are_contained =
	    access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
	uint64_t probe = (uintptr_t)&facts;
	int own = read_byte(getpid(), probe);
	facts.own_read_refused = own == EPERM || own == ENOSYS;
	*ret_facts = facts;
}

static void explain_capability(const struct access_facts *facts, struct err *err)
{
	err_why(err, "Pyrometer runs as root, but without the capability CAP_SYS_PTRACE%s",
		facts->we_are_contained ? ", which this container leaves out" : "");
	err_next(err, "%s",
		 facts->we_are_contained
		     ? "start the container with --cap-add SYS_PTRACE, or run Pyrometer on the host"
		     : "give it that capability (systemd: AmbientCapabilities=CAP_SYS_PTRACE)");
}

static void explain_yama(const struct access_facts *facts, struct err *err)
{
	err_why(err, "kernel.yama.ptrace_scope is %d: %s", facts->yama_scope,
		facts->yama_scope == 1	 ? "a process may read only its own children"
		: facts->yama_scope == 2 ? "only root (CAP_SYS_PTRACE) may read other processes"
					 : "nobody may read other processes until the next boot");
	if (facts->yama_scope == 1)
		err_next(err, "start the program by: pyrometer run; or: sudo pyrometer …; or: sudo "
			      "sysctl kernel.yama.ptrace_scope=0");
	else if (facts->yama_scope == 2)
		err_next(err, "sudo pyrometer …, or: sudo sysctl kernel.yama.ptrace_scope=1 and "
			      "start the program by: pyrometer run");
	else
		err_next(err, "set kernel.yama.ptrace_scope=1 in /etc/sysctl.d and boot again");
}

int access_explain(const struct access_facts *facts, struct err *err)
{
	err_set(err, ERR_PERMISSION, "May not read the memory of process %d", (int)facts->pid);
	if (facts->own_read_refused) {
		err_why(err,
			"process_vm_readv is refused even for Pyrometer itself: a seccomp "
			"filter%s",
			facts->we_are_contained ? " of this container" : "");
		err_next(err, "%s",
			 "allow that system call (Docker: --cap-add SYS_PTRACE, or "
			 "--security-opt seccomp=PROFILE)");
	} else if (facts->yama_scope == 3) {
		explain_yama(facts, err);
	} else if (HAS_PTRACE(facts->our_capabilities)) {
		err_why(err, "%s (errno %d), though Pyrometer has CAP_SYS_PTRACE: %s",
			strerror(facts->errno_value), facts->errno_value,
			facts->other_user_namespace
			    ? "the process is in another user namespace"
			    : "a security module (SELinux, AppArmor) or a user namespace");
		err_next(err, "run Pyrometer as root of the host, or look into: dmesg | tail");
	} else if (facts->our_uid == 0) {
		explain_capability(facts, err);
	} else if (facts->their_uid_known && !facts->uids_match) {
		err_why(err, "it runs as user %u, Pyrometer as user %u", facts->their_uid,
			facts->our_uid);
		err_next(err, "sudo pyrometer …");
	} else if (facts->other_user_namespace) {
		err_why(err, "it is in another user namespace (a rootless container)");
		err_next(err, "sudo pyrometer …, or run Pyrometer inside that container");
	} else if (facts->not_dumpable) {
		err_why(err, "it is not dumpable: it changed its user, asked for it by prctl, or "
			     "its file may not be read");
		err_next(err, "sudo pyrometer …");
	} else if (facts->their_capabilities & ~facts->our_capabilities) {
		err_why(err, "it has capabilities that Pyrometer has not (0x%llx)",
			(unsigned long long)(facts->their_capabilities & ~facts->our_capabilities));
		err_next(err, "sudo pyrometer …");
	} else if (facts->yama_scope > 0) {
		explain_yama(facts, err);
	} else {
		err_why(err,
			"%s (errno %d); same user, dumpable, no Yama: a security module "
			"(SELinux, AppArmor) or a seccomp filter",
			strerror(facts->errno_value), facts->errno_value);
		err_next(err, "sudo pyrometer …, or look into: dmesg | tail");
	}
	return -ERR_PERMISSION;
}

/* An address that can be read; [vvar] and the like can't, by nobody. */
static const struct map_entry *readable_entry(const struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct map_entry *entry = &maps->entries[i];

		if ((entry->permissions & MAP_READ) && entry->path[0] == '/' && entry->inode != 0 &&
		    strncmp(entry->path, "/dev/", 5) != 0)
			return entry;
	}
	for (size_t i = 0; i < maps->count; i++)
		if ((maps->entries[i].permissions & MAP_READ) &&
		    strncmp(maps->entries[i].path, "[v", 2) != 0)
			return &maps->entries[i];
	return NULL;
}

static int no_memory(pid_t pid, struct err *err)
{
	struct process_stat stat;

	if (process_stat_read(pid, &stat, err) < 0)
		return -ERR_NO_PROCESS;
	err_set(err, ERR_NO_PROCESS, "Process %d has no memory to read", (int)pid);
	err_why(err, "%s",
		stat.state == 'Z' || stat.state == 'X'
		    ? "it ended; its parent hasn't asked for its status yet (a zombie)"
		    : "it is a thread of the kernel, or was just ending");
	return -ERR_NO_PROCESS;
}

int process_readable(pid_t pid, struct err *err)
{
	struct process_stat stat;
	struct access_facts facts;
	struct maps maps;

	int rc = process_stat_read(pid, &stat, err);
	if (rc < 0)
		return rc;
	maps_init(&maps);
	rc = maps_read(&maps, pid, err);
	const struct map_entry *entry = rc == 0 ? readable_entry(&maps) : NULL;
	int errno_value = rc == -ERR_PERMISSION ? EACCES : entry ? read_byte(pid, entry->start) : 0;
	maps_release(&maps);
	if (rc < 0 && rc != -ERR_PERMISSION)
		return rc;
	if (rc == 0 && !entry)
		return no_memory(pid, err);
	if (errno_value == ESRCH)
		return no_memory(pid, err);
	/* EFAULT: allowed, but that page isn't there any more. */
	if (errno_value == 0 || errno_value == EFAULT)
		return 0;
	access_facts_read(pid, errno_value, &facts);
	return access_explain(&facts, err);
}
