/* test_message.c - what a failed command says: each cause once. */
#include "handlers/cli/message.h"

#include "tests/tap.h"

static struct arena *arena;

static const char *said(const char *what, enum err_code code, const char *text)
{
	struct err e;

	err_set(&e, code, "%s", text);
	return cli_message(arena, what, &e);
}

static void each_cause_once(void)
{
	is_str(said("pull h.example/x:1", ERR_UNAVAILABLE,
		    "RegistryUnavailable: pull h.example/x:1: GET https://h.example/v2/x/manifests/1: h.example: "
		    "Could not resolve host: h.example"),
	       "pull h.example/x:1: RegistryUnavailable: GET https://h.example/v2/x/manifests/1: "
	       "Could not resolve host");
	is_str(said("ps", ERR_UNAVAILABLE, "unix:///s: connect: No such file or directory"),
	       "ps: UNAVAILABLE: unix:///s: connect: No such file or directory");
	is_str(said("rm a", ERR_INTERNAL, "it failed: it failed: it failed"), "rm a: INTERNAL: it failed");
	is_str(said("start b", ERR_INTERNAL, "runc run: runc run failed: unable to start"),
	       "start b: INTERNAL: runc run failed: unable to start");
}

/* What only looks like a repetition stays. */
static void all_else_stays(void)
{
	is_str(said("run web-app", ERR_INTERNAL, "app: no: a web: is there"),
	       "run web-app: INTERNAL: app: no: a web: is there");
	is_str(said("runp x.json", ERR_INVALID_ARGUMENT, "hostnme: no such member of PodSandboxConfig"),
	       "runp x.json: INVALID_ARGUMENT: hostnme: no such member of PodSandboxConfig");
	is_str(said("exec c", ERR_INTERNAL, "exec: \"x\": stat x: no such file"),
	       "exec c: INTERNAL: \"x\": stat x: no such file");
	is_str(said("start b", ERR_INTERNAL, "runc run: runc runs"), "start b: INTERNAL: runc run: runc runs");
	is_str(said("pull a", ERR_NOT_FOUND, "a"), "pull a: NOT_FOUND: a");
	is_str(said("pull a", ERR_NOT_FOUND, ""), "pull a: NOT_FOUND");
	is_str(said("pull a", ERR_UNKNOWN, "SignatureValidationFailed"),
	       "pull a: UNKNOWN: SignatureValidationFailed");
}

static const char *hint(enum err_code code, const char *text)
{
	struct err e;
	const char *h;

	err_set(&e, code, "%s", text);
	h = cli_message_hint("unix:///s", &e);
	return h ? h : "";
}

static void what_may_help(void)
{
	is_str(hint(ERR_UNAVAILABLE, "unix:///s: connect: No such file or directory"), "is crisp running?");
	is_str(hint(ERR_UNAVAILABLE, "unix:///s: connect: Connection refused"), "is crisp running?");
	is_str(hint(ERR_UNAVAILABLE, "unix:///s: connect: Permission denied"), "are you root?");
	is_str(hint(ERR_UNAVAILABLE, "registry: connect: Connection refused"), "");
	is_str(hint(ERR_INTERNAL, "unix:///s: connect: Permission denied"), "");
}

int main(void)
{
	arena = arena_new();
	each_cause_once();
	all_else_stays();
	what_may_help();
	arena_free(arena);
	return tap_end();
}
