/* See recording_place.h. The lock is flock's, which SQLite's own (fcntl) locks do not meet on a
 * local disk, and which the kernel drops with the process, however it ends. On network file systems
 * flock may be made of fcntl's locks and shut SQLite out: there none is taken. */
#include "commands/recording_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "profile/builder.h"
#include "recording/recording_reader.h"

#define NAMES_TRIED 99
#define FOLDER_TRIES 100 /* × FOLDER_PAUSE_NS: others hold it for some milliseconds */
#define FOLDER_PAUSE_NS 20000000l
#define NAME_ROOM (RECORDING_PATH_MAX - 32)

/* Numbers of file systems: statfs(2). */
static const uint32_t network_systems[] = {
    0x6969 /* NFS */,	   0x517b /* SMB */,	 0xff534d42 /* CIFS */,
    0xfe534d42 /* SMB2 */, 0x01021997 /* 9P */,	 0x65735546 /* FUSE */,
    0x00c36400 /* Ceph */, 0x5346414f /* AFS */, 0x0bd00bd0 /* Lustre */,
};

static bool is_local(int fd)
{
	struct statfs info;

	if (fstatfs(fd, &info) < 0)
		return false;
	for (size_t i = 0; i < sizeof(network_systems) / sizeof(network_systems[0]); i++)
		if ((uint32_t)info.f_type == network_systems[i])
			return false;
	return true;
}

enum place_state { PLACE_FREE, PLACE_RECORDING, PLACE_BUSY, PLACE_OTHER };

/* What lies under that name; for PLACE_OTHER `why` is filled. Opens and closes the file: never to
 * be called while a writer of ours has it open. */
static enum place_state examine(const char *path, struct err *why)
{
	struct recording_damage damage;
	struct profile *profile;
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool busy;

	if (fd < 0 && errno != EACCES)
		return PLACE_FREE; /* or not to be created: who creates it has the words */
	if (fd < 0) {
		err_set_errno(why, ERR_FILE, errno, "can't read %s", path);
		return PLACE_OTHER;
	}
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		close(fd);
		err_set(why, ERR_FILE, "%s exists and is not a plain file", path);
		return PLACE_OTHER;
	}
	busy = is_local(fd) && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	if (busy)
		return PLACE_BUSY;
	if (recording_read(path, RECORDING_META, &profile, &damage, why) < 0)
		return PLACE_OTHER;
	profile_free(profile);
	return PLACE_RECORDING;
}

static int refuse(const char *path, enum place_state state, const struct err *why, struct err *err)
{
	if (state == PLACE_BUSY) {
		err_set(err, ERR_FILE, "%s is in use by another Pyrometer", path);
		err_why(err, "it still records there, or waits for its program to end");
	} else {
		err_set(err, ERR_FILE, "%s can't be replaced", path);
		err_why(err, "%s%s%s; what Pyrometer did not write, it never replaces", why->what,
			why->why[0] ? ": " : "", why->why);
	}
	err_next(err, "choose another name: -o FILE");
	return -ERR_FILE;
}

static bool ends_with_pyro(const char *path)
{
	size_t length = strlen(path);

	return length > 5 && strcmp(path + length - 5, ".pyro") == 0;
}

/* The recording of before goes aside: it tells what changed. Nothing else is ever moved. */
static int set_aside(struct recording_place *place, struct err *err)
{
	size_t length = strlen(place->path);
	char previous[RECORDING_PATH_MAX];
	enum place_state state;
	struct err why = {0};

	if (ends_with_pyro(place->path))
		length -= 5;
	snprintf(previous, sizeof(previous), "%.*s.previous.pyro",
		 (int)(length < NAME_ROOM ? length : NAME_ROOM), place->path);
	state = examine(previous, &why);
	if (state == PLACE_BUSY || state == PLACE_OTHER)
		return refuse(previous, state, &why, err);
	if (rename(place->path, previous) < 0) {
		err_set_errno(err, ERR_FILE, errno, "can't set %s aside", place->path);
		err_next(err, "write elsewhere: -o FILE");
		return -ERR_FILE;
	}
	snprintf(place->previous_path, sizeof(place->previous_path), "%s", previous);
	return 0;
}

/* Two recorders that start at once must not both find the name free. */
static void lock_folder(struct recording_place *place)
{
	const struct timespec pause = {0, FOLDER_PAUSE_NS};
	const char *slash = strrchr(place->path, '/');
	char folder[RECORDING_PATH_MAX] = ".";

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - place->path + 1),
			 place->path);
	place->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->folder_fd < 0 || !is_local(place->folder_fd))
		return;
	/* Whoever holds it for long is no Pyrometer: then we go on without. */
	for (int i = 0; i < FOLDER_TRIES; i++) {
		if (flock(place->folder_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return;
		nanosleep(&pause, NULL);
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int recording_place_take(struct recording_place *place, const char *name, const char *short_name,
			 struct err *err)
{
	enum place_state state = PLACE_BUSY;
	struct err why = {0};
	int result;

	*place = (struct recording_place){.folder_fd = -1, .lock_fd = -1};
	snprintf(place->path, sizeof(place->path), name ? "%s" : "%s.pyro",
		 name ? name : short_name);
	lock_folder(place);
	state = examine(place->path, &why);
	for (int i = 2; !name && state == PLACE_BUSY && i <= NAMES_TRIED; i++) {
		snprintf(place->path, sizeof(place->path), "%s-%d.pyro", short_name, i);
		state = examine(place->path, &why);
		if (state == PLACE_OTHER)
			state = PLACE_BUSY; /* of the names that we choose any free one will do */
	}
	if (state == PLACE_FREE)
		return 0;
	result = state == PLACE_RECORDING ? set_aside(place, err)
					  : refuse(place->path, state, &why, err);
	if (result < 0)
		recording_place_release(place);
	return result;
}

void recording_place_hold(struct recording_place *place)
{
	place->lock_fd = open(place->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (place->lock_fd >= 0 && is_local(place->lock_fd))
		flock(place->lock_fd, LOCK_EX | LOCK_NB);
	close_fd(&place->folder_fd);
}

void recording_place_release(struct recording_place *place)
{
	close_fd(&place->lock_fd);
	close_fd(&place->folder_fd);
}

void recording_place_undo(struct recording_place *place)
{
	unlink(place->path);
	if (place->previous_path[0])
		rename(place->previous_path, place->path);
	place->previous_path[0] = 0;
}
