/* proto.h - between crispd (procs/net.c) and crisp-net: messages of reactor/imsg.h on the SOCK_SEQPACKET socket
 * NET_SOCKET. Each request has a tag, and is answered once: by NET_DONE or NET_FAILED with that tag.
 *
 *   NET_HELLO   u32 NET_VERSION, str lock file, str directory of CNI's result cache, str `root`: the first message,
 *               without answer
 *   NET_ADD     str id, str netns path, str conflist, str CNI_ARGS, str capability arguments (JSON); answer: str result
 *               (JSON), strv addresses
 *   NET_DEL     the same, then str result of the ADD ("": none)
 *   NET_SYNC    the same as NET_ADD, then strv addresses: rules of a pod that lives
 *   NET_KNOWN   strv ids of sandboxes, at most NET_IDS_MAX in one message: together with those before they are all that
 *               are known to the next NET_GC, NET_AUDIT or NET_FOREIGN. Without answer
 *   NET_GC      no body: what is of none of the known sandboxes is taken down; an answer, without a tag, for each
 *   NET_CHECK   as NET_SYNC, then str result of the ADD, u32 repair; answer: str "", strv findings (findings.h)
 *   NET_AUDIT   u32 repair; the same answer: of the node
 *   NET_FOREIGN str network, strv directories of its addresses; answer: str the first id of nobody whom we know ("":
 *               none), as a sentence; strv nothing
 *   NET_ABLE    an event, after NET_HELLO: str why this kernel can neither masquerade nor serve hostPorts; "": it can
 *   NET_FAILED  u32 enum err_code, str message, u32 left: network_del() is still due
 *   NET_LOST    an event: somebody removed rules that living pods need */
#ifndef PROCS_NET_PROTO_H
#define PROCS_NET_PROTO_H

#include <stddef.h>
#include <stdint.h>

enum { NET_SOCKET = 3, NET_VERSION = 2, NET_IDS_MAX = 1000 };

enum net_message {
	NET_HELLO = 1, NET_ADD, NET_DEL, NET_SYNC, NET_GC, NET_DONE, NET_FAILED, NET_LOST, NET_KNOWN, NET_CHECK,
	NET_AUDIT, NET_ABLE, NET_FOREIGN,
};

/* Static; "NET_UNKNOWN" for a number that is no message: for fault points. */
static inline const char *net_message_name(uint32_t type)
{
	static const char *const names[] = {
		[NET_HELLO] = "NET_HELLO", [NET_ADD] = "NET_ADD", [NET_DEL] = "NET_DEL", [NET_SYNC] = "NET_SYNC",
		[NET_GC] = "NET_GC", [NET_DONE] = "NET_DONE", [NET_FAILED] = "NET_FAILED", [NET_LOST] = "NET_LOST",
		[NET_KNOWN] = "NET_KNOWN", [NET_CHECK] = "NET_CHECK", [NET_AUDIT] = "NET_AUDIT",
		[NET_ABLE] = "NET_ABLE", [NET_FOREIGN] = "NET_FOREIGN",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "NET_UNKNOWN";
}

#endif
