/* beside.h - programs that belong together: they are beside each other, or where `make install` puts them. */
#ifndef REACTOR_BESIDE_H
#define REACTOR_BESIDE_H

#include <limits.h>

enum { BESIDE_SIZE = PATH_MAX + 64 };

/* The path of this program, also where an upgrade has put another file in its place. Static; NULL: unknown. */
const char *beside_self(void);

/* The program of that name next to this one, or in ../libexec/crisp. Writes to `path` and returns it; NULL: in neither
 * place. */
const char *beside_find(char path[static BESIDE_SIZE], const char *name);

#endif
