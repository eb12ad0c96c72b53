#!/bin/bash
# runsc.t - gVisor: pods whose sandbox is a container. The walk `crictl runp --runtime runsc`, several containers, exec, logs,
# statistics, ports, the ways to end, and what a kill of the daemons leaves.
. "$(dirname "$0")/../lib/crisp.sh"
RUNSC=$TOOLS/runsc
[ -x "$RUNSC" ] || { echo "1..0 # SKIP no $RUNSC: tests/tools/runsc/build makes it"; exit 0; }
crisp_up "runtimes: {runc: {type: oci, path: /usr/sbin/runc}, runsc: {type: oci, path: $RUNSC, sandbox: container}}"
P= C=

# pod NAME [EXTRA]: its id is in $P.
pod() { POD=$(pod_json "$@"); P=$($CRICTL runp --runtime runsc "$POD" 2>"$T/err") || { sed 's/^/# /' "$T/err"; return 1; }; }
# make NAME SCRIPT [EXTRA]: its id is in $C.
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err") || { sed 's/^/# /' "$T/err"; return 1; }; }
run() { make "$@" && { $CRICTL start "$C" >/dev/null 2>"$T/err" || { sed 's/^/# /' "$T/err"; return 1; }; }; }
ready() { [ "$($CRICTL inspectp "$1" | jq -r .status.state)" = SANDBOX_READY ]; }
says() { log_text "$1" | grep -q "$2"; }
root() { $RUNSC --root "$T/state/runtime/runsc" "$@"; }

# ---- the walk ----

pod walk
ok 'runp --runtime runsc makes a pod' ready "$P"
run first 'echo hello; dmesg | head -1; cat /proc/1/comm; echo oops >&2; while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7'
is 'it runs' "$(state_of "$C")" CONTAINER_RUNNING
until_ok 10 says first oops
like 'gVisor is its kernel' "$(log_text first)" 'Starting gVisor'
is 'exec' "$($CRICTL exec "$C" echo inside 2>&1)" inside
$CRICTL exec "$C" sh -c 'exit 3' >/dev/null 2>&1
is 'the exit code of an exec' "$($CRICTL exec "$C" sh -c 'exit 3' 2>&1 | grep -o 'exit code [0-9]*\|exit status [0-9]*' | tail -1 | tr -dc 0-9)" 3
$CRICTL exec "$C" sh -c ': >/tmp/end'
ok 'it ends' until_ok 10 exited "$C"
is 'with its exit code' "$(exit_of "$C")" 7
ok 'rm' $CRICTL rm "$C"
ok 'stopp' $CRICTL stopp "$P"
ok 'rmp' $CRICTL rmp "$P"
is 'the runtime knows nothing any more' "$(ls "$T/state/runtime/runsc" | grep -v null-netns)" ''

# ---- a pod with several containers ----

mkdir -p "$T/volume"; echo of-the-node >"$T/volume/file"
pod two '"hostname":"gv-host","labels":{"a":"b"}'
run web 'mkdir /tmp/w; echo page >/tmp/w/index.html; echo up; exec busybox httpd -f -p 8080 -h /tmp/w'
W=$C
run second 'echo $$; cat /etc/hostname; id -u; id -G; cat /v/file; echo $GREETING; while :; do sleep 1; done' \
	"\"mounts\":[{\"container_path\":\"/v\",\"host_path\":\"$T/volume\"}],\"envs\":[{\"key\":\"GREETING\",\"value\":\"hi\"}],\"linux\":{\"security_context\":{\"run_as_user\":{\"value\":1000},\"run_as_group\":{\"value\":1000},\"supplemental_groups\":[2000]}}"
S=$C
until_ok 10 says second hi
is 'pid, hostname, user, groups, a volume and an environment' "$(log_text second | tr '\n' ' ')" '1 gv-host 1000 1000 2000 of-the-node hi '
chmod 777 "$T/volume"; $CRICTL exec "$S" sh -c 'echo written >/v/new'
is 'a volume is written' "$(cat "$T/volume/new")" written
ip=$($CRICTL inspectp "$P" | jq -r .status.network.ip)
is 'the pod has its address inside' "$($CRICTL exec "$S" ip addr show eth0 | grep -o "inet [0-9.]*")" "inet $ip"
is 'containers share localhost' "$($CRICTL exec "$S" wget -qO- http://127.0.0.1:8080/)" page
is 'the node reaches the pod' "$(curl -s --noproxy "*" --max-time 10 "http://$ip:8080/")" page
is 'exec with a terminal' "$(script -qec "$CRICTL exec -it $S sh -c 'tty >/dev/null; [ -t 0 ] && echo terminal'" /dev/null </dev/null | tr -dc 'a-z')" terminal
is 'exec reads its input' "$(echo through | $CRICTL exec -i "$S" cat)" through

# ---- a target's processes ----

C=$($CRICTL create "$P" "$(ctr_json aim 'ls /proc | grep -c "^[0-9]*$"; cat /proc/1/comm' "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":3,\"target_id\":\"$W\"}}}")" "$POD")
$CRICTL start "$C" >/dev/null; until_ok 10 exited "$C"
is "a target's processes are seen" "$(log_text aim | tail -1)" busybox

# ---- port-forward, statistics, limits ----

$CRICTL port-forward "$P" 0:8080 >"$T/forward" 2>&1 & forward=$!
until_ok 10 grep -q 'Forwarding from 127' "$T/forward"
port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' "$T/forward" | head -1)
is 'port-forward' "$(curl -s --noproxy "*" --max-time 10 "http://127.0.0.1:$port/")" page
kill $forward; wait $forward 2>/dev/null
measured() { [ "$($CRICTL stats -o json "$1" | jq '.stats[0].memory.workingSetBytes.value | tonumber')" -gt 1000 ]; }
ok 'statistics: memory' until_ok 15 measured "$W"
ok 'statistics: cpu' [ "$($CRICTL stats -o json "$W" | jq '.stats[0].cpu.usageCoreNanoSeconds.value | tonumber')" -gt 1000 ]
ok 'statistics: the pod' [ "$($CRICTL statsp -o json "$P" | jq '.stats[0].linux.memory.workingSetBytes.value | tonumber')" -gt 1000000 ]
notok 'new limits are refused' $CRICTL update --memory 100000000 "$W"
like 'and it is said why' "$($CRICTL update --memory 100000000 "$W" 2>&1)" "limits of their pod"

# ---- the ways to end ----

like 'a timeout ends an exec' "$($CRICTL exec -s --timeout 1 "$S" sleep 1000 2>&1)" 'timeout'
gone() { local all; all=$($CRICTL exec "$S" ps 2>/dev/null) && [[ "$all" == *PID* && "$all" != *"sleep 1000"* ]]; }
ok 'a timeout kills the command inside' until_ok 10 gone
$CRICTL stop -t 0 "$S" >/dev/null
is 'a stop without grace' "$(state_of "$S") $(exit_of "$S")" 'CONTAINER_EXITED 137'
is 'the other container runs on' "$(state_of "$W")" CONTAINER_RUNNING
run term 'trap "echo term; exit 5" TERM; echo armed; while :; do sleep 0.1; done'
until_ok 10 says term armed
$CRICTL stop -t 10 "$C" >/dev/null
is 'a stop with grace' "$(exit_of "$C") $(log_text term | tail -1)" '5 term'
make none '' '"command":["/no/such"]'
notok 'a command that is not there' $CRICTL start "$C"
is 'is a failed start' "$(exit_of "$C") $($CRICTL inspect "$C" | jq -r .status.reason)" '128 StartError'

run tty '[ -t 1 ] && echo terminal; read -r line; echo "got $line"; exit 3' '"tty":true,"stdin":true,"stdin_once":true'
until_ok 10 says tty terminal
echo word | $CRICTL attach -i "$C" >/dev/null 2>&1 &
ok 'a container with a terminal' until_ok 10 says tty 'got word'
until_ok 10 exited "$C"
is 'and its exit code' "$(exit_of "$C")" 3

# ---- the daemons die ----

run crash 'n=0; while [ ! -e /tmp/end ]; do echo $n; n=$((n+1)); sleep 0.05; done; exit 9'
until_ok 10 says crash 3
S=$C
$CRICTL exec "$C" sleep 1000 >/dev/null 2>&1 & exec=$!
there() { $CRICTL exec "$S" ps | grep -q 'sleep 1000'; }
ok 'an exec is under way' until_ok 20 there
kill_crispd
is 'it runs on over the death of crispd' "$(state_of "$C")" CONTAINER_RUNNING
is 'and takes an exec' "$($CRICTL exec "$C" echo there)" there
ok 'an exec that crispd did not outlive is killed inside' until_ok 10 gone
wait $exec 2>/dev/null
old=$(crispd_pid); kill -9 "$(cat "$T/state/keeper.lock")"; until_ok 20 crisp_ready
is 'it runs on over the death of the keeper' "$(state_of "$C")" CONTAINER_RUNNING
until_ok 20 $CRICTL exec "$C" true
$CRICTL exec "$C" sh -c ': >/tmp/end'
ok 'its end is seen' until_ok 10 exited "$C"
is 'with the exit code' "$(exit_of "$C")" 9
is 'no line of its log is lost or doubled' "$(log_text crash | awk '$1 != NR - 1' | wc -l)" 0
run gap 'echo armed; while [ ! -e /v/end ]; do sleep 0.05; done; echo last; exit 11' "\"mounts\":[{\"container_path\":\"/v\",\"host_path\":\"$T/volume\"}]"
until_ok 10 says gap armed
kill -STOP "$(pgrep -f "crisp-anchor $T/state" | head -1)"
kill -9 "$(cat "$T/state/keeper.lock")" "$(crispd_pid)"
: >"$T/volume/end"
until_ok 10 grep -q stopped <(root state "$C" | grep status; until root state "$C" | grep -q '"stopped"'; do sleep 0.1; done; echo stopped)
kill -CONT "$(pgrep -f "crisp-anchor $T/state" | head -1)"
until_ok 20 crisp_ready
ok 'an end while both daemons were dead is seen' until_ok 10 exited "$C"
is 'an end while both daemons were dead has its exit code' "$(exit_of "$C") $(log_text gap | tail -1)" '11 last'

# ---- the sandbox dies ----

kill -9 "$($CRICTL inspect "$W" | jq -r .info.pid)"
notready() { [ "$($CRICTL inspectp "$P" | jq -r .status.state)" = SANDBOX_NOTREADY ]; }
ok 'the death of the sandbox ends the pod' until_ok 10 notready
ok 'and its containers' until_ok 10 exited "$W"
is 'they were killed' "$(exit_of "$W")" 137
$CRICTL stopp "$P" >/dev/null; $CRICTL rmp -f "$P" >/dev/null

pod oom '"linux":{"resources":{"memory_limit_in_bytes":268435456}}'
run eater 'exec busybox awk "BEGIN { s = \"xxxxxxxxxxxxxxxx\"; while (1) s = s s }"'
ok "the kernel's OOM kill ends the pod" until_ok 30 exited "$C"
is 'and is the reason of its containers' "$(exit_of "$C") $($CRICTL inspect "$C" | jq -r .status.reason)" '137 OOMKilled'
$CRICTL rmp -f "$P" >/dev/null

# ---- the node's network, a shared PID namespace ----

pod host '"linux":{"security_context":{"namespace_options":{"network":2,"pid":0}}}'
run hostnet "ip -o link; echo; ps -o pid,comm; printf 'GET /v2/ HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${REGISTRY/:/ } | head -1"
until_ok 10 exited "$C"
ok 'hostNetwork' says hostnet "$(ip -o link show crisptest0 | cut -d: -f2 | tr -d ' ')"
ok 'a server of the node is reached' says hostnet '^HTTP/1.[01] 200'
ok 'a shared PID namespace' says hostnet '1 pause'
$CRICTL rmp -f "$P" >/dev/null

is 'the runtime knows nothing at the end' "$(ls "$T/state/runtime/runsc" | grep -v null-netns)" ''
crisp_clean
