/* criu.h - options for CRIU in a file, and CRIU's errors from its log. The OCI runtime in between passes on neither.
 *
 * The FIFOs of stdout and stderr are files outside of the container. With the option "external" CRIU records such a
 * file by mount and inode, and with "inherit-fd" a restored container gets its new fds 1 and 2 in its place.
 * Runtimes set both options for anonymous pipes only. Spec: criu(8), "External files", "inherit-fd", configuration
 * files. (ARCHITECTURE X15) */
#ifndef PROCS_CRIU_H
#define PROCS_CRIU_H

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"
#include "reactor/lookup.h"

const char *criu_config_path(const struct container *container, struct arena *arena); /* <bundle>/criu.conf */

/* {"1": "file[2f:9fa252]", "2": ..}: CRIU's names of the running container's streams; {} for a terminal. A new
 * reference. */
json_t *criu_streams(const struct container *container);
int criu_write_external(const struct container *container, struct err *e); /* the options for a dump of it */

/* The options for a restore, the container's SELinux labels among them; it leaves the processes stopped (restored.h).
 * streams: what criu_streams() made, as it came from outside; NULL: no streams. INVALID_ARGUMENT: it has another form.
 */
int criu_write_inherit(const struct container *container, const json_t *streams, struct err *e);

/* Before a restore: its processes stay in the new container's cgroup. Writes a file of options and its path into
 * config.json. The user's own options for all containers, /etc/criu/runc.conf (for crun /etc/criu/crun.conf if it is
 * there), are copied into that file as they are now; lookup has them, as criu_look() has asked for them. INTERNAL. */
void criu_look(struct lookup *lookup);
int criu_keep_cgroup(const struct container *container, struct lookup *lookup, struct err *e);

/* The errors in a log that CRIU wrote, as one line of at most 400 bytes, in the arena; "": no errors. */
const char *criu_words(const char *log, struct arena *arena);

#endif
