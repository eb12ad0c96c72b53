/* pid_lock.h - a lock file with the pid of its owner: one daemon of a kind for each state directory. Spec: flock(2). */
#ifndef REACTOR_PID_LOCK_H
#define REACTOR_PID_LOCK_H

/* Opens the file (mode 0600), locks it and writes this process's pid into it. An owner that is just about to end holds
 * it for a moment: this waits for it, a second at the most. Returns the fd (O_CLOEXEC), whose lock lives as long as it
 * is open. -1 with errno; EWOULDBLOCK: another process holds it. */
int pid_lock(const char *path);

/* The same for an fd that is locked already: only the pid is written, for another process too. -1 with errno. */
int pid_lock_write(int fd, int pid);

#endif
