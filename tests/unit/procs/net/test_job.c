/* Networks of pods, made and taken down by crisp-net's own machine, in a network namespace of the test. */
#include <fcntl.h>
#include <sys/file.h>

#include "procs/net/gc.h"
#include "procs/net/job.h"
#include "procs/net/ports.h"
#include "procs/net/watch.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/procs/net/netns_run.h"

enum { PODS = 4 };
static struct {
	int calls;
	bool ok, left;
	enum err_code code;
	char msg[1024], result[4096], ip[64], ip2[64];
} got[PODS];
static char ids[PODS][65];

static void record(void *arg, uint64_t tag, const struct err *e, bool left, const struct job_answer *a)
{
	(void)arg;
	got[tag].calls++;
	got[tag].ok = !e;
	got[tag].left = left;
	got[tag].code = e ? e->code : ERR_OK;
	snprintf(got[tag].msg, sizeof(got[tag].msg), "%s", e ? e->msg : "");
	snprintf(got[tag].result, sizeof(got[tag].result), "%s", a->result);
	snprintf(got[tag].ip, sizeof(got[tag].ip), "%s", a->ips.n ? a->ips.at[0] : "");
	snprintf(got[tag].ip2, sizeof(got[tag].ip2), "%s", a->ips.n > 1 ? a->ips.at[1] : "");
}

static const char *conf(const char *keys, const char *ranges)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		 "{\"cniVersion\":\"1.0.0\",\"name\":\"lab\",\"plugins\":[{\"type\":\"bridge\",\"bridge\":\"br-lab\"%s,"
		 "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/leases\",%s}}]}", keys, node_dir, ranges);
	return text;
}

static const char GATEWAY[] = ",\"isGateway\":true,\"ipMasq\":true";
static const char RANGE[] = "\"ranges\":[[{\"subnet\":\"10.9.0.0/24\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]";

static void begin(int pod, enum net_message verb, const char *netns, const char *text, const char *result)
{
	memset(&got[pod], 0, sizeof(got[pod]));
	job_start(&(struct job_request){ .verb = verb, .tag = (uint64_t)pod, .id = ids[pod], .netns_path = netns,
		.conf = text, .args = "IgnoreUnknown=1;K8S_POD_NAME=p", .caps = "{}", .result = result });
}

static void until(int pod)
{
	for (int i = 0; i < 200000 && !got[pod].calls; i++) {
		loop_turn();
		if (!got[pod].calls)
			usleep(100);
	}
}

static void add(int pod, const char *text)
{
	char name[16], path[128];

	snprintf(name, sizeof(name), "pod%d", pod);
	snprintf(path, sizeof(path), "%s", pod_make(name));
	begin(pod, NET_ADD, path, text, NULL);
	until(pod);
	if (!got[pod].ok)
		printf("# %s\n", got[pod].msg);
}

static void del(int pod, const char *text, const char *result)
{
	char path[128], name[16];

	snprintf(name, sizeof(name), "pod%d", pod);
	snprintf(path, sizeof(path), "%s/%s", node_dir, name);
	begin(pod, NET_DEL, path, text, result);
	until(pod);
	if (!got[pod].ok)
		printf("# %s\n", got[pod].msg);
	pod_drop(name);
}

/* A port without a listener answers that it has none. */
#define REACHES "bash -c 'echo >/dev/tcp/%s/9' 2>&1 | grep -q refused"
static bool reached(const char *ip)
{
	return yes("timeout 3 " REACHES, ip);
}

/* A new IPv6 address of the bridge itself is looked for on the network for a second or two. */
static bool reached_in_time(const char *ip)
{
	return yes("for i in $(seq 100); do timeout 3 " REACHES " && exit; sleep 0.1; done; exit 1", ip);
}

static int leases(void)
{
	return atoi(said("ls $D/leases/lab 2>/dev/null | grep -c '^[0-9f]'"));
}

static void a_pod_is_reached_and_goes(void)
{
	char result[4096];

	add(0, conf(GATEWAY, RANGE));
	ok(got[0].ok);
	is_str(got[0].ip, "10.9.0.2");
	ok(reached("10.9.0.2"));
	ok(in_pod("pod0", REACHES, "10.9.0.1"));
	is_str(said("cat $D/leases/lab/10.9.0.2 | tr '\\r\\n' '+ '"), said("printf %%s '%s+ eth0'", ids[0]) );
	is_str(said("stat -c %%a $D/leases/lab/10.9.0.2"), "600");
	is_str(said("cat $D/leases/lab/last_reserved_ip.0"), "10.9.0.2");
	ok(yes("nft list table inet crisp | grep -q 'elements.*10.9.0.2 comment \"%s\"'", ids[0]));
	ok(yes("nft list table inet crisp | grep -q 'ip saddr @masq-[0-9a-f]* ip daddr != 10.9.0.0/24 "
	       "ip daddr != 224.0.0.0/4 masquerade'"));
	ok(in_pod("pod0", "sh -c 'ip route | grep -q \"default via 10.9.0.1 dev eth0\"'"));
	ok(yes("jq -e '.kind == \"cniCacheV1\" and .crisp == \"/my/root\" and .cniArgs[1][1] == \"p\" and "
	       "(.config | @base64d | fromjson | .name == \"lab\") and .result.ips[0].address == \"10.9.0.2/24\"' "
	       "$D/cache/results/lab-%s-eth0 >/dev/null", ids[0]));
	ok(yes("grep -qx 0 /proc/sys/net/ipv6/conf/br-lab/accept_ra"));
	ok(yes("grep -qx 0 /proc/sys/net/ipv6/conf/$(ip -o link | grep -o 'veth[0-9a-f]*' | head -1)/accept_ra"));
	snprintf(result, sizeof(result), "%s", got[0].result);
	del(0, conf(GATEWAY, RANGE), result);
	ok(got[0].ok && leases() == 0);
	ok(!yes("nft list table inet crisp | grep -q 10.9.0.2"));
	ok(!yes("ls $D/cache/results/* 2>/dev/null"));
	del(0, conf(GATEWAY, RANGE), result);
	ok(got[0].ok);
}

static void without_a_result_its_files_tell(void)
{
	add(0, conf(GATEWAY, RANGE));
	is_str(got[0].ip, "10.9.0.3");
	del(0, conf(GATEWAY, RANGE), "");
	ok(got[0].ok && leases() == 0);
	ok(!yes("nft list table inet crisp | grep -q 10.9.0.3"));
}

static void a_full_subnet_is_named(void)
{
	const char *text = conf(GATEWAY, "\"ranges\":[[{\"subnet\":\"10.9.0.0/24\",\"rangeStart\":\"10.9.0.10\","
					 "\"rangeEnd\":\"10.9.0.11\"}]]");

	add(0, text);
	add(1, text);
	ok(got[0].ok && got[1].ok);
	add(2, text);
	ok(!got[2].ok && got[2].code == ERR_RESOURCE_EXHAUSTED && !got[2].left);
	ok(strstr(got[2].msg, "network lab") && strstr(got[2].msg, "10.9.0.10 to 10.9.0.11"));
	del(0, text, "");
	pod_drop("pod2");
	add(2, text);
	is_str(got[2].ip, "10.9.0.10");
	ok(reached("10.9.0.10"));
	del(1, text, "");
	del(2, text, "");
	ok(leases() == 0);
}

/* Somebody holds the lock: pods of that network wait in order, a pod of another network does not. */
static void a_held_lock_holds_its_network_only(void)
{
	char other[2048], path[128];
	int lock;

	snprintf(other, sizeof(other), "%s", conf(GATEWAY, "\"ranges\":[[{\"subnet\":\"10.9.0.0/24\"}]]"));
	memcpy(strstr(other, "\"lab\""), "\"sea\"", 5);
	lock = open(said("echo $D/leases/lab/lock"), O_RDONLY | O_CLOEXEC);
	ok(lock >= 0 && flock(lock, LOCK_EX) == 0);
	snprintf(path, sizeof(path), "%s", pod_make("pod0"));
	begin(0, NET_ADD, path, conf(GATEWAY, RANGE), NULL);
	snprintf(path, sizeof(path), "%s", pod_make("pod1"));
	begin(1, NET_ADD, path, conf(GATEWAY, RANGE), NULL);
	add(2, other);
	ok(got[2].ok && !got[0].calls && !got[1].calls);
	close(lock);
	until(0);
	until(1);
	ok(got[0].ok && got[1].ok && strcmp(got[0].ip, got[1].ip) < 0);
	del(0, conf(GATEWAY, RANGE), "");
	del(1, conf(GATEWAY, RANGE), "");
	del(2, other, "");
	ok(leases() == 0);
}

/* crispd gave the ADD up: its DEL comes while it waits, and nothing is made afterwards. */
static void a_del_ends_the_add(void)
{
	int lock = open(said("echo $D/leases/lab/lock"), O_RDONLY | O_CLOEXEC);
	char path[128];

	flock(lock, LOCK_EX);
	snprintf(path, sizeof(path), "%s", pod_make("pod0"));
	begin(0, NET_ADD, path, conf(GATEWAY, RANGE), NULL);
	loop_turn();
	ok(!got[0].calls);
	job_start(&(struct job_request){ .verb = NET_DEL, .tag = 1, .id = ids[0], .netns_path = path,
		.conf = conf(GATEWAY, RANGE), .result = "" });
	ok(got[0].calls == 1 && got[0].code == ERR_ABORTED);
	close(lock);
	until(1);
	ok(got[1].ok && leases() == 0);
	pod_drop("pod0");
}

static void a_bridge_with_another_address(void)
{
	yes("ip addr add 10.8.0.1/24 dev br-lab && ip addr del 10.9.0.1/24 dev br-lab");
	add(0, conf(GATEWAY, RANGE));
	ok(!got[0].ok && got[0].code == ERR_FAILED_PRECONDITION && !got[0].left);
	ok(strstr(got[0].msg, "br-lab") && strstr(got[0].msg, "10.8.0.1/24") && strstr(got[0].msg, "10.9.0.1/24"));
	ok(leases() == 0 && !in_pod("pod0", "ip link show %s 2>/dev/null", "eth0"));
	pod_drop("pod0");
	add(0, conf(",\"isGateway\":true,\"forceAddress\":true", RANGE));
	ok(got[0].ok && reached(got[0].ip));
	del(0, conf(GATEWAY, RANGE), "");
}

static void a_device_that_is_no_bridge(void)
{
	yes("ip link del br-lab; ip link add br-lab type veth peer name other");
	add(0, conf(GATEWAY, RANGE));
	ok(!got[0].ok && got[0].code == ERR_FAILED_PRECONDITION && strstr(got[0].msg, "is no bridge"));
	ok(leases() == 0 && !got[0].left);
	pod_drop("pod0");
	yes("ip link del br-lab");
}

/* Made by hand, with a port that is gone: it has no MAC, and the bridge plugin fails on it. */
static void a_bridge_that_lost_its_mac(void)
{
	yes("ip link add br-lab type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br-lab; "
	    "ip link del v0");
	add(0, conf(GATEWAY, RANGE));
	ok(got[0].ok && reached(got[0].ip));
	is_str(said("cat /sys/class/net/br-lab/addr_assign_type 2>/dev/null || echo 3"), "3");
	del(0, conf(GATEWAY, RANGE), "");
}

static void flushed_rules_come_with_the_next_pod(void)
{
	add(0, conf(GATEWAY, RANGE));
	ok(got[0].ok);
	yes("nft flush ruleset");
	add(1, conf(GATEWAY, RANGE));
	ok(got[1].ok && yes("nft list table inet crisp | grep -q %s", got[1].ip));
	job_start(&(struct job_request){ .verb = NET_SYNC, .tag = 2, .conf = conf(GATEWAY, RANGE),
		.id = ids[0], .ips = (const char *const[]){ got[0].ip, NULL } });
	ok(yes("nft list table inet crisp | grep -q '%s comment \"%s\"'", got[0].ip, ids[0]));
	yes("nft flush chain inet crisp $(nft list table inet crisp | awk '$1 == \"chain\" { print $2 }')");
	job_start(&(struct job_request){ .verb = NET_DEL, .tag = 3, .id = ids[3], .netns_path = "",
		.conf = conf(GATEWAY, RANGE), .result = "" });
	job_start(&(struct job_request){ .verb = NET_SYNC, .tag = 2, .conf = conf(GATEWAY, RANGE),
		.id = ids[0], .ips = (const char *const[]){ got[0].ip, NULL } });
	ok(yes("nft list table inet crisp | grep -q masquerade"));
	del(0, conf(GATEWAY, RANGE), "");
	del(1, conf(GATEWAY, RANGE), "");
	ok(!yes("nft list table inet crisp | grep -q elements"));
}

/* Whoever may not change nftables plays the kernel that has none: 3 when the error is the right one. */
static int asked_without_rights(void)
{
	pid_t pid = fork();
	struct err e;
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) == 0 && ports_able(&e) < 0 && e.code == ERR_UNIMPLEMENTED &&
			      strstr(e.msg, "Operation not permitted") ? 3 : 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The question changes nothing, with and without the table. */
static void the_kernel_is_asked(void)
{
	const char *rules;
	struct err e;

	yes("nft flush ruleset");
	ok(ports_able(&e) == 0);
	is_str(said("nft list ruleset"), "");
	add(0, conf(GATEWAY, RANGE));
	rules = said("nft list ruleset");
	ok(*rules && ports_able(&e) == 0);
	is_str(said("nft list ruleset"), rules);
	ok(asked_without_rights() == 3);
	del(0, conf(GATEWAY, RANGE), "");
}

static int losses;

static void on_lost(void)
{
	losses++;
}

static void only_what_others_remove_is_a_loss(void)
{
	watch_open(on_lost);
	add(0, conf(GATEWAY, RANGE));
	del(0, conf(GATEWAY, RANGE), "");
	yes("nft add table inet other; nft delete table inet other");
	for (int i = 0; i < 400; i++) {
		loop_turn();
		usleep(1000);
	}
	ok(losses == 0);
	yes("nft flush ruleset");
	for (int i = 0; i < 5000 && !losses; i++) {
		loop_turn();
		usleep(1000);
	}
	ok(losses == 1);
}

/* An element of an earlier owner is taken over; the earlier owner's DEL leaves it alone. */
static void an_element_has_one_owner(void)
{
	char old[4096];

	add(0, conf(GATEWAY, RANGE));
	snprintf(old, sizeof(old), "%s", got[0].result);
	yes("rm $D/leases/lab/%s; echo 10.9.0.1 > $D/leases/lab/last_reserved_ip.0; ip link del $(ip -o link | "
	    "grep -o 'veth[0-9a-f]*' | head -1)", got[0].ip);
	yes("printf %%s %s > $D/leases/lab/last_reserved_ip.0", "10.9.0.1");
	add(1, conf(GATEWAY, said("printf %%s '\"ranges\":[[{\"subnet\":\"10.9.0.0/24\",\"rangeStart\":\"%s\"}]]'",
				  got[0].ip)));
	is_str(got[1].ip, got[0].ip);
	del(0, conf(GATEWAY, RANGE), old);
	ok(got[0].ok && leases() == 1);
	ok(yes("nft list table inet crisp | grep -q '%s comment \"%s\"'", got[1].ip, ids[1]));
	del(1, conf(GATEWAY, RANGE), "");
}

static void two_families(void)
{
	static const char ranges[] = "\"ranges\":[[{\"subnet\":\"fd09:9::/64\"}],[{\"subnet\":\"10.9.0.0/24\"}]]";

	add(0, conf(",\"isDefaultGateway\":true,\"ipMasq\":true", ranges));
	ok(got[0].ok);
	is_str(got[0].ip2, "fd09:9::2");
	ok(reached_in_time("fd09:9::2"));
	ok(reached(got[0].ip));
	ok(in_pod("pod0", "sh -c 'ip -6 route | grep -q \"default via fd09:9::1\" && ip route | grep -q default'"));
	ok(yes("nft list table inet crisp | grep -q 'ip6 saddr @masq.*masquerade'"));
	del(0, conf(",\"isDefaultGateway\":true,\"ipMasq\":true", ranges), "");
	ok(got[0].ok && leases() == 0);
}

/* kindnet's network: a device for each pod, and the gateway's address on all of them. */
static void point_to_point(void)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"cniVersion\":\"0.3.1\",\"name\":\"lab\",\"plugins\":["
		 "{\"type\":\"ptp\",\"mtu\":1400,\"ipMasq\":true,"
		 "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/leases\",\"ranges\":"
		 "[[{\"subnet\":\"10.11.0.0/24\"}],[{\"subnet\":\"fd11::/64\"}]],"
		 "\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}}]}", node_dir);
	add(0, text);
	add(1, text);
	ok(got[0].ok && got[1].ok);
	ok(reached(got[0].ip) && reached(got[0].ip2) && reached(got[1].ip));
	ok(in_pod("pod0", REACHES, got[1].ip) && in_pod("pod0", REACHES, got[1].ip2));
	ok(in_pod("pod0", "sh -c 'ip route | tr -s \" \" | sort | tr \"\\n\" \";\" | grep -q \""
		  "10.11.0.0/24 via 10.11.0.1 dev eth0 src 10.11.0.2 ;"
		  "10.11.0.1 dev eth0 scope link src 10.11.0.2 ;default via 10.11.0.1 dev eth0\"'"));
	ok(in_pod("pod0", "sh -c 'ip link show eth0 | grep -q \"mtu 1400\"'"));
	ok(strstr(got[0].result, "\"interface\":1") && strstr(got[0].result, "\"version\":\"4\""));
	del(0, text, "");
	ok(got[0].ok && leases() == 2 && reached(got[1].ip));
	del(1, text, "");
	ok(leases() == 0 && !yes("ip route | grep -q 10.11.0"));
}

static void host_ports_lead_to_their_pod(void)
{
	static const char caps[] = "{\"portMappings\":["
		"{\"hostPort\":8080,\"containerPort\":9,\"protocol\":\"tcp\",\"hostIP\":\"\"},"
		"{\"hostPort\":8081,\"containerPort\":9,\"protocol\":\"udp\",\"hostIP\":\"10.9.0.1\"}]}";
	char text[2048], path[128];

	snprintf(text, sizeof(text), "%s", conf(GATEWAY, RANGE));
	snprintf(strrchr(text, ']'), 100, ",{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}");
	snprintf(path, sizeof(path), "%s", pod_make("pod0"));
	memset(&got[0], 0, sizeof(got[0]));
	for (int verb = NET_ADD; verb <= NET_DEL; verb++) {
		got[0].calls = 0;
		job_start(&(struct job_request){ .verb = (enum net_message)verb, .tag = 0, .id = ids[0],
			.netns_path = path, .conf = text, .args = "", .caps = caps, .result = "" });
		until(0);
		ok(got[0].ok);
		if (verb == NET_DEL)
			break;
		ok(yes("nft list map inet crisp port4 | tr -d '\n' | tr -s ' \t' | "
		       "grep -q 'elements = { tcp . 8080 comment \"%s\" : %s . 9 }'", ids[0], got[0].ip));
		ok(yes("nft list map inet crisp port4-ip | grep -q '10.9.0.1 . udp . 8081 comment'"));
		ok(yes("nft list chain inet crisp ports | grep -q 'dnat ip to meta l4proto . th dport map @port4$'"));
		ok(yes("nft list chain inet crisp ports-in | grep -q 'fib daddr type local jump ports'"));
		ok(yes("nft list table inet crisp | "
		       "grep -q 'ip saddr 10.9.0.0/24 ct status dnat ip daddr @snat-.* masquerade'"));
		/* the pod has no listener: the answer is the pod's */
		ok(yes("timeout 3 bash -c 'echo >/dev/tcp/127.0.0.1/8080' 2>&1 | grep -q refused"));
		yes("nft flush ruleset");
		job_start(&(struct job_request){ .verb = NET_SYNC, .tag = 2, .id = ids[0], .conf = text, .caps = caps,
			.ips = (const char *const[]){ got[0].ip, NULL } });
		ok(yes("nft list map inet crisp port4 | grep -q 'tcp . 8080'"));
	}
	ok(!yes("nft list ruleset | grep -q elements"));
	pod_drop("pod0");
}

static void rubbish_in_an_address_file_holds_that_address_only(void)
{
	yes("head -c 3000 /dev/urandom > $D/leases/lab/10.9.0.2; mkfifo $D/leases/lab/10.9.0.3; "
	    "mkdir $D/leases/lab/10.9.0.4; ln -s /etc/passwd $D/leases/lab/10.9.0.5; "
	    "echo rubbish > $D/leases/lab/last_reserved_ip.0");
	add(0, conf(GATEWAY, RANGE));
	is_str(got[0].ip, "10.9.0.6");
	del(0, conf(GATEWAY, RANGE), "");
	ok(got[0].ok && leases() == 4);
	yes("rm -r $D/leases/lab/10.9.0.[2345]");
}

static void a_fifo_in_the_place_of_a_file_holds_nothing(void)
{
	yes("rm -f $D/leases/lab/*; cd $D/leases/lab && mkfifo lock last_reserved_ip.0 crisp.new; "
	    "mkfifo $D/cache/results/lab-%s-eth0", ids[0]);
	add(0, conf(GATEWAY, RANGE));
	ok(!got[0].ok && !got[0].left && strstr(got[0].msg, "/results/lab-"));
	ok(leases() == 0 && !yes("ls $D/cache/results/*%s*", ids[0]));
	pod_drop("pod0");
	add(0, conf(GATEWAY, RANGE)); /* the other FIFOs are there, and the undo has removed that one */
	ok(got[0].ok);
	is_str(got[0].ip, "10.9.0.2");
	del(0, conf(GATEWAY, RANGE), "");
	ok(got[0].ok && leases() == 0);
	yes("rm $D/leases/lab/lock");
}

/* Of two pods that crisp made and no record names, another instance made one; a third one is known. */
static void what_no_sandbox_owns_is_collected(void)
{
	const char *known[] = { ids[2], NULL };

	add(0, conf(GATEWAY, RANGE));
	add(1, conf(GATEWAY, RANGE));
	add(2, conf(GATEWAY, RANGE));
	yes("sed -i s,/my/root,/other/root, $D/cache/results/lab-%s-eth0; echo rubbish > $D/cache/results/x; "
	    "echo '{\"crisp\":\"/my/root\",\"containerId\":7}' > $D/cache/results/y", ids[1]);
	memset(&got[0], 0, sizeof(got[0]));
	gc_start(said("echo $D/cache"), "/my/root", known, 1);
	until(0);
	ok(got[0].ok && leases() == 2);
	ok(!yes("nft list table inet crisp | grep -q %s", ids[0]));
	ok(yes("nft list table inet crisp | grep -q %s", ids[1]) && yes("ls $D/cache/results/*%s* >/dev/null", ids[1]));
	pod_drop("pod0");
	del(1, conf(GATEWAY, RANGE), "");
	del(2, conf(GATEWAY, RANGE), "");
	ok(leases() == 0);
}

/* Recovery found a namespace that no record names: its cache file tells how it was made. */
static void an_orphan_is_told_by_its_cache_file(void)
{
	add(0, conf(GATEWAY, RANGE));
	del(0, "", "");
	ok(got[0].ok && leases() == 0);
	ok(!yes("nft list table inet crisp | grep -q %s", ids[0]));
	del(0, "", "");
	ok(!got[0].ok && got[0].code == ERR_NOT_FOUND && !got[0].left);
}

static void the_file_of_resolv_conf_is_in_the_result(void)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s", conf(GATEWAY, "\"subnet\":\"10.9.0.0/24\",\"resolvConf\":\"/tmp/R\""));
	memcpy(strstr(text, "/tmp/R"), "/none/", 6);
	add(0, text);
	ok(!got[0].ok && strstr(got[0].msg, "/none/") && leases() == 0 && !got[0].left);
	pod_drop("pod0");
	yes("printf '# c\\nnameserver 1.2.3.4\\n nameserver\\tfd00::1 x\\ndomain a.b\\nsearch c d\\nsearch e\\n"
	    "options ndots:5\\nnameserver\\n' > $D/resolv");
	snprintf(text, sizeof(text), "%s",
		 conf(GATEWAY, said("echo '\"subnet\":\"10.9.0.0/24\",\"resolvConf\":\"'$D/resolv'\"'")));
	add(0, text);
	ok(strstr(got[0].result, "\"dns\":{\"domain\":\"a.b\",\"nameservers\":[\"1.2.3.4\",\"fd00::1\"],"
				 "\"options\":[\"ndots:5\"],\"search\":[\"c\",\"d\",\"e\"]}"));
	del(0, text, "");
}

static void the_node_forwards_from_then_on(void)
{
	yes("echo 0 > /proc/sys/net/ipv4/ip_forward");
	add(0, conf(GATEWAY, RANGE));
	is_str(said("cat /proc/sys/net/ipv4/ip_forward"), "1");
	del(0, conf(GATEWAY, RANGE), "");
	yes("echo 0 > /proc/sys/net/ipv4/ip_forward; mount --bind -o ro /proc/sys /proc/sys");
	add(0, conf(GATEWAY, RANGE));
	ok(!got[0].ok && got[0].code == ERR_FAILED_PRECONDITION && strstr(got[0].msg, "/proc/sys/net/ipv4/ip_forward"));
	ok(!got[0].left && leases() == 0 && !in_pod("pod0", "ip link show %s 2>/dev/null", "eth0"));
	pod_drop("pod0");
	yes("umount /proc/sys; echo 1 > /proc/sys/net/ipv4/ip_forward");
}

static void ipv6_that_is_off(void)
{
	static const char ranges[] = "\"ranges\":[[{\"subnet\":\"fd10:9::/64\"}]]";

	yes("echo 1 > /proc/sys/net/ipv6/conf/br-lab/disable_ipv6");
	add(0, conf(GATEWAY, ranges));
	ok(!got[0].ok && strstr(got[0].msg, "br-lab") && strstr(got[0].msg, "IPv6"));
	ok(!got[0].left && leases() == 0);
	pod_drop("pod0");
	yes("echo 0 > /proc/sys/net/ipv6/conf/br-lab/disable_ipv6");
	/* off in the pod only: it is switched on for its device */
	yes("nsenter --net=%s sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'", pod_make("pod0"));
	begin(0, NET_ADD, said("echo $D/pod0"), conf(GATEWAY, ranges), NULL);
	until(0);
	ok(got[0].ok && reached_in_time(got[0].ip));
	del(0, conf(GATEWAY, ranges), "");
}

static void bad_requests(void)
{
	begin(0, NET_ADD, "/proc/self/ns/net", conf(GATEWAY, RANGE), NULL);
	ok(got[0].calls == 1 && got[0].code == ERR_FAILED_PRECONDITION && !got[0].left);
	begin(0, NET_ADD, "/etc/passwd", conf(GATEWAY, RANGE), NULL);
	ok(got[0].code == ERR_FAILED_PRECONDITION);
	begin(0, NET_ADD, "/proc/self/ns/mnt", conf(GATEWAY, RANGE), NULL);
	ok(got[0].code == ERR_FAILED_PRECONDITION);
	begin(0, NET_ADD, "/proc/self/ns/net", "{\"rubbish\":", NULL);
	ok(!got[0].ok && got[0].calls == 1);
	yes("nsenter --net=%s ip link add eth0 type veth peer name other", pod_make("pod0"));
	begin(0, NET_ADD, said("echo $D/pod0"), conf(GATEWAY, RANGE), NULL);
	until(0);
	ok(!got[0].ok && strstr(got[0].msg, "eth0 already") && !got[0].left && leases() == 0);
	pod_drop("pod0");
}

int main(void)
{
	if (!node_make()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	for (int i = 0; i < PODS; i++)
		for (int k = 0; k < 64; k++)
			/* No name of a device comes twice: those of pods before may still be there. */
			ids[i][k] = "0123456789abcdef"[(i * 7 + k * (i + 1) + k / 8 * 3) % 16];
	jobs_open(said("echo $D/cache"), "/my/root", record, NULL);
	a_pod_is_reached_and_goes();
	without_a_result_its_files_tell();
	a_full_subnet_is_named();
	a_held_lock_holds_its_network_only();
	a_del_ends_the_add();
	a_bridge_with_another_address();
	a_device_that_is_no_bridge();
	a_bridge_that_lost_its_mac();
	flushed_rules_come_with_the_next_pod();
	the_kernel_is_asked();
	only_what_others_remove_is_a_loss();
	an_element_has_one_owner();
	two_families();
	point_to_point();
	host_ports_lead_to_their_pod();
	rubbish_in_an_address_file_holds_that_address_only();
	a_fifo_in_the_place_of_a_file_holds_nothing();
	what_no_sandbox_owns_is_collected();
	an_orphan_is_told_by_its_cache_file();
	the_file_of_resolv_conf_is_in_the_result();
	the_node_forwards_from_then_on();
	ipv6_that_is_off();
	bad_requests();
	return tap_end();
}
