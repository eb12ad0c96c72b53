/* plan.h - what a process of a container has to become: compiled by crispd (procs/native/), executed by crisp-zygote.
 *
 * A plan is one piece of memory: struct plan, then records and texts, all by their offset from its beginning. It
 * travels in a sealed memfd, so nothing changes it after plan_check(). There is nothing to parse and nothing to
 * allocate: the process maps it privately and walks it. Numbers are the machine's own: both programs run on one
 * machine.
 *
 * A text is a uint32_t offset; 0 means that there is none. The last byte of a plan is NUL, so a text that begins
 * inside the plan ends inside it. A list is an offset, a multiple of 8, and a number of records.
 * Specs: OCI runtime-spec 1.0.2, config.md and config-linux.md, of which this is the compiled form. */
#ifndef PROCS_PLAN_H
#define PROCS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC 0x6e616c70u /* "plan" */

enum { PLAN_VERSION = 3, PLAN_MAX = 8 << 20, PLAN_LIST_MAX = 65536, PLAN_FILTER_MAX = 4096 };

enum plan_kind {
	PLAN_RUN = 1, /* the first process of a container */
	PLAN_EXEC,    /* a further process; the request has a pidfd of the first one, and a plan of kind PLAN_WORDS */
	PLAN_WRITE,   /* only `writes`: no process stays */
	PLAN_WORDS,   /* no process: the `args` of a further one, and PLAN_TERMINAL */
};

enum plan_flag {
	PLAN_TERMINAL = 1,
	PLAN_NO_NEW_PRIVS = 2,
	PLAN_ROOT_READONLY = 4,
	PLAN_NEW_PID = 8,     /* the process is pid 1 of a new PID namespace */
	PLAN_NEW_CGROUP = 16, /* a new cgroup namespace, whose root is the container's group */
	PLAN_FILTER = 32,     /* seccomp: `filter` is loaded */
};

struct plan_list {
	uint32_t at, n;
};

/* In the process the offset is replaced by a pointer, so that a list of words is what execve(2) takes. */
union plan_word {
	uint64_t at;
	char *text;
};

enum { PLAN_WRITE_TRY = 1 }; /* a failure of this write does not count */
struct plan_write {
	uint32_t path, text, flags, reserved;
};

struct plan_namespace {
	uint32_t flag; /* CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWPID */
	uint32_t path;
};

enum plan_mount_kind {
	PLAN_MOUNT_NEW = 1, /* a new file system: type, options */
	PLAN_MOUNT_BIND,    /* the tree at source */
};
enum plan_mount_flag {
	PLAN_MOUNT_RECURSIVE = 1,      /* bind: with the mounts below the source */
	PLAN_MOUNT_ATTR_RECURSIVE = 2, /* set and clear count for the mounts below it too */
	PLAN_MOUNT_LATE_READONLY = 4,  /* read-only once all mounts are made */
};
struct plan_option {
	uint32_t key, value; /* value 0: a flag */
};
struct plan_mount {
	uint32_t kind, flags, target, source, type, reserved;
	struct plan_list options; /* struct plan_option */
	uint64_t set, clear;      /* MOUNT_ATTR_* */
	uint64_t propagation;     /* MS_SHARED, MS_SLAVE, MS_PRIVATE; 0: as it is */
	int32_t fd;               /* -1; the process keeps the tree here between opening and attaching it */
	int32_t is_file;          /* 0; the process notes here that the source is no directory */
};

struct plan_link {
	uint32_t target, path; /* a symbolic link at path */
};

struct plan_device {
	uint32_t path, mode, major, minor, uid, gid; /* mode with S_IFCHR, S_IFBLK or S_IFIFO */
};

struct plan_limit {
	uint64_t resource, soft, hard;
};

/* As struct sock_filter and struct bpf_insn, which both have 8 bytes. */
struct plan_code {
	uint64_t word;
};

struct plan {
	uint32_t magic, version, size, kind;
	uint32_t flags;
	uint32_t uid, gid;
	int32_t oom_score_adj;
	uint64_t bounding, effective, permitted, inheritable, ambient; /* capabilities, bit n: number n */
	uint64_t root_propagation;                                     /* MS_SHARED, MS_SLAVE, ...; 0: private */
	uint64_t filter_flags;                                         /* SECCOMP_FILTER_FLAG_* */
	uint32_t cwd, apparmor, keyring, rootfs;
	uint32_t selinux;      /* the process's context */
	uint32_t file_label;   /* the context of the container's files; a mount of its own has it as an option too */
	uint32_t device_group; /* v2: the directory of the group to which `device_program` is attached; 0: none */
	uint32_t reserved;
	struct plan_list groups;         /* uint32_t, the supplementary groups */
	struct plan_list args, env;      /* union plan_word, with a last one of 0 that n does not count */
	struct plan_list env_terminal;   /* as env, of a further process with a terminal; n is 0: it is env */
	struct plan_list writes;         /* struct plan_write, before the process joins its group */
	struct plan_list joins;          /* uint32_t, v1: files that take a "0" */
	struct plan_list namespaces;     /* struct plan_namespace */
	struct plan_list mounts;         /* struct plan_mount, in their order */
	struct plan_list links;          /* struct plan_link */
	struct plan_list devices;        /* struct plan_device */
	struct plan_list masked, readonly; /* uint32_t */
	struct plan_list limits;         /* struct plan_limit */
	struct plan_list filter;         /* struct plan_code: seccomp */
	struct plan_list device_program; /* struct plan_code: BPF_PROG_TYPE_CGROUP_DEVICE */
};

/* Is it a plan of this version, with every offset, list and text inside of its `size` bytes? `at` is aligned to 8.
 * NULL: it is; else what is wrong. */
const char *plan_check(const void *at, size_t size);

/* In a checked plan. plan_text(p, 0) is NULL. */
static inline char *plan_text(const struct plan *p, uint32_t at)
{
	return at ? (char *)p + at : NULL;
}

static inline void *plan_at(const struct plan *p, struct plan_list list)
{
	return (char *)p + list.at;
}

/* ---- the request to crisp-zygote ----
 *
 * One packet on its socket: struct zygote_request, and the fds whose bit is set, in the order of the bits. The birth fd
 * is a SOCK_SEQPACKET socket with SO_PASSCRED at the other end. Each process that is made sends packets on it; the
 * first byte is the kind:
 *   BORN      the credentials of the packet name the process; a later BORN takes the place of an earlier one
 *   EXECUTES  the next system call is execve(2)
 *   FAILED    a sentence, without NUL
 * The keeper answers each BORN by GO, with the number of BORNs so far as its second byte: the process is written down,
 * and may outlive the keeper. It takes its user, and so loses its death signal, only then.
 * The end of file without FAILED and after EXECUTES means that the program runs; or that it was killed meanwhile.
 *
 * A further process takes the container's plan, whose kind may be PLAN_RUN, for a PLAN_EXEC when ZYGOTE_WORDS is there:
 * all but the words is as the first process has it. (ARCHITECTURE N12) */
enum zygote_fd {
	ZYGOTE_BIRTH, ZYGOTE_PLAN,
	ZYGOTE_GROUP,   /* v2: the directory of the group in which the process is born */
	ZYGOTE_PIDFD,   /* PLAN_EXEC: the first process of the container */
	ZYGOTE_CONSOLE, /* PLAN_TERMINAL: a socket that takes the master */
	ZYGOTE_IN, ZYGOTE_OUT, ZYGOTE_ERR, /* one that is missing is the container's /dev/null */
	ZYGOTE_WORDS, /* a further process: a plan of kind PLAN_WORDS */
	ZYGOTE_FDS
};

struct zygote_request {
	uint32_t version; /* PLAN_VERSION */
	uint32_t fds;     /* bit n: enum zygote_fd n is there */
	uint32_t new_pid; /* the process begins a new PID namespace */
	uint32_t reserved;
};

/* Words of FAILED that are not about the container's own files begin so; they are runc's. */
#define PLAN_GROUP_WORDS "unable to apply cgroup configuration: "

enum { BIRTH_BORN = 'B', BIRTH_EXECUTES = 'X', BIRTH_FAILED = 'F', BIRTH_GO = 'G', BIRTH_PACKET_MAX = 1024 };

#endif
