/* network.h - what connects a sandbox: the seam between the machines of a sandbox and one kind of network.
 *
 * A kind has a name, which stands in the sandbox's record (network_kind). There are two: "cni" (procs/cni.h) runs CNI
 * plugins, "native" (procs/net.h) makes the same network from the same conflist without them. Both are reached by plain
 * functions. Nothing but network.c and its part network_collect.c includes cni.h and net.h, so that a kind is
 * added there and nowhere else.
 *
 * What a kind must guarantee:
 * - `intend` writes into the sandbox all that a later `del` needs: the name of the kind, and what the kind will use
 *   (CNI: the text of the conflist, cni_conf). The caller saves the record before it calls `add`, so that a crash at
 *   any later moment leaves a record by which `del` can run. `intend` makes nothing.
 * - `add` connects the network namespace that is pinned at netns_path. On success the addresses and the kind's own
 *   result (CNI: cni_result) are in the sandbox, and the caller saves it. After a failure `add` has undone what it had
 *   made, or it says that something is left.
 * - `del` is idempotent. It succeeds where there is nothing to give back, and it can run after a crash at any moment:
 *   before `add` began, half way through it, after an `add` whose result was never saved, after an earlier `del`, and
 *   after a reboot, when the namespace is gone and only what is kept outside of it (leases, rules) is left.
 * - Only the kind that made a network deletes it, whatever kind new sandboxes get. A record without a kind is from
 *   before there were kinds and means "cni". A kind that this version does not know is an error by name: nothing of
 *   that sandbox is deleted, and its record stays for a version that knows the kind.
 * - An orphan (a namespace that the keeper holds and no record names) tells no kind. What "native" makes has a cache
 *   file of libcni with this instance's mark; without one the `del` is that of "cni". With `network: cni` it always
 *   is. */
#ifndef PROCS_NETWORK_H
#define PROCS_NETWORK_H

#include <stdbool.h>

#include "procs/sandbox.h"
#include "reactor/err.h"
#include "reactor/fields.h"

enum network_choice { /* of the configuration */
	NETWORK_CNI,	/* plugins */
	NETWORK_NATIVE, /* without plugins; a conflist that needs one makes the network not ready */
	NETWORK_AUTO,	/* without plugins where the conflist allows it, else by plugins */
};

int network_choice(const char *word); /* "cni", "native" or "auto"; -1: none of them */

struct network_config { /* the section `cni` of the configuration, and `network` */
	struct strings bin_dirs;
	const char *conf_dir, *cache_dir;
	enum network_choice choice;
	const char *helper, *lock, *owner; /* path of crisp-net; a file in `state`; `root` */
};

/* `changed` runs when network_ready() may have changed, never inside this call. cfg is borrowed for ever. */
void network_open(const struct network_config *cfg, void (*changed)(void *arg), void *arg);

/* The records are read, and what a crash left half made is undone: the rules of the sandboxes that live are made again
 * where they were lost meanwhile, and what no sandbox owns any more is given back. */
void network_recovered(void);

/* NetworkReady of Status: can a new sandbox get a network? *why is a sentence, valid until the next call: why not, or
 * with true what is wrong all the same ("": nothing). */
bool network_ready(const char **why);

/* May a network be asked for as config says? Judged before there is a sandbox. INVALID_ARGUMENT: metadata or
 * annotations that the kind cannot be told. */
int network_check(const struct sandbox_config *config, struct err *e);

/* FAILED_PRECONDITION: the network of this sandbox is of a kind that this version does not know; the text names it. */
int network_known(const struct sandbox *sandbox, struct err *e);

/* Chooses the kind of a new sandbox, and writes what its `del` needs into the sandbox. FAILED_PRECONDITION: no network
 * can be made today. */
int network_intend(struct sandbox *sandbox, struct err *e);

/* `done` runs exactly once, never inside the call. `left` after a failure of network_add(): network_del() is still
 * due. */
typedef void network_done(void *arg, const struct err *e, bool left);

/* The caller holds the sandbox's lane, saved the record after network_intend(), and made the namespace at netns_path.
 * Errors: those of cni_add() or net_add(). */
struct network_op; /* gone once `done` ran or network_cancel() returned */
struct network_op *network_add(struct sandbox *sandbox, network_done *done, void *arg);
void network_cancel(struct network_op *op); /* ends what runs; `done` never runs; network_del() is then due */

/* Did an `add` of this sandbox ever come to its end? */
bool network_added(const struct sandbox *sandbox);

/* The whole network, or only what is kept outside of the network namespace, as after a reboot. */
enum network_part { NETWORK_WHOLE, NETWORK_OUTSIDE };

/* network_known() said yes. Errors: those of cni_del() or net_del(). Only sandbox_down.c, the owner of a sandbox's end,
 * calls it. */
void network_del(const struct sandbox *sandbox, enum network_part part, network_done *done, void *arg);

/* What `crisp check` asks for: is what an `add` made still there? Findings are pairs of a word, "mended" or "left", and
 * a sentence. repair: what can be made again is made again (only by "native"; a plugin's CHECK mends nothing).
 * e: it could not be looked. `done` runs exactly once, never inside the call. */
typedef void network_looked(void *arg, const struct err *e, const struct strings *findings);
void network_look(const struct sandbox *sandbox, bool repair, network_looked *done, void *arg); /* READY, not hidden */

/* The same of the node: rules and devices of the native network that no sandbox needs, which repair takes away. Nothing
 * is looked for while a record is lost. */
void network_look_node(bool repair, network_looked *done, void *arg);

/* For sandbox_sweep.c: of a sandbox without a record the id and the pin are known and no more. */
void network_del_orphan(const char *id, const char *netns_path, network_done *done, void *arg);

#endif
