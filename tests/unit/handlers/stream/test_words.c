/* test_words.c - the exit status in the text of each protocol version; terminal sizes in a sequence of JSON. */
#include "handlers/stream/words.h"

#include "reactor/json.h"
#include "tests/tap.h"

static const char *status(int version, const struct err *e, int32_t exit_code)
{
	static struct buf out;

	buf_free(&out);
	words_status(&out, version, e, exit_code);
	return buf_str(&out);
}

static void endings(void)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "no such \"thing\" \xc3\n");
	is_str(status(5, NULL, 0), "{\"metadata\":{},\"status\":\"Success\"}");
	is_str(status(4, NULL, 42), "{\"details\":{\"causes\":[{\"message\":\"42\",\"reason\":\"ExitCode\"}]},"
				    "\"message\":\"command terminated with non-zero exit code: "
				    "42\",\"metadata\":{},\"reason\":\"NonZeroExitCode\",\"status\":\"Failure\"}");
	is_str(status(4, &e, 0), "{\"code\":500,\"message\":\"error executing command in container: no such "
				 "\\\"thing\\\" ??\",\"metadata\":{},"
				 "\"reason\":\"InternalError\",\"status\":\"Failure\"}");
	is_str(status(3, NULL, 0), "");
	is_str(status(3, NULL, 1), "command terminated with non-zero exit code: 1");
	is_str(status(1, &e, 0), "error executing command in container: no such \"thing\" ??");
	status(1, NULL, 0);
}

static char sizes[256];

static void on_size(void *arg, uint16_t width, uint16_t height)
{
	size_t n = strlen(sizes);

	(void)arg;
	snprintf(sizes + n, sizeof(sizes) - n, "%ux%u ", width, height);
}

static void is_sizes(const char *text, size_t step, const char *want)
{
	struct buf in = { 0 };

	sizes[0] = '\0';
	for (size_t at = 0; at < strlen(text); at += step)
		words_resize(&in, text + at, strlen(text) - at < step ? strlen(text) - at : step, on_size, NULL);
	is_str(sizes, want);
	buf_free(&in);
}

static void terminals(void)
{
	static const char two[] = "{\"Width\":80,\"Height\":24}\n{\"Width\":132,\"Height\":43}";
	static char endless[10000];
	struct buf in = { 0 };

	is_sizes(two, 1000, "132x43 "); /* both came at once: the last is the size */
	is_sizes(two, 1, "80x24 132x43 ");
	is_sizes("{\"Width\":0,\"Height\":24}{\"Width\":70000,\"Height\":1}{\"Width\":-1,\"Height\":1}", 1000, "");
	is_sizes("nonsense}{\"Width\":\"8\",\"Height\":1}{}{\"Width\":8,\"Height\":1}", 1000, "8x1 ");
	is_sizes("{\"Width\":8,\"Height\":1}}}}", 1000, "8x1 ");
	/* it gives up: a client could send nothing else */
	is_sizes("{\"Width\":8,\"Height\":1}}}}}}}}}}}}}", 1000, "");
	memset(endless, '{', sizeof(endless));
	words_resize(&in, endless, sizeof(endless), on_size, NULL);
	ok(in.len == 0);
	buf_free(&in);
}

int main(void)
{
	endings();
	terminals();
	return tap_end();
}
