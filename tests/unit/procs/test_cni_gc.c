/* test_cni_gc.c - plugins' GC, and how chains and GC wait for each other. */
#include "tests/unit/procs/cni_run.h"

#define GC_LIST(keys) "{\"cniVersion\":\"1.1.0\",\"name\":\"n\"," keys "\"plugins\":[{\"type\":\"bridge\"," \
	"\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"/data\"}},{\"type\":\"portmap\"}]}"

/* The conflist without those who answer STATUS. */
static void begin_gc(const char *conflist)
{
	begin(conflist);
	while (net_children_live())
		net_child_exits(net_children_n - 1, 0, "", "", false);
	turns();
	net_children_reset();
}

static void on_held(void *arg)
{
	++*(int *)arg;
}

static void gc_waits_for_quiet_and_chains_wait_for_gc(void)
{
	const char *ids[] = { "id1", "id2" };
	struct cni_sandbox s = pod();
	struct result added = { 0 }, waits = { 0 }, r = { 0 };
	int held = 0;

	begin_gc(GC_LIST(""));
	cni_add(&s, record, &added);
	cni_hold(on_held, &held);
	turns();
	ok(held == 0 && net_children_n == 1);
	net_child_exits(0, 0, IP_RESULT, "", false);
	turns();
	ok(added.calls == 1 && held == 1);
	cni_del(&s, record, &waits);
	turns();
	ok(net_children_n == 1); /* held */
	cni_collect(GC_LIST(""), &(struct strings){ ids, 2 }, record, &r);
	ok(net_children_n == 2 && strcmp(net_children[1].verb, "GC") == 0 && strstr(net_children[1].path, "/bridge"));
	ok(strstr(net_children[1].input, "\"cni.dev/valid-attachments\":[{\"containerID\":\"id1\",\"ifname\":\"eth0\"},"
					 "{\"containerID\":\"id2\",\"ifname\":\"eth0\"}]"));
	ok(!strstr(net_children[1].env, "CNI_CONTAINERID") && !net_children[1].finish && net_children[0].finish);
	ok(net_children[1].timeout_ms == 10000);
	net_child_exits(1, 1, "{\"code\":7,\"msg\":\"no\"}", "", false);
	ok(net_children_n == 3 && strstr(net_children[2].path, "/portmap")); /* an error ends nothing */
	net_child_exits(2, 0, "", "", false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && net_children_n == 3);
	is_str(r.e.msg, "CNI GC by plugin bridge: code 7: no");
	cni_release();
	ok(net_children_n == 4 && strcmp(net_children[3].verb, "DEL") == 0);
	net_child_exits(3, 0, "", "", false);
	turns();
	ok(waits.calls == 1 && waits.e.code == ERR_OK);
	end();
}

static void gc_has_ten_seconds_for_all_plugins(void)
{
	const char *ids[] = { "id1" };
	struct result r = { 0 };
	int held = 0;

	begin_gc(GC_LIST(""));
	cni_hold(on_held, &held);
	turns();
	cni_collect(GC_LIST(""), &(struct strings){ ids, 1 }, record, &r);
	ok(net_children_n == 1 && net_children[0].timeout_ms == 10000);
	net_child_fails(0, ERR_DEADLINE_EXCEEDED, "late");
	turns();
	ok(net_children_n == 1 && r.calls == 1 && r.e.code == ERR_DEADLINE_EXCEEDED);
	cni_release();
	end();
}

/* Nobody waits for ever: a hold on an idle node comes at once, and a chain that is cancelled does not hold it up. */
static void a_cancelled_chain_is_no_chain(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };
	struct cni_op *op;
	int held = 0;

	begin_gc(GC_LIST(""));
	op = cni_add(&s, record, &r);
	cni_hold(on_held, &held);
	cni_cancel(op);
	turns();
	ok(held == 1 && net_children[0].cancelled);
	cni_release();
	cni_hold(on_held, &held);
	turns();
	ok(held == 2);
	cni_release();
	end();
}

static void which_conflist_has_gc(void)
{
	struct arena *a = arena_new();
	struct cni_places p;
	struct err e;

	begin_gc(GC_LIST(""));
	ok(cni_places(cni_conf_text(&e), &p, a, &e) == 0 && p.dirs.n == 2);
	is_str(p.network, "n");
	is_str(p.dirs.at[0], "/data/n");
	is_str(p.dirs.at[1], "/var/lib/cni/networks/n");
	end();
	begin_gc(GC_LIST("\"disableGC\":true,"));
	ok(cni_places(cni_conf_text(&e), &p, a, &e) < 0 && e.code == ERR_UNIMPLEMENTED && strstr(e.msg, "disableGC"));
	end();
	begin_gc(BRIDGE_PORTMAP);
	ok(cni_places(cni_conf_text(&e), &p, a, &e) < 0 && e.code == ERR_UNIMPLEMENTED && strstr(e.msg, "1.0.0"));
	end();
	arena_free(a);
}

int main(void)
{
	cni_run_begin();
	gc_waits_for_quiet_and_chains_wait_for_gc();
	gc_has_ten_seconds_for_all_plugins();
	a_cancelled_chain_is_no_chain();
	which_conflist_has_gc();
	cni_run_end();
	return tap_end();
}
