/* test_cni_watch.c - the watched configuration of CNI, and the plugins' STATUS. */
#include "tests/unit/procs/cni_run.h"

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

int main(void)
{
	cni_run_begin();
	a_configuration_may_come_later();
	a_missing_plugin_is_why_there_is_no_network();
	status_of_1_1_decides();
	cni_run_end();
	return tap_end();
}
