/* job.h - the machine of all pulls of one reference with one set of credentials. For pull.c only. */
#ifndef IMAGES_PULL_JOB_H
#define IMAGES_PULL_JOB_H

#include <stdbool.h>

#include "images/login.h"
#include "images/manifest.h"
#include "images/policy.h"
#include "images/pull.h"
#include "images/pull/fetch.h"
#include "images/pull/verify.h"
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
	struct layer *raw;  /* the unfinished layer, held until its merge is done */
	struct layer *have; /* held */
	int tries;
};

struct pull_job {
	struct sm sm;
	struct link link;    /* of pull.c's jobs */
	struct link waiters; /* of struct pull.link */
	bool ended;
	int64_t begun_ns; /* pull.c's */
	const char *key, *text, *shown; /* shown: ref_shown() of the text */
	const struct pull_local *local; /* NULL: from a registry */
	struct ref ref;
	const struct registry_auth *auth;
	struct policy policy;
	struct login *login;   /* the node's credentials are being asked for */
	bool logged_in;        /* the auth is final */
	void (*configured)(struct pull_job *job, const struct err *e);
	struct verify *verify; /* signatures are being looked at */
	bool verified;         /* the policy accepts the image, or asks for no signature */
	struct err refused;    /* by the policy, of the index: its entry may have a signature. code OK: not so far */
	struct lookup *lookup; /* of the registry's configuration */
	struct registry *registry;
	struct registry_get *get;
	struct unpack_task *sync;
	struct timer timer;
	struct err trouble; /* reported in the next turn */

	struct buf body;             /* of the manifest or config that is being fetched */
	const char *content_type, *served_digest; /* from the headers of that answer */
	struct descriptor wanted;    /* digest "": the tag decides. size 0: not known */
	const char *top_digest;      /* of the first manifest or index: the image's repo digest */
	int depth;                   /* how many indexes were read */
	const char *manifest_digest; /* of the manifest that is no index */
	uint64_t manifest_bytes;
	struct strings blobs;        /* digests of the manifests and the config in content.h; room for BLOBS_MAX */
	const char *checkpoint;      /* the annotation of an index or a manifest; NULL: none has it */
	struct manifest manifest;
	struct image_config config;
	struct strings diff_ids;
	struct pull_layer *layers;   /* manifest.nlayers of them */
	bool fresh;                  /* some layer is in no image yet: sync before the record is written */
	struct arena *arena;
};

struct pull_job *pull_job_start(const char *key, const char *ref, const struct registry_auth *auth);
struct pull_job *pull_job_start_local(const struct pull_local *local); /* is joined by no other pull */
void pull_job_free(struct pull_job *job); /* ends what runs; layers and partial downloads are kept for a later pull */
const char *pull_job_blob(const struct pull_job *job, const char *digest); /* local: its path, in the job's arena */
void pull_job_progress(const struct pull_job *job, struct pull_progress *out);

/* Implemented by configure.c: the policy, the node's credentials and the registry's configuration are read; then `done`
 * runs, with e NULL if the image may be pulled, perhaps inside this call. job_release() ends what it waits for. */
void pull_configure(struct pull_job *job, void (*done)(struct pull_job *job, const struct err *e));

/* Implemented by pull.c: calls `done` of all waiters and frees the job. */
void pull_job_ended(struct pull_job *job, const struct err *e, const char *id);

/* Implemented by layers.c: brings every layer into place, then calls pull_layers_ready() or pull_job_fail(), never
 * inside pull_layers_start(). */
void pull_layers_start(struct pull_job *job);
void pull_layers_stop(struct pull_job *job, bool keep); /* keep: layers and partial downloads, for the next try */
void pull_layers_ready(struct pull_job *job);
void pull_job_fail(struct pull_job *job, const struct err *e);

/* Implemented by record.c: writes the record of the image, whose layers are in place. Returns its id, borrowed from the
 * job; NULL: e. */
const char *pull_record(struct pull_job *job, struct err *e);
struct strings pull_tags(struct pull_job *job); /* the tag of the reference; none with a reference by digest */

#endif
