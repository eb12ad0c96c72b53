/* convert.h - protobuf to the plain structs of procs/ and back.
 *
 * Results live in the arena. They share strings with the input, which must live as long as they do. */
#ifndef HANDLERS_CONVERT_H
#define HANDLERS_CONVERT_H

#include "api.pb-c.h"
#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* INVALID_ARGUMENT names the field that is missing, an unknown enum number, or a number that must not be negative. */
int convert_sandbox_config(struct sandbox_config *out, const Runtime__V1__PodSandboxConfig *in, struct arena *arena,
			   struct err *e);
int convert_container_config(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *arena,
			     struct err *e);

/* Seconds of a request, not negative, as milliseconds. The API server admits any int64 as a grace period, and a timer
 * cannot count that far, so a time of more than a year is a year. */
int64_t convert_seconds(int64_t seconds);

/* Every map<string,string> of the generated code has this shape. */
struct map_entry {
	ProtobufCMessage base;
	char *key, *value;
};

/* For a repeated map field: an array of pointers to messages with the given descriptor. */
void *convert_map(const struct pairs *pairs, const ProtobufCMessageDescriptor *entry, struct arena *arena);
/* Sorted by key; of entries with equal keys the last one counts. */
struct pairs convert_pairs(void *entries, size_t count, struct arena *arena);

Runtime__V1__NamespaceOption *convert_ns_options(const struct ns_options *in, struct arena *arena);
Runtime__V1__LinuxContainerResources *convert_resources(const struct resources *in, struct arena *arena);
Runtime__V1__Mount **convert_mounts(const struct container_config *config, struct arena *arena);
Runtime__V1__PodSandboxMetadata *convert_sandbox_metadata(const struct sandbox_config *in, struct arena *arena);
Runtime__V1__ContainerMetadata *convert_container_metadata(const struct container_config *in, struct arena *arena);

/* A zero message of a generated type, initialised, in the arena. */
#define NEW_MESSAGE(a, type, init) ({ type *m_ = arena_zalloc(a, sizeof(type)); init(m_); m_; })

#endif
