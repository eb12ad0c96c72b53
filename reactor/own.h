/* own.h - scope-bound ownership for locals. A plain pointer or fd is borrowed; an auto_* one is owned by its scope.
 * take_*() hands the value on and leaves -1 or NULL: `return take_fd(&fd)`. */
#ifndef REACTOR_OWN_H
#define REACTOR_OWN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_free_(void *p) { free(*(void **)p); }
static inline void own_close_(int *fd) { if (*fd >= 0) close(*fd); }
static inline void own_fclose_(FILE **f) { if (*f) fclose(*f); }
static inline void own_closedir_(DIR **d) { if (*d) closedir(*d); }

#define auto_free __attribute__((cleanup(own_free_)))
#define auto_fd __attribute__((cleanup(own_close_)))
#define auto_file __attribute__((cleanup(own_fclose_)))
#define auto_dir __attribute__((cleanup(own_closedir_)))

/* Running out of memory ends the process (see arena.h). */
static inline void *own_must(void *p) { if (!p) abort(); return p; }
#define new_zero(type) ((type *)own_must(calloc(1, sizeof(type))))

static inline int take_fd(int *fd) { int v = *fd; *fd = -1; return v; }
#define take_ptr(pp) ({ __auto_type v_ = *(pp); *(pp) = NULL; v_; })

#endif
