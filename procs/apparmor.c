/* apparmor.c - see apparmor.h.
 *
 * The profile needs no include file and no variable of /etc/apparmor.d, so the parser can read it from stdin. As the
 * profiles of containerd and docker it allows everything but mounts, and writes to files in /proc and /sys that have an
 * effect outside of the container. */
#include "procs/apparmor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { PARSER_TIMEOUT_MS = 30000, WORDS_MAX = 4096 };

static const char profile[] =
	"profile " APPARMOR_DEFAULT " flags=(attach_disconnected, mediate_deleted) {\n"
	"  file,\n"
	"  network,\n"
	"  capability,\n"
	"  umount,\n"
	"  deny mount,\n"
	"  ptrace (read, readby, trace, tracedby) peer=" APPARMOR_DEFAULT ",\n"
	"  signal (send, receive) peer=" APPARMOR_DEFAULT ",\n"
	"  signal (receive) peer=unconfined,\n"
	"  signal (receive) peer=runc,\n"
	"  signal (receive) peer=crun,\n"
	/* /proc: only processes' own directories and sys/kernel/shm* are written */
	"  deny /proc/* w,\n"
	"  deny /proc/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,\n"
	"  deny /proc/sys/[^k]** w,\n"
	"  deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,\n"
	"  deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx,\n"
	/* /sys: only fs/cgroup */
	"  deny /sys/[^f]*/** wklx,\n"
	"  deny /sys/f[^s]*/** wklx,\n"
	"  deny /sys/fs/[^c]*/** wklx,\n"
	"  deny /sys/fs/c[^g]*/** wklx,\n"
	"  deny /sys/fs/cg[^r]*/** wklx,\n"
	"  deny /sys/firmware/** rwklx,\n"
	"  deny /sys/devices/virtual/powercap/** rwklx,\n"
	"  deny /sys/kernel/security/** rwklx,\n"
	"}\n";

static struct {
	struct apparmor_config cfg;
	struct child *child;
	struct timer timer;
	void (*done)(void *arg);
	void *arg;
} state;

static const char *parser(void)
{
	static const char *const places[] = { "/sbin/apparmor_parser", "/usr/sbin/apparmor_parser" };

	if (state.cfg.parser)
		return access(state.cfg.parser, X_OK) == 0 ? state.cfg.parser : NULL;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

bool apparmor_enabled(void)
{
	const char *path = state.cfg.enabled ? state.cfg.enabled : "/sys/module/apparmor/parameters/enabled";
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

/* Lines are "name (mode)"; a name may have blanks and parentheses itself. */
bool apparmor_loaded(const char *name)
{
	auto_file FILE *f =
		fopen(state.cfg.profiles ? state.cfg.profiles : "/sys/kernel/security/apparmor/profiles", "re");
	auto_free char *line = NULL;
	size_t size = 0, len = strlen(name);

	while (f && getline(&line, &size, f) > 0) {
		const char *mode = strrchr(line, '(');

		if (mode && mode - line == (ssize_t)len + 1 && line[len] == ' ' && memcmp(line, name, len) == 0)
			return true;
	}
	return false;
}

bool apparmor_default(void)
{
	return apparmor_enabled() && parser();
}

static void on_apparmor_nothing_to_do(struct timer *t)
{
	(void)t;
	state.done(state.arg);
}

static void on_apparmor_parsed(void *arg, const struct err *e, struct child_result *r)
{
	(void)arg;
	state.child = NULL;
	if (e || r->status != 0)
		log_error("apparmor profile=%s error=%s words=%s", APPARMOR_DEFAULT,
			  log_quote(e ? e->msg : child_status_text(r->status)), log_quote(r->err ? r->err : ""));
	else
		log_info("apparmor profile=%s loaded=1", APPARMOR_DEFAULT);
	state.done(state.arg);
}

void apparmor_open(const struct apparmor_config *cfg, void (*done)(void *arg), void *arg)
{
	const char *argv[] = { NULL, "--skip-cache", "--replace", NULL };

	state.cfg = *cfg;
	state.done = done;
	state.arg = arg;
	argv[0] = parser();
	if (apparmor_enabled() && argv[0]) {
		state.child = child_start(&(struct child_spec){ .argv = argv,
								.stdin_data = profile,
								.stdin_len = sizeof(profile) - 1,
								.stderr_max = WORDS_MAX,
								.timeout_ms = PARSER_TIMEOUT_MS,
								.stage = "apparmor_load" },
					  on_apparmor_parsed, NULL);
		return;
	}
	if (apparmor_enabled())
		log_warn("apparmor reason=\"no apparmor_parser: containers that name no profile are not confined by "
			 "one\"");
	timer_set(&state.timer, 0, on_apparmor_nothing_to_do);
}

void apparmor_close(void)
{
	timer_clear(&state.timer);
	if (state.child)
		child_cancel(take_ptr(&state.child));
}
