/* hide.h - hides one mount from a child (child_spec.hide_path). */
#ifndef PROCS_KEEPER_HIDE_H
#define PROCS_KEEPER_HIDE_H

/* Called in the child. 0; or -1 with errno, and the name of the failed step in *step. */
int hide_mount(const char *path, const char **step);

#endif
