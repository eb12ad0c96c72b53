/* program.h - what runtime.c (handlers, probe), ops.c (operations) and userns.c (trials) share; theirs
 * alone.
 *
 * A program is probed by `--version` and `features` before its first operation, and again when its file changes. */
#ifndef PROCS_OCI_PROGRAM_H
#define PROCS_OCI_PROGRAM_H

#include <sys/stat.h>

#include "procs/oci/runtime.h"
#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum probe { PROBE_NONE, PROBE_VERSION, PROBE_FEATURES, PROBE_DONE };

struct program {
	struct runtime_handler handler;
	const char *root;        /* <state>/runtime/<name> */
	enum probe probe;
	struct stat file;        /* as it was when probed */
	struct child *child;     /* of the probe */
	bool is_crun;
	struct runtime_features features;
	struct userns_trial *trial; /* under way */
	bool userns_tried;       /* features.user_namespaces is the answer */
	struct err fault;        /* of the last probe that failed, code OK: none */
	struct link waiting;     /* of struct program_wait.link */
	struct timer timer;      /* the waiters' turn */
};

struct program_wait {
	struct link link;
	void (*fn)(struct program_wait *w, const struct err *e);
};

struct program *program_of(const struct runtime_handler *h);

/* The program's file is there, executable, and the one that was probed. FAILED_PRECONDITION names what is wrong with
 * it. */
int program_usable(struct program *p, struct err *e);
bool program_probed(const struct program *p);

/* fn runs once, when the probe has ended: e NULL, or FAILED_PRECONDITION or UNAVAILABLE. Never inside the call. */
void program_probe(struct program *p, struct program_wait *w, void (*fn)(struct program_wait *w, const struct err *e));

/* Tries it in a user namespace when that is wanted and was not done yet. The program is probed. */
void userns_try(struct program *p);

struct arena;
/* The last message of level error, fatal or panic in a JSON log, as one line of at most 500 bytes, in the arena; ""
 * without one. */
const char *oci_log_words(struct arena *a, const char *text, size_t len);

const char *program_log_dir(void); /* <state>/runtime/.log: one file per operation while it runs */

#endif
