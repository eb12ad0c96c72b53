/* message.h - private to handlers/nri/: pods and containers as NRI's messages. All in the arena, sharing strings with
 * the objects: a message lives no longer than the call. */
#ifndef HANDLERS_NRI_MESSAGE_H
#define HANDLERS_NRI_MESSAGE_H

#include "nri.pb-c.h"
#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/json.h"

Nri__PodSandbox *nri_message_pod(const struct sandbox *sandbox, struct arena *arena);
/* With what its config.json has, or, where there is none, with what its record has. */
Nri__Container *nri_message_container(const struct container *container, struct arena *arena);
Nri__LinuxResources *nri_message_resources(const struct resources *resources, struct arena *arena); /* NULL: none */

/* All pods and containers, in parts that fit into a message of ttrpc; at least one part. */
struct nri_state {
	Nri__SynchronizeRequest **parts;
	size_t n_parts;
};
void nri_message_state(struct nri_state *out, struct arena *arena);

Nri__Image *nri_message_image(const struct container_image *image, struct arena *arena);

/* What is known of a container before it is made, in the form of config.json: args, env, mounts, annotations, devices.
 * A new reference; config and image as for container_new(). */
json_t *nri_plan(const struct sandbox *sandbox, const struct container_config *config,
		 const struct container_image *image);
/* The message of such a container. */
Nri__Container *nri_message_planned(const char *id, const char *pod_id,
				    const struct container_config *config, const json_t *plan, struct arena *arena);

/* A message that shares nothing with the objects that it was made of: they may be gone before it is sent. */
void *nri_message_copy(const ProtobufCMessage *message, struct arena *arena);

#endif
