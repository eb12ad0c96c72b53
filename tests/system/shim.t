#!/bin/bash
# shim.t - containerd's runc shims: pods of several containers, exec, terminals, logs, the ways to end, kills of the daemons and of
# shims, and shims of three versions.
. "$(dirname "$0")/../lib/crisp.sh"
RUNC_SHIM=$TOOLS/containerd-shim-runc-v2
[ -x "$RUNC_SHIM" ] || { echo "1..0 # SKIP no $RUNC_SHIM: tests/tools/shim/build makes it"; exit 0; }
mkdir -p "$T/bin"
# A shim that answers with gRPC, one that says no address, and one that starts a daemon and never answers.
printf '#!/bin/sh\necho "{\\"version\\":3,\\"address\\":\\"unix:///x\\",\\"protocol\\":\\"grpc\\"}"\n' >"$T/bin/grpc"
printf '#!/bin/sh\necho broken >&2; exit 3\n' >"$T/bin/broken"
chmod +x "$T"/bin/*
crisp_up "runtimes:
  runc: {type: oci, path: ${RUNC:-/usr/sbin/runc}}
  shim: {type: shim, path: $RUNC_SHIM, binary: ${RUNC:-/usr/sbin/runc}}
  shim22: {inherit: shim, path: $TOOLS/shim-runc-2.2}
  shim17: {inherit: shim, path: $TOOLS/shim-runc-1.7}
  rust: {inherit: shim, path: $TOOLS/shim-rust}
  grpc: {type: shim, path: $T/bin/grpc}
  broken: {type: shim, path: $T/bin/broken}
  missing: {type: shim, path: io.containerd.missing.v2}"
P= C=

# pod NAME HANDLER [EXTRA]: its id is in $P.
pod() { POD=$(pod_json "$1" "${3-}"); P=$($CRICTL runp --runtime "$2" "$POD" 2>"$T/err") || { sed 's/^/# /' "$T/err"; return 1; }; }
# make NAME SCRIPT [EXTRA]: its id is in $C.
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err") || { sed 's/^/# /' "$T/err"; return 1; }; }
run() { make "$@" && { $CRICTL start "$C" >/dev/null 2>"$T/err" || { sed 's/^/# /' "$T/err"; return 1; }; }; }
says() { log_text "$1" | grep -q "$2"; }
shims() { pgrep -f "^$1.* -address $T/state/shim.sock" | sort; }
no_shims() { [ -z "$(shims "$TOOLS")" ]; }
gone() { $CRICTL rmp -f "$P" >/dev/null 2>"$T/err" && until_ok 15 no_shims; }
pid_of() { $CRICTL inspect "$1" | jq -r .info.pid; }

# ---- each shim ----

walk() { # NAME HANDLER
	pod "$1" "$2" && run "$1" 'echo hello; echo oops >&2; while [ ! -e /tmp/end ]; do sleep 0.1; done; echo bye; exit 7' &&
		until_ok 10 says "$1" oops && [ "$($CRICTL exec -s "$C" echo inside)" = inside ] && $CRICTL exec "$C" sh -c ': >/tmp/end' &&
		until_ok 10 exited "$C" && [ "$(exit_of "$C")" = 7 ] && says "$1" bye && gone
}
ok 'containerd 2.3: from run to remove' walk v23 shim
# other WORDS PROGRAM HANDLER: one that a whole run of all lanes builds.
other() {
	if [ -x "$TOOLS/$2" ]; then ok "$1: from run to remove" walk "$3" "$3"
	else ok "$1 # SKIP ALL=1 RUST=1 tests/tools/shim/build makes it" true; fi
}
other 'containerd 2.2' shim-runc-2.2 shim22
other 'containerd 1.7' shim-runc-1.7 shim17
other 'the shim of crates.io' shim-rust rust

# ---- a pod with several containers ----

mkdir -p "$T/volume"; echo of-the-node >"$T/volume/file"
pod two shim '"hostname":"shim-host"'
make a 'echo a; while :; do sleep 1; done'; A=$C
make b 'cat /etc/hostname; id -u; id -G; cat /v/file; echo $GREETING; while :; do sleep 1; done' \
	"$(jq -nc --arg v "$T/volume" '{mounts:[{container_path:"/v",host_path:$v}],envs:[{key:"GREETING",value:"hi"}],
	linux:{security_context:{run_as_user:{value:1000},run_as_group:{value:1000},
	supplemental_groups:[2000]}}}' | sed 's/^{//; s/}$//')"; B=$C
$CRICTL start "$A" >/dev/null & first=$!
$CRICTL start "$B" >/dev/null; wait $first
until_ok 10 says b hi
is 'two that start at once' "$(state_of "$A")$(state_of "$B")" CONTAINER_RUNNINGCONTAINER_RUNNING
is 'one shim for the pod' "$(shims "$TOOLS" | wc -l)" 1
is 'hostname, user, groups, a volume and an environment' "$(log_text b | tr '\n' ' ')" 'shim-host 1000 1000 2000 of-the-node hi '
# Without --foreground timeout leads a process group of its own, which may not set the terminal's modes (SIGTTOU).
terminal() { script -qec "$1" /dev/null </dev/null; }
is 'exec with a terminal' "$(terminal "$CRICTL exec -it $A sh -c '[ -t 0 ] && echo terminal'" | tr -dc 'a-z')" terminal
is 'exec reads its input' "$(echo through | $CRICTL exec -i "$A" cat)" through
is 'the exit code of an exec' \
	"$($CRICTL exec "$A" sh -c 'exit 3' 2>&1 | grep -o 'exit code [0-9]*\|exit status [0-9]*' | tail -1 | tr -dc 0-9)" 3
like 'an exec of nothing' "$($CRICTL exec -s "$A" /no-such 2>&1)" 'no such file'
like 'a timeout ends an exec' "$($CRICTL exec -s --timeout 1 "$A" sleep 1000 2>&1)" timeout
notok 'and its process' $CRICTL exec -s "$A" pgrep -x sleep -f 'sleep 1000'
is 'much output of an exec comes whole' "$($CRICTL exec -s "$A" sh -c 'seq 1 100000' | grep . | md5sum)" "$(seq 1 100000 | md5sum)"
sized="until stty size 2>/dev/null | grep 33; do sleep 0.1; done"
is 'the size of a terminal' \
	"$(terminal "stty rows 33 cols 77; timeout --foreground -k 5 20 $CRICTL exec -it $A sh -c '$sized'" | tr -dc '0-9 ')" '33 77'
ok 'new limits' $CRICTL update --memory 100000000 "$A"
measured() { [ "$($CRICTL stats -o json "$1" | jq '.stats[0].memory.workingSetBytes.value | tonumber')" -gt 1000 ]; }
ok 'statistics: memory' until_ok 15 measured "$A"
run aim 'cat /proc/1/cmdline' "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":3,\"target_id\":\"$A\"}}}"
until_ok 10 exited "$C"
like "a target's processes are seen" "$(log_text aim | tr '\0' ' ')" 'echo a'
run lines 'seq 1 20000; exit 5'
until_ok 20 exited "$C"
is 'the last line is in the log before the exit is known' "$(log_text lines | tail -1) $(exit_of "$C")" '20000 5'
run wait-for-input 'cat; echo over' '"stdin":true,"stdin_once":true'
is 'attach with stdin_once' "$(echo typed | timeout 20 $CRICTL attach -i "$C")" "$(printf 'typed\nover')"
until_ok 10 exited "$C"; is 'which ends it' "$(exit_of "$C")" 0
run term 'tty; read x; echo "<$x>"' '"stdin":true,"tty":true'
until_ok 10 says term pts
printf 'key\n' | timeout 20 script -qec "$CRICTL attach -i -t $C" /dev/null >/dev/null 2>&1
until_ok 10 exited "$C"
like 'attach to a terminal' "$(log_text term)" '<key>'
$CRICTL stop -t 1 "$B" >/dev/null
is 'stop: SIGKILL behind the grace' "$(exit_of "$B")" 137
is 'the other runs on' "$(state_of "$A")" CONTAINER_RUNNING
ok 'the pod goes, and its shim' gone

# ---- kills of the daemons ----

pod kills shim
run k1 'while [ ! -e /tmp/end ]; do sleep 0.1; done; echo bye; exit 9'; K=$C
run k2 'while :; do sleep 1; done'; L=$C
# An exec whose Start is not answered yet may be lost by the shim (docs/handlers.md), so this waits for the answer.
lines=$(wc -l <"$T/crisp.log")
$CRICTL exec "$L" sh -c 'exec sleep 4321' >/dev/null 2>&1 & exec=$!
inside() { pgrep -f '^sleep 4321' >/dev/null; }
runs() { inside && tail -n "+$lines" "$T/crisp.log" | grep -q 'sm exec_stream=[0-9a-f]* from=SPAWN to=RUN'; }
until_ok 10 runs
kill_crispd; wait $exec 2>/dev/null
is 'crispd killed: they run' "$(state_of "$K")$(state_of "$L")" CONTAINER_RUNNINGCONTAINER_RUNNING
notok 'an exec whose client is gone is killed' until_ok 1 inside
is 'exec' "$($CRICTL exec -s "$K" echo inside)" inside
root=/proc/$(pid_of "$K")/root
kill -STOP "$KEEPER"; pkill -9 -f "crispd --config $T/config.yaml"; : >"$root/tmp/end"; kill -CONT "$KEEPER"
until_ok 20 crisp_ready
ok 'an end while crispd was dead' until_ok 10 exited "$K"
is 'has its exit code' "$(exit_of "$K")" 9
like 'and its output' "$(log_text k1)" bye
run k3 'n=0; while [ ! -e /tmp/end ]; do echo $n; n=$((n+1)); sleep 0.05; done; echo last; exit 11'; M=$C
until_ok 10 says k3 3; gap=$(pid_of "$M") root=/proc/$(pid_of "$M")/root
for p in $(pgrep -f "crisp-keeper --config $T/config.yaml") $(crispd_pid); do kill -9 "$p"; done
: >"$root/tmp/end"; until_ok 10 ended "$gap"
wait "$KEEPER" 2>/dev/null; crisp_start
ok 'an end while both daemons were dead' until_ok 10 exited "$M"
is 'has its exit code' "$(exit_of "$M")" 11
is 'and each line of its output once' "$(log_text k3 | awk '$1 != NR - 1')" last
is 'the other runs' "$(state_of "$L")" CONTAINER_RUNNING
$CRICTL stop -t 0 "$L" >/dev/null
is 'and can be stopped' "$(exit_of "$L")" 137
ok 'the pod goes' gone

# ---- kills of shims ----

pod other shim; OP=$P; OPOD=$POD; run o 'while :; do sleep 1; done'; O=$C
pod dies shim; run d1 'while :; do sleep 1; done'; D=$C; dpid=$(pid_of "$D")
dies=$(pgrep -f "^$TOOLS.* -id $D ")
kill -9 "$dies"
ok 'a killed shim: its container ends' until_ok 20 exited "$D"
is 'with 137' "$(exit_of "$D")" 137
ok 'no process is left of it' until_ok 10 ended "$dpid"
run d2 'echo again; while :; do sleep 1; done'
ok 'a container begins with a new shim' until_ok 10 says d2 again
is "another pod's container runs" "$(state_of "$O")" CONTAINER_RUNNING
hangs=$(pgrep -f "^$TOOLS.* -id $C ")
kill -STOP "$hangs"
is 'a shim that hangs does not hold another pod' "$($CRICTL exec -s "$O" echo free)" free
$CRICTL stop -t 0 "$C" >/dev/null 2>&1
ok 'and not its own for ever' until_ok 60 exited "$C"
ok 'it is killed' until_ok 10 ended "$hangs"
$CRICTL rmp -f "$P" >/dev/null 2>&1
P=$OP; ok 'the pods go' gone

# ---- a start that is cut off ----

pod cut shim; make cut 'while :; do sleep 1; done'; cut=$C
$CRICTL start "$C" >/dev/null 2>&1 & start=$!
booted() { [ -n "$(shims "$TOOLS")" ]; }
until_ok 10 booted; kill -9 "$(crispd_pid)"; wait $start 2>/dev/null
until_ok 20 crisp_ready
$CRICTL rm -f "$cut" >/dev/null
ok 'a shim whose Create never came is ended' until_ok 20 no_shims
$CRICTL rmp -f "$P" >/dev/null

# ---- what does not work is told ----

like 'a missing shim, at RunPodSandbox' "$($CRICTL runp --runtime missing "$(pod_json m)" 2>&1)" \
	'the shim /usr/local/bin/containerd-shim-missing-v2: No such file'
like 'and in the status' "$(CRISP_ADDRESS=unix://$T/state/crisp.sock $BUILD/crisp info 2>&1)" 'containerd-shim-missing-v2'
pod grpc grpc; make grpc true; like 'gRPC' "$($CRICTL start "$C" 2>&1)" 'the shim speaks grpc: only ttrpc'
pod broken broken; make broken true; like 'a shim that fails' "$($CRICTL start "$C" 2>&1)" 'start: broken'

crisp_clean
