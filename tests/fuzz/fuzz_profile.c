/* fuzz_profile.c - any bytes as a localhost seccomp profile, in OCI's form or in the engines' form.
 *
 * A profile that is accepted has OCI's members only. It needs no further conversion: as a profile of its own it gives
 * the same again, for any capabilities. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/spec/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64], path[80];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void clean_up(void)
{
	unlink(path);
	rmdir(dir);
}

static void set_up(void)
{
	strcpy(dir, "/dev/shm/fuzz-profile-XXXXXX");
	must(mkdtemp(dir) != NULL);
	atexit(clean_up);
	snprintf(path, sizeof(path), "%s/profile.json", dir);
	lookup_open("/nowhere", (const char *const[]){ dir, NULL });
}

static json_t *load(const void *text, size_t len, uint64_t caps)
{
	const struct spec_host host = { .caps = caps, .kernel_major = 5, .kernel_minor = 10 };
	struct lookup *lookup = lookup_new("fuzz");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	json_t *out = NULL;
	struct err e;
	int bad;

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
	bad = spec_profile_load(lookup, path, caps, &host, &out, &e);
	must(!bad == !!out);
	must(!bad || (e.code == ERR_INVALID_ARGUMENT && strncmp(e.msg, "seccomp profile \"/dev/shm/", 26) == 0));
	lookup_free(lookup);
	return out;
}

static void check_members(json_t *o, const char *const *allowed)
{
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v) {
		const char *const *at = allowed;

		while (*at && strcmp(*at, key) != 0)
			at++;
		must(*at && !json_is_null(v));
	}
}

static void check_profile(json_t *profile)
{
	static const char *const members[] = { "defaultAction", "defaultErrnoRet", "architectures", "flags",
		"listenerPath", "listenerMetadata", "syscalls", NULL };
	static const char *const rule_members[] = { "names", "action", "errnoRet", "args", NULL };
	json_t *rules = json_object_get(profile, "syscalls"), *rule;
	size_t i;

	check_members(profile, members);
	must(json_is_string(json_object_get(profile, "defaultAction")) && json_is_array(rules));
	json_array_foreach(rules, i, rule) {
		check_members(rule, rule_members);
		must(json_is_string(json_object_get(rule, "action")) && json_is_array(json_object_get(rule, "names")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *profile = NULL, *again = NULL;
	uint64_t caps;
	struct arena *a;
	const char *text;

	if (!*dir)
		set_up();
	if (!size)
		return 0;
	caps = data[0] % 2 ? CAP(21) : 0; /* CAP_SYS_ADMIN */
	profile = load(data + 1, size - 1, caps);
	if (!profile)
		return 0;
	check_profile(profile);
	a = arena_new();
	text = json_text(a, profile);
	again = load(text, strlen(text), ~caps);
	must(again && json_equal(profile, again));
	arena_free(a);
	return 0;
}
