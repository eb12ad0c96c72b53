/* job.c - see job.h.
 *
 *   ADD:  LOCK --held: addresses, devices, rules, cache file--> SETTLE --packets pass--> DONE
 *           |                          |                           |
 *           |                          +------------ fault --------+--deadline--> UNDO --held: freed--> FAILED
 *           +--deadline, bad request--> FAILED                                      |
 *                                                                                   +--deadline--> FAILED (left)
 *   DEL:  begin: host's end down, rules gone --> LOCK --held: addresses freed, cache file gone--> DONE
 *                                                  +--deadline--> FAILED
 *   SYNC: at once --> DONE or FAILED
 *
 * Waits on: the lock of host-local (LOCK, UNDO), which is asked for again and again, since flock(2) tells nobody when
 * it is free; the kernel's work on the new devices (SETTLE). The lock is never held over a wait. An address is freed
 * behind all that could still answer for it: a full subnet gives it to another pod at once. (ARCHITECTURE S54) */
#include "procs/net/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "procs/net/inside.h"
#include "procs/net/lease.h"
#include "procs/net/link.h"
#include "procs/net/netlink.h"
#include "procs/net/nft.h"
#include "procs/net/ports.h"
#include "procs/net/result.h"
#include "procs/net_plan.h"
#include "reactor/arena.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

static const char IFNAME[] = "eth0";
enum { LOCK_S = 45, SETTLE_S = 5, POLL_MIN_MS = 1, POLL_MAX_MS = 16, NAMES = 8, NAME_DIGITS = 8 };

enum job_state { BEGIN, LOCK, SETTLE, UNDO, DONE, FAILED };

static const struct sm_state job_states[] = {
	[BEGIN]  = { "BEGIN",  TO(LOCK) | TO(DONE) | TO(FAILED) },
	[LOCK]   = { "LOCK",   TO(SETTLE) | TO(UNDO) | TO(DONE) | TO(FAILED) },
	[SETTLE] = { "SETTLE", TO(DONE) | TO(UNDO) },
	[UNDO]   = { "UNDO",   TO(FAILED) },
	[DONE]   = { "DONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct job {
	struct sm sm;
	struct link all;     /* of `all_jobs` */
	struct link link;    /* of `waiting`, LOCK and UNDO */
	struct arena *arena; /* owns the strings */
	struct job_request r;
	struct net_plan plan;
	struct timer timer; /* SETTLE */
	int64_t deadline_ns, poll_ms;
	int netns, inside, node; /* ADD: namespace, netlink sockets there and here; -1: none */
	struct host_port *ports; /* owned */
	size_t nports;
	struct lease leases[NET_SETS_MAX];
	size_t n; /* reserved: ADD; to be freed: DEL */
	char host[16];
	struct result_made made;
	json_t *result;
	struct err err;
	bool left;
};

static struct link all_jobs = { &all_jobs, &all_jobs }; /* of struct job.all */
static struct link waiting = { &waiting, &waiting };	/* of struct job.link */
static struct timer poll_timer;
static int64_t poll_ms;
static struct {
	char *cache, *owner;
	job_done *done;
	void *arg;
} jobs;

void jobs_open(const char *cache, const char *owner, job_done *done, void *arg)
{
	free(jobs.cache);
	free(jobs.owner);
	jobs.cache = own_must(strdup(cache));
	jobs.owner = own_must(strdup(owner));
	jobs.done = done;
	jobs.arg = arg;
}

static void job_end(struct job *j, enum job_state to)
{
	struct job_answer answer = { .result = "" };

	sm_move(&j->sm, to);
	timer_clear(&j->timer);
	list_drop(&j->all);
	if (list_linked(&j->link))
		list_drop(&j->link);
	if (to == DONE && j->r.verb == NET_ADD)
		answer = (struct job_answer){ json_text(j->arena, j->result), result_addresses(j->arena, &j->made) };
	jobs.done(jobs.arg, j->r.tag, to == DONE ? NULL : &j->err, j->left, &answer);
	for (int *const *fd = (int *const[]){ &j->netns, &j->inside, &j->node, NULL }; *fd; fd++)
		if (**fd >= 0)
			close(**fd);
	json_decref(j->result);
	json_decref(j->made.dns);
	free(j->ports);
	arena_free(j->arena);
	free(j);
}

static void job_fail(struct job *j)
{
	job_end(j, FAILED);
}

/* ---- names ---- */

/* The nth name for the host's end of the sandbox's veth: eight digits of its id, so that it is found again. */
static const char *host_name(const struct job *j, unsigned nth, char out[16])
{
	snprintf(out, 16, "veth%.*s", NAME_DIGITS, j->r.id + nth * NAME_DIGITS % strlen(j->r.id));
	return out;
}

/* What `ip link` shows of the device, and what says that it belongs to this sandbox. */
static const char *host_alias(const struct job *j)
{
	return arena_printf(j->arena, LINK_ALIAS "%s", j->r.id);
}

static bool id_fits(const char *id)
{
	size_t n = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n >= NAME_DIGITS && n <= 64 && !id[n];
}

static struct nft_pod nft_pod_of(const struct job *j, size_t nth)
{
	return (struct nft_pod){ j->plan.network, j->leases[nth].address, j->r.id };
}

/* ---- down ---- */

/* The devices and rules of the leases; the leases stay. */
static int job_take_down(struct job *j, struct err *e)
{
	auto_fd int node = nl_open(NETLINK_ROUTE, e);
	char name[16];

	if (node < 0)
		return -1;
	for (unsigned i = 0; i < (j->host[0] ? 1 : NAMES); i++)
		if (link_down(node, j->host[0] ? j->host : host_name(j, i, name), host_alias(j), e) < 0)
			return -1;
	for (size_t i = 0; i < j->n; i++) {
		struct nft_pod pod = nft_pod_of(j, i);

		if (ports_close(&pod, j->ports, j->nports, j->plan.host_port_snat, e) < 0 ||
		    (j->plan.masquerade && nft_unmasquerade(&pod, e) < 0))
			return -1;
	}
	return 0;
}

/* The lock is held. */
static int job_free_leases(struct job *j, const struct lease_dir *d, struct err *e)
{
	for (size_t i = 0; i < j->n; i++)
		if (lease_give(d, &j->leases[i].address.ip, j->r.id, IFNAME, e) < 0)
			return -1;
	result_cache_remove(jobs.cache, j->plan.network, j->r.id, IFNAME);
	return 0;
}

static unsigned subnet_length(const struct net_plan *p, const struct net_ip *ip)
{
	const struct net_range *r = net_plan_range(p, ip);

	return r ? r->subnet.len : net_ip_bits(ip->family);
}

/* Which addresses are the sandbox's: what the result of its ADD says, else what stands in the files. */
static int del_find(struct job *j, struct err *e)
{
	struct net_ip ips[NET_SETS_MAX];
	struct result_known known;
	int n;

	result_read(&known, j->arena, j->r.result);
	snprintf(j->host, sizeof(j->host), "%s", known.host);
	j->n = known.n;
	for (size_t i = 0; i < known.n; i++)
		j->leases[i].address = known.addresses[i];
	if (j->n)
		return 0;
	n = lease_find(j->plan.leases, j->r.id, IFNAME, ips, NET_SETS_MAX, e);
	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++)
		j->leases[i].address = (struct net_prefix){ ips[i], subnet_length(&j->plan, &ips[i]) };
	j->n = (size_t)n;
	return 0;
}

/* ---- up ---- */

static void job_undo(struct job *j);

/* The first address of a family serves hostPorts, as with portmap. */
static bool first_of_family(const struct job *j, size_t nth)
{
	for (size_t i = 0; i < nth; i++)
		if (j->leases[i].address.ip.family == j->leases[nth].address.ip.family)
			return false;
	return true;
}

static int add_rules(struct job *j, struct err *e)
{
	for (size_t i = 0; i < j->n; i++) {
		struct nft_pod pod = nft_pod_of(j, i);

		if (j->plan.masquerade && nft_masquerade(&pod, e) < 0)
			return -1;
		if (!j->nports || !first_of_family(j, i))
			continue;
		if (ports_open(&pod, j->ports, j->nports, j->plan.host_port_snat, e) < 0)
			return -1;
		if (j->plan.host_port_snat && pod.address.ip.family == AF_INET &&
		    node_route_localnet(j->plan.kind == NET_BRIDGE ? j->plan.bridge : j->host, e) < 0)
			return -1;
	}
	return 0;
}

static int add_veth(struct job *j, const struct link_info *bridge, struct err *e)
{
	struct link_veth v = { .host = j->host, .inside = IFNAME, .netns = j->netns, .bridge_index = bridge->index,
			       .alias = host_alias(j), .mtu = j->plan.mtu, .hairpin = j->plan.hairpin };
	int ret = -1;

	mac_random(v.host_mac);
	mac_random(v.inside_mac);
	for (unsigned i = 0; i < NAMES && ret < 0; i++) {
		host_name(j, i, j->host);
		ret = link_veth_make(j->node, &v, e);
		if (ret < 0 && e->code != ERR_ALREADY_EXISTS)
			return -1;
	}
	if (ret < 0)
		return -1;
	memcpy(j->made.host_mac, v.host_mac, sizeof(v.host_mac));
	memcpy(j->made.inside_mac, v.inside_mac, sizeof(v.inside_mac));
	node_ignore_routers(j->host);
	return 0;
}

static int add_forward(const struct job *j, struct err *e)
{
	for (int family = AF_INET;; family = AF_INET6) {
		bool has = false;

		for (size_t i = 0; i < j->n; i++)
			has |= j->leases[i].address.ip.family == family;
		if (has && node_forward(family, e) < 0)
			return -1;
		if (family == AF_INET6)
			return 0;
	}
}

static bool has_ipv6(const struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->leases[i].address.ip.family == AF_INET6)
			return true;
	return false;
}

/* All that is made for a pod, behind its addresses. */
static int add_make(struct job *j, struct err *e)
{
	struct link_info bridge = { 0 };

	if (j->plan.kind == NET_BRIDGE && link_bridge(j->node, &j->plan, j->leases, j->n, &bridge, e) < 0)
		return -1;
	if (j->plan.kind == NET_BRIDGE)
		node_ignore_routers(j->plan.bridge);
	if ((j->plan.gateway || j->plan.kind == NET_PTP) && add_forward(j, e) < 0)
		return -1;
	if (add_veth(j, &bridge, e) < 0)
		return -1;
	j->inside = inside_prepare(j->netns, IFNAME, has_ipv6(j), e);
	if (j->inside < 0 || link_inside(j->inside, IFNAME, &j->plan, j->leases, j->n, e) < 0)
		return -1;
	if (j->plan.kind == NET_PTP && link_point(j->node, j->host, j->leases, j->n, e) < 0)
		return -1;
	memcpy(j->made.bridge_mac, bridge.mac, sizeof(bridge.mac));
	j->result = result_json(&j->plan, &j->made);
	/* before the rules: to other instances of crisp a rule without a cache file is nobody's (check.h) */
	if (result_cache_write(&(struct result_cache){ jobs.cache, jobs.owner, j->r.conf, j->r.args, j->r.caps },
			       &j->plan, &j->made, j->result, e) < 0)
		return -1;
	return add_rules(j, e);
}

/* 1: packets pass; 0: not yet. */
static int add_settled(struct job *j, struct err *e)
{
	struct link_info host;

	if (link_get(j->node, j->host, &host, e) < 0)
		return -1;
	if (!host.index)
		return err_set(e, ERR_INTERNAL, "device %s was removed while it was made", j->host);
	if (!host.running)
		return 0;
	return has_ipv6(j) ? link_settled(j->inside, IFNAME, e) : 1;
}

static void on_settle(struct timer *t)
{
	struct job *j = container_of(t, struct job, timer);
	int ret = add_settled(j, &j->err);

	if (ret > 0 && link_announce(j->inside, IFNAME, j->made.inside_mac, &j->err) == 0)
		return job_end(j, DONE);
	if (ret == 0 && loop_mono_ns() < j->deadline_ns) {
		timer_set(&j->timer, j->poll_ms, on_settle);
		j->poll_ms = j->poll_ms * 2 < POLL_MAX_MS ? j->poll_ms * 2 : POLL_MAX_MS;
		return;
	}
	if (ret == 0)
		err_set(&j->err, ERR_DEADLINE_EXCEEDED, "devices %s and %s pass no packets after %d s", j->host, IFNAME,
			SETTLE_S);
	job_undo(j);
}

static int add_begin(struct job *j, struct err *e)
{
	j->netns = inside_open(j->r.netns_path, e);
	if (j->netns < 0)
		return -1;
	j->node = nl_open(NETLINK_ROUTE, e);
	j->made = (struct result_made){ .id = j->r.id, .ifname = IFNAME, .netns_path = j->r.netns_path,
					.host = j->host, .leases = j->leases };
	if (j->node < 0)
		return -1;
	j->made.dns = result_dns(j->plan.resolv_conf, e);
	return j->made.dns ? 0 : -1;
}

static void add_locked(struct job *j, struct lease_dir *d)
{
	int ret = lease_take(d, &j->plan, j->r.id, IFNAME, j->leases, &j->err);

	lease_unlock(d);
	if (ret < 0)
		return job_fail(j);
	j->made.n = j->n = j->plan.nsets;
	if (add_make(j, &j->err) < 0)
		return job_undo(j);
	sm_move(&j->sm, SETTLE);
	j->deadline_ns = loop_mono_ns() + SETTLE_S * 1000000000ll;
	j->poll_ms = POLL_MIN_MS;
	on_settle(&j->timer);
}

/* ---- waiting for the lock ---- */

static void on_poll(struct timer *t);

static void job_wait(struct job *j)
{
	j->deadline_ns = loop_mono_ns() + LOCK_S * 1000000000ll;
	list_append(&waiting, &j->link);
	poll_ms = POLL_MIN_MS;
	timer_set(&poll_timer, 0, on_poll);
}

static void job_undo(struct job *j)
{
	struct err e;

	sm_move(&j->sm, UNDO);
	timer_clear(&j->timer);
	j->left = true;
	if (job_take_down(j, &e) < 0)
		return job_fail(j); /* the addresses stay reserved: the DEL that is due finds them */
	job_wait(j);
}

static void job_locked(struct job *j, struct lease_dir *d)
{
	struct err e;

	if (j->sm.now == UNDO) {
		j->left = job_free_leases(j, d, &e) < 0;
		lease_unlock(d);
		return job_fail(j);
	}
	if (j->r.verb == NET_ADD)
		return add_locked(j, d);
	if (job_free_leases(j, d, &j->err) < 0) {
		lease_unlock(d);
		return job_fail(j);
	}
	lease_unlock(d);
	job_end(j, DONE);
}

static void job_try(struct job *j)
{
	bool undo = j->sm.now == UNDO;
	struct lease_dir d;
	struct err e;
	int ret = lease_lock(&d, j->plan.leases, &e);

	if (ret == 0 && loop_mono_ns() < j->deadline_ns)
		return;
	list_drop(&j->link);
	if (ret > 0)
		return job_locked(j, &d);
	if (ret == 0)
		err_set(&e, ERR_DEADLINE_EXCEEDED, "another program has held %s/lock for %d s: `fuser` tells which",
			j->plan.leases, LOCK_S);
	if (!undo)
		j->err = e;
	job_fail(j);
}

/* In order: behind a job that waits for a directory no other one of it is tried. */
static void on_poll(struct timer *t)
{
	list_each(it, &waiting) {
		struct job *j = container_of(it, struct job, link);
		bool behind = false;

		for (struct link *before = waiting.next; before != it; before = before->next)
			behind |= strcmp(container_of(before, struct job, link)->plan.leases, j->plan.leases) == 0;
		if (!behind)
			job_try(j);
	}
	if (list_empty(&waiting) || timer_is_set(t))
		return;
	timer_set(t, poll_ms, on_poll);
	poll_ms = poll_ms * 2 < POLL_MAX_MS ? poll_ms * 2 : POLL_MAX_MS;
}

/* ---- requests ---- */

/* The chain of a subnet is written once in a row of SYNCs: one comes for each pod. */
static char synced[NFT_NAME_MAX];

void jobs_rules_lost(void)
{
	synced[0] = '\0';
}

static int sync_pod(struct job *j, size_t nth, struct err *e)
{
	struct nft_pod pod = nft_pod_of(j, nth);
	char name[NFT_NAME_MAX];

	nft_name(name, &pod);
	if (j->plan.masquerade && nft_masquerade_again(&pod, strcmp(synced, name) != 0, e) < 0)
		return -1;
	memcpy(synced, name, sizeof(synced));
	if (!j->nports || !first_of_family(j, nth))
		return 0;
	return ports_again(&pod, j->ports, j->nports, j->plan.host_port_snat, e);
}

static int sync_pods(struct job *j, struct err *e)
{
	struct net_ip ip;

	for (const char *const *at = j->r.ips; *at && j->n < NET_SETS_MAX; at++) {
		if (net_ip_parse(&ip, *at) < 0)
			return err_set(e, ERR_INTERNAL, "%.64s is no address", *at);
		j->leases[j->n++].address = (struct net_prefix){ ip, subnet_length(&j->plan, &ip) };
	}
	for (size_t i = 0; i < j->n; i++)
		if (sync_pod(j, i, e) < 0)
			return -1;
	return 0;
}

/* An orphan: its conflist is in its cache file, if this instance made its network. */
static int job_find_orphan(struct job *j, struct err *e)
{
	struct result_cached c;

	if (!result_cache_find(&c, j->arena, jobs.cache, jobs.owner, j->r.id, IFNAME))
		return err_set(e, ERR_NOT_FOUND, "no native network was made for sandbox %.12s", j->r.id);
	j->r.conf = c.conf;
	j->r.caps = c.caps;
	j->r.result = c.result;
	return 0;
}

static void job_copy(struct job *j, const struct job_request *r)
{
	j->r = *r;
	for (const char **const *s = (const char **const[]){ &j->r.id, &j->r.netns_path, &j->r.conf, &j->r.args,
							     &j->r.caps, &j->r.result, NULL }; *s; s++)
		**s = arena_strdup(j->arena, **s ? **s : "");
}

/* The DEL does all that a job of the same sandbox has left: an ADD that crispd gave up, or an earlier DEL. */
static void job_end_others(const struct job *of)
{
	list_each(it, &all_jobs) {
		struct job *j = container_of(it, struct job, all);

		if (j == of || strcmp(j->r.id, of->r.id) != 0)
			continue;
		if (j->sm.now == SETTLE)
			sm_move(&j->sm, UNDO);
		j->left = true;
		err_set(&j->err, ERR_ABORTED, "the network of sandbox %.12s is taken down", j->r.id);
		job_fail(j);
	}
}

/* A SYNC ends before this returns. */
static int job_begin(struct job *j, struct err *e)
{
	if (j->r.verb == NET_DEL && !*j->r.conf && job_find_orphan(j, e) < 0)
		return -1;
	if (net_plan_read(&j->plan, j->arena, j->r.conf, e) < 0 ||
	    ports_of(&j->ports, &j->nports, &j->plan, j->r.caps, e) < 0)
		return -1;
	if (j->r.verb == NET_SYNC)
		return sync_pods(j, e);
	synced[0] = '\0';
	if (!id_fits(j->r.id))
		return err_set(e, ERR_INTERNAL, "\"%.64s\" is no id of a sandbox", j->r.id);
	if (j->r.verb == NET_ADD)
		return add_begin(j, e);
	job_end_others(j);
	if (del_find(j, e) < 0 || job_take_down(j, e) < 0)
		return -1;
	if (!j->n) /* no address is held, so there may be a cache file at most */
		result_cache_remove(jobs.cache, j->plan.network, j->r.id, IFNAME);
	return 0;
}

void job_start(const struct job_request *r)
{
	struct job *j = new_zero(struct job);

	list_append(&all_jobs, &j->all);
	j->arena = arena_new();
	j->netns = j->inside = j->node = -1;
	job_copy(j, r);
	j->sm = (struct sm){ job_states, r->verb == NET_ADD ? "net_add" : r->verb == NET_DEL ? "net_del" : "net_sync",
			     j->r.id, BEGIN };
	if (job_begin(j, &j->err) < 0)
		return job_fail(j);
	if (r->verb == NET_SYNC || (r->verb == NET_DEL && !j->n))
		return job_end(j, DONE);
	sm_move(&j->sm, LOCK);
	job_wait(j);
}
