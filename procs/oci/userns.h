/* userns.h - does a runtime handler run containers in a user namespace? Each one's program is tried out, once.
 *
 * Debian's runc 1.1.5 and crun 1.8.1 can, and neither can say so (`features` came later, and tells less): so one
 * container is run, as pods with a user namespace have them, and what it says is its exit status. */
#ifndef PROCS_OCI_USERNS_H
#define PROCS_OCI_USERNS_H

#include "reactor/err.h"

struct userns_config { /* copied; strings borrowed for ever */
	const char *state;      /* <state>/userns-trial/<handler> is where it happens */
	const char *pause_path; /* the program that is run: crisp-pause, which ends at once when told to */
	/* Can file systems be shifted into that user namespace? Said by who makes them. */
	int (*rootfs)(int userns, struct err *e);
};

/* From now on every handler is tried, now and whenever its program has changed; runtime_features() has the answer when
 * there is one, and false until then. */
void userns_trials_open(const struct userns_config *cfg);
void userns_trials_close(void); /* those under way are given up, and what they made is removed */

#endif
