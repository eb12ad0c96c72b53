#!/bin/bash
# shim_sandbox.t - shims with `sandbox: api`: the pod's sandbox is the shim's own, by containerd's sandbox API. With a shim of the tests
# (tests/tools/shim/sandbox: the runc shim of containerd 2.3, whose sandbox is a process), with faults of it; with the runc shim of
# containerd 1.7, whose sandbox is nothing; and with one that has no such API.
. "$(dirname "$0")/../lib/crisp.sh"
for s in shim-runc-sandbox containerd-shim-runc-v2; do
	[ -x "$TOOLS/$s" ] || { echo "1..0 # SKIP no $TOOLS/$s: tests/tools/shim/build makes it"; exit 0; }
done
mkdir -p "$T/bin"; SHIM=$T/bin/shim-runc-sandbox; cp "$TOOLS/shim-runc-sandbox" "$SHIM" # files beside it say and tell what it does
crisp_up "runtimes:
  runc: {type: oci, path: ${RUNC:-/usr/sbin/runc}}
  api: {type: shim, path: $SHIM, binary: ${RUNC:-/usr/sbin/runc}, sandbox: api, create_timeout: 3,
    allowed_annotations: [good.io/*]}
  old: {inherit: api, path: $TOOLS/shim-runc-1.7}
  none: {inherit: api, path: $TOOLS/containerd-shim-runc-v2}"
P= C=
# pod NAME [EXTRA [HANDLER]]: its id is in $P. run NAME SCRIPT [EXTRA]: that of the container in $C.
pod() { POD=$(pod_json "$1" "${2-}"); P=$($CRICTL runp --runtime "${3:-api}" "$POD" 2>"$T/err"); }
run() {
	C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err") && $CRICTL start "$C" >/dev/null 2>"$T/err" ||
		{ sed 's/^/# /' "$T/err"; return 1; }
}
says() { log_text "$1" | grep -q "$2"; }
pod_is() { [ "$($CRICTL inspectp "$P" | jq -r .status.state)" = "SANDBOX_$1" ]; }
shims() { pgrep -f "^[^ ]*shim[^ ]* .*-address $T/state/shim.sock" | sort; }
no_shims() { [ -z "$(shims)" ]; }
gone() { $CRICTL rmp -f "$P" >/dev/null 2>"$T/err" && until_ok 15 no_shims; }
mode() { echo "$*" >"$T/bin/mode"; : >"$T/bin/calls"; }
calls() { cut -d' ' -f1 "$T/bin/calls" | grep -v SandboxStatus | tr '\n' ' '; } # crictl inspectp asks for that
called() { [ "$(calls)" = "$1" ]; }
in_shim() { pgrep -P "$(shims)" -x sleep; } # the process of the sandbox
loop='while :; do sleep 1; done'
ns_of() { readlink "/proc/$($CRICTL inspect "$1" | jq -r .info.pid)/ns/$2"; }

# ---- a pod ----

mode none
pod first '"hostname":"api-host","annotations":{"good.io/a":"yes-a","bad.io/b":"no-b"},
	"linux":{"security_context":{"namespace_options":{"pid":0}}}'
ok 'a pod is ready' pod_is READY
ok 'its shim is asked in order' until_ok 10 called 'CreateSandbox StartSandbox Platform PingSandbox WaitSandbox '
is 'one shim' "$(shims | wc -l)" 1
is 'its sandbox has a process' "$(in_shim | wc -l)" 1
sed -n 's/^CreateSandbox //p' "$T/bin/calls" >"$T/create"
is 'the network namespace is the one of the pod' "$(jq -r .netns "$T/create")" "$($CRICTL inspectp "$P" | jq -r .info.netns)"
is 'the bundle' "$(jq -r .bundle "$T/create")" "$T/state/sandboxes/$P/$P"
is "the configuration is CRI's" "$(jq -r .type "$T/create")" runtime.v1.PodSandboxConfig
like 'as it came' "$(jq -r .config "$T/create" | base64 -d | tr -c '[:print:]' ' ')" 'api-host.*yes-a'
notok 'but for annotations that are not allowed' grep -q no-b <(jq -r .config "$T/create" | base64 -d; cat "$T/create")
like 'annotations say what is asked for' "$(jq -c .annotations "$T/create")" \
	'"good.io/a":"yes-a".*"io.kubernetes.cri.container-type":"sandbox"'
run a "hostname; ps | grep -c 'paus[e]'; $loop"; A=$C
until_ok 10 says a '^1$'
is 'hostname and a PID namespace are shared' "$(log_text a | tr '\n' ' ')" 'api-host 1 '
run b "exit 7" '"linux":{"security_context":{"namespace_options":{"pid":1}}}'
until_ok 10 exited "$C"
is 'a container with its own PID namespace ends with its code' "$(exit_of "$C")" 7
run c "$loop"
for n in net ipc uts pid; do is "containers share the namespace $n" "$(ns_of "$A" $n)" "$(ns_of "$C" $n)"; done
notok 'the PID namespace is not the one of the node' [ "$(ns_of "$A" pid)" = "$(readlink /proc/self/ns/pid)" ]
is 'one shim for all' "$(shims | wc -l)" 1
is 'exec' "$($CRICTL exec -s "$A" echo inside)" inside
for c in "$A" "$C"; do $CRICTL stop -t 0 "$c" >/dev/null; $CRICTL rm "$c" >/dev/null; done
ok 'the pod outlives its containers' pod_is READY
is 'and so does its shim' "$(shims | wc -l)" 1

in_runtime() { $CRICTL inspectp "$P" | jq -r ".info.runtimeSandbox$1"; }
is 'the status has what the shim says' "$(in_runtime .state) $(in_runtime .info.shim) $(in_runtime .pid)" \
	"SANDBOX_READY of the tests $(in_shim)"
stat_of() { $CRICTL statsp -o json --id "$P" | jq -r ".stats[0].linux.$1.value"; }
measured() { [ "$(stat_of memory.workingSetBytes)" = 100000000 ]; }
ok 'its memory is told by the shim' until_ok 15 measured
is 'and its CPU time' "$(stat_of cpu.usageCoreNanoSeconds)" 1000000000
mode SandboxStatus hang
is 'a status that does not come is left out' "$($CRICTL inspectp "$P" | jq -r '.info.runtimeSandbox, .status.state' | tr '\n' ' ')" \
	'null SANDBOX_READY '

# ---- kills of the daemons ----

mode none
kill_crispd
ok 'crispd killed: the shim is asked again' until_ok 10 called 'PingSandbox WaitSandbox '
ok 'the pod is ready' pod_is READY
run d "$loop"; A=$C
ok 'and starts a container' [ "$(state_of "$A")" = CONTAINER_RUNNING ]
for p in $(pgrep -f "crisp-keeper --config $T/config.yaml") $(crispd_pid); do kill -9 "$p"; done
wait "$KEEPER" 2>/dev/null; crisp_start
ok 'both killed: the same' pod_is READY
is 'its container runs' "$(state_of "$A")" CONTAINER_RUNNING

# ---- the end of the sandbox, of its shim ----

mode none
kill -9 "$(in_shim)"
ok 'the end of the sandbox ends the pod' until_ok 15 pod_is NOTREADY
ok 'it goes' gone
is 'stopped and shut down' "$(calls)" 'StopSandbox ShutdownSandbox '
pod cut; run e "$loop"
kill -9 "$(shims)"
ok 'the end of its shim ends the pod' until_ok 15 pod_is NOTREADY
ok 'and its container' until_ok 15 exited "$C"
notok 'no other shim is started' run f "$loop"
ok 'it goes' gone
pkill -9 -x -f 'sleep infinity' # the sandbox of the shim that was killed: the program of the tests knows nothing of it
pod cut2; run g "$loop"
kill -STOP "$KEEPER"; pkill -9 -f "crispd --config $T/config.yaml"; kill -9 "$(shims)"; kill -CONT "$KEEPER"
until_ok 20 crisp_ready
ok 'the same while crispd is dead' until_ok 20 pod_is NOTREADY
ok 'and its container' until_ok 20 exited "$C"
ok 'it goes' gone
pkill -9 -x -f 'sleep infinity'
mode none
pod host '"linux":{"security_context":{"namespace_options":{"network":2,"pid":2,"ipc":2}}}'
is "a pod on the node's network has no namespace to tell" "$(sed -n 's/^CreateSandbox //p' "$T/bin/calls" | jq -r .netns)" ''
ok 'it goes' gone

# ---- a shim with faults ----

for fault in 'CreateSandbox error' 'CreateSandbox hang' 'CreateSandbox die' 'StartSandbox error' 'StartSandbox die' \
	'Platform os plan9'; do
	mode $fault
	notok "no pod: $fault" pod bad
	ok 'and no shim' until_ok 30 no_shims
	is 'nor a pod that is half made' "$($CRICTL pods -q --name bad)" ''
done
like 'it is told why' "$(cat "$T/err")" 'start the sandbox .*: api Platform: its sandbox is of the platform .*plan9/'
sleep 4444 & other=$!
mode StartSandbox pid $other
pod pid
ok "a shim that says another's pid" pod_is READY
ok 'it goes' gone
ok 'and not the other' kill -0 $other
kill $other; wait $other 2>/dev/null
mode WaitSandbox end
pod lie
ok 'a false end ends the pod' until_ok 15 pod_is NOTREADY
is 'its sandbox runs' "$(in_shim | wc -l)" 1
ok 'it goes' gone
is 'with its sandbox' "$(pgrep -x -f 'sleep infinity')" ''
mode none; pod stays; mode ShutdownSandbox error
ok 'a shim that does not end is killed' gone
mode none; pod hung; hung=$P; mode StopSandbox hang
$CRICTL -t 100s rmp -f "$hung" >/dev/null 2>&1 & remover=$!
until_ok 10 called 'StopSandbox '
pod beside '' none 2>/dev/null; pod beside '' runc
ok 'while one hangs, others are made' pod_is READY
ok 'and removed' $CRICTL rmp -f "$P"
is 'it hangs still' "$($CRICTL pods -q --name hung)" "$hung"
wait $remover
is 'it is killed' "$($CRICTL pods -q --name hung)" ''
ok 'no shim is left' until_ok 15 no_shims
pkill -9 -x -f 'sleep infinity'

# ---- other shims ----

notok 'a shim without the API' pod none '' none
like 'is told' "$(cat "$T/err")" 'containerd-shim-runc-v2 has no sandbox API: give its runtime handler sandbox: container'
ok 'and ends' until_ok 15 no_shims
is 'nothing is half made' "$($CRICTL pods -q --name none)" ''
if [ -x "$TOOLS/shim-runc-1.7" ]; then
	pod old '' old
	ok 'containerd 1.7: a pod' pod_is READY
	run h "$loop"
	kill_crispd
	ok 'it is ready, though its shim tells an end at once' pod_is READY
	is 'its container runs' "$(state_of "$C")" CONTAINER_RUNNING
	kill -9 "$(shims)"
	ok 'the end of its shim ends the pod' until_ok 15 pod_is NOTREADY
	ok 'and its container' until_ok 15 exited "$C"
	ok 'it goes' gone
	pod old2 '' old; run i "exit 3"; until_ok 10 exited "$C"
	is 'a container ends with its code' "$(exit_of "$C")" 3
	ok 'it goes' gone
else
	ok "containerd 1.7 # SKIP no $TOOLS/shim-runc-1.7" true
fi
crisp_clean
