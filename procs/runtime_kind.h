/* runtime_kind.h - between runtime.c and the kinds of runtimes: what each kind implements. The contract of the
 * operations, and what a kind guarantees, stand in runtime.h. */
#ifndef PROCS_RUNTIME_KIND_H
#define PROCS_RUNTIME_KIND_H

#include "procs/runtime.h"
#include "reactor/arena.h"
#include "reactor/json.h"

/* Each kind's operation begins with it. */
struct runtime_op {
	const struct runtime_kind *kind;
};

struct runtime_kind {
	const char *type;
	/* A handler as it is from now on, in the arena; NULL with INVALID_ARGUMENT or INTERNAL. */
	const struct runtime_handler *(*make)(const struct runtime_handler *handler, struct err *e);
	int (*usable)(const struct runtime_handler *handler, struct err *e);
	bool (*knows)(const struct runtime_handler *handler, const char *id);
	bool (*may_have_run)(const struct runtime_handler *handler, const char *id); /* NULL: as knows() */
	bool (*take_up)(const struct runtime_handler *handler, const char *id, pid_t *pid); /* NULL: false */
	void (*features)(const struct runtime_handler *handler, struct runtime_features *out); /* has the fallback's */
	const char *(*warning)(const struct runtime_handler *handler); /* NULL: no fault of it is known */
	/* NULL: any container. Else NULL is the answer for a container that the kind takes, or a reason. */
	const char *(*refuses)(const json_t *config, struct arena *arena, const char **what);
	struct runtime_op *(*run)(const struct runtime_handler *handler, const char *id, const char *bundle,
				  const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg);
	struct runtime_op *(*exec)(const struct runtime_handler *handler, const struct runtime_exec *exec,
				   const struct runtime_stdio *io, runtime_done *done, void *arg);
	struct runtime_op *(*remove)(const struct runtime_handler *handler, const char *id, bool force,
				     runtime_done *done, void *arg);
	struct runtime_op *(*update)(const struct runtime_handler *handler, const char *id, const char *cgroup,
				     const char *resources_json, runtime_done *done, void *arg);
	struct runtime_op *(*pause)(const struct runtime_handler *handler, const char *id, runtime_done *done,
				    void *arg);
	struct runtime_op *(*resume)(const struct runtime_handler *handler, const char *id, runtime_done *done,
				     void *arg);
	struct runtime_op *(*checkpoint)(const struct runtime_handler *handler, const char *id,
					 const struct runtime_images *images, runtime_done *done, void *arg);
	struct runtime_op *(*restore)(const struct runtime_handler *handler, const char *id, const char *bundle,
				      const char *cgroup, const struct runtime_images *images,
				      const struct runtime_stdio *io, runtime_done *done, void *arg);
	void (*cancel)(struct runtime_op *op);
	/* NULL: the kind has no handler with a trait. Else what it has is told by `traits`. */
	unsigned (*traits)(const struct runtime_handler *handler);
	struct runtime_op *(*run_sandbox)(const struct runtime_handler *handler, const struct runtime_sandbox *sandbox,
					  runtime_done *done, void *arg);
	struct runtime_op *(*wait)(const struct runtime_handler *handler, const char *id, runtime_done *done,
				   void *arg);
	struct runtime_op *(*kill)(const struct runtime_handler *handler, const char *id, int sig, bool all,
				   runtime_done *done, void *arg);
	struct runtime_op *(*exec_kill)(const struct runtime_handler *handler, const char *id, const char *pidfile,
					runtime_done *done, void *arg);
	struct runtime_op *(*exec_wait)(const struct runtime_handler *handler, const char *id, const char *keep_id,
					runtime_done *done, void *arg);
	struct runtime_op *(*resize)(const struct runtime_handler *handler, const char *id, const char *keep_id,
				     uint16_t width, uint16_t height, runtime_done *done, void *arg);
	struct runtime_op *(*close_stdin)(const struct runtime_handler *handler, const char *id, const char *keep_id,
					  runtime_done *done, void *arg);
	struct runtime_op *(*sandbox_status)(const struct runtime_handler *handler, const char *sandbox_id,
					     runtime_done *done, void *arg);
	struct runtime_op *(*stats)(const struct runtime_handler *handler, const char *id, runtime_done *done,
				    void *arg);
	int (*usage)(const char *answer, size_t len, struct runtime_usage *out, struct err *e);
	struct runtime_op *(*forward)(const struct runtime_handler *handler, const char *sandbox_id,
				      const char *socket, uint16_t port, runtime_done *done, void *arg);
};

extern const struct runtime_kind oci_kind, native_kind, shim_kind;

#endif
