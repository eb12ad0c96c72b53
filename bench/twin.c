/* twin.c - see twin.h. Waits on: the program's standard output; its end at twin_close(). */
#include "bench/twin.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

extern char **environ;

enum { WORDS_MAX = 32, LINE_MAX_BYTES = 64 * 1024 };

struct twin {
	char *words; /* of argv */
	char *argv[WORDS_MAX + 1];
	pid_t pid;
	int fd; /* a socket: its standard input and output */
	struct fd_watch answer;
	struct buf got;
	twin_done *done;
	void *arg;
};

static int twin_spawn(struct twin *t, struct err *e)
{
	posix_spawn_file_actions_t actions;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_os(e, ERR_INTERNAL, "socketpair");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[1], 0);
	posix_spawn_file_actions_adddup2(&actions, pair[1], 1);
	rc = posix_spawn(&t->pid, t->argv[0], &actions, NULL, t->argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[1]);
	t->fd = pair[0];
	if (!rc)
		return 0;
	t->pid = 0;
	return err_set(e, ERR_INTERNAL, "%s: %s", t->argv[0], strerror(rc));
}

struct twin *twin_open(const char *text, struct err *e)
{
	struct twin *t = new_zero(struct twin);
	char *save = NULL;
	size_t n = 0;

	t->words = own_must(strdup(text));
	for (char *w = strtok_r(t->words, " ", &save); w && n < WORDS_MAX; w = strtok_r(NULL, " ", &save))
		t->argv[n++] = w;
	t->fd = -1;
	if (n ? twin_spawn(t, e) == 0 : (err_set(e, ERR_INVALID_ARGUMENT, "no program after " TWIN_SCHEME), false))
		return t;
	twin_close(t);
	return NULL;
}

void twin_close(struct twin *t)
{
	fd_watch_clear(&t->answer);
	if (t->fd >= 0)
		close(t->fd);
	if (t->pid)
		waitpid(t->pid, NULL, 0);
	buf_free(&t->got);
	free(t->words);
	free(t);
}

static void twin_answer(struct twin *t, const struct err *e, json_t *answer)
{
	fd_watch_clear(&t->answer);
	t->done(t->arg, e, answer);
}

static void on_twin_answer(struct fd_watch *w, int events)
{
	struct twin *t = container_of(w, struct twin, answer);
	ssize_t n = buf_read(&t->got, t->fd, LINE_MAX_BYTES);
	const char *end = t->got.len ? memchr(t->got.at, '\n', t->got.len) : NULL;
	auto_json json_t *answer = NULL;
	struct err e;

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (!end && n > 0 && t->got.len < LINE_MAX_BYTES)
		return;
	if (!end) {
		err_set(&e, ERR_INTERNAL, "%s has ended", t->argv[0]);
		return twin_answer(t, &e, NULL);
	}
	answer = json_parse((const char *)t->got.at, (size_t)(end - (const char *)t->got.at), t->argv[0], &e);
	buf_consume(&t->got, (size_t)(end + 1 - (const char *)t->got.at));
	twin_answer(t, answer ? NULL : &e, answer);
}

void twin_ask(struct twin *t, const char *word, twin_done *done, void *arg)
{
	char line[64];

	t->done = done;
	t->arg = arg;
	fd_watch_set(&t->answer, t->fd, FD_READ, on_twin_answer);
	/* When the program has ended, the end of its output says so. */
	send(t->fd, line, (size_t)snprintf(line, sizeof(line), "%s\n", word), MSG_NOSIGNAL);
}
