/* page.h - one page of the daemon's HTTP address, which is a unix socket, as JSON.
 *
 * No libcurl: the CLI needs one GET from one known server. Spec: RFC 9112. */
#ifndef HANDLERS_CLI_PAGE_H
#define HANDLERS_CLI_PAGE_H

#include "reactor/err.h"
#include "reactor/json.h"

struct cli_page; /* gone once `done` ran or cli_page_cancel() returned */

/* `json` is valid only during this callback. UNAVAILABLE: no answer from the socket; INTERNAL: the answer is not a JSON
 * page of at most 1 MiB. */
typedef void cli_page_done(void *arg, const struct err *e, const json_t *json);

/* `done` never runs inside this call. */
struct cli_page *cli_page_start(const char *socket_path, const char *page, cli_page_done *done, void *arg);
void cli_page_cancel(struct cli_page *page);

#endif
