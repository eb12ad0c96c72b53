/* installed.c - see installed.h.
 *
 *   LOOK ---directory and configurations read---> BEGIN ---each is synchronized or given up---> `done`
 *
 * A plugin is a child of the keeper with a socket as fd 3; it is killed when this process ends, and started again by
 * the next crispd. One that ends by itself is not started again. Waits on: the look-up, plugins' begin. */
#include "handlers/nri/installed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/nri/event.h"
#include "handlers/nri/plugin.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/lookup.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { SOCKET_FD = 3, CONFIG_MAX = 1 << 18, STDERR_MAX = 4096 };

struct installed {
	struct link link;
	char *name; /* "10-logger" */
	struct child *child;
};

static struct {
	const struct nri_config *config;
	struct lookup *lookup;
	struct link plugins; /* of struct installed.link */
	size_t pending;
	struct timer timer;
	void (*done)(void *arg);
	void *arg;
} all = { .plugins = { &all.plugins, &all.plugins } };

static void on_all_begun(struct timer *t)
{
	(void)t;
	all.done(all.arg);
}

static void one_begun(void)
{
	if (--all.pending == 0)
		timer_set(&all.timer, 0, on_all_begun);
}

static void on_begun(void *arg, const struct err *e)
{
	(void)arg;
	(void)e; /* the end of a plugin is logged where it ends */
	one_begun();
}

static void on_child_end(void *arg, const struct err *e, struct child_result *r)
{
	struct installed *i = arg;

	log_warn("nri_plugin_ended plugin=%s how=%s stderr=%s", log_quote(i->name),
		 log_quote(e ? e->msg : child_status_text(r->status)), log_quote(r->err));
	list_drop(&i->link);
	free(i->name);
	free(i);
}

static void installed_drop(struct installed *i)
{
	child_cancel(i->child);
	list_drop(&i->link);
	free(i->name);
	free(i);
}

/* One that is not used any more is not left running. */
static void on_ended(const char *name)
{
	list_each(l, &all.plugins) {
		struct installed *i = container_of(l, struct installed, link);

		if (strcmp(i->name, name) == 0)
			return installed_drop(i);
	}
}

static void begin(const char *name, const char *text)
{
	char idx[3] = { name[0], name[1], '\0' };
	struct arena *a = arena_new();
	const char *const argv[] = { arena_printf(a, "%s/%s", all.config->plugin_path, name), NULL };
	const char *const envp[] = { arena_printf(a, "NRI_PLUGIN_NAME=%s", name + 3),
				     arena_printf(a, "NRI_PLUGIN_IDX=%s", idx), "NRI_PLUGIN_SOCKET=3",
				     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("nri_plugin plugin=%s error=\"socketpair: %s\"", log_quote(name), strerror(errno));
	} else {
		struct child_fd fd = { pair[1], SOCKET_FD };
		struct child_spec spec = { .argv = argv, .envp = envp, .fds = &fd, .nfds = 1,
					   .stderr_max = STDERR_MAX };
		struct installed *i = new_zero(struct installed);
		struct nri_plugin_config config = { idx, name + 3, text, on_begun, NULL, on_ended };

		i->name = own_must(strdup(name));
		list_append(&all.plugins, &i->link);
		i->child = child_start(&spec, on_child_end, i);
		close(pair[1]);
		all.pending++;
		if (!nri_plugin_open(pair[0], &config))
			one_begun();
	}
	arena_free(a);
}

/* "NN-NAME". */
static bool is_plugin(const char *name)
{
	const char idx[3] = { name[0], name[0] ? name[1] : '\0', '\0' };

	return nri_good_idx(idx) && name[2] == '-' && nri_good_name(name + 3);
}

static void on_looked(void *arg, const struct err *e);

/* "": it has no file. NULL: it cannot be read. */
static const char *config_text_of(const char *name, struct arena *a, struct err *e)
{
	const char *const paths[] = { arena_printf(a, "%s/%s.conf", all.config->config_path, name),
				      arena_printf(a, "%s/%s.conf", all.config->config_path, name + 3) };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		size_t len;
		auto_free char *text = lookup_read(all.lookup, paths[i], CONFIG_MAX, &len, ERR_INTERNAL, e);

		if (text)
			return arena_strdup(a, text);
		if (!lookup_missing(all.lookup, LOOKUP_TEXT, paths[i]))
			return NULL;
	}
	return "";
}

/* false: another round of the look-up is needed. */
static bool look(struct strings *names, struct arena *a, struct err *e)
{
	const struct looked *dir;

	lookup_add(all.lookup, LOOKUP_DIR, all.config->plugin_path);
	dir = lookup_try(all.lookup) ? lookup_get(all.lookup, LOOKUP_DIR, all.config->plugin_path, e) : NULL;
	if (!dir)
		return false;
	*names = (struct strings){ 0 };
	e->code = ERR_OK;
	errno = dir->error;
	if (dir->error && dir->error != ENOENT)
		err_os(e, ERR_INTERNAL, "%s", all.config->plugin_path);
	if (dir->error || lookup_names(dir, all.config->plugin_path, names, a, e) < 0)
		return true;
	for (size_t i = 0; i < names->n; i++)
		if (is_plugin(names->at[i])) {
			lookup_add(all.lookup, LOOKUP_TEXT,
				   arena_printf(a, "%s/%s.conf", all.config->config_path, names->at[i]));
			lookup_add(all.lookup, LOOKUP_TEXT,
				   arena_printf(a, "%s/%s.conf", all.config->config_path, names->at[i] + 3));
		}
	return lookup_try(all.lookup);
}

static void start(void)
{
	struct arena *a = arena_new();
	struct strings names;
	struct err e;

	if (!look(&names, a, &e)) {
		arena_free(a);
		return lookup_start(all.lookup, on_looked, NULL);
	}
	if (e.code != ERR_OK)
		log_error("nri_plugins error=%s", log_quote(e.msg));
	for (size_t i = 0; i < names.n; i++) {
		const char *text = is_plugin(names.at[i]) ? config_text_of(names.at[i], a, &e) : "";

		if (!is_plugin(names.at[i]))
			log_warn("nri_plugin_ignored file=%s reason=\"its name is not NN-NAME\"",
				 log_quote(names.at[i]));
		else if (!text)
			log_error("nri_plugin plugin=%s error=%s", log_quote(names.at[i]), log_quote(e.msg));
		else
			begin(names.at[i], text);
	}
	arena_free(a);
	lookup_free(take_ptr(&all.lookup));
	one_begun();
}

static void on_looked(void *arg, const struct err *e)
{
	(void)arg;
	if (!e)
		return start();
	log_error("nri_plugins error=%s", log_quote(e->msg));
	lookup_free(take_ptr(&all.lookup));
	one_begun();
}

void nri_installed_start(const struct nri_config *config, void (*done)(void *arg), void *arg)
{
	all.config = config;
	all.done = done;
	all.arg = arg;
	all.pending = 1; /* start() */
	all.lookup = lookup_new("nri");
	start();
}

void nri_installed_stop(void)
{
	lookup_free(take_ptr(&all.lookup));
	timer_clear(&all.timer);
	while (!list_empty(&all.plugins))
		installed_drop(container_of(list_first(&all.plugins), struct installed, link));
}
