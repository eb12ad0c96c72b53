/* test_seccomp_bpf.c - a child compiles each profile once; until then, and for a profile that cannot be compiled, there
 * is no filter. */
#include "procs/seccomp_bpf.h"

#include "reactor/own.h"
#include "tests/fakes/child.h"
#include "tests/tap.h"

static const char *asked(const char *profile)
{
	auto_json json_t *j = own_must(json_loads(profile, 0, NULL));

	return seccomp_bpf_base64(j);
}

static struct fake_child *last(void)
{
	return &fake_children[fake_nchildren - 1];
}

static void without_the_program_nothing_is_begun(void)
{
	ok(asked("{\"defaultAction\":\"A\"}") == NULL);
	ok(fake_nchildren == 0);
	seccomp_bpf_open("/usr/libexec/crisp/crisp-seccomp");
}

static void compiled_once(void)
{
	ok(asked("{\"defaultAction\":\"A\",\"syscalls\":[]}") == NULL);
	ok(fake_nchildren == 1 && fake_child_has(last(), "/usr/libexec/crisp/crisp-seccomp "));
	ok(asked("{\"syscalls\":[],\"defaultAction\":\"A\"}") == NULL); /* the same profile, still being compiled */
	ok(fake_nchildren == 1);
	fake_child_exit(last(), 0, "QUJD", "");
	is_str(asked("{\"defaultAction\":\"A\",\"syscalls\":[]}"), "QUJD");
	ok(fake_nchildren == 1);
	ok(asked("{\"defaultAction\":\"B\",\"syscalls\":[]}") == NULL);
	ok(fake_nchildren == 2);
}

static void what_cannot_be_compiled_is_not_tried_again(void)
{
	fake_child_exit(last(), 65 << 8, "", "listenerPath: a listener needs the runtime");
	ok(asked("{\"defaultAction\":\"B\",\"syscalls\":[]}") == NULL);
	ok(fake_nchildren == 2);
}

static void without_a_keeper_it_is_tried_again(void)
{
	ok(asked("{\"defaultAction\":\"C\"}") == NULL);
	fake_child_fail(last(), ERR_UNAVAILABLE, "no keeper");
	ok(asked("{\"defaultAction\":\"C\"}") == NULL);
	ok(fake_nchildren == 4);
	fake_child_exit(last(), 0, "Q0ND", "");
	is_str(asked("{\"defaultAction\":\"C\"}"), "Q0ND");
}

static void the_one_not_asked_for_longest_goes(void)
{
	char profile[64];

	fake_children_reset();
	for (int i = 0; i < 15; i++) {
		snprintf(profile, sizeof(profile), "{\"defaultAction\":\"%d\"}", i);
		ok(asked(profile) == NULL);
		is_str(asked("{\"defaultAction\":\"C\"}"), "Q0ND");
	}
	ok(fake_nchildren == 15);
	is_str(asked("{\"defaultAction\":\"C\"}"), "Q0ND");
	ok(asked("{\"defaultAction\":\"A\",\"syscalls\":[]}") == NULL); /* it was dropped, and is compiled again */
	ok(fake_nchildren == 16);
	ok(fake_children[0].cancelled); /* the oldest, still being compiled, made room for it */
}

int main(void)
{
	without_the_program_nothing_is_begun();
	compiled_once();
	what_cannot_be_compiled_is_not_tried_again();
	without_a_keeper_it_is_tried_again();
	the_one_not_asked_for_longest_goes();
	return tap_end();
}
