/* args.h - what CNI plugins are told about a pod: CNI_ARGS and the capability arguments.
 * Spec: CNI CONVENTIONS.md "dynamic plugin specific fields"; names and values as containerd gives them. */
#ifndef PROCS_CNI_ARGS_H
#define PROCS_CNI_ARGS_H

#include <stdint.h>

#include "procs/cni.h"
#include "reactor/json.h"

/* "IgnoreUnknown=1;K8S_POD_NAMESPACE=…", in the arena. NULL with INVALID_ARGUMENT: a value with the separator ";". */
char *cni_args(const struct cni_sandbox *sandbox, struct arena *arena, struct err *e);

/* A new JSON object with all capability arguments of this pod: portMappings (those with a hostPort), dns, bandwidth,
 * cgroupPath, io.kubernetes.cri.pod-annotations. NULL with INVALID_ARGUMENT: a bandwidth annotation that is not a
 * quantity from 1k to 1P. */
json_t *cni_capabilities(const struct cni_sandbox *sandbox, struct err *e);

bool cni_has_host_port(const struct cni_sandbox *sandbox);

/* A Kubernetes quantity ("10M", "1.5Gi", "1e6"), rounded up to a whole number. -1: not a quantity, negative, or over
 * 2^62. */
int64_t cni_quantity(const char *text);

#endif
