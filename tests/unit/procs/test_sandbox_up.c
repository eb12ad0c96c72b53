/* test_sandbox_up.c - RunPodSandbox step by step: what is made in which order, and that each failure leaves nothing. */
#include <stdlib.h>
#include <unistd.h>

#include "procs/sandbox_pause.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_up.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/record.h"
#include "tests/fakes/net_child.h"
#include "tests/fakes/net_world.h"
#include "tests/missing.h"
#include "tests/tap.h"
#include "tests/unit/procs/sandbox_run.h"

static char root[] = "/tmp/test-sandbox-up-XXXXXX";
static char records[64];

static struct sandbox *begin(struct result *r)
{
	struct sandbox *s = sandbox_new(&config);

	*r = (struct result){ 0 };
	net_world_reset();
	net_children_reset();
	return s;
}

/* `done` for groups that are made by files comes one turn later. */
static void start(struct sandbox *s, struct result *r)
{
	sandbox_up_start(s, record, r);
	turns();
}

static bool on_disk(const struct sandbox *s)
{
	struct err e;
	auto_json json_t *j = record_read(records, s->id, 1, &e);

	return j != NULL;
}

static uint32_t made_on_disk(const struct sandbox *s)
{
	struct err e;
	auto_json json_t *j = record_read(records, s->id, 1, &e);

	return (uint32_t)json_get_int(j, "made");
}

static void a_pod_with_a_network(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	s = begin(&r);
	start(s, &r);
	is_str(net_trace, "namespaces cgroup files");
	/* the intent, before any of it */
	ok(made_on_disk(s) == (MADE_CGROUP | MADE_FILES | MADE_NAMESPACES | MADE_NETWORK));
	is_str(net_world.hostname, "node-1");
	is_str(net_world.sysctls, "net.ipv4.ip_unprivileged_port_start=0;net.ipv4.ping_group_range=0 2147483647;");
	ok(strstr(net_world.netns, "/run/netns/crisp-") == net_world.netns && strstr(net_world.netns, s->id));
	net_world_answers("namespaces", ERR_OK, false);
	is_str(net_trace, "namespaces cgroup files add");
	net_world_answers("add", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_OK);
	ok(s->state == SANDBOX_READY && !s->hidden && s->ips.n == 2 && s->pause_pid == 0);
	is_str(s->ips.at[0], "10.1.2.3");
	is_str(s->cni_result, "{\"r\":1}");
	is_str(s->cni_conf, "{\"c\":1}");
	is_str(s->network_kind, "cni");
	ok(strncmp(s->cgroup, "/crisp/", 7) == 0 && strcmp(s->cgroup + 7, s->id) == 0);
	ok(made_on_disk(s) == (MADE_CGROUP | MADE_FILES | MADE_NAMESPACES | MADE_NETWORK));
	ok(sandbox_find(s->id) == s);
	sandbox_free(s);
}

static void a_parent_is_the_pods_group_and_the_callers(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	config.cgroup_parent = "/kubepods/pod1";
	config.resources = (struct resources){ .set = true, .memory_limit = 1 };
	s = begin(&r);
	start(s, &r);
	is_str(net_trace, "namespaces files"); /* neither made nor limited */
	is_str(s->cgroup, "/kubepods/pod1");
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_OK);
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_OK, false);
	is_str(net_trace, "namespaces files add del -namespaces -files -cgroup");
	is_str(net_world.last_cgroup + strlen("/kubepods/pod1/"), s->id); /* the parent stays */
	sandbox_free(s);
}

/* ---- systemd's units ---- */

static void a_slice_is_waited_for(void)
{
	struct result r;
	struct sandbox *s;
	char want[128];

	blank();
	config.resources = (struct resources){ .set = true, .cpuset_cpus = "", .cpuset_mems = "" };
	s = begin(&r);
	net_world.systemd = true;
	start(s, &r);
	is_str(net_trace, "namespaces slice+limits files");
	snprintf(want, sizeof(want), "/crisp.slice/crisp-%s.slice", s->id);
	is_str(s->cgroup, want);
	is_str(net_world.last_cgroup, strrchr(want, '/') + 1);
	net_world_answers("namespaces", ERR_OK, false);
	ok(!net_world_waits("add"));
	net_world_answers("unit", ERR_OK, false);
	turns();
	ok(net_world_waits("add"));
	net_world_answers("add", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_OK);
	sandbox_free(s);

	s = begin(&r);
	net_world.systemd = true;
	start(s, &r);
	net_world_answers("unit", ERR_UNAVAILABLE, false);
	turns();
	ok(r.calls == 0); /* the namespaces are still being made, and could not be dropped yet */
	net_world_answers("namespaces", ERR_OK, false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_UNAVAILABLE && s->made == 0);
	is_str(net_trace, "namespaces slice+limits files -namespaces -files -cgroup");
	sandbox_free(s);

	s = begin(&r);
	net_world.systemd = true;
	start(s, &r);
	net_world_answers("namespaces", ERR_INTERNAL, false);
	turns();
	ok(r.calls == 0);
	net_world_answers("unit", ERR_OK, false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && s->made == 0 && !net_world_waits("unit"));
	is_str(net_trace, "namespaces slice+limits files -files -cgroup");
	sandbox_free(s);
}

static void below_a_parent_a_pause_gets_a_scope(void)
{
	struct result r;
	struct sandbox *s;
	char want[128];

	blank();
	config.cgroup_parent = "/kubepods.slice/kubepods-pod1.slice";
	config.security.ns.pid = NS_POD;
	s = begin(&r);
	net_world.systemd = true;
	start(s, &r);
	is_str(net_trace, "namespaces files");
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	net_world.pause_pid = 77;
	net_child_starts(0, 77);
	is_str(net_trace, "namespaces files add scope");
	snprintf(want, sizeof(want), "crisp-%s.scope", s->id);
	is_str(net_world.last_cgroup, want);
	is_str(net_world.slice, "kubepods-pod1.slice");
	ok(r.calls == 0);
	net_world_answers("unit", ERR_OK, false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK && s->pause_pid == 77);
	net_world_pause_dies();
	sandbox_free(s);
}

static void hostname_and_sysctls_of_the_pod_win(void)
{
	struct result r;
	struct sandbox *s;
	struct pair asked[] = { { "net/ipv4/ping_group_range", "1 1" },
				{ "net.ipv4.conf.all.rp_filter", "1" },
				{ "net.ipv4.conf.eth0.rp_filter", "1" } };

	blank();
	config.hostname = "web-0";
	config.sysctls = (struct pairs){ asked, 3 };
	s = begin(&r);
	start(s, &r);
	is_str(net_world.hostname, "web-0");
	is_str(net_world.sysctls,
	       "net.ipv4.ip_unprivileged_port_start=0;net/ipv4/ping_group_range=1 1;net.ipv4.conf.all.rp_filter=1;");
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false); /* now eth0's sysctls are due, but there is no such namespace */
	turns();
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "enter the network namespace"));
	sandbox_free(s);

	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_INVALID_ARGUMENT, false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INVALID_ARGUMENT);
	sandbox_free(s);
}

static void the_network_of_the_node_needs_no_cni(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	config.security.ns.network = NS_NODE;
	s = begin(&r);
	net_world.no_conf = true;
	start(s, &r);
	is_str(net_world.hostname, "(node)");
	is_str(net_world.sysctls, "");
	net_world_answers("namespaces", ERR_OK, false); /* ipc */
	is_str(net_trace, "namespaces cgroup files");
	ok(r.calls == 1 && r.e.code == ERR_OK && s->netns_path[0] == '\0' && s->ips.n == 0);
	sandbox_free(s);

	config.security.ns.ipc = NS_NODE;
	s = begin(&r);
	sandbox_up_start(s, record, &r);
	ok(r.calls == 0);
	turns();
	is_str(net_trace, "cgroup files");
	ok(r.calls == 1 && r.e.code == ERR_OK && s->made == (MADE_CGROUP | MADE_FILES));
	sandbox_free(s);
}

static void a_shared_pid_namespace_gets_a_pause(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	config.security.ns.pid = NS_POD;
	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	ok(r.calls == 0 && net_children_n == 1 && strcmp(net_children[0].path, "/libexec/pause") == 0);
	ok(strncmp(net_children[0].keep_id, "pause/", 6) == 0 && net_children[0].nenter == 3);
	is_str(net_trace, "namespaces cgroup files add leaf");
	net_world.pause_pid = 77;
	net_child_starts(0, 77);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK && s->pause_pid == 77 && s->state == SANDBOX_READY);
	net_world_pause_dies();
	ok(s->state == SANDBOX_NOTREADY && s->pause_pid == 0);
	sandbox_free(s);
}

static void without_a_configuration_nothing_is_made(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	s = begin(&r);
	net_world.no_conf = true;
	sandbox_up_start(s, record, &r);
	ok(r.calls == 0);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_FAILED_PRECONDITION && s->hidden);
	is_str(net_trace, "");
	ok(!on_disk(s));
	sandbox_free(s);
}

/* The pod fails at a step: what was made so far is given back in reverse, and the sandbox stays hidden. */
static void undone(struct sandbox *s, const struct result *r, enum err_code code, const char *trace)
{
	turns();
	ok(r->calls == 1 && r->e.code == code);
	is_str(net_trace, trace);
	ok(s->hidden && s->made == 0 && s->state == SANDBOX_NOTREADY && made_on_disk(s) == 0);
	sandbox_free(s);
}

static void a_boxed_sandbox_begins_with_its_box(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	config.security.ns.pid = NS_POD;
	s = begin(&r);
	net_world.boxed = true;
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	is_str(net_trace, "namespaces cgroup files add box");
	ok(r.calls == 0 && (s->made & (MADE_PAUSE | MADE_BOX)) == (MADE_PAUSE | MADE_BOX) && net_children_n == 0);
	net_world_answers("box", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_OK && s->state == SANDBOX_READY);
	sandbox_free(s);

	s = begin(&r);
	net_world.boxed = true;
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	net_world_answers("box", ERR_INTERNAL, false);
	turns();
	is_str(net_trace, "namespaces cgroup files add box forget -box");
	net_world_answers("box", ERR_OK, false);
	is_str(net_trace, "namespaces cgroup files add box forget -box del");
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && s->made == 0);
	sandbox_free(s);
	blank();
}

/* A sandbox as others are, behind the network and before the pause; the undo is in reverse. */
static void a_sandbox_in_the_runtime(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	config.security.ns.pid = NS_POD;
	s = begin(&r);
	net_world.in_runtime = true;
	start(s, &r);
	ok(made_on_disk(s) & MADE_API); /* before anything is made */
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	is_str(net_trace, "namespaces cgroup files add box");
	ok(r.calls == 0 && (s->made & (MADE_PAUSE | MADE_BOX | MADE_API)) == MADE_API && net_children_n == 0);
	net_world_answers("box", ERR_OK, false);
	ok(r.calls == 0 && net_children_n == 1 && s->made & MADE_PAUSE);
	net_world.pause_pid = 77;
	net_child_starts(0, 77);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK && s->state == SANDBOX_READY && s->pause_pid == 77);
	net_world.in_runtime = false; /* another configuration: it stays what it is */
	ok(sandbox_in_runtime(s));
	sandbox_free(s);

	config.security.ns.pid = NS_CONTAINER;
	s = begin(&r);
	net_world.in_runtime = true;
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	net_world_answers("box", ERR_INTERNAL, false);
	turns();
	is_str(net_trace, "namespaces cgroup files add box -box");
	net_world_answers("box", ERR_OK, false);
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && s->made == 0);
	sandbox_free(s);

	s = begin(&r); /* without: not, and not behind a change of the configuration either */
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	net_world.in_runtime = true;
	ok(r.calls == 1 && r.e.code == ERR_OK && !sandbox_in_runtime(s));
	sandbox_free(s);
	blank();
}

static void each_failure_is_undone(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	s = begin(&r);
	net_world.no_cgroup = true;
	start(s, &r);
	turns();
	ok(r.calls == 0);
	net_world_answers("namespaces", ERR_OK, false);
	undone(s, &r, ERR_INTERNAL, "namespaces cgroup files -namespaces -files -cgroup");

	s = begin(&r);
	net_world.no_files = true;
	start(s, &r);
	turns();
	ok(r.calls == 0);
	net_world_answers("namespaces", ERR_OK, false);
	undone(s, &r, ERR_INTERNAL, "namespaces cgroup files -namespaces -files -cgroup");

	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_RESOURCE_EXHAUSTED, false);
	undone(s, &r, ERR_RESOURCE_EXHAUSTED, "namespaces cgroup files -files -cgroup");

	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_UNAVAILABLE, true); /* the keeper died: there may be a pin */
	undone(s, &r, ERR_UNAVAILABLE, "namespaces cgroup files -namespaces -files -cgroup");

	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_DEADLINE_EXCEEDED, false);
	undone(s, &r, ERR_DEADLINE_EXCEEDED, "namespaces cgroup files add -namespaces -files -cgroup");

	config.security.ns.pid = NS_POD;
	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	net_child_fails(0, ERR_UNAVAILABLE, "the keeper is away");
	turns(); /* no pause to kill; then the network */
	is_str(net_world.result, "{\"r\":1}");
	net_world_answers("del", ERR_OK, false);
	undone(s, &r, ERR_UNAVAILABLE, "namespaces cgroup files add leaf forget del -namespaces -files -cgroup");
}

/* A stop comes while a plugin of the network runs; in another step it changes nothing. */
static void a_network_is_given_up(void)
{
	struct sandbox_up *up;
	struct result r;
	struct sandbox *s;

	blank();
	s = begin(&r);
	up = sandbox_up_start(s, record, &r);
	turns();
	sandbox_up_cancel(up);
	net_world_answers("namespaces", ERR_OK, false);
	ok(net_world_waits("add") && !s->shown && !sandbox_find(s->id));
	sandbox_up_cancel(up);
	ok(r.calls == 0);
	turns();
	ok(r.calls == 0 && net_world_waits("del"));
	net_world_answers("del", ERR_OK, false);
	undone(s, &r, ERR_ABORTED, "namespaces cgroup files add give-up del -namespaces -files -cgroup");
}

static void a_cgroup_that_cannot_be_joined_is_undone(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	config.security.ns.pid = NS_POD;
	s = begin(&r);
	net_world.cgroup_v2 = true;
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_OK, false);
	turns();
	ok(net_children_n == 0);
	net_world_answers("del", ERR_OK, false);
	undone(s, &r, ERR_INTERNAL, "namespaces cgroup files add leaf forget del -namespaces -files -cgroup");
}

static void a_network_that_cannot_be_undone_stays_in_sight(void)
{
	struct result r;
	struct sandbox *s;

	blank();
	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	net_world_answers("add", ERR_INTERNAL, true);
	turns();
	net_world_answers("del", ERR_INTERNAL, false);
	net_world_answers("del", ERR_INTERNAL, false); /* without the namespace */
	turns();
	ok(r.calls == 1 && strcmp(r.e.msg, "add failed") == 0); /* the cause, not the error of the undo */
	ok(!s->hidden && s->state == SANDBOX_NOTREADY && (s->made & MADE_NETWORK) && made_on_disk(s) == s->made);
	is_str(net_trace, "namespaces cgroup files add del del");
	sandbox_free(s);
}

static void a_record_that_cannot_be_written_is_a_failure(void)
{
	struct result r;
	struct sandbox *s;
	struct sandboxes_config gone = { .root = "/proc/nowhere", .state = "/run/x", .netns_dir = "/run/netns" };
	struct sandboxes_config back = { .root = root, .state = "/run/x", .netns_dir = "/run/netns" };

	blank();
	s = begin(&r);
	sandboxes_open(&gone);
	start(s, &r);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "save sandbox "));
	is_str(net_trace, "");
	sandboxes_open(&back);
	sandbox_free(s);

	s = begin(&r);
	start(s, &r);
	net_world_answers("namespaces", ERR_OK, false);
	sandboxes_open(&gone);
	net_world_answers("add", ERR_OK, false);
	turns();
	sandboxes_open(&back);
	net_world_answers("del", ERR_OK, false);
	undone(s, &r, ERR_INTERNAL, "namespaces cgroup files add del -namespaces -files -cgroup");
}

int main(void)
{
	struct sandbox_up_config cfg = { .pause_path = "/libexec/pause", .node_name = "node-1" };
	struct sandboxes_config table = { .root = root, .state = "/run/x", .netns_dir = "/run/netns" };
	struct err e;

	arena = arena_new();
	ok(mkdtemp(root) != NULL);
	snprintf(records, sizeof(records), "%s/sandboxes", root);
	sandboxes_open(&table);
	cfg.hosts = cfg.resolv_conf = missing("hosts");
	sandbox_up_open(&cfg);
	ok(sandboxes_load(&e) == 0);
	a_pod_with_a_network();
	a_parent_is_the_pods_group_and_the_callers();
	a_slice_is_waited_for();
	below_a_parent_a_pause_gets_a_scope();
	hostname_and_sysctls_of_the_pod_win();
	the_network_of_the_node_needs_no_cni();
	a_shared_pid_namespace_gets_a_pause();
	without_a_configuration_nothing_is_made();
	a_boxed_sandbox_begins_with_its_box();
	a_sandbox_in_the_runtime();
	each_failure_is_undone();
	a_network_is_given_up();
	a_cgroup_that_cannot_be_joined_is_undone();
	a_network_that_cannot_be_undone_stays_in_sight();
	a_record_that_cannot_be_written_is_a_failure();
	ok(rmdir(records) == 0 && rmdir(root) == 0);
	arena_free(arena);
	return tap_end();
}
