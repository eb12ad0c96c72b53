/* test_apparmor.c - a kernel with AppArmor, made of files in a directory; the parser ends as the test says. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "procs/apparmor.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "tests/fakes/program.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static char enabled[300], profiles[300], parser[300];
static const struct apparmor_config cfg = { enabled, profiles, parser };
static int calls;

static void on_open(void *arg)
{
	(void)arg;
	calls++;
}

static void put(const char *path, const char *text, mode_t mode)
{
	auto_fd int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);

	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void a_machine(void)
{
	log_open("test", LOG_LEVEL_ERROR + 1);
	snprintf(enabled, sizeof(enabled), "%s/enabled", world_dir());
	snprintf(profiles, sizeof(profiles), "%s/profiles", world_dir());
	snprintf(parser, sizeof(parser), "%s/apparmor_parser", world_dir());
	calls = 0;
}

static void open_it(void)
{
	calls = 0;
	apparmor_open(&cfg, on_open, NULL);
	ok(calls == 0);
	world_settle();
}

static void a_host_without(void)
{
	open_it();
	ok(calls == 1 && program_running() == 0 && !apparmor_enabled() && !apparmor_default() && !apparmor_loaded("x"));
	put(enabled, "N\n", 0600);
	open_it();
	ok(calls == 1 && program_running() == 0 && !apparmor_enabled());
}

static void a_host_without_the_parser(void)
{
	put(enabled, "Y\n", 0600);
	open_it();
	ok(calls == 1 && program_running() == 0 && apparmor_enabled() && !apparmor_default());
}

static void the_default_profile_is_loaded(void)
{
	const struct child_spec *spec;

	put(parser, "", 0755);
	open_it();
	ok(calls == 0 && program_running() == 1 && apparmor_default());
	spec = program_spec(0);
	ok(strstr(program_line(0), "/apparmor_parser --skip-cache --replace") != NULL);
	ok(strncmp(spec->stdin_data, "profile crisp-default ", 22) == 0);
	ok(((const char *)spec->stdin_data)[spec->stdin_len - 1] == '\n');
	program_exit(0, "", "");
	ok(calls == 1);
}

/* The daemon serves nevertheless; containers that get the profile are refused by its name (test_security.c). */
static void the_parser_fails(void)
{
	open_it();
	program_exit(256, "", "syntax error\n");
	ok(calls == 1 && apparmor_default());
	open_it();
	program_error(ERR_UNAVAILABLE, "the keeper is away");
	ok(calls == 1);
}

static void given_up(void)
{
	open_it();
	apparmor_close();
	ok(calls == 0 && program_running() == 0);
	put(enabled, "N\n", 0600);
	apparmor_open(&cfg, on_open, NULL);
	apparmor_close();
	world_settle();
	ok(calls == 0);
	put(enabled, "Y\n", 0600);
}

static void what_is_loaded(void)
{
	put(profiles, "crisp-default (enforce)\nodd (name) (complain)\n/usr/bin/x//sub (enforce)\nshort\n", 0600);
	ok(apparmor_loaded("crisp-default") && apparmor_loaded("odd (name)") && apparmor_loaded("/usr/bin/x//sub"));
	ok(!apparmor_loaded("crisp") && !apparmor_loaded("odd") && !apparmor_loaded("short") && !apparmor_loaded(""));
}

int main(void)
{
	a_machine();
	a_host_without();
	a_host_without_the_parser();
	the_default_profile_is_loaded();
	the_parser_fails();
	given_up();
	what_is_loaded();
	return tap_end();
}
