/* What `crisp check` finds of a pod's network and of the node, and what it mends: each thing is broken by hand. */
#include <errno.h>

#include "procs/net/check.h"
#include "procs/net/job.h"
#include "reactor/arena.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/fakes/disk.h"
#include "tests/tap.h"
#include "tests/unit/procs/net/netns_run.h"

static const char ID[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char CAPS[] = "{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":9,\"protocol\":\"tcp\"}]}";
static struct {
	bool ok;
	char result[4096], ip[64], ip2[64];
} got;
static int answers;
static char text[2048];
static struct arena *names;

static void record(void *arg, uint64_t tag, const struct err *e, bool left, const struct job_answer *a)
{
	(void)arg;
	(void)tag;
	(void)left;
	answers++;
	got.ok = !e;
	if (e)
		printf("# %s\n", e->msg);
	snprintf(got.result, sizeof(got.result), "%s", a->result);
	snprintf(got.ip, sizeof(got.ip), "%s", a->ips.n ? a->ips.at[0] : "");
	snprintf(got.ip2, sizeof(got.ip2), "%s", a->ips.n > 1 ? a->ips.at[1] : "");
}

static void run(enum net_message verb)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/pod", node_dir);
	answers = 0;
	job_start(&(struct job_request){ .verb = verb, .id = ID, .netns_path = path, .conf = text, .args = "",
		.caps = CAPS, .result = "" });
	for (int i = 0; i < 200000 && !answers; i++) {
		loop_turn();
		if (!answers)
			usleep(100);
	}
}

/* The findings of a pod, one a line. */
static const char *pod_is(bool repair)
{
	static char out[8192];
	char path[128], cache[128];
	struct findings *f = findings_new();
	const char *ips[] = { got.ip, *got.ip2 ? got.ip2 : NULL, NULL };

	snprintf(path, sizeof(path), "%s/pod", node_dir);
	snprintf(cache, sizeof(cache), "%s/cache", node_dir);
	check_pod(&(struct check_pod){ .id = ID, .netns_path = path, .conf = text, .caps = CAPS, .result = got.result,
				       .ips = ips, .cache = cache }, repair, f);
	out[0] = '\0';
	for (const char *const *at = findings_text(f); *at; at += 2)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s %s", *out ? "\n" : "", at[0], at[1]);
	findings_free(f);
	return out;
}

static const char *node_is(bool repair, const char *known)
{
	static char out[8192];
	char cache[128];
	struct findings *f = findings_new();

	snprintf(cache, sizeof(cache), "%s/cache", node_dir);
	check_node(&(struct check_node){ cache, "/my/root", &known, known != NULL }, repair, f);
	out[0] = '\0';
	for (const char *const *at = findings_text(f); *at; at += 2)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s %s", *out ? "\n" : "", at[0], at[1]);
	findings_free(f);
	return out;
}

/* Broken by `command`: it is told as `what`, and mended; or it stays. */
static void broken(const char *what, const char *command, bool mends)
{
	char want[512];
	bool told;

	yes("%s", command);
	snprintf(want, sizeof(want), "left sandbox 0123456789ab: %s", what);
	told = strstr(pod_is(false), want) != NULL;
	ok(told);
	if (!told)
		printf("# wanted: %s\n# %s\n", want, pod_is(false));
	snprintf(want, sizeof(want), "%s sandbox 0123456789ab: %s", mends ? "mended" : "left", what);
	told = strstr(pod_is(true), want) != NULL;
	ok(told);
	if (!told)
		printf("# wanted: %s\n# %s\n", want, pod_is(true));
	if (mends)
		is_str(pod_is(false), "");
}

static void a_pod_of_a_bridge(void)
{
	snprintf(text, sizeof(text), "{\"cniVersion\":\"1.0.0\",\"name\":\"lab\",\"plugins\":[{\"type\":\"bridge\","
		 "\"bridge\":\"br-lab\",\"isGateway\":true,\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\","
		 "\"dataDir\":\"%s/leases\",\"ranges\":[[{\"subnet\":\"10.9.0.0/24\"}],[{\"subnet\":\"fd09::/64\"}]],"
		 "\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
		 "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}", node_dir);
	pod_make("pod");
	run(NET_ADD);
	ok(got.ok);
	is_str(pod_is(false), "");
	is_str(pod_is(true), "");
	setenv("H", said("ip -o link | grep -o 'veth[0-9a-f]*' | head -1"), 1);
	broken("its address 10.9.0.2 is not reserved in", "rm $D/leases/lab/10.9.0.2", true);
	is_str(said("tr '\\r\\n' '+ ' <$D/leases/lab/10.9.0.2"), said("printf '%s+ eth0'", ID));
	disk_fails("10.9.0.2", EIO, 0);
	broken("the file of its address 10.9.0.2 in", "true", false);
	disk_fails("", 0, 0);
	is_str(pod_is(false), "");
	broken("bridge br-lab is down", "ip link set br-lab down", true);
	broken("bridge br-lab has lost the address 10.9.0.1/24", "ip addr del 10.9.0.1/24 dev br-lab", true);
	broken(arena_printf(names, "its device %s is down", getenv("H")), "ip link set $H down", true);
	broken(arena_printf(names, "its device %s is no port of bridge br-lab", getenv("H")),
	        "ip link set $H nomaster", true);
	broken("10.9.0.2 is not masqueraded", "nft flush chain inet crisp $(nft list chains | grep -o 'masq-[0-9a-f]*' "
	       "| head -1)", true);
	broken("10.9.0.2 is not masqueraded", "nft flush ruleset", true);
	broken("its hostPorts do not lead to 10.9.0.2", "nft delete element inet crisp port4 '{ tcp . 8080 }'", true);
	broken("its hostPorts do not lead to fd09::2", "nft flush chain inet crisp ports-in", true);
	broken("the node does not forward packets of IPv4", "echo 0 >/proc/sys/net/ipv4/ip_forward", true);
	broken("its device eth0 has not the address 10.9.0.2/24",
	       "nsenter --net=$D/pod ip addr del 10.9.0.2/24 dev eth0", false);
	broken("it has no route to 0.0.0.0/0", "true", false);
	yes("nsenter --net=$D/pod ip addr add 10.9.0.2/24 dev eth0; "
	    "nsenter --net=$D/pod ip route add default via 10.9.0.1");
	is_str(pod_is(false), "");
	broken("its device eth0 is down", "nsenter --net=$D/pod ip link set eth0 down", false);
	yes("nsenter --net=$D/pod ip link set eth0 up; nsenter --net=$D/pod ip route add default via 10.9.0.1");
	broken("libcni's file", "mv $D/cache/results/lab-* $D/cache/kept", false);
	yes("mv $D/cache/kept $D/cache/results/lab-%s-eth0", ID);
	/* the address of another one: its rules are not taken from it */
	broken("its address 10.9.0.2 is reserved for another one",
	       "printf 'other\\r\\neth0' >$D/leases/lab/10.9.0.2", false);
	yes("nft flush ruleset");
	pod_is(true);
	ok(!yes("nft list ruleset | grep -q '10.9.0.2 comment'"));
	yes("printf '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\\r\\neth0' "
	    ">$D/leases/lab/10.9.0.2");
	ok(strstr(pod_is(true), "mended"));
	broken("it has no device eth0", "nsenter --net=$D/pod ip link set eth0 name eth7", false);
	broken("its device", "nsenter --net=$D/pod ip link del eth7", false);
	run(NET_DEL);
	ok(got.ok);
	pod_drop("pod");
}

static void a_pod_of_points(void)
{
	snprintf(text, sizeof(text), "{\"cniVersion\":\"1.0.0\",\"name\":\"lab\",\"plugins\":[{\"type\":\"ptp\","
		 "\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/leases\","
		 "\"ranges\":[[{\"subnet\":\"10.11.0.0/24\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}]}", node_dir);
	pod_make("pod");
	run(NET_ADD);
	ok(got.ok);
	is_str(pod_is(false), "");
	setenv("H", said("ip -o link | grep -o 'veth[0-9a-f]*' | head -1"), 1);
	broken("the node has no route to 10.11.0.2", "ip route del 10.11.0.2", true);
	broken(arena_printf(names, "its device %s is down", getenv("H")), "ip link set $H down", true);
}

/* The node: elements of nobody go, those of another instance stay; the empty table goes. */
static void the_node(void)
{
	is_str(node_is(false, ID), "");
	ok(strstr(node_is(false, NULL), "nftables set inet crisp masq-"));
	ok(strstr(node_is(false, NULL), "of sandbox 0123456789ab, which is not there"));
	ok(strstr(node_is(false, NULL), "device veth"));
	yes("sed -i s,/my/root,/other/root, $D/cache/results/lab-*");
	is_str(node_is(true, NULL), "");
	yes("sed -i s,/other/root,/my/root, $D/cache/results/lab-*");
	ok(strstr(node_is(true, NULL), "mended nftables set inet crisp masq-"));
	ok(!yes("nft list table inet crisp 2>/dev/null"));
	ok(strstr(node_is(true, NULL), "left device veth"));
	run(NET_DEL);
	is_str(node_is(true, NULL), "");
	is_str(node_is(false, NULL), "");
}

int main(void)
{
	if (!node_make()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	names = arena_new();
	jobs_open(said("echo $D/cache"), "/my/root", record, NULL);
	a_pod_of_a_bridge();
	a_pod_of_points();
	the_node();
	arena_free(names);
	return tap_end();
}
