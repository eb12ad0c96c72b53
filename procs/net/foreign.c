/* foreign.c - see foreign.h. */
#include "procs/net/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/net/result.h"
#include "reactor/json.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

enum { FILES_MAX = 65536, LEASE_MAX = 512, CACHE_FILE_MAX = 1 << 20 };

static int compare_ids(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool is_known(const struct foreign_look *f, const char *id)
{
	return f->n && bsearch(&id, f->known, f->n, sizeof(*f->known), compare_ids);
}

/* ---- host-local ---- */

static bool is_address(const char *name)
{
	return *name != '.' && strcmp(name, "lock") != 0 && strncmp(name, "last_reserved_ip.", 17) != 0 &&
	       strcmp(name, "crisp.new") != 0;
}

/* An empty file has no owner: a power cut leaves them (ARCHITECTURE X41). */
static const char *foreign_lease(const struct foreign_look *f, struct arena *a, const char *path)
{
	struct err e;
	size_t len;
	auto_free char *text = small_file_read(path, LEASE_MAX, &len, ERR_INTERNAL, &e);
	const char *id;

	if (!text)
		return arena_printf(a, "%s", e.msg);
	text[strcspn(text, "\r\n")] = '\0';
	id = text + strspn(text, " \t");
	if (!*id || is_known(f, id))
		return NULL;
	return arena_printf(a, "%s is reserved for %.64s, which is no sandbox of this crisp", path, id);
}

/* ---- libcni's cache ---- */

/* File names begin with the network, but "a-b-ID-eth0" may be of network "a" or "a-b": the content tells. */
static const char *foreign_cached(const struct foreign_look *f, struct arena *a, const char *path)
{
	struct err e;
	size_t len;
	auto_free char *text = small_file_read(path, CACHE_FILE_MAX, &len, ERR_INTERNAL, &e);
	auto_json json_t *j = text ? json_parse(text, len, path, &e) : NULL;
	const char *id = json_get_str(a, j, "containerId");

	if (!j)
		return arena_printf(a, "%s", e.msg);
	if (strcmp(json_get_str(a, j, "networkName"), f->network) != 0 || is_known(f, id) ||
	    (*f->owner && strcmp(json_get_str(a, j, "crisp"), f->owner) == 0))
		return NULL;
	return arena_printf(a, "%s is of %.64s, which is no sandbox of this crisp", path, id);
}

/* ---- pins ---- */

/* Another crisp whose networks are made by plugins has no file in libcni's cache, but it pins its namespaces as
 * crisp-ID. A line: "36 35 0:4 net:[4026532000] /run/netns/crisp-ID rw shared:1 - nsfs nsfs rw". */
static const char *foreign_pin(const struct foreign_look *f, struct arena *a, char *line)
{
	char *words[5], *at = line, *name;
	size_t n = 0;

	while (n < 5 && (words[n] = strsep(&at, " ")))
		n++;
	if (n < 5 || !at || !strstr(at, " - nsfs ") || strncmp(words[3], "net:[", 5) != 0)
		return NULL;
	name = strrchr(words[4], '/');
	if (!name || strncmp(name, "/crisp-", 7) != 0 || is_known(f, name + 7))
		return NULL;
	return arena_printf(a, "%.200s is pinned, and is of no sandbox of this crisp", words[4]);
}

static const char *foreign_pins(const struct foreign_look *f, struct arena *a)
{
	auto_file FILE *mounts = fopen(f->mounts, "re");
	auto_free char *line = NULL;
	const char *found = NULL;
	size_t size = 0;

	if (!mounts)
		return arena_printf(a, "%s: %s", f->mounts, strerror(errno));
	while (!found && getline(&line, &size, mounts) > 0)
		found = foreign_pin(f, a, line);
	return found;
}

/* ---- */

typedef const char *foreign_file(const struct foreign_look *f, struct arena *a, const char *path);

/* Files whose names begin with `prefix`; "": those of addresses. */
static const char *foreign_in(const struct foreign_look *f, struct arena *a, const char *dir, const char *prefix,
			      foreign_file *look)
{
	auto_dir DIR *d = opendir(dir);
	const char *found = NULL;
	struct dirent *entry;
	size_t files = 0;

	if (!d)
		return errno == ENOENT ? NULL : arena_printf(a, "%s: %s", dir, strerror(errno));
	while (!found && (entry = readdir(d))) {
		if (*prefix ? strncmp(entry->d_name, prefix, strlen(prefix)) != 0 : !is_address(entry->d_name))
			continue;
		found = files++ < FILES_MAX ? look(f, a, arena_printf(a, "%s/%s", dir, entry->d_name)) :
					      arena_printf(a, "%s has over %d files", dir, FILES_MAX);
	}
	return found;
}

const char *foreign_find(struct arena *a, const struct foreign_look *f)
{
	const char *prefix = arena_printf(a, "%s-", f->network);
	const char *found = foreign_in(f, a, arena_printf(a, "%s/results", f->cache), prefix, foreign_cached);

	for (const char *const *dir = f->dirs; !found && *dir; dir++)
		found = foreign_in(f, a, *dir, "", foreign_lease);
	return found ? found : foreign_pins(f, a);
}
