/* program.h - private to procs/oci/ and runtime.c: a handler's program, shared by program.c (its probe), ops.c (its
 * operations) and userns.c (its trial).
 *
 * A program is probed by `--version` and `features` before its first operation, and again when its file changes.
 * Debian's crun 1.8.1 takes ociVersion 1.0.x only and refuses hybrid cgroup hosts unless /sys/fs/cgroup/unified is out
 * of its mount namespace: `--version` tells, and ops.c hides that mount. */
#ifndef PROCS_OCI_PROGRAM_H
#define PROCS_OCI_PROGRAM_H

#include "procs/runtime_kind.h"
#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/lookup_memo.h"
#include "reactor/loop.h"

struct arena;

enum probe { PROBE_NONE, PROBE_VERSION, PROBE_FEATURES, PROBE_DONE };

struct program {
	struct runtime_handler handler;
	struct link link;        /* among all programs, in the order of the configuration */
	const char *root;        /* <state>/runtime/<name> */
	enum probe probe;
	struct lookup_memo *memo; /* of handler.path */
	struct looked file;      /* as it was when probed */
	struct child *child;     /* the probe's */
	bool is_crun;
	char warning[320];       /* runtime_warning()'s */
	struct runtime_features features;
	struct userns_trial *trial; /* under way */
	bool userns_tried;       /* features.user_namespaces is the trial's answer */
	struct err fault;        /* why the last probe failed; code OK: it did not */
	struct link waiting;     /* of struct program_wait.link */
	struct timer timer;      /* calls the waiters in the next turn of the loop */
};

struct program_wait {
	struct link link;
	void (*fn)(struct program_wait *w, const struct err *e);
};

/* What they allocate is the arena's, which outlives them. INVALID_ARGUMENT: the path is not absolute; INTERNAL. */
int programs_open(struct arena *arena, const char *state, struct err *e);
void programs_close(void); /* before that arena is freed; harmless before programs_open() */
const struct runtime_handler *program_new(const struct runtime_handler *handler, struct err *e);
void programs_each(void (*fn)(struct program *program));
struct program *program_of(const struct runtime_handler *handler);

/* The program's file is there, executable, and the one that was probed. FAILED_PRECONDITION names what is wrong with
 * it. On a file system that may hang it is what a child saw last: DEADLINE_EXCEEDED and UNAVAILABLE as
 * lookup_memo_get(). */
int program_usable(struct program *program, struct err *e);
bool program_probed(const struct program *program);
int program_usable_now(const struct runtime_handler *handler, struct err *e); /* runtime_usable() of this kind */
const char *program_warning(const struct runtime_handler *handler); /* runtime_warning()'s */
void program_features(const struct runtime_handler *handler, struct runtime_features *out);

/* fn runs once, when the probe has ended: e NULL, or FAILED_PRECONDITION or UNAVAILABLE. Never inside the call. */
void program_probe(struct program *program, struct program_wait *wait,
		   void (*fn)(struct program_wait *wait, const struct err *e));

/* fn runs whenever a probe has ended well, and whenever the features of a probed program are asked for. NULL: no more.
 * The trial of user namespaces hangs here, so that the probe does not know of it. */
void programs_on_known(void (*fn)(struct program *program));

/* `run` in the foreground, for a container that ends by itself at once: done when it has, and INTERNAL unless it
 * exited with 0. */
struct runtime_op *oci_try(const struct runtime_handler *handler, const char *id, const char *bundle,
			   const char *cgroup, runtime_done *done, void *arg);

struct runtime_op *oci_delete(const struct runtime_handler *handler, const char *id, bool force, runtime_done *done,
			      void *arg);
void oci_cancel(struct runtime_op *op);

/* The last message of level error, fatal or panic in a JSON log, as one line of at most 500 bytes, in the arena; ""
 * without one. */
const char *oci_log_words(struct arena *arena, const char *text, size_t len);

const char *program_log_dir(void); /* <state>/runtime/.log: one file per operation while it runs */

#endif
