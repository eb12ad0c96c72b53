/* test_cni.c - the chain machine, with plugins whose answers the test gives. */
#include "reactor/own.h"
#include "tests/missing.h"
#include "tests/unit/procs/cni_run.h"

#define TWO_IPS "{\"ips\":[{\"address\":\"fd00::3/64\"},{\"address\":\"10.1.2.3/24\"}]}"

static struct port_mapping web = { PROTOCOL_TCP, 80, 8080, "" };

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

int main(void)
{
	cni_run_begin();
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
	cni_run_end();
	return tap_end();
}
