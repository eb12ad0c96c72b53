/* nri.h - NRI, the node resource interface: programs of the node that hear of pods and containers, and change them.
 *
 * Spec: github.com/containerd/nri, docs and pkg/api/api.proto. Plugins connect to a socket, or are pre-installed: files
 * NN-NAME of a directory, which crispd starts by the keeper. They are asked one after the other, in the order of their
 * index; the events of one pod come one after the other, those of several pods at the same time.
 *
 * A plugin that does not answer within request_ms is disconnected, and the request goes on without it, or fails if the
 * plugin has asked for that (FailurePolicy); the requests of other pods that it still works at are waited for.
 * (ARCHITECTURE G33) */
#ifndef HANDLERS_NRI_H
#define HANDLERS_NRI_H

#include <stdbool.h>

#include "procs/adjust.h"
#include "procs/container.h"
#include "reactor/err.h"
#include "reactor/json.h"

struct nri_config {
	bool enabled;
	const char *socket;	   /* a path; "": none is served */
	const char *plugin_path;   /* the directory of pre-installed plugins */
	const char *config_path;   /* NN-NAME.conf or NAME.conf: what a pre-installed plugin is configured with */
	int64_t register_ms, request_ms;
	struct nri_validator {
		bool enabled; /* false: nothing of this is looked at */
		bool reject_hooks, reject_sysctl;
		/* Of containers whose own profile is RuntimeDefault, Unconfined (or none), Localhost. */
		bool reject_seccomp_default, reject_seccomp_unconfined, reject_seccomp_custom;
		struct strings required_plugins; /* NAME or NN-NAME */
		const char *tolerate_annotation; /* of pods that may miss them; "": none */
	} validator;
};

/* `done` runs once, never inside the call: the pre-installed plugins are synchronized, or are not to be used, which is
 * logged. A socket on which another process listens is logged too. config is borrowed for ever. */
void nri_open(const struct nri_config *config, void (*done)(void *arg), void *arg);
void nri_close(void);

/* What Status tells of it: { plugins: [{ name, installed, ready, events: [names] }] } of those that take requests, by
 * their names. An object, since crictl shows no other form. A new reference. */
json_t *nri_status(void);

/* Numbers of NRI's enum Event. */
enum nri_event {
	NRI_RUN_POD = 1, NRI_STOP_POD = 2, NRI_REMOVE_POD = 3, NRI_CREATE = 4, NRI_POST_CREATE = 5, NRI_START = 6,
	NRI_POST_START = 7, NRI_UPDATE = 8, NRI_POST_UPDATE = 9, NRI_STOP = 10, NRI_REMOVE = 11, NRI_UPDATE_POD = 12,
	NRI_POST_UPDATE_POD = 13, NRI_VALIDATE = 14,
};

/* e: a plugin has refused, named with it. Runs exactly once, never inside the call. */
typedef void nri_done(void *arg, const struct err *e);

/* false: no plugin wants to hear of it, and `done` (may be NULL: only tell) does not run. The objects may be gone
 * before `done`. STOP and REMOVE of containers are told by procs/events.h and need no call. */
bool nri_tell_pod(enum nri_event event, const struct sandbox *sandbox, nri_done *done, void *arg);
bool nri_tell_container(enum nri_event event, const struct container *container, nri_done *done, void *arg);

/* New sizes of a pod, which may be unset; both are borrowed for the call. */
bool nri_update_pod(const struct sandbox *sandbox, const struct resources *overhead, const struct resources *resources,
		    nri_done *done, void *arg);

/* A container that is about to be made. config is borrowed until nri_creation_free(). NULL: no plugin wants it. What
 * plugins want is checked by the validator of the configuration and by plugins that validate; nothing of it is done
 * before. */
struct nri_creation;
struct nri_creation *nri_create(const struct sandbox *sandbox, const struct container_config *config,
				const struct container_image *image, nri_done *done, void *arg);
const struct adjustment *nri_creation_result(const struct nri_creation *creation); /* after `done` without error */
void nri_creation_undo(struct nri_creation *creation); /* it was not made: plugins hear that it is gone */
void nri_creation_free(struct nri_creation *creation); /* NULL is fine; after `done` */

/* limits: what was asked for, with what plugins changed; borrowed for the call. */
typedef void nri_updated(void *arg, const struct err *e, const struct resources *limits);
bool nri_update(const struct container *container, const struct resources *asked, nri_updated *done, void *arg);

#endif
