/* test_update.c - procs/update.c: new limits in each state of a container, and what is undone when they are refused. */
#include "procs/update.h"

#include <stdlib.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/life.h"
#include "procs/spec/part.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	struct err err;
};

static const struct resources none = { .set = true, .cpuset_cpus = "", .cpuset_mems = "" };

const struct spec_host *spec_host(void)
{
	static const struct spec_host host = { .swap_accounting = true, .hugetlb = true, .cgroup_v2 = true };

	return &host;
}

void runtime_features(const struct runtime_handler *handler, struct runtime_features *out)
{
	(void)handler;
	*out = (struct runtime_features){ .lifts_quota = true };
}

static void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->err = e ? *e : (struct err){ 0 };
}

/* config.json as CreateContainer left it, with 100 shares and a device list. */
static struct container *with_config(struct container *c)
{
	auto_json json_t *j =
		json_pack("{s:{s:{s:[s],s:{s:i}}}}", "linux", "resources", "devices", "deny all", "cpu", "shares", 100);
	struct err e;

	ok(bundle_write_config(c->bundle, j, &e) == 0);
	c->config.resources = none;
	c->config.resources.cpu_shares = 100;
	return c;
}

static const char *config_path(const struct container *c)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/config.json", c->bundle);
	return path;
}

static const char *config_of(const struct container *c)
{
	static char text[512];
	struct err e;
	auto_json json_t *j = bundle_read_config(c->bundle, &e);
	char *s = json_dumps(json_object_get(json_object_get(j, "linux"), "resources"), JSON_COMPACT | JSON_SORT_KEYS);

	snprintf(text, sizeof(text), "%s", s ? s : "");
	free(s);
	return text;
}

static void gone(struct container *c)
{
	struct sandbox *s = c->sandbox;

	container_free(c);
	sandbox_free(s);
}

static void created_takes_them_on_paper(void)
{
	struct container *c = with_config(fake_container());
	struct resources r = none;
	struct result res = { 0 };

	r.memory_limit = 1000;
	update_start(c, &r, record, &res);
	ok(res.calls == 0);
	world_settle();
	ok(res.calls == 1 && res.err.code == ERR_OK && !*fake_calls);
	is_str(config_of(c),
	       "{\"cpu\":{\"shares\":100},\"devices\":[\"deny all\"],\"memory\":{\"limit\":1000,\"swap\":1000}}");
	ok(c->config.resources.memory_limit == 1000 && c->config.resources.cpu_shares == 100);
	gone(c);
}

static void running_asks_the_runtime_first(void)
{
	struct container *c = with_config(fake_running(0));
	struct resources r = none;
	struct result res = { 0 };

	r.cpu_shares = 200;
	update_start(c, &r, record, &res);
	world_settle();
	ok(res.calls == 0 && fake_runtime_pending());
	is_str(fake_update, "{\"cpu\":{\"shares\":200},\"memory\":{}}");
	ok(c->config.resources.cpu_shares == 100);
	fake_runtime_ok(0);
	ok(res.calls == 1 && res.err.code == ERR_OK && c->config.resources.cpu_shares == 200);
	ok(strstr(config_of(c), "200") != NULL);

	/* After a refusal the old limits are set again, because some of the new ones may have been applied. */
	r.cpu_shares = 300;
	update_start(c, &r, record, &res);
	world_settle();
	fake_runtime_fail(ERR_INTERNAL, "no");
	ok(res.calls == 1 && fake_runtime_pending());
	is_str(fake_update, "{\"cpu\":{\"shares\":200},\"memory\":{}}");
	fake_runtime_ok(0);
	ok(res.calls == 2 && res.err.code == ERR_INTERNAL && strstr(res.err.msg, "no") &&
	   c->config.resources.cpu_shares == 200);
	ok(strstr(config_of(c), "200") != NULL);

	/* config.json cannot be rewritten: the runtime is asked to set the old limits again. */
	unlink(config_path(c));
	update_start(c, &r, record, &res);
	world_settle();
	fake_runtime_ok(0);
	ok(res.calls == 2 && fake_runtime_pending());
	fake_runtime_fail(ERR_INTERNAL, "nor that");
	ok(res.calls == 3 && res.err.code == ERR_INTERNAL && c->config.resources.cpu_shares == 200);
}

static void ended_meanwhile(void)
{
	struct container *c = with_config(fake_running(0));
	struct resources r = none;
	struct result res = { 0 };

	r.cpu_shares = 200;
	update_start(c, &r, record, &res);
	world_settle();
	container_set_exited(c, 0, "Completed", "", 1);
	fake_runtime_fail(ERR_INTERNAL, "no such process");
	ok(res.calls == 1 && res.err.code == ERR_OK && c->config.resources.cpu_shares == 200);
	/* After a reboot only the record is left. */
	unlink(config_path(c));
	r.cpu_shares = 300;
	update_start(c, &r, record, &res);
	world_settle();
	ok(res.calls == 2 && res.err.code == ERR_OK && c->config.resources.cpu_shares == 300);
}

static void contradictions(void)
{
	struct container *c = with_config(fake_container());
	struct result res = { 0 };
	const struct resources bad[] = {
		{ .set = true, .cpuset_cpus = "", .cpuset_mems = "", .memory_limit = 10, .memory_swap_limit = 5 },
		{ .set = true, .cpuset_cpus = "", .cpuset_mems = "", .cpu_period = 999 },
		{ .set = true, .cpuset_cpus = "", .cpuset_mems = "", .cpu_quota = 999 },
		{ .set = true, .cpuset_cpus = "all", .cpuset_mems = "" },
		{ .set = true, .cpuset_cpus = "", .cpuset_mems = "\n" },
		{ .set = true, .cpuset_cpus = "", .cpuset_mems = "",
		  .unified = { (struct pair[]){ { "memory.high", "\xff" } }, 1 } },
	};
	const char *before = strdup(config_of(c));

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		update_start(c, &bad[i], record, &res);
		world_settle();
		ok(res.calls == (int)i + 1 && res.err.code == ERR_INVALID_ARGUMENT);
	}
	is_str(config_of(c), before);
	free((char *)before);
	gone(c);
}

static void merged_by_key(void)
{
	struct arena *a = arena_new();
	struct pair have[] = { { "a", "1" }, { "c", "1" } }, want[] = { { "b", "2" }, { "c", "2" } };
	struct hugepage_limit pages[] = { { "2MB", 1 }, { "1GB", 1 } }, more[] = { { "1GB", 2 }, { "64kB", 2 } };
	struct resources old = none, asked = none, r;

	old.unified = (struct pairs){ have, 2 };
	asked.unified = (struct pairs){ want, 2 };
	old.hugepages.at = pages;
	asked.hugepages.at = more;
	old.hugepages.n = asked.hugepages.n = 2;
	old.oom_score_adj = 5;
	asked.oom_score_adj = 6;
	r = resources_merge(&old, &asked, a);
	ok(r.unified.n == 3 && r.oom_score_adj == 5);
	is_str(pairs_get(&r.unified, "a"), "1");
	is_str(pairs_get(&r.unified, "b"), "2");
	is_str(pairs_get(&r.unified, "c"), "2");
	ok(r.hugepages.n == 3 && r.hugepages.at[1].limit == 2 && r.hugepages.at[0].limit == 1);
	is_str(r.hugepages.at[2].page_size, "64kB");
	arena_free(a);
}

int main(void)
{
	created_takes_them_on_paper();
	contradictions();
	merged_by_key();
	running_asks_the_runtime_first();
	ended_meanwhile();
	return tap_end();
}
