#!/bin/bash
# native.t - the handler of type native: which way a container goes, what fails and how, and what a kill leaves.
# What a container of it looks like inside is tested by walk.t, exec.t, security.t, seccomp.t and update.t; bad input by bad_input.t.
. "$(dirname "$0")/../lib/crisp.sh"
mkdir -p "$T/cdi" "$T/volume"
cat >"$T/cdi/x.json" <<J
{"cdiVersion":"0.5.0","kind":"test.org/d","devices":[{"name":"hook","containerEdits":{"hooks":[{"hookName":"createContainer","path":"/bin/true","args":["true"]}]}}]}
J
crisp_up 'runtime: {default: native}' "cdi: {spec_dirs: [$T/cdi]}"

pod() { POD=$(pod_json "$1" '"linux":{"security_context":{"namespace_options":{"network":2,"pid":1}}}'); P=$($CRICTL runp "$POD"); }
# make NAME SCRIPT [EXTRA]: creates a container in the pod $P; its id is in $C.
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err"); }
run() { make "$@" && $CRICTL start "$C" >/dev/null 2>"$T/err"; }
# said COMMAND...: what it printed is in $T/err, without backslashes.
said() { "$@" >"$T/said" 2>&1; local rc=$?; tr -d '\\' <"$T/said" >"$T/err"; return $rc; }
info_of() { $CRICTL inspect "$C" | jq -r ".info.$1"; }
metric() { curl -s --unix-socket "$T/state/http.sock" http://crisp/metrics | sed -n "s/^crisp_native_fallback_total{reason=\"$1\"} //p"; }
zygote_pid() { sed -n 's/.*zygote start pid=\([0-9]*\).*/\1/p' "$T/crisp.log" | tail -1; }
running() { [ "$(state_of "$C")" = CONTAINER_RUNNING ]; }

# ---- which way ----

# With systemd's units every container goes by the fallback, and says so.
if [ $CGROUP_DRIVER = systemd ]; then
	POD=$(pod_json unit); P=$($CRICTL runp "$POD")
	for n in 1 2; do
		run unit$n 'echo hello; exec sleep 1000'
		is "systemd, container $n: inspect shows the way that it went, and why" "$(info_of startedBy) $(info_of fallbackReason)" 'runc systemd: linux.cgroupsPath'
		like "systemd, container $n: it is in a unit" "$(cat "/proc/$(info_of pid)/cgroup")" "/crisp-$C.scope"
	done
	is 'systemd: both are counted' "$(metric systemd)" 2
	is 'systemd: and told once' "$(grep -c 'native_fallback .*reason="systemd"' "$T/crisp.log")" 1
	is 'systemd: an exec goes the same way' "$($CRICTL exec -s "$C" echo there)" there
	ok 'systemd: an update too' $CRICTL update --memory 67108864 "$C"
	is 'systemd: and its limit counts' "$(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(info_of pid)/cgroup")/memory.max")" 67108864
	kill_crispd
	is 'systemd: kill of crispd: it runs on' "$(state_of "$C") $(info_of startedBy)" 'CONTAINER_RUNNING runc'
	crisp_clean
fi

pod way
run first 'echo hello; cat /proc/1/comm; exit 7'
until_ok 10 exited "$C"
is 'it ran and its exit code is known' "$(exit_of "$C")" 7
is 'its output is in the log' "$(log_text first | tr '\n' ' ')" 'hello sh '
is 'inspect shows the way that it went' "$(info_of startedBy) $(info_of fallbackReason)" 'native '
ok 'no runtime has a state of it' [ -z "$(ls "$T/state/runtime/runc")" ]
run hooks 'exec sleep 1000' '"CDI_devices":[{"name":"test.org/d=hook"}]'
is 'hooks go by the fallback' "$(info_of startedBy) $(info_of fallbackReason)" 'runc hooks: config.hooks'
ok 'which has a state of it' [ -d "$T/state/runtime/runc/$C" ]
is 'an exec goes the same way' "$($CRICTL exec -s "$C" echo there)" there
run hooks2 true '"CDI_devices":[{"name":"test.org/d=hook"}]'
is 'both are counted' "$(metric hooks)" 2
is 'and told once' "$(grep -c 'native_fallback .*reason="hooks"' "$T/crisp.log")" 1
# Masked directories are copies of one mount, which Linux before 6.15 makes only of one that is attached. With a shared root they are
# no peers: what is mounted on one is not on the others.
mkdir "$T/shared" && mount -t tmpfs shared "$T/shared" && mount --make-shared "$T/shared"
run masks 'ls /proc/bus /proc/irq | grep -c "^[^/]"; wc -c </proc/version
	mount -t tmpfs over /proc/fs && grep -cE " /proc/(fs|bus|irq) " /proc/self/mountinfo' \
	'"mounts":[{"container_path":"/shared","host_path":"'"$T/shared"'","propagation":2}],"linux":{"security_context":{
	"masked_paths":["/proc/fs","/proc/bus","/proc/version","/proc/irq"],"capabilities":{"add_capabilities":["SYS_ADMIN"]},
	"apparmor":{"profile_type":1}}}'
until_ok 10 exited "$C"
is 'three masked directories and a file: it is native' "$(info_of startedBy) $(info_of fallbackReason)" 'native '
is 'they are empty, and what is mounted on one of them is not on the others' "$(log_text masks | tr '\n' ' ')" '0 0 4 '
umount "$T/shared"
run here 'exec sleep 1000'
notok 'a checkpoint is refused' said $CRICTL checkpoint --export "$T/c.tar" "$C"
like 'with what to do' "$(tr '\n' ' ' <"$T/err")" 'handler of type oci, such as runc'
is 'and it runs on' "$(state_of "$C")" CONTAINER_RUNNING

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	run nested 'exec sleep 1000'
	group=/sys/fs/cgroup$(info_of cgroup)
	mkdir "$group/inner"; info_of pid >"$group/inner/cgroup.procs"; echo +memory >"$group/cgroup.subtree_control"
	is 'v2, a container with groups of its own: an exec goes where the first process is' "$($CRICTL exec -s "$C" cat /proc/self/cgroup)" 0::/inner
	$CRICTL stop -t 0 "$C" >/dev/null; $CRICTL rm "$C" >/dev/null
	group_gone() { [ ! -e "$group" ]; }
	ok 'and the groups end with the container' until_ok 10 group_gone
fi

# ---- mounts reach through ----

mount --bind "$T/volume" "$T/volume" && mount --make-shared "$T/volume"
mkdir -p "$T/volume/in" "$T/volume/out"
run slave 'until [ -e /v/in/file ]; do sleep 0.1; done; echo seen' '"mounts":[{"host_path":"'$T'/volume","container_path":"/v","propagation":1}]'
mount -t tmpfs none "$T/volume/in" && touch "$T/volume/in/file"
until_ok 10 exited "$C"
is 'HostToContainer: a mount of the host appears' "$(log_text slave)" seen
umount "$T/volume/in"
run shared 'mount -t tmpfs none /v/out && touch /v/out/file && exec sleep 1000' '"linux":{"security_context":{"privileged":true}},"mounts":[{"host_path":"'$T'/volume","container_path":"/v","propagation":2}]' 2>/dev/null
is 'a privileged container needs a privileged pod' "$C" ''
POD=$(pod_json priv '"linux":{"security_context":{"namespace_options":{"network":2,"pid":1},"privileged":true}}'); P=$($CRICTL runp "$POD")
run shared 'mount -t tmpfs none /v/out && touch /v/out/file && exec sleep 1000' '"linux":{"security_context":{"privileged":true}},"mounts":[{"host_path":"'$T'/volume","container_path":"/v","propagation":2}]'
ok 'Bidirectional: a mount of the container appears' until_ok 10 [ -e "$T/volume/out/file" ]
$CRICTL rmp -f "$P" >/dev/null
umount "$T/volume/out"; umount "$T/volume"

# ---- words of a process that ended before the keeper read them ----

# overtaken WORDS COMMAND...: runs COMMAND while the process that works for it waits at its first pwrite(2) until the keeper, which has told
# it to go on, is stopped; the keeper runs on when the process has ended, and finds all that it said at once.
overtaken() {
	local words=$1 keeper strace going child=; shift
	keeper=$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')
	child_of() { child=$(pgrep -P "$keeper" -x crisp-zygote | grep -vx "$(zygote_pid)"); }
	told() { child_of && ss -xpH | grep "u_seq .*pid=$child," | awk '{ n += $3 } END { exit !n }'; }
	traced() { ! grep -q '^TracerPid:.0$' "/proc/$(zygote_pid)/status"; }
	strace -f -qq -o "$T/strace" -e trace=pwrite64 -e inject=pwrite64:delay_enter=5000000:when=1 -p "$(zygote_pid)" & strace=$!
	until_ok 20 traced || fail "$words: strace"
	"$@" >"$T/said" 2>&1 & going=$!
	until_ok 20 told || fail "$words: the process is told to go on"
	kill -STOP "$keeper"
	until_ok 20 grep -q '^State:.Z' "/proc/$child/status" || fail "$words: the process ends"
	kill -CONT "$keeper"
	wait $going; said_rc=$?
	kill "$strace"; wait "$strace"
	tr -d '\\' <"$T/said" >"$T/err"
}
pod words
run limited 'exec sleep 1000'
overtaken 'an update' $CRICTL update --cpu-share 300 "$C"
is 'an update whose process ended first is done' "$said_rc $(cat "$T/err")" "0 $C"
make refused true '"linux":{"resources":{"cpuset_cpus":"4000"}}'
overtaken 'a start' $CRICTL start "$C"
like 'a start whose process ended first has its words' "$(cat "$T/err")" 'failed to write "4000"'

# ---- kills ----

pod kills
run lives 'trap "exit 3" TERM; while :; do sleep 0.1; done'
kill_crispd
is 'kill of crispd: it runs on' "$(state_of "$C")" CONTAINER_RUNNING
is 'and an exec works' "$($CRICTL exec -s "$C" echo there)" there
old=$(zygote_pid); kill -9 "$old"
new_zygote() { [ "$(zygote_pid)" != "$old" ]; }
run again 'exit 5'
until_ok 10 exited "$C"
is 'a dead zygote is replaced' "$(exit_of "$C")" 5
ok 'by another one' new_zygote
C=$($CRICTL ps -q --name lives)
is 'and what the dead one began runs on' "$(state_of "$C")" CONTAINER_RUNNING
$CRICTL stop -t 10 "$C" >/dev/null
is 'and its exit code is known' "$(exit_of "$C")" 3

# asked: a request waits in the socket of the zygote. Before, a keeper that is told of its end would ask the next one.
asked() { ss -xpH | grep "u_seq .*pid=$(zygote_pid),fd=3)" | awk '{ n += $3 } END { exit !n }'; }
# A start that is under way: the zygote is stopped, so the request waits in its socket.
under_way() { # under_way WHAT COMMAND: what is left of a start when COMMAND is run in the middle of it
	make "mid$1" 'exec sleep 1000'
	kill -STOP "$(zygote_pid)"
	$CRICTL start "$C" >"$T/start.out" 2>&1 & local starting=$!
	until_ok 10 asked || fail "$1: the zygote is asked" "$(ss -xpH | grep u_seq)"
	eval "$2"
	wait $starting
	until_ok 20 crisp_ready
	is "$1 in the midst of a start: the container is as before" "$(state_of "$C")" CONTAINER_CREATED
	ok "$1 in the midst of a start: and can be started" $CRICTL start "$C"
	ok "$1 in the midst of a start: it runs" running
}
under_way zygote 'kill -9 "$(zygote_pid)"'
under_way crispd 'old=$(zygote_pid); kill -9 "$(crispd_pid)"; sleep 0; kill -9 "$old"'
crisp_clean
