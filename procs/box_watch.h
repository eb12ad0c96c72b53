/* box_watch.h - the end of a sandbox's box (sandbox_box.h). Of one that is inside (sandbox_inside()) the keeper tells
 * it, as of a pause; of others the runtime. Either makes the sandbox NOTREADY. (ARCHITECTURE G1, G60, G70) */
#ifndef PROCS_BOX_WATCH_H
#define PROCS_BOX_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "procs/sandbox.h"
#include "procs/sandbox_pause.h"

/* A box that is not inside has begun: sets pause_pid and watches it. Of a sandbox that the runtime has
 * (sandbox_in_runtime()) pid is 0, and pause_pid that of a pause. */
void box_watch_began(struct sandbox *sandbox, pid_t pid);

/* After a restart of crispd: watches the box again. false: it is gone. */
bool box_watch_adopt(struct sandbox *sandbox);

/* A sandbox that the runtime has is not watched any more. */
void box_watch_end(struct sandbox *sandbox);

/* As sandbox_pause_kill(). A box that is not inside is not watched any more, and lives until sandbox_box_remove(). */
void box_watch_kill(struct sandbox *sandbox, sandbox_pause_done *done, void *arg);

#endif
