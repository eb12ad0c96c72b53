/* net.h - the native network of a sandbox, made without CNI plugins by crisp-net, a helper process (procs/net/).
 *
 * Only procs/network.c and its part network_collect.c include this header: this is the kind "native" behind
 * procs/network.h. crispd itself makes no netlink call: rtnetlink runs inside of sendmsg(2) under one mutex of the
 * kernel, which others hold for 80 ms while namespaces go away. One helper works, another one waits to take its place.
 * When the working one dies or does not answer, its ADDs fail and its DELs are given to the next one.
 * (ARCHITECTURE S50) */
#ifndef PROCS_NET_H
#define PROCS_NET_H

#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/fields.h"

struct net_config { /* borrowed for ever */
	const char *program;   /* of crisp-net */
	const char *lock;      /* a file in `state`: one helper works at a time */
	const char *cache_dir; /* of libcni, "/var/lib/cni" */
	const char *owner;     /* `root`: says in the cache which instance made a network */
	/* Calls net_living() for each native sandbox that is READY. */
	void (*living)(void);
	void (*fits_changed)(void); /* net_fits() may answer otherwise from now on */
};
void net_open(const struct net_config *cfg);

/* The working helper starts now, and hears of the sandboxes that live. What it finds of this instance for sandboxes
 * that are not in `known` (ids, NULL-terminated; NULL: nothing is taken down) is taken down; faults are logged. */
void net_recovered(const char *const *known);

struct net_pod { /* strings borrowed for the call; NULL is "" */
	const char *id;
	const char *netns_path; /* "": only what is kept outside of the namespace */
	const char *conf;	/* conflist for which net_fits() said yes; DEL: "": of the cache file, for an orphan */
	const char *args;	/* ADD: CNI_ARGS */
	const char *caps;	/* JSON of the capability arguments, hostPorts are in it; the same for ADD and DEL */
	const char *result;	/* DEL: of the ADD; "": none */
};

/* Can the native network do what this conflist says? UNIMPLEMENTED: the text names the plugin or key, or what this
 * kernel lacks. The working helper tells of the kernel; until it has, the kernel is taken to be able. */
int net_fits(const char *conf, struct err *e);

struct net_result { /* of an ADD; empty else */
	struct strings ips; /* without prefix length, IPv4 first */
	const char *text;   /* the result as JSON */
};

/* `done` runs exactly once, never inside the call. left: net_del() is still due. Errors: those of procs/net/job.h, and
 *   UNAVAILABLE        no keeper to run the helper, or an ADD's helper died
 *   DEADLINE_EXCEEDED  no answer for 60 s
 *   INTERNAL           helpers die of this request
 *   NOT_FOUND          DEL without a conflist: this instance made no native network for the sandbox */
struct net_op;
typedef void net_done(void *arg, const struct err *e, bool left, const struct net_result *result);
struct net_op *net_add(const struct net_pod *pod, net_done *done, void *arg);

/* Takes down what an ADD made, also what one made that never ended; nothing there is a success. */
struct net_op *net_del(const struct net_pod *pod, net_done *done, void *arg);
void net_cancel(struct net_op *op); /* `done` never runs; net_del() is then due */

/* What `crisp check` asks: of a sandbox, with its addresses; and of the node, with the ids of all sandboxes
 * (NULL-terminated). repair: what can be made again is, and rules of nobody are taken away. On success result.ips are
 * the findings: "mended" or "left", a sentence, and so on. */
struct net_op *net_check(const struct net_pod *pod, const struct strings *ips, bool repair, net_done *done, void *arg);
struct net_op *net_audit(const char *const *known, bool repair, net_done *done, void *arg);

/* Has anybody else something on this network? `dirs`: where host-local keeps its addresses; known: the ids of all
 * sandboxes (NULL-terminated). On success result.text is "" (nobody), or a sentence that names the first one. */
struct net_op *net_foreign(const char *network, const struct strings *dirs, const char *const *known, net_done *done,
			   void *arg);

/* Of a sandbox that lives, with its addresses: only inside of the call of net_config.living. */
void net_living(const struct net_pod *pod, const struct strings *ips);

#endif
