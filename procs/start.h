/* start.h - StartContainer: stdio, log, the OCI runtime, exit watch.
 * Spec: CRI v1 RuntimeService.StartContainer. A failed start leaves the container EXITED 128 StartError with the
 * runtime's message. */
#ifndef PROCS_START_H
#define PROCS_START_H

#include "procs/container.h"
#include "reactor/err.h"

/* Gives the trees at these real paths (NULL-terminated, borrowed for the call) a SELinux label, without blocking:
 * `done` runs once, never inside the call. (ARCHITECTURE P25) */
typedef void start_labelled(void *arg, const struct err *e);
typedef void start_label(const char *label, const char *const *paths, start_labelled *done, void *arg);
/* Mounts the root file system of a container again. (ARCHITECTURE K53) */
typedef int start_mount(struct container *container, struct err *e);
void start_open(start_label *label, start_mount *mount); /* once, before the first start */

struct start; /* gone once `done` ran */
typedef void start_done(void *arg, const struct err *e);

/* The caller holds container->lane. FAILED_PRECONDITION: the container is not CREATED, its sandbox is not READY, or
 * the container whose PID namespace it is to join has ended (join.h); then its state stays. There is no cancel: a
 * start runs on when its caller is gone. */
struct start *start_start(struct container *container, start_done *done, void *arg);

/* Recovery, for every container of this boot, in any state, before anything else is done to it: RUNNING: its log and
 * exit watch are taken up again; or it becomes EXITED by the keeper's record, 255/Unknown without a record. Starting
 * when the daemon died: RUNNING when the keeper has its process; CREATED when its program has not begun; else
 * EXITED 128 StartError. EXITED: the runtime's delete is finished. CREATED: nothing. */
void start_adopt(struct container *container);

#endif
