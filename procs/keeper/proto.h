/* proto.h - the messages between crispd and the keeper, over imsg.h; those about children are in reactor/child_proto.h.
 *
 * A new crispd:       HELLO ->       <- WELCOME, HELD..., KEPT..., END
 * A new keeper (      HELLO ->       <- WELCOME
 * crispd outlived     HOLD..., KEPT..., AGAIN..., END ->   <- HELD_AT..., EXITED..., END
 * the old one):
 * A body has the put_*() fields in the order given. The messages about processes of native handlers are in
 * procs/process.h. */
#ifndef PROCS_KEEPER_PROTO_H
#define PROCS_KEEPER_PROTO_H

#include "reactor/child_proto.h"

enum keeper_message {
	/* from crispd */
	KEEPER_HELLO = CHILD_MESSAGES_END, /* u32 KEEPER_VERSION, u32 enum keeper_hello, u32 enum log_format, which an
						older crispd does not send */
	KEEPER_READY,       /* no body: the service is up */
	KEEPER_HOLD,        /* tag: number of this hold; str name, u32: a path of it is wanted; the fd */
	KEEPER_RELEASE,     /* str name */
	KEEPER_RELEASE_ALL, /* str prefix */
	KEEPER_FORGET,      /* str id */
	KEEPER_NS_MAKE,     /* tag: of the operation; str id, u32 of enum keeper_ns, str netns_path or NULL,
			       str hostname or NULL, strv of sysctls: key, value, key, value, ..., str uid_map and
			       str gid_map as the kernel wants them (user_namespaces(7)), NULL without KEEPER_NS_USER */
	KEEPER_NS_DROP,     /* tag: of the operation; str netns_path or NULL: an answer is all that is wanted */
	KEEPER_NS_POOL,     /* u32: how many network namespaces are made ready from now on, strv of their sysctls as in
			       NS_MAKE (pool.h) */
	KEEPER_WATCHDOG,    /* u32: seconds of silence after which this crispd is killed (watch.h); 0: it never is */
	KEEPER_TURNS,       /* no body: the answer to PROBE */
	/* from both */
	KEEPER_KEPT, /* str id, u32 pid, u32 ended, u32 status, u64 at_ns; a pidfd while the process lives */
	KEEPER_END,  /* no body: the list is complete */
	/* from the keeper */
	KEEPER_WELCOME, /* u32 KEEPER_VERSION, str state directory, u32 of enum keeper_can and u32 how many crispds this
			   keeper had before, which an older keeper does not send; a lock to hold for life */
	KEEPER_HELD,    /* str name, u32: a path of it is wanted, u32 pid, u32 number; the fd. /proc/<pid>/fd/<number>
			   is its path, in the keeper or in the anchor */
	KEEPER_HELD_AT, /* tag: of the hold; u32 pid, u32 number; KEEPER_NOT_HELD: no fd came */
	KEEPER_PLACE,   /* str name, u32 pid, u32 number: its path from now on */
	KEEPER_EXITED,  /* as KEEPER_KEPT, with ended set */
	KEEPER_NS_DONE, /* tag: of the operation; u32 enum err_code, str message, u32: a pin may be left; with OK the
			   HELDs of a NS_MAKE came before */
	KEEPER_NS_POOLED, /* u32 how many are ready now, u32 enum keeper_pool */
	KEEPER_PROBE,   /* no body: answered by TURNS from the loop */
	KEEPER_STOOD,   /* u64 begin in ns since the epoch, u64 ms, str in what state, u32: crispd did not answer PROBE.
			   0: this one, which answers again; 1: an earlier one, which has ended */
};

enum { KEEPER_VERSION = 7 };
enum keeper_can { KEEPER_TELLS_PIDS = 1 }; /* it answers CHILD_WHO */

enum keeper_ns { KEEPER_NS_NET = 1, KEEPER_NS_IPC = 2, KEEPER_NS_UTS = 4, KEEPER_NS_USER = 8, KEEPER_NS_END = 16 };

enum keeper_pool { POOL_FILLED, POOL_USED, POOL_MISSED }; /* or emptied; a pod got one; a pod found none */

#define KEEPER_NOT_HELD UINT32_MAX
#define KEEPER_FD_ENV "CRISP_KEEPER_FD" /* crispd's end of the channel */
#define KEEPER_SOCKET "keeper.sock"     /* in the state directory: for a crispd that outlived its keeper */

enum keeper_hello { HELLO_NEW, HELLO_SURVIVOR };

/* Exit statuses of crispd after which a restart is of no use; as in sysexits.h. */
enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

#endif
