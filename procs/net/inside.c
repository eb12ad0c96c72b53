/* inside.c - see inside.h. */
#include "procs/net/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "procs/net/netlink.h"
#include "reactor/fault.h"
#include "reactor/own.h"

enum { PATH_BYTES = 96, PROC_USES = 256 };

static bool is_inside; /* of a pod's network namespace */

/* The namespace of the process, opened once. */
static int own_netns(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd;
}

int inside_open(const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat it, own;

	if (fd < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "network namespace %s", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(e, ERR_FAILED_PRECONDITION, "%s is no network namespace", path);
	if (fstat(fd, &it) < 0 || fstat(own_netns(), &own) < 0)
		return err_os(e, ERR_INTERNAL, "network namespace %s", path);
	if (it.st_ino == own.st_ino && it.st_dev == own.st_dev)
		return err_set(e, ERR_FAILED_PRECONDITION, "%s is the node's own network namespace", path);
	return take_fd(&fd);
}

/* A procfs of our own. In that of the node each network namespace has entries of the same names in the same
 * directories: the kernel keeps all of them in one chain, which every look-up of any program walks: 3 ms of CPU for a
 * pod's settings at 1,000 pods. Of a new procfs the chains are empty, and the old one takes its entries with it. Where
 * none can be mounted the node's own is as good, but slower. (ARCHITECTURE X64) */
static int proc_root(void)
{
	static int root = -1, uses;
	int fs, mount = -1;

	if (root >= 0 && uses++ < PROC_USES)
		return root;
	fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (fs >= 0)
		close(fs);
	if (mount < 0)
		mount = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0 && mount >= 0)
		close(root);
	if (mount >= 0)
		root = mount;
	uses = 0;
	return root;
}

/* path: below /proc. The node's own settings go by the node's own procfs, which may be read-only. -1: errno. */
static int setting_open(const char *path, int flags)
{
	if (!is_inside)
		return open(path, flags | O_CLOEXEC);
	return openat(proc_root(), path + strlen("/proc/"), flags | O_CLOEXEC);
}

/* -1: errno. */
static int setting_write(const char *path, const char *value)
{
	auto_fd int fd = setting_open(path, O_WRONLY);

	return fd < 0 || EFFECT(write(fd, value, strlen(value))) < 0 ? -1 : 0;
}

static bool setting_is(const char *path, char value)
{
	auto_fd int fd = setting_open(path, O_RDONLY);
	char have = 0;

	return fd >= 0 && read(fd, &have, 1) == 1 && have == value;
}

static const char *of_device(char out[PATH_BYTES], int family, const char *device, const char *name)
{
	snprintf(out, PATH_BYTES, "/proc/sys/net/ipv%d/conf/%s/%s", family == AF_INET ? 4 : 6, device, name);
	return out;
}

static int ipv6_on(const char *device, bool needed, struct err *e)
{
	char path[PATH_BYTES];

	if (setting_is(of_device(path, AF_INET6, device, "disable_ipv6"), '0') || setting_write(path, "0") == 0)
		return 0;
	return needed ? err_os(e, ERR_FAILED_PRECONDITION,
			       "the network gives IPv6 addresses, and IPv6 is off on this node: %s", path) : 0;
}

/* As the bridge plugin: no search for duplicates, since addresses come from one list. */
static int settings_inside(const char *ifname, bool ipv6, struct err *e)
{
	char path[PATH_BYTES];

	if (ipv6 && (ipv6_on("lo", false, e) < 0 || ipv6_on(ifname, true, e) < 0))
		return -1;
	if (ipv6 && setting_write(of_device(path, AF_INET6, ifname, "keep_addr_on_down"), "1") < 0)
		return err_os(e, ERR_INTERNAL, "%s", path);
	if (ipv6) /* neighbours are told of its addresses: link_announce() */
		setting_write(of_device(path, AF_INET6, ifname, "ndisc_notify"), "1");
	setting_write(of_device(path, AF_INET6, ifname, "accept_dad"), "0");
	return 0;
}

static int inside_enter(int netns, struct err *e)
{
	if (own_netns() < 0 || EFFECT(setns(netns, CLONE_NEWNET)) < 0)
		return err_os(e, ERR_INTERNAL, "enter a network namespace");
	is_inside = true;
	return 0;
}

static void inside_leave(void)
{
	is_inside = false;
	if (setns(own_netns(), CLONE_NEWNET) < 0)
		_exit(EX_OSERR); /* nothing may be done for another pod from here */
}

int inside_prepare(int netns, const char *ifname, bool ipv6, struct err *e)
{
	auto_fd int fd = -1;
	int ret;

	if (inside_enter(netns, e) < 0)
		return -1;
	ret = settings_inside(ifname, ipv6, e);
	if (ret == 0)
		fd = nl_open(NETLINK_ROUTE, e);
	inside_leave();
	return take_fd(&fd);
}

int inside_socket(int netns, struct err *e)
{
	int fd;

	if (inside_enter(netns, e) < 0)
		return -1;
	fd = nl_open(NETLINK_ROUTE, e);
	inside_leave();
	return fd;
}

static const char *forward_path(int family)
{
	return family == AF_INET ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding";
}

bool node_forwards(int family)
{
	return setting_is(forward_path(family), '1');
}

int node_forward(int family, struct err *e)
{
	const char *path = forward_path(family);

	if (setting_is(path, '1') || setting_write(path, "1") == 0)
		return 0;
	return err_os(e, ERR_FAILED_PRECONDITION, "the node must forward packets, but %s cannot be set to 1", path);
}

int node_route_localnet(const char *device, struct err *e)
{
	char path[PATH_BYTES];

	if (setting_is(of_device(path, AF_INET, device, "route_localnet"), '1') || setting_write(path, "1") == 0)
		return 0;
	return err_os(e, ERR_FAILED_PRECONDITION, "hostPorts on 127.0.0.1 need %s, which cannot be set to 1", path);
}

void node_ignore_routers(const char *device)
{
	char path[PATH_BYTES];

	setting_write(of_device(path, AF_INET6, device, "accept_ra"), "0"); /* there may be no IPv6 */
}
