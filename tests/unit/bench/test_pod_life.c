/* test_pod_life.c - the calls of a pod's life, whole and broken at each of them. */
#include "bench/pod_life.h"

#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/bench/cri_server.h"

#define UP_CALLS   "RunPodSandbox CreateContainer StartContainer "
#define DOWN_CALLS "StopContainer StopPodSandbox RemoveContainer RemovePodSandbox "
#define until(cond) \
	for (int turns_ = 0; turns_ < 2000000 && !(cond); turns_++) \
	loop_turn()

static const struct pod_spec spec = {
	.runtime_handler = "crun", .image = "registry/busybox", .log_dir = "/logs", .cgroup_parent = "/pods"
};
static struct grpc_client *client;

struct result {
	int calls;
	struct pod *pod;
	enum err_code code;
	char text[sizeof(struct err)];
};

static void on_done(void *arg, struct pod *p, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->pod = p;
	r->code = e ? e->code : ERR_OK;
	snprintf(r->text, sizeof(r->text), "%s", e ? e->msg : "");
}

static struct pod *up(struct result *r)
{
	struct pod *p = pod_up(client, &spec, "one", on_done, r);

	ok(r->calls == 0);
	until(r->calls);
	ok(r->calls == 1 && r->pod == p);
	return p;
}

static void down(struct pod *p, struct result *r)
{
	pod_down(p, on_done, r);
	ok(r->calls == 0);
	until(r->calls);
	ok(r->calls == 1 && r->pod == p);
}

static void a_whole_life(void)
{
	struct result r = { 0 }, gone = { 0 };
	struct pod *p;

	server_forget();
	p = up(&r);
	ok(r.code == ERR_OK);
	is_str(calls, UP_CALLS);
	is_str(pod_name(p), "one");
	for (int i = 0; i < POD_RPC_COUNT; i++)
		ok((pod_rpc_ns(p, i) > 0) == (i < POD_UP_RPCS));
	down(p, &gone);
	ok(gone.code == ERR_OK);
	is_str(calls, UP_CALLS DOWN_CALLS);
	for (int i = 0; i < POD_RPC_COUNT; i++)
		ok(pod_rpc_ns(p, i) > 0);
	pod_free(p);
}

static void what_is_asked_for(void)
{
	struct result r = { 0 }, gone = { 0 };
	struct pod *p;

	server_forget();
	p = up(&r);
	is_str(run_request->runtime_handler, "crun");
	is_str(run_request->config->metadata->name, "one");
	is_str(run_request->config->log_directory, "/logs");
	is_str(run_request->config->linux->cgroup_parent, "/pods");
	ok(run_request->config->linux->security_context->namespace_options->pid ==
	   RUNTIME__V1__NAMESPACE_MODE__CONTAINER);
	is_str(create_request->pod_sandbox_id, "pod-id");
	is_str(create_request->config->image->image, "registry/busybox");
	is_str(create_request->config->command[0], "sleep");
	ok(create_request->config->linux->security_context->namespace_options->pid ==
	   RUNTIME__V1__NAMESPACE_MODE__CONTAINER);
	is_str(create_request->sandbox_config->metadata->uid, run_request->config->metadata->uid);
	down(p, &gone);
	pod_free(p);
}

/* Whatever came up goes down, and nothing else is asked for. */
static void failed_on_the_way_up(const char *method, const char *down_calls)
{
	struct result r = { 0 }, gone = { 0 };
	struct pod *p;

	server_forget();
	failing = method;
	p = up(&r);
	ok(r.code == ERR_INTERNAL);
	ok(strstr(r.text, "of one: no ") && strstr(r.text, method));
	calls[0] = '\0';
	down(p, &gone);
	ok(gone.code == ERR_OK);
	is_str(calls, down_calls);
	pod_free(p);
}

/* The first error is told, and the rest of the way is gone all the same. */
static void failed_on_the_way_down(const char *method)
{
	struct result r = { 0 }, gone = { 0 };
	struct pod *p;

	server_forget();
	p = up(&r);
	failing = method;
	down(p, &gone);
	ok(gone.code == ERR_INTERNAL && strstr(gone.text, method));
	is_str(calls, UP_CALLS DOWN_CALLS);
	pod_free(p);
}

static void no_server(void)
{
	struct err e;
	struct result r = { 0 }, gone = { 0 };
	struct grpc_client *nobody = grpc_client_new("unix:///nonexistent/cri.sock", &e);
	struct pod *p = pod_up(nobody, &spec, "one", on_done, &r);

	until(r.calls);
	ok(r.code == ERR_UNAVAILABLE);
	down(p, &gone);
	ok(gone.code == ERR_OK);
	pod_free(p);
	grpc_client_free(nobody);
}

int main(void)
{
	struct err e;

	server_start();
	client = grpc_client_new(address, &e);
	a_whole_life();
	what_is_asked_for();
	failed_on_the_way_up("RunPodSandbox", "");
	failed_on_the_way_up("CreateContainer", "StopPodSandbox RemovePodSandbox ");
	failed_on_the_way_up("StartContainer", DOWN_CALLS);
	failed_on_the_way_down("StopContainer");
	failed_on_the_way_down("StopPodSandbox");
	failed_on_the_way_down("RemoveContainer");
	failed_on_the_way_down("RemovePodSandbox");
	no_server();
	server_forget();
	grpc_client_free(client);
	grpc_server_free(server);
	return tap_end();
}
