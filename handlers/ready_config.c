/* ready_config.c - see ready_config.h. */
#include "handlers/ready_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/places.h"
#include "reactor/record_sync.h"
#include "reactor/small_file.h"

const char *ready_config_path(const struct config *config, struct arena *arena)
{
	return arena_printf(arena, "%s/" READY_CONFIG, config->state);
}

static int copy_put(const char *path, const char *text, size_t len)
{
	struct err e;
	int rc = small_file_put(path, text, len, ERR_INTERNAL, &e);

	if (rc < 0)
		log_error("ready_config path=%s error=%s", log_quote(path), log_quote(e.msg));
	return rc;
}

static bool copy_has(const char *path, const char *text, size_t len)
{
	struct err none;
	size_t got;
	auto_free char *has = small_file_read(path, CONFIG_BYTES_MAX, &got, ERR_INTERNAL, &none);

	return has && got == len && memcmp(has, text, len) == 0;
}

void ready_config_keep(const struct config *config, const char *file)
{
	struct arena *a = arena_new();
	const char *durable = arena_printf(a, "%s/" READY_CONFIG, config->root);
	const char *text = arena_printf(a, READY_CONFIG_FIRST "%s\n%s\n", file, config_text_changed(config, a));
	size_t len = strlen(text);

	copy_put(ready_config_path(config, a), text, len);
	if (!copy_has(durable, text, len) && copy_put(durable, text, len) == 0)
		record_sync_note(durable);
	arena_free(a);
}

void ready_config_why_not(const char *why)
{
	const char *fd = getenv(KEEPER_WHY_ENV);
	size_t len = strlen(why);

	if (!fd)
		return; /* started by hand */
	if (write((int)strtol(fd, NULL, 10), why, len < PIPE_BUF ? len : PIPE_BUF) < 0)
		log_warn("keeper_why error=%s", log_quote(strerror(errno)));
}
