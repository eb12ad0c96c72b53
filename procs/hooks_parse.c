/* hooks_parse.c - checks one file of hooks.d, and compares text with its patterns. Contract in hooks.h. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/hooks.h"
#include "reactor/own.h"

enum { PATTERNS_MAX = 32, WORDS_MAX = 256, SIZE_MAX_OF_PATTERN = 1000, TIMEOUT_MAX_S = 3600 };

static int bad(struct err *e, const char *what, const char *value)
{
	return err_set(e, ERR_FAILED_PRECONDITION, "%s%s%.200s", what, *value ? " " : "", value);
}

/* ---- patterns ---- */

/* Behind `[`: the byte of the closing one, or the end of the text. */
static const char *bracket_end(const char *at)
{
	at += *at == '^';
	at += *at == ']';
	for (; *at && *at != ']'; at++) {
		char kind = at[1];

		if (*at != '[' || !kind || !strchr(".:=", kind))
			continue;
		for (at += 2; *at && !(*at == kind && at[1] == ']'); at++)
			;
		at += *at != '\0';
		if (!*at)
			return at;
	}
	return at;
}

/* At `{`: how often the operand is there. *at is moved on to the `}`, where there is one. */
static size_t copies(const char **at)
{
	long least, most;
	char *end;

	least = strtol(*at + 1, &end, 10);
	most = *end == ',' ? strtol(end + 1, &end, 10) : least;
	if (least > SIZE_MAX_OF_PATTERN)
		least = SIZE_MAX_OF_PATTERN + 1;
	if (most < least)
		most = least + 1; /* "{2,}": as glibc writes it out */
	if (*end == '}')
		*at = end;
	return most < 1 ? 1 : most > SIZE_MAX_OF_PATTERN ? SIZE_MAX_OF_PATTERN + 1 : (size_t)most;
}

/* regexec(3) of glibc makes a new state of its automaton for a character of the text at worst, and regcomp(3) a copy of
 * the operand for each count of an interval, and one more for a `+`, also of operands that are copies: the size with
 * all of them written out is bounded. A `*` or `?` counts as a copy too: regcomp(3) takes twice as long for each one
 * upon another. (ARCHITECTURE G55) */
static bool bounded(const char *pattern)
{
	size_t sum[HOOK_PATTERN_MAX + 1] = { 0 }, depth = 0, last = 0, more;

	if (strlen(pattern) > HOOK_PATTERN_MAX)
		return false;
	for (const char *at = pattern; *at; at++) {
		if (*at == '(') {
			sum[++depth] = last = 0;
			continue;
		}
		if (*at == '\\' && isdigit((unsigned char)at[1]))
			return false;
		if (strchr("*+?{", *at)) {
			more = last * ((*at == '{' ? copies(&at) : 2) - 1);
			last += more;
		} else if (*at == ')' && depth) {
			more = last = sum[depth--] + 1;
		} else {
			more = last = 1;
		}
		sum[depth] += more;
		if (sum[depth] > SIZE_MAX_OF_PATTERN || last > SIZE_MAX_OF_PATTERN)
			return false;
		if (*at == '[')
			at = bracket_end(at + 1);
		else if (*at == '\\')
			at += at[1] != '\0';
		if (!*at)
			break;
	}
	return true;
}

/* The pattern may match anywhere. As `^.*(pattern)` it is tried once, at the first character; else glibc tries it at
 * each one. */
int hooks_regex(regex_t *out, const char *pattern)
{
	char anchored[HOOK_PATTERN_MAX + 16];

	if (!bounded(pattern))
		return -1;
	snprintf(anchored, sizeof(anchored), "^.*(%s)", pattern);
	return regcomp(out, anchored, REG_EXTENDED | REG_NOSUB) == 0 ? 0 : -1;
}

static int check_pattern(const json_t *j, struct err *e)
{
	regex_t r;

	if (!json_is_string(j))
		return bad(e, "when: a pattern is no string", "");
	if (hooks_regex(&r, json_string_value(j)) < 0)
		return bad(e,
			   "when: no POSIX extended regular expression that crisp takes (256 bytes, 1000 with all "
			   "repeats written out, no back-references):",
			   json_string_value(j));
	regfree(&r);
	return 0;
}

/* ---- the file ---- */

static int check_when(const json_t *when, struct err *e)
{
	const char *key, *name;
	json_t *v, *p;
	size_t i, n;

	if (!json_is_object(when) || !json_object_size(when))
		return bad(e, "when has no condition", "");
	json_object_foreach((json_t *)when, key, v) {
		bool commands = strcmp(key, "commands") == 0, annotations = strcmp(key, "annotations") == 0;

		if (strcmp(key, "always") == 0 || strcmp(key, "hasBindMounts") == 0) {
			if (!json_is_boolean(v))
				return bad(e, "when: true or false is expected for", key);
		} else if (commands ? !json_is_array(v) : annotations ? !json_is_object(v) : true) {
			return bad(e, commands || annotations ? "when: wrong type of" : "when: unknown condition", key);
		}
		n = commands ? json_array_size(v) : json_object_size(v);
		if ((commands || annotations) && (n == 0 || n > PATTERNS_MAX))
			return bad(e, "when: no pattern, or more than 32, in", key);
		json_array_foreach(v, i, p)
			if (check_pattern(p, e) < 0)
				return -1;
		json_object_foreach(v, name, p) {
			auto_json json_t *pattern = json_string(name);

			if (check_pattern(pattern, e) < 0 || check_pattern(p, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int check_words(const json_t *list, const char *name, bool pairs, struct err *e)
{
	size_t i;
	json_t *v;

	if (list && (!json_is_array(list) || json_array_size(list) > WORDS_MAX))
		return bad(e, "hook: no list, or more than 256 words:", name);
	json_array_foreach((json_t *)list, i, v) {
		const char *word = json_string_value(v);

		if (!word || (pairs && (!strchr(word, '=') || word[0] == '=')))
			return bad(e, pairs ? "hook: no NAME=VALUE in" : "hook: no string in", name);
	}
	return 0;
}

static int check_hook(const json_t *hook, struct err *e)
{
	const char *path = json_string_value(json_object_get(hook, "path")), *key;
	const json_t *timeout = json_object_get(hook, "timeout");
	json_t *v;

	if (!path || path[0] != '/')
		return bad(e, "hook: no absolute path", path ? path : "");
	json_object_foreach((json_t *)hook, key, v)
		if (strcmp(key, "path") != 0 && strcmp(key, "args") != 0 && strcmp(key, "env") != 0 &&
		    strcmp(key, "timeout") != 0)
			return bad(e, "hook: unknown member", key);
	if (timeout && (!json_is_integer(timeout) || json_integer_value(timeout) < 1 ||
			json_integer_value(timeout) > TIMEOUT_MAX_S))
		return bad(e, "hook: timeout is a number of seconds from 1 to 3600", "");
	if (check_words(json_object_get(hook, "args"), "args", false, e) < 0)
		return -1;
	return check_words(json_object_get(hook, "env"), "env", true, e);
}

static int check_stages(const json_t *stages, struct err *e)
{
	static const char *const known[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",     "poststop" };
	size_t i, k;
	json_t *v;

	if (!json_is_array(stages) || !json_array_size(stages) ||
	    json_array_size(stages) > sizeof(known) / sizeof(*known))
		return bad(e, "stages is no list of stages", "");
	json_array_foreach((json_t *)stages, i, v) {
		const char *name = json_string_value(v);

		for (k = 0; k < sizeof(known) / sizeof(*known); k++)
			if (name && strcmp(name, known[k]) == 0)
				break;
		if (k == sizeof(known) / sizeof(*known))
			return bad(e, "stages: unknown stage", name ? name : "");
	}
	return 0;
}

static int check_file(const json_t *j, struct err *e)
{
	const char *version = json_string_value(json_object_get(j, "version")), *key;
	json_t *v;

	if (!version || strcmp(version, "1.0.0") != 0)
		return bad(e, "version is not 1.0.0 but", version ? version : "missing");
	json_object_foreach((json_t *)j, key, v)
		if (strcmp(key, "version") != 0 && strcmp(key, "hook") != 0 && strcmp(key, "when") != 0 &&
		    strcmp(key, "stages") != 0)
			return bad(e, "unknown member", key);
	if (check_hook(json_object_get(j, "hook"), e) < 0 || check_when(json_object_get(j, "when"), e) < 0)
		return -1;
	return check_stages(json_object_get(j, "stages"), e);
}

json_t *hooks_parse(const char *text, size_t len, const char *what, struct err *e)
{
	auto_json json_t *j = json_parse(text, len, what, e);

	if (!j) {
		e->code = ERR_FAILED_PRECONDITION;
		return NULL;
	}
	if (check_file(j, e) < 0) {
		err_wrap(e, "%s", what);
		return NULL;
	}
	return take_ptr(&j);
}
