/* pull.h - pulls one image and tells how it goes on stderr: a line that moves on a terminal, one line at the end
 * elsewhere. */
#ifndef HANDLERS_CLI_PULL_H
#define HANDLERS_CLI_PULL_H

#include "handlers/cli/call.h"

struct cli_pull; /* gone once `done` ran or cli_pull_cancel() returned */

/* image_ref is what the server calls the image, in c->arena; NULL exactly when e is not. */
typedef void cli_pull_done(void *arg, const struct err *e, const char *image_ref);

/* creds: "user:password", or NULL. `done` never runs inside this call. */
struct cli_pull *cli_pull_start(struct cli *c, const char *image, const char *creds, cli_pull_done *done, void *arg);
void cli_pull_cancel(struct cli_pull *p);

#endif
