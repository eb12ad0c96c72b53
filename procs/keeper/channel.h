/* channel.h - the keeper's end of the channel to crispd, and what the keeper tells through it. */
#ifndef PROCS_KEEPER_CHANNEL_H
#define PROCS_KEEPER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/imsg.h"

/* Takes fd. on_gone runs when the other end is closed and all that it had sent is read. */
void channel_open(int fd, imsg_fn *on_message, imsg_gone_fn *on_gone);
void channel_close(void);
bool channel_is_open(void);

/* From channel_welcome() until channel_unwelcome() messages are sent. Before and after it they are dropped: what a
 * crispd misses it is told with its welcome. */
void channel_welcome(void);
void channel_unwelcome(void);
bool channel_is_welcomed(void);

/* body may be NULL. A crispd that died meanwhile is no error. */
void channel_tell(uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds);
/* The answer to a request: CHILD_FAILED, or KEEPER_NS_DONE, whose code may be OK. */
void channel_tell_code(uint32_t type, uint64_t tag, enum err_code code, const char *text);

#endif
