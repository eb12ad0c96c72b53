/* proto.h - the messages between crispd and the keeper, over imsg.h; those about children are in reactor/child_proto.h.
 *
 * A new crispd:       HELLO ->       <- WELCOME, HELD..., KEPT..., END
 * A new keeper (      HELLO ->       <- WELCOME
 * crispd outlived     HOLD..., KEPT..., END ->   <- HELD_AT..., EXITED..., END
 * the old one):
 * A body has the put_*() fields in the order given. */
#ifndef PROCS_KEEPER_PROTO_H
#define PROCS_KEEPER_PROTO_H

#include "reactor/child_proto.h"

enum keeper_message {
	/* from crispd */
	KEEPER_HELLO = CHILD_MESSAGES_END, /* u32 KEEPER_VERSION, u32 enum keeper_hello */
	KEEPER_READY,       /* no body: the service is up */
	KEEPER_HOLD,        /* tag: number of this hold; str name; the fd */
	KEEPER_RELEASE,     /* str name */
	KEEPER_RELEASE_ALL, /* str prefix */
	KEEPER_FORGET,      /* str id */
	KEEPER_NS_MAKE,     /* tag: of the operation; str id, u32 of enum keeper_ns, str netns_path or NULL,
			       str hostname or NULL, strv of sysctls: key, value, key, value, ..., str uid_map and
			       str gid_map as the kernel wants them (user_namespaces(7)), NULL without KEEPER_NS_USER */
	KEEPER_NS_DROP,     /* str netns_path */
	/* from both */
	KEEPER_KEPT, /* str id, u32 pid, u32 ended, u32 status, u64 at_ns; a pidfd while the process lives */
	KEEPER_END,  /* no body: the list is complete */
	/* from the keeper */
	KEEPER_WELCOME, /* u32 KEEPER_VERSION, u32 pid of the keeper, str state directory; a lock to hold for life */
	KEEPER_HELD,    /* str name, u32 number of the fd in the keeper; the fd */
	KEEPER_HELD_AT, /* tag: of the hold; u32 number of the fd in the keeper, KEEPER_NOT_HELD: no fd came */
	KEEPER_EXITED,  /* as KEEPER_KEPT, with ended set */
	KEEPER_NS_DONE, /* tag: of the operation; u32 enum err_code, str message; with OK its HELDs came before */
};

enum { KEEPER_VERSION = 2 };

enum keeper_ns { KEEPER_NS_NET = 1, KEEPER_NS_IPC = 2, KEEPER_NS_UTS = 4, KEEPER_NS_USER = 8, KEEPER_NS_END = 16 };

#define KEEPER_NOT_HELD UINT32_MAX
#define KEEPER_FD_ENV "CRISP_KEEPER_FD" /* crispd's end of the channel */
#define KEEPER_SOCKET "keeper.sock"     /* in the state directory: for a crispd that outlived its keeper */

enum keeper_hello { HELLO_NEW, HELLO_SURVIVOR };

/* Exit statuses of crispd after which a restart is of no use; as in sysexits.h. */
enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

#endif
