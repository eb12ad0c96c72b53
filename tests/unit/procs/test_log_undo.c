/* test_log_undo.c - procs/log_undo.c: what of a log goes when a start is put back. */
#include "procs/log_undo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/log.h"
#include "tests/tap.h"

static char path[] = "/tmp/test-log-undo-XXXXXX";

/* How long is a log of `before` and `after` when the start that wrote `after` is put back? */
static size_t left(const char *before, const char *after)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC);
	int64_t mark;
	struct stat st;

	ok(write(fd, before, strlen(before)) == (ssize_t)strlen(before));
	mark = log_undo_mark(fd);
	ok(write(fd, after, strlen(after)) == (ssize_t)strlen(after));
	log_undo("c1", fd, mark);
	ok(fstat(fd, &st) == 0);
	close(fd);
	return (size_t)st.st_size;
}

#define ERR(text) "2026-01-02T03:04:05.000000006Z stderr F " text "\n"
#define OUT(text) "2026-01-02T03:04:05.000000006Z stdout F " text "\n"

static void the_runtimes_words_go(void)
{
	ok(left("", ERR("runc run failed: no such file")) == 0);
	ok(left("", ERR("time=1 level=error") ERR("runc run failed")) == 0);
	ok(left(OUT("of a life before"), ERR("runc run failed")) == strlen(OUT("of a life before")));
	ok(left("", ERR("")) == 0);
}

static void what_may_be_the_programs_stays(void)
{
	static char many[9000];

	ok(left("", OUT("up")) == strlen(OUT("up")));
	ok(left("", ERR("warning") OUT("up")) == strlen(ERR("warning") OUT("up")));
	ok(left("", OUT("up") ERR("warning")) == strlen(ERR("warning") OUT("up")));
	ok(left("", OUT("the word stderr F in it")) == strlen(OUT("the word stderr F in it")));
	ok(left("", ERR("whole") "2026-01-02T03:04:05.000000006Z stderr F torn") > strlen(ERR("whole")));
	ok(left("", "2026 stderr\n") > 0 && left("", "\n") == 1 && left("", "nothing") > 0);
	for (size_t i = 0; i + strlen(ERR("x")) < sizeof(many); i += strlen(ERR("x")))
		memcpy(many + i, ERR("x"), strlen(ERR("x")));
	ok(left("", many) == strlen(many));
}

static void without_a_log(void)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC);
	struct stat st;

	ok(log_undo_mark(-1) == -1);
	log_undo("c1", -1, 0);
	ok(write(fd, ERR("x"), strlen(ERR("x"))) > 0);
	log_undo("c1", fd, -1);
	log_undo("c1", fd, 1000);
	ok(fstat(fd, &st) == 0 && st.st_size == (off_t)strlen(ERR("x")));
	close(fd);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	close(mkstemp(path));
	the_runtimes_words_go();
	what_may_be_the_programs_stays();
	without_a_log();
	unlink(path);
	return tap_end();
}
