/* test_hold.c - procs/keeper/hold.c: what a crispd that outlived the last keeper hands over, and what goes with END. */
#include <fcntl.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/channel.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/proto.h"
#include "tests/tap.h"

static uint32_t told_number;
static int released;

/* ---- in the place of the channel and of the anchor ---- */

void channel_tell(uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds)
{
	struct get g = { body->at, body->at + body->len, false };

	(void)tag;
	(void)fds;
	(void)nfds;
	if (type == KEEPER_HELD_AT) {
		get_u32(&g);
		told_number = get_u32(&g);
	}
}

void anchor_hold(const char *name, int fd)
{
	(void)name;
	(void)fd;
}

void anchor_where(const char *name)
{
	(void)name;
}

void anchor_release(const char *name)
{
	(void)name;
	released++;
}

pid_t anchor_pid(void)
{
	return 0;
}

/* nfds 0: the keeper had no descriptor for it, so the kernel dropped it. */
static void hand_over(const char *name, int nfds)
{
	struct buf b = { 0 };
	struct imsg m = { .type = KEEPER_HOLD, .tag = 1, .nfds = nfds };

	put_str(&b, name);
	put_u32(&b, 0);
	m.body = (const uint8_t *)b.at;
	m.len = b.len;
	m.fds[0] = nfds ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
	hold_from_crispd(&m);
	buf_free(&b);
}

static void what_crispd_names_is_not_dropped(void)
{
	const char *const names[] = { "came", "no room", "not named" };

	for (int i = 0; i < 3; i++)
		hold_again(names[i], fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
	hand_over("came", 1);
	ok(told_number != KEEPER_NOT_HELD);
	hand_over("no room", 0);
	ok(told_number == KEEPER_NOT_HELD);
	hold_release_unclaimed();
	ok(hold_any("came") && hold_any("no room") && !hold_any("not named") && released == 1);
}

int main(void)
{
	what_crispd_names_is_not_dropped();
	return tap_end();
}
