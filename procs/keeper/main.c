/* main.c - crisp-keeper. As a user or a service manager starts it, it is the front (front.h), which has the keeper run
 * below an anchor. The keeper is the parent of crispd and of every container, and the holder of the fds and exit
 * records that must outlive crispd.
 *
 *   crisp-keeper        the front: the process that was started; it starts the anchor
 *   crisp-anchor        one a state directory; stays as long as a keeper runs or a pod is there (procs/anchor.h)
 *     crisp-keeper      the keeper
 *       crispd, containers
 *     containers        those that outlived an earlier keeper
 * Usage: crisp-keeper [--config FILE] [--crispd PATH] [--state DIR] [--log LEVEL] [--ready-within SECONDS]
 * Without --state the directory is what `crispd --config FILE --print state` prints.
 * Exit: 0 after SIGTERM; 64 usage; 78 crispd refuses its first configuration; 1 the state directory has another keeper,
 * or the keeper cannot work here. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/ask.h"
#include "procs/keeper/crispd.h"
#include "procs/keeper/foreign.h"
#include "procs/keeper/front.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/job.h"
#include "procs/keeper/kept.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "procs/keeper/state.h"
#include "procs/keeper/underway.h"
#include "procs/keeper/zygote.h"
#include "reactor/beside.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/log_repeat.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { READY_S = 120, SECONDS_MAX = 86400, EXIT_NO_KEEPER = 1 };

static const char usage[] =
	"usage: crisp-keeper [--config FILE] [--crispd PATH] [--state DIRECTORY] [--log debug|info|warn|error]\n"
	"                    [--ready-within SECONDS]\n"
	"       crisp-keeper --help | --version\n"
	"Starts crispd, keeps it running, and keeps what must outlive it. See crisp-keeper(8).\n";

static _Noreturn void keeper_usage(void)
{
	dprintf(STDERR_FILENO, "%s", usage);
	exit(EXIT_USAGE);
}

struct options {
	const char *config, *crispd, *state, *level, *ready_within;
};

static int64_t keeper_seconds(const char *text)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end || v < 1 || v > SECONDS_MAX)
		keeper_usage();
	return v * 1000;
}

static struct options keeper_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },  { "crispd", required_argument, NULL, 'd' },
		{ "state", required_argument, NULL, 's' },   { "log", required_argument, NULL, 'l' },
		{ "ready-within", required_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'v' },       { "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'c': o.config = optarg; break;
		case 'd': o.crispd = optarg; break;
		case 's': o.state = optarg; break;
		case 'l':
			if (log_level_parse(optarg) < 0)
				keeper_usage();
			log_open("keeper", (enum log_level)log_level_parse(optarg));
			o.level = optarg;
			break;
		case 'r':
			keeper_seconds(o.ready_within = optarg);
			break;
		case 'h':
			dprintf(STDOUT_FILENO, "%s", usage);
			exit(0);
		case 'v':
			dprintf(STDOUT_FILENO, "crisp-keeper %s\n", CRISP_VERSION);
			exit(0);
		default: keeper_usage();
		}
	}
	if (optind != argc)
		keeper_usage();
	return o;
}

/* Relative paths are meant from here; the keeper is started by another process. NULL stays NULL. */
static const char *absolute(char full[static BESIDE_SIZE], const char *path)
{
	char cwd[PATH_MAX];

	if (!path || path[0] == '/')
		return path;
	if (!getcwd(cwd, sizeof(cwd)) || snprintf(full, BESIDE_SIZE, "%s/%s", cwd, path) >= BESIDE_SIZE) {
		log_error("path=%s error=\"cannot be made absolute\"", log_quote(path));
		exit(EXIT_USAGE);
	}
	return full;
}

static int be_front(struct options *o, const struct anchor_start *start)
{
	static char anchor[BESIDE_SIZE], crispd[BESIDE_SIZE], config[BESIDE_SIZE], state[BESIDE_SIZE];
	const char *argv[12] = { beside_self() };
	static struct asked asked;
	struct front_config cfg = { .program = argv[0], .anchor = beside_find(anchor, "crisp-anchor"), .argv = argv };
	size_t n = 1;
	struct err e;
	int status;

	front_signals(SIG_BLOCK);
	o->config = absolute(config, o->config);
	o->crispd = o->crispd ? absolute(crispd, o->crispd) : beside_find(crispd, "crispd");
	if (!cfg.program || !cfg.anchor || !o->crispd) {
		log_error("%s is not found next to this program", cfg.anchor ? "crispd" : "crisp-anchor");
		return EXIT_USAGE;
	}
	if (o->state) {
		o->state = absolute(state, o->state);
	} else {
		status = ask_directories(o->crispd, o->config, &asked);
		if (status != 0)
			return status;
		o->state = asked.state;
		if (asked.json)
			log_format_follow(LOG_JSON);
	}
	if (o->state[0] != '/') {
		log_error("state directory %s is not an absolute path", log_quote(o->state));
		return EXIT_CONFIG;
	}
	if (fault_open("front", &e) < 0 || state_make(o->state, &e) < 0 ||
	    state_lock(o->state, STATE_FRONT_LOCK, &e) < 0) {
		log_error("keeper cannot work error=%s", log_quote(e.msg));
		return EXIT_NO_KEEPER;
	}
	ask_restore_copy(o->crispd, o->config, o->state, asked.root);
	cfg.state = o->state;
	cfg.crispd = o->crispd;
	cfg.config = o->config;
	const char *const options[][2] = {
		{ "--config", o->config }, { "--crispd", o->crispd }, { "--state", o->state }, { "--log", o->level },
		{ "--ready-within", o->ready_within },
	};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i][1]) {
			argv[n++] = options[i][0];
			argv[n++] = options[i][1];
		}
	cfg.start = *start;
	return front_run(&cfg);
}

/* Of the anchor's table; takes fd. */
static void on_held_again(const char *name, int fd)
{
	if (strncmp(name, BIRTH_PREFIX, strlen(BIRTH_PREFIX)) == 0)
		birth_held_again(name, fd);
	else
		hold_again(name, fd);
}

/* The ends of children that an earlier keeper left were asked for by that keeper. */
static void on_kept_again(const struct anchor_message *process, int pidfd)
{
	if (strncmp(process->name, JOB_PREFIX, strlen(JOB_PREFIX)) != 0)
		return kept_again(process, pidfd);
	if (pidfd >= 0)
		close(pidfd);
}

static void on_anchor_gone(void)
{
	hold_anchor_gone();
	foreign_anchor_gone();
}

/* All that the anchor and the file of what was under way tell. */
static int take_over(const char *state, struct err *e)
{
	static const struct anchor_events events = { on_held_again, on_kept_again, foreign_from_anchor, hold_placed,
						     on_anchor_gone };

	if (underway_open(state, e) < 0 || anchor_open(&events, e) < 0)
		return -1;
	jobs_again();
	births_again();
	return 0;
}

int main(int argc, char **argv)
{
	struct anchor_start start = { 0 };
	struct crispd_config cfg;
	struct options o;
	struct err e;

	front_limits(&start);
	spawn_no_core();
	log_open("keeper", LOG_LEVEL_INFO);
	log_format_inherit();
	o = keeper_parse(argc, argv);
	if (!anchor_is_parent())
		return be_front(&o, &start);
	cfg = (struct crispd_config){ .path = o.crispd, .config = o.config, .state = o.state,
		.ready_ms = o.ready_within ? keeper_seconds(o.ready_within) : READY_S * 1000 };
	if (!cfg.path || !cfg.state)
		return EXIT_USAGE;
	if (fault_open("keeper", &e) < 0) {
		log_error("keeper cannot work error=%s", log_quote(e.msg));
		return EXIT_USAGE;
	}
	log_repeat_open();
	log_info("keeper start pid=%d state=%s", getpid(), log_quote(cfg.state));
	if (state_lock(cfg.state, STATE_KEEPER_LOCK, &e) < 0 || spawn_open(&e) < 0 || reap_open(&e) < 0 ||
	    take_over(cfg.state, &e) < 0 || crispd_open(&cfg, &e) < 0) {
		log_error("keeper cannot work error=%s", log_quote(e.msg));
		return EXIT_NO_KEEPER;
	}
	loop_run();
	return crispd_verdict();
}
