/* fuzz_passwd.c - an image's etc/passwd and etc/group: every look-up stays in bounds and agrees with the others. */
#include "procs/spec/user.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the length of the name to look up; name and file follow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size ? data[0] % 16 : 0;
	struct passwd_entry by_name, by_uid;
	struct span name, text;
	int64_t gids[4], gid;

	if (size < 1 + len)
		return 0;
	name = (struct span){ (const char *)data + 1, len };
	text = (struct span){ (const char *)data + 1 + len, size - 1 - len };
	if (passwd_by_name(text, name, &by_name)) {
		if (by_name.name.len != len || memcmp(by_name.name.at, name.at, len) != 0 || by_name.uid < 0 ||
		    by_name.uid >= UINT32_MAX)
			abort();
		if (!passwd_by_uid(text, by_name.uid, &by_uid) || by_uid.uid != by_name.uid)
			abort();
	}
	if (group_by_name(text, name, &gid) && (gid < 0 || gid >= UINT32_MAX))
		abort();
	if (group_memberships(text, name, gids, 4) != group_memberships(text, name, NULL, 0))
		abort();
	return 0;
}
