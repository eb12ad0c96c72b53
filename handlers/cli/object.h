/* object.h - removal of one pod, as `crisp rm` does it. */
#ifndef HANDLERS_CLI_OBJECT_H
#define HANDLERS_CLI_OBJECT_H

#include "api.pb-c.h"
#include "handlers/cli/call.h"

/* force: a ready one is stopped before. FAILED_PRECONDITION: it is ready; errors of the calls. */
int cli_remove_pod(struct cli *cli, const Runtime__V1__PodSandbox *pod, bool force, struct err *e);

#endif
