/* remote_end.c - see remote_end.h. */
#include "handlers/cli/remote_end.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/json.h"

/* details.causes has {"reason": "ExitCode", "message": "3"}. */
static int exit_cause(const json_t *status)
{
	const json_t *causes = json_object_get(json_object_get(status, "details"), "causes"), *one;
	size_t i;

	json_array_foreach(causes, i, one) {
		const char *reason = json_string_value(json_object_get(one, "reason")),
			   *message = json_string_value(json_object_get(one, "message"));
		char *end;
		long code = message ? strtol(message, &end, 10) : -1;

		if (reason && strcmp(reason, "ExitCode") == 0 && message && *message && !*end && code > 0 && code < 256)
			return (int)code;
	}
	return -1;
}

int cli_remote_end(const char *text, size_t len, struct err *e)
{
	struct err bad;
	auto_json json_t *j = json_parse(text, len, "status", &bad);
	const char *status = json_string_value(json_object_get(j, "status")),
		   *message = json_string_value(json_object_get(j, "message"));
	int code;

	if (!len)
		return err_set(e, ERR_INTERNAL,
			       "the connection ended before the command; what it printed may not be whole");
	if (!status)
		return err_set(e, ERR_INTERNAL, "the stream server's status is none");
	if (strcmp(status, "Success") == 0)
		return 0;
	code = exit_cause(j);
	return code >= 0 ? code : err_set(e, ERR_INTERNAL, "%s", message ? message : "the command failed");
}

static bool says(const struct err *e, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(e->msg, *words))
			return true;
	return false;
}

/* The words of runc, crun and crisp-zygote. Without one of the first list it is about another file: a volume, the
 * working directory, the runtime itself. */
int cli_refused_code(const struct err *e)
{
	static const char *const of_program[] = { "exec: \"", "exec /", "executable file", "open executable", "execv",
						  NULL };
	static const char *const absent[] = { "not found in $PATH", "no such file or directory", NULL };
	static const char *const barred[] = { "permission denied", "not permitted", "is a directory",
					      "exec format error", NULL };

	if (!says(e, of_program))
		return CLI_FAILURE;
	return says(e, absent) ? CLI_NOT_FOUND : says(e, barred) ? CLI_NOT_EXECUTABLE : CLI_FAILURE;
}
