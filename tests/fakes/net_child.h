/* net_child.h - a keeper whose children do what the test says: it notes what was to be run, the test gives the
 * answer. */
#ifndef TESTS_NET_CHILD_H
#define TESTS_NET_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "reactor/err.h"

enum { NET_CHILDREN_MAX = 32 };

struct net_child {
	char path[256], verb[16], env[2048], input[4096], keep_id[80];
	unsigned unshare;
	size_t nenter;
	bool live, cancelled, finish;
	int timeout_ms;
};

extern struct net_child net_children[NET_CHILDREN_MAX]; /* in the order of child_start() */
extern int net_children_n;

void net_children_reset(void);
int net_children_live(void);

/* Ends child i: exit status, stdout, stderr; `cut`: there was more than was asked for. */
void net_child_exits(int i, int status, const char *out, const char *err, bool cut);
void net_child_starts(int i, pid_t pid); /* a kept child */
void net_child_fails(int i, enum err_code code, const char *msg);

#endif
