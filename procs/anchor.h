/* anchor.h - the messages to and from crisp-anchor, the process that keeps what must outlive a keeper.
 *
 * One anchor serves one state directory. It is the parent of the keeper and the subreaper above it, so what the keeper
 * leaves behind at its death becomes a child of the anchor. It knows three things: the fds that are held, by name; the
 * kept processes, by id, and how they ended; and the last exits of other children. A new keeper gets all of it.
 * The files of the process are in procs/anchor/. (ARCHITECTURE K20)
 *
 *   front (crisp-keeper, as it was started)   START, SIGNAL ->   <- KEEPER, STATE, ENDED    over <state>/anchor.sock
 *   keeper (the child of the anchor)          HOLD, RELEASE, KEEP, FORGET, ASK, FIND, STATE, WHERE ->
 *                                             <- KEEP, PLACE    over its fd 3
 *
 * An anchor serves keepers that are newer than it is: after an upgrade it stays where it is as long as a pod runs. So
 * these messages have no version, and three rules instead:
 *   - A message is one packet of 256 bytes of a SOCK_SEQPACKET socket, or one record of the keeper's table. Size, order
 *     of the fields, and the number and meaning of a type never change.
 *   - What is new gets a new type. A receiver ignores a type that it does not know.
 *   - A keeper works with an anchor that ignores its newest types. */
#ifndef PROCS_ANCHOR_H
#define PROCS_ANCHOR_H

#include <stddef.h>
#include <stdint.h>

enum anchor_type {
	/* from the keeper */
	ANCHOR_HOLD = 1,    /* name; the fd. An fd of the same name is replaced, and keeps its number */
	ANCHOR_RELEASE = 2, /* name */
	/* id (as name), pid, start_ticks (0: unknown); at_ns 0: it lives, as far as the sender knows, and its pidfd may
	 * come with the message; else status and the time of its end. Where a child of this pid and start time has
	 * ended before, the anchor knows that end. To the keeper: it has ended; or the answer to ASK. */
	ANCHOR_KEEP = 3,
	ANCHOR_FORGET = 4, /* id */
	ANCHOR_ASK = 5,    /* id: answered by KEEP; at_ns 0: the anchor has not seen its end */
	ANCHOR_STATE = 6,  /* status: enum anchor_state. Also to the front */
	/* id, pid, start_ticks: if the last child of this pid that ended began at start_ticks or later, it is a kept
	 * process of this id, which has ended. ASK tells. */
	ANCHOR_FIND = 7,
	ANCHOR_WHERE = 8, /* name, start_ticks: any number. Answered by PLACE, if that name is held */
	/* to the keeper */
	/* name, start_ticks of the question; number: of the fd in the anchor, so that /proc/PID/fd/NUMBER is a path of
	 * it as long as the name is held and the anchor lives. */
	ANCHOR_PLACE = 9,
	/* from the front */
	ANCHOR_START = 16,  /* name: what tells one program and its arguments from another; 4 fds: struct anchor_start,
			       stdin, stdout, stderr */
	ANCHOR_SIGNAL = 17, /* status: SIGTERM, SIGINT: end the keeper for good; SIGHUP */
	/* to the front */
	ANCHOR_KEEPER = 18, /* pid of the keeper that runs from now on; its pidfd */
	ANCHOR_ENDED = 19,  /* status, as of waitpid(2): no keeper runs, and none is started again */
};

enum anchor_state { ANCHOR_BEGINS = 0, ANCHOR_READY = 1, ANCHOR_STOPPING = 2 };

enum { ANCHOR_NAME_SIZE = 224, ANCHOR_FDS_MAX = 4, ANCHOR_LIMITS = 16 };

struct anchor_message {
	uint32_t type;
	int32_t pid;
	int32_t status;
	int32_t number; /* in the table: of the fd or pidfd in the keeper and in the anchor, -1: none. In a packet: 0 */
	uint64_t start_ticks; /* since the boot, as in /proc/PID/stat */
	int64_t at_ns;        /* CLOCK_REALTIME */
	char name[ANCHOR_NAME_SIZE]; /* ends with a zero byte */
};
_Static_assert(sizeof(struct anchor_message) == 256, "anchors of other versions are served");

/* The begin of a file in memory; behind it are strings that end with a zero byte each: path of the program, working
 * directory, argc arguments, envc variables. */
struct anchor_start {
	uint32_t argc, envc;
	int32_t oom_score_adj;
	uint32_t umask;
	uint64_t limits[ANCHOR_LIMITS][2]; /* soft and hard, by the number of RLIMIT_* */
};
_Static_assert(sizeof(struct anchor_start) == 272, "anchors of other versions are served");

/* In the state directory. The lock is held by the anchor as long as it lives, and has its pid. */
#define ANCHOR_SOCKET "anchor.sock"
#define ANCHOR_LOCK "anchor.lock"

/* The keeper is born with its channel and its table as these fds, and with this variable. */
#define ANCHOR_ENV "CRISP_ANCHOR"
enum { ANCHOR_CHANNEL_FD = 3, ANCHOR_TABLE_FD = 4 };

/* crisp-anchor STATE is born with the connection of the front that started it as this fd. */
enum { ANCHOR_FRONT_FD = 3 };

/* "ANCHOR_HOLD": for fault points. Static; "ANCHOR_UNKNOWN" for a number that is no message. */
const char *anchor_type_name(uint32_t type);

/* One message and its fds, borrowed. Never waits. -1: errno is EAGAIN where the other end has no room. */
int anchor_send(int fd, const struct anchor_message *message, const int *fds, size_t nfds);

/* The caller closes what came: fds[0] to fds[*nfds - 1]. 1: a message; 0: none is there now; -1: the other end is gone,
 * or sent no message of this kind. */
int anchor_receive(int fd, struct anchor_message *message, int fds[ANCHOR_FDS_MAX], size_t *nfds);

#endif
