/* plugin.h - private to handlers/nri/: one plugin and its connection.
 *
 * Spec: github.com/containerd/nri, docs and pkg/api. */
#ifndef HANDLERS_NRI_PLUGIN_H
#define HANDLERS_NRI_PLUGIN_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "nri.pb-c.h"
#include "reactor/err.h"
#include "reactor/list.h"
#include "reactor/ttrpc.h"

enum { NRI_PLUGINS_MAX = 64, NRI_ANSWER_MAX = 1 << 20 };

struct nri_plugin;

struct nri_plugin_config {
	const char *idx, *base;	 /* of a pre-installed plugin; "": the plugin says it itself */
	const char *text;	 /* for Configure; borrowed for the call */
	/* Runs once: the plugin is synchronized (e NULL), or it is not to be used; it may be gone then. May be NULL. */
	void (*begun)(void *arg, const struct err *e);
	void *arg;
	void (*ended)(const char *name); /* it is disconnected; may be NULL */
};

struct nri_times {
	int64_t register_ms, request_ms;
};

void nri_plugins_open(const struct nri_times *times); /* copied */
/* Takes fd, a connected socket. NULL: there are NRI_PLUGINS_MAX plugins; `begun` does not run. */
struct nri_plugin *nri_plugin_open(int fd, const struct nri_plugin_config *config);
void nri_plugins_close(void); /* `begun` and the ends of calls do not run */

/* The first plugin that comes behind (idx, serial) in the order of plugins, takes requests and has subscribed to the
 * event; NULL: none. Both are moved on to it. idx: "" and serial 0 at the begin. */
struct nri_place {
	char idx[3];
	uint64_t serial;
};
struct nri_plugin *nri_plugin_next(struct nri_place *place, int event);
bool nri_plugin_any(int event);
/* Those that take requests, in no order. Borrowed for the call. */
struct nri_plugin_about {
	const char *idx, *base;
	int32_t events; /* bit n-1: event n */
	bool installed, ready; /* not ready: it is being synchronized */
};
void nri_plugins_each(void (*fn)(void *arg, const struct nri_plugin_about *about), void *arg);
size_t nri_plugins_count(void);

/* One request. It waits until the plugin is synchronized. `done` runs exactly once, never inside the call; answer is
 * borrowed. Errors are named with the plugin. *fatal: the plugin did not answer (time, connection, garbage), and not
 * that it refused; *fails: it wants such a request to fail. The plugin may be gone then. */
struct nri_answer {
	const struct err *e; /* NULL: it has answered */
	bool fatal, fails;
	const void *message;
	const char *plugin;
};
typedef void nri_answered(void *arg, const struct nri_answer *answer);
void nri_plugin_ask(struct nri_plugin *plugin, const char *method, const ProtobufCMessage *request,
		    const ProtobufCMessageDescriptor *answer, nri_answered *done, void *arg);
/* The same for an event whose answer says nothing: by the method of its name, or as StateChange to a plugin that does
 * not know that. container: NULL for an event of the pod. */
void nri_plugin_tell(struct nri_plugin *plugin, int event, Nri__PodSandbox *pod, Nri__Container *container,
		     nri_answered *done, void *arg);

#endif
