/* wipe_force.c - see wipe_force.h. It blocks, as the command has nothing else to do. */
#include "handlers/cli/wipe_force.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "crisp.pb-c.h"
#include "handlers/cli/capture.h"
#include "handlers/cli/object.h"
#include "handlers/cli/ready_config.h"
#include "reactor/own.h"
#include "reactor/places.h"
#include "reactor/words.h"

enum { SYSTEMCTL_MS = 120 * 1000, END_MS = 120 * 1000, WORDS_MAX = 4096 };

/* ---- the service ---- */

/* A pidfd of the process that holds the lock; -1: none does. */
static int lock_owner(const char *state, const char *name, pid_t *pid, struct arena *a)
{
	auto_fd int fd = open(arena_printf(a, "%s/%s", state, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	auto_fd int pidfd = -1;
	char text[16] = "";

	if (fd < 0 || pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return -1;
	*pid = (pid_t)strtol(text, NULL, 10);
	pidfd = *pid > 1 ? (int)syscall(SYS_pidfd_open, *pid, 0) : -1;
	/* The lock is looked at last: a pid of the past is not its owner's. */
	return pidfd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 ? take_fd(&pidfd) : -1;
}

/* Of systemctl, or NULL. */
static const char *systemctl(struct arena *a, const char *const words[], const char *unit, struct err *e)
{
	const char *program = access("/usr/bin/systemctl", X_OK) == 0 ? "/usr/bin/systemctl" : "/bin/systemctl";
	const char *argv[] = { program, words[0], unit, words[1], words[1] ? words[2] : NULL, NULL };
	struct buf out = { 0 }, problems = { 0 };
	const char *text = NULL;

	capture_run(&(struct capture){ capture_program, argv, WORDS_MAX, .timeout_ms = SYSTEMCTL_MS }, &out,
		    &problems);
	if (problems.len)
		err_set(e, ERR_INTERNAL, "systemctl %s %s: %.*s", words[0], unit,
			(int)strcspn(buf_str(&problems), "\n"), buf_str(&problems));
	else
		text = arena_strdup(a, buf_str(&out));
	buf_free(&out);
	buf_free(&problems);
	return text;
}

/* The unit of which this is the main process; NULL: none. A shell in a unit of another service is in its group, too. */
static const char *unit_of(pid_t pid, struct arena *a)
{
	static const char *const show[] = { "show", "--property=MainPID", "--value" };
	auto_file FILE *f = fopen(arena_printf(a, "/proc/%d/cgroup", pid), "re");
	auto_free char *line = NULL;
	size_t size = 0;
	struct err none;

	while (f && getline(&line, &size, f) > 0) {
		const char *name = strrchr(line, '/'), *main_pid;

		line[strcspn(line, "\n")] = '\0';
		if (!name || !word_ends_in(name, ".service"))
			continue;
		name = arena_strdup(a, name + 1);
		main_pid = systemctl(a, show, name, &none);
		if (main_pid && strtol(main_pid, NULL, 10) == pid)
			return name;
	}
	return NULL;
}

static int service_end(struct arena *a, pid_t pid, int pidfd, struct err *e)
{
	static const char *const stop[] = { "stop", NULL };
	const char *unit = unit_of(pid, a);

	/* A warning of systemctl is none of crisp's: what counts is that the process has ended. */
	if (unit && !systemctl(a, stop, unit, e) && poll(&(struct pollfd){ pidfd, POLLIN, 0 }, 1, 0) <= 0)
		return -1;
	if (!unit && syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_os(e, ERR_INTERNAL, "end crisp-keeper, pid %d", pid);
	if (poll(&(struct pollfd){ pidfd, POLLIN, 0 }, 1, END_MS) <= 0)
		return err_set(e, ERR_INTERNAL, "crisp-keeper, pid %d, has not ended for %d s", pid, END_MS / 1000);
	printf("%s\n", unit ? unit : arena_printf(a, "crisp-keeper, pid %d", pid));
	return 0;
}

/* ---- its pods ---- */

static Runtime__V1__ListPodSandboxResponse *pods_of(struct cli *c, struct err *e)
{
	Runtime__V1__ListPodSandboxRequest request = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;

	return cli_call(c, "ListPodSandbox", &request, e);
}

/* All are tried; the first failure is told. */
static int pods_remove(struct cli *c, bool dry_run, struct err *e)
{
	const Runtime__V1__ListPodSandboxResponse *pods = pods_of(c, e);
	struct err failure;
	int rc = pods ? 0 : -1;

	for (size_t i = 0; pods && i < pods->n_items; i++) {
		const Runtime__V1__PodSandbox *pod = pods->items[i];
		const char *name = arena_printf(c->arena, "pod %s/%s", pod->metadata->namespace_, pod->metadata->name);

		if (dry_run || cli_remove_pod(c, pod, true, &failure) == 0) {
			printf("%s\n", name);
			continue;
		}
		if (rc == 0)
			err_set(e, failure.code, "%s: %s", name, failure.msg);
		rc = -1;
	}
	return rc;
}

static int pods_are_gone(struct cli *c, struct err *e)
{
	Crisp__V1__CheckRequest repair = CRISP__V1__CHECK_REQUEST__INIT;
	const Runtime__V1__ListPodSandboxResponse *pods = pods_of(c, e);

	if (!pods)
		return -1;
	if (pods->n_items)
		return err_set(e, ERR_FAILED_PRECONDITION,
			       "there is a pod again, %s/%s: stop the kubelet, which makes them",
			       pods->items[0]->metadata->namespace_, pods->items[0]->metadata->name);
	repair.repair = true;
	return cli_call(c, "Check", &repair, e) ? 0 : -1;
}

/* ---- both ---- */

static bool is_word(const json_t *j, const char *word)
{
	return json_is_string(j) && strcmp(json_string_value(j), word) == 0;
}

/* A word or a list; where there is none, the socket is in the state directory. */
static bool listens_at(const char *address, const json_t *listen)
{
	bool found = is_word(listen, address);

	for (size_t i = 0; i < json_array_size(listen); i++)
		found = found || is_word(json_array_get(listen, i), address);
	return found;
}

static bool is_same_directory(const char *path, const char *real)
{
	char other[PATH_MAX];

	return path && realpath(path, other) && strcmp(other, real) == 0;
}

/* Nothing has gone yet: the pods of one crisp do not go for the directories of another, nor before the user has named
 * the right ones. */
static int is_that_crisp(struct cli *c, const char *root, const char *state, struct err *e)
{
	const char *lock = arena_printf(c->arena, "%s/lock", root), *file, *its_root;
	auto_json json_t *config = cli_ready_config(state, &file, c->arena, e);

	if (access(lock, F_OK) < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "%s, which each crisp makes", lock);
	its_root = config ? cli_config_word(c->arena, config, NULL, "root", DEFAULT_ROOT) : root;
	if (!is_same_directory(its_root, root))
		return err_set(e, ERR_INVALID_ARGUMENT, "the crisp of %s has its root directory at %s, not at %s",
			       state, its_root, root);
	if (is_same_directory(cli_state_dir(c->address, c->arena), state) ||
	    listens_at(c->address, json_object_get(config, "listen")))
		return 0;
	return err_set(e, ERR_INVALID_ARGUMENT, "the crisp of %s is not the one at %s: name its address", state,
		       c->address);
}

int cli_wipe_force(struct cli *c, const char *root, const char *state, bool dry_run, bool *ran, struct err *e)
{
	pid_t pid = 0;
	auto_fd int pidfd = lock_owner(state, "front.lock", &pid, c->arena);

	if (pidfd < 0)
		pidfd = lock_owner(state, "keeper.lock", &pid, c->arena);
	*ran = pidfd >= 0;
	if (!*ran)
		return 0;
	if (is_that_crisp(c, root, state, e) < 0 || pods_remove(c, dry_run, e) < 0)
		return -1;
	if (dry_run)
		return 0;
	return pods_are_gone(c, e) < 0 ? -1 : service_end(c->arena, pid, pidfd, e);
}
