/* test_conf.c - network configurations, plugin results and capability arguments: what is accepted and what is
 * refused. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cni/args.h"
#include "procs/cni/conf.h"
#include "procs/cni/result.h"
#include "reactor/own.h"
#include "tests/missing.h"
#include "tests/tap.h"

static struct arena *arena;
static char dir[] = "/tmp/test-cni-conf-XXXXXX";

static json_t *list_of(const char *text, struct err *e)
{
	return cni_conf_parse(text, strlen(text), CNI_CONF_LIST, "10-x.conflist", e);
}

static void a_list_is_brought_into_one_form(void)
{
	struct err e;
	auto_json json_t
		*list = list_of("{\"cniVersion\":\"0.4.0\",\"name\":\"n1\",\"plugins\":[{\"type\":\"bridge\"}]}", &e),
		*again = NULL;
	const char *text;

	ok(list && strcmp(cni_conf_name(list), "n1") == 0 && json_array_size(cni_conf_plugins(list)) == 1);
	ok(cni_conf_reaches(list, 0, 4) && !cni_conf_reaches(list, 1, 0) && cni_conf_reaches(list, 0, 3));
	text = json_text(arena, list);
	again = list_of(text, &e);
	ok(again && json_equal(list, again));
}

static void a_single_plugin_is_wrapped(void)
{
	static const char text[] = "{\"cniVersion\":\"1.0.0\",\"name\":\"one\",\"type\":\"ptp\",\"mtu\":1400}";
	struct err e;
	auto_json json_t *list = cni_conf_parse(text, strlen(text), CNI_CONF_SINGLE, "x.conf", &e);

	ok(list && strcmp(cni_plugin_type(json_array_get(cni_conf_plugins(list), 0)), "ptp") == 0);
	ok(strcmp(cni_conf_name(list), "one") == 0 && cni_conf_reaches(list, 1, 0));
}

static void the_newest_common_version_is_taken(void)
{
	struct err e;
	auto_json json_t *list = list_of("{\"cniVersion\":\"0.3.1\",\"cniVersions\":[\"0.4.0\",\"9.9.9\",\"1.1.0\"],"
					 "\"name\":\"n\",\"plugins\":[{\"type\":\"t\"}]}", &e);

	ok(cni_conf_reaches(list, 1, 1));
	ok(json_object_get(list, "cniVersions") == NULL);
}

static void refused(const char *text, const char *why)
{
	struct err e = { 0 };
	auto_json json_t *list = list_of(text, &e);

	ok(!list && e.code == ERR_INTERNAL);
	ok(strstr(e.msg, "10-x.conflist: ") && strstr(e.msg, why));
}

static void what_is_no_configuration_is_refused_by_name(void)
{
	refused("{", "line 1");
	refused("[]", "not a JSON object");
	refused("{\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"t\"}]}", "network name");
	refused("{\"cniVersion\":\"1.0.0\",\"name\":\"../x\",\"plugins\":[{\"type\":\"t\"}]}", "network name");
	refused("{\"name\":\"n\",\"plugins\":[{\"type\":\"t\"}]}", "cniVersion (none)");
	refused("{\"cniVersion\":\"0.2.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"t\"}]}",
		"cniVersion 0.2.0 is not one of 0.3.0 to 1.1.0");
	refused("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[]}", "no plugins");
	refused("{\"cniVersion\":\"1.0.0\",\"name\":\"n\"}", "no plugins");
	refused("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"t\"},{}]}", "plugin 2 has no type");
	refused("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"../sh\"}]}", "no file name");
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(arena_printf(arena, "%s/%s", dir, name), "w");

	fputs(text, f);
	fclose(f);
}

static void drop(const char *name)
{
	ok(unlink(arena_printf(arena, "%s/%s", dir, name)) == 0);
}

static json_t *load(const char *from, struct arena *a, const char **file, struct err *e)
{
	struct lookup *l = lookup_new("test");
	json_t *list = cni_conf_load(l, from, a, file, e);

	lookup_free(l);
	return list;
}

static void the_first_file_that_is_not_broken_counts(void)
{
	struct err e;
	const char *file;
	auto_json json_t *list = NULL, *again = NULL, *third = NULL;

	ok(!load(missing("net.d"), arena, &file, &e) && e.code == ERR_FAILED_PRECONDITION);
	ok(!load(dir, arena, &file, &e) && strstr(e.msg, "no CNI configuration in /tmp/test-cni-conf-"));
	put("00-readme.txt", "not looked at");
	put("20-b.conflist", "{\"cniVersion\":\"1.0.0\",\"name\":\"b\",\"plugins\":[{\"type\":\"t\"}]}");
	list = load(dir, arena, &file, &e);
	ok(list && strcmp(cni_conf_name(list), "b") == 0 && strstr(file, "/20-b.conflist") && e.code == ERR_OK);
	put("10-a.conf", "rubbish");
	again = load(dir, arena, &file, &e);
	ok(again && json_equal(again, list) && strstr(file, "/20-b.conflist"));
	ok(e.code != ERR_OK && strstr(e.msg, "10-a.conf: line 1"));
	ok(mkfifo(arena_printf(arena, "%s/05-pipe.json", dir), 0600) == 0);
	third = load(dir, arena, &file, &e);
	ok(third && json_equal(third, list) && strstr(e.msg, "05-pipe.json") && strstr(e.msg, "not a regular file"));
	drop("05-pipe.json");
	drop("20-b.conflist");
	ok(!load(dir, arena, &file, &e) && e.code == ERR_FAILED_PRECONDITION &&
	   strstr(e.msg, "10-a.conf: line 1"));
	drop("10-a.conf");
	drop("00-readme.txt");
}

static void a_plugin_gets_the_capabilities_it_declares(void)
{
	struct err e;
	auto_json json_t *list =
		list_of("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"t\",\"name\":\"own\","
			"\"capabilities\":{\"dns\":true,\"mac\":true,\"portMappings\":false}}]}",
			&e);
	auto_json json_t *caps = json_pack("{s:s, s:s}", "dns", "D", "portMappings", "P"),
			 *prev = json_pack("{s:s}", "k", "v");
	const json_t *plugin = json_array_get(cni_conf_plugins(list), 0);

	is_str(cni_conf_stdin(arena, list, plugin, caps, prev),
	       "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"prevResult\":{\"k\":\"v\"},\"runtimeConfig\":{\"dns\":\"D\"}"
	       ",\"type\":\"t\"}");
	is_str(cni_conf_stdin(arena, list, plugin, NULL, NULL),
	       "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"t\"}");
	ok(json_object_get(plugin, "capabilities") != NULL); /* the list itself stays as it was */
}

static struct strings ips_of(const char *text)
{
	struct err e;
	auto_json json_t *j = cni_result_parse(text, strlen(text), &e);

	ok(j != NULL);
	return cni_result_ips(j, "eth0", arena);
}

static void addresses_of_eth0_with_ipv4_first(void)
{
	struct strings ips = ips_of(
		"{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"br0\"},{\"name\":\"eth0\",\"sandbox\":\"/n\"}],"
		"\"ips\":[{\"address\":\"10.9.9.9/8\",\"interface\":0},{\"address\":\"FD00:0::5/64\",\"interface\":1},"
		"{\"address\":\"10.1.2.3/24\",\"interface\":1},{\"address\":\"10.1.2.4/24\"}]}\n");

	ok(ips.n == 3);
	is_str(ips.at[0], "10.1.2.3");
	is_str(ips.at[1], "fd00::5");
	is_str(ips.at[2], "10.1.2.4");
	ips = ips_of("{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.7/16\"},\"ip6\":{\"ip\":\"fd00::7/64\"}}");
	ok(ips.n == 2 && strcmp(ips.at[0], "10.0.0.7") == 0);
	ok(ips_of("{}").n == 0);
	ok(ips_of("{\"ips\":null,\"interfaces\":null}").n == 0);
}

static void no_result(const char *text, const char *why)
{
	struct err e = { 0 };

	ok(!cni_result_parse(text, strlen(text), &e) && e.code == ERR_INTERNAL && strstr(e.msg, why));
}

static void what_is_no_result_is_refused(void)
{
	no_result("", "printed no result");
	no_result(" \n", "printed no result");
	no_result("<html>", "line 1");
	no_result("[]", "not a JSON object");
	no_result("{\"ips\":{}}", "not an array");
	no_result("{\"ips\":[{}]}", "the address \"\"");
	no_result("{\"ips\":[{\"address\":\"10.1.2.3.4/24\"}]}", "10.1.2.3.4/24");
	no_result("{\"ips\":[{\"address\":\"10.1.2.3/24\",\"interface\":0}]}", "interface 0 of 0");
	no_result("{\"ip4\":{\"ip\":\"x\"}}", "the address \"x\"");
}

static void said(const char *out, const char *err, const char *want)
{
	struct err e;

	cni_result_error(&e, "exit status 1", out, strlen(out), err, strlen(err));
	is_str(e.msg, want);
}

static void an_error_is_told_in_one_line(void)
{
	char flood[5000];
	struct err e;

	said("{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"try\\nlater\"}", "log", "code 11: try later");
	said("{\"code\":7,\"msg\":\"bad\",\"details\":\"subnet\"}", "", "code 7: bad; subnet");
	said("", "panic: oh\n\tmain.go:3\n", "exit status 1: panic: oh  main.go:3");
	said("not json", "", "exit status 1: not json");
	said("", "", "exit status 1, without any output");
	memset(flood, 'x', sizeof(flood));
	cni_result_error(&e, "exit status 1", flood, sizeof(flood), flood, sizeof(flood));
	ok(strlen(e.msg) < 500);
}

static void quantities_are_kubernetes_quantities(void)
{
	ok(cni_quantity("10M") == 10000000 && cni_quantity("1Ki") == 1024 && cni_quantity("1.5k") == 1500 &&
	   cni_quantity("7") == 7);
	ok(cni_quantity("1e6") == 1000000 && cni_quantity("2E3") == 2000 && cni_quantity("1E") == 1000000000000000000);
	ok(cni_quantity("1500m") == 2 && cni_quantity("0.5") == 1 && cni_quantity("+1G") == 1000000000);
	ok(cni_quantity("") < 0 && cni_quantity("M") < 0 && cni_quantity("-1M") < 0 && cni_quantity("1e") < 0 &&
	   cni_quantity("1x") < 0);
	ok(cni_quantity("0x10") < 0 && cni_quantity("nan") < 0 && cni_quantity("1e99") < 0 && cni_quantity("10 M") < 0);
}

static void pod_facts_become_capabilities(void)
{
	struct port_mapping ports[] = { { PROTOCOL_TCP, 80, 8080, "" }, { PROTOCOL_UDP, 53, 0, "" } };
	struct pair notes[] = { { "kubernetes.io/ingress-bandwidth", "10M" } };
	struct pairs annotations = { notes, 1 };
	struct dns_config dns = { .set = false };
	struct cni_sandbox s = { .id = "i1", .name = "web", .namespace_ = "ns", .uid = "u", .ports = ports, .nports = 2,
		.annotations = &annotations, .cgroup = "", .dns = &dns };
	struct err e;
	auto_json json_t *caps = cni_capabilities(&s, &e);

	is_str(json_text(arena, caps),
	       "{\"bandwidth\":{\"ingressBurst\":4294967295,\"ingressRate\":10000000},"
	       "\"io.kubernetes.cri.pod-annotations\":{\"kubernetes.io/ingress-bandwidth\":\"10M\"},"
	       "\"portMappings\":[{\"containerPort\":80,\"hostIP\":\"\",\"hostPort\":8080,\"protocol\":\"tcp\"}]}");
	is_str(cni_args(&s, arena, &e),
	       "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=i1;K8S_POD_UID=u");
	notes[0].value = "10";
	ok(!cni_capabilities(&s, &e) && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "ingress-bandwidth"));
	s.name = "x;K8S_POD_NAMESPACE=kube-system";
	ok(!cni_args(&s, arena, &e) && e.code == ERR_INVALID_ARGUMENT);
	s.name = "x=y"; /* plugins refuse it, in DEL too */
	ok(!cni_args(&s, arena, &e) && e.code == ERR_INVALID_ARGUMENT);
}

int main(void)
{
	arena = arena_new();
	ok(mkdtemp(dir) != NULL);
	a_list_is_brought_into_one_form();
	a_single_plugin_is_wrapped();
	the_newest_common_version_is_taken();
	what_is_no_configuration_is_refused_by_name();
	the_first_file_that_is_not_broken_counts();
	a_plugin_gets_the_capabilities_it_declares();
	addresses_of_eth0_with_ipv4_first();
	what_is_no_result_is_refused();
	an_error_is_told_in_one_line();
	quantities_are_kubernetes_quantities();
	pod_facts_become_capabilities();
	ok(rmdir(dir) == 0);
	arena_free(arena);
	return tap_end();
}
