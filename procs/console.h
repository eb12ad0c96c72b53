/* console.h - the pty of a container with tty: the runtime sends it, the keeper holds it, a pump moves its output
 * into the log's FIFO.
 *
 * Spec: runc docs/terminals.md "console socket": the runtime connects and sends the master by SCM_RIGHTS. splice(2)
 * moves bytes from the master to the FIFO without a copy in this daemon. So a crash loses nothing: every byte is in
 * the pty or in the FIFO, and the keeper holds both. Before that it holds the socket. (ARCHITECTURE K50) */
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
/* For a port-forward: the connection itself, non-blocking, owned by the caller; INTERNAL: there is none. */
int console_accept(struct console_socket *socket, struct err *e);
void console_unlisten(struct console_socket *socket); /* the path is removed; NULL is fine */

/* The keeper holds the socket while the runtime of that container runs: what the runtime sends waits there, also while
 * the daemons are dead. RESOURCE_EXHAUSTED: no descriptor. (ARCHITECTURE K50) */
int console_hold_socket(const char *id, const struct console_socket *socket, struct err *e);
/* The runtime has ended: the keeper holds the master that it sent instead of the socket. INTERNAL: none was sent;
 * RESOURCE_EXHAUSTED: no descriptor. */
int console_keep(const char *id, const struct console_socket *socket, struct err *e);
/* Recovery, of a container with a terminal that runs: its master is held, or is taken from the socket that is held.
 * INTERNAL: it is lost, and the container was hung up. RESOURCE_EXHAUSTED: no descriptor. */
int console_regain(const char *id, struct err *e);
/* The master; attach writes to it and resizes it. RESOURCE_EXHAUSTED: no descriptor. */
int console_hold(const char *id, int master, struct err *e);
int console_held(const char *id); /* -1: none */

struct console; /* the pump; gone once `drained` ran */

/* Moves the output of the held master of container id into the FIFO of `log`. NULL: no master is held, or the FIFO
 * cannot be opened (logged). */
struct console *console_pump(const char *id, struct log_pump *log);

/* The container is dead: the bytes left in the pty go to the log, then `drained` runs once, never inside the call.
 * After 2 s it runs in any case. */
void console_drain(struct console *console, void (*drained)(void *arg), void *arg);

#endif
