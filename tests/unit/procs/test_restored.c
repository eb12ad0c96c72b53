/* test_restored.c - what a restored thread may have, by the text of its status and the config.json of the request. */
#include "procs/restored.h"

#include <stdio.h>

#include "tests/tap.h"

static struct arena *arena;
static struct err err;

#define DEFAULT_CAPS "'CAP_CHOWN','CAP_SETGID','CAP_SETUID'"
#define CAPS(list) "'capabilities':{'bounding':[" list "],'permitted':[" list "],'effective':[" list "]}"

static struct restored_limits limits(const char *text)
{
	char *json = arena_strdup(arena, text);
	struct restored_limits out;
	struct err e;
	json_t *j;

	for (char *at = json; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	j = json_parse(json, strlen(json), "the test's config", &e);
	ok(j != NULL);
	restored_limits_read(&out, j, arena);
	json_decref(j);
	return out;
}

/* ids: of Uid and Gid; caps: of CapPrm and CapEff. */
struct thread {
	const char *uid, *gid, *groups, *inh, *caps, *bnd, *amb;
	int no_new_privs, seccomp;
};

static const char *status(const struct thread *t)
{
	return arena_printf(arena,
			    "Name:\tUid: 0\nUmask:\t0022\nState:\tT (stopped)\nUid:\t%s\nGid:\t%s\nFDSize:\t64\n"
			    "Groups:\t%s \nCapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t%s\n"
			    "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t0\n",
			    t->uid, t->gid, t->groups, t->inh, t->caps, t->caps, t->bnd, t->amb, t->no_new_privs,
			    t->seccomp);
}

#define NONE "0000000000000000"
#define USUAL "00000000000000c1" /* CHOWN, SETGID, SETUID */
#define ROOT "0\t0\t0\t0"
#define USER "1234\t1234\t1234\t1234"

static bool allowed(const struct restored_limits *l, struct thread t)
{
	err = (struct err){ 0 };
	return restored_compare(l, status(&t), &err) == 0;
}

static bool refused(const struct restored_limits *l, struct thread t, const char *why)
{
	bool right = !allowed(l, t) && err.code == ERR_PERMISSION_DENIED && strncmp(err.msg, why, strlen(why)) == 0;

	if (!right)
		printf("# %s\n", err.msg);
	return right;
}

/* The attack: root with CAP_SYS_ADMIN was dumped, and the request gives nothing. */
static void a_dump_of_root_for_a_user_without_rights(void)
{
	struct restored_limits l = limits("{'process':{'user':{'uid':1234,'gid':1234,'additionalGids':[1234]}," CAPS("")
					  ",'noNewPrivileges':true},'linux':{'seccomp':{}}}");
	const struct thread same = { USER, USER, "1234", NONE, NONE, NONE, NONE, 1, 2 };
	struct thread t = same;

	ok(allowed(&l, t));
	t.uid = ROOT;
	ok(refused(&l, t, "Uid: 0 "));
	t.uid = "1234\t1234\t0\t1234"; /* saved: it could become root */
	ok(refused(&l, t, "Uid: 0 "));
	t = same;
	t.gid = "1234\t0\t1234\t1234";
	ok(refused(&l, t, "Gid: 0 "));
	t = same;
	t.groups = "5 1234";
	ok(refused(&l, t, "Groups: 5 "));
	t.groups = "";
	ok(allowed(&l, t));
	t = same;
	t.caps = "0000000000200000"; /* CAP_SYS_ADMIN */
	ok(refused(&l, t, "CapPrm: "));
	t = same;
	t.bnd = USUAL;
	ok(refused(&l, t, "CapBnd: "));
	t = same;
	t.inh = USUAL;
	ok(refused(&l, t, "CapInh: "));
	t = same;
	t.amb = "0000000000000001";
	ok(refused(&l, t, "CapAmb: "));
	t = same;
	t.no_new_privs = 0;
	ok(refused(&l, t, "NoNewPrivs: "));
	t = same;
	t.seccomp = 0;
	ok(refused(&l, t, "Seccomp: "));
	t.seccomp = 1; /* strict is less than a filter gives */
	ok(allowed(&l, t));
}

static void root_may_have_become_another(void)
{
	struct restored_limits l = limits("{'process':{'user':{'uid':0,'gid':0}," CAPS(DEFAULT_CAPS) "}}");

	ok(allowed(&l, (struct thread){ ROOT, ROOT, "", NONE, USUAL, USUAL, NONE, 0, 0 }));
	ok(allowed(&l, (struct thread){ "33\t33\t33\t33", "33\t33\t33\t33", "33 44", NONE, NONE, USUAL, NONE, 1, 2 }));
	ok(refused(&l, (struct thread){ ROOT, ROOT, "", NONE, "00000000002000c1", USUAL, NONE, 0, 0 }, "CapPrm: "));
	ok(refused(&l, (struct thread){ ROOT, ROOT, "", NONE, USUAL, "000001ffffffffff", NONE, 0, 0 }, "CapBnd: "));
	l = limits("{'process':{'user':{'uid':0,'gid':0}," CAPS("'CAP_CHOWN'") "}}"); /* root without CAP_SETUID */
	ok(refused(&l, (struct thread){ "33\t33\t33\t33", ROOT, "", NONE, NONE, NONE, NONE, 0, 0 }, "Uid: 33 "));
}

static void a_user_with_the_usual_bounding_set(void)
{
	struct restored_limits l = limits("{'process':{'user':{'uid':1234,'gid':1234}," CAPS(DEFAULT_CAPS) "}}");

	ok(allowed(&l, (struct thread){ USER, USER, "", NONE, NONE, USUAL, NONE, 0, 0 }));
	/* a program with file capabilities */
	ok(allowed(&l, (struct thread){ USER, USER, "", NONE, USUAL, USUAL, NONE, 0, 0 }));
	ok(refused(&l, (struct thread){ ROOT, ROOT, "", NONE, USUAL, USUAL, NONE, 0, 0 }, "Uid: 0 "));
	l.no_new_privs = true;
	ok(refused(&l, (struct thread){ USER, USER, "", NONE, USUAL, USUAL, NONE, 1, 0 }, "CapPrm: "));
	l = limits("{'process':{'user':{'uid':1234,'gid':1234},'noNewPrivileges':true,'capabilities':{"
		   "'bounding':['CAP_CHOWN'],'permitted':['CAP_CHOWN'],'inheritable':['CAP_CHOWN'],'ambient':["
		   "'CAP_CHOWN']}}}");
	ok(allowed(&l, (struct thread){ USER, USER, "", "0000000000000001", "0000000000000001", "0000000000000001",
					"0000000000000001", 1, 0 }));
}

static void what_the_request_says(void)
{
	struct restored_limits l = limits("{'process':{'apparmorProfile':'crisp-default','selinuxLabel':'a:b:c:s0'},"
					  "'annotations':{'run.oci.seccomp_bpf_data':'AAA='}}");

	ok(l.seccomp && !l.no_new_privs && l.bounding == 0);
	is_str(l.apparmor, "crisp-default");
	is_str(l.selinux, "a:b:c:s0");
	l = limits("{'process':{" CAPS("'CAP_SYS_ADMIN','nonsense'") "},'linux':{}}");
	ok(!l.seccomp && l.bounding == UINT64_C(1) << 21 && *l.apparmor == '\0');
}

static void a_status_that_cannot_be_read(void)
{
	struct restored_limits l = limits("{'process':{'user':{'uid':1,'gid':1}," CAPS("") "}}");
	static const char *const texts[] = { "", "Uid:\n", "Uid:\t1\t1\t1\n", "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n",
					     "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\nCapInh:\tx\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		err = (struct err){ 0 };
		ok(restored_compare(&l, texts[i], &err) < 0 && err.code == ERR_INTERNAL);
	}
}

int main(void)
{
	arena = arena_new();
	a_dump_of_root_for_a_user_without_rights();
	root_may_have_become_another();
	a_user_with_the_usual_bounding_set();
	what_the_request_says();
	a_status_that_cannot_be_read();
	arena_free(arena);
	return tap_end();
}
