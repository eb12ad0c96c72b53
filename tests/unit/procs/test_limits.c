/* Limits of the kernel that a thousand pods meet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/limits.h"
#include "reactor/arena.h"
#include "tests/tap.h"

static char dir[] = "/tmp/crisp-limits.XXXXXX", seen[2048];
static struct arena *a;

static void note(void *arg, const char *name, uint64_t value, unsigned pods, const char *text)
{
	(void)arg;
	ok(strstr(text, name) && strlen(text) > strlen(name) + 20);
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s=%llu:%u ", name, (unsigned long long)value,
		 pods);
}

static void put(const char *path, const char *value)
{
	const char *at = arena_printf(a, "%s/%s", dir, path);
	FILE *f;

	for (char *slash = strchr(at + strlen(dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(at, 0700);
		*slash = '/';
	}
	f = fopen(at, "w");
	ok(f && fputs(value, f) >= 0 && fclose(f) == 0);
}

static const char *limits_are(void)
{
	seen[0] = '\0';
	limits_each_of(dir, note, NULL);
	return seen;
}

static void only_what_is_too_low_is_named(void)
{
	is_str(limits_are(), "");
	put("kernel/pid_max", "32768\n");
	put("net/ipv4/neigh/default/gc_thresh3", "1024\n");
	put("fs/inotify/max_user_instances", "128\n");
	is_str(limits_are(), "net.ipv4.neigh.default.gc_thresh3=1024:500 fs.inotify.max_user_instances=128:112 ");
	put("net/ipv4/neigh/default/gc_thresh3", "16384\n");
	put("fs/inotify/max_user_instances", "8192\n");
	put("kernel/pid_max", "300\n");
	is_str(limits_are(), "kernel.pid_max=300:0 ");
	put("kernel/pid_max", "rubbish\n");
	is_str(limits_are(), "");
	put("kernel/pid_max", "");
	is_str(limits_are(), "");
}

int main(void)
{
	a = arena_new();
	ok(mkdtemp(dir) != NULL);
	only_what_is_too_low_is_named();
	ok(system(arena_printf(a, "rm -r %s", dir)) == 0);
	arena_free(a);
	return tap_end();
}
