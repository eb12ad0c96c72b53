/* services.h - what crispd serves: every method of services.def, and where each is implemented. */
#ifndef HANDLERS_SERVICES_H
#define HANDLERS_SERVICES_H

#include "handlers/rpc.h"

/* Opens rpc.h with the methods of services.def; the result is the function for grpc_server_new(). */
grpc_fn *services_open(void);

/* config_rpc.c */
rpc_handler rpc_version, rpc_status, rpc_runtime_config, rpc_update_runtime_config, rpc_configuration;
/* sandbox_rpc.c */
rpc_handler rpc_run_pod_sandbox, rpc_stop_pod_sandbox, rpc_remove_pod_sandbox, rpc_pod_sandbox_status,
	rpc_list_pod_sandbox, rpc_stream_pod_sandboxes;
/* The sandbox that a request names. NULL: there is none, and the rpc was answered: NOT_FOUND, or INVALID_ARGUMENT for
 * an empty id. */
struct sandbox;
struct sandbox *rpc_sandbox(struct rpc *rpc, const char *id);
/* container_rpc.c */
rpc_handler rpc_create_container, rpc_start_container, rpc_stop_container, rpc_remove_container,
	rpc_reopen_container_log;
/* The container that a request names; NULL as for rpc_sandbox(). */
struct container;
struct container *rpc_container(struct rpc *rpc, const char *id);
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
/* check_rpc.c, check_layers_rpc.c */
rpc_handler rpc_check, rpc_check_layers;
/* why_rpc.c */
rpc_handler rpc_why;
/* collect_rpc.c */
rpc_handler rpc_collect;
/* archive_rpc.c */
rpc_handler rpc_import_images, rpc_export_images;
/* events_rpc.c */
rpc_handler rpc_get_container_events;
/* Ends the stream of every client with OK. These streams never end by themselves and would hold up a drain. */
void events_rpc_close(void);
/* update_rpc.c */
rpc_handler rpc_update_container_resources, rpc_update_pod_sandbox_resources;
/* checkpoint_rpc.c */
rpc_handler rpc_checkpoint_container;
/* containerd_rpc.c */
rpc_handler rpc_containerd_version, rpc_containerd_container, rpc_containerd_task;

#endif
