/* sandbox.c - the sandbox of a pod that its shim has: the sandbox API, a service of its own on the shim's connection.
 *
 *   run:     as of a task (run.c), with CALL(CreateSandbox, StartSandbox, Platform)
 *   wait:    CALL(PingSandbox, WaitSandbox) ---an end---> DONE          CALL ---the shim is dead---> CLEAN ---> DONE
 *              +---an answer that tells no end---> CALL(nothing) ---the connection is lost---> CLEAN ---> DONE
 *   delete:  CALL(StopSandbox, ShutdownSandbox) ---> OPEN(the shim ends) ---> DONE
 *              +---dead, or it hangs: killed---> CLEAN ---> DONE        OPEN ---it lives on: killed---> CLEAN
 *   status:  CALL(SandboxStatus) ---> DONE
 *
 * Waits on: the shim, its program; a timer, for the shim's end. (ARCHITECTURE G70 to G73) */
#include <string.h>
#include <sys/utsname.h>

#include "procs/bundle.h"
#include "procs/shim/op.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum { CREATE_TIMEOUT_MS = 120000, ASK_TIMEOUT_MS = 10000, STOP_TIMEOUT_MS = 30000, STOP_S = 20 };
enum { STATUS_TIMEOUT_MS = 2000, END_LOOK_MS = 20, END_MS = 5000, INFO_MAX = 64, INFO_TEXT_MAX = 4096 };

#define CONFIG_TYPE "runtime.v1.PodSandboxConfig"

/* Every request begins with the id. */
static void sandbox_put_id(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
}

static void sandbox_call(struct shim_op *op, const char *method, int64_t timeout_ms, shim_op_then *then)
{
	op->service = SHIM_SANDBOX;
	shim_op_call(op, method, timeout_ms, then);
}

/* ---- run ---- */

static void sandbox_fail(struct shim_op *op, const char *method, const struct err *e)
{
	op->err = *e;
	op->err.code = e->code == ERR_DEADLINE_EXCEEDED ? e->code : ERR_INTERNAL;
	if (e->code == ERR_UNIMPLEMENTED)
		err_set(&op->err, ERR_FAILED_PRECONDITION,
			"the shim %s has no sandbox API: give its runtime handler sandbox: container, or none (%s)",
			op->handler->program, e->msg);
	err_wrap(&op->err, "%s %s", op->handler->handler.name, method);
	shim_op_end(op);
}

/* uname(2) has other words for it than Go has. Another one is that of the guest, for which no image here is. */
static bool is_our_machine(const char *go)
{
	static const char *const names[][2] = { { "x86_64", "amd64" },	 { "aarch64", "arm64" }, { "armv7l", "arm" },
						{ "ppc64le", "ppc64le" }, { "s390x", "s390x" },
					{ "riscv64", "riscv64" } };
	struct utsname us;

	if (uname(&us) < 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(us.machine, names[i][0]) == 0)
			return strcmp(go, names[i][1]) == 0 || strcmp(go, us.machine) == 0;
	return true;
}

/* PlatformResponse: 1 Platform { 1 os, 2 architecture }. A shim that does not tell it is taken for one of this node. */
static void on_sandbox_platform(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct pb r = pb_from(body, e ? 0 : len), in = { 0 };
	char os[32] = "", machine[32] = "";
	struct pb_field f;
	struct err bad;

	if (e && (e->code == ERR_UNAVAILABLE || e->code == ERR_DEADLINE_EXCEEDED))
		return sandbox_fail(op, "Platform", e);
	while (pb_next(&r, &f))
		if (f.number == 1)
			in = pb_inside(&f);
	while (pb_next(&in, &f))
		if (f.number == 1 || f.number == 2)
			pb_copy(&f, f.number == 1 ? os : machine, sizeof(os));
	if ((!*os || strcmp(os, "linux") == 0) && (!*machine || is_our_machine(machine)))
		return shim_op_end(op);
	err_set(&bad, ERR_FAILED_PRECONDITION, "its sandbox is of the platform %s: only that of the node is served",
		log_quote(arena_printf(op->arena, "%s/%s", os, machine)));
	sandbox_fail(op, "Platform", &bad);
}

static void on_sandbox_started(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);
	uint64_t pid = e ? 0 : shim_number(body, len, 1);
	struct err bad;

	if (e)
		return sandbox_fail(op, "StartSandbox", e);
	t->pid = pid <= INT32_MAX ? (int32_t)pid : 0;
	op->result.pid = t->pid;
	if (shim_task_save(t, &bad) < 0)
		return shim_op_fail(op, &bad);
	sandbox_put_id(op);
	sandbox_call(op, "Platform", ASK_TIMEOUT_MS, on_sandbox_platform);
}

/* As long as it may take to start a virtual machine. */
static int64_t sandbox_patience_ms(const struct shim_op *op)
{
	return op->handler->handler.options.create_timeout_ms ?: CREATE_TIMEOUT_MS;
}

static void on_sandbox_created(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);
	struct err bad;

	(void)body;
	(void)len;
	if (e)
		return sandbox_fail(op, "CreateSandbox", e);
	t->sent = SHIM_SENT_START;
	if (shim_task_save(t, &bad) < 0)
		return shim_op_fail(op, &bad);
	sandbox_put_id(op);
	sandbox_call(op, "StartSandbox", sandbox_patience_ms(op), on_sandbox_started);
}

/* What config.json of the bundle says: what is a sandbox, and what the handler allows of the pod's. */
static int put_annotations(struct shim_op *op, uint32_t field, struct err *e)
{
	auto_json json_t *config = bundle_read_config(op->bundle, e);
	const char *key;
	json_t *value;

	if (!config)
		return -1;
	json_object_foreach(json_object_get(config, "annotations"), key, value) {
		struct buf entry = { 0 };

		pb_put_str(&entry, 1, key);
		pb_put_str(&entry, 2, json_string_value(value));
		pb_put_bytes(&op->out, field, entry.at, entry.len);
		buf_free(&entry);
	}
	return 0;
}

/* CreateSandboxRequest: 1 id, 2 bundle, 4 options, 5 the network namespace, 6 annotations; 3, a root file system, is
 * nothing that crisp has for it. */
void shim_sandbox_create(struct shim_op *op)
{
	const struct runtime_sandbox *s = op->sandbox;
	struct err e;

	sandbox_put_id(op);
	pb_put_str(&op->out, 2, op->bundle);
	shim_put_any(&op->out, 4, CONFIG_TYPE, s->config, s->config_len);
	pb_put_str(&op->out, 5, s->netns_path);
	if (put_annotations(op, 6, &e) < 0)
		return shim_op_fail(op, &e);
	sandbox_call(op, "CreateSandbox", sandbox_patience_ms(op), on_sandbox_created);
}

/* ---- wait ---- */

static void on_sandbox_lost(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	shim_op_wait_failed(op, e);
}

static bool has_field(const uint8_t *body, size_t len, uint32_t number)
{
	struct pb r = pb_from(body, len);
	struct pb_field f;

	while (pb_next(&r, &f))
		if (f.number == number)
			return true;
	return false;
}

/* WaitSandboxResponse: 1 exit_status, 2 exited_at. The runc shim of containerd 1.7 answers at once, with nothing: it
 * has no process for a sandbox, and told no pid of one. Then the end is that of the shim. */
static void on_sandbox_waited(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);

	if (e)
		return shim_op_wait_failed(op, e);
	if (t && !t->pid && !has_field(body, len, 2))
		return shim_op_call(op, NULL, 0, on_sandbox_lost);
	shim_op_ended(op, shim_number(body, len, 1));
	op->result.status = t ? t->status : 0;
	shim_op_end(op);
}

/* A shim that does not know the call lives too. */
static void on_sandbox_pinged(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	if (e && (e->code == ERR_UNAVAILABLE || e->code == ERR_DEADLINE_EXCEEDED))
		return shim_op_wait_failed(op, e);
	op->tries = 0;
	sandbox_put_id(op);
	sandbox_call(op, "WaitSandbox", 0, on_sandbox_waited);
}

/* A WaitSandbox has no time limit, and a shim that hangs never answers it. */
void shim_sandbox_wait(struct shim_op *op)
{
	sandbox_put_id(op);
	sandbox_call(op, "PingSandbox", ASK_TIMEOUT_MS, on_sandbox_pinged);
}

/* ---- status ---- */

static json_t *text_json(const struct pb_field *f)
{
	struct arena *a = arena_new();
	json_t *j = json_string(pb_text(f, a, INFO_TEXT_MAX)); /* NULL: no UTF-8 */

	arena_free(a);
	return j;
}

/* One entry of the map: 1 key, 2 value. */
static void add_info(json_t *info, const struct pb_field *entry)
{
	struct pb in = pb_inside(entry);
	auto_json json_t *key = NULL, *value = NULL;
	struct pb_field f;

	while (pb_next(&in, &f))
		if (f.number == 1 && !key)
			key = text_json(&f);
		else if (f.number == 2 && !value)
			value = text_json(&f);
	if (key && json_object_size(info) < INFO_MAX)
		json_object_set_new(info, json_string_value(key), value ? json_incref(value) : json_string(""));
}

/* SandboxStatusResponse: 2 pid, 3 state, 4 info. */
static void on_sandbox_status(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct pb r = pb_from(body, e ? 0 : len);
	auto_json json_t *j = own_must(json_object()), *info = own_must(json_object());
	struct pb_field f;

	if (e)
		return on_op_last_answer(op, e, body, len);
	while (pb_next(&r, &f)) {
		if (f.number == 2)
			json_object_set_new(j, "pid", json_integer((json_int_t)(f.value & UINT32_MAX)));
		else if (f.number == 3)
			json_object_set_new(j, "state", text_json(&f));
		else if (f.number == 4)
			add_info(info, &f);
	}
	json_object_set(j, "info", info);
	op->result.out = json_text(op->arena, j);
	op->result.out_len = strlen(op->result.out);
	shim_op_end(op);
}

/* SandboxStatusRequest: 2 verbose. */
static void status_begin(struct shim_op *op)
{
	sandbox_put_id(op);
	pb_put_u64(&op->out, 2, true);
	sandbox_call(op, "SandboxStatus", STATUS_TIMEOUT_MS, on_sandbox_status);
}

struct runtime_op *shim_sandbox_status(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return shim_op_start(shim_op(h, "status", id, status_begin, done, arg));
}

/* ---- delete ---- */

static void sandbox_end_look(struct shim_op *op);

static void on_sandbox_end_look(struct timer *timer)
{
	sandbox_end_look(container_of(timer, struct shim_op, timer));
}

/* A shim whose end is not seen is not forgotten: it is killed, and its program removes what it had. */
static void sandbox_end_look(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	if (!t)
		return shim_op_end(op);
	if (shim_is_dead(t))
		return op->unclean ? shim_op_clean(op, "its sandbox was not stopped") : shim_op_forget(op);
	if (loop_mono_ns() - op->open_ns < (int64_t)END_MS * 1000000)
		return timer_set(&op->timer, END_LOOK_MS, on_sandbox_end_look);
	shim_kill(t);
	shim_op_clean(op, "it was told to end and did not");
}

/* One that has other pods too lives on for them. (ARCHITECTURE H94) */
static void sandbox_end(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	if (t && shim_task_is_shared(t))
		return op->unclean ? shim_op_clean(op, "its sandbox was not stopped") : shim_op_forget(op);
	sm_move(&op->sm, OP_OPEN);
	op->open_ns = loop_mono_ns();
	sandbox_end_look(op);
}

/* A shim that ends may close the connection before its answer. */
static void on_shim_shut(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	if (e && e->code != ERR_UNAVAILABLE && shim_op_lost(op, e))
		return;
	sandbox_end(op);
}

/* One without the API ends by the service Task, as behind its last task. */
static void on_sandbox_shut(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	const struct shim_task *t = shim_op_task(op);

	if (!e || e->code != ERR_UNIMPLEMENTED || (t && shim_task_is_shared(t)))
		return on_shim_shut(op, e, body, len);
	sandbox_put_id(op);
	shim_op_call(op, "Shutdown", ASK_TIMEOUT_MS, on_shim_shut);
}

/* What did not stop is told to end all the same, and its program cleans up behind it. NOT_FOUND of a sandbox whose
 * CreateSandbox was cut off: it may have left something, as a task may. (ARCHITECTURE K62) */
static void on_sandbox_stopped(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	const struct shim_task *t;

	(void)body;
	(void)len;
	op->unclean = e && e->code == ERR_UNAVAILABLE;
	if (op->unclean)
		return sandbox_end(op); /* the runc shim of containerd 1.7 may end before its answer */
	if (shim_op_lost(op, e))
		return;
	t = shim_op_task(op);
	op->unclean = e && e->code != ERR_UNIMPLEMENTED &&
		      (e->code != ERR_NOT_FOUND || (t && t->sent == SHIM_SENT_CREATE));
	if (op->unclean)
		log_warn("shim_sandbox id=%.12s error=%s", op->id, log_quote(e->msg));
	sandbox_put_id(op);
	sandbox_call(op, "ShutdownSandbox", STOP_TIMEOUT_MS, on_sandbox_shut);
}

/* StopSandboxRequest: 2 timeout_secs. Also of one whose end its shim told: that may be false. */
void shim_sandbox_remove(struct shim_op *op)
{
	sandbox_put_id(op);
	pb_put_u64(&op->out, 2, STOP_S);
	sandbox_call(op, "StopSandbox", STOP_TIMEOUT_MS, on_sandbox_stopped);
}
