/* main.c - crisp-unpack, the worker for layers and archives: it does one job and exits. crispd (images/unpack.c,
 * archive.c, import.c, export.c) has the keeper start it.
 *
 *     layer  ROOT NAME --digest=D --diff-id=D --size=N --max-bytes=N --min-free=S
 *            [--file=NAME] [--blob-fd=N --blob-bytes=N [--grows]] [--parents=A:B:..]
 *            on fd 0 the blob, or what follows those bytes; --file: it is no tar, but this file;
 *            --grows: how far that file has grown (input.h)
 *     untar  ROOT NAME --max-bytes=N --min-free=S --blob=PATH, or --size=N --blob-fd=N --blob-bytes=N
 *            [--files-only] [--hidden-fd=N] [--parents=A:B:..]
 *     merge  ROOT NAME --from=DIR --parents=A:B:.. --min-free=S
 *     take   ROOT NAME --parents=A:B:..
 *     diff   ROOT UPPER TO --parents=A:B:..
 *     pack   FROM LOCATION [--log=FILE]
 *     intake ROOT NAME --blob=PATH --max-bytes=N --min-free=S
 *     tar    ROOT LAYER TO --min-free=S
 *     digest PATH
 *     sum    ROOT LAYER
 *     volumes ROOT NAME PATH... --parents=A:B:.. --max-bytes=N --min-free=S --uids=MAP --gids=MAP
 *
 * It prints the line of answer.h on stdout. Usage errors: status 2, and a text on stderr. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/unpack/archive.h"
#include "images/unpack/intake.h"
#include "images/unpack/layer.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/privileges.h"

struct options {
	struct layer_spec layer;
	const char *log;
	const char *blob; /* untar: the path of the tar */
	const char *uids, *gids; /* volumes */
	char **words; /* the arguments that are not options */
	int nwords;
};

struct job {
	const char *name;
	int words_min, words_max;
	int (*run)(const struct options *o, struct answer *out, struct err *e);
	int capabilities[12];
};

static int run_layer(const struct options *o, struct answer *out, struct err *e)
{
	const struct layer_spec *s = &o->layer;

	if (!s->digest || !s->diff_id || s->max_bytes == 0)
		return err_set(e, ERR_INTERNAL, "an option is missing");
	return layer_untar(s, out, e);
}

/* The path comes from outside: its file system may not answer, so it is this process that opens it. O_NONBLOCK: open(2)
 * of a fifo would block. */
static int open_tar(const char *path, uint64_t *size, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "open %.300s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED_PRECONDITION, "open %.300s: not a file", path);
	*size = (uint64_t)st.st_size;
	return take_fd(&fd);
}

/* A tar of which neither digests nor media type are known. */
static int run_untar(const struct options *o, struct answer *out, struct err *e)
{
	struct layer_spec s = o->layer;
	auto_fd int tar = -1;

	if (o->blob) {
		tar = open_tar(o->blob, &s.size_bytes, e);
		if (tar < 0)
			return -1;
		s.blob_fd = tar;
		s.blob_bytes = s.size_bytes;
	}
	if (s.blob_fd < 0 || s.max_bytes == 0 || s.digest || s.diff_id)
		return err_set(e, ERR_INTERNAL, "an option is missing, or one too many");
	return layer_untar(&s, out, e);
}

static int run_take(const struct options *o, struct answer *out, struct err *e)
{
	return layer_take(&o->layer, out, e);
}

static int run_diff(const struct options *o, struct answer *out, struct err *e)
{
	return archive_diff(&o->layer, o->words[1], o->words[2], out, e);
}

static int run_pack(const struct options *o, struct answer *out, struct err *e)
{
	return archive_write(o->words[0], o->words[1], o->log, out, e);
}

static int run_intake(const struct options *o, struct answer *out, struct err *e)
{
	if (!o->blob || o->layer.max_bytes == 0)
		return err_set(e, ERR_INTERNAL, "an option is missing");
	return intake(&o->layer, o->blob, out, e);
}

static int run_tar(const struct options *o, struct answer *out, struct err *e)
{
	return archive_layer(&o->layer, o->words[1], o->words[2], out, e);
}

static int run_digest(const struct options *o, struct answer *out, struct err *e)
{
	return intake_digest(o->words[0], out, e);
}

static int run_sum(const struct options *o, struct answer *out, struct err *e)
{
	privileges_last();
	return layer_sum(&o->layer, out, e);
}

static int run_merge(const struct options *o, struct answer *out, struct err *e)
{
	if (!o->layer.from || !o->layer.parents)
		return err_set(e, ERR_INTERNAL, "an option is missing");
	return layer_merge(&o->layer, out, e);
}

static int run_volumes(const struct options *o, struct answer *out, struct err *e)
{
	const struct layer_volumes_spec v = { o->uids, o->gids, o->words + 2, o->nwords - 2 };

	if (!o->layer.parents || o->layer.max_bytes == 0)
		return err_set(e, ERR_INTERNAL, "an option is missing");
	return layer_volumes(&o->layer, &v, out, e);
}

static const struct job jobs[] = {
	{ "layer",
	  2,
	  2,
	  run_layer,
	  { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
	    CAP_SYS_ADMIN, CAP_SYS_CHROOT, -1 } },
	{ "untar",
	  2,
	  2,
	  run_untar,
	  { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
	    CAP_SYS_ADMIN, CAP_SYS_CHROOT, -1 } },
	{ "intake",
	  2,
	  2,
	  run_intake,
	  { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
	    CAP_SYS_ADMIN, CAP_SYS_CHROOT, -1 } },
	{ "tar", 3, 3, run_tar, { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, -1 } },
	{ "digest", 1, 1, run_digest, { CAP_DAC_READ_SEARCH, -1 } },
	{ "sum", 2, 2, run_sum, { CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, -1 } },
	{ "take", 2, 2, run_take, { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_SYS_ADMIN, -1 } },
	{ "diff", 3, 3, run_diff, { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, -1 } },
	{ "pack", 2, 2, run_pack, { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, -1 } },
	{ "merge",
	  2,
	  2,
	  run_merge,
	  { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
	    CAP_SYS_ADMIN, -1 } },
	{ "volumes",
	  3,
	  1024,
	  run_volumes,
	  { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
	    CAP_SYS_ADMIN, -1 } },
};

static int parse_number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno || end == text || *end || *text == '-' ? -1 : 0;
}

static int parse_fd(const char *text, int *out)
{
	uint64_t fd;

	if (parse_number(text, &fd) < 0 || fd > INT32_MAX)
		return -1;
	*out = (int)fd;
	return 0;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{ "file", required_argument, NULL, 'n' },
		{ "digest", required_argument, NULL, 'd' }, { "diff-id", required_argument, NULL, 'i' },
		{ "size", required_argument, NULL, 's' },
		{ "max-bytes", required_argument, NULL, 'm' }, { "min-free", required_argument, NULL, 'f' },
		{ "blob-fd", required_argument, NULL, 'b' }, { "parents", required_argument, NULL, 'p' },
		{ "blob-bytes", required_argument, NULL, 'B' }, { "from", required_argument, NULL, 'F' },
		{ "hidden-fd", required_argument, NULL, 'h' }, { "files-only", no_argument, NULL, 'o' },
		{ "uids", required_argument, NULL, 'u' }, { "gids", required_argument, NULL, 'g' },
		{ "log", required_argument, NULL, 'l' }, { "blob", required_argument, NULL, 'P' },
		{ "grows", no_argument, NULL, 'G' }, { 0 },
	};
	struct layer_spec *l = &o->layer;
	int c, r = 0;

	*o = (struct options){ .layer = { .blob_fd = -1, .hidden_fd = -1, .min_free = "0" } };
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1 && r == 0) {
		switch (c) {
		case 'd': l->digest = optarg; break;
		case 'n': l->file = optarg; break;
		case 'i': l->diff_id = optarg; break;
		case 'f': l->min_free = optarg; break;
		case 'p': l->parents = optarg; break;
		case 'F': l->from = optarg; break;
		case 's': r = parse_number(optarg, &l->size_bytes); break;
		case 'm': r = parse_number(optarg, &l->max_bytes); break;
		case 'B': r = parse_number(optarg, &l->blob_bytes); break;
		case 'b': r = parse_fd(optarg, &l->blob_fd); break;
		case 'h': r = parse_fd(optarg, &l->hidden_fd); break;
		case 'o': l->files_only = true; break;
		case 'G': l->grows = true; break;
		case 'l': o->log = optarg; break;
		case 'u': o->uids = optarg; break;
		case 'g': o->gids = optarg; break;
		case 'P': o->blob = optarg; break;
		default: r = -1;
		}
	}
	o->words = argv + optind;
	o->nwords = argc - optind;
	return r;
}

static int run(const struct job *job, struct options *o)
{
	struct answer out = { 0 };
	struct err e;
	int r;

	if (o->nwords < job->words_min || o->nwords > job->words_max) {
		fprintf(stderr, "crisp-unpack %s: wrong number of arguments\n", job->name);
		return 2;
	}
	o->layer.root = o->words[0];
	o->layer.name = o->nwords > 1 ? o->words[1] : NULL;
	signal(SIGPIPE, SIG_IGN);
	r = privileges_keep(job->capabilities, &e) < 0 ? -1 : job->run(o, &out, &e);
	return answer_print(&out, r < 0 ? &e : NULL);
}

int main(int argc, char **argv)
{
	struct options o;

	log_open("crisp-unpack", LOG_LEVEL_INFO);
	for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (strcmp(argv[1], jobs[i].name) != 0)
			continue;
		if (parse_options(argc - 1, argv + 1, &o) < 0)
			return 2;
		return run(&jobs[i], &o);
	}
	fprintf(stderr, "usage: crisp-unpack layer|untar|merge|take|diff|pack|intake|tar|digest|sum|volumes ...; "
			"started by crispd, see main.c\n");
	return 2;
}
