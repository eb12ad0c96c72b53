/* pull.h - pulls one image and shows progress on stderr: on a terminal a line that is drawn again and again, elsewhere
 * one line at the end. */
#ifndef HANDLERS_CLI_PULL_H
#define HANDLERS_CLI_PULL_H

#include "handlers/cli/call.h"

struct cli_pull; /* gone once `done` ran or cli_pull_cancel() returned */

/* image_ref: the server's id of the image, in cli->arena. Exactly one of `e` and `image_ref` is NULL. */
typedef void cli_pull_done(void *arg, const struct err *e, const char *image_ref);

/* creds: "user:password", or NULL. `done` never runs inside this call. */
struct cli_pull *cli_pull_start(struct cli *cli, const char *image, const char *creds, cli_pull_done *done, void *arg);
void cli_pull_cancel(struct cli_pull *pull);

#endif
