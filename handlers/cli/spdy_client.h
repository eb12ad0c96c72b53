/* spdy_client.h - a connection to a streaming URL: streams of SPDY/3.1, which this end opens.
 *
 * Spec: SPDY Protocol - Draft 3.1; Kubernetes' remotecommand and portforward, which put it behind an HTTP upgrade. */
#ifndef HANDLERS_CLI_SPDY_CLIENT_H
#define HANDLERS_CLI_SPDY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/fields.h"

struct cli_spdy; /* owned by its maker until cli_spdy_free() */

/* No event runs inside a function of this header, and cli_spdy_free() is not allowed in an event. */
struct cli_spdy_events {
	void (*ready)(void *arg); /* once, and first: streams can be opened */
	void (*data)(void *arg, uint32_t stream, const void *bytes, size_t len);
	void (*end)(void *arg, uint32_t stream); /* the server ends its half, or resets the stream */
	void (*room)(void *arg);  /* there is room again after cli_spdy_has_room() was false */
	void (*gone)(void *arg, const struct err *e); /* the last event. Before `ready`: `e` has the reason */
};

/* cri: of cli_upgrade_url(). `url` and `events` are borrowed. INVALID_ARGUMENT, UNIMPLEMENTED: the URL; UNAVAILABLE: no
 * connection. */
struct cli_spdy *cli_spdy_start(const char *url, const char *cri, const char *protocol,
				const struct cli_spdy_events *events, void *arg, struct err *e);
void cli_spdy_free(struct cli_spdy *spdy);

/* After `ready`. The ids are 1, 3, 5 and so on. */
uint32_t cli_spdy_open(struct cli_spdy *spdy, const struct pairs *headers);
void cli_spdy_write(struct cli_spdy *spdy, uint32_t stream, const void *bytes, size_t len);
void cli_spdy_end(struct cli_spdy *spdy, uint32_t stream);   /* of this half */
void cli_spdy_reset(struct cli_spdy *spdy, uint32_t stream); /* of both halves */
bool cli_spdy_has_room(const struct cli_spdy *spdy);
void cli_spdy_pause(struct cli_spdy *spdy, bool paused); /* nothing is read from the server; its bytes are kept */

/* WINDOW_UPDATE of a stream; 0: of the connection. From the first on, the server keeps to the windows of all streams,
 * which begin with 64 KiB; before, it does not. */
void cli_spdy_widen(struct cli_spdy *spdy, uint32_t stream, size_t bytes);

#endif
