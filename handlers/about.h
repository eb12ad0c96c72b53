/* about.h - what an operation is about: the names of the objects in a request, in a line of the log, under an id. */
#ifndef HANDLERS_ABOUT_H
#define HANDLERS_ABOUT_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <sys/types.h>

#include "reactor/arena.h"

struct container;

/* From now on every line of the log that has an object's id names the object: ` pod="NAMESPACE/NAME"`,
 * and of a container ` container_name="NAME" image="NAME"`. A key that the line has is not written again. */
void about_open(void);

/* The names of a container as such fields, for the time when it is not there any more. The caller frees them. */
char *about_container(const struct container *container);

/* What a request names, as fields of a log line, each with a space in front: container= and sandbox= with the id (12
 * digits of it), pod=, container_name= and image= from its config. "": it names nothing. In the arena. */
const char *about_request(const ProtobufCMessage *request, struct arena *arena);

/* Fields as a line of the log has them, and behind them the names of their object, as in about_open(). In the arena. */
const char *about_named(const char *fields, struct arena *arena);

/* What works now for an operation with these fields (work.h): the youngest work on the same object, and for a sandbox
 * also on its containers. For an image that is pulled, the state of the pull. NULL: nothing is known. */
struct about_now {
	const char *stage, *program; /* in the arena */
	pid_t pid;
};
struct about_now *about_now(const char *fields, struct arena *arena);

#endif
