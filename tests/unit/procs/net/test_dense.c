/* Many pods on one network: a ptp network of a /20 with as many pods as DENSE_PODS says (60; 1000 in scripts/full),
 * and a bridge to its last port. Times are printed. The last pods must cost the CPU what the first ones do: the kernel
 * works inside of the system calls, and other work on the machine does not count. */
#include <stdint.h>
#include <time.h>

#include "procs/net/job.h"
#include "procs/net/link.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/procs/net/netns_run.h"

static struct {
	int calls, failed;
	enum err_code code;
	char msg[1024], result[4096];
} got;
static char text[2048];

static void record(void *arg, uint64_t tag, const struct err *e, bool left, const struct job_answer *a)
{
	(void)arg;
	(void)tag;
	(void)left;
	got.calls++;
	got.failed += e != NULL;
	if (e) {
		printf("# %s\n", e->msg);
		got.code = e->code;
		snprintf(got.msg, sizeof(got.msg), "%s", e->msg);
	}
	snprintf(got.result, sizeof(got.result), "%s", a->result);
}

static const char *id_of(int pod)
{
	static char id[65];

	snprintf(id, sizeof(id), "%08x%056d", (unsigned)pod * 2654435761u, pod);
	return id;
}

struct cost {
	double ms, cpu_ms;
	char *result; /* owned */
};

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The pod's network namespace is made before. */
static struct cost run(int pod, enum net_message verb, const char *result)
{
	char name[16], path[128];
	struct cost c;
	int64_t since;

	snprintf(name, sizeof(name), "p%d", pod);
	snprintf(path, sizeof(path), "%s/%s", node_dir, name);
	if (verb == NET_ADD)
		pod_make(name);
	got.calls = 0;
	since = loop_mono_ns();
	c.cpu_ms = cpu_ms();
	job_start(&(struct job_request){ .verb = verb, .id = id_of(pod), .netns_path = path, .conf = text, .args = "",
		.caps = "", .result = result });
	while (!got.calls)
		loop_turn();
	c.cpu_ms = cpu_ms() - c.cpu_ms;
	c.ms = (double)(loop_mono_ns() - since) / 1e6;
	c.result = own_must(strdup(got.result));
	if (verb == NET_DEL)
		pod_drop(name);
	return c;
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static double median(const struct cost *of, int n, bool cpu)
{
	auto_free double *sorted = own_must(calloc((size_t)n, sizeof(*sorted)));

	for (int i = 0; i < n; i++)
		sorted[i] = cpu ? of[i].cpu_ms : of[i].ms;
	qsort(sorted, (size_t)n, sizeof(*sorted), compare);
	return sorted[n / 2];
}

static void costs_the_same(const char *what, const struct cost *of, int pods)
{
	int part = pods / 10;
	const struct cost *last = of + pods - part;

	printf("# ptp, %d pods: median of %s, first tenth and last: %.2f and %.2f ms, CPU %.2f and %.2f ms\n", pods,
	       what, median(of, part, false), median(last, part, false), median(of, part, true),
	       median(last, part, true));
	ok(median(last, part, true) < 3 * median(of, part, true));
}

static void a_network_of_points(int pods)
{
	auto_free struct cost *up = own_must(calloc((size_t)pods, sizeof(*up)));
	auto_free struct cost *down = own_must(calloc((size_t)pods, sizeof(*down)));

	snprintf(text, sizeof(text), "{\"cniVersion\":\"1.0.0\",\"name\":\"lab\",\"plugins\":[{\"type\":\"ptp\","
		 "\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/leases\","
		 "\"ranges\":[[{\"subnet\":\"10.16.0.0/20\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}]}", node_dir);
	for (int i = 0; i < pods; i++)
		up[i] = run(i, NET_ADD, "");
	ok(got.failed == 0);
	costs_the_same("ADD", up, pods);
	ok(atoi(said("ls $D/leases/lab | grep -c '^1'")) == pods);
	ok(yes("timeout 3 bash -c 'echo >/dev/tcp/%s/9' 2>&1 | grep -q refused", said("cat $D/leases/lab/last*")));
	for (int i = 0; i < pods; i++)
		down[i] = run(i, NET_DEL, up[i].result);
	ok(got.failed == 0);
	costs_the_same("DEL", down, pods);
	ok(atoi(said("ls $D/leases/lab | grep -c '^1'")) == 0 && !yes("nft list ruleset | grep -q elements"));
	for (int i = 0; i < pods; i++) {
		free(up[i].result);
		free(down[i].result);
	}
}

static double once(int pod, enum net_message verb)
{
	struct cost c = run(pod, verb, "");

	free(c.result);
	return c.ms;
}

/* All ports but two are ends of veth pairs without pods. */
static void a_bridge_to_its_last_port(void)
{
	snprintf(text, sizeof(text), "{\"cniVersion\":\"1.0.0\",\"name\":\"sea\",\"plugins\":[{\"type\":\"bridge\","
		 "\"bridge\":\"br-sea\",\"isGateway\":true,\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\","
		 "\"dataDir\":\"%s/leases\",\"ranges\":[[{\"subnet\":\"10.32.0.0/20\"}]]}}]}", node_dir);
	once(0, NET_ADD);
	ok(got.failed == 0);
	ok(yes("for i in $(seq 1 2 %d); do echo link add d$i master br-sea type veth peer name d$((i + 1)); "
	       "echo link set d$((i + 1)) master br-sea; done >$D/batch; "
	       "{ echo link add d0 master br-sea type veth peer name other; cat $D/batch; } | ip -batch -",
	       BRIDGE_PORTS_MAX - 3));
	printf("# the last port: %.2f ms\n", once(1, NET_ADD));
	ok(got.failed == 0);
	is_str(said("ip -o link show master br-sea | wc -l"), said("echo %d", BRIDGE_PORTS_MAX));
	once(2, NET_ADD);
	ok(got.failed == 1 && got.code == ERR_RESOURCE_EXHAUSTED);
	ok(strstr(got.msg, "the bridge is full, since a bridge takes 1023 ports"));
	is_str(said("ls $D/leases/sea | grep -c '^1'"), "2");
	pod_drop("p2");
	got.failed = 0;
	once(0, NET_DEL);
	once(1, NET_DEL);
	ok(got.failed == 0);
}

int main(void)
{
	const char *pods = getenv("DENSE_PODS");

	if (!node_make()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	jobs_open(said("echo $D/cache"), "/my/root", record, NULL);
	a_network_of_points(pods ? atoi(pods) : 60);
	a_bridge_to_its_last_port();
	return tap_end();
}
