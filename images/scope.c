/* scope.c - see scope.h. */
#include "images/scope.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "images/config.h"

/* NAME_SIZE: ref.h bounds domain and repository to 256 bytes, tag and digest to 200. */
enum { WHOLE = 1 << 20, PREFIX = 1 << 10, NAME_SIZE = 600 };

/* The one spelling of an address that has several: 127.1, 2130706433 and [::ffff:7f00:1] are all 127.0.0.1. */
static void plain_address(char host[NAME_SIZE])
{
	char text[NAME_SIZE];
	struct in6_addr six;
	struct in_addr four;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(host, "]"), host);
	if (*host == '[' && inet_pton(AF_INET6, text + 1, &six) == 1) {
		if (IN6_IS_ADDR_V4MAPPED(&six))
			inet_ntop(AF_INET, &six.s6_addr[12], host, NAME_SIZE);
		else if (inet_ntop(AF_INET6, &six, text, sizeof(text)))
			snprintf(host, NAME_SIZE, "[%.60s]", text);
	} else if (inet_aton(host, &four)) {
		inet_ntop(AF_INET, &four, host, NAME_SIZE);
	}
}

/* The name with its host as all spellings of it become: in lower case, an address in its usual form, the port without
 * zeros before it, and no port of https. A pod must not leave a scope by another spelling. false: it is too long to be
 * one. (ARCHITECTURE I80) */
static bool plain_host(const char *name, char *out, size_t size)
{
	size_t n = strcspn(name, "/");
	char host[NAME_SIZE], port[NAME_SIZE] = "", *colon, *digits;

	if (n >= sizeof(host))
		return false;
	for (size_t i = 0; i < n; i++)
		host[i] = (char)tolower((unsigned char)name[i]);
	host[n] = '\0';
	colon = strrchr(host, ':');
	if (colon && colon > host && !strchr(colon, ']')) {
		for (digits = colon + 1; *digits == '0';)
			digits++;
		if (strcmp(digits, "443") != 0)
			snprintf(port, sizeof(port), ":%s", digits);
		*colon = '\0';
	}
	plain_address(host);
	return (size_t)snprintf(out, size, "%s%s%s", host, port, name + n) < size;
}

static bool is_whole(const char *scope, const char *name, const struct ref *ref)
{
	size_t n = strlen(name);

	if (strncmp(scope, name, n) != 0)
		return false;
	return (*ref->tag && scope[n] == ':' && strcmp(scope + n + 1, ref->tag) == 0) ||
	       (*ref->digest && scope[n] == '@' && strcmp(scope + n + 1, ref->digest) == 0);
}

/* "*.example.com" has a.example.com and a.b.example.com in it, and not example.com. */
static bool below_domain(const char *scope, const char *domain)
{
	size_t host = *domain == '[' ? strlen(domain) : strcspn(domain, ":"), n = strlen(scope) - 1;

	return host > n && strncmp(domain + host - n, scope + 1, n) == 0;
}

int scope_match(const char *said_scope, const struct ref *ref)
{
	char said[NAME_SIZE], name[NAME_SIZE], scope[NAME_SIZE], domain[NAME_SIZE];
	size_t n;

	snprintf(said, sizeof(said), "%s/%s", ref->domain, ref->repository);
	if (!plain_host(said, name, sizeof(name)) || !plain_host(said_scope, scope, sizeof(scope)))
		return 0;
	n = strlen(scope);
	snprintf(domain, sizeof(domain), "%.*s", (int)strcspn(name, "/"), name);
	if (strncmp(scope, "*.", 2) == 0)
		return below_domain(scope, domain) ? (int)(n < PREFIX ? n : PREFIX - 1) : 0;
	if (is_whole(scope, name, ref))
		return WHOLE;
	if (n == 0 || strncmp(name, scope, n) != 0 || (name[n] != '\0' && name[n] != '/'))
		return 0;
	return PREFIX + (int)n;
}

static int best(const struct strings *scopes, const struct ref *ref, const char **which)
{
	int most = 0;

	for (size_t i = 0; i < scopes->n; i++) {
		int m = scope_match(scopes->at[i], ref);

		if (m > most) {
			most = m;
			*which = scopes->at[i];
		}
	}
	return most;
}

int scope_allowed(const struct ref *ref, struct err *e)
{
	const struct images_config *c = images_config();
	const char *scope = "";
	int allowed = best(&c->allow, ref, &scope), denied = best(&c->deny, ref, &scope);

	if (denied ? allowed > denied : allowed || !c->allow.n)
		return 0;
	if (denied)
		err_set(e, ERR_PERMISSION_DENIED, "%s/%s is not allowed on this node: registry.deny has %s",
			ref->domain, ref->repository, scope);
	else
		err_set(e, ERR_PERMISSION_DENIED, "%s/%s is not allowed on this node: it is not in registry.allow",
			ref->domain, ref->repository);
	return -1;
}
