/* ns_here.c - see ns_here.h. The keeper enters the new namespaces for some 20 us and goes back: a child for them took
 * 0.6 ms of each pod's start (ARCHITECTURE K80). Nothing but a fault of the kernel can keep it from
 * going back: then it ends, as what it started from then on would be in the pod's namespaces, and is started anew. */
#include "procs/keeper/ns_here.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "procs/keeper/proto.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { MADE_HERE = KEEPER_NS_IPC | KEEPER_NS_UTS };

/* Not with sysctls to set: one like "forwarding" waits for the kernel's rtnl lock. */
bool ns_here_can(const struct ns_make *r, int netns, bool set)
{
	return !(r->bits & KEEPER_NS_USER) && (netns >= 0 || !(r->bits & KEEPER_NS_NET)) &&
	       (set || !r->sysctls || !r->sysctls[0]);
}

/* One fd for each of the kinds in `bits`, at its place; -1 for the others. */
static int ns_open_own(uint32_t bits, int fds[NS_KINDS], struct err *e)
{
	char path[64];

	for (int i = 0; i < NS_KINDS; i++)
		fds[i] = -1;
	for (int i = 0; i < NS_KINDS; i++) {
		if (!(bits & ns_kinds[i].bit))
			continue;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_kinds[i].name);
		fds[i] = EFFECT(open(path, O_RDONLY | O_CLOEXEC));
		if (fds[i] < 0)
			return err_os(e, ERR_RESOURCE_EXHAUSTED, "open %s", path);
	}
	return 0;
}

static void ns_close(int fds[NS_KINDS])
{
	for (int i = 0; i < NS_KINDS; i++)
		if (fds[i] >= 0)
			close(take_fd(&fds[i]));
}

static void ns_go_back(const int home[NS_KINDS])
{
	for (int i = 0; i < NS_KINDS; i++)
		if (home[i] >= 0 && setns(home[i], ns_kinds[i].flag) < 0) {
			log_error("keeper left=\"the %s namespace of a pod\" error=%s", ns_kinds[i].name,
				  log_quote(strerror(errno)));
			raise(SIGKILL);
		}
}

static int ns_inside(const struct ns_make *r, int made[NS_KINDS], struct err *e)
{
	if (r->hostname && sethostname(r->hostname, strlen(r->hostname)) < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "set hostname %.64s", r->hostname);
	return ns_open_own(r->bits & MADE_HERE, made, e);
}

static int ns_make_own(const struct ns_make *r, int made[NS_KINDS], struct err *e)
{
	int home[NS_KINDS], flags = 0, ret = -1;

	for (int i = 0; i < NS_KINDS; i++)
		flags |= r->bits & MADE_HERE & ns_kinds[i].bit ? ns_kinds[i].flag : 0;
	if (ns_open_own(r->bits & MADE_HERE, home, e) == 0) {
		if (EFFECT(unshare(flags)) < 0) {
			err_os(e, ns_unshare_code(errno), "make namespaces");
		} else {
			ret = ns_inside(r, made, e);
			ns_go_back(home);
		}
	}
	ns_close(home);
	return ret;
}

static int ns_pin(const struct ns_make *r, int netns, struct err *e)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", netns);
	if (EFFECT(mount(from, r->path, NULL, MS_BIND, NULL)) < 0)
		return err_os(e, ERR_INTERNAL, "pin the network namespace at %s", r->path);
	return 0;
}

int ns_here(const struct ns_make *r, int netns, int fds[NS_KINDS], struct err *e)
{
	int made[NS_KINDS] = { -1, -1, -1, -1 }, n = 0, ret = 0;

	if (r->bits & MADE_HERE)
		ret = ns_make_own(r, made, e);
	for (int i = 0; ret == 0 && i < NS_KINDS; i++)
		if (ns_kinds[i].bit == KEEPER_NS_NET && r->bits & KEEPER_NS_NET &&
		    (made[i] = fcntl(netns, F_DUPFD_CLOEXEC, 0)) < 0)
			ret = err_os(e, ERR_RESOURCE_EXHAUSTED, "copy a network namespace");
	if (ret == 0 && r->path)
		ret = ns_pin(r, netns, e);
	if (ret < 0) {
		ns_close(made);
		return -1;
	}
	for (int i = 0; i < NS_KINDS; i++)
		if (made[i] >= 0)
			fds[n++] = made[i];
	return 0;
}
