/* http_upgrade.h - an HTTP request that may turn its connection into something else: 101 Switching Protocols, then
 * bytes.
 *
 * Spec: RFC 9110, section 7.8 "Upgrade". */
#ifndef REACTOR_HTTP_UPGRADE_H
#define REACTOR_HTTP_UPGRADE_H

#include <stdbool.h>

#include "reactor/conduit.h"
#include "reactor/fields.h"

struct http_ask; /* valid inside the http_ask_fn only; to be answered there, by one of the two below */

typedef void http_ask_fn(void *arg, struct http_ask *a);

const char *http_ask_path(const struct http_ask *a); /* without query */
/* name in lower case; several are joined by ", "; NULL: none */
const char *http_ask_header(struct http_ask *a, const char *name);
bool http_ask_upgrades_to(struct http_ask *a, const char *protocol); /* Connection: Upgrade, and Upgrade names it */

void http_ask_refuse(struct http_ask *a, int status, const struct pairs *headers, const char *text);

/* `done` runs exactly once, never inside the call: with the connection, which it owns then, or with NULL when the
 * client left. */
typedef void http_accepted(void *arg, struct conduit *c);
void http_ask_accept(struct http_ask *a, const char *protocol, const struct pairs *headers, http_accepted *done,
		     void *arg);

#endif
