/* user.h - lines of an image's etc/passwd and etc/group.
 *
 * Both files come from outside: malformed lines are skipped, the text is not modified, and NUL bytes are ordinary
 * bytes.
 * Specs: passwd(5), group(5). */
#ifndef PROCS_SPEC_USER_H
#define PROCS_SPEC_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *at; /* borrowed */
	size_t len;
};

struct passwd_entry {
	struct span name, home; /* home.len 0: the line names none */
	int64_t uid, gid;
};

/* The first line with that name, or with that uid. False: there is none. */
bool passwd_by_name(struct span text, struct span name, struct passwd_entry *out);
bool passwd_by_uid(struct span text, int64_t uid, struct passwd_entry *out);
bool group_by_name(struct span text, struct span name, int64_t *gid);

/* Groups that list the user as a member, without the group of the user's own name. Returns how many there are; at
 * most max are written. */
size_t group_memberships(struct span text, struct span user, int64_t *gids, size_t max);

/* A decimal number that can be a uid or gid: 0 .. 2^32 - 2. */
bool id_parse(struct span s, int64_t *out);

/* Digits, with or without a sign before them. Such a text is a number and never a name, whatever the files say: a line
 * `4294967296:x:0:0` of an image must not turn a number that is no uid into the uid 0. */
bool id_is_number(struct span s);

#endif
