/* notify.h - what the keeper and its service manager tell each other: sd_notify(3), sd_listen_fds(3).
 *
 * The manager keeps copies of held fds (FileDescriptorStoreMax=) while the unit restarts: namespaces, FIFOs and ptys
 * outlive a moment without either daemon. `systemctl stop` drops them (systemd before 254). It needs $NOTIFY_SOCKET. */
#ifndef PROCS_KEEPER_NOTIFY_H
#define PROCS_KEEPER_NOTIFY_H

void notify(const char *state); /* "READY=1"; MAINPID of this process is added */

void notify_keep(const char *name, int fd); /* borrows fd */
void notify_unkeep(const char *name);

/* Before any fd is opened or child made: hands over what the keeper before us had kept. `fn` takes the fd. */
void notify_kept(void (*fn)(const char *name, int fd));

#endif
