/* terminal.c - see terminal.h. */
#include "handlers/cli/terminal.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool raw;

void cli_terminal_raw(void)
{
	struct termios t;

	if (raw || tcgetattr(STDIN_FILENO, &before) < 0)
		return;
	t = before;
	cfmakeraw(&t);
	raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

void cli_terminal_restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	raw = false;
}

bool cli_terminal_size(uint16_t *width, uint16_t *height)
{
	static const int fds[] = { STDIN_FILENO, STDOUT_FILENO };
	struct winsize size;

	for (unsigned i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (ioctl(fds[i], TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
			*width = size.ws_col;
			*height = size.ws_row;
			return true;
		}
	return false;
}
