# events.t - GetContainerEvents: what happens to pods and containers, in order, with their states; also after a crash of crispd.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up

# listen NAME: events as one JSON object each go to $T/NAME. seen NAME N: N of them came.
listen() {
	$CRICTL events -o json >"$T/$1" 2>"$T/$1.err" &
	LISTENER=$!
	until_ok 5 listening
}
listening() { curl -s --unix-socket "$T/state/http.sock" http://localhost/debug/state | grep -q GetContainerEvents; }
seen() { [ "$(kinds "$1" | wc -w)" -ge "$2" ]; }
kinds() { jq -r '"\(.containerId[0:12])=\(.containerEventType)"' "$T/$1" 2>/dev/null | sed 's/CONTAINER_//;s/_EVENT//' | tr '\n' ' '; }
of() { jq -c "select(.containerId == \"$2\" and .containerEventType == \"CONTAINER_$3_EVENT\") | $4" "$T/$1"; }

listen one
pod=$($CRICTL runp "$(pod_json p1)")
ctr=$($CRICTL create "$pod" "$(ctr_json c1 'sleep 1000')" "$T/p1.pod.json")
$CRICTL start "$ctr" >/dev/null
$CRICTL stop -t 0 "$ctr" >/dev/null
$CRICTL rm "$ctr" >/dev/null
$CRICTL stopp "$pod" >/dev/null
$CRICTL rmp "$pod" >/dev/null
ok 'eight events come' until_ok 5 seen one 8
p=${pod:0:12} c=${ctr:0:12}
is 'in the order in which it happened' "$(kinds one)" \
	"$p=CREATED $p=STARTED $c=CREATED $c=STARTED $c=STOPPED $c=DELETED $p=STOPPED $p=DELETED "
is 'each later than the one before' "$(jq -s '[.[].createdAt | tonumber] | . == (sort | unique)' "$T/one")" true
is 'a container starts in a ready pod' "$(of one "$ctr" STARTED '[.podSandboxStatus.state, .containersStatuses[0].state]')" '["SANDBOX_READY","CONTAINER_RUNNING"]'
is 'with its name' "$(of one "$ctr" STARTED '[.podSandboxStatus.metadata.name, .containersStatuses[0].metadata.name]')" '["p1","c1"]'
is 'it stops with its exit code' "$(of one "$ctr" STOPPED '.containersStatuses[0] | [.state, .exitCode, .reason]')" '["CONTAINER_EXITED",137,"Error"]'
is 'deleted, it is not listed' "$(of one "$ctr" DELETED '.containersStatuses | length')" 0
is 'a stopped pod says so' "$(of one "$pod" STOPPED .podSandboxStatus.state)" '"SANDBOX_NOTREADY"'
is 'a deleted one still has a name' "$(of one "$pod" DELETED .podSandboxStatus.metadata.uid)" '"p1-uid"'
kill "$LISTENER"; wait "$LISTENER" 2>/dev/null

# The end of a container while crispd is dead makes no event; a later end does.
pod=$($CRICTL runp "$(pod_json p2)")
ctr=$($CRICTL create "$pod" "$(ctr_json c2 'sleep 1000')" "$T/p2.pod.json")
$CRICTL start "$ctr" >/dev/null
kill -9 "$(crispd_pid)"
ok 'crispd is back' until_ok 10 crisp_ready
listen two
$CRICTL stop -t 0 "$ctr" >/dev/null
ok 'events after a restart' until_ok 5 seen two 1
is 'of the container that lived on' "$(kinds two)" "${ctr:0:12}=STOPPED "
kill "$LISTENER"; wait "$LISTENER" 2>/dev/null

# A restart of the daemon does not wait for streams that never end.
listen three
kill -TERM "$(crispd_pid)"
ok 'crispd comes back while someone listens' until_ok 10 crisp_ready
kill "$LISTENER" 2>/dev/null; wait "$LISTENER" 2>/dev/null

crisp_clean
