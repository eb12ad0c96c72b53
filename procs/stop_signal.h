/* stop_signal.h - converts a container's stop signal: CRI's numbers, the image's text, the kernel's numbers. */
#ifndef PROCS_STOP_SIGNAL_H
#define PROCS_STOP_SIGNAL_H

/* CRI v1 `enum Signal` to the kernel's number and back; 0: no signal, or not in the enum. */
int stop_signal_from_cri(int cri);
int stop_signal_cri(int kernel);

/* "SIGQUIT", "QUIT", "3", "SIGRTMIN+3", "RTMAX-2", in upper or lower case; 0: no such signal. */
int stop_signal_parse(const char *text);

#endif
