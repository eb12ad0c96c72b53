/* arena.h - all memory of one operation; freed in one call when the operation ends.
 * Nothing taken from an arena is freed alone. Running out of memory ends the process;
 * its state is made to survive that (ARCHITECTURE.md, Processes). */
#ifndef REACTOR_ARENA_H
#define REACTOR_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* NULL is fine */
void *arena_zalloc(struct arena *arena, size_t len); /* zeroed, aligned for any type, never NULL */
void *arena_memdup(struct arena *arena, const void *bytes, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len); /* a NUL-terminated copy of at most len bytes */
char *arena_vprintf(struct arena *arena, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Allocation and release for libraries that take an allocator from their caller. arena_leave() does nothing. */
void *arena_take(void *arena, size_t len);
void arena_leave(void *arena, void *p);

#endif
