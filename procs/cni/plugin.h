/* plugin.h - one run of one CNI plugin in a child of the keeper: one verb, the configuration on stdin, the answer
 * checked.
 * Spec: CNI 1.1.0, section 2 "execution protocol". */
#ifndef PROCS_CNI_PLUGIN_H
#define PROCS_CNI_PLUGIN_H

#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

struct cni_plugin; /* opaque; gone once `done` ran or cni_plugin_cancel() returned */

struct cni_plugin_call { /* all borrowed for the call, but bin_dirs for ever */
	const char *verb; /* ADD, DEL, CHECK, STATUS, GC */
	const json_t *list, *plugin;
	const json_t *capabilities;   /* NULL: none */
	json_t *prev;                 /* NULL: no prevResult */
	const struct strings *bin_dirs;
	const char *container_id, *netns, *args; /* NULL: left out (STATUS, GC) */
	unsigned limit_s; /* 0: 60 */
	bool dies;	  /* with crispd: it is not given time to finish */
};

/* `result` of ADD is borrowed for the call; NULL for other verbs and failures. Errors, each naming plugin type and
 * verb:
 *   INTERNAL           no such program; its error code and msg; its exit status and output; output that is no result
 *   DEADLINE_EXCEEDED  killed after 60 s (limit_s); or the file system of the program did not answer within 10 s
 *   UNAVAILABLE        no keeper to run it */
typedef void cni_plugin_done(void *arg, const struct err *e, json_t *result);

/* `done` runs exactly once, never inside this call. */
struct cni_plugin *cni_plugin_start(const struct cni_plugin_call *call, cni_plugin_done *done, void *arg);
void cni_plugin_cancel(struct cni_plugin *plugin); /* kills the program; `done` never runs */

#endif
