/* streams.h - the standard streams of a process for a remote client: exec_stream.c has those of a new process, attach.c
 * those of a container. Memory is bounded: the client counts the input that was `taken`, and stops output by
 * stdio_pause(). */
#ifndef PROCS_STREAMS_H
#define PROCS_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct stdio_want {
	bool in, out, err, tty;
};

/* No event runs inside stdio_pause() or stdio_leave(); `ended` never runs inside a call. */
struct stdio_events {
	void (*output)(void *arg, bool is_stderr, const void *p, size_t n); /* with a tty all of it is stdout */
	void (*taken)(void *arg, size_t n);                               /* n bytes of input are out of our memory */
	void (*ended)(void *arg, const struct err *e, int32_t exit_code); /* once, the last one: the stdio is gone */
};

struct stdio;

struct stdio_ops {
	void (*input)(struct stdio *s, const void *p, size_t n);
	void (*input_end)(struct stdio *s);
	void (*resize)(struct stdio *s, uint16_t width, uint16_t height);
	void (*pause)(struct stdio *s, bool paused);
	void (*leave)(struct stdio *s);
};

/* Embedded in the machine behind it. */
struct stdio {
	const struct stdio_ops *ops;
	const struct stdio_events *events; /* NULL: the client left */
	void *arg;
};

static inline void stdio_input(struct stdio *s, const void *p, size_t n) { s->ops->input(s, p, n); }
static inline void stdio_input_end(struct stdio *s) { s->ops->input_end(s); } /* after the input given before */
static inline void stdio_resize(struct stdio *s, uint16_t width, uint16_t height)
{
	s->ops->resize(s, width, height);
} /* in characters */
static inline void stdio_pause(struct stdio *s, bool paused)
{
	s->ops->pause(s, paused);
} /* output stays where it is */
static inline void stdio_leave(struct stdio *s)
{
	s->ops->leave(s);
} /* no event follows, and s is gone for the client */

#endif
