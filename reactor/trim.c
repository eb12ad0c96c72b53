/* trim.c - see trim.h.
 *
 * The start touches more pages than later work: relocating thirty libraries and initialising OpenSSL touch 4 MiB of
 * clean file pages, each with its neighbours (fault-around), and the kernel counts them in RSS until memory is short.
 * MADV_DONTNEED drops all pages of a mapping, so it is safe only for mappings without modified pages. A read-only
 * mapping may have been written before (relocations, then made read-only); /proc/self/smaps shows that as
 * "Anonymous". (ARCHITECTURE R9) */
#include "reactor/trim.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "reactor/buf.h"
#include "reactor/own.h"

struct mapping {
	uintptr_t start, end;
	bool file, writable;
	uint64_t anonymous_kib, rss_kib;
};

/* The line that opens a mapping: "start-end perms offset dev inode  /path". */
static bool parse_head(const char *line, struct mapping *m)
{
	char perms[5] = "";
	int path = 0;

	*m = (struct mapping){ 0 };
	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %*u %n", &m->start, &m->end, perms, &path) < 3 ||
	    !path)
		return false;
	m->writable = perms[1] == 'w';
	m->file = line[path] == '/';
	return true;
}

/* Appends the mappings that may be dropped to `out`. They are dropped later, so that the list does not change while the
 * kernel writes it. */
static void list_clean(FILE *smaps, struct buf *out)
{
	struct mapping m = { 0 };
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, smaps) > 0) {
		if (line[0] < 'A' || line[0] > 'Z') {
			parse_head(line, &m);
			continue;
		}
		sscanf(line, "Rss: %" SCNu64, &m.rss_kib);
		sscanf(line, "Anonymous: %" SCNu64, &m.anonymous_kib);
		if (strncmp(line, "VmFlags:", 8) == 0 && m.file && !m.writable && m.rss_kib && !m.anonymous_kib)
			buf_append(out, &m, sizeof(m));
	}
	free(line);
}

void trim_memory(void)
{
	auto_file FILE *smaps = fopen("/proc/self/smaps", "re");
	struct buf clean = { 0 };

	if (smaps)
		list_clean(smaps, &clean);
	for (size_t at = 0; at < clean.len; at += sizeof(struct mapping)) {
		struct mapping m;

		memcpy(&m, clean.at + at, sizeof(m));
		madvise((void *)m.start, m.end - m.start, MADV_DONTNEED); /* fails for a locked mapping, which stays */
	}
	buf_free(&clean);
	malloc_trim(0);
}
