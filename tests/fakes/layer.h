/* layer.h - runs the real crisp-unpack and crisp-tree in a directory of the test. Needs root. */
#ifndef TESTS_LAYER_H
#define TESTS_LAYER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "reactor/buf.h"

extern char layer_root[128];   /* "" without root: the test skips */
extern char layer_answer[4096]; /* the last run's line, "" when there was none */
extern char layer_noise[4096];  /* its stderr */
extern int layer_status;        /* as waitpid(2) */

/* Wrong values for the next layer_run(), which resets them. */
struct layer_lies {
	const char *digest, *diff_id, *parents, *min_free;
	const char *file;   /* the blob is this file */
	int64_t size;       /* in the manifest; 0: the real size */
	uint64_t max_bytes; /* 0: 1 GiB */
	size_t kept;        /* so many bytes come from a partial download */
	size_t cut;         /* so many bytes at the end are missing */
	bool grows, raw;    /* the partial download grows (images/unpack/input.h), and does not to its end */
};
extern struct layer_lies layer_lie;

bool layer_open(void); /* false: no root */
void layer_close(void);

/* Unpacks a layer `name`: blob has the bytes as sent, tar the plain bytes. true: it answered "ok", and the sum that it
 * gave is that of the files, read once more. */
bool layer_run(const char *name, const struct buf *blob, const struct buf *tar);
bool layer_tar(const char *name, struct buf *tar); /* plain; frees tar */
bool layer_job(const char *const *argv);           /* any other job; argv without the program */
bool layer_tree_job(const char *const *argv);      /* a job of crisp-tree */

bool layer_says(const char *text);                 /* the answer holds it */
bool layer_left_nothing(const char *name);         /* in ingest/ */

/* <root>/ingest/<name>/fs/<path> */
const char *layer_path(const char *name, const char *path);
struct stat layer_stat(const char *name, const char *path); /* lstat; zero when it is not there */
bool layer_has(const char *name, const char *path);
const char *layer_text(const char *name, const char *path); /* at most 4095 bytes */
const char *layer_link(const char *name, const char *path);
bool layer_is_whiteout(const char *name, const char *path);
const char *layer_xattr(const char *name, const char *path, const char *xattr); /* "" when not there */
void layer_place(const char *name, bool finished); /* renames it into layers/, as crispd does */

#endif
