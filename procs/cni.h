/* cni.h - the network of a sandbox by CNI plugins: a conflist's chain, one plugin after the other, its result kept.
 *
 * Spec: CNI 1.1.0 (github.com/containernetworking/cni SPEC.md): sections 3 "execution protocol", 4 "lists", 5 "types". */
#ifndef PROCS_CNI_H
#define PROCS_CNI_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/config.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct cni_config {
	struct strings bin_dirs;
	const char *conf_dir;
};

/* Watches conf_dir by inotify (it may come later): the first *.conflist, *.conf or *.json in lexical order counts. `changed` runs when readiness may have changed. */
void cni_open(const struct cni_config *cfg, void (*changed)(void *arg), void *arg);

/* NetworkReady of Status. false: *why is a sentence naming directory or file and fault. */
bool cni_ready(const char **why);

struct cni_sandbox { /* strings borrowed for the call */
	const char *id, *name, *namespace_, *uid;
	const char *netns_path;
	const struct port_mapping *ports;
	size_t nports;
	const struct pairs *annotations;
	const char *cgroup;
	const struct dns_config *dns;
	const char *conf;   /* DEL: the conflist text that ADD used; "" = today's */
	const char *result; /* DEL: the result text; "" = none */
};

struct cni_result {
	struct strings ips;  /* without prefix length, in result order, IPv4 of the default interface first */
	const char *text;    /* JSON of the last plugin's result */
	const char *conf;    /* JSON text of the conflist used */
};

/* ADD through the chain; a plugin that fails makes DEL run over the whole chain (errors of that are logged). r lives for the call.
 * Errors: FAILED_PRECONDITION no usable config; INTERNAL with plugin type and its code and msg; DEADLINE_EXCEEDED a plugin over 60 s. */
struct cni_op;
typedef void cni_done(void *arg, const struct err *e, const struct cni_result *r);
struct cni_op *cni_add(const struct cni_sandbox *s, cni_done *done, void *arg);

/* DEL in reverse order, with the cached result. A missing netns is fine (netns_path ""). */
struct cni_op *cni_del(const struct cni_sandbox *s, cni_done *done, void *arg);
void cni_cancel(struct cni_op *op); /* kills the running plugin; done never runs; cni_del() is then due */

#endif
