/* criu.h - what we and CRIU say to each other, past the OCI runtime between us: its options in a file, its complaints
 * in a log.
 *
 * Our stdio FIFOs are files outside of the container. CRIU writes them down by mount and inode when it is told
 * ("external"), and a restored container gets its fds 1 and 2 in their place ("inherit-fd"); a runtime tells it so of
 * anonymous pipes only. Spec: criu(8), "External files", "inherit-fd", configuration files. */
#ifndef PROCS_CRIU_H
#define PROCS_CRIU_H

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

const char *criu_config_path(const struct container *c, struct arena *a); /* <bundle>/criu.conf */

/* {"1": "file[2f:9fa252]", "2": ..}: CRIU's names of the running container's streams; {} for a terminal. A new
 * reference. */
json_t *criu_streams(const struct container *c);
int criu_write_external(const struct container *c, struct err *e); /* the options for a dump of it */

/* The options for a restore, c's labels among them. streams: such a list, from outside; NULL: none. INVALID_ARGUMENT
 * unless it is one. */
int criu_write_inherit(const struct container *c, const json_t *streams, struct err *e);

/* The same for where its processes are put, in config.json and a file that it names. What the user has for all
 * containers, /etc/criu/runc.conf (crun.conf before it for crun), is in there too, as it is now. INTERNAL. */
int criu_keep_cgroup(const struct container *c, struct err *e);

/* Its complaints, from a log it wrote: one line of at most 400 bytes, "" when there are none. In the arena. */
const char *criu_words(const char *log, struct arena *a);

#endif
