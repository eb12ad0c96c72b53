/* beside.c - see beside.h. */
#include "reactor/beside.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *beside_self(void)
{
	static const char deleted[] = " (deleted)";
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1), end = n - (ssize_t)strlen(deleted);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	if (end > 0 && strcmp(path + end, deleted) == 0)
		path[end] = '\0';
	return path;
}

const char *beside_find(char path[static BESIDE_SIZE], const char *name)
{
	const char *own = beside_self();

	for (int i = 0; own && i < 2; i++) {
		int dir = (int)(strrchr(own, '/') - own);

		snprintf(path, BESIDE_SIZE, "%.*s/%s%s", dir, own, i ? "../libexec/crisp/" : "", name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}
