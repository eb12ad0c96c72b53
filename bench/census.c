/* census.c - see census.h. Specs: proc_pid_stat(5), proc_pid_smaps(5), unix(7) SO_PEERCRED. */
#include "bench/census.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "reactor/own.h"

void census_take(struct census *now)
{
	auto_dir DIR *d = opendir("/proc");
	struct dirent *f;

	now->n = 0;
	while (d && (f = readdir(d)) && now->n < CENSUS_MAX)
		if (isdigit((unsigned char)f->d_name[0]))
			now->pid[now->n++] = (pid_t)strtol(f->d_name, NULL, 10);
}

static bool census_has(const struct census *c, pid_t pid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->pid[i] == pid)
			return true;
	return false;
}

static ssize_t read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

struct stat_line {
	char comm[32];
	pid_t parent;
	unsigned long cpu[4]; /* user, system, and both of the children waited for; clock ticks */
};

static bool read_stat(pid_t pid, struct stat_line *s)
{
	char text[1024], *end; /* "12 (a (b) c) S 1 ..." */

	*s = (struct stat_line){ 0 };
	if (read_proc(pid, "stat", text, sizeof(text)) <= 0 || !(end = strrchr(text, ')')))
		return false;
	*end = '\0';
	snprintf(s->comm, sizeof(s->comm), "%s", strchr(text, '(') + 1);
	return sscanf(end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &s->parent, &s->cpu[0],
		      &s->cpu[1], &s->cpu[2], &s->cpu[3]) == 5;
}

int census_server(const char *address, pid_t *pid, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ucred who;
	socklen_t len = sizeof(who);
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strncmp(address, "unix://", 7) != 0 || strlen(address + 7) >= sizeof(to.sun_path))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: a pid can be read from a unix socket only", address);
	strcpy(to.sun_path, address + 7);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return err_os(e, ERR_UNAVAILABLE, "%s", address);
	*pid = who.pid;
	return 0;
}

/* In /proc/PID/cmdline each word ends with a NUL. */
static bool is_container(pid_t pid, const char *first, const char *last)
{
	char words[4096];
	ssize_t n = read_proc(pid, "cmdline", words, sizeof(words));
	size_t len = strlen(last);

	return n > (ssize_t)len && strcmp(words, first) == 0 && strcmp(words + n - 1 - len, last) == 0;
}

static bool is_ours(pid_t pid)
{
	struct stat_line s;

	for (; pid > 1 && pid != getpid(); pid = s.parent)
		if (!read_stat(pid, &s))
			return false;
	return pid == getpid();
}

void census_daemons(const struct census *baseline, pid_t server, const char *container, const char *mark,
		    struct census *out)
{
	static struct census now;
	struct stat_line s;

	out->n = 0;
	out->pid[out->n++] = server;
	for (pid_t at = server; read_stat(at, &s) && s.parent > 1; at = s.parent) {
		struct stat_line above;

		if (!read_stat(s.parent, &above) ||
		    (strcmp(above.comm, "crisp-keeper") != 0 && strcmp(above.comm, "crisp-anchor") != 0))
			break;
		out->pid[out->n++] = s.parent;
	}
	census_take(&now);
	for (size_t i = 0; i < now.n; i++)
		if (!census_has(baseline, now.pid[i]) && !census_has(out, now.pid[i]) && !is_ours(now.pid[i]) &&
		    !is_container(now.pid[i], container, mark))
			out->pid[out->n++] = now.pid[i];
}

size_t census_containers(const struct census *baseline, const char *container, const char *mark)
{
	static struct census now;
	size_t n = 0;

	census_take(&now);
	for (size_t i = 0; i < now.n; i++)
		n += !census_has(baseline, now.pid[i]) && is_container(now.pid[i], container, mark);
	return n;
}

static int64_t field_kib(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

void census_cost(const struct census *daemons, struct census_cost *out)
{
	char text[4096];

	*out = (struct census_cost){ .cpu_us = census_cpu_us(daemons) };
	for (size_t i = 0; i < daemons->n; i++) {
		if (read_proc(daemons->pid[i], "smaps_rollup", text, sizeof(text)) <= 0)
			continue;
		out->pss_kib += field_kib(text, "\nPss:");
		out->uss_kib += field_kib(text, "\nPrivate_Clean:") + field_kib(text, "\nPrivate_Dirty:");
	}
}

int64_t census_cpu_us(const struct census *daemons)
{
	int64_t ticks = 0;
	struct stat_line s;

	for (size_t i = 0; i < daemons->n; i++)
		if (read_stat(daemons->pid[i], &s))
			ticks += (int64_t)(s.cpu[0] + s.cpu[1] + s.cpu[2] + s.cpu[3]);
	return ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

int64_t census_available_kib(void)
{
	auto_file FILE *f = fopen("/proc/meminfo", "re");
	char line[256];
	long long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lld", &kib) == 1)
			return kib;
	return 0;
}
