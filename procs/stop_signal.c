/* stop_signal.c - see stop_signal.h. The table is in CRI's order, which is alphabetical. */
#include "procs/stop_signal.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The kernel's real-time signals begin at 32, but glibc uses 32 and 33 itself: SIGRTMIN in an image is glibc's, 34. */
enum { RTMIN = 34, RTMAX = 64, CRI_RTMIN = 35, CRI_RTMAX = 65 };

static const struct {
	const char *name; /* without SIG */
	int kernel;
} signals[] = {
	{ "", 0 },           { "ABRT", SIGABRT },     { "ALRM", SIGALRM },
	{ "BUS", SIGBUS },   { "CHLD", SIGCHLD },     { "CLD", SIGCHLD },
	{ "CONT", SIGCONT }, { "FPE", SIGFPE },       { "HUP", SIGHUP },
	{ "ILL", SIGILL },   { "INT", SIGINT },       { "IO", SIGIO },
	{ "IOT", SIGABRT },  { "KILL", SIGKILL },     { "PIPE", SIGPIPE },
	{ "POLL", SIGIO },   { "PROF", SIGPROF },     { "PWR", SIGPWR },
	{ "QUIT", SIGQUIT }, { "SEGV", SIGSEGV },     { "STKFLT", SIGSTKFLT },
	{ "STOP", SIGSTOP }, { "SYS", SIGSYS },       { "TERM", SIGTERM },
	{ "TRAP", SIGTRAP }, { "TSTP", SIGTSTP },     { "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU }, { "URG", SIGURG },       { "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM }, { "WINCH", SIGWINCH },
	{ "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
};

enum { NAMED = sizeof(signals) / sizeof(*signals) };

int stop_signal_from_cri(int cri)
{
	if (cri > 0 && cri < NAMED)
		return signals[cri].kernel;
	return cri >= CRI_RTMIN && cri <= CRI_RTMAX ? cri - CRI_RTMIN + RTMIN : 0;
}

int stop_signal_cri(int kernel)
{
	for (int i = 1; i < NAMED; i++)
		if (signals[i].kernel == kernel)
			return i;
	return kernel >= RTMIN && kernel <= RTMAX ? kernel - RTMIN + CRI_RTMIN : 0;
}

static int real_time(const char *text)
{
	int base, sign = 0;
	char *end;
	long n;

	if (strncasecmp(text, "RTMIN", 5) == 0)
		base = RTMIN, sign = 1;
	else if (strncasecmp(text, "RTMAX", 5) == 0)
		base = RTMAX, sign = -1;
	else
		return 0;
	text += 5;
	if (!*text)
		return base;
	if (*text != (sign > 0 ? '+' : '-') || text[1] < '0' || text[1] > '9')
		return 0;
	n = strtol(text + 1, &end, 10);
	return *end || n > RTMAX - RTMIN ? 0 : base + sign * (int)n;
}

int stop_signal_parse(const char *text)
{
	char *end;
	long n;

	if (*text >= '0' && *text <= '9') {
		n = strtol(text, &end, 10);
		return *end || n < 1 || n > RTMAX ? 0 : (int)n;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < NAMED; i++)
		if (strcasecmp(text, signals[i].name) == 0)
			return signals[i].kernel;
	return real_time(text);
}
