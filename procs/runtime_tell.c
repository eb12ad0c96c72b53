/* runtime_tell.c - see runtime_tell.h. */
#include "procs/runtime_tell.h"

#include <string.h>

#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* arg: the container's id, which the container need not outlive. */
static void on_runtime_told(void *arg, const struct err *e, struct child_result *r)
{
	auto_free char *container = arg;

	(void)r;
	if (e)
		log_info("runtime_streams container=%.12s error=%s", container, log_quote(e->msg));
}

void runtime_tell_size(const struct runtime_handler *h, const char *container, const char *keep_id, uint16_t width,
		       uint16_t height)
{
	runtime_resize(h, container, keep_id, width, height, on_runtime_told, own_must(strdup(container)));
}

void runtime_tell_input_end(const struct runtime_handler *h, const char *container, const char *keep_id)
{
	runtime_close_stdin(h, container, keep_id, on_runtime_told, own_must(strdup(container)));
}
