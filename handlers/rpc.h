/* rpc.h - one table from gRPC path to function: decode, call, encode; an arena, a log line and a count per call.
 *
 * A handler gets the decoded request, which lives as long as the rpc, and answers now or later by rpc_reply() or
 * rpc_fail(), exactly once. An operation that outlives its client answers all the same: the answer goes nowhere. */
#ifndef HANDLERS_RPC_H
#define HANDLERS_RPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/grpc.h"

struct rpc; /* gone once it was answered */

/* request: the generated struct of the method's input type */
typedef void rpc_handler(struct rpc *r, const void *request);

struct rpc_method {
	const ProtobufCServiceDescriptor *service;
	const ProtobufCMethodDescriptor *descriptor;
	rpc_handler *fn; /* NULL: Unimplemented */
	const char *path; /* "/runtime.v1.RuntimeService/Version" */
};

/* Builds the table; the result is the function for grpc_server_new(). */
grpc_fn *rpc_open(void);
const struct rpc_method *rpc_method(const char *path); /* NULL: unknown */

/* Nothing but Version and Status is served until then: the others answer UNAVAILABLE "starting". */
void rpc_serve(void);

/* message: of the method's output type. */
void rpc_reply(struct rpc *r, const void *message);
void rpc_reply_packed(struct rpc *r, const uint8_t *bytes, size_t n); /* encoded already */
void rpc_fail(struct rpc *r, const struct err *e);

/* A server stream: any number of messages, then rpc_finish() (status OK) or rpc_fail(). What the reader has not taken
 * is queued without bound: ask rpc_queued(), bytes, and wait for on_space, which runs once when it fell to 0, never
 * inside the call and never once the client is gone. */
void rpc_send(struct rpc *r, const void *message);
void rpc_send_packed(struct rpc *r, const uint8_t *bytes, size_t n); /* a message of the output type, encoded already */
size_t rpc_queued(const struct rpc *r);
void rpc_on_space(struct rpc *r, void (*fn)(void *arg), void *arg);
void rpc_finish(struct rpc *r);

const ProtobufCMessageDescriptor *rpc_output(const struct rpc *r); /* the method's output type */

/* fn runs at most once, in a turn of its own, when the client left before the answer; the rpc must still be
 * answered. */
void rpc_on_gone(struct rpc *r, void (*fn)(void *arg), void *arg);

struct arena *rpc_arena(struct rpc *r);

/* An operation that several calls may wait for: `struct link waiters` of struct rpc. */
struct link *rpc_link(struct rpc *r);
void rpc_reply_all(struct link *waiters, const void *message);
void rpc_fail_all(struct link *waiters, const struct err *e);

/* Calls in flight, oldest first, for /debug. */
void rpc_each(void (*fn)(void *arg, const char *method, int64_t age_ns), void *arg);

/* config_rpc.c */
rpc_handler rpc_version, rpc_status, rpc_runtime_config, rpc_update_runtime_config;
/* sandbox_rpc.c */
rpc_handler rpc_run_pod_sandbox, rpc_stop_pod_sandbox, rpc_remove_pod_sandbox, rpc_pod_sandbox_status,
	rpc_list_pod_sandbox, rpc_stream_pod_sandboxes;
/* The sandbox that a request names, or NULL and the rpc was answered, as below. */
struct sandbox;
struct sandbox *rpc_sandbox(struct rpc *r, const char *id);
/* container_rpc.c */
rpc_handler rpc_create_container, rpc_start_container, rpc_stop_container, rpc_remove_container,
	rpc_reopen_container_log;
/* The container that a request names, or NULL and the rpc was answered: NOT_FOUND, INVALID_ARGUMENT for "". */
struct container;
struct container *rpc_container(struct rpc *r, const char *id);
/* container_list_rpc.c */
rpc_handler rpc_list_containers, rpc_stream_containers, rpc_container_status;
/* exec_rpc.c */
rpc_handler rpc_exec_sync, rpc_exec, rpc_attach, rpc_port_forward;
/* image_rpc.c */
rpc_handler rpc_list_images, rpc_stream_images, rpc_image_status, rpc_pull_image, rpc_remove_image, rpc_image_fs_info;
/* stats_rpc.c */
rpc_handler rpc_container_stats, rpc_list_container_stats, rpc_stream_container_stats, rpc_pod_sandbox_stats,
	rpc_list_pod_sandbox_stats, rpc_stream_pod_sandbox_stats;
/* metrics_rpc.c */
rpc_handler rpc_list_metric_descriptors, rpc_list_pod_sandbox_metrics, rpc_stream_pod_sandbox_metrics;
/* events_rpc.c */
rpc_handler rpc_get_container_events;
/* ends every client's stream with OK: a stream that never ends by itself must not hold up a drain */
void events_rpc_close(void);
/* update_rpc.c */
rpc_handler rpc_update_container_resources, rpc_update_pod_sandbox_resources;
/* checkpoint_rpc.c */
rpc_handler rpc_checkpoint_container;
/* containerd_rpc.c */
rpc_handler rpc_containerd_version, rpc_containerd_container, rpc_containerd_task;

#endif
