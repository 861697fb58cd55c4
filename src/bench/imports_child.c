/* See imports_child.h. */
#include "bench/imports_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "process/launch.h"

#define WAIT_MS 200 /* between two looks where the kernel has no descriptor of a process */

extern char **environ;

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int run_loud(struct imports_child *child, struct err *err)
{
	struct launch launch;
	struct pollfd end = {-1, POLLIN, 0};
	int status = 0, result = launch_start(child->argv, &launch, err);

	if (result < 0)
		return result;
	launch_signals_take(&launch);
	end.fd = launch.pidfd;
	while ((result = launch_poll(&launch, &status, NULL, err)) == 0)
		poll(&end, 1, end.fd >= 0 ? WAIT_MS : 5);
	child->wall_ns = monotonic_ns() - child->launched_ns;
	child->exit_status = launch_exit_code(status);
	launch_signals_restore();
	launch_release(&launch);
	return result < 0 ? result : 0;
}

static int spawn_quiet(const struct imports_child *child, pid_t *ret_pid, struct err *err)
{
	posix_spawn_file_actions_t actions;
	int failure = posix_spawn_file_actions_init(&actions);

	if (failure)
		return err_set_errno(err, ERR_FILE, failure, "can't start a process");
	for (int fd = 0; !failure && fd < 3; fd++)
		if (fd == 2 && child->stderr_fd >= 0)
			failure = posix_spawn_file_actions_adddup2(&actions, child->stderr_fd, 2);
		else
			failure = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null",
								   fd ? O_WRONLY : O_RDONLY, 0);
	if (!failure)
		failure =
		    posix_spawnp(ret_pid, child->argv[0], &actions, NULL, child->argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failure)
		return err_set_errno(err, ERR_FILE, failure, "can't start %s", child->argv[0]);
	return 0;
}

static int run_quiet(struct imports_child *child, struct err *err)
{
	pid_t pid;
	int status = 0, result = spawn_quiet(child, &pid, err);

	if (result < 0)
		return result;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set_errno(err, ERR_NO_PROCESS, errno, "can't wait for %s",
					     child->argv[0]);
	child->wall_ns = monotonic_ns() - child->launched_ns;
	child->exit_status = launch_exit_code(status);
	return 0;
}

int imports_child_run(struct imports_child *child, struct err *err)
{
	int result;

	/* Our descriptors are closed by an exec; this one is to stay, for this process only. */
	if (child->kept_fd >= 0)
		fcntl(child->kept_fd, F_SETFD, 0);
	child->launched_ns = monotonic_ns();
	result = child->quiet ? run_quiet(child, err) : run_loud(child, err);
	if (child->kept_fd >= 0)
		fcntl(child->kept_fd, F_SETFD, FD_CLOEXEC);
	return result;
}
