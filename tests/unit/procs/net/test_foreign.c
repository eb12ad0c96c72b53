/* Whose are the files of a network? Files of host-local and of libcni, and lines of mountinfo, in a directory of the
 * test's. */
#include "procs/net/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"

static char top[] = "/tmp/test-foreign-XXXXXX";
static struct arena *arena;
static char paths[16][128];
static int npaths;

/* A file of the test, gone with forget(). */
static void file(const char *name, const char *text)
{
	char *path = paths[npaths++];
	FILE *f;

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	f = fopen(path, "w");
	ok(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void forget(void)
{
	while (npaths)
		unlink(paths[--npaths]);
	file("mounts", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
}

static const char *found(void)
{
	static const char *const known[] = { "mine1", "mine2" };
	const char *const dirs[] = { arena_printf(arena, "%s/none", top), arena_printf(arena, "%s/net", top), NULL };

	return foreign_find(arena, &(struct foreign_look){ .cache = top, .owner = "/root", .network = "net",
							   .dirs = dirs, .known = known, .n = 2,
							   .mounts = arena_printf(arena, "%s/mounts", top) });
}

static bool names(const char *path, const char *id)
{
	const char *why = found();

	return why && strstr(why, path) && strstr(why, id);
}

static void what_is_ours_is_nobody_else(void)
{
	forget();
	ok(!found());
	file("net/10.0.0.2", "mine1\r\neth0");
	file("net/10.0.0.3", " mine2\n");
	file("net/10.0.0.4", ""); /* of a power cut */
	file("net/lock", "x");
	file("net/last_reserved_ip.0", "10.0.0.3");
	file("net/.hidden", "x");
	file("results/net-mine1-eth0", "{\"networkName\":\"net\",\"containerId\":\"mine1\"}");
	file("results/net-gone-eth0", "{\"networkName\":\"net\",\"containerId\":\"gone\",\"crisp\":\"/root\"}");
	file("results/net-b-x-eth0", "{\"networkName\":\"net-b\",\"containerId\":\"x\"}");
	file("results/other-x-eth0", "no JSON");
	ok(!found());
}

static void a_reserved_address_is_somebodys(void)
{
	forget();
	file("net/10.0.0.9", "theirs\r\neth0");
	ok(names("net/10.0.0.9", "theirs"));
	forget();
	file("net/10.0.0.9", "mine1x");
	ok(names("net/10.0.0.9", "mine1x"));
	forget();
	ok(symlink("/nowhere", arena_printf(arena, "%s/net/10.0.0.8", top)) == 0);
	snprintf(paths[npaths++], sizeof(paths[0]), "%s/net/10.0.0.8", top);
	ok(names("net/10.0.0.8", "No such file")); /* what cannot be read may be anybody's */
}

static void a_result_is_somebodys(void)
{
	forget();
	file("results/net-theirs-eth0", "{\"networkName\":\"net\",\"containerId\":\"theirs\"}");
	ok(names("results/net-theirs-eth0", "theirs"));
	forget();
	file("results/net-t-eth0", "{\"networkName\":\"net\",\"containerId\":\"t\",\"crisp\":\"/other\"}");
	ok(names("results/net-t-eth0", "t"));
	forget();
	file("results/net-t-eth0", "rubbish");
	ok(names("results/net-t-eth0", "line 1"));
}

static void a_pin_is_somebodys(void)
{
	static const char *const nobody[] = {
		"36 35 0:4 net:[4026532000] /run/netns/crisp-mine1 rw shared:1 - nsfs nsfs rw\n",
		"36 35 0:4 net:[4026532000] /run/netns/cni-theirs rw - nsfs nsfs rw\n",
		"36 35 0:4 / /run/netns/crisp-theirs rw - tmpfs tmpfs rw\n",
		"36 35 0:4 mnt:[4026532000] /run/netns/crisp-theirs rw - nsfs nsfs rw\n",
		"36 35 0:4", "\n", "    \n", "36 35 0:4 net:[1] crisp-x rw - nsfs nsfs rw\n",
	};

	for (size_t i = 0; i < sizeof(nobody) / sizeof(*nobody); i++) {
		forget();
		file("mounts", nobody[i]);
		ok(!found());
	}
	file("mounts", "36 35 0:4 net:[4026532000] /run/netns/crisp-theirs rw shared:1 - nsfs nsfs rw\n");
	ok(names("/run/netns/crisp-theirs", "pinned"));
	unlink(paths[0]);
	ok(names("mounts", "No such file"));
}

int main(void)
{
	arena = arena_new();
	ok(mkdtemp(top) != NULL);
	ok(mkdir(arena_printf(arena, "%s/net", top), 0755) == 0);
	ok(mkdir(arena_printf(arena, "%s/results", top), 0755) == 0);
	what_is_ours_is_nobody_else();
	a_reserved_address_is_somebodys();
	a_result_is_somebodys();
	a_pin_is_somebodys();
	forget();
	unlink(paths[0]);
	ok(rmdir(arena_printf(arena, "%s/net", top)) == 0 && rmdir(arena_printf(arena, "%s/results", top)) == 0 &&
	   rmdir(top) == 0);
	arena_free(arena);
	return tap_end();
}
