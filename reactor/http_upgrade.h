/* http_upgrade.h - an HTTP request that may switch its connection to another protocol: 101 Switching Protocols, then
 * bytes of that protocol.
 *
 * Spec: RFC 9110, section 7.8 "Upgrade". */
#ifndef REACTOR_HTTP_UPGRADE_H
#define REACTOR_HTTP_UPGRADE_H

#include <stdbool.h>

#include "reactor/conduit.h"
#include "reactor/fields.h"

struct http_ask; /* valid inside the http_ask_fn only, which calls http_ask_refuse() or http_ask_accept() */

typedef void http_ask_fn(void *arg, struct http_ask *ask);

const char *http_ask_path(const struct http_ask *ask); /* without query */
/* The name is in lower case; several headers of one name are joined by ", "; NULL: none. */
const char *http_ask_header(struct http_ask *ask, const char *name);
bool http_ask_upgrades_to(struct http_ask *ask, const char *protocol); /* Connection: Upgrade, and Upgrade names it */

void http_ask_refuse(struct http_ask *ask, int status, const struct pairs *headers, const char *text);

/* `done` runs exactly once, never inside the call: with the connection, which it owns from then on, or with NULL when
 * the client has left. */
typedef void http_accepted(void *arg, struct conduit *conduit);
void http_ask_accept(struct http_ask *ask, const char *protocol, const struct pairs *headers, http_accepted *done,
		     void *arg);

#endif
