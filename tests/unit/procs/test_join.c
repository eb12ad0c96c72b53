/* test_join.c - procs/join.c: the namespaces that a container joins, when it is made and when it is started. */
#include "procs/join.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/create.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/sandbox_ns.h"
#include "reactor/own.h"
#include "tests/fakes/spec_pod.h"
#include "tests/tap.h"

static struct container *other; /* another container of the table */
static int other_pidfd = -1;
static int keeper; /* 0: away */
static int joined; /* the fd that the last start got */

struct container *container_find(const char *id)
{
	return other && strcmp(other->id, id) == 0 ? other : NULL;
}

bool life_has_pid(const struct container *c)
{
	struct pollfd end = { .fd = other_pidfd, .events = POLLIN };

	return c == other && end.fd >= 0 && poll(&end, 1, 0) == 0;
}

bool keeper_here(void)
{
	return keeper > 0;
}

/* For the handlers that are linked beside it: no test runs one. */
int keeper_ask_hold(const char *name, int fd, struct err *e)
{
	(void)name, (void)fd, (void)e;
	return 0;
}

void keeper_ask_release(const char *name)
{
	(void)name;
}

int sandbox_namespaces(const struct sandbox *s, struct arena *a, struct spec_namespaces *out, struct err *e)
{
	(void)s, (void)e;
	*out = (struct spec_namespaces){ "/n/net", arena_printf(a, "/proc/%d/fd/8", keeper),
					 arena_printf(a, "/proc/%d/fd/9", keeper), "", "/proc/5/ns/pid" };
	return 0;
}

/* Makes a container of that config. */
static bool made(struct spec_pod *p, const char *config)
{
	spec_pod_open(p, config);
	p->container.bundle = spec_pod_path(p, "containers/c1");
	p->container.joined = "";
	keeper = 100;
	return create_bundle(&p->container, &p->e) == 0 &&
	       create_config(&p->container, NULL, 0, "node1", &p->e) == 0;
}

static bool starts(struct spec_pod *p)
{
	return join_again(&p->container, &joined, &p->e) == 0;
}

static const char *config_file(struct spec_pod *p)
{
	return arena_printf(p->arena, "%s/config.json", p->container.bundle);
}

static const char *path_of(struct spec_pod *p, const char *type)
{
	json_t *one;
	size_t i;

	json_decref(p->config);
	p->config = json_load_file(config_file(p), 0, NULL);
	json_array_foreach(json_object_get(json_object_get(p->config, "linux"), "namespaces"), i, one)
		if (strcmp(json_string_value(json_object_get(one, "type")), type) == 0)
			return json_object_get(one, "path") ? json_string_value(json_object_get(one, "path")) : "new";
	return "none";
}

static ino_t inode(struct spec_pod *p)
{
	struct stat st;

	return stat(config_file(p), &st) < 0 ? 0 : st.st_ino;
}

static void what_has_not_moved_is_left_alone(void)
{
	struct spec_pod p;
	ino_t before;

	ok(made(&p, "{}"));
	before = inode(&p);
	ok(starts(&p) && joined < 0 && inode(&p) == before);
	spec_pod_close(&p);
}

/* 8 and 9 of this process, in the place of the keeper's. */
static void who_holds_them_is_dead(void)
{
	struct spec_pod p;

	ok(made(&p, "{}"));
	keeper = (int)getpid();
	ok(dup2(STDIN_FILENO, 8) == 8 && dup2(STDIN_FILENO, 9) == 9);
	ok(starts(&p) && !join_is_gone(&p.container));
	close(9);
	ok(join_is_gone(&p.container));
	close(8);
	spec_pod_close(&p);
}

static void another_keeper_has_them_elsewhere(void)
{
	struct spec_pod p;

	ok(made(&p, "{'security':{'ns':{'pid':1}}}"));
	is_str(path_of(&p, "ipc"), "/proc/100/fd/8");
	keeper = 200;
	ok(starts(&p) && joined < 0);
	is_str(path_of(&p, "ipc"), "/proc/200/fd/8");
	is_str(path_of(&p, "uts"), "/proc/200/fd/9");
	is_str(path_of(&p, "network"), "/n/net");
	is_str(path_of(&p, "pid"), "new");
	is_str(path_of(&p, "mount"), "new");
	keeper = 0;
	ok(!starts(&p) && p.e.code == ERR_UNAVAILABLE);
	is_str(path_of(&p, "ipc"), "/proc/200/fd/8");
	spec_pod_close(&p);
}

/* A process as the target; the test itself is in the same PID namespace. */
static pid_t target_begins(struct container *target)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	*target = (struct container){ .id = "t1", .state = CONTAINER_RUNNING, .pid = pid };
	other = target;
	other_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pid;
}

static void target_ends(void)
{
	kill(other->pid, SIGKILL);
	waitpid(other->pid, NULL, 0);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void a_target_is_told_as_an_fd(void)
{
	struct container target;
	struct spec_pod p;

	target_begins(&target);
	ok(!made(&p, "{'security':{'ns':{'pid':3,'target_id':'t1'}}}"));
	target.sandbox = &p.sandbox;
	ok(create_config(&p.container, NULL, 0, "node1", &p.e) == 0);
	ok(starts(&p) && joined >= 0);
	is_str(path_of(&p, "pid"), arena_printf(p.arena, "/proc/%d/fd/%d", (int)getpid(), joined));
	ok(same_file(path_of(&p, "pid"), "/proc/self/ns/pid"));
	close(joined);
	target_ends();
	close(other_pidfd);
	spec_pod_close(&p);
}

/* The target has ended and its pid is another process's now (this test's), but its exit record has not come yet:
 * only the pidfd says so. */
static void a_target_that_has_ended(void)
{
	struct container target;
	struct spec_pod p;

	target_begins(&target);
	made(&p, "{'security':{'ns':{'pid':3,'target_id':'t1'}}}");
	target.sandbox = &p.sandbox;
	ok(create_config(&p.container, NULL, 0, "node1", &p.e) == 0);
	target_ends();
	target.pid = getpid();
	ok(!starts(&p) && p.e.code == ERR_FAILED_PRECONDITION && joined < 0);
	is_str(p.e.msg, "target_id \"t1\": not running");
	close(other_pidfd);
	other_pidfd = -1;
	ok(!starts(&p) && p.e.code == ERR_FAILED_PRECONDITION);
	target.state = CONTAINER_EXITED;
	ok(!starts(&p) && p.e.code == ERR_FAILED_PRECONDITION);
	other = NULL; /* removed */
	ok(!starts(&p) && p.e.code == ERR_FAILED_PRECONDITION);
	spec_pod_close(&p);
}

int main(void)
{
	what_has_not_moved_is_left_alone();
	who_holds_them_is_dead();
	another_keeper_has_them_elsewhere();
	a_target_is_told_as_an_fd();
	a_target_that_has_ended();
	return tap_end();
}
