/* words.h - the texts of the remotecommand protocols: the exit status of a command and the sizes of a terminal.
 *
 * Spec: k8s.io/apimachinery pkg/util/remotecommand: v4.channel.k8s.io and later write a meta/v1 Status in JSON.
 * Earlier protocols write an English sentence, and nothing for success. */
#ifndef HANDLERS_STREAM_WORDS_H
#define HANDLERS_STREAM_WORDS_H

#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"

enum { STATUS_JSON_SINCE = 4 };

/* Appends to out. version: 1 to 5. e NULL: the command ran and exited with exit_code. */
void words_status(struct buf *out, int version, const struct err *e, int32_t exit_code);

/* Appends the bytes to `in` and takes every complete {"Width":n,"Height":n} object out of it; an incomplete object
 * stays there for the next call. fn is called for the last size only, since each size replaces the one before; it is
 * not called for a size with a zero. Other text is dropped. */
void words_resize(struct buf *in, const void *data, size_t len, void (*fn)(void *arg, uint16_t width, uint16_t height),
		  void *arg);

#endif
