/* inner.c - see inner.h. */
#include "images/unpack/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/unpack/confine.h"
#include "images/unpack/single.h"
#include "images/unpack/tar.h"
#include "reactor/own.h"

enum { ROOT_FD = 3, BLOB_FD = 4, FIRST_OTHER_FD = 5, OUT_OF_THE_WAY = 16 };
enum { REPORT_MAX = 256 << 20 };
enum { PENDING = -1 };
enum { AHEAD_BYTES = 1 << 20 }; /* of a blob: for less, a thread costs more than it saves */

/* The memfd has this struct, then the report's bytes, then the files of the contents. The process that read the layer
 * wrote it, so everything in it is checked as untrusted input. */
struct outcome {
	int32_t code; /* enum err_code; PENDING: the process has not finished */
	char msg[sizeof(((struct err *)0)->msg)];
	struct extracted extracted;
	uint64_t report_bytes, files;
};

enum { OUTCOME_MAX = sizeof(struct outcome) + REPORT_MAX + CONTENTS_FILES_MAX * sizeof(struct contents_file) };

/* ---- inside ---- */

static int write_all(int fd, const void *p, size_t n, off_t at)
{
	for (ssize_t done; n > 0; p = (const char *)p + done, n -= (size_t)done, at += done)
		if ((done = pwrite(fd, p, n, at)) <= 0)
			return -1;
	return 0;
}

/* contents: NULL, or those of a layer that succeeded. */
static void inner_say(int fd, int code, const struct extracted *x, const struct report *report,
		      const struct contents *contents, const struct err *e)
{
	struct outcome o = { .code = code, .extracted = *x, .files = contents ? contents->n : 0 };
	struct buf text = { 0 };

	if (code != ERR_OK)
		memcpy(o.msg, e->msg, sizeof(o.msg));
	else
		report_encode(report, &text);
	o.report_bytes = text.len;
	if (write_all(fd, text.at, text.len, sizeof(o)) < 0 ||
	    (contents && write_all(fd, contents->files, contents->n * sizeof(*contents->files),
				   (off_t)(sizeof(o) + text.len)) < 0) ||
	    write_all(fd, &o, sizeof(o), 0) < 0)
		_exit(1);
}

/* Only these stay open: the pipe at 0, the memfd at 1, stderr, the root and the blob. */
static int settle_fds(int out, int root, int blob, struct err *e)
{
	int o = fcntl(out, F_DUPFD, OUT_OF_THE_WAY), r = fcntl(root, F_DUPFD, OUT_OF_THE_WAY);
	int b = blob < 0 ? -1 : fcntl(blob, F_DUPFD, OUT_OF_THE_WAY);

	if (o < 0 || r < 0 || (blob >= 0 && b < 0) || dup2(o, 1) < 0 || dup2(r, ROOT_FD) < 0 ||
	    (b >= 0 ? dup2(b, BLOB_FD) : (close(BLOB_FD), 0)) < 0 || close_range(FIRST_OTHER_FD, ~0u, 0) < 0)
		return err_os(e, ERR_INTERNAL, "confine: dup");
	return 0;
}

static int inner_untar(const struct inner_spec *s, struct inflate *z, struct extracted *out, struct report *report,
		 struct err *e)
{
	struct extract_spec spec = {
		.root = ROOT_FD, .max_file_bytes = s->stream.max_bytes, .min_free = s->min_free, .report = report,
		.files_only = s->files_only, .links = s->links, .hidden = s->hidden,
		.contents = s->contents,
	};
	struct tar tar;
	int r;

	tar_open(&tar, z);
	r = extract_all(&spec, &tar, out, e);
	tar_close(&tar);
	if (r < 0)
		inflate_blame(z, e);
	return r < 0 ? -1 : inflate_verify(z, e);
}

static int inner_single(const struct inner_spec *s, struct input *in, struct extracted *out, struct err *e)
{
	const struct single_spec spec = { .root = ROOT_FD, .name = s->file, .digest = s->stream.digest,
					  .max_bytes = s->stream.max_bytes, .min_free = s->min_free,
					  .contents = s->contents };

	return single_write(&spec, in, out, e);
}

/* The kernel's limit counts for the memfd of the outcome too, which must have room whatever max_layer_bytes is. What
 * is written of the layer is counted before (inflate.c, extract.c, single.c). */
static uint64_t inner_file_max(uint64_t max_bytes)
{
	return max_bytes > OUTCOME_MAX ? max_bytes : OUTCOME_MAX;
}

/* On one CPU a thread would save nothing. */
static bool inner_has_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 || CPU_COUNT(&cpus) > 1;
}

static struct inflate *inner_inflate(const struct inflate_spec *stream, struct err *e)
{
	struct inflate *z = inflate_open(stream);

	if (stream->source.size_bytes < AHEAD_BYTES || !inner_has_cpus())
		return z;
	mallopt(M_ARENA_MAX, 1); /* another one needs mprotect(2), which the filter does not allow */
	if (inflate_ahead(z, e) == 0)
		return z;
	inflate_close(z);
	return NULL;
}

static void inner_inside(const struct inner_spec *s, int out, pid_t parent)
{
	struct inflate_spec stream = s->stream;
	struct extracted x = { 0 };
	struct inflate *z = NULL;
	struct input in = { 0 };
	struct report report;
	struct err e;
	int root, r = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	report_open(&report);
	root = confine_enter(s->dir_fd, s->path, &e);
	if (root >= 0 && settle_fds(out, root, stream.source.blob_fd, &e) == 0) {
		out = 1;
		stream.source.blob_fd = stream.source.blob_fd < 0 ? -1 : BLOB_FD;
		/* Before the filter is set, because libcrypto opens and maps files for its first hash. */
		if (s->file)
			input_open(&in, &stream.source);
		else
			z = inner_inflate(&stream, &e);
		r = s->file || z ? confine_seal(inner_file_max(stream.max_bytes), &e) : -1;
	}
	if (r == 0 && s->file)
		r = inner_single(s, &in, &x, &e);
	else if (r == 0)
		r = inner_untar(s, z, &x, &report, &e);
	inner_say(out, r < 0 ? (int)e.code : ERR_OK, &x, &report, r < 0 ? NULL : s->contents, &e);
	_exit(0);
}

/* ---- outside ---- */

static int code_of(int32_t code)
{
	switch (code) {
	case ERR_DATA_LOSS: case ERR_INVALID_ARGUMENT: case ERR_RESOURCE_EXHAUSTED: return (int)code;
	default: return ERR_INTERNAL;
	}
}

/* Any numbers will do: a wrong one makes a wrong sum, no more. */
static void read_contents(struct contents *c, const void *files, size_t n)
{
	if (n == 0)
		return;
	c->files = own_must(malloc(n * sizeof(*c->files)));
	memcpy(c->files, files, n * sizeof(*c->files));
	c->n = c->room = n;
	contents_sort(c);
}

static int read_outcome(int fd, struct contents *contents, struct extracted *out, struct report *report, struct err *e)
{
	uint64_t files_bytes;
	struct outcome o;
	struct stat st;
	char *text;
	int r;

	if (pread(fd, &o, sizeof(o), 0) != sizeof(o) || fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "read the unpacker's outcome");
	o.msg[sizeof(o.msg) - 1] = '\0';
	if (o.code != ERR_OK)
		return err_set(e, (enum err_code)code_of(o.code), "%s", o.msg);
	files_bytes = o.files * sizeof(struct contents_file);
	if (o.report_bytes == 0 || o.report_bytes > REPORT_MAX || o.files > (contents ? CONTENTS_FILES_MAX : 0) ||
	    (uint64_t)st.st_size != sizeof(o) + o.report_bytes + files_bytes)
		return err_set(e, ERR_INTERNAL, "the unpacker's outcome is damaged");
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return err_os(e, ERR_INTERNAL, "map the unpacker's outcome");
	r = report_decode(report, text + sizeof(o), o.report_bytes, e);
	if (r == 0 && contents)
		read_contents(contents, text + sizeof(o) + o.report_bytes, o.files);
	munmap(text, (size_t)st.st_size);
	*out = o.extracted;
	return r;
}

static int wait_for(pid_t pid, int fd, struct err *e)
{
	struct outcome o;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_os(e, ERR_INTERNAL, "wait for the unpacker");
	if (WIFSIGNALED(status))
		return err_set(e, ERR_INTERNAL, "the unpacker was killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	if (status != 0 || pread(fd, &o, sizeof(o), 0) != sizeof(o) || o.code == PENDING)
		return err_set(e, ERR_INTERNAL, "the unpacker ended without a result");
	return 0;
}

int inner_run(const struct inner_spec *s, struct extracted *out, struct report *report, struct err *e)
{
	const struct outcome pending = { .code = PENDING };
	auto_fd int fd = memfd_create("unpack", MFD_CLOEXEC);
	pid_t self = getpid(), pid;

	if (fd < 0 || write_all(fd, &pending, sizeof(pending), 0) < 0)
		return err_os(e, ERR_INTERNAL, "memfd");
	pid = fork();
	if (pid < 0)
		return err_os(e, ERR_INTERNAL, "fork");
	if (pid == 0)
		inner_inside(s, fd, self);
	/* When the reader has ended, crispd must get a broken pipe. So the outer half keeps no read end open. */
	close(STDIN_FILENO);
	return wait_for(pid, fd, e) < 0 ? -1 : read_outcome(fd, s->contents, out, report, e);
}
