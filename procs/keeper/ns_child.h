/* ns_child.h - the work of the keeper's child that makes namespaces, and its report.
 *
 * The report is one message with a struct ns_report. With code OK it carries one fd for each requested namespace, in
 * the order of ns_kinds. */
#ifndef PROCS_KEEPER_NS_CHILD_H
#define PROCS_KEEPER_NS_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "procs/keeper/ns_request.h"
#include "reactor/err.h"

enum { NS_KINDS = 4 };

struct ns_kind {
	const char *name; /* of the file in /proc/<pid>/ns, and of the held fd */
	int flag;         /* CLONE_NEW* */
	uint32_t bit;     /* enum keeper_ns */
};
extern const struct ns_kind ns_kinds[NS_KINDS];

enum err_code ns_unshare_code(int error); /* of unshare(2), by its errno */

struct ns_report {
	enum err_code code;
	char text[480];
};

struct ns_making {
	const struct ns_make *r;
	int fd; /* for the report */
	pid_t keeper;
	int netns; /* a network namespace that is ready, of pool.h, lo up; -1: one is made */
};

/* For spawn_fn(): arg is a struct ns_making. Does not return. The keeper has already made the file of the pin. */
void ns_child(void *arg);

/* In the keeper: the number of fds that came with the report, which the caller owns; -1: the child died without one,
 * and *report is as it was. */
int ns_read_report(int fd, struct ns_report *report, int fds[NS_KINDS]);

#endif
