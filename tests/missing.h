/* missing.h - paths that exist on no machine: below a fresh directory that is removed at exit. */
#ifndef TESTS_MISSING_H
#define TESTS_MISSING_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char missing_dir[] = "/tmp/crisp-missing-XXXXXX";
static pid_t missing_owner;

/* The code under test may have made directories there. A child that the test forked leaves them to the test. */
static inline void missing_end(void)
{
	DIR *d = getpid() == missing_owner ? opendir(missing_dir) : NULL;
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
	if (getpid() == missing_owner)
		rmdir(missing_dir);
}

/* NAME below that directory; valid until four more calls. */
static inline const char *missing(const char *name)
{
	static char path[4][300];
	static int i;

	if (!missing_owner) {
		if (!mkdtemp(missing_dir)) {
			printf("Bail out! no directory in /tmp\n");
			exit(1);
		}
		missing_owner = getpid();
		atexit(missing_end);
	}
	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", missing_dir, name);
	return path[i];
}

#endif
