/* test_hooks.c - hooks of hooks.d in config.json, from files that the test writes. */
#include "procs/hooks.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/log.h"
#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

static struct spec_pod p;
static const char *dirs_at[2];
static const struct strings dirs = { dirs_at, 2 };

static void open_pod(const char *config)
{
	spec_pod_open(&p, config);
	dirs_at[0] = arena_strdup(p.arena, spec_pod_path(&p, "usr"));
	dirs_at[1] = arena_strdup(p.arena, spec_pod_path(&p, "etc"));
	mkdir(dirs_at[0], 0700);
	hooks_open(&dirs);
}

/* A hook of this program, with ' for ". */
static void put(const char *path, const char *program, const char *when, const char *stages)
{
	char *text = arena_printf(p.arena, "{'version':'1.0.0','hook':{'path':'%s'},'when':{%s},'stages':[%s]}",
				  program, when, stages);

	for (char *at = text; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	spec_pod_file(&p, path, text);
}

/* The hooks of a container with this config, when the file's conditions are these. */
static char *hooks_when(const char *config, const char *when)
{
	static char out[256];

	open_pod(config);
	put("usr/a.json", "/a", when, "'poststop'");
	ok(spec_pod_make(&p));
	snprintf(out, sizeof(out), "%s", spec_pod_get(&p, "hooks"));
	spec_pod_close(&p);
	return out;
}

#define GIVEN "{'poststop':[{'path':'/a'}]}"

static void each_condition(void)
{
	is_str(hooks_when("{}", "'always':true"), GIVEN);
	is_str(hooks_when("{}", "'always':false"), "");
	is_str(hooks_when("{'command':['/sbin/init']}", "'commands':['/nothing$','/init$']"), GIVEN);
	is_str(hooks_when("{'command':['/sbin/initial']}", "'commands':['/init$']"), "");
	is_str(hooks_when("{'annotations':[['com.example.dep','the fluid-dynamics']]}",
			  "'annotations':{'^com[.]example':'fluid-dynamics$'}"), GIVEN);
	is_str(hooks_when("{'annotations':[['com.example.dep','fluid-dynamics2']]}",
			  "'annotations':{'^com[.]example':'fluid-dynamics$'}"), "");
	is_str(hooks_when("{'annotations':[['b.com.example','fluid-dynamics']]}",
			  "'annotations':{'^com[.]example':'fluid-dynamics$'}"), "");
	is_str(hooks_when("{'mounts':[{'host_path':'/etc','container_path':'/x'}]}", "'hasBindMounts':true"), GIVEN);
	is_str(hooks_when("{}", "'hasBindMounts':true"), "");
}

static void all_conditions_must_hold(void)
{
	is_str(hooks_when("{'command':['/sbin/init']}", "'commands':['/init$'],'hasBindMounts':true"), "");
	is_str(hooks_when("{'annotations':[['a','1'],['b','2']]}", "'annotations':{'^a$':'1','^b$':'2'}"), GIVEN);
	is_str(hooks_when("{'annotations':[['a','1'],['b','2']]}", "'annotations':{'^a$':'1','^b$':'3'}"), "");
}

static void order_and_directories(void)
{
	open_pod("{}");
	mkdir(dirs_at[1], 0700);
	put("usr/02-b.json", "/b", "'always':true", "'prestart','poststop'");
	put("usr/01-A.json", "/a", "'always':true", "'prestart'");
	put("usr/03-c.json", "/hidden", "'always':true", "'prestart'");
	put("etc/03-c.json", "/c", "'always':true", "'prestart'");
	spec_pod_file(&p, "etc/README", "no hook");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "hooks"), "{'poststop':[{'path':'/b'}],'prestart':[{'path':'/a'},{'path':'/b'},"
					  "{'path':'/c'}]}");
	spec_pod_close(&p);
}

static const char *refused(const char *text)
{
	static char said[1024];

	open_pod("{}");
	spec_pod_file(&p, "usr/x.json", text);
	ok(!spec_pod_make(&p));
	ok(p.e.code == ERR_FAILED_PRECONDITION);
	snprintf(said, sizeof(said), "%s", strstr(p.e.msg, "x.json") ?: p.e.msg);
	spec_pod_close(&p);
	return said;
}

#define HOOK "\"hook\":{\"path\":\"/a\"},"
#define V1 "{\"version\":\"1.0.0\","
#define END ",\"stages\":[\"poststop\"]}"

static void a_bad_file_is_an_error(void)
{
	ok(strstr(refused("{"), "x.json") != NULL);
	is_str(refused("{" HOOK "\"when\":{\"always\":true}" END), "x.json: version is not 1.0.0 but missing");
	is_str(refused(V1 "\"hook\":{\"path\":\"a\"},\"when\":{\"always\":true}" END),
	       "x.json: hook: no absolute path a");
	is_str(refused(V1 HOOK "\"when\":{}" END), "x.json: when has no condition");
	is_str(refused(V1 HOOK "\"when\":{\"allways\":true}" END), "x.json: when: unknown condition allways");
	is_str(refused(V1 HOOK "\"when\":{\"always\":1}" END), "x.json: when: true or false is expected for always");
	ok(strstr(refused(V1 HOOK "\"when\":{\"commands\":[\"(\"]}" END), "crisp takes") != NULL);
	ok(strstr(refused(V1 HOOK "\"when\":{\"commands\":[\"(a)\\\\1\"]}" END), "crisp takes") != NULL);
	ok(strstr(refused(V1 HOOK "\"when\":{\"commands\":[\"((a{100}){100}){100}\"]}" END), "crisp takes") != NULL);
	ok(strstr(refused(V1 HOOK "\"when\":{\"commands\":[\"a{1,30000}\"]}" END), "crisp takes") != NULL);
	is_str(refused(V1 HOOK "\"when\":{\"always\":true},\"stages\":[\"precreate\"]}"),
	       "x.json: stages: unknown stage precreate");
}

static void an_annotation_that_is_too_long(void)
{
	static char config[HOOK_TEXT_MAX + 64];

	snprintf(config, sizeof(config), "{'annotations':[['long','%0*d']]}", HOOK_TEXT_MAX + 1, 0);
	open_pod(config);
	put("usr/a.json", "/a", "'annotations':{'other':'.'}", "'poststop'");
	ok(spec_pod_make(&p)); /* only a value whose key matches is compared */
	put("usr/a.json", "/a", "'annotations':{'long':'1'}", "'poststop'");
	ok(!spec_pod_make(&p));
	ok(p.e.code == ERR_INVALID_ARGUMENT && strstr(p.e.msg, "too long") != NULL);
	spec_pod_close(&p);
}

/* Each of those takes glibc seconds, or all memory. */
static void patterns_are_bounded(void)
{
	static const char *const bad[] = { "((a?){100}){100}", "a{100}{100}", "(a?b?c?d?e?f?g?h?i?j?k?l?m?){100}",
					   "a{1001}", "a{2,99999999999999999999}", "(a{40}){25,}",
					   "(a|b)********************************.****************************c{2}" };
	static const char *const good[] = { "^/usr/bin/[a-z]{1,100}$", "(^|/)run[.]sh$", "[]a+{9}[:alpha:]]+{100}",
					    "\\(\\{9999\\}", "((a+)+)+b{2,}", "^.*(x|y|z)*$", "[[.a.]]{20}" };
	char nested[HOOK_PATTERN_MAX + 1] = "";
	regex_t r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(hooks_regex(&r, bad[i]) < 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int taken = hooks_regex(&r, good[i]);

		is_str(taken == 0 ? good[i] : "refused", good[i]);
		if (taken == 0)
			regfree(&r);
	}
	for (size_t i = 0; i < 60; i++) {
		nested[i] = '(';
		memcpy(nested + 61 + 2 * i, "+)", 2);
	}
	nested[60] = 'a';
	ok(hooks_regex(&r, nested) < 0);
}

int main(void)
{
	patterns_are_bounded();
	each_condition();
	all_conditions_must_hold();
	order_and_directories();
	a_bad_file_is_an_error();
	an_annotation_that_is_too_long();
	return tap_end();
}
