/* space.c - see space.h. */
#include "images/space.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "reactor/log.h"

int space_parse(const char *text, struct space *out, struct err *e)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	unsigned long long v;
	char *end;

	*out = (struct space){ 0 };
	errno = 0;
	v = strtoull(text, &end, 10);
	if (end == text || errno || text[0] < '0' || text[0] > '9')
		return err_set(e, ERR_INVALID_ARGUMENT, "images.min_free: %s is not a size", log_quote(text));
	if (strcmp(end, "%") == 0 && v < 100) {
		out->percent = (unsigned)v;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i]) == 0 && v <= UINT64_MAX >> (10 * i)) {
			out->bytes = (uint64_t)v << (10 * i);
			return 0;
		}
	}
	return err_set(e, ERR_INVALID_ARGUMENT, "images.min_free: %s is not a size", log_quote(text));
}

static bool scarce(uint64_t have, uint64_t of, unsigned percent)
{
	return of > 0 && have < of / 100 * percent;
}

bool space_is_near(const struct space *s, unsigned percent, int fd)
{
	struct statvfs v;
	uint64_t of, keep;

	if ((!s->percent && !s->bytes) || fstatvfs(fd, &v) < 0)
		return false;
	of = (uint64_t)v.f_blocks * v.f_frsize;
	keep = s->percent ? of / 100 * s->percent : s->bytes;
	return of > 0 && (uint64_t)v.f_bavail * v.f_frsize < keep + of / 100 * percent;
}

int space_check(const struct space *s, int fd, struct err *e)
{
	struct statvfs v;

	if (fstatvfs(fd, &v) < 0)
		return err_os(e, ERR_INTERNAL, "statfs");
	if (scarce(v.f_bavail, v.f_blocks, s->percent) || v.f_bavail * v.f_frsize < s->bytes)
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "only %" PRIu64 " MiB are left of %" PRIu64 " MiB (images.min_free)",
			       (uint64_t)v.f_bavail * v.f_frsize >> 20, (uint64_t)v.f_blocks * v.f_frsize >> 20);
	if (scarce(v.f_favail, v.f_files, s->percent))
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "only %" PRIu64 " inodes are left of %" PRIu64 " (images.min_free)",
			       (uint64_t)v.f_favail, (uint64_t)v.f_files);
	return 0;
}
