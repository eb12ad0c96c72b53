/* watch.h - tells when something changed in a directory, which may come, go and come again. */
#ifndef PROCS_CNI_WATCH_H
#define PROCS_CNI_WATCH_H

struct cni_watch; /* owned by the caller until cni_watch_close() */

/* `changed` runs after every change, never inside this call; dir is borrowed. While the directory does not exist its
 * nearest existing ancestor is watched, so nothing is polled; only when inotify itself refuses (fs.inotify limits) it
 * is tried again every 5 s, and logged. */
struct cni_watch *cni_watch_open(const char *dir, void (*changed)(void));
void cni_watch_close(struct cni_watch *w); /* NULL is fine */

#endif
