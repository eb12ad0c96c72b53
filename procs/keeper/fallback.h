/* fallback.h - which configuration the next crispd gets: the file, or the last one with which a crispd was READY.
 *
 * crispd leaves a copy of its configuration as <state>/config.ready when it is READY (handlers/ready_config.h). A
 * configuration that does not get that far must not take the node down. (ARCHITECTURE R75) */
#ifndef PROCS_KEEPER_FALLBACK_H
#define PROCS_KEEPER_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>

enum { FALLBACK_WHY_MAX = 512 };

/* How a crispd ended. */
struct crispd_life {
	bool ready;      /* it told READY, or it outlived the keeper that it told */
	bool late;       /* killed: it was not READY in time */
	int status;      /* as of waitpid(2) */
	int deaths;      /* in quick succession, this one included */
	const char *why; /* its own words; "": none */
};

/* True: the state directory, or `root`, has a copy of the configuration file at this path. NULL has none. */
bool fallback_is_there(const char *dir, const char *config);

/* Chooses for the next crispd. Called when one has ended. */
void fallback_choose(const char *state, const char *config, const struct crispd_life *life);

/* The path of the copy, if the next crispd is to use it, and why; NULL: it uses the file. */
const char *fallback_path(void);
const char *fallback_why(void);

/* For the start of the service with a file that cannot be read: the directory that the file names in a line
 * `state: /PATH`, or `root: /PATH`, of its own, or one of the directory beside it (the last of them), or the default
 * one, if it has a copy of this very file. NULL: none.
 * Static, until the next call. */
const char *fallback_state(const char *config);
const char *fallback_root(const char *config);

#endif
