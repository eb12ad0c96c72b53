/* convert.h - protobuf to our plain structs and back: the only place where both are seen side by side.
 *
 * Results live in the arena; what they share with the input lives as long as the input. */
#ifndef HANDLERS_CONVERT_H
#define HANDLERS_CONVERT_H

#include "api.pb-c.h"
#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* INVALID_ARGUMENT names what is missing, an unknown enum number or a negative number that must not be. */
int convert_sandbox_config(struct sandbox_config *out, const Runtime__V1__PodSandboxConfig *in, struct arena *a,
			   struct err *e);
int convert_container_config(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *a,
			     struct err *e);

/* Every map<string,string> of the generated code has this shape. */
struct map_entry {
	ProtobufCMessage base;
	char *key, *value;
};

/* An array of entries with the given entry descriptor, for a repeated map field. */
void *convert_map(const struct pairs *p, const ProtobufCMessageDescriptor *entry, struct arena *a);
struct pairs convert_pairs(void *entries, size_t n, struct arena *a); /* sorted by key, a later double wins */

Runtime__V1__NamespaceOption *convert_ns_options(const struct ns_options *in, struct arena *a);
Runtime__V1__LinuxContainerResources *convert_resources(const struct resources *in, struct arena *a);
Runtime__V1__Mount **convert_mounts(const struct container_config *c, struct arena *a);
Runtime__V1__PodSandboxMetadata *convert_sandbox_metadata(const struct sandbox_config *in, struct arena *a);
Runtime__V1__ContainerMetadata *convert_container_metadata(const struct container_config *in, struct arena *a);

/* A zero message of a generated type, initialised, in the arena. */
#define NEW_MESSAGE(a, type, init) ({ type *m_ = arena_zalloc(a, sizeof(type)); init(m_); m_; })

#endif
