/* test_user.c - the user and groups of a container: CRI's fields with an image's etc/passwd and etc/group. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/spec/user.h"
#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

static const char passwd[] =
	"root:x:0:0:root:/root:/bin/sh\n# web:x:1:1::\nbroken\nweb:x:1000:1001::/srv:/bin/sh\nweb:x:7:7::\n"
	"big:x:99999999999:1::\nlast:x:2000:2001::/:/bin/sh";
static const char group[] =
	"root:x:0:\nweb:x:1001:web\nextra:x:50000:other,web\nlow:x:5:web,root\nnot:x:x:web\nwebby:x:8:webby\n";

static const char *who(struct spec_pod *p)
{
	const char *error = spec_pod_error(p);

	return p->config ? spec_pod_get(p, "process.user") : error;
}

static void image_of(struct spec_pod *p, const char *user)
{
	spec_pod_file(p, "rootfs/etc/passwd", passwd);
	spec_pod_file(p, "rootfs/etc/group", group);
	p->container.image.user = user;
}

static const char *resolved(const char *image_user, const char *security)
{
	static char out[512];
	struct spec_pod p;

	char config[512];

	snprintf(config, sizeof(config), "{'security':%s}", security);
	spec_pod_open(&p, config);
	image_of(&p, image_user);
	snprintf(out, sizeof(out), "%s", who(&p));
	spec_pod_close(&p);
	return out;
}

static void the_images_user(void)
{
	is_str(resolved("", "{}"), "{'additionalGids':[0,5],'gid':0,'uid':0}");
	is_str(resolved("web", "{}"), "{'additionalGids':[5,1001,50000],'gid':1001,'uid':1000}");
	is_str(resolved("1000", "{}"), "{'additionalGids':[5,1001,50000],'gid':1001,'uid':1000}");
	is_str(resolved("web:low", "{}"), "{'additionalGids':[5,50000],'gid':5,'uid':1000}");
	is_str(resolved("12:34", "{}"), "{'additionalGids':[34],'gid':34,'uid':12}");
	is_str(resolved("12", "{}"), "{'additionalGids':[0],'gid':0,'uid':12}");
	is_str(resolved("last", "{}"), "{'additionalGids':[2001],'gid':2001,'uid':2000}");
	is_str(resolved("nobody", "{}"), "INVALID_ARGUMENT: the image's USER 'nobody': no such user in the image");
	is_str(resolved("web:none", "{}"), "INVALID_ARGUMENT: the image's USER: no such group 'none' in the image");
	is_str(resolved("big", "{}"), "INVALID_ARGUMENT: the image's USER 'big': no such user in the image");
}

static void cri_wins_over_the_image(void)
{
	is_str(resolved("web:low", "{'run_as_user':{'set':true}}"), "{'additionalGids':[0,5],'gid':0,'uid':0}");
	is_str(resolved("web", "{'run_as_user':{'set':true,'value':2000}}"),
	       "{'additionalGids':[2001],'gid':2001,'uid':2000}");
	is_str(resolved("", "{'run_as_username':'web'}"), "{'additionalGids':[5,1001,50000],'gid':1001,'uid':1000}");
	is_str(resolved("", "{'run_as_username':'web','run_as_group':{'set':true,'value':9}}"),
	       "{'additionalGids':[5,9,50000],'gid':9,'uid':1000}");
	is_str(resolved("", "{'run_as_user':{'set':true,'value':3},'run_as_group':{'set':true}}"),
	       "{'additionalGids':[0],'gid':0,'uid':3}");
	is_str(resolved("", "{'run_as_username':'ghost'}"),
	       "INVALID_ARGUMENT: run_as_username 'ghost': no such user in the image");
	is_str(resolved("", "{'run_as_group':{'set':true,'value':9}}"),
	       "INVALID_ARGUMENT: run_as_group is set without run_as_user or run_as_username");
	is_str(resolved("", "{'run_as_user':{'set':true},'run_as_username':'web'}"),
	       "INVALID_ARGUMENT: run_as_user and run_as_username are both set");
	is_str(resolved("", "{'run_as_user':{'set':true,'value':-1}}"),
	       "INVALID_ARGUMENT: run_as_user: -1 is not a user id");
	is_str(resolved("", "{'run_as_user':{'set':true,'value':4294967295}}"),
	       "INVALID_ARGUMENT: run_as_user: 4294967295 is not a user id");
}

static const char tricks[] = "4294967296:x:0:0::/:\n99999999999:x:0:0::/:\n-1:x:0:0::/:\n4294967295:x:0:0::/:\n"
			     "+5:x:0:0::/:\n00000000005:x:0:0::/:\n1x:x:9:9::/:\nlarge:x:4294967296:0::/:\n";

static const char *tricked(const char *image_user, const char *security)
{
	static char out[512];
	struct spec_pod p;
	char config[512];

	snprintf(config, sizeof(config), "{'security':%s}", security);
	spec_pod_open(&p, config);
	spec_pod_file(&p, "rootfs/etc/passwd", tricks);
	spec_pod_file(&p, "rootfs/etc/group", "4294967296:x:0:\n-1:x:0:\n");
	p.container.image.user = image_user;
	snprintf(out, sizeof(out), "%s", who(&p));
	spec_pod_close(&p);
	return out;
}

/* The image's passwd and group have lines with these numbers as names, of uid 0. */
static void a_number_is_never_a_name(void)
{
	static const char *const numbers[] = { "-1", "4294967295", "4294967296", "99999999999" };
	char security[128], want[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(security, sizeof(security), "{'run_as_user':{'set':true,'value':%s}}", numbers[i]);
		snprintf(want, sizeof(want), "INVALID_ARGUMENT: run_as_user: %s is not a user id", numbers[i]);
		is_str(tricked("", security), want);
		snprintf(security, sizeof(security), "{'run_as_username':'%s'}", numbers[i]);
		snprintf(want, sizeof(want), "INVALID_ARGUMENT: run_as_username: %s is not a user id", numbers[i]);
		is_str(tricked("", security), want);
		snprintf(want, sizeof(want), "INVALID_ARGUMENT: the image's USER: %s is not a user id", numbers[i]);
		is_str(tricked(numbers[i], "{}"), want);
		snprintf(security, sizeof(security),
			 "{'run_as_user':{'set':true,'value':1},'run_as_group':{'set':true,'value':%s}}", numbers[i]);
		snprintf(want, sizeof(want), "INVALID_ARGUMENT: run_as_group: %s is not a group id", numbers[i]);
		is_str(tricked("", security), want);
	}
	is_str(tricked("1:4294967296", "{}"), "INVALID_ARGUMENT: the image's USER: 4294967296 is not a group id");
	is_str(tricked("1:-1", "{}"), "INVALID_ARGUMENT: the image's USER: -1 is not a group id");
	is_str(tricked("+5", "{}"), "INVALID_ARGUMENT: the image's USER: +5 is not a user id");
	is_str(tricked("00000000005", "{}"), "INVALID_ARGUMENT: the image's USER: 00000000005 is not a user id");
	is_str(tricked("large", "{}"), "INVALID_ARGUMENT: the image's USER 'large': no such user in the image");
	is_str(tricked("1x", "{}"), "{'additionalGids':[9],'gid':9,'uid':9}");
	is_str(tricked("4294967294:4294967294", "{}"),
	       "{'additionalGids':[4294967294],'gid':4294967294,'uid':4294967294}");
	is_str(tricked("", "{'supplemental_groups':[4294967296]}"),
	       "INVALID_ARGUMENT: supplemental_groups: 4294967296 is not a group id");
}

/* What ImageStatus says, and so what runAsNonRoot compares, is what a container gets. */
static void the_uid_that_an_image_names(void)
{
	static const char *const none[] = { "", ":5", "web", "-1", "+5", " 5", "5 ", "00000000005", "4294967295",
					    "4294967296", "18446744073709551616", "0x10" };
	int64_t uid = 77;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		ok(!spec_image_uid(none[i], &uid) && uid == 77);
	ok(spec_image_uid("0", &uid) && uid == 0);
	ok(spec_image_uid("007:x", &uid) && uid == 7);
	ok(spec_image_uid("4294967294:4294967296", &uid) && uid == UINT32_MAX - 1);
}

static void groups_by_policy(void)
{
	is_str(resolved("web", "{'supplemental_groups':[7,5,7]}"),
	       "{'additionalGids':[5,7,1001,50000],'gid':1001,'uid':1000}");
	is_str(resolved("web", "{'supplemental_groups':[7],'groups_policy':1}"),
	       "{'additionalGids':[7,1001],'gid':1001,'uid':1000}");
	is_str(resolved("web", "{'groups_policy':1}"), "{'additionalGids':[1001],'gid':1001,'uid':1000}");
	is_str(resolved("web", "{'groups_policy':2}"), "INVALID_ARGUMENT: supplemental_groups_policy 2 is unknown");
	is_str(resolved("web", "{'supplemental_groups':[-1]}"),
	       "INVALID_ARGUMENT: supplemental_groups: -1 is not a group id");
}

static void status_has_them_too(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	image_of(&p, "web");
	ok(spec_pod_make(&p));
	ok(p.container.uid == 1000 && p.container.gid == 1001);
	ok(p.container.groups.n == 3 && p.container.groups.at[2] == 50000);
	spec_pod_close(&p);
}

static void an_image_without_passwd(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	is_str(who(&p), "{'additionalGids':[0],'gid':0,'uid':0}");
	p.container.image.user = "web";
	is_str(who(&p), "INVALID_ARGUMENT: the image's USER 'web': no such user in the image");
	spec_pod_close(&p);
}

static void links_stay_inside_the_rootfs(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	image_of(&p, "web");
	spec_pod_file(&p, "passwd", "web:x:666:666::\n"); /* outside of the rootfs */
	unlink(spec_pod_path(&p, "rootfs/etc/passwd"));
	ok(symlink("../../passwd", spec_pod_path(&p, "rootfs/etc/passwd")) == 0);
	is_str(who(&p), "INVALID_ARGUMENT: the image's USER 'web': no such user in the image");
	spec_pod_file(&p, "rootfs/passwd", passwd); /* the link's target inside the rootfs */
	is_str(who(&p), "{'additionalGids':[5,1001,50000],'gid':1001,'uid':1000}");
	unlink(spec_pod_path(&p, "rootfs/etc/passwd"));
	ok(symlink("/proc/self/root/etc/passwd", spec_pod_path(&p, "rootfs/etc/passwd")) == 0);
	is_str(who(&p), "INVALID_ARGUMENT: the image's USER 'web': no such user in the image");
	spec_pod_close(&p);
}

static void what_is_no_file_is_not_opened(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	ok(mkfifo(spec_pod_path(&p, "rootfs/etc/passwd"), 0644) == 0); /* opening it would hang */
	is_str(who(&p), "INVALID_ARGUMENT: the image's /etc/passwd: Invalid argument");
	unlink(spec_pod_path(&p, "rootfs/etc/passwd"));
	spec_pod_file(&p, "rootfs/etc/passwd", "");
	ok(truncate(spec_pod_path(&p, "rootfs/etc/passwd"), 2 << 20) == 0);
	is_str(who(&p), "INVALID_ARGUMENT: the image's /etc/passwd: larger than 1048576 bytes");
	spec_pod_close(&p);
}

static const char *home_of(const char *user, const char *config)
{
	static char out[256];
	struct spec_pod p;
	const char *env;

	spec_pod_open(&p, config);
	image_of(&p, user);
	spec_pod_file(&p, "rootfs/etc/passwd", "a:x:1:1::/home/a:/bin/sh\nb:x:2:2:::\nc:x:3:3::relative:\nd:x:4:4\n");
	spec_pod_make(&p);
	env = strstr(spec_pod_get(&p, "process.env"), "'HOME=");
	snprintf(out, sizeof(out), "%.*s", env ? (int)strcspn(env + 1, "'") : 0, env ? env + 1 : "");
	spec_pod_close(&p);
	return out;
}

/* No runtime is left to choose: crun leaves HOME out for a uid without a line. */
static void home_is_always_set(void)
{
	is_str(home_of("a", "{}"), "HOME=/home/a");
	is_str(home_of("1", "{}"), "HOME=/home/a");
	is_str(home_of("b", "{}"), "HOME=/");
	is_str(home_of("c", "{}"), "HOME=/");
	is_str(home_of("d", "{}"), "HOME=/");
	is_str(home_of("4242", "{}"), "HOME=/");
	is_str(home_of("a", "{'envs':[['HOME','/x']]}"), "HOME=/x");
	is_str(home_of("a", "{'envs':[['HOME','']]}"), "HOME=");
}

static void too_many_groups(void)
{
	static int64_t many[70000];
	struct spec_pod p;

	spec_pod_open(&p, "{}");
	p.container.config.security.supplemental_groups = (struct ints){ many, 70000 };
	is_str(who(&p), "INVALID_ARGUMENT: the user is in more than 65536 groups");
	spec_pod_close(&p);
}

int main(void)
{
	the_images_user();
	cri_wins_over_the_image();
	a_number_is_never_a_name();
	the_uid_that_an_image_names();
	groups_by_policy();
	status_has_them_too();
	an_image_without_passwd();
	links_stay_inside_the_rootfs();
	what_is_no_file_is_not_opened();
	home_is_always_set();
	too_many_groups();
	return tap_end();
}
