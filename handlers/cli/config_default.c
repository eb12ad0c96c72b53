/* config_default.c - see config_default.h. */
#include "handlers/cli/config_default.h"

__asm__(".pushsection .rodata\n"
	".global cli_config_default\n"
	".type cli_config_default, @object\n"
	"cli_config_default: .incbin \"packaging/config.yaml\"\n"
	".byte 0\n"
	".size cli_config_default, . - cli_config_default\n"
	".popsection\n");
