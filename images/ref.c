/* ref.c - see ref.h. As in distribution's parser, digest and tag are cut off the end first, then the domain off the
 * front. */
#include "images/ref.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "images/digest.h"

enum { NAME_MAX_LEN = 255, TAG_MAX_LEN = 128 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])? between dots */
static bool host_valid(const char *s, const char *end)
{
	for (const char *label = s;; s++) {
		if (s < end && *s != '.') {
			if (!is_alnum(*s) && *s != '-')
				return false;
			continue;
		}
		if (s == label || !is_alnum(*label) || !is_alnum(s[-1]))
			return false;
		if (s == end)
			return true;
		label = s + 1;
	}
}

static bool ipv6_valid(const char *s, const char *end)
{
	if (end - s < 4 || *s != '[' || end[-1] != ']')
		return false;
	for (s++; s < end - 1; s++)
		if (!strchr("0123456789abcdefABCDEF:", *s))
			return false;
	return true;
}

static bool domain_valid(const char *s)
{
	const char *end = s + strlen(s), *port = end;

	while (port > s && is_digit(port[-1]))
		port--;
	if (port > s && port[-1] == ':') {
		if (port == end)
			return false;
		end = port - 1;
	}
	return *s == '[' ? ipv6_valid(s, end) : host_valid(s, end);
}

/* The length of the separator at s: one '.', one or two '_', or any number of '-'. 0: there is none. */
static size_t separator(const char *s)
{
	if (*s == '.')
		return 1;
	if (*s == '_')
		return s[1] == '_' ? 2 : 1;
	return strspn(s, "-");
}

static bool repository_valid(const char *s)
{
	for (;;) {
		if (!is_lower_alnum(*s))
			return false;
		while (is_lower_alnum(*s))
			s++;
		if (!*s)
			return true;
		s += *s == '/' ? 1 : separator(s); /* without a separator the next turn of the loop fails */
	}
}

static bool tag_valid(const char *s)
{
	if (!is_alnum(*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!is_alnum(*s) && !strchr("_.-", *s))
			return false;
	return true;
}

/* Are the first bytes of the name, up to the slash, a domain? Only if they cannot be a user name of Docker Hub: they
 * are "localhost", or have a dot, a colon or an upper-case letter. */
static bool has_domain(const char *name, size_t first)
{
	if (strncmp(name, "localhost", first) == 0 && first == strlen("localhost"))
		return true;
	for (size_t i = 0; i < first; i++)
		if (strchr(".:", name[i]) || (name[i] >= 'A' && name[i] <= 'Z'))
			return true;
	return false;
}

static void split_domain(struct ref *r, const char *name, struct arena *a)
{
	const char *slash = strchr(name, '/');

	if (slash && has_domain(name, (size_t)(slash - name))) {
		r->domain = arena_strndup(a, name, (size_t)(slash - name));
		r->repository = slash + 1;
	} else {
		r->domain = "docker.io";
		r->repository = name;
	}
	/* Also in capitals: hosts have no case. */
	if (strcasecmp(r->domain, "index.docker.io") == 0 || strcasecmp(r->domain, "docker.io") == 0)
		r->domain = "docker.io";
	if (strcmp(r->domain, "docker.io") == 0 && !strchr(r->repository, '/'))
		r->repository = arena_printf(a, "library/%s", r->repository);
}

static int ref_check(const struct ref *r, const char *text, struct err *e)
{
	if (!domain_valid(r->domain))
		return err_set(e, ERR_INVALID_ARGUMENT, "image reference \"%.300s\": \"%.100s\" is not a host", text,
			r->domain);
	if (!repository_valid(r->repository))
		return err_set(e, ERR_INVALID_ARGUMENT,
			"image reference \"%.300s\": the repository name \"%.260s\" is malformed%s", text,
			r->repository,
			strpbrk(r->repository, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") ? " (it must be lower case)" : "");
	if (strlen(r->domain) + 1 + strlen(r->repository) > NAME_MAX_LEN)
		return err_set(e, ERR_INVALID_ARGUMENT, "image reference \"%.300s\": the name is longer than %d bytes",
			text, NAME_MAX_LEN);
	return 0;
}

/* Cuts ":tag" off the end of name. The colon must come after the last slash: before it, a colon begins a port. */
static int cut_tag(struct ref *r, char *name, const char *text, struct err *e)
{
	char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');

	if (!colon)
		return 0;
	*colon = '\0';
	r->tag = colon + 1;
	if (strlen(r->tag) > TAG_MAX_LEN || !tag_valid(r->tag))
		return err_set(e, ERR_INVALID_ARGUMENT, "image reference \"%.300s\": the tag \"%.150s\" is malformed",
			text, r->tag);
	return 0;
}

/* Behind the @ of a digest, in any algorithm. */
static bool is_digest_text(const char *s)
{
	size_t name = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+._-");

	return (strncmp(s, "sha", 3) == 0 || strncmp(s, "md5", 3) == 0) && s[name] == ':' && !strchr(s, '/');
}

/* A password may hold every character, @ and / too: what stands before the last @ that begins no digest is secret. */
const char *ref_shown(const char *text, struct arena *a)
{
	const char *scheme = strstr(text, "://"), *from = scheme ? scheme + 3 : text, *at = strrchr(from, '@');

	if (at && is_digest_text(at + 1))
		at = memrchr(from, '@', (size_t)(at - from));
	return at ? arena_printf(a, "%.*s***%s", (int)(from - text), text, at) : text;
}

int ref_parse(struct ref *r, const char *text, struct arena *a, struct err *e)
{
	char *name = arena_strdup(a, text), *at = strchr(name, '@');
	const char *shown = ref_shown(text, a);

	*r = (struct ref){ .domain = "", .repository = "", .tag = "", .digest = "" };
	if (!*text)
		return err_set(e, ERR_INVALID_ARGUMENT, "the image reference is empty");
	if (shown != text)
		return err_set(e, ERR_INVALID_ARGUMENT,
			"image reference \"%.300s\": a user or password cannot stand in a reference", shown);
	if (at) {
		*at = '\0';
		r->digest = at + 1;
		if (!digest_valid(r->digest))
			return err_set(e, ERR_INVALID_ARGUMENT,
				"image reference \"%.300s\": \"%.100s\" is not a sha256 digest%s", text, r->digest,
				strncmp(r->digest, "sha512:", 7) == 0 ? " (sha512 is not supported)" : "");
	}
	if (strlen(name) == DIGEST_HEX && strspn(name, "0123456789abcdef") == DIGEST_HEX)
		return err_set(e, ERR_INVALID_ARGUMENT,
			"image reference \"%.300s\": 64 hex digits are an image id, not a name", text);
	if (cut_tag(r, name, text, e) < 0)
		return -1;
	if (!*r->tag && !*r->digest)
		r->tag = "latest";
	split_domain(r, name, a);
	return ref_check(r, text, e);
}

char *ref_tagged(const struct ref *r, struct arena *a)
{
	return *r->tag ? arena_printf(a, "%s/%s:%s", r->domain, r->repository, r->tag) : NULL;
}

char *ref_digested(const struct ref *r, const char *digest, struct arena *a)
{
	return arena_printf(a, "%s/%s@%s", r->domain, r->repository, digest);
}
