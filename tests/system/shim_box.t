#!/bin/bash
# shim_box.t - a shim with `sandbox: container`: a pod begins with a task of its own, as Kata wants it. With containerd's runc shim:
# what the containers of the pod share with that task, its end, kills of the daemons and of the shim; with shim_fake: a task that
# does not begin.
. "$(dirname "$0")/../lib/crisp.sh"
RUNC_SHIM=$TOOLS/containerd-shim-runc-v2 FAKE=$T/bin/containerd-shim-fake-v2
[ -x "$RUNC_SHIM" ] || { echo "1..0 # SKIP no $RUNC_SHIM: tests/tools/shim/build makes it"; exit 0; }
mkdir -p "$T/bin"; ln -s "$ROOT/tests/lib/shim_fake" "$FAKE"
crisp_up "runtimes:
  runc: {type: oci, path: ${RUNC:-/usr/sbin/runc}}
  shim: {type: shim, path: $RUNC_SHIM, binary: ${RUNC:-/usr/sbin/runc}, sandbox: container}
  fake: {type: shim, path: $FAKE, sandbox: container}"
P= C=
# pod NAME [EXTRA [HANDLER]]: its id is in $P. run NAME SCRIPT [EXTRA]: that of the container in $C.
pod() { POD=$(pod_json "$1" "${2-}"); P=$($CRICTL runp --runtime "${3:-shim}" "$POD" 2>"$T/err") || { sed 's/^/# /' "$T/err"; return 1; }; }
run() {
	C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err") && $CRICTL start "$C" >/dev/null 2>"$T/err" ||
		{ sed 's/^/# /' "$T/err"; return 1; }
}
says() { log_text "$1" | grep -q "$2"; }
pod_is() { [ "$($CRICTL inspectp "$P" | jq -r .status.state)" = "SANDBOX_$1" ]; }
pid_of_pod() { $CRICTL inspectp "$P" | jq -r .info.pid; }
shims() { pgrep -f "^$1.* -address $T/state/shim.sock" | sort; }
no_shims() { [ -z "$(shims "$TOOLS")" ]; }
no_fake() { ! pgrep -f "$FAKE" >/dev/null; }
gone() { $CRICTL rmp -f "$P" >/dev/null 2>"$T/err" && until_ok 15 no_shims; }
loop='while :; do sleep 1; done'
ns() { readlink "/proc/$(pid_of_pod)/ns/$1"; }
same_ns() { [ "$(ns "$1")" = "$(readlink "/proc/$($CRICTL inspect "$2" | jq -r .info.pid)/ns/$1")" ]; }

# ---- a pod ----

pod first '"hostname":"box-host","linux":{"security_context":{"namespace_options":{"pid":0}},
	"resources":{"memory_limit_in_bytes":500000000}}'
is 'a pod without containers has a shim' "$(shims "$TOOLS" | wc -l)" 1
like 'and its task, which is told what it is' "$(jq -c .annotations "$T/state/sandboxes/$P/$P/config.json")" \
	'"io.kubernetes.cri.container-type":"sandbox".*"io.kubernetes.cri.sandbox-memory":"500000000"'
is 'its process waits' "$(tr '\0' ' ' <"/proc/$(pid_of_pod)/cmdline")" '/pause wait '
run a "cat /etc/hostname; ps | grep -c '/pause wai[t]'; $loop"; A=$C
until_ok 10 says a '^1$'
is 'hostname and a PID namespace are shared' "$(log_text a | tr '\n' ' ')" 'box-host 1 '
for n in net ipc uts pid; do ok "the namespace $n is that of the task" same_ns $n "$A"; done
run b "exit 7" '"linux":{"security_context":{"namespace_options":{"pid":1}}}'
until_ok 10 exited "$C"
is 'a container with its own PID namespace ends with its code' "$(exit_of "$C")" 7
is 'one shim for all' "$(shims "$TOOLS" | wc -l)" 1
$CRICTL stop -t 0 "$A" >/dev/null; $CRICTL rm "$A" >/dev/null
ok 'the pod outlives its containers' pod_is READY

# ---- kills of the daemons ----

kill_crispd
ok 'crispd killed: the pod is ready' pod_is READY
run c "$loop"; A=$C
ok 'and starts a container' same_ns pid "$A"
for p in $(pgrep -f "crisp-keeper --config $T/config.yaml") $(crispd_pid); do kill -9 "$p"; done
wait "$KEEPER" 2>/dev/null; crisp_start
ok 'both killed: the same' pod_is READY
is 'its container runs' "$(state_of "$A")" CONTAINER_RUNNING

# ---- the end of the task, of its shim ----

kill -9 "$(pid_of_pod)"
ok 'the end of the task ends the pod' until_ok 15 pod_is NOTREADY
ok 'and its PID namespace' until_ok 15 exited "$A"
ok 'it goes' gone
pod cut; run d "$loop"
kill -STOP "$KEEPER"; pkill -9 -f "crispd --config $T/config.yaml"; kill -9 "$(shims "$TOOLS")"; kill -CONT "$KEEPER"
until_ok 20 crisp_ready
ok 'the end of its shim, while crispd is dead, ends the pod' until_ok 20 pod_is NOTREADY
ok 'and its container' until_ok 20 exited "$C"
ok 'it goes' gone
pod host '"linux":{"security_context":{"namespace_options":{"network":2,"pid":2,"ipc":2}}}'
for n in net ipc pid; do is "the node's $n" "$(ns $n)" "$(readlink /proc/self/ns/$n)"; done
ok 'it goes' gone

# ---- a task that does not begin ----

for fault in 'Create error' 'start exit'; do
	echo "$fault" >"$T/bin/mode"
	notok "no pod: $fault" pod bad '' fake
	ok "and no shim" until_ok 30 no_fake
	is 'nor a pod that is half made' "$($CRICTL pods -q --name bad)" ''
done
like 'it is told why' "$(cat "$T/err")" 'start the sandbox .*: fake run: .*start: exit status 3'
# ---- a shim that tells an end, and the task runs on ----

echo 'Wait exit 0' >"$T/bin/mode"
pod lie '' fake
ok 'the pod has ended' until_ok 15 pod_is NOTREADY
: >"$T/bin/mode"
ok 'it goes' until_ok 15 $CRICTL rmp -f "$P"
ok 'and its task and the shim' until_ok 15 no_fake
# ---- a container in no group of the node, as in a virtual machine ----

: >"$T/bin/mode"
pod far '' fake; run far true
ok 'a pod of the fake' pod_is READY
stat_of() { $CRICTL stats -o json "$C" | jq -r ".stats[0].$1.value"; }
measured() { [ "$(stat_of memory.workingSetBytes)" = 100000000 ]; }
ok 'its memory is told by the shim' until_ok 15 measured
is 'and its CPU time' "$(stat_of cpu.usageCoreNanoSeconds)" 1000000000
echo 'Stats exit 7' >"$T/bin/mode"
refused() { $CRICTL stats "$C" >/dev/null; grep -q 'runtime_stats .*error=.*stats of an unknown type' "$T/crisp.log"; }
ok 'an answer that is none' until_ok 15 refused
is 'leaves the last one' "$(stat_of memory.workingSetBytes) $(stat_of cpu.usageCoreNanoSeconds)" '100000000 1000000000'
: >"$T/bin/mode"
ok 'it goes' $CRICTL rmp -f "$P"
ok 'and the shim' until_ok 15 no_fake
crisp_clean
