/* applets.c - `ipcs -m`, `pgrep NAME` and the set-uid probe `nnp`, chosen by argv[0]: programs that
 * critest's images need and Debian's busybox-static lacks. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ipcs(void)
{
	FILE *f = fopen("/proc/sysvipc/shm", "r");
	char line[512];
	unsigned key, perm;
	unsigned long size;
	int id, cpid, lpid, attached, uid;

	puts("------ Shared Memory Segments --------\nkey        shmid      owner      perms      bytes      nattch    "
	     " status");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%d %d %o %lu %d %d %d %d", (int *)&key, &id, &perm, &size, &cpid, &lpid, &attached,
			   &uid) == 8)
			printf("0x%08x %-10d %-10d %-10o %-10lu %-10d\n", key, id, uid, perm, size, attached);
	return 0;
}

static int pgrep(const char *name)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int found = 0;

	while (d && (e = readdir(d))) {
		char path[300], comm[64] = "";
		FILE *f;

		if (!isdigit((unsigned char)e->d_name[0]) || strtol(e->d_name, NULL, 10) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) && strstr(comm, name)) {
			puts(e->d_name);
			found = 1;
		}
		if (f)
			fclose(f);
	}
	return !found;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	if (strcmp(name, "ipcs") == 0)
		return ipcs();
	if (strcmp(name, "pgrep") == 0)
		return argc > 1 ? pgrep(argv[argc - 1]) : 2;
	printf("Effective uid: %d\n", geteuid());
	return 0;
}
