/* message.h - the sentence that a failed command prints. */
#ifndef HANDLERS_CLI_MESSAGE_H
#define HANDLERS_CLI_MESSAGE_H

#include "reactor/arena.h"
#include "reactor/err.h"

/* `WHAT: CODE: message`, with each cause once: each layer of the runtime names the object and the host that it works
 * for, and the parts that were said already are left out. A reason of CRI that stands at the begin of the message
 * ("RegistryUnavailable") takes the place of the code. */
const char *cli_message(struct arena *arena, const char *what, const struct err *e);

/* What the user may try when there was no connection to `address`: "is crisp running?", "are you root?", or NULL. */
const char *cli_message_hint(const char *address, const struct err *e);

#endif
