/* test_record_power.c - records after a power cut, without a machine that loses its power.
 *
 * A child writes, syncs and removes records, and is killed at a random rename or unlink. Then the parent drops what a
 * disk may drop: of each file whose content was not synced the bytes stay, or all or some of them are gone, or they are
 * zeros. The names are as the child left them, as a journal keeps them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/boot.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/record.h"
#include "reactor/record_sync.h"
#include "tests/tap.h"

enum { NAMES = 3, GENERATIONS = 200, STEPS = 60, ROUNDS = 400 };

/* Shared with the child. */
static struct world {
	int calls_left;                       /* until the power goes */
	int tried[NAMES];                     /* newest generation whose write began; 0: none */
	bool on_disk[NAMES][GENERATIONS];     /* the generations of which no byte can be lost */
	int promised[NAMES];                  /* the newest that record_sync_done() knows to be synced; 0: none */
	bool removed[NAMES];                  /* record_remove() came back, and nothing was written since */
	bool leaving[NAMES];                  /* it had begun */
} *world;

static char root[] = "/tmp/test_record_power.XXXXXX", dir[64];
static const char *const names[NAMES] = { "a", "b", "c" };

static void power(void)
{
	if (world->calls_left > 0 && --world->calls_left == 0)
		raise(SIGKILL);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_renameat2(int d, const char *from, int e, const char *to, unsigned flags);
int __wrap_renameat2(int d, const char *from, int e, const char *to, unsigned flags);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

int __wrap_rename(const char *from, const char *to)
{
	power();
	return __real_rename(from, to);
}

int __wrap_renameat2(int d, const char *from, int e, const char *to, unsigned flags)
{
	power();
	return __real_renameat2(d, from, e, to, flags);
}

int __wrap_unlink(const char *path)
{
	power();
	return __real_unlink(path);
}

static void write_one(int i)
{
	auto_json json_t *j = json_pack("{s:i}", "n", ++world->tried[i]);
	struct err e;

	world->removed[i] = world->leaving[i] = false;
	if (record_write(dir, names[i], 1, j, &e) < 0)
		abort();
}

static void remove_one(int i)
{
	world->leaving[i] = true;
	record_remove(dir, names[i]);
	world->removed[i] = true;
	world->promised[i] = 0;
}

/* What the child of crispd does: the bytes that the record has now are on the disk. */
static void sync_some(void)
{
	const char *paths[2];
	size_t n = record_sync_take(paths, 1 + (size_t)(rand() % 2));
	bool synced = rand() % 5 != 0;
	int seen[NAMES] = { 0 };

	for (size_t k = 0; k < n; k++) {
		int i = strrchr(paths[k], '/')[1] - 'a';

		seen[i] = world->tried[i];
		if (access(paths[k], F_OK) == 0)
			world->on_disk[i][seen[i]] = true;
	}
	if (rand() % 3 == 0)
		write_one(rand() % NAMES);
	if (rand() % 8 == 0)
		remove_one(rand() % NAMES);
	for (int i = 0; i < NAMES; i++)
		if (synced && seen[i] && seen[i] == world->tried[i] && !world->removed[i])
			world->promised[i] = seen[i];
	record_sync_done(synced);
}

static void work(unsigned seed)
{
	srand(seed);
	world->calls_left = 1 + rand() % 100;
	for (int step = 0; step < STEPS; step++) {
		int what = rand() % 10;

		if (what < 6)
			write_one(rand() % NAMES);
		else if (what < 9)
			sync_some();
		else
			remove_one(rand() % NAMES);
	}
	raise(SIGKILL);
}

static void put(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ok(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	close(fd);
}

static void damage(const char *file)
{
	char path[512], text[256] = "", zeros[256] = "";
	const char *n;
	size_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? 0 : (size_t)read(fd, text, sizeof(text) - 1);
	close(fd);
	n = strstr(text, "\"n\":");
	if (n && world->on_disk[file[0] - 'a'][atoi(n + 4)])
		return;
	if (rand() % 4 == 0)
		put(path, "", 0);
	else if (rand() % 3 == 0)
		put(path, text, size / 2);
	else if (rand() % 2 == 0)
		put(path, zeros, size);
}

static void damage_all(void)
{
	auto_dir DIR *d = opendir(dir);

	for (struct dirent *f = readdir(d); f; f = readdir(d))
		if (*f->d_name != '.')
			damage(f->d_name);
}

static int found[NAMES]; /* generation; 0: none, -1: lost */

static int on_record(void *arg, const char *name, struct record *r, struct err *e)
{
	static const struct field fields[] = { { "n", FIELD_I32, 0, NULL, 0 }, F_END };
	struct arena *a = arena_new();
	int bad = record_fields(r, fields, &found[name[0] - 'a'], a, e);

	(void)arg;
	arena_free(a);
	return bad;
}

static void on_lost(void *arg, const char *name, enum record_loss how)
{
	(void)arg;
	(void)how;
	found[name[0] - 'a'] = -1;
}

/* A generation that was synced is there, or a newer one; what was removed is not; nothing else is in the directory. */
static bool as_promised(void)
{
	bool good = true;

	for (int i = 0; i < NAMES; i++) {
		if (world->removed[i])
			good &= found[i] == 0;
		else if (world->leaving[i] || world->promised[i] == 0)
			good &= found[i] <= world->tried[i];
		else
			good &= found[i] >= world->promised[i] && found[i] <= world->tried[i];
	}
	return good;
}

static int files_left(void)
{
	auto_dir DIR *d = opendir(dir);
	int n = 0;

	for (struct dirent *f = readdir(d); f; f = readdir(d))
		n += *f->d_name != '.';
	return n;
}

static void read_again(void)
{
	struct err e;

	memset(found, 0, sizeof(found));
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0);
}

static bool one_round(unsigned seed)
{
	static const char other_boot[] = "01234567-89ab-cdef-0123-456789abcdef\n";
	char path[128];
	int status, there = 0;
	struct err e;
	pid_t pid;
	bool good;

	memset(world, 0, sizeof(*world));
	ok(mkdir(dir, 0700) == 0);
	pid = fork();
	if (pid == 0)
		work(seed);
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	world->calls_left = 0;
	damage_all();
	snprintf(path, sizeof(path), "%s/boot", root);
	put(path, other_boot, strlen(other_boot));
	ok(boot_open(root, &e) == 0 && boot_is_new());
	read_again();
	good = as_promised();
	for (int i = 0; i < NAMES; i++)
		there += found[i] > 0;
	good &= files_left() == there;
	for (int i = 0; i < NAMES; i++)
		record_remove(dir, names[i]);
	ok(rmdir(dir) == 0);
	return good;
}

static void every_power_cut_leaves_what_was_synced(void)
{
	int bad = 0;

	for (unsigned seed = 1; seed <= ROUNDS; seed++)
		if (!one_round(seed)) {
			printf("# seed %u:", seed);
			for (int i = 0; i < NAMES; i++)
				printf(" %s %d of %d..%d%s", names[i], found[i], world->promised[i], world->tried[i],
				       world->removed[i] ? " removed" : "");
			printf("\n");
			bad++;
		}
	ok(bad == 0);
}

/* In the boot that wrote it, an empty record is damage, and its older generation is not believed. */
static void in_the_same_boot_nothing_is_believed(void)
{
	char path[128];
	struct err e;

	ok(mkdir(dir, 0700) == 0 && boot_note(&e) == 0 && !boot_is_new());
	ok(boot_open(root, &e) == 0 && !boot_is_new());
	memset(world, 0, sizeof(*world));
	write_one(0);
	sync_some();
	write_one(0);
	snprintf(path, sizeof(path), "%s/a.json", dir);
	put(path, "", 0);
	read_again();
	ok(found[0] == -1);
	ok(access(path, F_OK) < 0);
	snprintf(path, sizeof(path), "%s/a.json.corrupt", dir);
	ok(access(path, F_OK) == 0);
	for (int i = 0; i < NAMES; i++)
		record_remove(dir, names[i]);
	ok(rmdir(dir) == 0);
}

/* Only a file that names another boot says that nothing lives. */
static void who_does_not_know_the_boot_is_careful(void)
{
	static const char *const texts[] = { "", "01234567-89ab", "\n", "0123456789abcdef0123456789abcdef0123zzzz" };
	char path[128];
	struct err e;

	snprintf(path, sizeof(path), "%s/boot", root);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		put(path, texts[i], strlen(texts[i]));
		ok(boot_open(root, &e) == 0 && !boot_is_new());
	}
	unlink(path);
	ok(boot_open(root, &e) == 0 && !boot_is_new());
	ok(rmdir(root) == 0);
}

/* The leak checker looks at it: nobody says that an empty batch is done. */
static void an_empty_batch_is_over_at_once(void)
{
	const char *paths[4];

	ok(record_sync_take(paths, 4) == 0);
	ok(record_sync_take(paths, 4) == 0);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ok(world != MAP_FAILED && mkdtemp(root));
	an_empty_batch_is_over_at_once();
	snprintf(dir, sizeof(dir), "%s/records", root);
	every_power_cut_leaves_what_was_synced();
	in_the_same_boot_nothing_is_believed();
	who_does_not_know_the_boot_is_careful();
	return tap_end();
}
