/* test_spec.c - procs/spec.c: command, environment, directory, namespaces, annotations, exec. */
#include <string.h>
#include <time.h>

#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* One member of the config.json of a container with that config, or the error. */
static const char *made(const char *config, const char *member)
{
	static char out[2048];
	struct spec_pod p;
	const char *error;

	spec_pod_open(&p, config);
	error = spec_pod_error(&p);
	snprintf(out, sizeof(out), "%s", p.config ? spec_pod_get(&p, member) : error);
	spec_pod_close(&p);
	return out;
}

static void command_and_args(void)
{
	is_str(made("{}", "process.args"), "['/entry','cmd']");
	is_str(made("{'args':['a','b']}", "process.args"), "['/entry','a','b']");
	is_str(made("{'command':['sh']}", "process.args"), "['sh']");
	is_str(made("{'command':['sh'],'args':['-c']}", "process.args"), "['sh','-c']");
	is_str(made("{'command':['']}", "process.args"), "INVALID_ARGUMENT: no command: the first word is empty");
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A search by name took 100 s. */
static void fifty_thousand_variables(void)
{
	enum { N = 50000 };
	struct spec_pod p;
	int64_t begin_ms;

	spec_pod_open(&p, "{}");
	p.container.config.envs = (struct pairs){ arena_zalloc(p.arena, N * sizeof(struct pair)), N };
	for (int i = 0; i < N; i++)
		p.container.config.envs.at[i] = (struct pair){ arena_printf(p.arena, "K%d", i % (N - 1)), "v" };
	p.container.config.envs.at[N - 1].value = "again"; /* K0 keeps its place */
	begin_ms = cpu_ms();
	ok(spec_pod_make(&p));
	ok(cpu_ms() - begin_ms < 2000);
	ok(json_array_size(json_object_get(json_object_get(p.config, "process"), "env")) == N - 1 + 3);
	is_str(spec_pod_get(&p, "process.env.2"), "'K0=again'");
	is_str(spec_pod_get(&p, "process.env.50000"), "'K49998=v'");
	spec_pod_close(&p);
}

/* Each word removes a variable: closing the gap each time took a second. */
static void variables_that_an_image_removes(void)
{
	enum { N = 60000 };
	struct spec_pod p;
	int64_t begin_ms;

	spec_pod_open(&p, "{}");
	p.container.image.env = (struct strings){ arena_zalloc(p.arena, N * sizeof(char *)), N };
	for (int i = 0; i < N; i++)
		p.container.image.env.at[i] = arena_printf(p.arena, i < N / 2 ? "K%d=v" : "K%d", i % (N / 2));
	begin_ms = cpu_ms();
	ok(spec_pod_make(&p));
	ok(cpu_ms() - begin_ms < 2000);
	ok(json_array_size(json_object_get(json_object_get(p.config, "process"), "env")) == 3);
	spec_pod_close(&p);
}

static void no_command_at_all(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	p.container.image.entrypoint.n = p.container.image.cmd.n = 0;
	ok(strncmp(spec_pod_error(&p), "INVALID_ARGUMENT: no command: ", 30) == 0);
	p.container.image.cmd.n = 1;
	ok(spec_pod_make(&p));
	spec_pod_close(&p);
}

static void environment_later_wins(void)
{
	const char *image[] = { "PATH=/image", "A=1", "HOSTNAME=image", "GONE=1", "GONE" };
	struct spec_pod p;

	is_str(made("{}", "process.env"), "['" PATH "','HOSTNAME=web-0','HOME=/']");
	is_str(made("{'tty':true}", "process.env"), "['" PATH "','TERM=xterm','HOSTNAME=web-0','HOME=/']");
	spec_pod_open(&p, "{'envs':[['A','2'],['B','x=y'],['E','']],'tty':true}");
	p.container.image.env = (struct strings){ image, 5 };
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.env"),
	       "['PATH=/image','TERM=xterm','HOSTNAME=image','A=2','B=x=y','E=','HOME=/']");
	is_str(spec_pod_get(&p, "process.terminal"), "true");
	spec_pod_close(&p);
}

static void no_hostname_is_the_nodes(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	p.sandbox.config.hostname = "";
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.env.1"), "'HOSTNAME=node1'");
	is_str(spec_pod_get(&p, "hostname"), ""); /* set in the namespace; runtimes refuse it for a joined namespace */
	spec_pod_close(&p);
}

/* The log's name of a variable is enough: its value may be a secret. */
static void no_value_in_the_log(void)
{
	struct pair env = { "TOKEN\xfe", "s3cr3t\xff" };
	char line[2048] = "";
	struct spec_pod p;
	int saved = dup(2), ends[2];

	spec_pod_open(&p, "{}");
	p.container.config.envs = (struct pairs){ &env, 1 };
	ok(pipe(ends) == 0 && dup2(ends[1], 2) == 2);
	ok(spec_pod_make(&p));
	ok(read(ends[0], line, sizeof(line) - 1) > 0);
	dup2(saved, 2);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	ok(strstr(line, "name=\"TOKEN\\xfe\"") && !strstr(line, "s3cr3t"));
	spec_pod_close(&p);
}

static void text_that_is_not_utf8(void)
{
	struct pair env = { "A", "x\xff\xc3\xa4\xe2\x82" };
	const char *args[] = { "ok", "\xff" };
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	p.container.config.envs = (struct pairs){ &env, 1 };
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.env.2"), "'A=x\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd'");
	p.container.config.args = (struct strings){ args, 2 };
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: args: text that is not UTF-8");
	spec_pod_close(&p);
}

static void working_directory(void)
{
	struct spec_pod p;

	is_str(made("{}", "process.cwd"), "'/'");
	is_str(made("{'working_dir':'/a//b/../c/'}", "process.cwd"), "'/a/c'");
	is_str(made("{'working_dir':'a'}", "process.cwd"), "INVALID_ARGUMENT: working_dir 'a' is not absolute");
	spec_pod_open(&p, "{}");
	p.container.image.working_dir = "srv";
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.cwd"), "'/srv'");
	spec_pod_close(&p);
}

static void clean_paths(void)
{
	struct arena *a = arena_new();

	is_str(spec_clean_path(a, ""), "/");
	is_str(spec_clean_path(a, "/.."), "/");
	is_str(spec_clean_path(a, "/a/.././../b"), "/b");
	is_str(spec_clean_path(a, "//a/./b/c/../.."), "/a");
	is_str(spec_clean_path(a, "/..a/b.."), "/..a/b..");
	arena_free(a);
}

static void namespaces(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.namespaces"),
	       "[{'type':'mount'},{'path':'/n/net','type':'network'},{'path':'/n/ipc','type':'ipc'},"
	       "{'path':'/n/uts','type':'uts'},{'type':'pid'}]");
	p.in.namespaces = (struct spec_namespaces){ "", "", "", "", "" };
	spec_pod_host.cgroup_v2 = true;
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.namespaces"), "[{'type':'mount'},{'type':'cgroup'}]");
	p.in.namespaces.pid = "/proc/7/ns/pid";
	p.container.config.security.privileged = true;
	spec_pod_security(&p, "{'privileged':true}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.namespaces"), "[{'type':'mount'},{'path':'/proc/7/ns/pid','type':'pid'}]");
	spec_pod_close(&p);
}

static void the_rest_of_the_frame(void)
{
	struct spec_pod p;

	spec_pod_open(&p,
		      "{'name':'web','security':{'readonly_rootfs':true},'annotations':[['run.oci.handler','evil']]}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "ociVersion"), "'1.0.2'");
	is_str(spec_pod_get(&p, "root"), "{'path':'rootfs','readonly':true}");
	is_str(spec_pod_get(&p, "linux.cgroupsPath"), "'/crisp/sandbox1/container1'");
	is_str(spec_pod_get(&p, "annotations"),
	       "{'io.kubernetes.cri.container-name':'web','io.kubernetes.cri.container-type':'container',"
	       "'io.kubernetes.cri.image-name':'img:1','io.kubernetes.cri.sandbox-id':'sandbox1','io.kubernetes.cri."
	       "sandbox-name':'pod',"
	       "'io.kubernetes.cri.sandbox-namespace':'ns','io.kubernetes.cri.sandbox-uid':'pod-uid'}");
	spec_pod_close(&p);
}

static void annotations_that_a_handler_allows(void)
{
	const char *patterns[] = { "dev.gvisor.*", "exact" };
	struct pair defaults[] = { { "dev.gvisor.a", "default" }, { "b", "default" } },
		    pod[] = { { "dev.gvisor.a", "pod" }, { "other", "pod" }, { "exactly", "pod" } },
		    container[] = { { "exact", "container" }, { "run.oci.handler", "evil" } };
	struct runtime_handler h = { .name = "x", .options = { .allowed_annotations = { patterns, 2 },
							       .default_annotations = { defaults, 2 } } };
	auto_json json_t *a = json_object();
	auto_free char *text = NULL;

	spec_annotate_allowed(a, &h, &(struct pairs){ pod, 3 }, &(struct pairs){ container, 2 });
	text = json_dumps(a, JSON_COMPACT | JSON_SORT_KEYS);
	is_str(text, "{\"b\":\"default\",\"dev.gvisor.a\":\"pod\",\"exact\":\"container\"}");
}

static void a_base_fills_what_is_missing(void)
{
	struct arena *arena = arena_new();
	auto_json json_t *config = spec_pod_json(arena, "{'process':{'args':['a'],'env':[]},'mounts':[1]}");
	auto_json json_t *base =
		spec_pod_json(arena, "{'process':{'args':['b'],'env':['X=1'],'rlimits':[2]},'mounts':[3],'hooks':{}}");
	auto_free char *text = NULL;

	spec_add_base(config, base);
	text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
	is_str(text, "{\"hooks\":{},\"mounts\":[1],\"process\":{\"args\":[\"a\"],\"env\":[\"X=1\"],\"rlimits\":[2]}}");
	arena_free(arena);
}

static void an_exec_is_the_container_with_another_command(void)
{
	const char *words[] = { "ls", "-l" };
	struct strings cmd = { words, 2 };
	struct spec_pod p;
	json_t *x;

	spec_pod_open(&p, "{'envs':[['A','1']],'security':{'run_as_user':{'set':true,'value':5},'no_new_privs':true}}");
	ok(spec_pod_make(&p));
	x = spec_exec_process(p.config, &cmd, true);
	ok(json_equal(json_object_get(x, "capabilities"),
		      json_object_get(json_object_get(p.config, "process"), "capabilities")));
	json_decref(p.config);
	p.config = x;
	is_str(spec_pod_get(&p, "args"), "['ls','-l']");
	is_str(spec_pod_get(&p, "terminal"), "true");
	is_str(spec_pod_get(&p, "env"), "['" PATH "','HOSTNAME=web-0','A=1','HOME=/','TERM=xterm']");
	is_str(spec_pod_get(&p, "user.uid"), "5");
	is_str(spec_pod_get(&p, "noNewPrivileges"), "true");
	spec_pod_close(&p);
}

static void no_exec_of_what_cannot_be_written(void)
{
	const char *words[] = { "\xff" };
	struct strings cmd = { words, 1 };
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	ok(spec_pod_make(&p));
	ok(spec_exec_process(p.config, &cmd, false) == NULL);
	words[0] = "ls";
	json_object_del(p.config, "process");
	ok(spec_exec_process(p.config, &cmd, false) == NULL);
	spec_pod_close(&p);
}

int main(void)
{
	command_and_args();
	fifty_thousand_variables();
	variables_that_an_image_removes();
	no_command_at_all();
	environment_later_wins();
	no_hostname_is_the_nodes();
	text_that_is_not_utf8();
	no_value_in_the_log();
	working_directory();
	clean_paths();
	namespaces();
	the_rest_of_the_frame();
	annotations_that_a_handler_allows();
	a_base_fills_what_is_missing();
	an_exec_is_the_container_with_another_command();
	no_exec_of_what_cannot_be_written();
	return tap_end();
}
