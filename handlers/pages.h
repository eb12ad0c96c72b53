/* pages.h - the pages at the http address of the configuration: /metrics, /healthz, /debug/state, /debug/pulls,
 * /debug/loop. */
#ifndef HANDLERS_PAGES_H
#define HANDLERS_PAGES_H

#include <stdbool.h>

#include "reactor/grpc.h"
#include "reactor/http_server.h"

/* debug false: /metrics and /healthz only. */
void pages_add(struct http_server *http, const struct grpc_server *grpc, bool debug);

#endif
