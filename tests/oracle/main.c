/* main.c - the probe. `probe` prints what it sees and waits until SIGTERM, as a container's first process; `probe once`
 * prints and ends, as an exec. The last line is "end". */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/oracle/probe.h"

extern char **environ;

static void on_end(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 20];
	bool once = argc > 1 && strcmp(argv[1], "once") == 0;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)); /* whole lines, few writes */
	say("args", "%d %s", argc, argv[0]);
	probe_proc();
	probe_process();
	probe_files(environ);
	probe_safe_calls();
	puts("end");
	fflush(stdout);
	if (once)
		return 0;
	signal(SIGTERM, on_end);
	for (;;)
		pause();
}
