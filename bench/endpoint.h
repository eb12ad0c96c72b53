/* endpoint.h - one CRI server under measurement, and the wait until it can run pods. */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include "bench/pod_life.h"
#include "bench/twin.h"
#include "reactor/arena.h"
#include "reactor/err.h"

struct endpoint {
	const char *name, *address;
	struct grpc_client *client; /* NULL with a twin */
	struct twin *twin;	    /* a program that takes the server's turns; NULL: a server */
	struct pod_spec pods;
};

/* From NAME=HANDLER@ADDRESS: "crisp-crun=crun@unix:///run/crisp/crisp.sock". HANDLER may be empty. The address
 * "exec:/PROGRAM ARGUMENT..." starts a twin (twin.h), which needs no preparation. The strings live in
 * the arena; endpoint_close() frees the client. INVALID_ARGUMENT: not of that form, or a bad address. */
int endpoint_open(struct endpoint *ep, struct arena *arena, const char *text, struct err *e);
void endpoint_close(struct endpoint *ep);

/* Replaces the client by a new one. Requests in flight are never answered. A twin is ended. */
void endpoint_abandon(struct endpoint *ep);

/* Runs the loop until the server reports RuntimeReady and NetworkReady, then pulls the image, so that no pull is
 * measured. Errors: DEADLINE_EXCEEDED with the last reason after patience_ms; those of the pull; CANCELLED when other
 * code stopped the loop. */
int endpoint_prepare(struct endpoint *ep, int64_t patience_ms, struct err *e);

#endif
