/* arena.h - all memory of one operation; freed in one call when the operation ends.
 * Nothing taken from an arena is freed alone. Running out of memory ends the process:
 * the keeper holds the containers and restarts us. */
#ifndef REACTOR_ARENA_H
#define REACTOR_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */
void *arena_zalloc(struct arena *a, size_t n); /* zeroed, aligned for any type, never NULL */
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n); /* NUL-terminated copy of at most n bytes */
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The two as libraries with allocators of the caller's want them; the second does nothing. */
void *arena_take(void *arena, size_t n);
void arena_leave(void *arena, void *p);

#endif
