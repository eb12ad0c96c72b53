/* test_unpack.c - crispd's end of crisp-unpack: feeding, answers, and what is left after failures. The child is
 * a fake. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/unpack.h"
#include "images/unpack/input.h"
#include "reactor/loop.h"
#include "tests/fakes/child.h"
#include "tests/tap.h"

#define DIGEST "sha256:1111111122222222333333334444444455555555666666667777777788888888"
#define DIFF_ID "sha256:abcdef01bbbbbbbbccccccccddddddddeeeeeeeeffffffff0000000099999999"
#define OK_LINE "ok bytes=8192 inodes=3 self_contained=1 finished=1 xattrs_left_out=0\n"

static char root[64];
static struct images_config config = {
	.root = root, .unpack_path = "/usr/libexec/crisp/crisp-unpack",
	.tree_path = "/usr/libexec/crisp/crisp-tree", .max_layer_bytes = 1 << 30, .min_free = "5%"
};
static const struct unpack_spec spec = {
	.digest = DIGEST, .diff_id = DIFF_ID, .size_bytes = 77,
	.blob_fd = -1,
};

static struct outcome {
	int calls;
	enum err_code code;
	char msg[1024], dir[64];
	struct unpack_result r;
	uint64_t bytes, inodes;
} seen;

static void on_done(void *arg, const struct err *e, const struct unpack_result *r)
{
	(void)arg;
	seen.calls++;
	seen.code = e ? e->code : ERR_OK;
	snprintf(seen.msg, sizeof(seen.msg), "%s", e ? e->msg : "");
	if (r) {
		seen.r = *r;
		snprintf(seen.dir, sizeof(seen.dir), "%s", r->dir);
	}
}

static void on_usage(void *arg, const struct err *e, uint64_t bytes, uint64_t inodes)
{
	on_done(arg, e, NULL);
	seen.bytes = bytes;
	seen.inodes = inodes;
}

static void on_filled(void *arg, const struct err *e, const char *dir)
{
	on_done(arg, e, NULL);
	snprintf(seen.dir, sizeof(seen.dir), "%s", dir ? dir : "");
}

static void on_sync(void *arg, const struct err *e)
{
	on_done(arg, e, NULL);
}

static void on_space(void *arg)
{
	++*(int *)arg;
}

static void turn(int n)
{
	while (n-- > 0)
		loop_turn();
}

static struct fake_child *last(void)
{
	return &fake_children[fake_nchildren - 1];
}

/* The next removal starts when the running one has ended, so the removals of the last test must end first. */
static void end_removals(void)
{
	turn(2);
	while (fake_nchildren > 0 && last()->done && strstr(last()->words, "crisp-tree remove ")) {
		fake_child_exit(last(), 0, OK_LINE, "");
		turn(2);
	}
}

static void afresh(void)
{
	end_removals();
	fake_children_reset();
	seen = (struct outcome){ 0 };
}

/* The name that unpack.c chose: the argument after the root. */
static const char *name_of(const struct fake_child *c)
{
	static char name[64];
	const char *p = strstr(c->words, root) + strlen(root) + 1;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, " "), p);
	return name;
}

static const char *path_of(const char *dir, const char *name, const char *more)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s%s", root, dir, name, more);
	return path;
}

static void make_ingest(const char *name)
{
	mkdir(path_of("ingest", name, ""), 0700);
	mkdir(path_of("ingest", name, "/fs"), 0755);
}

static void it_asks_for_a_confined_child(void)
{
	const char *const parents[] = { "aa", "bb", NULL }, *const lowest[] = { NULL };
	struct unpack_spec s = spec;
	struct unpack *u;

	afresh();
	s.blob_fd = open(path_of("", "blob", ""), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ok(write(s.blob_fd, "first", 5) == 5);
	s.blob_bytes = 5;
	s.parents = parents;
	u = unpack_start(&s, on_done, NULL);
	ok(fake_child_has(last(), "/usr/libexec/crisp/crisp-unpack layer "));
	ok(fake_child_has(last(), "--digest=" DIGEST " --diff-id=" DIFF_ID " --size=77 " ));
	ok(fake_child_has(last(), "--max-bytes=1073741824 --min-free=5% --parents=aa:bb --blob-fd=3 --blob-bytes=5 "));
	ok(strlen(name_of(last())) < UNPACK_NAME_SIZE && strncmp(name_of(last()), "abcdef01-", 9) == 0);
	ok(last()->fds[0] >= 0 && last()->fds[3] >= 0 && (last()->unshare & CLONE_NEWNET));
	unpack_cancel(u);
	close(s.blob_fd);
	s.blob_fd = -1;
	s.parents = lowest;
	u = unpack_start(&s, on_done, NULL);
	ok(fake_child_has(last(), "--parents= ") && last()->fds[3] < 0);
	unpack_cancel(u);
	u = unpack_start(&spec, on_done, NULL);
	ok(!strstr(last()->words, "--parents"));
	unpack_cancel(u);
	ok(seen.calls == 0);
}

static void bytes_go_in_and_a_layer_comes_out(void)
{
	char name[64], got[16] = "";
	struct unpack *u;

	afresh();
	u = unpack_start(&spec, on_done, NULL);
	snprintf(name, sizeof(name), "%s", name_of(last()));
	make_ingest(name);
	ok(unpack_feed(u, "hel", 3) && unpack_feed(u, "lo", 2));
	unpack_finish(u);
	ok(read(last()->fds[0], got, sizeof(got)) == 5 && strcmp(got, "hello") == 0);
	ok(read(last()->fds[0], got, sizeof(got)) == 0);
	ok(seen.calls == 0);
	fake_child_exit(last(), 0, OK_LINE, "");
	ok(seen.calls == 1 && seen.code == ERR_OK && seen.r.bytes == 8192 && seen.r.inodes == 3);
	ok(seen.r.self_contained && seen.r.finished);
	is_str(seen.dir, name);
	ok(access(path_of("layers", name, ""), F_OK) == 0 && access(path_of("ingest", name, ""), F_OK) < 0);
}

/* Of a file that grows the child hears now and then, and surely of the whole. From the first feed on it gets bytes. */
static void a_file_that_grows(void)
{
	struct unpack_spec s = spec;
	uint64_t words[8] = { 0 };
	struct unpack *u;
	char got[16] = "";

	afresh();
	s.blob_fd = open(path_of("", "blob", ""), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	s.grows = true;
	s.blob_bytes = 10;
	u = unpack_start(&s, on_done, NULL);
	ok(fake_child_has(last(), "--blob-fd=3 --blob-bytes=10 --grows "));
	fcntl(last()->fds[0], F_SETFL, O_NONBLOCK);
	unpack_grown(u, 11);
	ok(read(last()->fds[0], words, sizeof(words)) < 0);
	unpack_grown(u, 1 << 20);
	unpack_grown(u, (1 << 20) + 1);
	ok(read(last()->fds[0], words, sizeof(words)) == 8 && words[0] == 1 << 20);
	unpack_finish(u);
	ok(read(last()->fds[0], words, sizeof(words)) == 8 && words[0] == (1 << 20) + 1);
	ok(read(last()->fds[0], words, sizeof(words)) == 0);
	unpack_cancel(u);
	u = unpack_start(&s, on_done, NULL);
	unpack_grown(u, 20);
	ok(unpack_feed(u, "raw", 3));
	unpack_grown(u, 23);
	ok(read(last()->fds[0], words, 16) == 16 && words[0] == 20 && words[1] == UNPACK_RAW);
	ok(read(last()->fds[0], got, sizeof(got)) == 3 && strcmp(got, "raw") == 0);
	unpack_cancel(u);
	close(s.blob_fd);
}

static void an_unfinished_layer_keeps_its_list(void)
{
	char name[64];

	afresh();
	unpack_start(&spec, on_done, NULL);
	snprintf(name, sizeof(name), "%s", name_of(last()));
	make_ingest(name);
	fake_child_exit(last(), 0, "ok bytes=1 inodes=1 self_contained=0 finished=0 xattrs_left_out=0\n", "");
	ok(seen.calls == 1 && seen.code == ERR_OK && !seen.r.self_contained && !seen.r.finished);
	ok(access(path_of("layers", name, "/fs"), F_OK) == 0);
}

/* After 1 MiB the pipe is full: the caller has to wait, and is called when there is room again. */
static void a_slow_child_holds_the_caller_off(void)
{
	static char chunk[64 << 10];
	size_t fed = 0, drained = 0;
	struct unpack *u;
	int told = 0;
	ssize_t n;

	afresh();
	u = unpack_start(&spec, on_done, NULL);
	while (fed < 4 << 20 && unpack_feed(u, chunk, 60000))
		fed += 60000;
	ok(fed >= 60000 && fed < 4 << 20);
	ok(!unpack_feed(u, chunk, 1));
	unpack_on_space(u, on_space, &told);
	ok(told == 0);
	turn(3);
	ok(told == 0);
	fcntl(last()->fds[0], F_SETFL, O_NONBLOCK);
	while ((n = read(last()->fds[0], chunk, sizeof(chunk))) > 0)
		drained += (size_t)n;
	turn(3);
	ok(told == 1);
	ok(unpack_feed(u, chunk, 10));
	unpack_finish(u);
	for (int i = 0; i < 100 && (n = read(last()->fds[0], chunk, sizeof(chunk))) != 0; i++) {
		drained += n > 0 ? (size_t)n : 0;
		turn(1);
	}
	ok(n == 0 && drained == fed + 10);
	/* If there is room already, the caller is called in the next turn, never inside unpack_on_space(). */
	unpack_on_space(u, on_space, &told);
	ok(told == 1);
	turn(2);
	ok(told == 2);
	unpack_cancel(u);
	ok(last()->cancelled && seen.calls == 0);
	turn(2);
}

static void finish_waits_for_what_is_left(void)
{
	static char chunk[64 << 10];
	size_t fed = 0, drained = 0;
	struct unpack *u;
	ssize_t n = 1;

	afresh();
	u = unpack_start(&spec, on_done, NULL);
	while (unpack_feed(u, chunk, 60000))
		fed += 60000;
	unpack_finish(u);
	for (int i = 0; i < 1000 && n > 0; i++) {
		n = read(last()->fds[0], chunk, sizeof(chunk));
		drained += n > 0 ? (size_t)n : 0;
		turn(1);
	}
	ok(n == 0 && drained == fed);
	fake_child_exit(last(), 256, "error DATA_LOSS the blob ends after 1 of 2 bytes\n", "");
	ok(seen.calls == 1 && seen.code == ERR_DATA_LOSS);
	is_str(seen.msg, "unpack layer 111111112222: the blob ends after 1 of 2 bytes");
}

static void a_child_that_has_seen_enough(void)
{
	struct unpack *u;
	int told = 0;

	afresh();
	u = unpack_start(&spec, on_done, NULL);
	ok(unpack_feed(u, "x", 1));
	close(last()->fds[0]);
	last()->fds[0] = -1;
	ok(unpack_feed(u, "y", 1) && unpack_feed(u, "z", 1)); /* dropped: the child reads no more */
	unpack_on_space(u, on_space, &told);
	turn(2);
	ok(told == 1);
	unpack_finish(u);
	fake_child_exit(last(), 256, "error INVALID_ARGUMENT \"../x\" leads out of the layer\n", "");
	ok(seen.calls == 1 && seen.code == ERR_INVALID_ARGUMENT && strstr(seen.msg, "leads out of the layer"));
}

static void each_bad_end(void)
{
	static const struct {
		int status;
		const char *out, *err;
		enum err_code code;
		const char *says;
		bool sweeps;
	} ends[] = {
		{ 256, "error RESOURCE_EXHAUSTED full\n", "", ERR_RESOURCE_EXHAUSTED, "full", false },
		{ 256, "error INTERNAL disk\n", "", ERR_INTERNAL, "disk", false },
		{ 31, "", "", ERR_INTERNAL, "killed by signal 31", true },
		{ 512, "", "usage: x\ny", ERR_INTERNAL, "exit status 2: \"usage: x\\x0ay\"", true },
		{ 0, "", "", ERR_INTERNAL, "exit status 0", true },
		{ 0, "ok bytes=1\n", "", ERR_INTERNAL, "cannot be parsed", false },
		{ 0, OK_LINE "more", "", ERR_INTERNAL, "cannot be parsed", false },
		{ 0, "ok bytes=-1 inodes=1 self_contained=1 finished=1 xattrs_left_out=0\n", "", ERR_INTERNAL,
		  "cannot be parsed", false },
		{ 0, "ok bytes=1 inodes=1 self_contained=2 finished=1 xattrs_left_out=0\n", "", ERR_INTERNAL,
		  "cannot be parsed", false },
		{ 256, OK_LINE, "", ERR_INTERNAL, "cannot be parsed", false },
		{ 256, "error NOT_FOUND x\n", "", ERR_INTERNAL, "cannot be parsed", false },
		{ 0, OK_LINE, "", ERR_INTERNAL, "rename", true }, /* there is no directory to rename */
	};
	int good = 0, n = sizeof(ends) / sizeof(ends[0]);

	for (int i = 0; i < n; i++) {
		afresh();
		unpack_start(&spec, on_done, NULL);
		fake_child_exit(last(), ends[i].status, ends[i].out, ends[i].err);
		turn(2);
		good += seen.calls == 1 && seen.code == ends[i].code && strstr(seen.msg, ends[i].says) &&
			(fake_nchildren == 2) == ends[i].sweeps;
	}
	ok(good == n);
	afresh();
	unpack_start(&spec, on_done, NULL);
	fake_child_fail(last(), ERR_UNAVAILABLE, "the keeper is gone");
	ok(seen.calls == 1 && seen.code == ERR_UNAVAILABLE);
	turn(2);
	ok(fake_nchildren == 2 && fake_child_has(last(), "crisp-tree remove "));
}

static void cancel_removes_what_is_there(void)
{
	struct unpack *u;
	char name[64];

	afresh();
	u = unpack_start(&spec, on_done, NULL);
	snprintf(name, sizeof(name), "%s", name_of(last()));
	unpack_cancel(u);
	ok(fake_children[0].cancelled && seen.calls == 0);
	turn(2);
	ok(fake_nchildren == 2 && fake_child_has(last(), path_of("ingest", name, "")));
	fake_child_exit(last(), 0, OK_LINE, "");
	turn(2);
	ok(fake_nchildren == 2 && seen.calls == 0);
}

static void removals_share_children(void)
{
	char path[64];

	afresh();
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/gone/%d", i);
		unpack_remove_tree(path);
	}
	ok(fake_nchildren == 0);
	turn(2);
	ok(fake_nchildren == 1 && fake_child_has(last(), "remove /gone/0 /gone/1 ") &&
	   fake_child_has(last(), " /gone/63 "));
	ok(!strstr(last()->words, "/gone/64"));
	turn(2);
	ok(fake_nchildren == 1);
	fake_child_exit(last(), 256, "error INTERNAL remove /gone/5: busy\n", "");
	turn(2);
	ok(fake_nchildren == 2 && fake_child_has(last(), "remove /gone/64 ") && fake_child_has(last(), " /gone/99 "));
	fake_child_exit(last(), 0, OK_LINE, "");
	turn(2);
	ok(fake_nchildren == 2);
}

static void the_one_shot_jobs(void)
{
	const char *const parents[] = { "p1", "p2", NULL };
	struct unpack_task *t;

	afresh();
	unpack_merge_start("raw", parents, "chain", on_done, NULL);
	ok(fake_child_has(last(), "merge ") &&
	   fake_child_has(last(), " chain --from=raw --min-free=5% --parents=p1:p2 "));
	make_ingest("chain");
	fake_child_exit(last(), 0, "ok bytes=5 inodes=6 self_contained=0 finished=1 xattrs_left_out=0\n", "");
	ok(seen.calls == 1 && seen.code == ERR_OK && seen.r.finished && seen.r.bytes == 5);
	is_str(seen.dir, "chain");
	ok(access(path_of("layers", "chain", ""), F_OK) == 0);

	afresh();
	unpack_merge_start("raw", parents, "chain2", on_done, NULL);
	fake_child_exit(last(), 256, "error INVALID_ARGUMENT \"h\": the hard link's target \"t\" is in no layer\n", "");
	ok(seen.calls == 1 && seen.code == ERR_INVALID_ARGUMENT && strstr(seen.msg, "finish layer chain2: \"h\""));

	afresh();
	unpack_usage("/some/tree", "/another", on_usage, NULL);
	ok(fake_child_has(last(), "usage /some/tree /another "));
	fake_child_exit(last(), 0, OK_LINE, "");
	ok(seen.calls == 1 && seen.code == ERR_OK && seen.bytes == 8192 && seen.inodes == 3);

	afresh();
	unpack_volumes(&(struct unpack_volumes_spec){ parents, parents, "0 7 9\n", "" }, on_filled, NULL);
	ok(fake_child_has(last(), "volumes --max-bytes=") && fake_child_has(last(), " --parents=p1:p2 ") &&
	   fake_child_has(last(), " --uids=0 7 9\n --gids= -- ") && fake_child_has(last(), " p1 p2 "));
	fake_child_exit(last(), 0, OK_LINE, "");
	ok(seen.calls == 1 && seen.code == ERR_OK && strstr(seen.dir, "/ingest/volume-") && strstr(seen.dir, "/fs"));
	afresh();
	unpack_volumes(&(struct unpack_volumes_spec){ parents, parents, "", "" }, on_filled, NULL);
	fake_child_exit(last(), 256, "error INVALID_ARGUMENT VOLUME \"/x\": the image has a file there\n", "");
	ok(seen.calls == 1 && seen.code == ERR_INVALID_ARGUMENT && !*seen.dir);

	afresh();
	unpack_sync(on_sync, NULL);
	fake_child_fail(last(), ERR_UNAVAILABLE, "no keeper");
	ok(seen.calls == 1 && seen.code == ERR_UNAVAILABLE);

	afresh();
	t = unpack_sync(on_sync, NULL);
	unpack_task_cancel(t);
	t = unpack_merge_start("raw", parents, "chain3", on_done, NULL);
	unpack_task_cancel(t);
	turn(2);
	ok(seen.calls == 0 && fake_nchildren == 3 && fake_child_has(last(), "/ingest/chain3 "));
}

static void a_new_life_sweeps_the_old_ingest(void)
{
	afresh();
	make_ingest("left");
	unpack_open();
	ok(access(path_of("ingest", "", ""), F_OK) < 0);
	turn(2);
	ok(fake_nchildren == 1 && fake_child_has(last(), "/ingest."));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%.30s/crisp-unpack-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	images_configure(&config);
	unpack_open();
	mkdir(path_of("ingest", "", ""), 0700);
	mkdir(path_of("layers", "", ""), 0700);
	it_asks_for_a_confined_child();
	bytes_go_in_and_a_layer_comes_out();
	a_file_that_grows();
	an_unfinished_layer_keeps_its_list();
	a_slow_child_holds_the_caller_off();
	finish_waits_for_what_is_left();
	a_child_that_has_seen_enough();
	each_bad_end();
	cancel_removes_what_is_there();
	removals_share_children();
	the_one_shot_jobs();
	a_new_life_sweeps_the_old_ingest();
	end_removals();
	fake_children_reset();
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_end();
}
