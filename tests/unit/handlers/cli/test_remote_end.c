/* test_remote_end.c - the status at the end of an exec, and the exit code of one that could not be run. */
#include "handlers/cli/remote_end.h"

#include <string.h>

#include "tests/tap.h"

static struct err err;

static int end_of(const char *text)
{
	return cli_remote_end(text, strlen(text), &err);
}

static void statuses(void)
{
	ok(end_of("{\"metadata\":{},\"status\":\"Success\"}") == 0);
	ok(end_of("{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"x\",\"details\":"
		  "{\"causes\":[{\"reason\":\"Other\",\"message\":\"9\"},"
		  "{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}") == 3);
	ok(end_of("{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"no such thing\"}") == -1);
	is_str(err.msg, "no such thing");
	ok(end_of("{\"status\":\"Failure\"}") == -1);
	ok(end_of("{\"status\":\"Failure\",\"message\":\"m\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
		  "\"message\":\"3x\"}]}}") == -1);
}

static void no_status(void)
{
	ok(end_of("") == -1 && err.code == ERR_INTERNAL);
	ok(strstr(err.msg, "may not be whole") != NULL);
	ok(end_of("command terminated") == -1 && err.code == ERR_INTERNAL);
	ok(end_of("[]") == -1);
}

static int refused(const char *text)
{
	err_set(&err, ERR_INTERNAL, "%s", text);
	return cli_refused_code(&err);
}

static void refusals(void)
{
	ok(refused("exec failed: unable to start container process: exec: \"x\": executable file not found in $PATH")
	   == 127);
	ok(refused("exec: \"/no/such\": stat /no/such: no such file or directory") == 127);
	ok(refused("executable file `x` not found in $PATH: No such file or directory") == 127);
	ok(refused("exec: \"/etc/passwd\": permission denied") == 126);
	ok(refused("exec: \"/etc\": is a directory") == 126);
	ok(refused("crun exec: open executable: Operation not permitted") == 126);
	ok(refused("exec /v/arm: exec format error") == 126);
	ok(refused("mount /a to /b: no such file or directory") == 125);
	ok(refused("open /sys/fs/cgroup/x: permission denied") == 125);
	ok(refused("exec: \"x\": no memory") == 125);
}

int main(void)
{
	statuses();
	no_status();
	refusals();
	return tap_end();
}
