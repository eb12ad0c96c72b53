/* hide.h - one mount out of a child's sight (child_spec.hide_path). */
#ifndef PROCS_KEEPER_HIDE_H
#define PROCS_KEEPER_HIDE_H

/* In the child. 0, or -1 with errno and in *step the name of what failed. */
int hide_mount(const char *path, const char **step);

#endif
