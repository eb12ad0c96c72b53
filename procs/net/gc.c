/* gc.c - see gc.h. */
#include "procs/net/gc.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "procs/net/job.h"
#include "procs/net/result.h"
#include "reactor/own.h"

enum { FILES_MAX = 65536 };

static int compare_ids(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void gc_file(const char *path, const char *owner, const char *const *known, size_t n)
{
	struct arena *a = arena_new();
	struct result_cached c;
	const char *id;

	if (result_cache_read(&c, a, path, owner)) {
		id = c.id;
		if (!bsearch(&id, known, n, sizeof(*known), compare_ids))
			job_start(&(struct job_request){ .verb = NET_DEL, .id = c.id, .netns_path = "", .conf = c.conf,
							 .caps = c.caps, .result = c.result });
	}
	arena_free(a);
}

void gc_start(const char *cache_dir, const char *owner, const char *const *known, size_t n)
{
	struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/results", cache_dir);
	auto_dir DIR *d = opendir(dir);
	const char **paths = NULL;
	struct dirent *entry;
	size_t files = 0;

	/* the jobs remove files of this directory */
	for (; d && files < FILES_MAX && (entry = readdir(d)); files += entry->d_name[0] != '.') {
		if (files % 64 == 0)
			paths = own_must(realloc(paths, (files + 64) * sizeof(*paths)));
		paths[files] = arena_printf(a, "%s/%s", dir, entry->d_name);
	}
	for (size_t i = 0; i < files; i++)
		gc_file(paths[i], owner, known, n);
	free(paths);
	arena_free(a);
}
