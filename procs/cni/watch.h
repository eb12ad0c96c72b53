/* watch.h - tells when something changed in a directory, which may appear, vanish and appear again. */
#ifndef PROCS_CNI_WATCH_H
#define PROCS_CNI_WATCH_H

struct cni_watch; /* owned by the caller until cni_watch_close() */

/* `changed` runs after every change, never inside this call; dir is absolute and borrowed. While the directory does not
 * exist its nearest existing ancestor is watched, so nothing is polled. On a file system that is not the node's own
 * (lookup.h) inotify(7) tells nothing and may hang: there `changed` runs every 10 s. When the watch cannot be placed
 * (fs.inotify limits, a file system that does not answer) it is tried again every 5 s; each new error is logged. */
struct cni_watch *cni_watch_open(const char *dir, void (*changed)(void));
void cni_watch_close(struct cni_watch *watch); /* NULL is allowed */

#endif
