/* test_security.c - capabilities, seccomp, AppArmor, paths, privilege, user namespaces. */
#include <linux/capability.h>
#include <string.h>

#include "procs/apparmor.h"
#include "procs/namespaces.h"
#include "tests/fakes/spec_pod.h"
#include "tests/missing.h"
#include "tests/tap.h"

/* One member of the config.json of a container with that security, or the error. */
static const char *secured(const char *security, const char *member)
{
	static char out[4096];
	char config[1024];
	struct spec_pod p;
	const char *error;

	snprintf(config, sizeof(config), "{'security':%s}", security);
	spec_pod_open(&p, config);
	error = spec_pod_error(&p);
	snprintf(out, sizeof(out), "%s", p.config ? spec_pod_get(&p, member) : error);
	spec_pod_close(&p);
	return out;
}

/* ---- capabilities ---- */

#define CAPS_OF "process.capabilities.bounding"

static void the_default_set(void)
{
	is_str(secured("{}", CAPS_OF),
	       "['CAP_CHOWN','CAP_DAC_OVERRIDE','CAP_FOWNER','CAP_FSETID','CAP_KILL','CAP_SETGID','CAP_SETUID',"
	       "'CAP_SETPCAP','CAP_NET_BIND_SERVICE','CAP_NET_RAW','CAP_SYS_CHROOT','CAP_MKNOD',"
	       "'CAP_AUDIT_WRITE','CAP_SETFCAP']");
	is_str(secured("{}", "process.capabilities.inheritable"), "");
	is_str(secured("{}", "process.capabilities.ambient"), "");
}

static void all_first_then_single_ones(void)
{
	is_str(secured("{'drop_caps':['ALL'],'add_caps':['net_admin','CAP_Chown']}", CAPS_OF),
	       "['CAP_CHOWN','CAP_NET_ADMIN']");
	is_str(secured("{'drop_caps':['all']}", "process.capabilities.effective"), "[]");
	is_str(secured("{'drop_caps':['ALL','KILL'],'add_caps':['ALL','KILL','MKNOD']}", CAPS_OF), "['CAP_MKNOD']");
	ok(strstr(secured("{'add_caps':['ALL'],'drop_caps':['SYS_ADMIN']}", CAPS_OF), "CAP_CHECKPOINT_RESTORE") !=
	   NULL);
	ok(strstr(secured("{'add_caps':['ALL'],'drop_caps':['SYS_ADMIN']}", CAPS_OF), "CAP_SYS_ADMIN") == NULL);
	is_str(secured("{'add_caps':['FLY']}", CAPS_OF),
	       "INVALID_ARGUMENT: add_capabilities: unknown capability 'FLY'");
	is_str(secured("{'drop_caps':['CAP_']}", CAPS_OF),
	       "INVALID_ARGUMENT: drop_capabilities: unknown capability 'CAP_'");
}

static void ambient_ones_are_in_every_set(void)
{
	const char *with = "{'drop_caps':['ALL'],'add_ambient_caps':['NET_RAW']}";

	is_str(secured(with, "process.capabilities"),
	       "{'ambient':['CAP_NET_RAW'],'bounding':['CAP_NET_RAW'],'effective':['CAP_NET_RAW'],"
	       "'inheritable':['CAP_NET_RAW'],'permitted':['CAP_NET_RAW']}");
}

static void no_more_than_we_have(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{'security':{'add_caps':['ALL']}}");
	spec_pod_host.caps = CAP(CAP_KILL) | CAP(CAP_SYS_ADMIN);
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, CAPS_OF), "['CAP_KILL','CAP_SYS_ADMIN']");
	p.container.config.security.add_caps.at[0] = "SYS_TIME";
	is_str(spec_pod_error(&p),
	       "INVALID_ARGUMENT: add_capabilities: CAP_SYS_TIME is not in the runtime's own bounding set");
	spec_pod_close(&p);
}

/* ---- privileged ---- */

static void privileged_wants_a_privileged_pod(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{'security':{'privileged':true,'drop_caps':['ALL'],'seccomp':{'set':true},'masked_paths':['/"
			  "proc/kcore'],"
			  "'no_new_privs':true}}");
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: privileged: the sandbox is not");
	spec_pod_security(&p, "{'privileged':true}");
	ok(spec_pod_make(&p));
	ok(json_array_size(json_object_get(json_object_get(json_object_get(p.config, "process"), "capabilities"),
					   "permitted")) == CAPS);
	is_str(spec_pod_get(&p, "linux.seccomp"), "");
	is_str(spec_pod_get(&p, "linux.maskedPaths"), "");
	is_str(spec_pod_get(&p, "process.noNewPrivileges"), "true");
	ok(strstr(spec_pod_mount(&p, "/sys"), "'rw'") && strstr(spec_pod_mount(&p, "/sys/fs/cgroup"), "'rw'"));
	is_str(spec_pod_get(&p, "linux.resources.devices"), "[{'access':'rwm','allow':true}]");
	ok(strstr(spec_pod_get(&p, "linux.devices"), "'/dev/null'") != NULL);
	spec_pod_close(&p);
}

static void paths_as_given(void)
{
	is_str(secured("{}", "linux.maskedPaths"), "[]");
	is_str(secured("{'masked_paths':['/proc/kcore']}", "linux.maskedPaths"), "['/proc/kcore']");
	is_str(secured("{'readonly_paths':['/proc/sys','/x']}", "linux.readonlyPaths"), "['/proc/sys','/x']");
	is_str(secured("{}", "process.noNewPrivileges"), "false");
}

/* ---- seccomp ---- */

static const json_t *rule_of(struct spec_pod *p, const char *call)
{
	json_t *rule, *name;
	size_t i, k;

	json_array_foreach(
		json_object_get(json_object_get(json_object_get(p->config, "linux"), "seccomp"), "syscalls"), i, rule)
		json_array_foreach(json_object_get(rule, "names"), k, name)
			if (strcmp(json_string_value(name), call) == 0)
				return rule;
	return NULL;
}

static const char *action(struct spec_pod *p, const char *call)
{
	const json_t *rule = rule_of(p, call);

	return rule ? json_string_value(json_object_get(rule, "action")) : "default";
}

static void which_profile(void)
{
	const char *member = "linux.seccomp.defaultAction";

	is_str(secured("{}", member), "");
	is_str(secured("{'seccomp':{'set':true}}", member), "'SCMP_ACT_ERRNO'");
	is_str(secured("{'seccomp':{'set':true,'type':1},'seccomp_profile_path':'runtime/default'}", member), "");
	is_str(secured("{'seccomp_profile_path':'runtime/default'}", member), "'SCMP_ACT_ERRNO'");
	is_str(secured("{'seccomp_profile_path':'docker/default'}", member), "'SCMP_ACT_ERRNO'");
	is_str(secured("{'seccomp_profile_path':'unconfined'}", member), "");
	ok(strncmp(secured("{'seccomp_profile_path':'default'}", member),
		   "INVALID_ARGUMENT: seccomp_profile_path 'default'", 47) == 0);
	is_str(secured("{'seccomp':{'set':true,'localhost_ref':'/x'}}", member),
	       "INVALID_ARGUMENT: seccomp: localhost_ref goes with type Localhost only");
	is_str(secured("{'seccomp':{'set':true,'type':7}}", member),
	       "INVALID_ARGUMENT: seccomp: unknown profile type 7");
}

static void the_default_profile_follows_capabilities(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{'security':{'seccomp':{'set':true}}}");
	ok(spec_pod_make(&p));
	is_str(action(&p, "read"), "SCMP_ACT_ALLOW");
	is_str(action(&p, "chroot"), "SCMP_ACT_ALLOW"); /* CAP_SYS_CHROOT is in the default set */
	is_str(action(&p, "mount"), "default");
	is_str(action(&p, "io_uring_setup"), "default");
	is_str(action(&p, "clone3"), "SCMP_ACT_ERRNO");
	ok(json_integer_value(json_object_get(rule_of(&p, "clone3"), "errnoRet")) == 38);
	ok(json_integer_value(json_object_get(json_array_get(json_object_get(rule_of(&p, "clone"), "args"), 0),
					      "value")) == 0x7e020000);
	ok(json_integer_value(
		   json_object_get(json_array_get(json_object_get(rule_of(&p, "socket"), "args"), 0), "value")) == 40);
	p.container.config.security.add_caps = (struct strings){ (const char *[]){ "SYS_ADMIN" }, 1 };
	ok(spec_pod_make(&p));
	is_str(action(&p, "mount"), "SCMP_ACT_ALLOW");
	is_str(action(&p, "clone3"), "SCMP_ACT_ALLOW");
	ok(json_object_get(rule_of(&p, "clone"), "args") == NULL);
	spec_pod_close(&p);
}

/* ---- a profile on the node ---- */

static const char *localhost(struct spec_pod *p, const char *text)
{
	struct arena *a = arena_new();
	auto_json json_t *j = spec_pod_json(a, text);
	const char *error;

	spec_pod_file(p, "profile.json", json_text(a, j));
	p->container.config.security.seccomp =
		(struct profile){ true, PROFILE_LOCALHOST, spec_pod_path(p, "profile.json") };
	error = spec_pod_error(p);
	arena_free(a);
	return p->config ? spec_pod_get(p, "linux.seccomp") : strstr(error, "json': ") + 7;
}

static void oci_form_passes_through(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	is_str(localhost(&p, "{'defaultAction':'SCMP_ACT_ALLOW','comment':'x','syscalls':[{'names':['chmod'],'action':'"
			     "SCMP_ACT_ERRNO',"
			     "'errnoRet':1,'comment':'','args':[]}]}"),
	       "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'action':'SCMP_ACT_ERRNO','args':[],'errnoRet':1,'names'"
	       ":['chmod']}]}");
	is_str(localhost(&p, "{'defaultAction':'SCMP_ACT_KILL','architectures':['SCMP_ARCH_X86'],'flags':['SECCOMP_"
			     "FILTER_FLAG_LOG']}"),
	       "{'architectures':['SCMP_ARCH_X86'],'defaultAction':'SCMP_ACT_KILL','flags':['SECCOMP_FILTER_FLAG_LOG'],"
	       "'syscalls':[]}");
	spec_pod_close(&p);
}

static void engine_form_is_decided_here(void)
{
	static const char text[] = "{'defaultAction':'SCMP_ACT_ERRNO','archMap':[{'architecture':'SCMP_ARCH_X','"
				   "subArchitectures':['SCMP_ARCH_Y']}],'syscalls':["
				   "{'name':'one','action':'A'},"
				   "{'names':['in'],'action':'A','includes':{'caps':['CAP_KILL','CAP_CHOWN']}},"
				   "{'names':['notin'],'action':'A','includes':{'caps':['CAP_KILL','CAP_SYS_ADMIN']}},"
				   "{'names':['ex'],'action':'A','excludes':{'caps':['CAP_KILL','CAP_SYS_ADMIN']}},"
				   "{'names':['notex'],'action':'A','excludes':{'caps':['CAP_SYS_ADMIN']}},"
				   "{'names':['arch'],'action':'A','includes':{'arches':['vax']}},"
				   "{'names':['old'],'action':'A','includes':{'minKernel':'4.8'}},"
				   "{'names':['new'],'action':'A','includes':{'minKernel':'6.2'}},"
				   "{'names':['gone'],'action':'A','excludes':{'minKernel':'6.1'}}]}";
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	is_str(localhost(&p, text), "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'action':'A','names':['one']},{'"
				    "action':'A','names':['in']},"
				    "{'action':'A','names':['notex']},{'action':'A','names':['old']}]}");
	spec_pod_close(&p);
}

static void a_bad_profile_is_named(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	is_str(localhost(&p, "{}"), "no defaultAction");
	is_str(localhost(&p, "[]"), "no defaultAction");
	is_str(localhost(&p, "{'defaultAction':'A','syscalls':{}}"), "syscalls is not a list");
	is_str(localhost(&p, "{'defaultAction':'A','syscalls':[{'names':['x']}]}"), "a rule of syscalls has no action");
	is_str(localhost(&p, "{'defaultAction':'A','syscalls':[{'action':'A'}]}"),
	       "a rule of syscalls names no system call");
	spec_pod_file(&p, "profile.json", "{");
	ok(strstr(spec_pod_error(&p), "parse: line 1") && p.e.code == ERR_INVALID_ARGUMENT);
	p.container.config.security.seccomp.localhost_ref = p.dir;
	ok(strstr(spec_pod_error(&p), "not a regular file") != NULL);
	p.container.config.security.seccomp.localhost_ref = "localhost//nowhere/p.json";
	is_str(spec_pod_error(&p),
	       "INVALID_ARGUMENT: seccomp profile '/nowhere/p.json': open: No such file or directory");
	p.container.config.security.seccomp.localhost_ref = "p.json";
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: seccomp profile 'p.json': not an absolute path");
	spec_pod_close(&p);
}

/* ---- AppArmor, SELinux ---- */

static void apparmor_on_a_machine_without(void)
{
	const char *member = "process.apparmorProfile";

	is_str(secured("{}", member), "");
	is_str(secured("{'apparmor':{'set':true,'type':1}}", member), "");
	is_str(secured("{'apparmor_profile':'unconfined'}", member), "");
	is_str(secured("{'apparmor':{'set':true}}", member),
	       "INVALID_ARGUMENT: apparmor: this machine has no AppArmor");
	is_str(secured("{'apparmor_profile':'localhost/x'}", member),
	       "INVALID_ARGUMENT: apparmor: this machine has no AppArmor");
	ok(strncmp(secured("{'apparmor_profile':'x'}", member), "INVALID_ARGUMENT: apparmor_profile 'x'", 37) == 0);
}

static void labels_are_the_containers(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	is_str(spec_pod_error(&p), "made");
	is_str(spec_pod_get(&p, "process.selinuxLabel"), "");
	is_str(spec_pod_get(&p, "linux.mountLabel"), "");
	p.container.process_label = "a:b:c:s0:c1,c2";
	p.container.mount_label = "a:b:f:s0:c1,c2";
	is_str(spec_pod_error(&p), "made");
	is_str(spec_pod_get(&p, "process.selinuxLabel"), "'a:b:c:s0:c1,c2'");
	is_str(spec_pod_get(&p, "linux.mountLabel"), "'a:b:f:s0:c1,c2'");
	spec_pod_close(&p);
}

static void nothing(void *arg)
{
	(void)arg;
}

static const char *apparmor_of(const char *security, bool parser, const char *loaded)
{
	static struct apparmor_config cfg;
	static char out[512];
	struct spec_pod p;
	char config[256];

	snprintf(config, sizeof(config), "{'security':%s}", security);
	spec_pod_open(&p, config);
	spec_pod_security(&p, "{'privileged':true}");
	spec_pod_host.apparmor = true;
	spec_pod_file(&p, "enabled", "N\n");
	spec_pod_file(&p, "profiles", loaded);
	cfg.enabled = arena_strdup(p.arena, spec_pod_path(&p, "enabled"));
	cfg.profiles = arena_strdup(p.arena, spec_pod_path(&p, "profiles"));
	cfg.parser = parser ? "/bin/true" : missing("parser");
	apparmor_open(&cfg, nothing, NULL);
	apparmor_close();
	spec_pod_file(&p, "enabled", "Y\n");
	snprintf(out, sizeof(out), "%s",
		 spec_pod_make(&p) ? spec_pod_get(&p, "process.apparmorProfile") : spec_pod_error(&p));
	cfg = (struct apparmor_config){ 0 };
	spec_pod_close(&p);
	return out;
}

static void apparmor_on_a_machine_with_it(void)
{
	const char *both = "crisp-default (enforce)\nmine (complain)\n";

	is_str(apparmor_of("{}", true, both), "'crisp-default'");
	is_str(apparmor_of("{'apparmor':{'set':true}}", true, both), "'crisp-default'");
	is_str(apparmor_of("{'apparmor_profile':'runtime/default'}", true, both), "'crisp-default'");
	is_str(apparmor_of("{'apparmor':{'set':true,'type':1}}", true, both), "");
	is_str(apparmor_of("{'apparmor':{'set':true,'type':2,'localhost_ref':'mine'}}", true, both), "'mine'");
	is_str(apparmor_of("{'apparmor':{'set':true,'type':2,'localhost_ref':'localhost/mine'}}", true, both),
	       "'mine'");
	is_str(apparmor_of("{'apparmor_profile':'localhost/mine'}", true, both), "'mine'");
	is_str(apparmor_of("{'privileged':true,'apparmor_profile':'localhost/mine'}", true, both), "");
	is_str(apparmor_of("{'apparmor_profile':'localhost/other'}", true, both),
	       "INVALID_ARGUMENT: apparmor: profile 'other' is not loaded");
	/* The host has a parser but the profile is not loaded: the container is refused, not left unconfined. Without a
	 * parser there is no default profile. */
	is_str(apparmor_of("{}", true, ""), "INVALID_ARGUMENT: apparmor: profile 'crisp-default' is not loaded");
	is_str(apparmor_of("{}", false, ""), "");
	is_str(apparmor_of("{'apparmor':{'set':true}}", false, ""),
	       "INVALID_ARGUMENT: apparmor: profile 'crisp-default' is not loaded");
}

static void the_path_of_a_user_namespace(void)
{
	struct arena *a = arena_new();

	is_str(ns_user_path(a, "/proc/12/fd/3"), "/./proc/12/fd/3");
	is_str(ns_user_path(a, "/run/pins/user"), "/run/pins/user");
	arena_free(a);
}

static void apparmor_profile_that_is_not_loaded(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{'security':{'apparmor':{'set':true,'type':2,'localhost_ref':'localhost/crisp-no-such'}}}");
	spec_pod_host.apparmor = true;
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: apparmor: profile 'crisp-no-such' is not loaded");
	spec_pod_close(&p);
}

/* ---- user namespaces ---- */

#define USERNS                                                                                                         \
	"{'ns':{'has_userns':true,'uids':[{'host_id':100000,'length':65536}],'gids':[{'host_id':200000,'length':"      \
	"65536}]}}"

static const char *userns(const char *pod, const char *own)
{
	static char out[512];
	char config[512];
	struct spec_pod p;
	const char *error;

	snprintf(config, sizeof(config), "{'security':%s}", own);
	spec_pod_open(&p, config);
	spec_pod_security(&p, pod);
	p.in.namespaces.user = "/n/user";
	error = spec_pod_error(&p);
	snprintf(out, sizeof(out), "%s", p.config ? spec_pod_get(&p, "linux.uidMappings") : error);
	spec_pod_close(&p);
	return out;
}

static void a_user_namespace(void)
{
	is_str(userns(USERNS, USERNS), "[{'containerID':0,'hostID':100000,'size':65536}]");
	is_str(userns("{'ns':{'has_userns':true,'userns_mode':2}}", "{}"), "");
	is_str(userns(USERNS, "{}"),
	       "INVALID_ARGUMENT: userns_options: the sandbox has a user namespace, the container asks for none");
	is_str(userns("{}", USERNS),
	       "INVALID_ARGUMENT: userns_options: the sandbox has no user namespace, the container asks for one");
	is_str(userns(USERNS, "{'ns':{'has_userns':true,'uids':[{'host_id':1,'length':65536}],'gids':[{'host_id':"
			      "200000,'length':65536}]}}"),
	       "INVALID_ARGUMENT: userns_options: mappings differ from the sandbox's");
	is_str(userns("{'ns':{'has_userns':true}}", "{}"),
	       "INVALID_ARGUMENT: userns_options: uids needs exactly one mapping, not 0");
	is_str(userns("{'ns':{'has_userns':true,'uids':[{}],'gids':[{}]}}", "{}"),
	       "INVALID_ARGUMENT: userns_options: uids has length 0");
	is_str(userns("{'ns':{'has_userns':true,'uids':[{'length':1,'container_id':1}],'gids':[{}]}}", "{}"),
	       "INVALID_ARGUMENT: userns_options: uids does not map id 0");
	is_str(userns("{'ns':{'has_userns':true,'userns_mode':1}}", "{}"),
	       "INVALID_ARGUMENT: userns_options: mode 1 is neither POD nor NODE");
}

int main(void)
{
	the_default_set();
	all_first_then_single_ones();
	ambient_ones_are_in_every_set();
	no_more_than_we_have();
	privileged_wants_a_privileged_pod();
	paths_as_given();
	which_profile();
	the_default_profile_follows_capabilities();
	oci_form_passes_through();
	engine_form_is_decided_here();
	a_bad_profile_is_named();
	labels_are_the_containers();
	apparmor_on_a_machine_without();
	apparmor_profile_that_is_not_loaded();
	a_user_namespace();
	the_path_of_a_user_namespace();
	apparmor_on_a_machine_with_it();
	return tap_end();
}
