/* grab.c - grab MARKER: a hostile process. For ever, it tries to reach the node's file MARKER through the root, the
 * working directory and the descriptors of every other process that it sees; it prints a line for each success. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FD_MAX = 24 };

static void try(const char *what, int pid, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	printf("REACHED by the %s of %d\n", what, pid);
	close(fd);
}

static void grab(int pid, const char *marker)
{
	char path[600];

	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, marker);
	try("root", pid, path);
	snprintf(path, sizeof(path), "/proc/%d/cwd/../../../../../../../..%s", pid, marker);
	try("working directory", pid, path);
	for (int fd = 3; fd < FD_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d/../../../../../../../..%s", pid, fd, marker);
		try("descriptors", pid, path);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts(argc == 2 ? "ready" : "usage: grab MARKER");
	while (argc == 2) {
		DIR *proc = opendir("/proc");
		struct dirent *entry;

		while (proc && (entry = readdir(proc))) {
			int pid = atoi(entry->d_name);

			if (pid > 1 && pid != getpid())
				grab(pid, argv[1]);
		}
		if (proc)
			closedir(proc);
	}
	return 64;
}
