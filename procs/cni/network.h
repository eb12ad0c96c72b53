/* network.h - which CNI network this node has today: the watched configuration, and whether its plugins answer STATUS
 * well. */
#ifndef PROCS_CNI_NETWORK_H
#define PROCS_CNI_NETWORK_H

#include "procs/cni.h"
#include "reactor/json.h"

/* The conflist in the normal form of conf.h, borrowed until the next turn; NULL with the error of
 * cni_conf_now(). */
json_t *cni_network_now(struct err *e);

const struct strings *cni_network_bin_dirs(void);

#endif
