/* err.h - one error, carried unchanged from the failed syscall to the gRPC trailer.
 *
 * The values are gRPC's own status codes, so no layer needs a mapping table.
 * The function that knows what the failure means to the caller of the RPC picks the
 * code. There is one exception: an INTERNAL or INVALID_ARGUMENT of err_os() becomes
 * RESOURCE_EXHAUSTED where errno says that disk, descriptors or memory are used up: that
 * says nothing about the request. (ARCHITECTURE H40)
 * NOT_FOUND is kept for the object the request names: callers read it as "already gone"
 * and stop asking. */
#ifndef REACTOR_ERR_H
#define REACTOR_ERR_H

#define ERR_CODES(X) \
	X(OK, 0) X(CANCELLED, 1) X(UNKNOWN, 2) X(INVALID_ARGUMENT, 3) X(DEADLINE_EXCEEDED, 4) \
	X(NOT_FOUND, 5) X(ALREADY_EXISTS, 6) X(PERMISSION_DENIED, 7) X(RESOURCE_EXHAUSTED, 8) \
	X(FAILED_PRECONDITION, 9) X(ABORTED, 10) X(UNIMPLEMENTED, 12) X(INTERNAL, 13) \
	X(UNAVAILABLE, 14) X(DATA_LOSS, 15) X(UNAUTHENTICATED, 16)

enum err_code {
#define X(name, value) ERR_##name = (value),
	ERR_CODES(X)
#undef X
};

struct err {
	enum err_code code;
	/* NULL, or a static prefix that clients match ("RegistryUnavailable"); grpc_fail() puts it before the
	 * message */
	const char *reason;
	/* one line, outermost context first; on overflow the outermost context is dropped, never the cause */
	char msg[1024 - sizeof(enum err_code) - sizeof(char *)];
};

/* A fresh error has no reason. All three return -1, so that `return err_set(e, ...)` reads as one act. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_os(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *err_name(enum err_code code);

#endif
