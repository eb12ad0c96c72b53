/* test_why.c - handlers/why.c: what is recorded of works, calls and ends of containers, and what is not. */
#include "handlers/why.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "procs/container.h"
#include "procs/events.h"
#include "reactor/child.h"
#include "reactor/flight.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/work.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"
#include "tests/unit/handlers/pod_story.h"

static struct container *container;
static char about[64], path[300];

static void open_all(void)
{
	container = container_of_pod("nginx");
	snprintf(about, sizeof(about), " container=%.12s", container->id);
	snprintf(path, sizeof(path), "%s/flight", world_dir());
	why_open(path);
}

static void note(void *arg, int64_t at_ns, const char *line)
{
	const char *took = strstr(line, " took_us=");

	(void)at_ns;
	/* without the time that it took and the id */
	snprintf(arg, FLIGHT_LINE + 1, "%.*s%s", took ? (int)(took - line) : 0, line,
		 took ? took + 9 + strspn(took + 9, "0123456789") : line);
	for (char *at; (at = strstr(arg, about));)
		memmove(at, at + strlen(about), strlen(at + strlen(about)) + 1);
}

static const char *last(void)
{
	static char line[FLIGHT_LINE + 1];

	*line = '\0';
	flight_each(note, line);
	return line;
}

static size_t count(void)
{
	char line[FLIGHT_LINE + 1];

	return flight_each(note, line);
}

static void end(struct work w)
{
	work_begin(&w);
	work_end(&w);
}

static void works_of_pods_are_recorded(void)
{
	int64_t since_ns = loop_mono_ns();

	end((struct work){ .kind = "program", .stage = "cni_add", .about = about, .program = "/opt/x y" });
	is_str(last(), "kind=program stage=cni_add program=\"/opt/x y\" pod=\"shop/web-0\" container_name=\"nginx\"");
	end((struct work){ .kind = "program", .stage = "runtime_run", .about = about, .fault = "exit status 1",
			   .words = "a \"b\"\nc", .words_len = 7 });
	is_str(last(), "kind=program stage=runtime_run fault=\"exit status 1\" pod=\"shop/web-0\" "
		       "container_name=\"nginx\" words=\"a \\\"b\\\"\\x0ac\"");
	work_step("spec", about, &since_ns);
	is_str(last(), "kind=step stage=spec pod=\"shop/web-0\" container_name=\"nginx\"");
	ok(count() == 3);
}

static void what_is_of_no_pod_is_not(void)
{
	size_t n = count();

	end((struct work){ .kind = "program", .stage = "unpack_layer", .about = " layer=sha256:0" });
	end((struct work){ .kind = "program", .stage = "config_check" });
	end((struct work){ .kind = "program", .stage = "cni_del", .about = " sandbox=ffffffffffff" });
	end((struct work){ .kind = "program" });
	end((struct work){ .kind = "rpc", .stage = "cni_add", .about = about });
	ok(count() == n);
}

static void what_is_done_every_few_seconds_is_not(void)
{
	size_t n = count();

	end((struct work){ .kind = "native", .stage = "runtime_exec", .about = about });
	end((struct work){ .kind = "program", .stage = "runtime_update", .about = about });
	end((struct work){ .kind = "queue", .stage = "cni_queue", .about = about });
	ok(count() == n);
	end((struct work){ .kind = "native", .stage = "runtime_exec", .about = about, .fault = "no such file" });
	ok(count() == n + 1);
}

/* Any bytes of a program, of any length: the end stays, and so do the names. */
static void long_words_are_cut(void)
{
	static const char fill[] = { 'x', '\1', '"', '\xff' };
	char words[5001] = "";
	size_t n = sizeof(words) - 1;

	for (size_t i = 0; i < sizeof(fill); i++) {
		memset(words, fill[i], n);
		memcpy(words + n - 3, "end", 3);
		end((struct work){ .kind = "program", .stage = "cni_add", .about = about, .program = words,
				   .fault = words, .words = words, .words_len = n });
		ok(strlen(last()) <= FLIGHT_LINE && strcmp(last() + strlen(last()) - 4, "end\"") == 0);
		ok(strstr(last(), " pod=\"shop/web-0\"") && strstr(last(), " words=\"..."));
	}
}

static void calls_are_recorded(void)
{
	size_t n;
	struct err e;

	ok(why_follows("RunPodSandbox") && !why_follows("ListContainers") && !why_follows("ExecSync"));
	why_rpc_ended("CreateContainer", " sandbox=1 pod=\"a/b\" container_name=\"c\" image=\"i:1\" method=x", 5, NULL);
	is_str(last(), "kind=rpc stage=CreateContainer sandbox=1 pod=\"a/b\" container_name=\"c\" image=\"i:1\"");
	err_set(&e, ERR_INTERNAL, "it \"failed\"");
	why_rpc_ended("ExecSync", " container=1", 5, &e);
	is_str(last(), "kind=rpc stage=ExecSync code=INTERNAL fault=\"it \\\"failed\\\"\" container=1");
	n = count();
	why_rpc_ended("Status", "", 5, &e);
	ok(count() == n);
}

static void ends_of_containers_are_recorded(void)
{
	container->exit_code = 137;
	container->reason = "OOMKilled";
	events_tell(EVENT_STOPPED, container->sandbox, container);
	is_str(last(), "kind=container stage=ended fault=\"exit code 137, OOMKilled\" pod=\"shop/web-0\" "
		       "container_name=\"nginx\"");
}

/* The world's clock stands still. */
static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* For people: the limit is in no test, as a machine may be busy. */
static void what_a_record_costs(void)
{
	const struct work w = { .kind = "program", .stage = "cni_add", .about = about, .program = "/opt/cni/bin/x" };
	int64_t t0 = cpu_ns();

	for (int i = 0; i < 100000; i++)
		end(w);
	printf("# a record: %lld ns of CPU\n", (long long)(cpu_ns() - t0) / 100000);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	open_all();
	works_of_pods_are_recorded();
	what_is_of_no_pod_is_not();
	what_is_done_every_few_seconds_is_not();
	long_words_are_cut();
	calls_are_recorded();
	ends_of_containers_are_recorded();
	what_a_record_costs();
	why_close();
	unlink(path);
	return tap_end();
}
