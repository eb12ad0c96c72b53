/* test_labels.c - a host with SELinux, made of files in a directory: the labels that pods and containers get, and
 * what is refused. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/labels.h"
#include "reactor/lookup.h"
#include "procs/selinux.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/record.h"
#include "tests/fakes/world.h"
#include "tests/missing.h"
#include "tests/quiet_link.h"
#include "tests/tap.h"

static char fs[300], etc[300], none[300], policy[400], context[400];
static struct arena *arena;
static struct err e;

/* The next pairs of the random source; NULL: real ones. */
static const uint16_t *drawn[6];

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	if (n != 2 * sizeof(uint16_t) || !drawn[0])
		return syscall(SYS_getrandom, p, n, flags);
	memcpy(p, drawn[0], n);
	memmove(drawn, drawn + 1, sizeof(drawn) - sizeof(*drawn));
	return (ssize_t)n;
}

static void put(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* The kernel takes any context, or none. */
static void kernel_takes(bool all)
{
	unlink(context);
	ok(symlink(all ? "/dev/null" : "/dev/full", context) == 0);
}

static int host(bool wanted, bool has, const char *contexts)
{
	static struct selinux_config cfg;
	char path[400];

	cfg = (struct selinux_config){ .wanted = wanted, .fs = has ? fs : none, .etc = etc, .preferred = none };
	snprintf(path, sizeof(path), "%s/config", etc);
	put(path, "# a comment\nSELINUX=permissive\nSELINUXTYPE=default\n");
	put(policy, contexts);
	kernel_takes(true);
	return selinux_open(&cfg, &e);
}

static const char mcs[] = "process = \"system_u:system_r:container_t:s0\"\n"
			  "content = \"system_u:object_r:virt_var_lib_t:s0\"\n"
			  "# file = \"no:no:no:s9\"\n"
			  "file = \"system_u:object_r:container_file_t:s0\"\n";

static void directories(void)
{
	char path[400];

	snprintf(fs, sizeof(fs), "%s/selinuxfs", world_dir());
	snprintf(etc, sizeof(etc), "%s/etc", world_dir());
	snprintf(none, sizeof(none), "%s/nothing", world_dir());
	snprintf(context, sizeof(context), "%s/selinuxfs/context", world_dir());
	mkdir(fs, 0700);
	mkdir(etc, 0700);
	snprintf(path, sizeof(path), "%s/enforce", fs);
	put(path, "0");
	snprintf(path, sizeof(path), "%s/default", etc);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/default/contexts", etc);
	mkdir(path, 0700);
	snprintf(policy, sizeof(policy), "%s/default/contexts/lxc_contexts", etc);
}

static struct sandbox *pod(struct selinux_options o)
{
	auto_json json_t *nothing = json_object();
	struct sandbox_config c;
	struct sandbox *s;

	fields_from_json(sandbox_config_fields, &c, nothing, arena, &e);
	c.security.selinux = o;
	s = sandbox_new(&c);
	e.code = ERR_OK;
	return s;
}

#define NONE ((struct selinux_options){ "", "", "", "" })
#define LEVEL(l) ((struct selinux_options){ "", "", "", (l) })

static struct sandbox *labelled(struct selinux_options o)
{
	struct sandbox *s = pod(o);

	ok(labels_of_sandbox(s, &e) == 0);
	return s;
}

/* The labels of a container in s, as "PROCESS FILE", or the error. */
static const char *container_of_pod(struct sandbox *s, struct selinux_options o, bool privileged)
{
	struct container c = { .sandbox = s, .arena = arena, .process_label = "", .mount_label = "",
			       .lookup = lookup_new("pod") };
	auto_json json_t *nothing = json_object();
	int failed;

	fields_from_json(container_config_fields, &c.config, nothing, arena, &e);
	c.config.security.selinux = o;
	c.config.security.privileged = privileged;
	failed = labels_of_container(&c, &e);
	lookup_free(c.lookup);
	if (failed < 0)
		return arena_printf(arena, "%s: %s", err_name(e.code), e.msg);
	return arena_printf(arena, "%s %s", c.process_label, c.mount_label);
}

static void a_host_without_passes_over_options(void)
{
	struct sandbox *s;

	ok(host(true, false, mcs) == 0 && !selinux_on() && !selinux_host());
	s = labelled(LEVEL("nonsense"));
	is_str(s->process_label, "");
	is_str(s->mount_label, "");
	is_str(container_of_pod(s, LEVEL("nonsense"), false), " ");
	sandbox_free(s);
}

static void off_on_a_host_with_it_refuses_options(void)
{
	struct sandbox *s;

	ok(host(false, true, mcs) == 0 && !selinux_on() && selinux_host());
	s = pod(LEVEL("s0:c1,c2"));
	ok(labels_of_sandbox(s, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "\"selinux: true\""));
	sandbox_free(s);
	s = labelled(NONE);
	is_str(s->mount_label, "");
	is_str(container_of_pod(s, NONE, true), " ");
	ok(strstr(container_of_pod(s, LEVEL("s0"), false), "INVALID_ARGUMENT: selinux_options") != NULL);
	sandbox_free(s);
}

static void a_policy_without_containers_is_told_at_once(void)
{
	ok(host(true, true, "process = \"a:b:c:s0\"\n") < 0 && e.code == ERR_FAILED_PRECONDITION);
	ok(strstr(e.msg, "/default/contexts/lxc_contexts") && !selinux_on());
	ok(host(true, true, mcs) == 0 && selinux_on());
	is_str(selinux_process(), "system_u:system_r:container_t:s0");
	is_str(selinux_file(), "system_u:object_r:container_file_t:s0");
	is_str(selinux_image(), selinux_file()); /* the contexts file has no ro_file */
	kernel_takes(false);
	ok(!selinux_knows("a:b:c:s0"));
	kernel_takes(true);
}

/* USER:ROLE:TYPE:s0:cA,cB with A < B < 1024. */
static bool has_pair(const char *label, const char *prefix, unsigned *a, unsigned *b)
{
	char end;

	return strncmp(label, prefix, strlen(prefix)) == 0 &&
	       sscanf(label + strlen(prefix), ":s0:c%u,c%u%c", a, b, &end) == 2 && *a < *b && *b < 1024;
}

static void each_pod_has_a_pair_of_its_own(void)
{
	struct sandbox *s = labelled(NONE), *t = labelled(NONE);
	unsigned a, b, x, y;

	ok(has_pair(s->process_label, "system_u:system_r:container_t", &a, &b));
	ok(has_pair(s->mount_label, "system_u:object_r:container_file_t", &x, &y) && a == x && b == y);
	ok(strcmp(s->mount_label, t->mount_label) != 0);
	is_str(container_of_pod(s, NONE, false), arena_printf(arena, "%s %s", s->process_label, s->mount_label));
	sandbox_free(s);
	sandbox_free(t);
}

static void pairs_come_back_with_the_records(void)
{
	struct sandbox *s = labelled(NONE), *again;
	const char *id = arena_strdup(arena, s->id), *process = arena_strdup(arena, s->process_label);
	const char *file = arena_strdup(arena, s->mount_label);
	auto_json json_t *j = NULL;
	char records[300];

	ok(sandbox_save(s, &e) == 0);
	snprintf(records, sizeof(records), "%s/sandboxes", world_dir());
	j = record_read(records, id, 1, &e);
	sandbox_free(s);
	ok(record_write(records, id, 1, j, &e) == 0 && sandboxes_load(&e) == 0);
	again = sandbox_by_id(id);
	ok(again && strcmp(again->process_label, process) == 0 && strcmp(again->mount_label, file) == 0);
	sandbox_free(again);
}

static void options_change_what_they_name(void)
{
	struct sandbox *s = labelled((struct selinux_options){ "u_u", "r_r", "t_t", "s0:c4,c5" });

	is_str(s->process_label, "u_u:r_r:t_t:s0:c4,c5");
	is_str(s->mount_label, "u_u:object_r:container_file_t:s0:c4,c5");
	is_str(container_of_pod(s, NONE, false), "u_u:r_r:t_t:s0:c4,c5 u_u:object_r:container_file_t:s0:c4,c5");
	is_str(container_of_pod(s, LEVEL("s0:c9"), false),
	       "system_u:system_r:container_t:s0:c9 system_u:object_r:container_file_t:s0:c9");
	is_str(container_of_pod(s, (struct selinux_options){ "", "", "other_t", "" }, false),
	       "system_u:system_r:other_t:s0:c4,c5 system_u:object_r:container_file_t:s0:c4,c5");
	is_str(container_of_pod(s, NONE, true), "system_u:system_r:spc_t:s0 u_u:object_r:container_file_t:s0:c4,c5");
	kernel_takes(false); /* not every policy has the type spc_t */
	is_str(container_of_pod(s, NONE, true), " u_u:object_r:container_file_t:s0:c4,c5");
	ok(strstr(container_of_pod(s, LEVEL("s0"), false), "INVALID_ARGUMENT: selinux_options: the policy") != NULL);
	kernel_takes(true);
	sandbox_free(s);
}

/* A pod that was made while `selinux` was off. */
static void a_pod_without_labels(void)
{
	struct sandbox *s = pod(NONE);

	is_str(container_of_pod(s, NONE, false), " ");
	is_str(container_of_pod(s, (struct selinux_options){ "", "", "other_t", "" }, false),
	       "system_u:system_r:other_t:s0 system_u:object_r:container_file_t:s0");
	sandbox_free(s);
}

static void levels(void)
{
	static const char *const good[] = { "s0", "s0-s0", "s0:c1", "s0:c0.c1023", "s0:c1,c3.c5,c9", "s0-s0:c0.c1023",
					    "s15:c1-s15:c1,c2" };
	static const char *const bad[] = { "s0,c4,c5", "s", "c1", "s0:", "s0:c", "s0:c1,", "s0:c1.", "s0:1", "s0-",
					   "s0:c1;", "s0 ", " s0", "s0:c12345", "s0:c1:c2", "s0-s0-s0" };
	struct sandbox *s;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		s = labelled(LEVEL(good[i]));
		ok(strcmp(s->process_label + strlen("system_u:system_r:container_t:"), good[i]) == 0);
		sandbox_free(s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		s = pod(LEVEL(bad[i]));
		ok(labels_of_sandbox(s, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && !*s->process_label);
		sandbox_free(s);
	}
}

static void words_that_would_end_a_context_early(void)
{
	const struct selinux_options bad[] = { { "a:b", "", "", "" }, { "", "r\n", "", "" }, { "", "", "t\"x", "" },
					       { "", "", "t,x", "" } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct sandbox *s = pod(bad[i]);

		ok(labels_of_sandbox(s, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
		sandbox_free(s);
	}
}

static void a_context_that_no_mount_option_could_hold(void)
{
	char level[400] = "s0:c1";
	struct sandbox *s;

	for (size_t n = strlen(level); n < 250; n += 6)
		snprintf(level + n, sizeof(level) - n, ",c%04zu", n);
	s = pod(LEVEL(level));
	ok(labels_of_sandbox(s, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "too long"));
	sandbox_free(s);
}

static void a_policy_without_levels(void)
{
	struct sandbox *s;

	ok(host(true, true, "process=system_u:system_r:c_t\nfile=system_u:object_r:f_t\n") == 0 && selinux_on());
	s = labelled(NONE);
	is_str(s->process_label, "system_u:system_r:c_t");
	is_str(s->mount_label, "system_u:object_r:f_t");
	sandbox_free(s);
	ok(host(true, true, mcs) == 0);
}

static void a_pair_that_is_taken_is_drawn_again(void)
{
	struct sandbox *s, *t, *u;
	struct container c = { .process_label = "", .mount_label = "x:y:z:s0:c8,c6" };

	drawn[0] = (uint16_t[]){ 4, 5 };
	s = labelled(NONE);
	ok(strstr(s->mount_label, ":s0:c4,c5") != NULL);
	list_append(&s->containers, &c.of_sandbox); /* a container's own level counts too, in any order */
	drawn[0] = (uint16_t[]){ 7, 7 };     /* two equal categories are no pair */
	drawn[1] = (uint16_t[]){ 9, 8 };     /* each pair is drawn in one order only */
	drawn[2] = (uint16_t[]){ 4, 5 + 1024 };
	drawn[3] = (uint16_t[]){ 6, 8 };
	drawn[4] = (uint16_t[]){ 6, 9 };
	t = labelled(NONE);
	ok(strstr(t->mount_label, ":s0:c6,c9") != NULL && !drawn[0]);
	list_drop(&c.of_sandbox);
	sandbox_free(s); /* its pair is free again */
	drawn[0] = (uint16_t[]){ 4, 5 };
	u = labelled(NONE);
	ok(strstr(u->mount_label, ":s0:c4,c5") != NULL);
	sandbox_free(t);
	sandbox_free(u);
}

static const char *relabelled(const char *host_path)
{
	struct sandbox *s = labelled(NONE);
	struct mount_config m = {
		.host_path = host_path, .container_path = "/v", .selinux_relabel = true, .image = ""
	};
	struct container c = { .sandbox = s, .arena = arena, .process_label = "", .mount_label = "",
			       .lookup = lookup_new("pod") };
	auto_json json_t *nothing = json_object();
	const char *out;

	fields_from_json(container_config_fields, &c.config, nothing, arena, &e);
	c.config.mounts.at = &m;
	c.config.mounts.n = 1;
	out = labels_of_container(&c, &e) < 0 ? arena_printf(arena, "%s: %s", err_name(e.code), e.msg) : "";
	lookup_free(c.lookup);
	sandbox_free(s);
	return out;
}

static void what_the_node_lives_in_is_never_relabelled(void)
{
	char link[300];

	is_str(relabelled("/etc"), "INVALID_ARGUMENT: mount /v: selinux_relabel of /etc, where the node lives");
	is_str(relabelled("/usr/../home/"),
	       "INVALID_ARGUMENT: mount /v: selinux_relabel of /home, where the node lives");
	ok(*relabelled("//") && *relabelled("/var/lib/.") && *relabelled("/tmp"));
	is_str(relabelled(world_dir()), "");
	is_str(relabelled(missing("volume")), "");
	snprintf(link, sizeof(link), "%s/link", world_dir());
	ok(quiet_link("/etc", link) == 0 && *relabelled(link));
}

int main(void)
{
	struct sandboxes_config cfg = { .root = world_dir(), .state = "/run/x", .netns_dir = "/run/netns" };

	arena = arena_new();
	log_open("test", LOG_LEVEL_ERROR + 1);
	sandboxes_open(&cfg);
	ok(sandboxes_load(&e) == 0);
	directories();
	a_host_without_passes_over_options();
	off_on_a_host_with_it_refuses_options();
	a_policy_without_containers_is_told_at_once();
	each_pod_has_a_pair_of_its_own();
	pairs_come_back_with_the_records();
	options_change_what_they_name();
	a_pod_without_labels();
	levels();
	words_that_would_end_a_context_early();
	a_context_that_no_mount_option_could_hold();
	a_policy_without_levels();
	a_pair_that_is_taken_is_drawn_again();
	what_the_node_lives_in_is_never_relabelled();
	arena_free(arena);
	return tap_end();
}
