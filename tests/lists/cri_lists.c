/* cri_lists.c - sends every list of every CRI request with N entries, and tells how long crispd's loop was held.
 *
 * usage: cri_lists STATE_DIR SANDBOX CONTAINER IMAGE N [METHOD.FIELD]   (only lists whose name begins so)
 *
 * The lists come from the descriptors of the generated protobuf code: every repeated field that a request can reach, so
 * a new field of CRI is tried without a line here. A refused list is tried again with as many entries as the refusal
 * allows. One line a call: METHOD FIELD ENTRIES CODE LONGEST_MS, then OVER where work grows faster than its list, then
 * the error. LONGEST_MS is the CPU time of the call's longest callback. A time alone tells little, because on a machine
 * with other work the same instructions take twice as long. So a call that took over LIMIT_MS is made again in turns
 * with one of a quarter of its entries, up to TRIES times, and each counts by its best time: OVER is more than GROWTH
 * times that of the quarter, and more than LIMIT_MS. n log n is below 5 times, a square 16 times. What a call has made
 * is asked for, listed and removed. Exit status 1: a call was OVER, or crispd did not answer. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "bench/cri_call.h"
#include "reactor/own.h"

enum { DEPTH = 12, LIMIT_MS = 50, TRIES = 8, QUARTER = 4, GROWTH = 8, PATIENCE_MS = 120000, RAW = 16000000 };

typedef const ProtobufCMessageDescriptor message_type;

static const char *state, *sandbox, *container, *image, *only = "";
static size_t n_entries;
static struct grpc_client *client;
static unsigned serial; /* makes the names of pods and containers unique */
static bool failed;

/* ---- the loop's longest callback ---- */

/* Since it was last asked for. */
static double loop_longest_ms(void)
{
	static const char request[] = "GET /debug/loop HTTP/1.0\r\n\r\n", name[] = "{\"cpu_us\":";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char text[4096];
	size_t len = 0;
	ssize_t n = 0;
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *at;

	snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/http.sock", state);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || write(fd, request, sizeof(request) - 1) < 0)
		return -1;
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	at = strstr(text, name);
	return at ? strtod(at + strlen(name), NULL) / 1000 : -1;
}

/* ---- values that the handlers take ---- */

static char *entry_text(struct arena *a, message_type *type, const char *name, size_t i)
{
	static const char *const paths[] = { "container_path", "masked_paths", "readonly_paths" };
	static const char *const known[][2] = {
		{ "host_path", "/dev/null" }, { "page_size", "2MB" }, { "mount_options", "noexec" },
		{ "add_capabilities", "CAP_CHOWN" }, { "drop_capabilities", "CAP_CHOWN" },
		{ "add_ambient_capabilities", "CAP_CHOWN" }, { "servers", "10.0.0.1" }, { "permissions", "r" },
		{ "image_sub_path", "" }, { "host_ip", "" },
	};

	if (strcmp(type->short_name, "CDIDevice") == 0)
		return arena_printf(a, "vendor.com/class=d%zu", i);
	if (strcmp(type->short_name, "SysctlsEntry") == 0 && strcmp(name, "key") == 0)
		return arena_printf(a, "net.ipv4.conf.eth0.x%zu", i);
	for (size_t k = 0; k < sizeof(paths) / sizeof(*paths); k++)
		if (strcmp(paths[k], name) == 0)
			return arena_printf(a, "/x/%zu", i);
	for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
		if (strcmp(known[k][0], name) == 0)
			return (char *)known[k][1];
	return arena_printf(a, "k%zu", i);
}

static char *single_text(struct arena *a, message_type *type, const char *name)
{
	if (strcmp(name, "pod_sandbox_id") == 0)
		return (char *)sandbox;
	if (strcmp(name, "container_id") == 0)
		return (char *)container;
	if (strcmp(type->short_name, "ImageSpec") == 0 && strcmp(name, "image") == 0)
		return (char *)image;
	if (strstr(type->short_name, "Metadata"))
		return arena_printf(a, "lists-%u", serial);
	return NULL;
}

static void *field_at(void *message, const ProtobufCFieldDescriptor *f)
{
	return (char *)message + f->offset;
}

static void *message_new(struct arena *a, message_type *type)
{
	void *m = arena_zalloc(a, type->sizeof_message);

	type->message_init(m);
	return m;
}

/* Every single text, and the messages without which a request is refused at once. */
static void fill(struct arena *a, void *m, message_type *type)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &type->fields[i];
		char *text;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		if (f->type == PROTOBUF_C_TYPE_BOOL &&
		    (strcmp(f->name, "stdout") == 0 || strcmp(f->name, "verbose") == 0))
			*(protobuf_c_boolean *)field_at(m, f) = true;
		if (f->type == PROTOBUF_C_TYPE_STRING && (text = single_text(a, type, f->name)))
			*(char **)field_at(m, f) = text;
		if (f->type == PROTOBUF_C_TYPE_MESSAGE && (strcmp(f->name, "config") == 0 ||
							   strcmp(f->name, "metadata") == 0 ||
							   (strcmp(f->name, "image") == 0 &&
							    strcmp(type->short_name, "Mount") != 0))) {
			void *sub = message_new(a, f->descriptor);

			fill(a, sub, f->descriptor);
			*(void **)field_at(m, f) = sub;
		}
	}
}

static void *element(struct arena *a, message_type *type, size_t i)
{
	void *m = message_new(a, type);

	fill(a, m, type);
	for (unsigned k = 0; k < type->n_fields; k++)
		if (type->fields[k].type == PROTOBUF_C_TYPE_STRING &&
		    type->fields[k].label != PROTOBUF_C_LABEL_REPEATED)
			*(char **)field_at(m, &type->fields[k]) = entry_text(a, type, type->fields[k].name, i);
	return m;
}

static void list_fill(struct arena *a, void *m, message_type *type, const ProtobufCFieldDescriptor *f, size_t n)
{
	bool wide = f->type == PROTOBUF_C_TYPE_INT64 || f->type == PROTOBUF_C_TYPE_UINT64;
	void **at = arena_zalloc(a, (n + 1) * sizeof(*at));

	*(size_t *)((char *)m + f->quantifier_offset) = n;
	*(void **)field_at(m, f) = at;
	for (size_t i = 0; i < n; i++) {
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			at[i] = element(a, f->descriptor, i);
		else if (f->type == PROTOBUF_C_TYPE_STRING)
			at[i] = entry_text(a, type, f->name, i);
		else if (wide)
			((int64_t *)at)[i] = (int64_t)i;
		else
			((int32_t *)at)[i] = (int32_t)i % 65535 + 1;
	}
}

/* ---- one call ---- */

struct place {
	const ProtobufCFieldDescriptor *field[DEPTH];
	message_type *type[DEPTH]; /* the message that field[i] belongs to */
	int depth;
};

static void *request_new(struct arena *a, const struct place *p, size_t n)
{
	void *request = message_new(a, p->type[0]), *m = request;

	fill(a, m, p->type[0]);
	for (int i = 0; i < p->depth - 1; i++) {
		const ProtobufCFieldDescriptor *f = p->field[i];

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			list_fill(a, m, p->type[i], f, 1);
			m = **(void ***)field_at(m, f);
			continue;
		}
		if (!*(void **)field_at(m, f)) {
			void *sub = message_new(a, f->descriptor);

			fill(a, sub, f->descriptor);
			*(void **)field_at(m, f) = sub;
		}
		m = *(void **)field_at(m, f);
	}
	list_fill(a, m, p->type[p->depth - 1], p->field[p->depth - 1], n);
	return request;
}

/* What one call took; of several the best. */
struct took {
	double ms; /* -1: crispd did not say */
	bool ok;
	struct err e;     /* when it was refused */
	size_t allowed_n; /* 0, or as many as the refusal allows */
};

typedef struct took make_call(const void *what, size_t n);

static bool over(double ms, double quarter_ms)
{
	return ms < 0 || (ms > LIMIT_MS && ms > GROWTH * quarter_ms);
}

/* Once; or in turns with a quarter, when it took long. *quarter_ms: its best time, 0 when it was not asked for. */
static struct took best_of(make_call *once, const void *what, size_t n, double *quarter_ms)
{
	struct took best = once(what, n);

	*quarter_ms = 0;
	for (int try = 1; try < TRIES && best.ms > LIMIT_MS && (try < 4 || over(best.ms, *quarter_ms)); try++) {
		double part = once(what, n / QUARTER).ms;
		struct took again = once(what, n);

		if (part >= 0 && (try == 1 || part < *quarter_ms))
			*quarter_ms = part;
		if (again.ms < best.ms)
			best = again;
	}
	return best;
}

static void report(const char *method, const char *where, size_t n, const struct took *t, double quarter_ms)
{
	bool bad = over(t->ms, quarter_ms);

	failed |= bad;
	printf("%s %s %zu %s %.1f%s", method, where, n, t->ok ? "OK" : err_name(t->e.code), t->ms, bad ? " OVER" : "");
	if (quarter_ms > 0)
		printf(" (a quarter: %.1f)", quarter_ms);
	printf("%s%s\n", t->ok ? "" : " ", t->ok ? "" : t->e.msg);
	fflush(stdout);
}

static const void *ask(const char *service, const ProtobufCMethodDescriptor *m, const void *request, struct arena *a,
		       struct err *e)
{
	struct cri_method method = { arena_printf(a, "/%s/%s", service, m->name), m->output };
	const void *response = cri_ask(client, &method, request, a, NULL, e);

	if (!response && e->code == ERR_UNAVAILABLE)
		failed = true;
	return response;
}

/* One call about the object that another call has made: its id in the request's first field; and a selector with the
 * labels that a list of labels has. */
static void ask_about(const char *name, const char *id, struct arena *a)
{
	const ProtobufCServiceDescriptor *s = &runtime__v1__runtime_service__descriptor;
	const ProtobufCMethodDescriptor *m = protobuf_c_service_descriptor_get_method_by_name(s, name);
	const ProtobufCFieldDescriptor *first = &m->input->fields[0];
	void *request = message_new(a, m->input), *filter;
	struct err e = { 0 };

	fill(a, request, m->input);
	if (first->type == PROTOBUF_C_TYPE_STRING) {
		*(char **)field_at(request, first) = (char *)id;
	} else {
		filter = message_new(a, first->descriptor);
		list_fill(a, filter, first->descriptor,
			  protobuf_c_message_descriptor_get_field_by_name(first->descriptor, "label_selector"),
			  n_entries);
		*(void **)field_at(request, first) = filter;
	}
	if (!ask(s->name, m, request, a, &e)) {
		report(name, "after", n_entries, &(struct took){ .ms = loop_longest_ms(), .e = e }, 0);
		failed = true;
	}
}

/* Asks about the pod or container that a call has made, and removes it. */
static void look_and_remove(const void *response, struct arena *a)
{
	static const char *const pod[] = { "PodSandboxStatus", "ListPodSandbox", "RemovePodSandbox" };
	static const char *const ctr[] = { "ContainerStatus", "ListContainers", "RemoveContainer" };
	message_type *type = ((const ProtobufCMessage *)response)->descriptor;

	for (size_t i = 0; i < 3; i++) {
		if (type == &runtime__v1__run_pod_sandbox_response__descriptor)
			ask_about(pod[i], ((const Runtime__V1__RunPodSandboxResponse *)response)->pod_sandbox_id, a);
		else if (type == &runtime__v1__create_container_response__descriptor)
			ask_about(ctr[i], ((const Runtime__V1__CreateContainerResponse *)response)->container_id, a);
	}
}

static const char *place_text(struct arena *a, const struct place *p)
{
	const char *text = p->field[0]->name;

	for (int i = 1; i < p->depth; i++)
		text = arena_printf(a, "%s.%s", text, p->field[i]->name);
	return text;
}

/* "... %zu entries; N are allowed": N, or 0. */
static size_t allowed(const struct err *e)
{
	const char *at = strstr(e->msg, " entries; ");

	return at ? strtoul(at + strlen(" entries; "), NULL, 10) : 0;
}

struct list {
	const char *service;
	const ProtobufCMethodDescriptor *method;
	const struct place *place;
};

/* With the calls about what it has made. */
static struct took list_once(const void *what, size_t n)
{
	const struct list *l = what;
	struct arena *a = arena_new();
	struct took t = { 0 };
	const void *response;

	serial++;
	loop_longest_ms();
	response = ask(l->service, l->method, request_new(a, l->place, n), a, &t.e);
	if (response)
		look_and_remove(response, a);
	t.ms = loop_longest_ms();
	t.ok = response != NULL;
	t.allowed_n = response || n != n_entries ? 0 : allowed(&t.e);
	arena_free(a);
	return t;
}

static void try_list(const char *service, const ProtobufCMethodDescriptor *m, const struct place *p)
{
	struct arena *a = arena_new();
	const char *where = place_text(a, p);
	bool wanted = strncmp(arena_printf(a, "%s.%s", m->name, where), only, strlen(only)) == 0;

	for (size_t n = n_entries; wanted && n;) {
		double quarter_ms;
		struct took t = best_of(list_once, &(struct list){ service, m, p }, n, &quarter_ms);

		report(m->name, where, n, &t, quarter_ms);
		n = t.allowed_n;
	}
	arena_free(a);
}

static void try_type(const char *service, const ProtobufCMethodDescriptor *m, struct place *p, message_type *type)
{
	if (p->depth == DEPTH)
		return;
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &type->fields[i];

		p->field[p->depth] = f;
		p->type[p->depth++] = type;
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			try_list(service, m, p);
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			try_type(service, m, p, f->descriptor);
		p->depth--;
	}
}

/* ---- bytes that no client writes ---- */

/* A length of four bytes. */
static size_t put_length(uint8_t *at, size_t n)
{
	at[0] = (uint8_t)(n | 0x80);
	at[1] = (uint8_t)(n >> 7 | 0x80);
	at[2] = (uint8_t)(n >> 14 | 0x80);
	at[3] = (uint8_t)(n >> 21);
	return 4;
}

/* A config that is one unit again and again; or, `apart`, a config of one unit again and again. */
struct raw {
	const char *what;
	const uint8_t *unit;
	size_t len;
	bool apart, packed;
};

/* linux(15).security_context(2).supplemental_groups(8), packed: one byte a group. */
static uint8_t *put_packed(uint8_t *at, size_t n)
{
	at += put_length(at, n + 15);
	*at++ = 15 << 3 | 2;
	at += put_length(at, n + 10);
	*at++ = 2 << 3 | 2;
	at += put_length(at, n + 5);
	*at++ = 8 << 3 | 2;
	return at + put_length(at, n);
}

/* A CreateContainer whose field 2, config, has these bytes. A message with unknown fields is packed as they are, so it
 * can carry any bytes. */
static struct took raw_once(const void *what, size_t n)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/CreateContainer",
						  &runtime__v1__create_container_response__descriptor };
	Runtime__V1__CreateContainerRequest request = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	const struct raw *r = what;
	struct arena *a = arena_new();
	size_t times = r->apart ? n : 1, units = r->apart ? 1 : n;
	uint8_t *bytes = arena_zalloc(a, units * r->len + 20);
	uint8_t *at = r->packed ? put_packed(bytes, n) : bytes + put_length(bytes, units * r->len);
	ProtobufCMessageUnknownField *fields = arena_zalloc(a, times * sizeof(*fields));
	struct took t = { 0 };

	for (size_t i = 0; i < units; i++, at += r->len)
		memcpy(at, r->unit, r->len);
	for (size_t i = 0; i < times; i++)
		fields[i] = (ProtobufCMessageUnknownField){ 2, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
							    (size_t)(at - bytes), bytes };
	request.pod_sandbox_id = (char *)sandbox;
	request.base.n_unknown_fields = (unsigned)times;
	request.base.unknown_fields = fields;
	loop_longest_ms();
	t.ok = cri_ask(client, &method, &request, a, NULL, &t.e) != NULL;
	t.ms = loop_longest_ms();
	arena_free(a);
	return t;
}

static void try_all_bytes(void)
{
	/* Each of the last ones has one label: a parser that merges them copies the labels so far each time. */
	static const uint8_t words[] = { 4 << 3 | 2, 0 }, unknown[] = { 0x98, 0x06, 1 }, image_[] = { 2 << 3 | 2, 0 },
			     group[] = { 0 }, label[] = { 9 << 3 | 2, 2, 1 << 3 | 2, 0 };
	const struct raw all[] = {
		{ "empty-words", words, sizeof(words), false, false },
		{ "unknown-fields", unknown, sizeof(unknown), false, false },
		{ "image-again-and-again", image_, sizeof(image_), false, false },
		{ "packed-groups", group, sizeof(group), false, true },
		{ "config-again-and-again", label, sizeof(label), true, false },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		size_t n = all[i].apart ? n_entries : RAW / all[i].len;
		double quarter_ms;
		struct took t = best_of(raw_once, &all[i], n, &quarter_ms);

		report("CreateContainer", all[i].what, n, &t, quarter_ms);
	}
}

int main(int argc, char **argv)
{
	static const ProtobufCServiceDescriptor *const services[] = { &runtime__v1__runtime_service__descriptor,
								     &runtime__v1__image_service__descriptor };
	char address[200];
	struct err e;

	if (argc < 6 || argc > 7) {
		fprintf(stderr, "usage: %s STATE_DIR SANDBOX CONTAINER IMAGE N [METHOD.FIELD]\n", argv[0]);
		return 64;
	}
	state = argv[1];
	sandbox = argv[2];
	container = argv[3];
	image = argv[4];
	only = argc > 6 ? argv[6] : "";
	n_entries = strtoul(argv[5], NULL, 10);
	snprintf(address, sizeof(address), "unix://%s/crisp.sock", state);
	client = grpc_client_new(address, &e);
	cri_timeout(PATIENCE_MS);
	loop_longest_ms();
	for (size_t s = 0; s < 2; s++)
		for (unsigned i = 0; i < services[s]->n_methods; i++) {
			struct place p = { .depth = 0 };

			try_type(services[s]->name, &services[s]->methods[i], &p, services[s]->methods[i].input);
		}
	if (!*only)
		try_all_bytes();
	grpc_client_free(client);
	return failed;
}
