/* test_lease.c - an address whose file the disk does not give is neither free nor somebody's. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/net/lease.h"
#include "reactor/log.h"
#include "tests/fakes/disk.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_lease.XXXXXX", path[80];

static void put(const char *text)
{
	FILE *f = fopen(path, "we");

	fputs(text, f);
	fclose(f);
}

static void an_error_of_reading_frees_nothing(void)
{
	struct net_ip ip, found[2];
	struct lease_dir d;
	struct err e;

	ok(net_ip_parse(&ip, "10.1.0.2") == 0);
	put("pod\r\neth0");
	disk_fails("10.1.0.2", EIO, 0);
	ok(lease_find(dir, "pod", "eth0", found, 2, &e) < 0 && strstr(e.msg, "10.1.0.2"));
	ok(lease_look(dir, &ip, "pod", "eth0") == LEASE_UNREAD);
	ok(lease_lock(&d, dir, &e) == 1);
	ok(lease_give(&d, &ip, "pod", "eth0", &e) < 0 && access(path, F_OK) == 0);
	disk_fails("", 0, 0);
	ok(lease_look(path, &ip, "pod", "eth0") == LEASE_UNREAD); /* no directory */
	ok(lease_look(dir, &ip, "pod", "eth0") == LEASE_MINE && lease_look(dir, &ip, "other", "eth0") == LEASE_OTHERS);
	ok(lease_find(dir, "pod", "eth0", found, 2, &e) == 1);
	ok(lease_give(&d, &ip, "pod", "eth0", &e) == 0 && access(path, F_OK) < 0);
	ok(lease_look(dir, &ip, "pod", "eth0") == LEASE_FREE);
	lease_unlock(&d);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	ok(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/10.1.0.2", dir);
	an_error_of_reading_frees_nothing();
	snprintf(path, sizeof(path), "%s/lock", dir);
	ok(unlink(path) == 0 && rmdir(dir) == 0);
	return tap_end();
}
