#!/bin/bash
# oracle.t - a container is the same under every runtime handler: what its first process and an exec see of their confinement.
#
# tests/oracle/cases has the configurations, the probe prints what it sees, compare tells what is not equal to the reference, and
# tests/oracle/differences has the differences that are known, each with its reason.
# HANDLERS="A B": the handlers; the first is the reference. Default: every one that is here. SHOW_LINES=N: print so many differences of a handler.
# ORACLE_CASES="1-20,35,apparmor-*": only these cases, by number and name (tests/oracle/cases), where all at once take too long.
. "$(dirname "$0")/../lib/crisp.sh"
O=$ROOT/tests/oracle
LEVEL=info
[ -x "$BUILD/cri-bridge" ] || { echo '1..0 # SKIP cri-bridge is not built'; exit 0; }
: "${ORACLE_CASES:=}"
[ -z "$ORACLE_CASES" ] || export WHOLE=no

gcc -O1 -std=gnu17 -D_GNU_SOURCE -I"$ROOT" -static -o "$T/probe" $(ls "$O"/*.c | grep -v filter_main) || exit 1
gcc -O2 -std=gnu17 -D_GNU_SOURCE -I"$ROOT" -o "$T/oracle-filter" "$O/filter_main.c" || exit 1
RUNC_BUILT=$TOOLS/runc

# The handlers: runc is the pinned one, debian-runc and crun are the machine's.
runtimes="runc: {type: oci, path: $RUNC_BUILT}" names=runc
for program in /usr/sbin/runc /usr/bin/crun; do
	[ -x $program ] || continue
	name=$([ $program = /usr/bin/crun ] && echo crun || echo debian-runc)
	runtimes="$runtimes, $name: {type: oci, path: $program}" names="$names $name"
done
[ ! -x "$BUILD/crisp-zygote" ] || runtimes="$runtimes, native: {type: native, fallback: runc}" names="$names native"
: "${HANDLERS:=$names}"
read -r REFERENCE others <<<"$HANDLERS"

# What the cases mount: a directory, a file, a FIFO, a socket, a tree with a mount in it, a mount with flags.
mkdir -p "$T/dir" "$T/order" "$T/empty/b" "$T/tree" "$T/flags"
echo content >"$T/file"; echo in >"$T/dir/in"; touch "$T/dir/below"; touch "$T/empty/b/c"
mkfifo "$T/fifo"; python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/socket"
mount -t tmpfs -o mode=755 tree "$T/tree" && mount --make-shared "$T/tree" && mkdir "$T/tree/sub" && mount -t tmpfs -o mode=755,nosuid sub "$T/tree/sub"
mount -t tmpfs -o mode=755,nosuid,nodev,noexec,noatime flags "$T/flags"
mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm # of this test alone: other programs make files in the node's meanwhile
trap 'umount -l "$T/tree" "$T/flags" /dev/shm' EXIT
# Profiles: some calls refused, all but some refused, and answers that depend on arguments.
cat >"$T/local.json" <<'J'
{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":122},
 {"names":["keyctl"],"action":"SCMP_ACT_ERRNO"}]}
J
python3 - "$T" <<'P'
import json, sys
calls = """accept access arch_prctl brk chdir chown clone clone3 close connect dup dup2 dup3 execve execveat exit exit_group faccessat faccessat2
 fadvise64 fchdir fchmod fchown fcntl fstat fstatfs futex getcwd getdents getdents64 getegid geteuid getgid getgroups getpgrp getpid
 getppid getpriority getrandom getsid gettid getuid ioctl ioprio_get keyctl lseek lstat mkdirat mknod mknodat mmap mprotect munmap nanosleep
 newfstatat open openat pause personality pipe2 ppoll prctl pread64 prlimit64 read readlink readlinkat rseq rt_sigaction rt_sigprocmask
 rt_sigreturn sched_getaffinity sched_getscheduler sched_yield sendmsg set_robust_list set_tid_address setgid setgroups setresgid setresuid setuid capget capset
 epoll_create1 epoll_ctl epoll_pwait getsockname pselect6 madvise mincore tgkill kill sigaltstack socket statx stat statfs uname unlink unlinkat
 umask wait4 write writev close_range fork vfork openat2 setsid pidfd_open pidfd_send_signal nanosleep timer_create""".split()
with open(f"{sys.argv[1]}/strict.json", "w") as f:
    json.dump({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
               "syscalls": [{"names": calls, "action": "SCMP_ACT_ALLOW"}]}, f)
with open(f"{sys.argv[1]}/arguments.json", "w") as f:
    json.dump({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]},
        {"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 0x7e020000, "valueTwo": 0x10000000, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_GT"}]},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"}]}, f)
P

# What the kernel confines with: cases says which configurations that adds.
selinux=; [ ! -e /sys/fs/selinux/enforce ] || selinux='selinux: true'
if grep -qs Y /sys/module/apparmor/parameters/enabled; then
	apparmor_parser -r <<<'profile crisp-oracle flags=(attach_disconnected,mediate_deleted) {
	file, network, capability, mount, umount, pivot_root, ptrace, signal, unix,
	deny /etc/group r,
	}' || exit 1
fi

crisp_config "runtimes: {$runtimes}" "runtime: {default: runc}" "$selinux"
cni_config
crisp_start || exit 1

passwd='root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n' group='root:x:0:\nmore:x:3000:alice\nmost:x:3001:bob,alice\n'
cat >"$T/images.json" <<J
[{"repo": "oracle", "config": {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "WorkingDir": "/tmp", "Volumes": {"/volume": {}}}, "layers": [{"entries": [
   {"path": "probe", "from": "$T/probe", "mode": 493}, {"path": "etc", "type": "dir"}, {"path": "etc/passwd", "data": "$passwd"},
   {"path": "etc/group", "data": "$group"}, {"path": "dev", "type": "dir"}, {"path": "proc", "type": "dir"}, {"path": "sys", "type": "dir"},
   {"path": "tmp", "type": "dir", "mode": 1023}, {"path": "root", "type": "dir", "mode": 448}, {"path": "home/alice", "type": "dir", "uid": 1000},
   {"path": "closed", "type": "dir", "mode": 448}, {"path": "link", "type": "symlink", "target": "/root"}, {"path": "volume", "type": "dir", "mode": 488, "uid": 5},
   {"path": "script", "data": "#!/nothing\n", "mode": 493}, {"path": "garbage", "data": "no program", "mode": 493}]}]},
 {"repo": "oracle-odd", "config": {"User": "1000:2000", "WorkingDir": "/not/made", "Env": ["NOEQUALS", "A=", "B=x=y", "A=last"],
   "Entrypoint": ["/probe"], "StopSignal": "SIGINT"}, "layers": [{"entries": [
   {"path": "probe", "from": "$T/probe", "mode": 493}, {"path": "etc", "type": "dir"},
   {"path": "etc/passwd", "data": "broken\nroot:x:0\nbob:x:1000:7:x:/home/bob:/x\nbob:x:1:1:::\n"}, {"path": "etc/hosts", "type": "symlink", "target": "../tmp/hosts"},
   {"path": "etc/resolv.conf", "data": "of the image"}, {"path": "etc/mtab", "type": "symlink", "target": "/etc/old"},
   {"path": "tmp", "type": "dir", "mode": 448}, {"path": "dev", "type": "dir", "mode": 448}, {"path": "dev/shm", "type": "dir", "mode": 448},
   {"path": "dev/null", "data": "a file"}, {"path": "dev/console", "data": "a file"}, {"path": "dev/pts", "type": "dir"}, {"path": "dev/ptmx", "data": "a file"},
   {"path": "proc", "type": "dir", "mode": 365}, {"path": "proc/kcore", "data": "a file"}, {"path": "sys", "type": "dir"}, {"path": "sys/x", "data": "x"}]}]},
 {"repo": "oracle-bare", "config": {}, "layers": [{"entries": [{"path": "probe", "from": "$T/probe", "mode": 493}]}]},
 {"repo": "oracle-setuid", "config": {}, "layers": [{"entries": [{"path": "probe", "from": "$T/probe", "mode": 3565}]}]}]
J
"$IMAGE" --registry "$REGISTRY" "$T/images.json" >/dev/null || exit 1
for i in oracle oracle-odd oracle-bare oracle-setuid; do $CRICTL pull "$REGISTRY/$i:latest" >/dev/null || exit 1; done
for n in /proc/self/ns/*; do printf 'ns %s\t%s\n' "${n##*/}" "$(readlink "$n")"; done >"$T/namespaces.out"; echo end >>"$T/namespaces.out"

# There is one cgroup2 for the node and all containers; a mount of it anew may change its options.
groups_options() { sed -n 's/.* - cgroup2 [^ ]* //p' /proc/self/mountinfo | sort -u; }
options=$(groups_options)
export CRICTL SLOW=${SLOW:-1}
for h in $HANDLERS; do
	mkdir -p "$T/$h"
	"$O/cases" "$T" "$h" "$REGISTRY" "$ORACLE_CASES" || exit 1
	ok "$h: the cases have run" "$O/drive" "$T" "$h"
	echo "$out"
	is "$h: the filters of all can be read" "$(cat "$T/$h/filters.err")" ''
	is "$h: which is every first process" "$(cut -f1 "$T/$h/filters" | sort -u | wc -l)" "$(wc -l <"$T/$h/started")"
	ok "$h: a profile gave a filter" awk -F'\t' '$1 == "default-profile" && $3 ~ /errno/ { n++ } END { exit !n }' "$T/$h/filters"
	[ "$h" != native ] || is "$h: none but user namespaces go by the fallback" "$(grep -v '^[^ ]* native \|^userns' "$T/$h/ways")" ''
	is "$h: the options of cgroup2 are as they were" "$(groups_options)" "$options"
done
for h in $others; do
	"$O/compare" "$T" "$REFERENCE" "$h" "$O/differences" >"$T/$h.cases" 2>"$T/$h.differences"
	while IFS=$'\t' read -r case bad; do
		case $case in
		unused) echo "# $h: explains nothing here: $bad";;
		*) is "$h: $case is the same as with $REFERENCE" "$bad" 0;;
		esac
	done <"$T/$h.cases"
	[ ! -s "$T/$h.differences" ] || head -${SHOW_LINES:-60} "$T/$h.differences" | sed "s/^/# $h: /"
done
is 'all cases have run' "$(ls "$T/$REFERENCE"/*.first.out | wc -l)" "$(grep -vc ' fails-\| devices-replaced$' "$T/$REFERENCE/list")"
umount -l "$T/tree" "$T/flags" /dev/shm; trap - EXIT
crisp_clean
