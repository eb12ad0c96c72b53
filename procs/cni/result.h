/* result.h - what a CNI plugin answers: a result with addresses, or an error.
 * Spec: CNI 1.1.0, section 5 "result types"; results of 0.2.0 (ip4, ip6) are understood too. */
#ifndef PROCS_CNI_RESULT_H
#define PROCS_CNI_RESULT_H

#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

/* A new reference to a result whose shape was checked; NULL with INTERNAL: what is wrong with it. */
json_t *cni_result_parse(const char *text, size_t len, struct err *e);

/* The addresses of interface ifname (those that name no interface are taken as its), without prefix length, in the
 * arena. The first IPv4 one comes first, the others keep their order: containerd's ip_pref "ipv4", its default. */
struct strings cni_result_ips(const json_t *result, const char *ifname, struct arena *a);

/* Fills e from what a plugin that exited otherwise than with 0 printed: `how` is its status, out its stdout (the error
 * object of the specification), err the end of its stderr, for plugins that print none. One line, bounded; always
 * INTERNAL. */
int cni_result_error(struct err *e, const char *how, const char *out, size_t out_len, const char *err_text,
		     size_t err_len);

#endif
