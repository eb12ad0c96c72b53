/* test_stop_signal.c - CRI's numbers, the image's text and the kernel's numbers agree. */
#include <signal.h>

#include "procs/stop_signal.h"
#include "tests/tap.h"

int main(void)
{
	int bad = 0;

	ok(stop_signal_from_cri(23) == SIGTERM && stop_signal_from_cri(13) == SIGKILL);
	ok(stop_signal_from_cri(35) == 34 && stop_signal_from_cri(50) == 50 - 35 + 34 &&
	   stop_signal_from_cri(65) == 64);
	ok(stop_signal_from_cri(0) == 0 && stop_signal_from_cri(66) == 0 && stop_signal_from_cri(-1) == 0);
	for (int s = 1; s <= 64; s++)
		bad += s != 32 && s != 33 && stop_signal_from_cri(stop_signal_cri(s)) != s;
	ok(bad == 0);
	ok(stop_signal_cri(0) == 0 && stop_signal_cri(32) == 0);
	ok(stop_signal_parse("SIGQUIT") == SIGQUIT && stop_signal_parse("quit") == SIGQUIT &&
	   stop_signal_parse("3") == 3);
	ok(stop_signal_parse("SIGRTMIN+3") == 37 && stop_signal_parse("RTMAX-2") == 62 &&
	   stop_signal_parse("RTMIN") == 34);
	ok(!stop_signal_parse("") && !stop_signal_parse("SIG") && !stop_signal_parse("SIGFOO") &&
	   !stop_signal_parse("99"));
	ok(!stop_signal_parse("RTMIN-1") && !stop_signal_parse("RTMIN+31") && !stop_signal_parse("3x") &&
	   !stop_signal_parse("RTMAX+"));
	return tap_end();
}
