/* cni.h - the network of a sandbox by CNI plugins: the chain of a conflist, one plugin after the other.
 *
 * Only procs/network.c and its part network_collect.c include this header: CNI is one kind of network behind
 * procs/network.h.
 * Loopback is not a plugin here: lo comes up with the namespace. portmap does not run for a pod without a hostPort.
 * Spec: CNI 1.1.0 (github.com/containernetworking/cni SPEC.md): sections 3 "execution protocol", 4 "lists", 5
 * "types". */
#ifndef PROCS_CNI_H
#define PROCS_CNI_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/cri_config.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct cni_config {
	struct strings bin_dirs;
	const char *conf_dir;
	/* True: no plugin is run for new sandboxes of this conflist, so that no program of it has to be there, and none
	 * is asked for its STATUS. */
	bool (*alone)(const char *conf);
};

/* Watches conf_dir by inotify; the directory may appear later. The first *.conflist, *.conf or *.json in lexical order
 * counts; broken files are passed over, as CRI-O does. (ARCHITECTURE S10) `changed` runs when readiness may have
 * changed, never inside this call. cfg is borrowed for ever. */
void cni_open(const struct cni_config *cfg, void (*changed)(void *arg), void *arg);
void cni_alone_changed(void); /* `alone` may answer otherwise from now on */
void cni_close(void); /* no operation may be under way */

/* NetworkReady of Status. *why is a sentence that names the directory or file and the fault, valid until the next call;
 * with true it names the first broken file that was passed over, or the file system that does not answer, or is empty.
 * Faults: no configuration, broken ones only, a missing plugin program, or (cniVersion 1.1) a plugin whose STATUS
 * fails. */
bool cni_ready(const char **why);

/* The text of today's conflist, to be recorded before ADD begins; borrowed until the next turn. NULL with
 * FAILED_PRECONDITION: there is no conflist, or the program of one of its plugins is missing; DEADLINE_EXCEEDED,
 * UNAVAILABLE: the file system of one of them does not answer, or has not answered so far. */
const char *cni_conf_now(struct err *e);

/* The same of another directory, which is read now: local files, a few. */
const char *cni_conf_in(const char *dir, struct err *e);

/* As cni_conf_now(), but the programs may be missing. */
const char *cni_conf_text(struct err *e);

struct cni_sandbox { /* strings borrowed for the call */
	const char *id, *name, *namespace_, *uid;
	const char *netns_path;
	const struct port_mapping *ports;
	size_t nports;
	const struct pairs *annotations;
	const char *cgroup;
	const struct dns_config *dns;
	const char *conf;   /* the conflist text, of cni_conf_now() or of the record; "" = today's */
	const char *result; /* DEL: the result text; "" = none */
};

/* INVALID_ARGUMENT: metadata or annotations that cannot be told to plugins. */
int cni_check(const struct cni_sandbox *sandbox, struct err *e);

/* What plugins are told in CNI_ARGS, and of the capability arguments the hostPorts as JSON, in the arena. As
 * cni_check(). */
int cni_told(const struct cni_sandbox *sandbox, struct arena *arena, const char **args, const char **caps,
	     struct err *e);

struct cni_result {
	/* without prefix length, in the order of the result, but the first IPv4 address is moved to the front; empty
	 * after a failure or DEL */
	struct strings ips;
	const char *text;    /* JSON of the last plugin's result; "" after a failure or DEL */
	const char *conf;    /* JSON text of the conflist used */
	bool left;           /* ADD failed, and the DEL that undoes it failed too: cni_del() is still due */
};

/* Runs ADD through the chain. When a plugin fails, DEL runs over the whole chain; errors of that DEL are logged. The
 * result lives for the call of `done`. Errors:
 *   FAILED_PRECONDITION  no usable configuration
 *   INTERNAL             the plugin's type with its code and msg; or no address for eth0
 *   DEADLINE_EXCEEDED    a plugin ran over 60 s
 *   INVALID_ARGUMENT     metadata or annotations that cannot be told to plugins
 *   UNAVAILABLE          no keeper to run a plugin */
struct cni_op;
typedef void cni_done(void *arg, const struct err *e, const struct cni_result *result);
struct cni_op *cni_add(const struct cni_sandbox *sandbox, cni_done *done, void *arg);

/* Runs DEL over the whole chain in reverse order, with the cached result. An error does not stop the chain; the first
 * one is reported at the end. A missing network namespace is no error (netns_path "" or gone). */
struct cni_op *cni_del(const struct cni_sandbox *sandbox, cni_done *done, void *arg);

/* Runs CHECK over the chain, with the cached result, up to the first plugin that fails: its error. UNIMPLEMENTED: the
 * conflist's version has no CHECK, or its disableCheck is true (specification, sections 1 and 3). */
struct cni_op *cni_look(const struct cni_sandbox *sandbox, cni_done *done, void *arg);
/* What plugins' own GC is about, by the text of a conflist; strings are in the arena. dirs: where host-local has the
 * addresses of the network, one for each plugin that names one, and its default. UNIMPLEMENTED: the conflist has no GC,
 * by its version or by disableGC; INVALID_ARGUMENT: it is none. */
struct cni_places {
	const char *network;
	struct strings dirs;
};
int cni_places(const char *conf, struct cni_places *out, struct arena *arena, struct err *e);

/* ADD and DEL never run beside GC (specification, "Lifecycle & Ordering"): `held` runs once, never inside this call, in
 * a moment in which no chain is under way. From then on chains wait, until cni_release(). One at a time. */
void cni_hold(void (*held)(void *arg), void *arg);
void cni_release(void);

/* Between `held` and cni_release(): runs GC through the chain of that conflist, where only the attachments of these
 * sandboxes are valid: a plugin removes what it has for others. A plugin that fails, or takes over 10 s, does not stop
 * the chain; the first error is reported, the others are logged. It ends with crispd: its list is too old for the next
 * one's pods. Errors: as cni_places(), and those of plugins. */
struct cni_op *cni_collect(const char *conf, const struct strings *valid, cni_done *done, void *arg);
void cni_cancel(struct cni_op *op); /* kills the running plugin; `done` never runs; cni_del() is then due */

#endif
