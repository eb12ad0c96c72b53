/* ask.h - which directories a configuration names: crispd is asked, since the keeper reads no configuration. For the
 * start of the front; it blocks. */
#ifndef PROCS_KEEPER_ASK_H
#define PROCS_KEEPER_ASK_H

struct asked {
	char state[4096], root[4096]; /* root "": it is not known */
	int json;                     /* the log is to be JSON */
};

/* 0, or the exit status of `crispd --print state`. For a bad file of which there is an earlier copy, in the state
 * directory or under the root directory that the file names in a line of its own, the directories of that copy and 0:
 * with it the service goes on. (ARCHITECTURE R75) */
int ask_directories(const char *crispd, const char *config, struct asked *out);

/* After a reboot: puts the copy under `root` into the state directory, which has none any more. Nothing happens where
 * there is no copy of this configuration file, or it is damaged or names another state directory.
 * (ARCHITECTURE R150) */
void ask_restore_copy(const char *crispd, const char *config, const char *state, const char *root);

#endif
