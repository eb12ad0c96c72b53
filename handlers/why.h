/* why.h - what `crisp why` tells: writes into the flight recorder (flight.h) what was done for pods. why_rpc.c reads
 * it.
 *
 * A record has the form of a line of the log:
 *
 *     kind=program stage=cni_add took_us=31337 program="/opt/cni/bin/x" fault="exit status 1" words="..." sandbox=1f..
 *     pod="NAMESPACE/NAME"
 *     kind=rpc stage=RunPodSandbox took_us=43210 code=INTERNAL fault="..." pod="NAMESPACE/NAME" sandbox=1f..
 *
 * and the time at which it began. Never in it: environments, arguments of containers, annotations, passwords in names
 * of images, and what a program says while it does as it should. (ARCHITECTURE R111) */
#ifndef HANDLERS_WHY_H
#define HANDLERS_WHY_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"

/* From now on all work of pods (work.h) is recorded when it ends, what is slow is counted and recorded, and so are the
 * ends of containers. Where the file cannot be made, the log says so, and nothing is recorded. */
void why_open(const char *path);
void why_close(void);

/* Is each call of this method recorded? Of the others only those that fail. */
bool why_follows(const char *method);

/* fields: the objects of the call, as about_named() and rpc_made() have them; "" is not recorded. e: NULL for OK. */
void why_rpc_ended(const char *method, const char *fields, int64_t took_ns, const struct err *e);

#endif
