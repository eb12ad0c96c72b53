/* peer.h - a shim, and its program, that a test of procs/shim/ plays: what it is asked, and what it answers. */
#ifndef TESTS_UNIT_PROCS_SHIM_PEER_H
#define TESTS_UNIT_PROCS_SHIM_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/runtime.h"
#include "procs/shim/shim.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"
#include "tests/fakes/program.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static char state[200], program[300], bundle[300], address[300];
static const struct runtime_handler *shim;
static const struct runtime_stdio no_stdio = { .in = -1, .out = -1, .err = -1 };

struct result {
	int calls, status, pid;
	struct err err;
	char out[8192];
	size_t out_len;
};

static inline void record(void *arg, const struct err *e, struct child_result *r)
{
	struct result *res = arg;

	res->calls++;
	res->err = e ? *e : (struct err){ 0 };
	res->status = r->status;
	res->pid = r->pid;
	res->out_len = r->out_len < sizeof(res->out) ? r->out_len : 0;
	memcpy(res->out, r->out ? r->out : "", res->out_len);
}

/* ---- the shim ---- */

/* As said in the last request of a method of the sandbox API. */
struct fake_sandbox {
	char config_type[64], config[64], netns[64], annotation[64];
};

static struct {
	int listener;
	struct fd_watch watch;
	struct ttrpc *ttrpc[2]; /* connections: the keeper may hold that of a daemon that died */
	char log[1024];      /* methods, with the id of an exec */
	bool silent;         /* answers nothing */
	bool unknown;        /* knows no task */
	const char *hangs;   /* the method that is not answered */
	const char *fails;   /* the method that fails */
	enum err_code code;  /* with this, and not with UNKNOWN */
	struct ttrpc_request *waits[4];
	size_t nwaits;
	char create_stdout[300], create_stdin[300];
	/* The sandbox API: */
	bool no_api;
	pid_t shim_pid;         /* as Connect says it; fake_start() leaves it */
	bool waits_for_nothing; /* WaitSandbox is answered at once */
	bool stop_ends;         /* StopSandbox ends it without an answer, as the runc shim of containerd 1.7 may */
	const char *os;
	bool stays;             /* behind ShutdownSandbox */
	uint64_t sandbox_pid;
	const char *replies_to; /* with this: */
	struct buf reply;
	struct fake_sandbox sandbox;
} fake;

static inline void fake_answer(struct ttrpc_request *r, uint32_t field, uint64_t value)
{
	struct buf b = { 0 };

	pb_put_u64(&b, field, value);
	ttrpc_reply(r, b.at, b.len);
	buf_free(&b);
}

static inline void note(const char *method, const uint8_t *body, size_t len)
{
	struct pb r = pb_from(body, len);
	struct pb_field f;
	char exec[80] = "";
	size_t n = strlen(fake.log);

	while (pb_next(&r, &f)) {
		if (f.number == 2 && strcmp(method, "Create") != 0)
			pb_copy(&f, exec, sizeof(exec));
		if (f.number == 5 && strcmp(method, "Create") == 0)
			pb_copy(&f, fake.create_stdin, sizeof(fake.create_stdin));
		if (f.number == 6 && strcmp(method, "Create") == 0)
			pb_copy(&f, fake.create_stdout, sizeof(fake.create_stdout));
	}
	snprintf(fake.log + n, sizeof(fake.log) - n, "%s%s%s ", method, *exec ? ":" : "", exec);
}

static inline void note_sandbox(const char *method, const uint8_t *body, size_t len)
{
	struct fake_sandbox *s = &fake.sandbox;
	struct pb r = pb_from(body, len), in;
	struct pb_field f, of;
	size_t n = strlen(fake.log);

	snprintf(fake.log + n, sizeof(fake.log) - n, "%s ", method);
	while (strcmp(method, "CreateSandbox") == 0 && pb_next(&r, &f)) {
		in = pb_inside(&f);
		if (f.number == 5)
			pb_copy(&f, s->netns, sizeof(s->netns));
		while ((f.number == 4 || f.number == 6) && pb_next(&in, &of))
			pb_copy(&of, f.number == 6 ? s->annotation : of.number == 1 ? s->config_type : s->config, 64);
	}
}

static inline void fake_end(void);

/* The sandbox API, as a shim with a sandbox answers it. */
static inline void fake_sandbox_call(struct ttrpc_request *r, const char *method, const uint8_t *body, size_t len)
{
	struct buf b = { 0 }, platform = { 0 };
	struct err e;

	note_sandbox(method, body, len);
	if (fake.no_api) {
		err_set(&e, ERR_UNIMPLEMENTED, "no such service");
		return ttrpc_fail(r, &e);
	}
	if (strcmp(method, "StopSandbox") == 0 && fake.stop_ends) {
		fake_end();
		return ttrpc_reply(r, NULL, 0); /* nobody hears it */
	}
	pb_put_str(&platform, 1, fake.os);
	if (strcmp(method, "Platform") == 0 && fake.os)
		pb_put_bytes(&b, 1, platform.at, platform.len);
	if (fake.replies_to && strcmp(method, fake.replies_to) == 0)
		buf_append(&b, fake.reply.at, fake.reply.len);
	if (strcmp(method, "StartSandbox") == 0)
		pb_put_u64(&b, 1, fake.sandbox_pid);
	ttrpc_reply(r, b.at, b.len);
	buf_free(&platform);
	buf_free(&b);
	if (strcmp(method, "ShutdownSandbox") == 0 && !fake.stays)
		fake_end();
}

static inline void on_fake_call(void *arg, struct ttrpc_request *r, const char *service, const char *method,
			 const uint8_t *body, size_t len)
{
	struct err e;

	bool api = strcmp(service, "containerd.runtime.sandbox.v1.Sandbox") == 0;

	(void)arg;
	ok(api || strcmp(service, "containerd.task.v3.Task") == 0);
	if (!api)
		note(method, body, len);
	else if (!fake.silent && !(fake.fails && strcmp(fake.fails, method) == 0) &&
		 !(fake.hangs && strcmp(fake.hangs, method) == 0) &&
		 (strcmp(method, "WaitSandbox") != 0 || fake.waits_for_nothing))
		return fake_sandbox_call(r, method, body, len);
	else
		note_sandbox(method, body, len);
	if (strcmp(method, "Wait") == 0 || strcmp(method, "WaitSandbox") == 0 || fake.silent ||
	    (fake.hangs && strcmp(method, fake.hangs) == 0)) {
		if (fake.nwaits < 4)
			fake.waits[fake.nwaits++] = r;
		return;
	}
	if (fake.unknown && (strcmp(method, "Kill") == 0 || strcmp(method, "Delete") == 0)) {
		err_set(&e, ERR_NOT_FOUND, "no such task");
		return ttrpc_fail(r, &e);
	}
	if (fake.fails && strcmp(fake.fails, method) == 0) {
		err_set(&e, fake.code == ERR_OK ? ERR_UNKNOWN : fake.code, "it\nfailed");
		return ttrpc_fail(r, &e);
	}
	fake_answer(r, 1, strcmp(method, "Connect") == 0 ? (uint64_t)fake.shim_pid : 4242);
}

static inline void on_fake_gone(void *arg, const struct err *e)
{
	struct ttrpc **to = arg;

	(void)e;
	ttrpc_close(*to);
	*to = NULL;
}

static inline void on_fake_client(struct fd_watch *w, int events)
{
	static const struct ttrpc_events served = { on_fake_call, on_fake_gone };
	int fd = accept4(fake.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)w;
	(void)events;
	for (size_t i = 0; i < 2 && fd >= 0; i++)
		if (!fake.ttrpc[i]) {
			fake.ttrpc[i] = ttrpc_open_fd(fd, &served, &fake.ttrpc[i]);
			fd = -1;
		}
	if (fd >= 0)
		close(fd);
}

static inline void fake_close(void)
{
	for (size_t i = 0; i < 2; i++) {
		if (fake.ttrpc[i])
			ttrpc_close(fake.ttrpc[i]);
		fake.ttrpc[i] = NULL;
	}
}

static inline void fake_start(void)
{
	pid_t pid = fake.shim_pid;
	struct err e;

	memset(&fake, 0, sizeof(fake));
	fake.shim_pid = pid;
	fake.listener = listen_open(address, NULL, &e);
	ok(fake.listener >= 0);
	fd_watch_set(&fake.watch, fake.listener, FD_READ, on_fake_client);
}

/* It listens no more; the connection that it serves just now is closed in the next turn. */
static inline void fake_end(void)
{
	if (fake.listener < 0)
		return;
	fd_watch_clear(&fake.watch);
	listen_close(fake.listener, address);
	fake.listener = -1;
	fake_close();
}

/* What waits for an answer hears none. */
static inline void fake_drop_waits(void)
{
	while (fake.nwaits)
		ttrpc_reply(fake.waits[--fake.nwaits], NULL, 0);
}

static inline void fake_hang_up(void)
{
	fake_close();
	fake_drop_waits();
	world_settle();
}

static inline void fake_die(void)
{
	fake_end();
	fake_drop_waits();
	world_settle();
}

static inline void fake_waited(uint64_t status)
{
	fake_answer(fake.waits[--fake.nwaits], 1, status);
	world_settle();
}

/* ---- the handler ---- */

static inline void write_file(const char *dir, const char *name, const char *text)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
}

static inline void open_runtimes(void)
{
	const struct runtime_handler handlers[] = {
		{ .name = "shim", .type = "shim", .path = program, .fallback = "",
		  .options = { .binary = "/sbin/runc", .root = "", .base_spec = "", .config_path = "" } },
		{ .name = "box", .type = "shim", .path = program, .fallback = "",
		  .options = { .root = "", .base_spec = "", .config_path = "/k.toml", .sandbox_container = true } },
		{ .name = "api", .type = "shim", .path = program, .fallback = "",
		  .options = { .root = "", .base_spec = "", .sandbox_api = true, .create_timeout_ms = 9000 } },
		{ .name = "named", .type = "shim", .path = "io.containerd.nosuch.v2", .fallback = "",
		  .options = { .root = "", .base_spec = "" } },
	};
	struct runtimes_config cfg = { handlers, sizeof(handlers) / sizeof(*handlers), "shim", state, NULL };
	struct err e = { 0 };

	ok(runtimes_open(&cfg, &e) == 0);
	shim = runtime_find("shim");
}

/* `start` of the program: its answer is in the file that is its stdout. */
static inline void program_answers(const char *text)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/shim-address", bundle);
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
	program_exit(0, "", "");
	world_settle();
}

static inline const char *json_answer(void)
{
	static char text[400];

	snprintf(text, sizeof(text), "{\"version\":3,\"address\":\"%s\",\"protocol\":\"ttrpc\"}", address);
	return text;
}

static inline void run_one(const char *id, struct result *r)
{
	runtime_run(shim, id, bundle, "/group", &no_stdio, record, r);
	world_settle();
}

static inline void remove_one(const char *id)
{
	struct result r = { 0 };

	runtime_delete(shim, id, true, record, &r);
	world_settle();
	while (fake.nwaits)
		fake_waited(137);
	ok(r.calls == 1 && r.err.code == ERR_OK);
	ok(!runtime_knows(shim, id));
}

static inline void peer_open(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	snprintf(state, sizeof(state), "%s/state", world_dir());
	snprintf(program, sizeof(program), "%s/containerd-shim-runc-v2", world_dir());
	snprintf(bundle, sizeof(bundle), "%s/bundle", world_dir());
	snprintf(address, sizeof(address), "unix://%s/task.sock", world_dir());
	mkdir(state, 0700);
	mkdir(bundle, 0700);
	write_file(bundle, "config.json", "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}");
	write_file(world_dir(), "containerd-shim-runc-v2", "");
	chmod(program, 0755);
	open_runtimes();
}

#endif
