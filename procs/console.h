/* console.h - the pty of a container with tty: taken from the runtime, held by the keeper, pumped into the log's FIFO.
 *
 * Spec: runc docs/terminals.md "console socket": the runtime connects and sends the master by SCM_RIGHTS. Bytes go from
 * the master to the FIFO by splice(2), never through our memory: what we die with is in one of the two, and the keeper
 * holds both. */
#ifndef PROCS_CONSOLE_H
#define PROCS_CONSOLE_H

#include "procs/log_pump.h"
#include "reactor/err.h"

/* Where a runtime sends one master to. It has sent it by the time that it exits with 0, so nothing is watched here. */
struct console_socket;
struct console_socket *console_listen(struct err *e); /* at a short path, <state>/console/N; NULL: INTERNAL */
const char *console_socket_path(const struct console_socket *s);
/* the master, owned by the caller; INTERNAL: none was sent */
int console_take(struct console_socket *s, struct err *e);
void console_unlisten(struct console_socket *s); /* the path is gone; NULL is fine */

/* The keeper holds a container's master under this name; attach writes to it and resizes it. -1: none. */
void console_hold(const char *id, int master);
int console_held(const char *id);

struct console; /* the pump; gone once `drained` ran or console_stop() returned */

/* Pumps the held master of container id into p until the end; NULL when there is none or no end of the FIFO can be
 * had. */
struct console *console_pump(const char *id, struct log_pump *p);

/* The container is dead: what the pty still has goes to the log, then `drained` runs once, never inside the call. At
 * most 2 s. */
void console_drain(struct console *c, void (*drained)(void *arg), void *arg);
void console_stop(struct console *c);

#endif
