/* console.h - the pty of a container with tty: the runtime sends it, the keeper holds it, a pump moves its output
 * into the log's FIFO.
 *
 * Spec: runc docs/terminals.md "console socket": the runtime connects and sends the master by SCM_RIGHTS. splice(2)
 * moves bytes from the master to the FIFO without a copy in this daemon. So a crash loses nothing: every byte is in
 * the pty or in the FIFO, and the keeper holds both. */
#ifndef PROCS_CONSOLE_H
#define PROCS_CONSOLE_H

#include "procs/log_pump.h"
#include "reactor/err.h"

/* The socket to which a runtime sends one master. A runtime sends it before it exits with 0, so the socket needs no
 * watch: console_take() after the exit. */
struct console_socket;
struct console_socket *console_listen(struct err *e); /* at a short path, <state>/console/N; NULL: INTERNAL */
const char *console_socket_path(const struct console_socket *socket);
/* the master, owned by the caller; INTERNAL: none was sent */
int console_take(struct console_socket *socket, struct err *e);
void console_unlisten(struct console_socket *socket); /* the path is removed; NULL is fine */

/* The keeper holds a container's master under this name; attach writes to it and resizes it. -1: none. */
void console_hold(const char *id, int master);
int console_held(const char *id);

struct console; /* the pump; gone once `drained` ran */

/* Moves the output of the held master of container id into the FIFO of `log`. NULL: no master is held, or the FIFO
 * cannot be opened (logged). */
struct console *console_pump(const char *id, struct log_pump *log);

/* The container is dead: the bytes left in the pty go to the log, then `drained` runs once, never inside the call.
 * After 2 s it runs in any case. */
void console_drain(struct console *console, void (*drained)(void *arg), void *arg);

#endif
