/* merge.h - private to handlers/nri/: messages of plugins as a whole. */
#ifndef HANDLERS_NRI_MERGE_H
#define HANDLERS_NRI_MERGE_H

#include "nri.pb-c.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* Adds a plugin's answer to those before it, as validators are told of them: an entry takes the place of the earlier
 * one of its name, and so does one with "-" before it. Copies nothing: `answer` must live as long as `into`. */
void nri_merge(Nri__ContainerAdjustment *into, const Nri__ContainerAdjustment *answer, struct arena *arena);

/* UNIMPLEMENTED: somewhere in it is a field that crisp's version of NRI does not know. */
int nri_known(const ProtobufCMessage *message, struct err *e);

#endif
