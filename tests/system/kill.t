# kill.t - crispd is killed at any time; log, exit code and later execs of a running container are not affected.

. "$(dirname "$0")/../lib/crisp.sh"

# As in a shell of a service: a keeper that is started by hand has no service manager that starts it again.
export INVOCATION_ID=00000000000000000000000000000000 SYSTEMD_EXEC_PID=1
crisp_up
pod=$($CRICTL runp "$(pod_json p)")

ctr=$($CRICTL create "$pod" "$(ctr_json long 'i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo waiting; until [ -e /tmp/go ]; do sleep 0.05; done; exit 42')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
pid=$($CRICTL inspect "$ctr" | jq -r .info.pid)
for i in 1 2 3 4 5; do ok "killed $i: it is back" kill_crispd; done
# Ten seconds of a life take one death off, and on a slow machine a life is that long (ARCHITECTURE H61).
pauses() {
	awk -F= '/crispd end/ { forgotten = int($NF / 10000); deaths = forgotten < deaths ? deaths - forgotten + 1 : 1
		if (deaths > 3) printf "crispd pause_ms=%d deaths=%d ", 100 * 2 ^ (deaths - 4), deaths }' "$T/crisp.log"
}
is 'the first three deaths cost no pause' "$(grep -o 'crispd pause_ms=.*' "$T/crisp.log" | tr '\n' ' ')" "$(pauses)"
is 'the container is still running' "$(state_of "$ctr")" CONTAINER_RUNNING
is 'the same process' "$($CRICTL inspect "$ctr" | jq -r .info.pid)" "$pid"
is 'the pod is ready' "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY
like 'the pod has its address' "$($CRICTL inspectp "$pod" | jq -r .status.network.ip)" '^10\.200\.'
ok 'the log goes on' until_ok 30 grep -q 'F waiting' "$T/logs/long.log"
is 'no line is lost, doubled or torn' "$(log_text long | grep -v waiting | sha256sum)" "$(seq 0 19999 | sed 's/^/line /' | sha256sum)"
is 'exec works' "$($CRICTL exec -s "$ctr" echo still here)" 'still here'

kill -9 "$(crispd_pid)"
nsenter -t "$pid" -m -r touch /tmp/go 2>/dev/null || touch "/proc/$pid/root/tmp/go"
ok 'it ended while crispd was being killed' until_ok 20 exited "$ctr"
is 'its exit code is kept' "$(exit_of "$ctr")" 42

job=$($CRICTL create "$pod" "$(ctr_json late 'echo late')" "$T/p.pod.json")
ok 'a created one survives as well' kill_crispd
ok 'and starts' $CRICTL start "$job"
ok 'and ends' until_ok 10 exited "$job"
is 'with its log' "$(log_text late)" late

# The keeper dies: crispd runs on, a new keeper takes over.
slow=$($CRICTL create "$pod" "$(ctr_json slow 'until [ -e /tmp/go ]; do sleep 0.05; done; echo done; exit 9')" "$T/p.pod.json")
$CRICTL start "$slow" >/dev/null
pid=$($CRICTL inspect "$slow" | jq -r .info.pid)
waiting=$($CRICTL create "$pod" "$(ctr_json waiting 'hostname')" "$T/p.pod.json")
keeper=$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')
before=$(crispd_pid)
kill -9 "$keeper"
ok 'lists are answered without a keeper' $CRICTL ps -a
ok 'a new keeper comes and spawns' until_ok 20 $CRICTL exec -s "$slow" echo hello
ok 'what was created before starts' $CRICTL start "$waiting"
ok 'and ends' until_ok 20 exited "$waiting"
is "in its pod's namespaces" "$(log_text waiting)" "$(hostname)"
is 'crispd ran on' "$(crispd_pid)" "$before"
touch "/proc/$pid/root/tmp/go"
ok 'the container ends' until_ok 20 exited "$slow"
is 'its exit code is known' "$(exit_of "$slow")" 9
is 'its log is whole' "$(log_text slow)" 'done'

# Both daemons are stopped and started again, as by an upgrade.
over=$($CRICTL create "$pod" "$(ctr_json over 'while :; do echo tick; sleep 0.1; done')" "$T/p.pod.json")
$CRICTL start "$over" >/dev/null
pid=$($CRICTL inspect "$over" | jq -r .info.pid)
# Two pods with a shared PID namespace, one of them without a container.
shared_pid='"linux":{"security_context":{"namespace_options":{"pid":0}}}'
shared=$($CRICTL runp "$(pod_json shared "$shared_pid")")
bare=$($CRICTL runp "$(pod_json bare "$shared_pid")")
first=$($CRICTL create "$shared" "$(ctr_json first 'exec sleep 1000' "$shared_pid")" "$T/shared.pod.json")
$CRICTL start "$first" >/dev/null
pause_of() { $CRICTL inspectp "$1" | jq -r .info.pid; }
pause=$(pause_of "$shared") bare_pause=$(pause_of "$bare")
pkill -TERM -f "^[^ ]*crisp-keeper --config $T/config.yaml"
until_ok 10 sh -c "! pgrep -f '[^ ]*crispd --config $T/config.yaml'"
ok 'the container runs without them' test -d "/proc/$pid"
KEEPER=
if crisp_start; then pass 'they start again'; else fail 'they start again'; fi
is 'the container runs on' "$(state_of "$over") $($CRICTL inspect "$over" | jq -r .info.pid)" "CONTAINER_RUNNING $pid"
is 'its pod is ready' "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY
is 'and takes another container' "$($CRICTL start "$($CRICTL create "$pod" "$(ctr_json next 'hostname')" "$T/p.pod.json")" >/dev/null && until_ok 10 test -s "$T/logs/next.log" && log_text next)" "$(hostname)"
is 'exec works' "$($CRICTL exec -s "$over" echo here)" here

ready() { $CRICTL inspectp "$1" | jq -r .status.state; }
is 'pods with a pause are ready' "$(ready "$shared") $(ready "$bare")" 'SANDBOX_READY SANDBOX_READY'
is 'with the same pauses' "$(pause_of "$shared") $(pause_of "$bare")" "$pause $bare_pause"
for p in "$shared" "$bare"; do
	name=$([ "$p" = "$shared" ] && echo shared || echo bare)
	c=$($CRICTL create "$p" "$(ctr_json "$name-later" 'exec sleep 2000' "$shared_pid")" "$T/$name.pod.json")
	ok "$name: another container starts" $CRICTL start "$c"
	like "$name: pid 1 is the pause" "$($CRICTL exec -s "$c" ps)" '^ *1 .*crisp-pause'
	is "$name: it is in the pod's namespaces" "$(for n in pid net ipc uts; do readlink "/proc/$($CRICTL inspect "$c" | jq -r .info.pid)/ns/$n"; done)" \
		"$(for n in pid net ipc uts; do readlink "/proc/$(pause_of "$p")/ns/$n"; done)"
done
like 'shared: it sees the one from before' "$($CRICTL exec -s "$first" ps)" 'sleep 2000'
kill -9 "$bare_pause"
not_ready() { [ "$(ready "$1")" = SANDBOX_NOTREADY ]; }
ok 'a pause that dies is noticed' until_ok 10 not_ready "$bare"
is 'by its pod only' "$(ready "$shared")" SANDBOX_READY
ok 'the other goes' $CRICTL rmp -f "$shared"
ok 'and its pause with it' until_ok 10 ended "$pause"
crisp_clean
