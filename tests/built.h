/* built.h - where the programs of this build are, for a test at any depth below $(BUILD)/tests/unit/. */
#ifndef TESTS_BUILT_H
#define TESTS_BUILT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes $(BUILD)/NAME into `path`. A test that stands elsewhere ends here. */
static inline void built(char path[static 4096], const char *name)
{
	char self[4000], *tests = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	for (char *p = self; (p = strstr(p, "/tests/unit/")) != NULL; p++)
		tests = p;
	if (!tests) {
		printf("Bail out! %s is not below tests/unit/ of a build\n", self);
		exit(1);
	}
	*tests = '\0';
	snprintf(path, 4096, "%s/%.64s", self, name);
}

#endif
