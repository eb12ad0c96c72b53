/* page.h - one page of the daemon's http address, which is a unix socket, as JSON.
 *
 * Plain code instead of libcurl: one GET to our own daemon is all there is. Spec: RFC 9112. */
#ifndef HANDLERS_CLI_PAGE_H
#define HANDLERS_CLI_PAGE_H

#include "reactor/err.h"
#include "reactor/json.h"

struct cli_page; /* gone once `done` ran or cli_page_cancel() returned */

/* j is borrowed for the call. UNAVAILABLE: nobody answers there; INTERNAL: something else than a JSON page of at most 1
 * MiB. */
typedef void cli_page_done(void *arg, const struct err *e, const json_t *j);

/* `done` never runs inside this call. */
struct cli_page *cli_page_start(const char *socket_path, const char *page, cli_page_done *done, void *arg);
void cli_page_cancel(struct cli_page *p);

#endif
