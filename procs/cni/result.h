/* result.h - what a CNI plugin answers: a result with addresses, or an error.
 * Spec: CNI 1.1.0, section 5 "result types"; results of 0.2.0 (ip4, ip6) are read too. */
#ifndef PROCS_CNI_RESULT_H
#define PROCS_CNI_RESULT_H

#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

/* A new reference to a result whose shape was checked. NULL with INTERNAL: what is wrong with the result. */
json_t *cni_result_parse(const char *text, size_t len, struct err *e);

/* The addresses of interface ifname, without prefix length, in the arena. An address that names no interface counts as
 * one of ifname. The first IPv4 address is moved to the front and the others keep their order, as containerd does by
 * default (ip_pref "ipv4"). */
struct strings cni_result_ips(const json_t *result, const char *ifname, struct arena *arena);

/* Fills e from the output of a plugin whose exit status is not 0. `how` is the status in words; `out` is its stdout,
 * which by the specification is an error object; `err_text` is the end of its stderr, for plugins that print no such
 * object. The text is one bounded line, the code always INTERNAL. */
int cni_result_error(struct err *e, const char *how, const char *out, size_t out_len, const char *err_text,
		     size_t err_len);

#endif
