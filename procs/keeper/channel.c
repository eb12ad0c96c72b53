/* channel.c - see channel.h. */
#include "procs/keeper/channel.h"

#include "procs/keeper/names.h"
#include "reactor/child_proto.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

static struct imsg_chan *chan; /* NULL: none */
static bool welcomed;

void channel_open(int fd, imsg_fn *on_message, imsg_gone_fn *on_gone)
{
	chan = imsg_open(fd, on_message, on_gone, NULL);
}

void channel_close(void)
{
	if (chan)
		imsg_close(take_ptr(&chan));
}

bool channel_is_open(void)
{
	return chan != NULL;
}

void channel_welcome(void)
{
	welcomed = true;
}

void channel_unwelcome(void)
{
	welcomed = false;
}

bool channel_is_welcomed(void)
{
	return welcomed;
}

void channel_tell(uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds)
{
	struct err e;

	if (!chan || !welcomed)
		return;
	fault_at("send", keeper_message_name(type), "before");
	if (imsg_send(chan, type, tag, body, fds, nfds, &e) < 0 && e.code != ERR_UNAVAILABLE)
		log_error("tell type=%u tag=%llu error=%s", type, (unsigned long long)tag, log_quote(e.msg));
	fault_at("send", keeper_message_name(type), "after");
}

void channel_tell_code(uint32_t type, uint64_t tag, enum err_code code, const char *text)
{
	struct buf b = { 0 };

	put_u32(&b, code);
	put_str(&b, text);
	channel_tell(type, tag, &b, NULL, 0);
	buf_free(&b);
}
