/* test_adjust.c - answers of plugins to CreateContainer: what they make of config.json, whose change is whose, and what
 * is refused by its name. */
#include <string.h>
#include <unistd.h>

#include "handlers/nri/adjust.h"
#include "handlers/nri/message.h"
#include "handlers/nri/owners.h"
#include "handlers/nri/update.h"
#include "reactor/own.h"
#include "tests/tap.h"

#define N(list) (sizeof(list) / sizeof(*(list)))

static const struct resources none = { .cpuset_cpus = "", .cpuset_mems = "" };
static struct arena *a;
static struct nri_adjusting all;
static json_t *owners, *plan;
static struct err e;

static void begin(void)
{
	a = arena_new();
	owners = nri_owners_new();
	plan = own_must(json_pack("{s:{s:[],s:[s,s]},s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}],s:{s:[],s:{s:[]}},s:{s:s,s:s}}",
				  "process", "args", "env", "A=1", "B=2", "mounts", "destination", "/a", "type", "x",
				  "destination", "/a/b", "type", "x", "destination", "/sys/fs/cgroup", "type", "x",
				  "linux", "devices", "resources", "devices", "annotations", "k", "v",
				  "run.oci.seccomp_bpf_data", "old"));
	nri_adjusting_open(&all, "id", owners, &none, a);
}

static void end(void)
{
	nri_adjusting_close(&all);
	json_decref(owners);
	json_decref(plan);
	arena_free(a);
}

static Nri__ContainerAdjustment *adjustment(void)
{
	Nri__ContainerAdjustment *x = arena_zalloc(a, sizeof(*x));

	nri__container_adjustment__init(x);
	x->linux = arena_zalloc(a, sizeof(*x->linux));
	nri__linux_container_adjustment__init(x->linux);
	return x;
}

static int answer(const char *plugin, const Nri__ContainerAdjustment *x)
{
	return nri_adjust(&all, plugin, x, plan, &e);
}

static Nri__ContainerAdjustment *with_env(const char *name, const char *value)
{
	Nri__ContainerAdjustment *x = adjustment();
	Nri__KeyValue *kv = arena_zalloc(a, sizeof(*kv));

	nri__key_value__init(kv);
	kv->key = (char *)name;
	kv->value = (char *)value;
	x->env = arena_memdup(a, &kv, sizeof(kv));
	x->n_env = 1;
	return x;
}

static Nri__Mount *mount_at(const char *to)
{
	Nri__Mount *m = arena_zalloc(a, sizeof(*m));

	nri__mount__init(m);
	m->destination = (char *)to;
	m->type = (char *)"tmpfs";
	return m;
}

static const char *text_at(const json_t *j)
{
	return json_text(a, j);
}

/* ---- owners ---- */

static void what_one_has_set_no_other_may(void)
{
	begin();
	ok(answer("10-one", with_env("A", "x")) == 0);
	ok(answer("20-two", with_env("A", "y")) < 0 && e.code == ERR_INVALID_ARGUMENT);
	is_str(e.msg, "NRI plugins 10-one and 20-two both change env A");
	ok(answer("10-one", with_env("A", "z")) == 0);
	end();
}

static void what_was_taken_away_may_be_set_by_the_taker_alone(void)
{
	Nri__ContainerAdjustment *both;

	begin();
	ok(answer("10-one", with_env("A", "x")) == 0);
	both = with_env("-A", "");
	ok(answer("20-two", both) == 0);
	is_str(text_at(json_object_get(json_object_get(plan, "process"), "env")), "[\"B=2\"]");
	ok(answer("30-three", with_env("A", "y")) < 0);
	is_str(e.msg, "NRI plugins 20-two and 30-three both change env A");
	ok(answer("20-two", with_env("A", "z")) == 0);
	end();
}

/* What is the image's belongs to no plugin. */
static void taking_away_what_no_plugin_has_set_is_no_claim(void)
{
	begin();
	ok(answer("10-one", with_env("-B", "")) == 0);
	ok(answer("20-two", with_env("B", "3")) == 0);
	is_str(text_at(json_object_get(json_object_get(plan, "process"), "env")), "[\"A=1\",\"B=3\"]");
	end();
}

static void updates_have_owners_too(void)
{
	Nri__OptionalInt bytes = NRI__OPTIONAL_INT__INIT;
	Nri__LinuxMemory memory = NRI__LINUX_MEMORY__INIT;
	Nri__LinuxResources r = NRI__LINUX_RESOURCES__INIT;
	Nri__LinuxContainerUpdate linux_ = NRI__LINUX_CONTAINER_UPDATE__INIT;
	Nri__ContainerUpdate u = NRI__CONTAINER_UPDATE__INIT, *list[] = { &u };
	struct nri_wishes wishes = { 0 };
	size_t n;

	begin();
	wishes.arena = a;
	bytes.value = 1 << 20;
	memory.limit = &bytes;
	r.memory = &memory;
	linux_.resources = &r;
	u.linux = &linux_;
	u.container_id = (char *)"other";
	ok(nri_wish_updates(&wishes, owners, "10-one", "own", list, 1, &e) == 0);
	ok(nri_wish_updates(&wishes, owners, "20-two", "own", list, 1, &e) < 0);
	is_str(e.msg, "NRI plugins 10-one and 20-two both change memory.limit");
	u.ignore_failure = true;
	ok(nri_wish_updates(&wishes, owners, "20-two", "own", list, 1, &e) == 0);
	u.container_id = (char *)"own";
	ok(nri_wish_updates(&wishes, owners, "20-two", "own", list, 1, &e) == 0);
	nri_wishes_list(&wishes, &n);
	ok(n == 1);
	u.ignore_failure = false;
	u.container_id = (char *)"third";
	linux_.resources->pids = arena_zalloc(a, sizeof(Nri__LinuxPids));
	nri__linux_pids__init(linux_.resources->pids);
	ok(nri_wish_updates(&wishes, owners, "20-two", "own", list, 1, &e) < 0 && e.code == ERR_UNIMPLEMENTED);
	is_str(e.msg, "NRI plugin 20-two: update of container third: crisp does not update pids.limit");
	end();
}

/* As a message of 1 MiB may have them. */
static void limits_of_one_container_are_bounded(void)
{
	Nri__LinuxResources r = NRI__LINUX_RESOURCES__INIT;
	Nri__HugepageLimit huge = NRI__HUGEPAGE_LIMIT__INIT, *sizes[65];
	Nri__LinuxResources__UnifiedEntry entry = NRI__LINUX_RESOURCES__UNIFIED_ENTRY__INIT, *unified[1025];
	Nri__LinuxContainerUpdate linux_ = NRI__LINUX_CONTAINER_UPDATE__INIT;
	Nri__ContainerUpdate u = NRI__CONTAINER_UPDATE__INIT, *list[] = { &u };
	struct nri_wishes wishes = { 0 };

	begin();
	wishes.arena = a;
	huge.page_size = (char *)"2MB";
	for (size_t i = 0; i < N(sizes); i++)
		sizes[i] = &huge;
	for (size_t i = 0; i < N(unified); i++)
		unified[i] = &entry;
	r.hugepage_limits = sizes;
	r.n_hugepage_limits = N(sizes);
	linux_.resources = &r;
	u.linux = &linux_;
	u.container_id = (char *)"other";
	ok(nri_wish_updates(&wishes, owners, "10-one", "own", list, 1, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	r.n_hugepage_limits = 64;
	ok(nri_wish_updates(&wishes, owners, "10-one", "own", list, 1, &e) == 0);
	r.unified = unified;
	r.n_unified = N(unified);
	ok(nri_wish_updates(&wishes, owners, "10-one", "own", list, 1, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	end();
}

/* A line of the log has no fields that a plugin invented. */
static void an_id_forges_no_field(void)
{
	Nri__LinuxPids pids = NRI__LINUX_PIDS__INIT;
	Nri__LinuxResources r = NRI__LINUX_RESOURCES__INIT;
	Nri__LinuxContainerUpdate linux_ = NRI__LINUX_CONTAINER_UPDATE__INIT;
	Nri__ContainerUpdate u = NRI__CONTAINER_UPDATE__INIT, *list[] = { &u };
	struct nri_wishes wishes = { 0 };
	int pipe_fds[2], real = dup(STDERR_FILENO);
	char line[1024] = "";

	begin();
	wishes.arena = a;
	r.pids = &pids;
	linux_.resources = &r;
	u.linux = &linux_;
	u.ignore_failure = true;
	u.container_id = (char *)"x uid=0 y=\"";
	ok(pipe(pipe_fds) == 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	ok(nri_wish_updates(&wishes, owners, "10-one", "own", list, 1, &e) == 0);
	dup2(real, STDERR_FILENO);
	ok(read(pipe_fds[0], line, sizeof(line) - 1) > 0);
	ok(strstr(line, " container=\"x uid=0 y=\\\"\" ") != NULL);
	close(real);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	end();
}

static void the_message_names_the_owners(void)
{
	Nri__OwningPlugins *m;
	Nri__FieldOwners *f;

	begin();
	ok(answer("10-one", with_env("A", "x")) == 0);
	ok(nri_claim(owners, "id", "20-two", NRI__FIELD__FIELD_OOM_SCORE_ADJ, "", &e) == 0);
	nri_claim_too(owners, "id", "10-one", NRI__FIELD__FIELD_OCI_HOOKS);
	nri_claim_too(owners, "id", "20-two", NRI__FIELD__FIELD_OCI_HOOKS);
	m = nri_owners_message(owners, a);
	ok(m->n_owners == 1);
	is_str(m->owners[0]->key, "id");
	f = m->owners[0]->value;
	ok(f->n_compound == 1 && f->compound[0]->key == NRI__FIELD__FIELD_ENV && f->n_simple == 2);
	is_str(f->compound[0]->value->owners[0]->key, "A");
	is_str(f->compound[0]->value->owners[0]->value, "10-one");
	ok(f->simple[0]->key == NRI__FIELD__FIELD_OCI_HOOKS && f->simple[1]->key == NRI__FIELD__FIELD_OOM_SCORE_ADJ);
	is_str(f->simple[0]->value, "10-one,20-two");
	end();
}

/* ---- what becomes of it ---- */

/* As the plugin writable-cgroups does: the new one first, the removal behind it. */
static void a_mount_that_is_taken_away_and_added_stays(void)
{
	Nri__ContainerAdjustment *x;
	Nri__Mount *list[2];

	begin();
	x = adjustment();
	list[0] = mount_at("/sys/fs/cgroup");
	list[1] = mount_at("-/sys/fs/cgroup");
	x->mounts = list;
	x->n_mounts = 2;
	ok(answer("10-one", x) == 0);
	is_str(json_string_value(json_object_get(json_array_get(json_object_get(plan, "mounts"), 2), "type")), "tmpfs");
	end();
}

static void a_mount_hides_no_deeper_one(void)
{
	Nri__ContainerAdjustment *x;
	Nri__Mount *list[1];

	begin();
	x = adjustment();
	list[0] = mount_at("/a");
	x->mounts = list;
	x->n_mounts = 1;
	ok(answer("10-one", x) == 0);
	is_str(json_string_value(json_object_get(json_array_get(json_object_get(plan, "mounts"), 0), "type")), "tmpfs");
	is_str(json_string_value(json_object_get(json_array_get(json_object_get(plan, "mounts"), 1), "destination")),
	       "/a/b");
	end();
}

static Nri__LinuxSeccomp *policy(const char *action, const char *call)
{
	Nri__LinuxSeccomp *s = arena_zalloc(a, sizeof(*s));
	Nri__LinuxSyscall *c = arena_zalloc(a, sizeof(*c));

	nri__linux_seccomp__init(s);
	nri__linux_syscall__init(c);
	s->default_action = (char *)action;
	c->action = (char *)"SCMP_ACT_ERRNO";
	c->names = arena_memdup(a, &call, sizeof(call));
	c->n_names = 1;
	s->syscalls = arena_memdup(a, &c, sizeof(c));
	s->n_syscalls = 1;
	return s;
}

static void a_seccomp_policy_takes_the_place_of_the_own_one(void)
{
	Nri__ContainerAdjustment *x;

	begin();
	x = adjustment();
	x->linux->seccomp_policy = policy("SCMP_ACT_ALLOW", "chmod");
	ok(answer("10-one", x) == 0);
	is_str(text_at(json_object_get(json_object_get(plan, "linux"), "seccomp")),
	       "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_ERRNO\","
	       "\"names\":[\"chmod\"]}]}");
	ok(!json_object_get(json_object_get(plan, "annotations"), "run.oci.seccomp_bpf_data"));
	x->linux->seccomp_policy = policy("SCMP_ACT_MAYBE", "chmod");
	ok(answer("10-one", x) < 0);
	is_str(e.msg, "NRI plugin 10-one: seccomp_policy: defaultAction \"SCMP_ACT_MAYBE\"");
	x->linux->seccomp_policy = policy("SCMP_ACT_ALLOW", "ch mod");
	ok(answer("10-one", x) < 0);
	is_str(e.msg, "NRI plugin 10-one: seccomp_policy: names \"ch mod\"");
	end();
}

static void sysctls_and_device_rules(void)
{
	Nri__LinuxContainerAdjustment__SysctlEntry s = NRI__LINUX_CONTAINER_ADJUSTMENT__SYSCTL_ENTRY__INIT;
	Nri__LinuxContainerAdjustment__SysctlEntry *ss[] = { &s };
	Nri__LinuxDeviceCgroup rule = NRI__LINUX_DEVICE_CGROUP__INIT, *rules[] = { &rule };
	Nri__LinuxResources r = NRI__LINUX_RESOURCES__INIT;
	Nri__ContainerAdjustment *x;
	const json_t *linux_;

	begin();
	linux_ = json_object_get(plan, "linux");
	x = adjustment();
	s.key = (char *)"net.core.somaxconn";
	s.value = (char *)"7";
	x->linux->sysctl = ss;
	x->linux->n_sysctl = 1;
	rule.allow = true;
	rule.type = (char *)"c";
	rule.access = (char *)"rw";
	r.devices = rules;
	r.n_devices = 1;
	x->linux->resources = &r;
	ok(answer("10-one", x) == 0);
	is_str(text_at(json_object_get(linux_, "sysctl")), "{\"net.core.somaxconn\":\"7\"}");
	is_str(text_at(json_object_get(json_object_get(linux_, "resources"), "devices")),
	       "[{\"access\":\"rw\",\"allow\":true,\"type\":\"c\"}]");
	ok(answer("20-two", x) < 0);
	is_str(e.msg, "NRI plugins 10-one and 20-two both change sysctl net.core.somaxconn");
	rule.access = (char *)"rx";
	ok(answer("10-one", x) < 0);
	is_str(e.msg, "NRI plugin 10-one: device rule: access \"rx\"");
	end();
}

/* ---- what is refused ---- */

static void refused(const char *member)
{
	ok(e.code == ERR_UNIMPLEMENTED);
	is_str(e.msg, arena_printf(a, "NRI plugin 10-one: crisp does not adjust %s", member));
}

static void what_crisp_cannot_do_is_named(void)
{
	static Nri__Empty any = NRI__EMPTY__INIT;
	Nri__Empty *list[] = { &any };
	Nri__LinuxNamespace ns = NRI__LINUX_NAMESPACE__INIT, *namespaces[] = { &ns };
	Nri__ContainerAdjustment *x;

	begin();
	x = adjustment();
	x->linux->io_priority = &any;
	ok(answer("10-one", x) < 0);
	refused("io_priority");
	x = adjustment();
	x->linux->scheduler = &any;
	ok(answer("10-one", x) < 0);
	refused("scheduler");
	x = adjustment();
	x->linux->rdt = &any;
	ok(answer("10-one", x) < 0);
	refused("rdt");
	x = adjustment();
	x->linux->memory_policy = &any;
	ok(answer("10-one", x) < 0);
	refused("memory_policy");
	x = adjustment();
	x->linux->net_devices = list;
	x->linux->n_net_devices = 1;
	ok(answer("10-one", x) < 0);
	refused("net_devices");
	x = adjustment();
	x->linux->namespaces = namespaces;
	x->linux->n_namespaces = 1;
	ok(answer("10-one", x) < 0);
	refused("namespaces");
	x = adjustment();
	x->linux->cgroups_path = (char *)"/x";
	ok(answer("10-one", x) < 0);
	refused("cgroups_path");
	end();
}

/* Field 99 of LinuxContainerAdjustment, which is field 6 of ContainerAdjustment. */
static void a_field_of_a_later_nri_is_refused(void)
{
	static const uint8_t bytes[] = { 0x32, 0x03, 0x98, 0x06, 0x01 };
	Nri__ContainerAdjustment *x = nri__container_adjustment__unpack(NULL, sizeof(bytes), bytes);

	begin();
	ok(x && answer("10-one", x) < 0 && e.code == ERR_UNIMPLEMENTED);
	is_str(e.msg, "NRI plugin 10-one: crisp does not know field 99 of LinuxContainerAdjustment");
	nri__container_adjustment__free_unpacked(x, NULL);
	end();
}

/* ---- what validators see ---- */

static void all_answers_are_merged(void)
{
	begin();
	ok(answer("10-one", with_env("A", "x")) == 0);
	ok(answer("20-two", with_env("-A", "")) == 0);
	ok(answer("20-two", with_env("A", "y")) == 0);
	ok(answer("30-three", with_env("C", "z")) == 0);
	ok(all.merged->n_env == 2);
	is_str(all.merged->env[0]->key, "A");
	is_str(all.merged->env[0]->value, "y");
	is_str(all.merged->env[1]->key, "C");
	end();
}

int main(void)
{
	what_one_has_set_no_other_may();
	what_was_taken_away_may_be_set_by_the_taker_alone();
	taking_away_what_no_plugin_has_set_is_no_claim();
	updates_have_owners_too();
	limits_of_one_container_are_bounded();
	an_id_forges_no_field();
	the_message_names_the_owners();
	a_mount_that_is_taken_away_and_added_stays();
	a_mount_hides_no_deeper_one();
	a_seccomp_policy_takes_the_place_of_the_own_one();
	sysctls_and_device_rules();
	what_crisp_cannot_do_is_named();
	a_field_of_a_later_nri_is_refused();
	all_answers_are_merged();
	return tap_end();
}
