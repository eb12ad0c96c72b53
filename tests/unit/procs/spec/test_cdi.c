/* test_cdi.c - CDI devices in config.json, from files that the test writes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cdi.h"
#include "reactor/log.h"
#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

static struct spec_pod p;
static const char *dirs_at[2];
static const struct strings dirs = { dirs_at, 2 };

/* dir/name with ' for ". */
static void put(const char *path, const char *text)
{
	char *copy = arena_strdup(p.arena, text);

	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	spec_pod_file(&p, path, copy);
}

static void open_pod(const char *config)
{
	spec_pod_open(&p, config);
	dirs_at[0] = arena_strdup(p.arena, spec_pod_path(&p, "etc"));
	dirs_at[1] = arena_strdup(p.arena, spec_pod_path(&p, "run"));
	mkdir(dirs_at[0], 0700);
	mkdir(dirs_at[1], 0700);
	cdi_open(&dirs);
}

#define GPU                                                                                                            \
	"{'cdiVersion':'0.6.0','kind':'vendor.com/gpu','containerEdits':{'env':['ALL=1'],'additionalGids':[44,0]},"    \
	"'devices':["                                                                                                  \
	"{'name':'0','containerEdits':{'env':['GPU=0'],'deviceNodes':[{'path':'/dev/gpu0','hostPath':'/dev/null'}],"   \
	"'mounts':[{'hostPath':'/lib','containerPath':'/vendor/lib','options':['ro','nosuid','bind']},"                \
	"{'hostPath':'/etc','containerPath':'/etc/hosts'}],"                                                           \
	"'hooks':[{'hookName':'createContainer','path':'/bin/hook','args':['hook','0'],'env':['X=y'],'timeout':3}]}}," \
	"{'name':'1','containerEdits':{'env':['GPU=1'],'deviceNodes':[{'path':'/dev/"                                  \
	"gpu1','type':'c','major':9,'minor':8,"                                                                        \
	"'fileMode':384,'permissions':'r','uid':0}],'hooks':[{'hookName':'createContainer','path':'/bin/other'}]}}]}"

static void two_devices_of_a_file(void)
{
	open_pod("{'cdi_devices':['vendor.com/gpu=0','vendor.com/gpu=1'],'annotations':[['cdi.k8s.io/x','vendor.com/"
		 "gpu=0']],"
		 "'envs':[['GPU','none']],'security':{'run_as_user':{'set':true,'value':7}}}");
	put("etc/gpu.json", GPU);
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_get(&p, "process.env"), "'GPU=1','ALL=1'") != NULL); /* each once, the last one counts */
	ok(strstr(spec_pod_get(&p, "process.user"), "'additionalGids':[0,44]") != NULL);
	is_str(spec_pod_get(&p, "linux.devices"),
	       "[{'major':1,'minor':3,'path':'/dev/gpu0','type':'c','uid':7},"
	       "{'fileMode':384,'major':9,'minor':8,'path':'/dev/gpu1','type':'c','uid':0}]");
	ok(strstr(spec_pod_get(&p, "linux.resources.devices"),
		  "{'access':'rwm','allow':true,'major':1,'minor':3,'type':'c'},"
		  "{'access':'r','allow':true,'major':9,'minor':8,'type':'c'}") != NULL);
	ok(strstr(spec_pod_mount(&p, "/vendor/lib"), "'options':['ro','nosuid','bind']") != NULL);
	ok(strstr(spec_pod_mount(&p, "/etc/hosts"), "'options':['rbind'],'source':'/etc','type':'bind'") != NULL);
	is_str(spec_pod_get(&p, "hooks"), "{'createContainer':[{'args':['hook','0'],'env':['X=y'],'path':'/bin/"
					  "hook','timeout':3},{'path':'/bin/other'}]}");
	spec_pod_close(&p);
}

static void by_annotations_alone(void)
{
	open_pod("{'annotations':[['cdi.k8s.io/a','vendor.com/gpu=1,vendor.com/gpu=0'],['other','x']]}");
	put("etc/gpu.json", GPU);
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_get(&p, "process.env"), "'ALL=1','GPU=0'") != NULL);
	spec_pod_close(&p);
}

static void no_device_changes_nothing(void)
{
	open_pod("{}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "hooks"), "");
	is_str(spec_pod_get(&p, "linux.devices"), "[]");
	spec_pod_close(&p);
}

#define ONE(env) "{'cdiVersion':'0.6.0','kind':'v.com/c','devices':[{'name':'d','containerEdits':{'env':['" env "']}}]}"

static void a_later_directory_hides_an_earlier_one(void)
{
	open_pod("{'cdi_devices':['v.com/c=d']}");
	put("etc/one.json", ONE("FROM=etc"));
	put("run/one.json", ONE("FROM=run"));
	put("run/no-spec", "x");
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_get(&p, "process.env"), "'FROM=run'") != NULL);
	put("run/two.json", ONE("FROM=other"));
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: no such CDI device: v.com/c=d (described twice)");
	spec_pod_close(&p);
}

static const char *refused(const char *config, const char *file)
{
	static char out[1024];
	char *at;

	open_pod(config);
	if (file)
		put("etc/x.json", file);
	snprintf(out, sizeof(out), "%s", spec_pod_error(&p));
	at = strstr(out, "; ");
	if (at && (at = strstr(at, "x.json")))
		memmove(out, at, strlen(at) + 1);
	spec_pod_close(&p);
	return out;
}

#define ASK "{'cdi_devices':['v.com/c=d']}"
#define DEVICE(edits) "{'cdiVersion':'0.6.0','kind':'v.com/c','devices':[{'name':'d','containerEdits':" edits "}]}"

/* The names are compared with the devices of each file, and the loop waits meanwhile. */
static void too_many_devices(void)
{
	static char config[40000] = "{'cdi_devices':[";
	char *to = config + strlen(config);

	for (int i = 0; i < 513; i++)
		to += sprintf(to, "%s'v.com/c=d%d'", i ? "," : "", i);
	strcpy(to, "]}");
	is_str(refused(config, NULL), "INVALID_ARGUMENT: 513 CDI devices; 512 are allowed");
}

static void what_cannot_be_had_is_named(void)
{
	is_str(refused("{'cdi_devices':['v.com/c=d','v.com/c=e']}", NULL),
	       "INVALID_ARGUMENT: no such CDI device: v.com/c=d, v.com/c=e");
	is_str(refused("{'cdi_devices':['gpu']}", NULL),
	       "INVALID_ARGUMENT: CDI_devices: 'gpu' is no CDI device (vendor/class=name)");
	is_str(refused("{'annotations':[['cdi.k8s.io/a','']]}", NULL),
	       "INVALID_ARGUMENT: cdi.k8s.io/a: '' is no CDI device (vendor/class=name)");
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':'/dev/no-such'}]}")),
	       "INVALID_ARGUMENT: CDI device node /dev/no-such: No such file or directory");
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':'/etc/passwd'}]}")),
	       "INVALID_ARGUMENT: CDI device node /etc/passwd: not a device");
	is_str(refused(ASK, DEVICE("{'netDevices':[{'name':'eth1','hostInterfaceName':'eth1'}]}")),
	       "INVALID_ARGUMENT: CDI device v.com/c=d: net devices are not supported");
}

static void a_file_that_is_none_is_named(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	is_str(refused(ASK, "{'kind':'v.com/c','devices':[]}"), "x.json: no cdiVersion");
	is_str(refused(ASK, "{'cdiVersion':'1','kind':'v.com','devices':[]}"), "x.json: kind is no vendor/class");
	is_str(refused(ASK, "{'cdiVersion':'1','kind':'v.com/c','devices':[]}"), "x.json: no devices");
	is_str(refused(ASK, "{'cdiVersion':'1','kind':'v.com/c','devices':[{}]}"), "x.json: devices[0] has no name");
	is_str(refused(ASK, DEVICE("{'env':['=x']}")), "x.json: device d: no NAME=VALUE: '=x'");
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':'dev'}]}")),
	       "x.json: device d: device node: no absolute path: 'dev'");
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':'/d','type':'x'}]}")),
	       "x.json: device d: device node: type 'x'");
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':'/d','permissions':'x'}]}")),
	       "x.json: device d: device node: permissions 'x'");
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':'/d','major':-1}]}")),
	       "x.json: device d: device node: a negative number, or no file mode: '/d'");
	is_str(refused(ASK, DEVICE("{'mounts':[{'hostPath':'/x'}]}")),
	       "x.json: device d: mount: no hostPath, or no absolute containerPath: ''");
	is_str(refused(ASK, DEVICE("{'hooks':[{'hookName':'x','path':'/x'}]}")),
	       "x.json: device d: hook: hookName 'x'");
	is_str(refused(ASK, DEVICE("{'hooks':[{'hookName':'poststop','path':'x'}]}")),
	       "x.json: device d: hook: no absolute path: 'x'");
	is_str(refused(ASK, DEVICE("{'additionalGids':[-1]}")), "x.json: device d: additionalGids: -1 is no group");
	is_str(refused(ASK, DEVICE("{'intelRdt':1}")),
	       "x.json: device d: containerEdits, or its intelRdt or netDevices, is of the wrong type");
	ok(strstr(refused(ASK, "{"), "x.json: line 1") != NULL || strstr(refused(ASK, "{"), "x.json") != NULL);
}

/* Records have {"base64": ..} for a string; in a file of another program it must not pass as one. */
static void an_object_is_no_string(void)
{
#define OBJECT "x.json: device d: containerEdits has an object where a string belongs"
	is_str(refused(ASK, DEVICE("{'env':[{'base64':'QT0x'}]}")), OBJECT);
	is_str(refused(ASK, DEVICE("{'mounts':[{'hostPath':'/x','containerPath':{'base64':'L2E='}}]}")), OBJECT);
	is_str(refused(ASK, DEVICE("{'deviceNodes':[{'path':{'base64':'L2Rldi9h'}}]}")), OBJECT);
	is_str(refused(ASK, DEVICE("{'hooks':[{'hookName':'poststop','path':'/x','args':[{'base64':'QQ=='}]}]}")),
	       OBJECT);
}

int main(void)
{
	two_devices_of_a_file();
	by_annotations_alone();
	no_device_changes_nothing();
	a_later_directory_hides_an_earlier_one();
	what_cannot_be_had_is_named();
	too_many_devices();
	a_file_that_is_none_is_named();
	an_object_is_no_string();
	return tap_end();
}
