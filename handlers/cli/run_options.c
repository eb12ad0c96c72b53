/* run_options.c - see run_options.h. */
#include "handlers/cli/run_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

/* 1 to 65535; 0: it is none. */
static int port_number(const char *text)
{
	int n = 0;

	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9' || at - text > 4)
			return 0;
		n = n * 10 + (*at - '0');
	}
	return n <= 65535 ? n : 0;
}

static bool port_protocol(const char *word, Runtime__V1__Protocol *out)
{
	static const char *const names[] = { "tcp", "udp", "sctp" };

	for (int i = 0; i < 3; i++)
		if (strcmp(word, names[i]) == 0) {
			*out = (Runtime__V1__Protocol)i;
			return true;
		}
	return false;
}

/* The address without its brackets. */
static const char *port_address(char *text)
{
	unsigned char parsed[sizeof(struct in6_addr)];
	size_t n = strlen(text);

	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		text[n - 1] = '\0';
		return inet_pton(AF_INET6, text + 1, parsed) == 1 ? text + 1 : NULL;
	}
	return inet_pton(AF_INET, text, parsed) == 1 ? text : NULL;
}

Runtime__V1__PortMapping *cli_run_port(const char *word, struct arena *a, struct err *e)
{
	Runtime__V1__PortMapping *p = arena_zalloc(a, sizeof(*p));
	char *text = arena_strdup(a, word), *slash = strchr(text, '/'), *inner = NULL, *outer = NULL;
	const char *ip = "";

	runtime__v1__port_mapping__init(p);
	if (slash)
		*slash++ = '\0';
	inner = strrchr(text, ':');
	if (inner) {
		*inner++ = '\0';
		outer = strrchr(text, ':');
	}
	if (outer) {
		*outer++ = '\0';
		ip = port_address(text);
	} else {
		outer = text;
	}
	p->container_port = inner ? port_number(inner) : 0;
	p->host_port = port_number(outer);
	if (!ip || !p->container_port || !p->host_port || (slash && !port_protocol(slash, &p->protocol))) {
		err_set(e, ERR_INVALID_ARGUMENT, "--publish %s: [IP:]PORT:PORT[/tcp|udp|sctp] is expected", word);
		return NULL;
	}
	p->host_ip = (char *)ip;
	return p;
}

Runtime__V1__Mount *cli_run_volume(const char *word, struct arena *a, struct err *e)
{
	Runtime__V1__Mount *m = arena_zalloc(a, sizeof(*m));
	char *host = arena_strdup(a, word), *inside = strchr(host, ':'), *mode;
	auto_free char *whole = NULL;

	runtime__v1__mount__init(m);
	mode = inside ? strchr(inside + 1, ':') : NULL;
	if (inside)
		*inside++ = '\0';
	if (mode)
		*mode++ = '\0';
	if (!*host || !inside || inside[0] != '/' || (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)) {
		err_set(e, ERR_INVALID_ARGUMENT, "--volume %s: PATH:/PATH[:ro] is expected", word);
		return NULL;
	}
	whole = realpath(host, NULL);
	if (!whole) {
		err_os(e, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_INTERNAL, "--volume %s", host);
		return NULL;
	}
	m->host_path = arena_strdup(a, whole);
	m->container_path = inside;
	m->readonly = mode && strcmp(mode, "ro") == 0;
	return m;
}
