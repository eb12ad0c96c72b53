/* layer.c - see layer.h. The programs are in the build directory of the test: $(BUILD)/tests/unit/images/test_x ->
 * $(BUILD). */
#include "tests/fakes/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/unpack/input.h"
#include "tests/built.h"

char layer_root[128], layer_answer[4096], layer_noise[4096];
int layer_status;
struct layer_lies layer_lie;
static char program[4096], tree_program[4096];

bool layer_open(void)
{
	if (geteuid() != 0)
		return false;
	built(program, "crisp-unpack");
	built(tree_program, "crisp-tree");
	signal(SIGPIPE, SIG_IGN);
	/* Not /tmp: a tmpfs has no user.* attributes before Linux 6.6. */
	snprintf(layer_root, sizeof(layer_root), "/var/tmp/crisp-unpack-test-XXXXXX");
	return mkdtemp(layer_root) != NULL;
}

static int memory_with(const void *p, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

static void collect(int fd, char *to, size_t room)
{
	ssize_t n = pread(fd, to, room - 1, 0);

	to[n > 0 ? n : 0] = '\0';
	close(fd);
}

static void run(const char *path, const char *const *argv, int in, int blob)
{
	int out = memfd_create("out", MFD_CLOEXEC), noise = memfd_create("err", MFD_CLOEXEC);
	const char *full[64] = { path };
	pid_t pid;

	for (int i = 0; argv[i]; i++)
		full[i + 1] = argv[i];
	pid = fork();
	if (pid == 0) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(noise, 2);
		if (blob >= 0)
			dup2(blob, 9);
		execv(path, (char *const *)full);
		_exit(127);
	}
	waitpid(pid, &layer_status, 0);
	collect(out, layer_answer, sizeof(layer_answer));
	collect(noise, layer_noise, sizeof(layer_noise));
	if (layer_noise[0])
		printf("# %s\n", layer_noise);
}

static bool job(const char *path, const char *const *argv)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	run(path, argv, in, -1);
	close(in);
	return layer_status == 0 && strncmp(layer_answer, "ok ", 3) == 0;
}

bool layer_job(const char *const *argv)
{
	return job(program, argv);
}

bool layer_tree_job(const char *const *argv)
{
	return job(tree_program, argv);
}

/* Words for a file that grows; from the middle on the bytes themselves if l->raw. */
static int words_of(const struct layer_lies *l, const struct buf *blob)
{
	size_t upto = blob->len - l->cut, middle = l->raw ? l->kept + (upto - l->kept) / 2 : upto;
	const uint64_t raw = UNPACK_RAW;
	struct buf words = { 0 };
	int fd;

	for (uint64_t at = l->kept; at < middle;) {
		at = at + 100000 < middle ? at + 100000 : middle;
		buf_append(&words, &at, sizeof(at));
	}
	if (l->raw) {
		buf_append(&words, &raw, sizeof(raw));
		buf_append(&words, blob->at + middle, upto - middle);
	}
	fd = memory_with(words.at, words.len);
	buf_free(&words);
	return fd;
}

/* The sum of a layer is asked for by its place. */
static bool sum_is_that_of_the_files(const char *name)
{
	const char *const argv[] = { "sum", layer_root, "to-be-read", NULL };
	char answer[sizeof(layer_answer)], from[256], to[256];
	const char *said = strstr(layer_answer, " digest="), *read;
	int status = layer_status;
	bool same;

	if (!said)
		return true;
	strcpy(answer, layer_answer);
	said = answer + (said - layer_answer);
	snprintf(from, sizeof(from), "%s/ingest/%s/fs", layer_root, name);
	snprintf(to, sizeof(to), "%s/layers/to-be-read", layer_root);
	if (rename(from, to) < 0)
		abort();
	layer_job(argv);
	read = strstr(layer_answer, " digest=");
	same = read && strcmp(read, said) == 0;
	if (!same)
		printf("# said: %s# read: %s", answer, layer_answer);
	if (rename(to, from) < 0)
		abort();
	strcpy(layer_answer, answer);
	layer_status = status;
	return same;
}

bool layer_run(const char *name, const struct buf *blob, const struct buf *tar)
{
	char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE], size[32], max[32], part[64], parents[1024] = "";
	char file[1024];
	const struct layer_lies l = layer_lie;
	const char *argv[32] = { "layer", layer_root, name, "--digest", l.digest ? l.digest : digest, "--diff-id",
		l.diff_id ? l.diff_id : diff_id, "--size", size, "--max-bytes", max,
		"--min-free", l.min_free ? l.min_free : "1MiB" };
	int n = 13, in, kept = -1;

	digest_of(blob->at, blob->len, digest);
	digest_of(tar->at, tar->len, diff_id);
	snprintf(size, sizeof(size), "%" PRId64, l.size ? l.size : (int64_t)blob->len);
	snprintf(max, sizeof(max), "%" PRIu64, l.max_bytes ? l.max_bytes : (uint64_t)1 << 30);
	snprintf(parents, sizeof(parents), "--parents=%s", l.parents ? l.parents : "");
	if (l.parents)
		argv[n++] = parents;
	snprintf(file, sizeof(file), "--file=%s", l.file ? l.file : "");
	if (l.file)
		argv[n++] = file;
	if (l.grows)
		argv[n++] = "--grows";
	if (l.kept || l.grows) {
		snprintf(part, sizeof(part), "--blob-bytes=%zu", l.kept);
		argv[n++] = "--blob-fd=9";
		argv[n++] = part;
		kept = memory_with(blob->at, blob->len); /* the file has grown meanwhile */
	}
	in = l.grows ? words_of(&l, blob) : memory_with(blob->at + l.kept, blob->len - l.kept - l.cut);
	layer_lie = (struct layer_lies){ 0 };
	run(program, argv, in, kept);
	close(in);
	if (kept >= 0)
		close(kept);
	return layer_status == 0 && strncmp(layer_answer, "ok ", 3) == 0 && sum_is_that_of_the_files(name);
}

bool layer_tar(const char *name, struct buf *tar)
{
	bool good = layer_run(name, tar, tar);

	if (!good)
		printf("# %s", layer_answer);
	buf_free(tar);
	return good;
}

bool layer_says(const char *text)
{
	bool found = strstr(layer_answer, text) != NULL;

	if (!found)
		printf("# says: %s", layer_answer);
	return found;
}

const char *layer_path(const char *name, const char *path)
{
	static char ring[4][4608];
	static int next;
	char *out = ring[next++ % 4];

	snprintf(out, sizeof(ring[0]), "%s/ingest/%s/fs/%s", layer_root, name, path);
	return out;
}

bool layer_left_nothing(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/ingest/%s", layer_root, name);
	return access(path, F_OK) < 0 && errno == ENOENT;
}

struct stat layer_stat(const char *name, const char *path)
{
	struct stat st = { 0 };

	if (lstat(layer_path(name, path), &st) < 0)
		st = (struct stat){ 0 };
	return st;
}

bool layer_has(const char *name, const char *path)
{
	return layer_stat(name, path).st_ino != 0;
}

const char *layer_text(const char *name, const char *path)
{
	static char text[4096];
	int fd = open(layer_path(name, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

const char *layer_link(const char *name, const char *path)
{
	static char text[4096];
	ssize_t n = readlink(layer_path(name, path), text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

bool layer_is_whiteout(const char *name, const char *path)
{
	struct stat st = layer_stat(name, path);

	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

const char *layer_xattr(const char *name, const char *path, const char *xattr)
{
	static char value[4096];
	ssize_t n = lgetxattr(layer_path(name, path), xattr, value, sizeof(value) - 1);

	value[n > 0 ? n : 0] = '\0';
	return value;
}

void layer_place(const char *name, bool finished)
{
	char from[256], to[256];

	snprintf(from, sizeof(from), "%s/ingest/%s%s", layer_root, name, finished ? "/fs" : "");
	snprintf(to, sizeof(to), "%s/layers/%s", layer_root, name);
	if (rename(from, to) < 0)
		abort();
}

void layer_close(void)
{
	const char *const argv[] = { "remove", layer_root, NULL };

	layer_tree_job(argv);
}
