/* test_create.c - procs/create.c: the bundle on disk, the namespaces a container joins, its stop signal. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/create.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/sandbox_ns.h"
#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

static struct container *other; /* another container of the table */
static bool pins_gone;

struct container *container_find(const char *id)
{
	return other && strcmp(other->id, id) == 0 ? other : NULL;
}

int sandbox_namespaces(const struct sandbox *s, struct arena *a, struct spec_namespaces *out, struct err *e)
{
	(void)s, (void)a;
	if (pins_gone)
		return err_set(e, ERR_INTERNAL, "the network namespace is gone");
	*out = (struct spec_namespaces){ "/n/net", "/n/ipc", "/n/uts", "", "/proc/5/ns/pid" };
	return 0;
}

/* For starts, which test_join.c tests. */
bool life_has_pid(const struct container *c)
{
	(void)c;
	return false;
}

bool keeper_here(void)
{
	return true;
}

static const struct runtime_handler runc = { .name = "runc", .type = "oci", .path = "runc", .fallback = "" };
static struct runtime_features features;

const struct runtime_handler *runtime_find(const char *name)
{
	return strcmp(name, "runc") == 0 ? &runc : NULL;
}

const json_t *runtime_base_spec(const char *name)
{
	(void)name;
	return NULL;
}

unsigned runtime_traits(const struct runtime_handler *handler)
{
	(void)handler;
	return 0;
}

const struct runtime_handler *runtime_choose(const struct runtime_handler *handler, const json_t *config, bool restores,
					     struct arena *a, const char **reason, struct err *e)
{
	(void)config, (void)restores, (void)a, (void)e;
	*reason = "";
	return handler;
}

void runtime_features(const struct runtime_handler *handler, struct runtime_features *out)
{
	ok(handler == &runc);
	*out = features;
}

static void pod(struct spec_pod *p, const char *config)
{
	other = NULL;
	pins_gone = false;
	spec_pod_open(p, config);
	p->container.bundle = spec_pod_path(p, "containers/c1");
}

static bool create(struct spec_pod *p)
{
	return create_bundle(&p->container, &p->e) == 0 && create_config(&p->container, NULL, 0, "node1", &p->e) == 0;
}

/* Reads the config.json on disk into p->config. */
static void load(struct spec_pod *p)
{
	json_decref(p->config);
	p->config = json_load_file(arena_printf(p->arena, "%s/config.json", p->container.bundle), 0, NULL);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : st.st_mode;
}

static void a_bundle_and_its_undo(void)
{
	struct spec_pod p;

	pod(&p, "{}");
	umask(077);
	ok(create(&p));
	umask(022);
	ok(mode_of(p.container.bundle) == (S_IFDIR | 0700));
	ok(mode_of(arena_printf(p.arena, "%s/rootfs", p.container.bundle)) == (S_IFDIR | 0755));
	load(&p);
	is_str(spec_pod_get(&p, "process.args"), "['/entry','cmd']");
	ok(p.container.groups.n == 1);
	ok(access(arena_printf(p.arena, "%s/config.json.tmp", p.container.bundle), F_OK) < 0);

	mkfifo(arena_printf(p.arena, "%s/stdout", p.container.bundle), 0600);
	mkdir(arena_printf(p.arena, "%s/volumes", p.container.bundle), 0700);
	mkdir(arena_printf(p.arena, "%s/volumes/0", p.container.bundle), 0700);
	ok(create_undo(&p.container, &p.e) == 0);
	ok(mode_of(p.container.bundle) == 0);
	ok(create_undo(&p.container, &p.e) == 0); /* again: nothing to do */
	spec_pod_close(&p);
}

static void undo_leaves_a_rootfs_that_is_in_use(void)
{
	struct spec_pod p;
	const char *kept;

	pod(&p, "{}");
	ok(create(&p));
	kept = arena_printf(p.arena, "%s/rootfs/data", p.container.bundle);
	ok(mkdir(kept, 0755) == 0);
	ok(create_undo(&p.container, &p.e) < 0 && strstr(p.e.msg, "remove bundle "));
	ok(mode_of(kept) == (S_IFDIR | 0755));
	spec_pod_close(&p);
}

/* The image is mounted between create_bundle() and create_config(). */
static void what_is_mounted_upon_is_a_directory(void)
{
	static const char *const names[] = { "dev", "proc", "sys" };
	struct spec_pod p;
	const char *path;

	pod(&p, "{}");
	ok(create(&p)); /* an image that has none of them */
	for (size_t i = 0; i < 3; i++) {
		path = arena_printf(p.arena, "%s/rootfs/%s", p.container.bundle, names[i]);
		ok(symlink("/tmp", path) == 0);
		ok(create_config(&p.container, NULL, 0, "node1", &p.e) < 0 && p.e.code == ERR_INVALID_ARGUMENT);
		is_str(p.e.msg, arena_printf(p.arena, "the image's /%s is not a directory", names[i]));
		ok(unlink(path) == 0 && mkdir(path, 0755) == 0);
		ok(create_config(&p.container, NULL, 0, "node1", &p.e) == 0);
	}
	spec_pod_close(&p);
}

static void a_user_namespace_may_pass_through(void)
{
	struct spec_pod p;
	struct stat st;

	pod(&p, "{}");
	spec_pod_security(&p, "{'ns':{'has_userns':true,'uids':[{'host_id':200000,'length':65536}],"
			      "'gids':[{'host_id':300000,'length':65536}]}}");
	if (geteuid() != 0) {
		printf("# only root gives a directory to a group\n");
		return spec_pod_close(&p);
	}
	ok(create_bundle(&p.container, &p.e) == 0);
	ok(stat(p.container.bundle, &st) == 0 && st.st_mode == (S_IFDIR | 0710));
	ok(st.st_uid == 0 && st.st_gid == 300000);
	ok(chmod(p.container.bundle, 0711) == 0 && create_close(&p.container, &p.e) == 0);
	ok(mode_of(p.container.bundle) == (S_IFDIR | 0710));
	spec_pod_close(&p);
}

static void features_are_those_of_the_handler(void)
{
	struct spec_pod p;

	pod(&p, "{'mounts':[{'container_path':'/a','host_path':'/','readonly':true,'recursive_read_only':true}]}");
	features.recursive_read_only = true;
	ok(create(&p));
	p.container.runtime = "unknown";
	ok(!create(&p) && p.e.code == ERR_UNKNOWN && strcmp(p.e.reason, "RROUnsupported") == 0);
	p.container.runtime = "runc";
	features.recursive_read_only = false;
	ok(!create(&p) && p.e.code == ERR_UNKNOWN && strcmp(p.e.reason, "RROUnsupported") == 0);
	spec_pod_close(&p);
}

static const char *pid_namespace_now(struct spec_pod *p)
{
	json_t *ns;
	size_t i;

	if (!create(p))
		return arena_printf(p->arena, "%s: %s", err_name(p->e.code), p->e.msg);
	load(p);
	json_array_foreach(json_object_get(json_object_get(p->config, "linux"), "namespaces"), i, ns)
		if (strcmp(json_string_value(json_object_get(ns, "type")), "pid") == 0)
			return json_object_get(ns, "path") ? json_string_value(json_object_get(ns, "path")) : "new";
	return "host";
}

static const char *pid_namespace(struct spec_pod *p, const char *config)
{
	pod(p, config);
	return pid_namespace_now(p);
}

static void whose_pid_namespace(void)
{
	struct spec_pod p;

	is_str(pid_namespace(&p, "{}"), "/proc/5/ns/pid"); /* POD: the pause's */
	spec_pod_close(&p);
	is_str(pid_namespace(&p, "{'security':{'ns':{'pid':1}}}"), "new");
	spec_pod_close(&p);
	is_str(pid_namespace(&p, "{'security':{'ns':{'pid':2}}}"),
	       "INVALID_ARGUMENT: namespace_options.pid: NODE, and the sandbox has its own");
	spec_pod_security(&p, "{'ns':{'pid':2}}");
	is_str(pid_namespace_now(&p), "host");
	spec_pod_close(&p);
	is_str(pid_namespace(&p, "{'security':{'ns':{'pid':7}}}"),
	       "INVALID_ARGUMENT: namespace_options: unknown pid mode 7");
	spec_pod_close(&p);
}

static void a_targets_pid_namespace(void)
{
	struct container target = { .id = "t1", .state = CONTAINER_RUNNING, .pid = 42 };
	struct sandbox elsewhere;
	struct spec_pod p;

	is_str(pid_namespace(&p, "{'security':{'ns':{'pid':3,'target_id':'t1'}}}"),
	       "INVALID_ARGUMENT: target_id \"t1\": no container of this sandbox");
	other = &target;
	target.sandbox = &elsewhere;
	ok(!create(&p) && p.e.code == ERR_INVALID_ARGUMENT);
	target.sandbox = &p.sandbox;
	ok(create(&p));
	load(&p);
	is_str(spec_pod_get(&p, "linux.namespaces.4.path"), "'/proc/42/ns/pid'");
	target.state = CONTAINER_EXITED;
	ok(!create(&p) && p.e.code == ERR_FAILED_PRECONDITION);
	spec_pod_close(&p);
}

static int32_t stop_signal(const char *config, const char *image)
{
	struct spec_pod p;
	int32_t n;

	pod(&p, config);
	p.container.image.stop_signal = image;
	n = create(&p) ? p.container.stop_signal : -(int32_t)p.e.code;
	spec_pod_close(&p);
	return n;
}

static void the_stop_signal(void)
{
	ok(stop_signal("{}", "") == SIGTERM);
	ok(stop_signal("{}", "SIGQUIT") == SIGQUIT);
	ok(stop_signal("{}", "SIGRTMIN+3") == 37);
	ok(stop_signal("{'stop_signal':29}", "SIGQUIT") == SIGUSR1);
	ok(stop_signal("{}", "SIGNAL") == SIGTERM);
	ok(stop_signal("{}", "0") == SIGTERM && stop_signal("{}", "SIGRTMAX+1") == SIGTERM);
	ok(stop_signal("{'stop_signal':99}", "") == -ERR_INVALID_ARGUMENT);
}

static void failures_are_named(void)
{
	struct spec_pod p;

	pod(&p, "{'working_dir':'x'}");
	ok(!create(&p) && p.e.code == ERR_INVALID_ARGUMENT);
	load(&p);
	ok(p.config == NULL);
	pins_gone = true;
	ok(!create(&p) && p.e.code == ERR_INTERNAL);
	is_str(p.e.msg, "the network namespace is gone");
	ok(create_undo(&p.container, &p.e) == 0);
	p.container.bundle = spec_pod_path(&p, "no/such/place");
	ok(create_bundle(&p.container, &p.e) < 0 && p.e.code == ERR_INTERNAL && strstr(p.e.msg, "bundle directory"));
	spec_pod_close(&p);
}

int main(void)
{
	a_bundle_and_its_undo();
	undo_leaves_a_rootfs_that_is_in_use();
	what_is_mounted_upon_is_a_directory();
	a_user_namespace_may_pass_through();
	features_are_those_of_the_handler();
	whose_pid_namespace();
	a_targets_pid_namespace();
	the_stop_signal();
	failures_are_named();
	return tap_end();
}
