/* test_lookup.c - paths are known at once where no file system can hold the loop; else a child is asked, which may
 * hang.
 *
 * A dangling link stands in for a path that only a child can tell: the loop follows no link that is not in the
 * caches. */
#include "reactor/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "reactor/lookup/proto.h"
#include "reactor/imsg.h"
#include "reactor/lookup_memo.h"
#include "reactor/own.h"
#include "tests/fakes/child.h"
#include "tests/fakes/world.h"
#include "tests/quiet_link.h"
#include "tests/tap.h"

/* A mount elsewhere on the machine can spoil a look into the kernel's caches: then crispd asks a child. */
static bool known(struct lookup *l)
{
	for (int i = 0; i < 1000; i++)
		if (lookup_try(l))
			return true;
	return false;
}

static int calls;
static enum err_code code;
static char words[1024];

static void on_looked(void *arg, const struct err *e)
{
	(void)arg;
	calls++;
	code = e ? e->code : ERR_OK;
	snprintf(words, sizeof(words), "%s", e ? e->msg : "");
}

static const char *at(const char *name)
{
	static char path[4][300];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", world_dir(), name);
	return path[i];
}

static struct looked *get(struct lookup *l, enum lookup_kind kind, const char *name)
{
	struct err e;

	return lookup_get(l, kind, at(name), &e);
}

static void what_is_there_is_known_at_once(void)
{
	struct lookup *l = lookup_new("pod");
	struct err e;
	struct stat st;
	char text[4] = "";
	int fd;

	mkdir(at("dir"), 0700);
	ok(quiet_link("dir", at("link")) == 0);
	fd = open(at("dir/file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ok(write(fd, "abc", 3) == 3 && fstat(fd, &st) == 0);
	close(fd);
	lookup_add(l, LOOKUP_PLACE, at("dir"));
	lookup_add(l, LOOKUP_PLACE, at("link"));
	lookup_add(l, LOOKUP_MOUNT, at("dir/file"));
	lookup_add(l, LOOKUP_TEXT, at("dir/file"));
	lookup_add(l, LOOKUP_NODE, "/dev/null");
	ok(known(l) && fake_nchildren == 0);
	is_str(get(l, LOOKUP_PLACE, "dir")->real, at("dir"));
	is_str(get(l, LOOKUP_PLACE, "link")->real, at("dir"));
	ok(S_ISDIR(get(l, LOOKUP_PLACE, "link")->mode) && get(l, LOOKUP_PLACE, "dir")->fd < 0);
	ok(S_ISREG(get(l, LOOKUP_MOUNT, "dir/file")->mode) && get(l, LOOKUP_MOUNT, "dir/file")->fd >= 0);
	ok(read(get(l, LOOKUP_TEXT, "dir/file")->fd, text, 3) == 3);
	is_str(text, "abc");
	ok(lookup_get(l, LOOKUP_NODE, "/dev/null", &e)->rdev == makedev(1, 3));
	lookup_free(l);
}

static void what_is_missing_is_made(void)
{
	struct lookup *l = lookup_new("pod");
	struct stat st;

	ok(get(l, LOOKUP_NODE, "no/such")->error == ENOENT);
	ok(get(l, LOOKUP_TEXT, "no/such")->error == ENOENT);
	ok(get(l, LOOKUP_PLACE, "new/deep//er/")->error == 0);
	ok(stat(at("new/deep/er"), &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0755);
	ok(get(l, LOOKUP_PLACE, "dir/file/below")->error == ENOTDIR);
	ok(get(l, LOOKUP_LOG, "logs/1.log")->error == 0 && write(get(l, LOOKUP_LOG, "logs/1.log")->fd, "x", 1) == 1);
	ok(stat(at("logs/1.log"), &st) == 0 && st.st_size == 1 && (st.st_mode & 0777) == 0640);
	ok(fake_nchildren == 0);
	lookup_free(l);
}

static struct lookup *ask(const char *owner, const char *name)
{
	struct lookup *l = lookup_new(owner);
	struct err e;

	(void)!symlink("nowhere", at(name));
	lookup_add(l, LOOKUP_PLACE, at(name));
	lookup_add(l, LOOKUP_MOUNT, at("dir"));
	ok(!lookup_try(l) && !lookup_get(l, LOOKUP_PLACE, at(name), &e) && e.code == ERR_UNAVAILABLE);
	calls = 0;
	lookup_start(l, on_looked, NULL);
	ok(calls == 0);
	return l;
}

static struct fake_child *last(void)
{
	return &fake_children[fake_nchildren - 1];
}

static void answer(int socket, uint32_t nth, uint32_t version, const char *real, int fd)
{
	struct lookup_fact f = { .version = version, .nth = nth, .mode = S_IFDIR | 0755, .mount_id = 77 };
	struct iovec iov = { &f, LOOKUP_FACT_MIN + strlen(real) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union imsg_control control;

	snprintf(f.real, sizeof(f.real), "%s", real);
	imsg_add_fds(&msg, &control, &fd, fd >= 0);
	ok(sendmsg(socket, &msg, MSG_NOSIGNAL) > 0);
}

static void a_child_tells_the_rest(void)
{
	struct lookup *l = ask("pod", "dangling");
	auto_fd int null = open("/dev/null", O_PATH | O_CLOEXEC);
	struct stat st;

	ok(fake_nchildren == 1 && fake_child_has(last(), "/libexec/crisp-lookup "));
	answer(last()->fds[LOOKUP_SOCKET], 0, LOOKUP_VERSION, "/a/real/path", -1);
	world_settle();
	ok(calls == 0);
	answer(last()->fds[LOOKUP_SOCKET], 1, LOOKUP_VERSION, "/b", null);
	world_settle();
	ok(calls == 1 && code == ERR_OK);
	is_str(get(l, LOOKUP_PLACE, "dangling")->real, "/a/real/path");
	ok(get(l, LOOKUP_PLACE, "dangling")->mount_id == 77 && get(l, LOOKUP_PLACE, "dangling")->fd < 0);
	ok(fstat(get(l, LOOKUP_MOUNT, "dir")->fd, &st) == 0 && S_ISCHR(st.st_mode));
	fake_child_exit(last(), 0, "", "");
	world_settle();
	lookup_free(l);
	ok(calls == 1 && lookup_stuck() == 0);
}

static void a_child_that_fails(void)
{
	struct lookup *l = ask("pod", "dangling");

	fake_child_fail(last(), ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	ok(calls == 1 && code == ERR_UNAVAILABLE);
	lookup_free(l);
	l = ask("pod", "dangling");
	fake_child_exit(last(), 9, "", "");
	world_settle();
	ok(calls == 1 && code == ERR_INTERNAL && strstr(words, "ended before it had looked up"));
	lookup_free(l);
	l = ask("pod", "dangling");
	answer(last()->fds[LOOKUP_SOCKET], 0, LOOKUP_VERSION + 1, "/a", -1);
	world_settle();
	ok(calls == 1 && code == ERR_INTERNAL && strstr(words, "another version"));
	lookup_free(l);
	fake_child_exit(last(), 0, "", "");
	world_settle();
	l = ask("pod", "dangling");
	lookup_free(l); /* nobody waits any more: the child is killed */
	ok(last()->cancelled);
	world_settle();
	ok(calls == 0);
}

/* A child in uninterruptible sleep: it is killed, and its socket stays open. */
static int hang(const char *owner, const char *name)
{
	struct lookup *l = ask(owner, name);
	int socket = fcntl(last()->fds[LOOKUP_SOCKET], F_DUPFD_CLOEXEC, 200);

	world_advance(9999);
	ok(calls == 0 && !last()->cancelled);
	world_advance(1);
	ok(calls == 1 && code == ERR_DEADLINE_EXCEEDED && strstr(words, at(name)) && last()->cancelled);
	lookup_free(l);
	return socket;
}

static void a_child_that_hangs_counts_until_it_ends(void)
{
	int sockets[4] = { hang("pod", "d0"), hang("pod", "d1"), hang("pod", "d2"), hang("pod", "d3") };
	int children = fake_nchildren;
	struct lookup *l;

	ok(lookup_stuck() == 4);
	l = ask("other", "d1");
	world_settle();
	ok(calls == 1 && code == ERR_DEADLINE_EXCEEDED && strstr(words, "still does not answer"));
	lookup_free(l);
	l = ask("pod", "d4");
	world_settle();
	ok(calls == 1 && code == ERR_RESOURCE_EXHAUSTED && fake_nchildren == children);
	lookup_free(l);
	l = ask("other", "d4"); /* nobody else notices */
	ok(fake_nchildren == children + 1);
	lookup_free(l);
	for (int i = 0; i < 4; i++)
		close(sockets[i]);
	world_settle();
	ok(lookup_stuck() == 0);
	l = ask("pod", "d1");
	ok(fake_nchildren == children + 2);
	lookup_free(l);
	world_settle();
}

/* More look-ups than one pod may have children, on a file system that answers: the others wait. */
static void children_that_work_are_waited_for(void)
{
	int children = fake_nchildren;
	struct lookup *asked[4], *waits[3];

	for (int i = 0; i < 4; i++)
		asked[i] = ask("pod", "d5");
	for (int i = 0; i < 3; i++)
		waits[i] = ask("pod", "d5");
	world_advance(500);
	ok(fake_nchildren == children + 4 && calls == 0);
	fake_child_exit(last(), 9, "", "");
	world_settle();
	ok(fake_nchildren == children + 5 && calls == 1);
	lookup_free(asked[3]);
	lookup_free(waits[1]); /* its caller has left */
	calls = 0;
	world_advance(499);
	ok(calls == 0);
	world_advance(800); /* now all four children are slow */
	ok(calls == 1 && code == ERR_RESOURCE_EXHAUSTED && strstr(words, "4 of them of one owner"));
	ok(fake_nchildren == children + 5);
	lookup_free(waits[0]);
	lookup_free(waits[2]);
	for (int i = 0; i < 3; i++)
		lookup_free(asked[i]);
	world_settle();
}

static void a_directory_is_listed(void)
{
	struct lookup *l = lookup_new("owner");
	struct arena *a = arena_new();
	struct strings names;
	struct err e;

	ok(mkdir(at("list"), 0700) == 0 && mkdir(at("list/c"), 0700) == 0);
	for (const char *const files[] = { "list/b", "list/a", NULL }, *const *file = files; *file; file++)
		close(open(at(*file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ok(get(l, LOOKUP_DIR, "list")->local);
	for (int i = 0; i < 2; i++) { /* the second time it is read from its beginning */
		ok(lookup_names(get(l, LOOKUP_DIR, "list"), at("list"), &names, a, &e) == 0 && names.n == 3);
		is_str(names.at[0], "a");
		is_str(names.at[2], "c/");
	}
	ok(get(l, LOOKUP_DIR, "list/a")->error == ENOTDIR && lookup_missing(l, LOOKUP_DIR, at("list/none")));
	for (int i = 0; i < LOOKUP_NAMES_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "list/%d", i);
		close(open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	ok(lookup_names(get(l, LOOKUP_DIR, "list"), at("list"), &names, a, &e) < 0 && strstr(e.msg, "more than 4096"));
	lookup_free(l);
	arena_free(a);
}

/* What a child sends of a directory: a file in memory with the names. */
static int names_file(const char *names, size_t len)
{
	int fd = memfd_create("names", MFD_CLOEXEC);

	ok(write(fd, names, len) == (ssize_t)len);
	return fd;
}

static void what_was_found_names_more(void)
{
	struct lookup *l = lookup_new("owner");
	struct arena *a = arena_new();
	auto_fd int list = names_file("z\0y\0", 4);
	struct strings names;
	struct err e;
	size_t len;

	(void)!symlink("nowhere", at("far"));
	ok(!lookup_get(l, LOOKUP_DIR, at("far"), &e) && e.code == ERR_UNAVAILABLE);
	calls = 0;
	lookup_start(l, on_looked, NULL);
	answer(last()->fds[LOOKUP_SOCKET], 0, LOOKUP_VERSION, "/far", list);
	world_settle();
	ok(calls == 1 && code == ERR_OK && !get(l, LOOKUP_DIR, "far")->local);
	ok(lookup_names(get(l, LOOKUP_DIR, "far"), at("far"), &names, a, &e) == 0 && names.n == 2);
	is_str(names.at[0], "y");
	fake_child_exit(last(), 0, "", "");

	(void)!symlink("nowhere", at("farther"));
	ok(!lookup_read(l, at("farther"), 100, &len, ERR_INTERNAL, &e) && e.code == ERR_UNAVAILABLE);
	ok(!lookup_try(l));
	lookup_start(l, on_looked, NULL);
	answer(last()->fds[LOOKUP_SOCKET], 0, LOOKUP_VERSION, "/farther", -1); /* the only path of this round */
	world_settle();
	ok(calls == 2 && code == ERR_OK && lookup_try(l));
	ok(!lookup_read(l, at("farther"), 100, &len, ERR_INTERNAL, &e) && strstr(e.msg, "not a regular file"));
	lookup_start(l, on_looked, NULL); /* nothing is left to ask for */
	world_settle();
	ok(calls == 3 && code == ERR_OK);
	fake_child_exit(last(), 0, "", "");
	world_settle();
	lookup_free(l);
	arena_free(a);
}

static void on_memo(void *arg)
{
	(void)arg;
	calls++;
}

static void a_path_is_remembered(void)
{
	struct lookup_memo *near = lookup_memo_new(at("dir/file"), on_memo, NULL);
	struct lookup_memo *far;
	int children = fake_nchildren;
	struct err e;

	ok(S_ISREG(lookup_memo_get(near, &e)->mode) && fake_nchildren == children);
	lookup_memo_free(near);
	(void)!symlink("nowhere", at("program"));
	far = lookup_memo_new(at("program"), on_memo, NULL);
	calls = 0;
	ok(!lookup_memo_get(far, &e) && e.code == ERR_UNAVAILABLE && strstr(e.msg, "has not answered so far"));
	ok(!lookup_memo_get(far, &e) && fake_nchildren == children + 1);
	answer(last()->fds[LOOKUP_SOCKET], 0, LOOKUP_VERSION, "/program", -1);
	fake_child_exit(last(), 0, "", "");
	world_settle();
	ok(calls == 1 && S_ISDIR(lookup_memo_get(far, &e)->mode) && fake_nchildren == children + 1);
	world_advance(5000);
	ok(lookup_memo_get(far, &e) && fake_nchildren == children + 2); /* the last answer, while a child looks again */
	world_advance(10000);
	ok(calls == 2 && !lookup_memo_get(far, &e) && e.code == ERR_DEADLINE_EXCEEDED);
	lookup_memo_free(far);
	world_settle();
}

int main(void)
{
	lookup_open("/libexec/crisp-lookup", (const char *const[]){ world_dir(), NULL });
	what_is_there_is_known_at_once();
	what_is_missing_is_made();
	a_child_tells_the_rest();
	a_child_that_fails();
	a_child_that_hangs_counts_until_it_ends();
	children_that_work_are_waited_for();
	a_directory_is_listed();
	what_was_found_names_more();
	a_path_is_remembered();
	return tap_end();
}
