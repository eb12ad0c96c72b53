/* notify.h - the protocol between the keeper and its service manager: sd_notify(3), sd_listen_fds(3).
 *
 * The service manager keeps copies of held fds (FileDescriptorStoreMax=) while the unit restarts, so that namespaces,
 * FIFOs and ptys survive a moment in which neither daemon runs. `systemctl stop` drops them (systemd before 254).
 * Without $NOTIFY_SOCKET nothing is sent. (ARCHITECTURE K8) */
#ifndef PROCS_KEEPER_NOTIFY_H
#define PROCS_KEEPER_NOTIFY_H

void notify(const char *state); /* "READY=1"; MAINPID of this process is added */

void notify_keep(const char *name, int fd); /* borrows fd */
void notify_unkeep(const char *name);

/* Called before any fd is opened and any child made: hands over the fds that the previous keeper had stored. `fn` takes
 * the fd. */
void notify_kept(void (*fn)(const char *name, int fd));

#endif
