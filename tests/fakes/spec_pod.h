/* spec_pod.h - a sandbox, a container and a machine for the tests of config.json, described by short JSON texts.
 *
 * In all JSON text here ' stands for ", which keeps the tests readable. */
#ifndef TESTS_FAKES_SPEC_POD_H
#define TESTS_FAKES_SPEC_POD_H

#include "procs/spec/part.h"

struct spec_pod {
	struct sandbox sandbox;
	struct container container;
	struct spec_input in;
	struct arena *arena;
	char *dir;	/* a directory of its own; its rootfs/ and sandbox/ are there */
	json_t *config; /* what spec_make() made, NULL when it failed with e */
	struct err e;
};

extern struct spec_host spec_pod_host; /* what spec_host() says */

/* config: struct container_config as in records. The pod is an ordinary one; the image has the command "/entry cmd". */
void spec_pod_open(struct spec_pod *p, const char *config);
void spec_pod_close(struct spec_pod *p);
void spec_pod_security(struct spec_pod *p, const char *security);	    /* of the sandbox: struct security */
void spec_pod_file(struct spec_pod *p, const char *path, const char *text); /* below dir */
const char *spec_pod_path(struct spec_pod *p, const char *path);	    /* dir/path */

bool spec_pod_make(struct spec_pod *p);
const char *spec_pod_error(struct spec_pod *p); /* makes; "CODE: message", or "made" */

/* Member of the config by a path as "process.args" or "mounts.0": compact text, keys sorted; "" when it is not
 * there. */
const char *spec_pod_get(struct spec_pod *p, const char *path);
json_t *spec_pod_json(struct arena *a, const char *text);

/* The one mount at that destination, as text; "" for none. */
const char *spec_pod_mount(struct spec_pod *p, const char *to);

#endif
