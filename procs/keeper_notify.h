/* keeper_notify.h - sd_notify(3)'s protocol: one datagram to $NOTIFY_SOCKET, when there is one. */
#ifndef PROCS_KEEPER_NOTIFY_H
#define PROCS_KEEPER_NOTIFY_H

void notify(const char *state); /* "READY=1"; MAINPID of this process is added */

#endif
