/* child.h - a keeper that starts nothing: the test sees each child asked for and says how it ends.
 * Takes the place of reactor/child.o at link time. */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

#include <stdbool.h>

#include "reactor/child.h"

enum { FAKE_CHILDREN = 32 };

struct fake_child {
	char words[2048];  /* argv, a blank behind each */
	int fds[16];       /* copies of what it was given, by number; -1: nothing */
	unsigned unshare;
	child_done *done;  /* NULL: ended or cancelled */
	void *arg;
	bool cancelled;
};

extern struct fake_child fake_children[FAKE_CHILDREN]; /* in the order they were started */
extern int fake_nchildren;

bool fake_child_has(const struct fake_child *c, const char *words); /* argv holds them */
void fake_child_exit(struct fake_child *c, int status, const char *out, const char *err);
void fake_child_fail(struct fake_child *c, enum err_code code, const char *msg);
void fake_children_reset(void);

#endif
