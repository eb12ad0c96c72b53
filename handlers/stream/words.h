/* words.h - the texts of the remotecommand protocols: how a command ended, and the sizes of a terminal.
 *
 * Spec: k8s.io/apimachinery pkg/util/remotecommand: v4.channel.k8s.io and later write a meta/v1 Status in JSON, the
 * earlier ones an English sentence, and nothing for success. */
#ifndef HANDLERS_STREAM_WORDS_H
#define HANDLERS_STREAM_WORDS_H

#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"

enum { STATUS_JSON_SINCE = 4 };

/* Appended to out. version: 1 to 5. e NULL: it ran and exited with exit_code. */
void words_status(struct buf *out, int version, const struct err *e, int32_t exit_code);

/* Takes {"Width":n,"Height":n} objects out of a run of them; an unfinished one stays for more. fn is not called for
 * zeros. What is no such object is dropped. */
void words_resize(struct buf *in, const void *p, size_t n, void (*fn)(void *arg, uint16_t width, uint16_t height),
		  void *arg);

#endif
