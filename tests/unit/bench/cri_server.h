/* cri_server.h - a CRI server in the test's own process: it remembers who was called and fails what it is told to. */
#ifndef TESTS_UNIT_BENCH_CRI_SERVER_H
#define TESTS_UNIT_BENCH_CRI_SERVER_H

#include <stdio.h>
#include <string.h>

#include "api.pb-c.h"
#include "reactor/grpc.h"
#include "reactor/loop.h"

static struct grpc_server *server;
static char address[64];
static char calls[1024];         /* method names, with a space after each */
static const char *failing = ""; /* the method that is refused */
static int unready;              /* how many Status calls still say that there is no network */
static Runtime__V1__RunPodSandboxRequest *run_request;
static Runtime__V1__CreateContainerRequest *create_request;

static void reply(struct grpc_call *c, const void *message)
{
	uint8_t bytes[512];

	grpc_reply(c, bytes, protobuf_c_message_pack(message, bytes));
}

static void reply_status(struct grpc_call *c)
{
	Runtime__V1__RuntimeCondition runtime = RUNTIME__V1__RUNTIME_CONDITION__INIT, network = runtime;
	Runtime__V1__RuntimeCondition *conditions[] = { &runtime, &network };
	Runtime__V1__RuntimeStatus status = RUNTIME__V1__RUNTIME_STATUS__INIT;
	Runtime__V1__StatusResponse r = RUNTIME__V1__STATUS_RESPONSE__INIT;

	runtime.type = "RuntimeReady";
	runtime.status = 1;
	network.type = "NetworkReady";
	network.status = unready-- <= 0;
	status.n_conditions = 2;
	status.conditions = conditions;
	r.status = &status;
	reply(c, &r);
}

static void on_call(void *arg, struct grpc_call *c, const char *path, const uint8_t *msg, size_t len)
{
	const char *method = strrchr(path, '/') + 1;
	Runtime__V1__RunPodSandboxResponse pod = RUNTIME__V1__RUN_POD_SANDBOX_RESPONSE__INIT;
	Runtime__V1__CreateContainerResponse container = RUNTIME__V1__CREATE_CONTAINER_RESPONSE__INIT;
	struct err e;

	(void)arg;
	strcat(strcat(calls, method), " ");
	if (strcmp(method, failing) == 0) {
		err_set(&e, ERR_INTERNAL, "no %s today", method);
		return grpc_fail(c, &e);
	}
	if (strcmp(method, "RunPodSandbox") == 0) {
		run_request = runtime__v1__run_pod_sandbox_request__unpack(NULL, len, msg);
		pod.pod_sandbox_id = "pod-id";
		return reply(c, &pod);
	}
	if (strcmp(method, "CreateContainer") == 0) {
		create_request = runtime__v1__create_container_request__unpack(NULL, len, msg);
		container.container_id = "container-id";
		return reply(c, &container);
	}
	if (strcmp(method, "Status") == 0)
		return reply_status(c);
	grpc_reply(c, (const uint8_t *)"", 0); /* the responses without a field */
}

static void server_start(void)
{
	struct err e;

	server = grpc_server_new(on_call, NULL);
	if (grpc_server_listen(server, "tcp://127.0.0.1:0", &e) < 0)
		printf("Bail out! %s\n", e.msg);
	snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", grpc_server_port(server));
}

static void server_forget(void)
{
	calls[0] = '\0';
	failing = "";
	if (run_request)
		runtime__v1__run_pod_sandbox_request__free_unpacked(run_request, NULL);
	if (create_request)
		runtime__v1__create_container_request__free_unpacked(create_request, NULL);
	run_request = NULL;
	create_request = NULL;
}

#endif
