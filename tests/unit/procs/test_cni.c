/* test_cni.c - the chain machine and the watched configuration, with plugins whose answers the test gives. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cni.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/fakes/net_child.h"
#include "tests/missing.h"
#include "tests/tap.h"

#define BRIDGE_PORTMAP "{\"cniVersion\":\"1.0.0\",\"name\":\"n1\",\"plugins\":[{\"type\":\"bridge\"}," \
	"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}},{\"type\":\"tuning\"}]}"
#define IP_RESULT                                                                                                      \
	"{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\"}],\"ips\":[{\"address\":\"10.1.2.3/"             \
	"24\",\"interface\":0}]}"
#define TWO_IPS "{\"ips\":[{\"address\":\"fd00::3/64\"},{\"address\":\"10.1.2.3/24\"}]}"

static char top[] = "/tmp/test-cni-XXXXXX";
static char bin[64], conf[64];
static const char *const netns = "/proc/self/ns/net";
static const char *bin_dirs[1];
static struct cni_config cfg;
static int changes;

struct result {
	int calls;
	struct err e;
	struct strings ips;
	char first_ip[64], text[512], conf[512];
	bool left;
};

static void record(void *arg, const struct err *e, const struct cni_result *r)
{
	struct result *got = arg;

	got->calls++;
	got->e.code = ERR_OK;
	if (e)
		got->e = *e;
	snprintf(got->first_ip, sizeof(got->first_ip), "%s", r->ips.n ? r->ips.at[0] : "");
	snprintf(got->text, sizeof(got->text), "%s", r->text);
	snprintf(got->conf, sizeof(got->conf), "%s", r->conf);
	got->ips.n = r->ips.n;
	got->left = r->left;
}

static void on_changed(void *arg)
{
	(void)arg;
	changes++;
}

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn();
}

static void file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static void gone(const char *dir, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ok(unlink(path) == 0);
}

static struct port_mapping web = { PROTOCOL_TCP, 80, 8080, "" };
static const struct pairs no_pairs;
static const struct dns_config no_dns;

static struct cni_sandbox pod(void)
{
	return (struct cni_sandbox){ .id = "i1", .name = "web", .namespace_ = "ns", .uid = "u", .netns_path = netns,
		.annotations = &no_pairs, .cgroup = "", .dns = &no_dns, .conf = "", .result = "" };
}

static void begin(const char *conflist)
{
	net_children_reset();
	mkdir(conf, 0755);
	file(conf, "10-n.conflist", conflist, 0644);
	cni_open(&cfg, on_changed, NULL);
}

static void end(void)
{
	ok(net_children_live() == 0);
	cni_close();
	gone(conf, "10-n.conflist");
}

static void add_runs_the_chain_without_an_idle_portmap(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin(BRIDGE_PORTMAP);
	cni_add(&s, record, &r);
	ok(net_children_n == 1 && strstr(net_children[0].path, "/bridge") && strcmp(net_children[0].verb, "ADD") == 0);
	ok(strstr(net_children[0].env, "CNI_CONTAINERID=i1\n") && strstr(net_children[0].env, "CNI_IFNAME=eth0\n"));
	ok(strstr(net_children[0].env, "K8S_POD_NAME=web") && strstr(net_children[0].env, "CNI_PATH=") &&
	   strstr(net_children[0].env, "PATH=/usr"));
	ok(strstr(net_children[0].env, netns) && !strstr(net_children[0].input, "prevResult"));
	net_child_exits(0, 0, TWO_IPS, "", false);
	ok(net_children_n == 2 && strstr(net_children[1].path, "/tuning"));
	ok(strstr(net_children[1].input, "\"prevResult\":{\"ips\"") &&
	   strstr(net_children[1].input, "\"name\":\"n1\""));
	net_child_exits(1, 0, TWO_IPS, "", false);
	ok(r.calls == 0);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK && r.ips.n == 2);
	is_str(r.first_ip, "10.1.2.3");
	is_str(r.text, TWO_IPS);
	ok(strstr(r.conf, "\"name\":\"n1\""));
	end();
}

static void a_host_port_runs_portmap(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	s.ports = &web;
	s.nports = 1;
	begin(BRIDGE_PORTMAP);
	cni_add(&s, record, &r);
	net_child_exits(0, 0, IP_RESULT, "", false);
	ok(strstr(net_children[1].path, "/portmap") &&
	   strstr(net_children[1].input, "\"runtimeConfig\":{\"portMappings\":[{\"containerPort\":80"));
	net_child_exits(1, 0, IP_RESULT, "", false);
	net_child_exits(2, 0, IP_RESULT, "", false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK);
	end();
}

static void del_goes_back_with_the_cached_result_and_the_old_configuration(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"of-today\",\"plugins\":[{\"type\":\"ptp\"}]}");
	s.conf = BRIDGE_PORTMAP;
	s.result = IP_RESULT;
	s.netns_path = missing("netns");
	cni_del(&s, record, &r);
	ok(strcmp(net_children[0].verb, "DEL") == 0 && strstr(net_children[0].path, "/tuning"));
	ok(strstr(net_children[0].env, "CNI_NETNS=\n") && strstr(net_children[0].input, "prevResult"));
	net_child_exits(0, 1, "{\"code\":99,\"msg\":\"busy\"}", "", false);
	ok(net_children_n == 2 && strstr(net_children[1].path, "/bridge") &&
	   strstr(net_children[1].input, "\"name\":\"n1\""));
	net_child_exits(1, 0, "", "", false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL);
	is_str(r.e.msg, "CNI DEL by plugin tuning: code 99: busy");
	end();
}

/* A keeper dies between the umount and the unlink. */
static void a_pin_that_is_an_empty_file_is_no_namespace(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };
	char pin[64];

	begin(BRIDGE_PORTMAP);
	snprintf(pin, sizeof(pin), "%s/netns", top);
	s.netns_path = pin;
	cni_del(&s, record, &r);
	ok(strcmp(net_children[0].verb, "DEL") == 0 && strstr(net_children[0].env, "CNI_NETNS=\n"));
	net_child_exits(0, 0, "", "", false);
	net_child_exits(1, 0, "", "", false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK);
	s.netns_path = netns;
	cni_del(&s, record, &r);
	ok(strstr(net_children[2].env, netns));
	net_child_exits(2, 0, "", "", false);
	net_child_exits(3, 0, "", "", false);
	turns();
	end();
}

static void before_0_4_0_del_has_no_result(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin("{\"cniVersion\":\"0.3.1\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}");
	s.result = IP_RESULT;
	cni_del(&s, record, &r);
	ok(!strstr(net_children[0].input, "prevResult"));
	net_child_exits(0, 0, "", "", false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK && strcmp(r.text, "") == 0);
	end();
}

/* ADD through a bridge that succeeds and a tuning that fails as `break_it` says; then the undo must run. */
static void chain_breaks(void (*break_it)(int i), enum err_code code, const char *why)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin(BRIDGE_PORTMAP);
	cni_add(&s, record, &r);
	net_child_exits(0, 0, IP_RESULT, "", false);
	break_it(1);
	ok(net_children_n == 3 && strcmp(net_children[2].verb, "DEL") == 0 && strstr(net_children[2].path, "/tuning"));
	net_child_exits(2, 0, "", "", false);
	ok(net_children_n == 4 && strcmp(net_children[3].verb, "DEL") == 0 && strstr(net_children[3].path, "/bridge"));
	net_child_exits(3, 0, "", "", false);
	turns();
	ok(r.calls == 1 && r.e.code == code && !r.left && r.ips.n == 0);
	ok(strstr(r.e.msg, "CNI ADD by plugin tuning: ") == r.e.msg && strstr(r.e.msg, why));
	end();
}

static void says_no(int i)
{
	net_child_exits(i, 1, "{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"no more\"}", "", false);
}
static void rubbish(int i) { net_child_exits(i, 0, "<html>502</html>", "", false); }
static void dumb(int i) { net_child_exits(i, 2, "", "panic: nil map\n", false); }
static void hangs(int i) { net_child_fails(i, ERR_DEADLINE_EXCEEDED, "killed after 60000 ms"); }
static void floods(int i) { net_child_exits(i, 0, "{\"ips\":[", "", true); }
static void orphaned(int i) { net_child_fails(i, ERR_UNAVAILABLE, "the keeper is away"); }

static void a_plugin_that_fails_is_named_and_the_chain_undone(void)
{
	chain_breaks(says_no, ERR_INTERNAL, "code 11: no more");
	chain_breaks(rubbish, ERR_INTERNAL, "its result: line 1");
	chain_breaks(dumb, ERR_INTERNAL, "exit status 2: panic: nil map");
	chain_breaks(hangs, ERR_DEADLINE_EXCEEDED, "killed after 60 s");
	chain_breaks(floods, ERR_INTERNAL, "more than 1048576 bytes");
	chain_breaks(orphaned, ERR_UNAVAILABLE, "the keeper is away");
}

static void an_undo_that_fails_leaves_something(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}");
	cni_add(&s, record, &r);
	says_no(0);
	dumb(1);
	turns();
	ok(r.calls == 1 && r.left && strstr(r.e.msg, "no more")); /* the first error is reported */
	end();
}

static void no_address_is_a_failure(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}");
	cni_add(&s, record, &r);
	net_child_exits(0, 0, "{\"cniVersion\":\"1.0.0\"}", "", false);
	net_child_exits(1, 0, "", "", false);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "gave eth0 no address"));
	end();
}

static void a_missing_program_is_an_error_of_the_next_turn(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"absent\"}]}");
	cni_add(&s, record, &r);
	ok(r.calls == 0 && net_children_n == 0);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "CNI plugin absent is not in /tmp/test-cni-"));
	end();
}

static void a_program_that_cannot_be_looked_at_may_be_there(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };
	char conf_text[400];

	snprintf(conf_text, sizeof(conf_text),
		 "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"%0*d\"}]}", NAME_MAX + 1, 0);
	begin(conf_text);
	cni_add(&s, record, &r);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "File name too long"));
	end();
}

static void untellable_metadata_runs_nothing(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	s.name = "a;b";
	begin(BRIDGE_PORTMAP);
	cni_add(&s, record, &r);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INVALID_ARGUMENT && net_children_n == 0 && !r.left);
	end();
}

static void chains_wait_for_a_place(void)
{
	struct cni_sandbox s = pod();
	struct result r[8] = { 0 };
	struct cni_op *op[8];

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}");
	for (int i = 0; i < 8; i++)
		op[i] = cni_add(&s, record, &r[i]);
	ok(net_children_n == 4 && net_children_live() == 4);
	net_child_exits(1, 0, IP_RESULT, "", false);
	ok(net_children_n == 5);
	cni_cancel(op[5]); /* still waiting */
	cni_cancel(op[0]); /* running: the next one gets its place */
	ok(net_children[0].cancelled && net_children_n == 6 && net_children_live() == 4);
	for (int i = 0; i < net_children_n; i++)
		if (net_children[i].live)
			net_child_exits(i, 0, IP_RESULT, "", false);
	turns();
	ok(net_children_n == 7);
	for (int i = 0; i < 8; i++)
		ok(r[i].calls == (i == 0 || i == 5 ? 0 : 1));
	end();
}

static void a_slow_chain_gives_its_place_away(void)
{
	struct cni_sandbox s = pod();
	struct result r[5] = { 0 };

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}");
	for (int i = 0; i < 5; i++)
		cni_add(&s, record, &r[i]);
	ok(net_children_n == 4);
	for (int i = 0; i < 100 && net_children_n == 4; i++)
		ev_run(EV_DEFAULT, EVRUN_ONCE); /* the timers of the four */
	ok(net_children_n == 5 && net_children_live() == 5);
	for (int i = 0; i < 5; i++)
		net_child_exits(i, 0, IP_RESULT, "", false);
	turns();
	for (int i = 0; i < 5; i++)
		ok(r[i].calls == 1 && r[i].e.code == ERR_OK);
	end();
}

static void cancel_in_each_state_is_silent(void)
{
	struct cni_sandbox s = pod();
	struct result r = { 0 };
	struct cni_op *op;

	begin(BRIDGE_PORTMAP);
	cni_cancel(cni_add(&s, record, &r));
	cni_cancel(cni_del(&s, record, &r));
	op = cni_add(&s, record, &r);
	says_no(2);
	cni_cancel(op); /* UNDO */
	op = cni_add(&s, record, &r);
	net_child_exits(4, 0, IP_RESULT, "", false);
	net_child_exits(5, 0, IP_RESULT, "", false);
	cni_cancel(op); /* DONE, not reported yet */
	s.name = "a;b";
	cni_cancel(cni_add(&s, record, &r)); /* FAILED */
	turns();
	ok(r.calls == 0);
	end();
}

static void a_configuration_may_come_later(void)
{
	const char *why;
	struct err e;
	struct cni_sandbox s = pod();
	struct result r = { 0 };

	net_children_reset();
	rmdir(conf);
	changes = 0;
	cni_open(&cfg, on_changed, NULL);
	ok(!cni_ready(&why) && strstr(why, "no CNI configuration in /tmp/test-cni-"));
	ok(!cni_conf_now(&e) && e.code == ERR_FAILED_PRECONDITION);
	cni_add(&s, record, &r);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_FAILED_PRECONDITION && changes == 0);

	mkdir(conf, 0755);
	turns();
	file(conf, "10-n.conflist", BRIDGE_PORTMAP, 0644);
	turns();
	ok(cni_ready(&why) && changes > 0);
	ok(strstr(cni_conf_now(&e), "\"name\":\"n1\""));

	ok(!*why);
	changes = 0;
	file(conf, "05-broken.conf", "{", 0644);
	turns();
	ok(cni_ready(&why) && strstr(why, "passed over: ") && strstr(why, "05-broken.conf: line 1") && changes > 0);
	ok(strstr(cni_conf_now(&e), "\"name\":\"n1\""));
	gone(conf, "05-broken.conf");
	turns();
	ok(cni_ready(&why) && !*why);

	gone(conf, "10-n.conflist");
	rmdir(conf);
	turns();
	ok(!cni_ready(&why));
	mkdir(conf, 0755);
	file(conf, "10-n.conflist", BRIDGE_PORTMAP, 0644);
	turns();
	ok(cni_ready(&why));
	end();
}

static void a_missing_plugin_is_why_there_is_no_network(void)
{
	const char *why;

	begin("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"},{\"type\":\"later\"}]}");
	ok(!cni_ready(&why) && strstr(why, "CNI plugin later is not in "));
	file(bin, "later", "", 0755);
	ok(cni_ready(&why));
	gone(bin, "later");
	end();
}

static void status_of_1_1_decides(void)
{
	const char *why;

	changes = 0;
	begin("{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"},{\"type\":\"tuning\"}]}");
	ok(net_children_n == 1 && strcmp(net_children[0].verb, "STATUS") == 0 &&
	   !strstr(net_children[0].env, "CNI_NETNS"));
	net_child_exits(0, 0, "", "", false);
	net_child_exits(1, 1, "{\"code\":50,\"msg\":\"not yet\"}", "", false);
	ok(!cni_ready(&why) && strcmp(why, "CNI STATUS by plugin tuning: code 50: not yet") == 0 && changes == 1);
	file(conf, "10-n.conflist", "{\"cniVersion\":\"1.1.0\",\"name\":\"n2\",\"plugins\":[{\"type\":\"bridge\"}]}",
	     0644);
	turns();
	ok(net_children_n == 3 && cni_ready(&why));
	net_child_exits(2, 0, "", "", false);
	ok(cni_ready(&why));
	end();
}

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
	cni_collect(&(struct strings){ ids, 2 }, record, &r);
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
	cni_collect(&(struct strings){ ids, 1 }, record, &r);
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
	ok(cni_places(&p, a, &e) == 0 && p.dirs.n == 2);
	is_str(p.network, "n");
	is_str(p.dirs.at[0], "/data/n");
	is_str(p.dirs.at[1], "/var/lib/cni/networks/n");
	end();
	begin_gc(GC_LIST("\"disableGC\":true,"));
	ok(cni_places(&p, a, &e) < 0 && e.code == ERR_UNIMPLEMENTED && strstr(e.msg, "disableGC"));
	end();
	begin_gc(BRIDGE_PORTMAP);
	ok(cni_places(&p, a, &e) < 0 && e.code == ERR_UNIMPLEMENTED && strstr(e.msg, "1.0.0"));
	end();
	arena_free(a);
}

int main(void)
{
	ok(mkdtemp(top) != NULL);
	snprintf(bin, sizeof(bin), "%s/bin", top);
	snprintf(conf, sizeof(conf), "%s/net.d", top);
	mkdir(bin, 0755);
	file(top, "netns", "", 0644);
	file(bin, "bridge", "", 0755);
	file(bin, "portmap", "", 0755);
	file(bin, "tuning", "", 0755);
	bin_dirs[0] = bin;
	cfg = (struct cni_config){ .bin_dirs = { bin_dirs, 1 }, .conf_dir = conf };
	add_runs_the_chain_without_an_idle_portmap();
	a_host_port_runs_portmap();
	del_goes_back_with_the_cached_result_and_the_old_configuration();
	a_pin_that_is_an_empty_file_is_no_namespace();
	before_0_4_0_del_has_no_result();
	a_plugin_that_fails_is_named_and_the_chain_undone();
	an_undo_that_fails_leaves_something();
	no_address_is_a_failure();
	a_missing_program_is_an_error_of_the_next_turn();
	a_program_that_cannot_be_looked_at_may_be_there();
	untellable_metadata_runs_nothing();
	chains_wait_for_a_place();
	a_slow_chain_gives_its_place_away();
	cancel_in_each_state_is_silent();
	a_configuration_may_come_later();
	a_missing_plugin_is_why_there_is_no_network();
	status_of_1_1_decides();
	gc_waits_for_quiet_and_chains_wait_for_gc();
	gc_has_ten_seconds_for_all_plugins();
	a_cancelled_chain_is_no_chain();
	which_conflist_has_gc();
	gone(top, "netns");
	gone(bin, "bridge");
	gone(bin, "portmap");
	gone(bin, "tuning");
	ok(rmdir(bin) == 0 && rmdir(conf) == 0 && rmdir(top) == 0);
	return tap_end();
}
