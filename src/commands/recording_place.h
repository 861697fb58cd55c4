/* Where a recording goes: its name, what lies there already, and that nobody else writes it at the
 * same time. A recorder holds a flock on its own file until the end, so that a second one of the
 * same name sees it; what Pyrometer did not write is never replaced. */
#ifndef COMMANDS_RECORDING_PLACE_H
#define COMMANDS_RECORDING_PLACE_H

struct err;

#define RECORDING_PATH_MAX 4096

struct recording_place {
	char path[RECORDING_PATH_MAX];
	char previous_path[RECORDING_PATH_MAX]; /* the one before of the same name; "" none */
	int folder_fd, lock_fd;			/* -1: none */
};

/* `name` as given by -o, or NULL: SHORT_NAME.pyro in the working directory, or, while another
 * Pyrometer writes that one, SHORT_NAME-2.pyro and so on. A recording that lies there goes aside as
 * NAME.previous.pyro. 0: no file of that name exists, and the folder is held until
 * recording_place_hold or _release. -ERR_FILE: another Pyrometer writes it, or it is no recording.
 */
int recording_place_take(struct recording_place *place, const char *name, const char *short_name,
			 struct err *err);
/* After the file was created: it is ours until the release. */
void recording_place_hold(struct recording_place *place);
/* Only after the file's writer was freed: closing a descriptor of the file would take SQLite's own
 * locks from it. */
void recording_place_release(struct recording_place *place);
/* Takes the new recording away and puts the one before back. After the release. */
void recording_place_undo(struct recording_place *place);

#endif
