/* notify.h - what the front tells its service manager: sd_notify(3). Without $NOTIFY_SOCKET nothing is sent. */
#ifndef PROCS_KEEPER_NOTIFY_H
#define PROCS_KEEPER_NOTIFY_H

void notify(const char *state); /* "READY=1"; MAINPID of this process is added */

#endif
