/* reload.c - see reload.h. Waits on: one child. (ARCHITECTURE K12) */
#include "handlers/reload.h"

#include <string.h>
#include <sys/wait.h>

#include "handlers/config_rpc.h"
#include "reactor/child.h"
#include "reactor/own.h"

enum { CHECK_MS = 10000, WORDS_MAX = 2048 };

static const struct reload_config *reload;
static struct child *checking; /* NULL: none */

void reload_open(const struct reload_config *config)
{
	reload = config;
}

static void reload_refuse(const char *why)
{
	static char text[WORDS_MAX + 128];

	snprintf(text, sizeof(text), "%s was refused by a reload: %s", reload->file, why);
	log_error("reload_refused error=%s", log_quote(why));
	config_rpc_other(text);
}

/* The last line is the reason: a library may have warned before. */
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	char *at;

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	at = strrchr(text, '\n');
	return at ? at + 1 : text;
}

static void on_checked(void *arg, const struct err *e, struct child_result *r)
{
	char words[WORDS_MAX + 1] = "";

	(void)arg;
	checking = NULL;
	if (!e && WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0) {
		config_rpc_other("");
		return reload->go();
	}
	if (e && e->code == ERR_DEADLINE_EXCEEDED)
		snprintf(words, sizeof(words),
			 "look up %s: its file system did not answer, or that of a file that it names", reload->file);
	else
		snprintf(words, sizeof(words), "%s", e ? e->msg : r->err);
	reload_refuse(*words ? last_line(words) : child_status_text(r->status));
}

void reload_start(void)
{
	const char *const argv[] = { reload->crispd, "--check", "--config", reload->file, "--running", reload->ready,
				     NULL };
	struct child_spec spec = { .argv = argv, .stderr_max = WORDS_MAX, .timeout_ms = CHECK_MS,
				   .stage = "config_check" };

	if (!reload->file)
		return reload->go();
	if (checking)
		child_cancel(take_ptr(&checking));
	checking = child_start(&spec, on_checked, NULL);
}
