/* cni_run.h - CNI in a test: a directory with a conflist and programs, and plugins whose answers the test gives. */
#ifndef TESTS_CNI_RUN_H
#define TESTS_CNI_RUN_H

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cni.h"
#include "reactor/loop.h"
#include "tests/fakes/net_child.h"
#include "tests/tap.h"

#define BRIDGE_PORTMAP "{\"cniVersion\":\"1.0.0\",\"name\":\"n1\",\"plugins\":[{\"type\":\"bridge\"}," \
	"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}},{\"type\":\"tuning\"}]}"
#define IP_RESULT                                                                                                      \
	"{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\"}],\"ips\":[{\"address\":\"10.1.2.3/"             \
	"24\",\"interface\":0}]}"

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

static inline void record(void *arg, const struct err *e, const struct cni_result *r)
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

static inline void on_changed(void *arg)
{
	(void)arg;
	changes++;
}

static inline void turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn();
}

static inline void file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static inline void gone(const char *dir, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ok(unlink(path) == 0);
}

static const struct pairs no_pairs;
static const struct dns_config no_dns;

static inline struct cni_sandbox pod(void)
{
	return (struct cni_sandbox){ .id = "i1", .name = "web", .namespace_ = "ns", .uid = "u", .netns_path = netns,
		.annotations = &no_pairs, .cgroup = "", .dns = &no_dns, .conf = "", .result = "" };
}

static inline void begin(const char *conflist)
{
	net_children_reset();
	mkdir(conf, 0755);
	file(conf, "10-n.conflist", conflist, 0644);
	cni_open(&cfg, on_changed, NULL);
}

static inline void end(void)
{
	ok(net_children_live() == 0);
	cni_close();
	gone(conf, "10-n.conflist");
}

static inline void cni_run_begin(void)
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
}

static inline void cni_run_end(void)
{
	gone(top, "netns");
	gone(bin, "bridge");
	gone(bin, "portmap");
	gone(bin, "tuning");
	ok(rmdir(bin) == 0 && rmdir(conf) == 0 && rmdir(top) == 0);
}

#endif
