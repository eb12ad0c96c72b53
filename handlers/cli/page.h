/* page.h - one page of the daemon's HTTP address, which is a unix socket.
 *
 * No libcurl: the CLI needs one GET from one known server. Spec: RFC 9112. */
#ifndef HANDLERS_CLI_PAGE_H
#define HANDLERS_CLI_PAGE_H

#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"

/* The HTTP socket is beside the CRI socket at `address`. NULL: that is no unix socket. */
const char *cli_page_socket(const char *address, struct arena *arena);

struct cli_page; /* gone once `done` ran or cli_page_cancel() returned */

/* `text` is `len` bytes and a NUL, valid only during this callback. UNAVAILABLE: no answer from the socket; INTERNAL:
 * the answer is not a page of at most 1 MiB, or comes in chunks. */
typedef void cli_page_done(void *arg, const struct err *e, const char *text, size_t len);

/* `done` never runs inside this call. */
struct cli_page *cli_page_start(const char *socket_path, const char *page, cli_page_done *done, void *arg);
void cli_page_cancel(struct cli_page *page);

#endif
