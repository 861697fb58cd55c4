#include "bench/git_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"

#define CHUNK 4096
#define COMPLAINT_MAX 400 /* bytes of what git wrote on stderr */
#define EXIT_NO_GIT 127

static const char *const settings[] = {"-c", "core.hooksPath=/dev/null",
				       "-c", "advice.detachedHead=false",
				       "-c", "core.quotePath=false"};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* Of a hook that called us: they would point git at another index or repository. */
static const char *const removed[] = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"};
static const struct {
	const char *name, *value;
	int replace;
} added[] = {
    {"LC_ALL", "C", 1},
    {"GIT_OPTIONAL_LOCKS", "0", 1},
    {"GIT_TERMINAL_PROMPT", "0", 1},
    /* For a commit that nobody sees (git stash create) where the user has told git no name. */
    {"GIT_AUTHOR_NAME", "pyrometer", 0},
    {"GIT_AUTHOR_EMAIL", "pyrometer@localhost", 0},
    {"GIT_COMMITTER_NAME", "pyrometer", 0},
    {"GIT_COMMITTER_EMAIL", "pyrometer@localhost", 0},
};

/* In the child. */
__attribute__((noreturn)) static void child(char *const argv[], int output_fd, int complaint_fd)
{
	int null_fd = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
	    dup2(complaint_fd, STDERR_FILENO) < 0)
		_exit(EXIT_NO_GIT);
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		unsetenv(removed[i]);
	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		setenv(added[i].name, added[i].value, added[i].replace);
	execvp("git", argv);
	_exit(EXIT_NO_GIT);
}

static void read_all(int fd, struct buffer *buffer)
{
	char chunk[CHUNK];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		buffer_append(buffer, chunk, (size_t)got); /* sticky failure; read on to the end */
	}
}

/* What git complained of: a file without a name, so that neither pipe can fill up unread. */
static void read_complaint(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);
	char *line;

	text[got > 0 ? got : 0] = '\0';
	line = strchr(text, '\n');
	if (line != NULL)
		*line = '\0';
}

static int judge(int status, const char *what, int complaint_fd, struct err *err)
{
	char complaint[COMPLAINT_MAX];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_GIT) {
		err_set(err, ERR_FILE, "Can't start git");
		err_why(err, "it is in no directory of PATH");
		err_next(err, "apt install git");
		return -ERR_FILE;
	}
	read_complaint(complaint_fd, complaint, sizeof(complaint));
	err_set(err, ERR_TARGET, "git %s failed", what);
	err_why(err, "%s", complaint[0] ? complaint : "it ended without a word");
	return -ERR_TARGET;
}

static int run(char *const argv[], const char *what, struct buffer *output, struct err *err)
{
	char name[] = "/tmp/pyrometer-git-XXXXXX";
	int complaint_fd = mkostemp(name, O_CLOEXEC), pipe_fds[2], status = 0, r;
	pid_t pid;

	if (complaint_fd < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't make a file in /tmp");
	unlink(name);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		r = err_set_errno(err, ERR_FILE, errno, "Can't make a pipe");
		close(complaint_fd);
		return r;
	}
	pid = fork();
	if (pid == 0)
		child(argv, pipe_fds[1], complaint_fd);
	r = pid < 0 ? err_set_errno(err, ERR_FILE, errno, "Can't start git") : 0;
	close(pipe_fds[1]);
	if (pid > 0) {
		read_all(pipe_fds[0], output);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		r = judge(status, what, complaint_fd, err);
	}
	close(pipe_fds[0]);
	close(complaint_fd);
	return r;
}

int git_command_sized(const char *directory, const char *const *arguments, char **ret_output,
		      size_t *ret_size, struct err *err)
{
	const char *argv[GIT_ARGUMENTS_MAX + SETTING_COUNT + 4] = {"git", "-C", directory};
	struct buffer output;
	size_t count = 3;
	int r;

	for (size_t i = 0; i < SETTING_COUNT; i++)
		argv[count++] = settings[i];
	for (size_t i = 0; arguments[i] != NULL && i < GIT_ARGUMENTS_MAX; i++)
		argv[count++] = arguments[i];
	argv[count] = NULL;
	buffer_init(&output, GIT_OUTPUT_MAX);
	r = run((char *const *)argv, arguments[0], &output, err);
	if (r == 0 && (!buffer_append(&output, "", 1) || output.failed)) {
		r = err_set(err, ERR_LIMIT, "Can't keep what git %s printed", arguments[0]);
		err_why(err, "no memory, or more than %u bytes", GIT_OUTPUT_MAX);
	}
	if (r < 0) {
		buffer_release(&output);
		return r;
	}
	*ret_output = (char *)output.bytes;
	*ret_size = output.size - 1;
	return 0;
}

int git_command(const char *directory, const char *const *arguments, char **ret_output,
		struct err *err)
{
	char *output;
	size_t size;
	int r = git_command_sized(directory, arguments, &output, &size, err);

	if (r == 0 && ret_output != NULL)
		*ret_output = output;
	else if (r == 0)
		mem_free(output);
	return r;
}
