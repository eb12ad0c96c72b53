/* job.h - the machine behind pulls of one reference with one set of credentials. For pull.c only. */
#ifndef IMAGES_PULL_JOB_H
#define IMAGES_PULL_JOB_H

#include <stdbool.h>

#include "images/pull/fetch.h"
#include "images/manifest.h"
#include "images/pull.h"
#include "images/registry.h"
#include "images/unpack.h"
#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/sm.h"

/* One place in the image's stack. */
struct pull_layer {
	struct pull_job *job;
	const char *diff_id, *chain_id;
	struct fetch *fetch;
	struct unpack_task *merge;
	struct layer *raw;  /* unfinished, held while it is merged */
	struct layer *have; /* held */
	int tries;
};

struct pull_job {
	struct sm sm;
	struct link link;    /* of pull.c's jobs */
	struct link waiters; /* of struct pull.link */
	bool ended;
	const char *key, *text;
	struct ref ref;
	const struct registry_auth *auth;
	struct registry *registry;
	struct registry_get *get;
	struct unpack_task *sync;
	struct timer timer;
	struct err trouble; /* told in the next turn */

	struct buf body;             /* of the manifest or config that comes */
	const char *content_type, *served_digest; /* of that answer, by its headers */
	struct descriptor wanted;    /* digest "": a tag decides. size 0: not known */
	const char *top_digest;      /* of the first manifest: the image's repo digest */
	int depth;                   /* of index in index */
	uint64_t manifest_bytes;
	struct strings blobs;        /* what content.h keeps of it; room for BLOBS_MAX */
	const char *checkpoint; /* NULL: none of its manifests says that it is one */
	struct manifest manifest;
	struct image_config config;
	struct strings diff_ids;
	struct pull_layer *layers;   /* manifest.nlayers of them */
	bool fresh;                  /* some layer is in no image yet: sync before the record */
	struct arena *arena;
};

struct pull_job *pull_job_start(const char *key, const char *ref, const struct registry_auth *auth);
void pull_job_free(struct pull_job *j); /* ends what runs; what has come is kept for a resume */
void pull_job_progress(const struct pull_job *j, struct pull_progress *out);

/* Implemented by pull.c: tells all waiters and frees the job. */
void pull_job_ended(struct pull_job *j, const struct err *e, const char *id);

/* Implemented by layers.c: brings every layer into place; then pull_layers_ready() or pull_job_fail() runs, never
 * inside. */
void pull_layers_start(struct pull_job *j);
void pull_layers_stop(struct pull_job *j, bool keep); /* keep: for the next try */
void pull_layers_ready(struct pull_job *j);
void pull_job_fail(struct pull_job *j, const struct err *e);

#endif
