/* test_cri_config.c - the tables of procs/cri_config.c: every member goes to a record and comes back. */
#include <string.h>

#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

static const char container[] =
	"{'name':'web','attempt':2,'image':'i','user_specified_image':'u','image_runtime_handler':'h','image_"
	"annotations':[['a','1']],"
	"'command':['sh','-c'],'args':['x'],'working_dir':'/w','log_path':'web/2.log','envs':[['A','1'],['B','']],"
	"'mounts':[{'container_path':'/c','host_path':'/"
	"h','image':'im','image_sub_path':'s','readonly':true,'selinux_relabel':true,"
	"'recursive_read_only':true,'propagation':2,'uids':[{'host_id':1,'container_id':2,'length':3}],"
	"'gids':[{'host_id':4294967295}],'mount_options':['nodev']}],"
	"'devices':[{'container_path':'/dev/a','host_path':'/dev/b','permissions':'rw'}],'cdi_devices':['v/c=n'],"
	"'labels':[['l','v']],'annotations':[['an','v']],'stdin_':true,'stdin_once':true,'tty':true,"
	"'resources':{'set':true,'cpu_period':1,'cpu_quota':-1,'cpu_shares':3,'memory_limit':4,'oom_score_adj':-5,"
	"'memory_swap_limit':6,'cpuset_cpus':'0-3','cpuset_mems':'0','hugepages':[{'page_size':'2MB','limit':7}],'"
	"unified':[['k','v']]},"
	"'security':{'ns':{'network':2,'pid':3,'ipc':1,'target_id':'t','has_userns':true,'userns_mode':2,"
	"'uids':[{'length':1}],'gids':[{'length':2}]},'privileged':true,'readonly_rootfs':true,'no_new_privs':true,"
	"'add_caps':['A'],'drop_caps':['B'],'add_ambient_caps':['C'],'run_as_user':{'set':true,'value':1000},"
	"'run_as_group':{'set':true},'run_as_username':'n','supplemental_groups':[1,2],'groups_policy':1,'masked_paths'"
	":['/m'],"
	"'readonly_paths':['/r'],'seccomp':{'set':true,'type':2,'localhost_ref':'/p'},'apparmor':{'set':true,'type':1},"
	"'seccomp_profile_path':'unconfined','apparmor_profile':'x','selinux':{'user':'u','role':'r','type':'t','level'"
	":'l'}},"
	"'stop_signal':18}";

static const char sandbox[] =
	"{'name':'pod','uid':'u','namespace_':'n','attempt':1,'hostname':'h','log_directory':'/l','cgroup_parent':'/p',"
	"'runtime_handler':'crun','dns':{'set':true,'servers':['1.1.1.1'],'searches':['s'],'options':['ndots:5']},"
	"'ports':[{'protocol':1,'container_port':80,'host_port':8080,'host_ip':'127.0.0.1'}],'labels':[['a','b']],"
	"'annotations':[['c','d']],'sysctls':[['net.core.somaxconn','1']],'security':{'privileged':true},"
	"'overhead':{'set':true,'cpu_shares':2},'resources':{'set':true,'memory_limit':9}}";

/* Text to struct to text: what is lost on the way makes the two differ. */
static bool survives(const struct field *table, void *object, void *copy, const char *text, struct arena *a)
{
	auto_json json_t *j = spec_pod_json(a, text);
	auto_json json_t *back = NULL;
	struct err e;

	if (fields_from_json(table, object, j, a, &e) < 0)
		return false;
	fields_copy(table, copy, object, a);
	back = fields_to_json(table, copy);
	return json_equal(j, back) && fields_equal(table, object, copy);
}

static void every_member_survives(void)
{
	struct arena *a = arena_new();
	struct container_config c, c2;
	struct sandbox_config s, s2;

	ok(survives(container_config_fields, &c, &c2, container, a));
	ok(c.mounts.n == 1 && c.mounts.at[0].gids.at[0].host_id == UINT32_MAX);
	ok(c.security.run_as_group.set && c.security.run_as_group.value == 0);
	ok(c.resources.hugepages.at[0].limit == 7);
	ok(survives(sandbox_config_fields, &s, &s2, sandbox, a));
	ok(s.ports.at[0].host_port == 8080 && s.dns.set);
	arena_free(a);
}

static void absent_is_empty_not_null(void)
{
	struct arena *a = arena_new();
	struct container_config c;
	struct err e;
	auto_json json_t *none = json_object();

	memset(&c, 0xff, sizeof(c));
	ok(fields_from_json(container_config_fields, &c, none, a, &e) == 0);
	is_str(c.working_dir, "");
	is_str(c.security.seccomp.localhost_ref, "");
	is_str(c.resources.cpuset_cpus, "");
	ok(!c.security.seccomp.set && !c.resources.set && c.mounts.n == 0);
	arena_free(a);
}

static void a_wrong_type_is_named(void)
{
	struct arena *a = arena_new();
	struct container_config c;
	struct err e;
	auto_json json_t *j = spec_pod_json(a, "{'mounts':[{'readonly':'yes'}]}");

	ok(fields_from_json(container_config_fields, &c, j, a, &e) < 0 && e.code == ERR_INTERNAL);
	ok(strstr(e.msg, "readonly") != NULL);
	arena_free(a);
}

int main(void)
{
	every_member_survives();
	absent_is_empty_not_null();
	a_wrong_type_is_named();
	return tap_end();
}
