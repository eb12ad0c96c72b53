/* bootstrap.c - see shim.h. The verbs of a shim's program: `start`, which prints the socket of a daemon, and `delete`,
 * which removes what a dead one has left.
 *
 * `start` is told of the task in three ways, of which each shim takes one: its command line and environment (up to
 * containerd 2.2), a message on stdin (BootstrapParams, from 2.3 on), and config.json in its working directory, the
 * bundle, by whose annotations the tasks of a pod come to one shim. Its answer goes to a file, so that a later crispd
 * finds a shim whose `start` this one did not live to see. (ARCHITECTURE G10) */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/shim/shim.h"
#include "reactor/fault.h"
#include "reactor/json.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum { ANSWER_MAX = 4096, WORDS_MAX = 500, START_TIMEOUT_MS = 30000, DELETE_TIMEOUT_MS = 30000, ARGS = 12 };
enum { SOCKET_DIR_MAX = 40 /* behind it come a slash and 64 digits, and sun_path has 108 bytes */ };

static const char *answer_path(const char *bundle, struct arena *a)
{
	return arena_printf(a, "%s/shim-address", bundle);
}

int shim_usable(const struct runtime_handler *h, struct err *e)
{
	const struct shim_handler *s = shim_handler_of(h);
	const struct looked *now = lookup_memo_get(s->memo, e);

	if (!now)
		return err_wrap(e, "runtime handler %s", h->name);
	errno = now->error || (now->mode & 0111) ? now->error : EACCES;
	if (errno)
		return err_os(e, ERR_FAILED_PRECONDITION, "runtime handler %s: the shim %s", h->name, s->program);
	if (!S_ISREG(now->mode))
		return err_set(e, ERR_FAILED_PRECONDITION, "runtime handler %s: the shim %s is no file", h->name,
			       s->program);
	return 0;
}

/* ---- the answer ---- */

/* false: the text is no such message. */
static bool parse_result(const char *text, size_t len, struct shim_answer *out, char protocol[16])
{
	struct pb r = pb_from(text, len);
	struct pb_field f;

	while (pb_next(&r, &f)) {
		if (f.number == 1)
			out->version = f.value < 1000 ? (int)f.value : 1000;
		else if ((f.number == 2 && !pb_copy(&f, out->address, sizeof(out->address))) ||
			 (f.number == 3 && !pb_copy(&f, protocol, 16)))
			return false;
	}
	return !r.bad && out->address[0];
}

static bool parse_json(const char *text, size_t len, struct shim_answer *out, char protocol[16])
{
	struct err e;
	auto_json json_t *j = len && text[0] == '{' ? json_parse(text, len, "start", &e) : NULL;
	const char *address = json_string_value(json_object_get(j, "address")),
		   *proto = json_string_value(json_object_get(j, "protocol"));
	json_int_t version = json_integer_value(json_object_get(j, "version"));

	if (!address || strlen(address) >= sizeof(out->address) || (proto && strlen(proto) >= 16))
		return false;
	strcpy(out->address, address);
	strcpy(protocol, proto ? proto : "");
	out->version = version >= 0 && version < 1000 ? (int)version : 1000;
	return true;
}

static bool parse_plain(const char *text, size_t len, struct shim_answer *out)
{
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (!len || len >= sizeof(out->address))
		return false;
	if (text[0] != '/' && (len < 7 || memcmp(text, "unix://", 7) != 0))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	memcpy(out->address, text, len);
	out->address[len] = '\0';
	out->version = 2;
	return true;
}

static int answer_check(struct shim_answer *out, const char *protocol, struct err *e)
{
	char path[sizeof(out->address)];
	struct listen_address to;

	if (*protocol && strcmp(protocol, "ttrpc") != 0)
		return err_set(e, ERR_UNIMPLEMENTED, "the shim speaks %s: only ttrpc is spoken here", protocol);
	if (out->version != 2 && out->version != 3)
		return err_set(e, ERR_UNIMPLEMENTED, "the shim serves version %d: only 2 and 3 are known here",
			       out->version);
	if (out->address[0] == '/') {
		memcpy(path, out->address, sizeof(path));
		if (snprintf(out->address, sizeof(out->address), "unix://%s", path) >= (int)sizeof(out->address))
			return err_set(e, ERR_INTERNAL, "the address of the shim is too long");
	}
	if (strncmp(out->address, "unix://", 7) != 0)
		return err_set(e, ERR_UNIMPLEMENTED, "the shim listens at %s: only Unix sockets are known here",
			       log_quote(out->address));
	return listen_parse(out->address, &to, e) < 0 ? err_wrap(e, "the shim's answer") : 0;
}

int shim_answer_parse(const char *text, size_t len, struct shim_answer *out, struct err *e)
{
	char protocol[16] = "";

	*out = (struct shim_answer){ .version = 0 };
	if (parse_result(text, len, out, protocol))
		return answer_check(out, protocol, e);
	*out = (struct shim_answer){ .version = 0 };
	protocol[0] = '\0';
	if (parse_json(text, len, out, protocol))
		return answer_check(out, protocol, e);
	if (parse_plain(text, len, out))
		return answer_check(out, "", e);
	return err_set(e, ERR_INTERNAL, "the shim's program printed no address");
}

int shim_answer_read(const char *bundle, struct shim_answer *out, struct err *e)
{
	struct arena *a = arena_new();
	auto_fd int fd = open(answer_path(bundle, a), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[ANSWER_MAX];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	arena_free(a);
	if (n <= 0)
		return err_set(e, ERR_NOT_FOUND, "the shim's program printed nothing");
	return shim_answer_parse(text, (size_t)n, out, e);
}

/* ---- the program ---- */

/* As containerd's: what is not told otherwise to a program of containerd 1.x and 2.x. */
static void put_args(const struct shim_task *t, const char *verb, const char *argv[ARGS])
{
	const char *const args[] = { t->handler->program, "-namespace", SHIM_NAMESPACE, "-address", shim_events_path(),
				     "-publish-binary", "/bin/false", "-id", t->id, "-bundle", t->bundle, verb };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(args) / sizeof(*args); i++)
		if (strcmp(verb, "start") != 0 || (i != 9 && i != 10))
			argv[n++] = args[i];
}

static const char *const *shim_env(struct arena *a)
{
	const char **env = arena_zalloc(a, 8 * sizeof(*env));

	env[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[1] = "GOMAXPROCS=2";
	env[2] = "MAX_SHIM_VERSION=3";
	env[3] = arena_printf(a, "TTRPC_ADDRESS=%s", shim_events_path());
	env[4] = arena_printf(a, "GRPC_ADDRESS=%s", shim_events_path());
	env[5] = "NAMESPACE=" SHIM_NAMESPACE;
	return env;
}

/* BootstrapParams: 1 instance_id, 2 namespace, 4 containerd_version, 5 and 6 the addresses of containerd (ttrpc, gRPC),
 * 7 its program, 8 extensions { 1 Any }, 9 the directory for sockets. */
static void put_params(struct buf *out, const struct shim_task *t)
{
	struct buf options = { 0 };
	char dir[SOCKET_DIR_MAX + 1];

	pb_put_str(out, 1, t->id);
	pb_put_str(out, 2, SHIM_NAMESPACE);
	pb_put_str(out, 4, "2.3.0");
	pb_put_str(out, 5, shim_events_path());
	pb_put_str(out, 6, shim_events_path());
	pb_put_str(out, 7, "/bin/false");
	shim_put_options(&options, 1, t->handler, false);
	if (options.len)
		pb_put_bytes(out, 8, options.at, options.len);
	buf_free(&options);
	if (snprintf(dir, sizeof(dir), "%s/s", t->handler->state) < (int)sizeof(dir))
		pb_put_str(out, 9, dir);
}

bool shim_start_floods(const struct shim_task *t)
{
	struct arena *a = arena_new();
	struct stat st;
	bool floods = stat(answer_path(t->bundle, a), &st) == 0 && st.st_size > ANSWER_MAX;

	if (floods)
		EFFECT(unlink(answer_path(t->bundle, a))); /* what is printed until it is killed goes with it */
	arena_free(a);
	return floods;
}

struct child *shim_start(const struct shim_task *t, struct arena *a, child_done *done, void *arg, struct err *e)
{
	const char *argv[ARGS + 1] = { NULL }, *path = answer_path(t->bundle, a);
	struct buf params = { 0 };
	struct child_fd out = { -1, 1 };
	struct child *child;

	EFFECT(unlink(path));
	out.ours = EFFECT(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (out.ours < 0) {
		err_os(e, ERR_INTERNAL, "make %s", path);
		return NULL;
	}
	put_args(t, "start", argv);
	put_params(&params, t);
	child = child_start(&(struct child_spec){ .argv = argv, .envp = shim_env(a), .cwd = t->bundle, .fds = &out,
						  .nfds = 1, .stdin_data = params.at, .stdin_len = params.len,
						  .stderr_max = ANSWER_MAX, .timeout_ms = START_TIMEOUT_MS,
						  .finish = true, .stage = "shim_start",
						  .about = arena_printf(a, " container=%.12s", t->id) },
			    done, arg);
	buf_free(&params);
	close(out.ours);
	return child;
}

struct child *shim_delete(const struct shim_task *t, struct arena *a, child_done *done, void *arg)
{
	const char *argv[ARGS + 1] = { NULL };

	put_args(t, "delete", argv);
	return child_start(&(struct child_spec){ .argv = argv, .envp = shim_env(a), .cwd = t->bundle,
						 .stdin_data = "", .stdout_max = ANSWER_MAX,
						 .stderr_max = ANSWER_MAX, .timeout_ms = DELETE_TIMEOUT_MS,
						 .stage = "shim_delete",
						 .about = arena_printf(a, " container=%.12s", t->id) },
			   done, arg);
}

const char *shim_words(const struct child_result *r, struct arena *a)
{
	const char *end = r->err + r->err_len, *at;
	char *words;

	while (end > r->err && isspace((unsigned char)end[-1]))
		end--;
	for (at = end; at > r->err && at[-1] != '\n'; at--)
		;
	words = arena_strndup(a, at, end - at < WORDS_MAX ? (size_t)(end - at) : WORDS_MAX);
	for (char *s = words; *s; s++)
		if (iscntrl((unsigned char)*s))
			*s = ' ';
	return *words ? words : child_status_text(r->status);
}

/* Does the process work in that directory? */
static bool works_in(const char *pid, const char *dir)
{
	char path[300], cwd[1024];
	size_t len = strlen(dir);
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/cwd", pid);
	n = readlink(path, cwd, sizeof(cwd));
	return n == (ssize_t)len && strncmp(cwd, dir, len) == 0;
}

static bool runs(const char *pid, const char *program)
{
	struct stat exe, file;
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	return stat(path, &exe) == 0 && stat(program, &file) == 0 && exe.st_dev == file.st_dev &&
	       exe.st_ino == file.st_ino;
}

bool shim_is_process(const struct shim_task *t, int64_t pid)
{
	char text[24];

	if (pid <= 1 || pid > INT32_MAX || pid == getpid())
		return false;
	snprintf(text, sizeof(text), "%lld", (long long)pid);
	return works_in(text, t->bundle) || runs(text, t->handler->program);
}

void shim_kill_strays(const char *bundle, const char *why)
{
	auto_dir DIR *d = opendir("/proc");
	struct dirent *f;

	while (d && (f = readdir(d))) {
		if (!isdigit((unsigned char)f->d_name[0]) || !works_in(f->d_name, bundle))
			continue;
		log_warn("shim_killed pid=%s why=%s", f->d_name, log_quote(why));
		EFFECT(kill((pid_t)strtol(f->d_name, NULL, 10), SIGKILL));
	}
}
