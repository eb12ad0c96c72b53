/* call.c - see call.h. */
#include "handlers/cli/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "api.pb-c.h"
#include "crisp.pb-c.h"
#include "handlers/cli/json.h"
#include "handlers/cli/message.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { PATIENCE_MS = 120000 };

struct cli_call {
	const ProtobufCMessageDescriptor *output;
	struct arena *own, *arena; /* own: freed with the call; arena: where the response lives */
	struct grpc_request *request;
	void *response;
	cli_call_each *each; /* of a stream */
	cli_call_done *done;
	void *arg;
};

struct method {
	const char *service;
	const ProtobufCMethodDescriptor *d;
};

static struct method find_method(const char *name)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&runtime__v1__runtime_service__descriptor, &runtime__v1__image_service__descriptor,
		&crisp__v1__node__descriptor,
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		const ProtobufCMethodDescriptor *d =
			protobuf_c_service_descriptor_get_method_by_name(services[i], name);

		if (d)
			return (struct method){ services[i]->name, d };
	}
	assert(!"a method of CRI");
	return (struct method){ NULL, NULL };
}

static int64_t call_patience(const struct cli *c, const char *method, const void *request)
{
	static const char *const patient[] = { "PullImage", "ExecSync", "Check", "CheckLayers", "ImportImages",
					       "ExportImages" };

	if (c->timeout_ms)
		return c->timeout_ms;
	for (size_t i = 0; i < sizeof(patient) / sizeof(*patient); i++)
		if (strcmp(method, patient[i]) == 0)
			return 0;
	if (strcmp(method, "StopContainer") == 0)
		return PATIENCE_MS + ((const Runtime__V1__StopContainerRequest *)request)->timeout * 1000;
	return PATIENCE_MS;
}

static void on_call_message(void *arg, const uint8_t *msg, size_t len)
{
	struct cli_call *call = arg;
	ProtobufCAllocator allocator = { arena_take, arena_leave, call->arena };

	call->response = protobuf_c_message_unpack(call->output, &allocator, len, msg);
}

static void on_stream_message(void *arg, const uint8_t *msg, size_t len)
{
	struct cli_call *call = arg;
	ProtobufCMessage *one = protobuf_c_message_unpack(call->output, NULL, len, msg);

	if (!one)
		return;
	call->each(call->arg, one);
	protobuf_c_message_free_unpacked(one, NULL);
}

static void on_call_done(void *arg, const struct err *e)
{
	struct cli_call *call = arg;
	struct err bad;

	if (!e && !call->response && !call->each) {
		err_set(&bad, ERR_INTERNAL, "the answer is no %s", call->output->short_name);
		e = &bad;
	}
	call->done(call->arg, e, e ? NULL : call->response);
	arena_free(call->own);
	free(call);
}

static struct cli_call *call_start(struct cli *c, const char *name, const void *request, struct arena *arena,
				   cli_call_each *each, cli_call_done *done, void *arg)
{
	struct method m = find_method(name);
	struct cli_call *call = new_zero(struct cli_call);
	struct grpc_handlers handlers = { each ? on_stream_message : on_call_message, on_call_done, call };
	auto_free uint8_t *bytes = NULL;
	size_t len;

	assert(((const ProtobufCMessage *)request)->descriptor == m.d->input);
	len = protobuf_c_message_get_packed_size(request);
	bytes = own_must(malloc(len + 1));
	protobuf_c_message_pack(request, bytes);
	call->output = m.d->output;
	call->own = arena_new();
	call->arena = arena ? arena : call->own;
	call->each = each;
	call->done = done;
	call->arg = arg;
	call->request = grpc_request(c->client, arena_printf(call->own, "/%s/%s", m.service, name), bytes, len,
				     each ? 0 : call_patience(c, name, request), &handlers);
	return call;
}

struct cli_call *cli_call_start(struct cli *c, const char *method, const void *request, cli_call_done *done, void *arg)
{
	return call_start(c, method, request, NULL, NULL, done, arg);
}

struct cli_call *cli_call_stream(struct cli *c, const char *method, const void *request, cli_call_each *each,
				 cli_call_done *done, void *arg)
{
	return call_start(c, method, request, NULL, each, done, arg);
}

void cli_call_cancel(struct cli_call *call)
{
	grpc_request_cancel(call->request);
	arena_free(call->own);
	free(call);
}

/* ---- while the program has nothing else to do ---- */

struct waiting {
	struct err *e;
	void *response;
	size_t *left;
};

static void on_wait_answer(void *arg, const struct err *e, const void *response)
{
	struct waiting *w = arg;

	if (e)
		*w->e = *e;
	w->response = (void *)response;
	if (--*w->left == 0)
		loop_stop();
}

void *cli_call(struct cli *c, const char *method, const void *request, struct err *e)
{
	size_t left = 1;
	struct waiting w = { e, NULL, &left };

	call_start(c, method, request, c->arena, NULL, on_wait_answer, &w);
	loop_run();
	return w.response;
}

void **cli_call_all(struct cli *c, const char *method, void *request, size_t n,
		    void (*set)(void *request, void *arg, size_t i), void *arg)
{
	struct waiting *w = arena_zalloc(c->arena, n * sizeof(*w));
	void **responses = arena_zalloc(c->arena, n * sizeof(*responses));
	size_t left = n;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		set(request, arg, i);
		w[i] = (struct waiting){ &e, NULL, &left };
		call_start(c, method, request, c->arena, NULL, on_wait_answer, &w[i]);
	}
	if (n)
		loop_run();
	for (size_t i = 0; i < n; i++)
		responses[i] = w[i].response;
	return responses;
}

/* ---- output ---- */

void cli_print_plainly(const char *text, FILE *to)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		bool c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0; /* U+0080 to U+009f */

		at += c1;
		putc(c1 || (*at < ' ' && *at != '\n' && *at != '\t') || *at == 0x7f ? '?' : *at, to);
	}
}

int cli_fail(const struct cli *c, const struct err *e, const char *fmt, ...)
{
	const char *what, *hint;
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	what = arena_vprintf(c->arena, fmt, ap);
	va_end(ap);
	hint = cli_message_hint(c->address ? c->address : "", e);
	cli_print_plainly(arena_printf(c->arena, "crisp: %s%s%s\n", cli_message(c->arena, what, e), hint ? "; " : "",
				       hint ? hint : ""), stderr);
	return c->failure;
}

int cli_misuse(const char *command, const char *what)
{
	fprintf(stderr, "crisp%s%s: %s\nTry `crisp%s%s --help`.\n", *command ? " " : "", command, what,
		*command ? " " : "", command);
	return EX_USAGE;
}

void cli_print(const void *message)
{
	auto_json json_t *j = cli_json_write(message);

	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
}
