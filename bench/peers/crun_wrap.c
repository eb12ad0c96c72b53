/* crun_wrap.c - crun for new containerd and CRI-O: Debian's crun 1.8.1 accepts only ociVersion 1.0.x, and on a test
 * machine in a container oom_score_adj cannot be lowered. Rewrites both values in the bundle's config.json, in place,
 * and executes /usr/bin/crun. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Replaces the value behind `key` by `value`, padded with blanks. The old value must be at least as long. */
static void rewrite(char *text, const char *key, const char *ends, const char *value)
{
	char *at = strstr(text, key);
	size_t old, new = strlen(value);

	if (!at)
		return;
	at += strlen(key);
	old = strcspn(at, ends);
	if (old < new)
		return;
	memcpy(at, value, new);
	memset(at + new, ' ', old - new);
}

static void mend(const char *bundle)
{
	char path[4096], *text;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/config.json", bundle);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0 || !(text = calloc(1, (size_t)st.st_size + 1)) ||
	    read(fd, text, (size_t)st.st_size) != st.st_size)
		return;
	rewrite(text, "\"ociVersion\":", ",}", "\"1.0.2\"");
	if (strstr(text, "\"oomScoreAdj\":-"))
		rewrite(text, "\"oomScoreAdj\":", ",}", "0");
	if (pwrite(fd, text, (size_t)st.st_size, 0) != st.st_size)
		perror(path);
	close(fd);
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--bundle") == 0 || strcmp(argv[i], "-b") == 0)
			mend(argv[i + 1]);
	argv[0] = (char *)"/usr/bin/crun";
	execv(argv[0], argv);
	perror(argv[0]);
	return 127;
}
