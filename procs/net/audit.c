/* audit.c - see check.h: the node. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/net/check.h"
#include "procs/net/link.h"
#include "procs/net/netlink.h"
#include "procs/net/nft_put.h"
#include "procs/net/result.h"
#include "reactor/own.h"

enum { STRAYS_MAX = 65536, PORTS_WARN = 900, BRIDGES_MAX = 64 };

/* An element or a device of a sandbox that this instance does not know. */
struct stray {
	char set[NFT_NAME_MAX], comment[NFT_COMMENT_MAX], name[IFNAMSIZ];
	uint8_t key[32];
	size_t key_len;
};

struct audit {
	const struct check_node *node;
	struct arena *arena;
	struct stray *at; /* owned */
	size_t n, elements;
	struct { uint32_t index; char name[IFNAMSIZ]; unsigned ports; } bridges[BRIDGES_MAX];
	size_t nbridges;
};

static int compare_ids(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool audit_knows(const struct audit *a, const char *id)
{
	return bsearch(&id, a->node->known, a->node->n, sizeof(*a->node->known), compare_ids);
}

/* Another instance, or another runtime, has a cache file for this sandbox. */
static bool audit_is_others(const struct audit *a, const char *id)
{
	const char *dir = arena_printf(a->arena, "%s/results", a->node->cache);
	const char *end = arena_printf(a->arena, "-%s-", id);
	auto_dir DIR *d = opendir(dir);
	struct dirent *entry;
	struct result_cached c;

	while (d && (entry = readdir(d))) {
		const char *path = arena_printf(a->arena, "%s/%s", dir, entry->d_name);

		if (strstr(entry->d_name, end) && !result_cache_read(&c, a->arena, path, a->node->owner))
			return true;
	}
	return false;
}

static struct stray *audit_stray(struct audit *a)
{
	if (a->n == STRAYS_MAX)
		return NULL;
	if (a->n % 256 == 0)
		a->at = own_must(realloc(a->at, (a->n + 256) * sizeof(*a->at)));
	a->at[a->n] = (struct stray){ .name = "" };
	return &a->at[a->n++];
}

static void on_audit_element(void *arg, const struct nft_element *el)
{
	struct audit *a = arg;
	struct stray *s;

	a->elements++;
	if (audit_knows(a, el->comment) || el->key_len > sizeof(s->key))
		return;
	s = audit_stray(a);
	if (!s)
		return;
	memcpy(s->set, el->set, strlen(el->set) + 1);
	memcpy(s->comment, el->comment, strlen(el->comment) + 1);
	memcpy(s->key, el->key, el->key_len);
	s->key_len = el->key_len;
}

static void on_audit_link(void *arg, const struct link_info *l)
{
	struct audit *a = arg;
	const char *id = l->alias + strlen(LINK_ALIAS);
	struct stray *s;

	if (strcmp(l->kind, "bridge") == 0 && a->nbridges < BRIDGES_MAX) {
		a->bridges[a->nbridges].index = (uint32_t)l->index;
		memcpy(a->bridges[a->nbridges++].name, l->name, sizeof(l->name));
	}
	if (strncmp(l->alias, LINK_ALIAS, strlen(LINK_ALIAS)) != 0 || !l->up || audit_knows(a, id))
		return;
	s = audit_stray(a);
	if (!s)
		return;
	memcpy(s->name, l->name, sizeof(l->name));
	memcpy(s->comment, id, strlen(id) + 1);
}

static void on_audit_port(void *arg, const struct link_info *l)
{
	struct audit *a = arg;

	for (size_t i = 0; i < a->nbridges; i++)
		a->bridges[i].ports += l->master == a->bridges[i].index;
}

static bool audit_take_away(const struct stray *s)
{
	static struct nl_batch batch;
	struct nft_element el = { .set = s->set, .key = s->key, .key_len = s->key_len, .comment = s->comment };
	struct nl_fault f;

	return nft_element_drop(&batch, &el, &f) == 0;
}

static void audit_tell(struct audit *a, bool repair, struct findings *out)
{
	const char *last = "";
	bool others = false;

	for (size_t i = 0; i < a->n; i++) {
		const struct stray *s = &a->at[i];

		if (strcmp(last, s->comment) != 0)
			others = audit_is_others(a, s->comment);
		last = s->comment;
		if (others)
			continue;
		if (*s->name)
			finding(out, false, "device %s is of sandbox %.12s, which is not there", s->name, s->comment);
		else
			finding(out, repair && audit_take_away(s),
				"nftables set inet crisp %s has an element of sandbox %.12s, which is not there",
				s->set, s->comment);
	}
	for (size_t i = 0; i < a->nbridges; i++)
		if (a->bridges[i].ports > PORTS_WARN)
			finding(out, false, "bridge %s has %u of %d ports", a->bridges[i].name, a->bridges[i].ports,
				BRIDGE_PORTS_MAX);
}

static void on_audit_count(void *arg, const struct nft_element *el)
{
	(void)el;
	++*(size_t *)arg;
}

void check_node(const struct check_node *node, bool repair, struct findings *out)
{
	struct audit a = { .node = node, .arena = arena_new() };
	static struct nl_batch batch;
	struct nl_fault f;
	struct err e;
	auto_fd int fd = nl_open(NETLINK_ROUTE, &e);
	size_t left = 0;

	if (nft_each_element(&batch, on_audit_element, &a, &f) < 0)
		finding(out, false, "nftables table inet crisp: %s", nl_fault_text(&f));
	if (fd < 0 || link_each(fd, on_audit_link, &a, &e) < 0 || link_each(fd, on_audit_port, &a, &e) < 0)
		finding(out, false, "%s", e.msg);
	else
		audit_tell(&a, repair, out);
	/* No pod of any instance needs it: the node can be handed to another runtime. Whoever adds the next element
	 * makes it again. */
	if (repair && nft_each_element(&batch, on_audit_count, &left, &f) == 0 && !left)
		nft_table_remove(&batch, &f);
	free(a.at);
	arena_free(a.arena);
}
