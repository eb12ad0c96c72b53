# log_json.t - log.format: json: every line of every daemon is one JSON object; and back to text by a reload.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

# As in a shell of a service: a keeper that is started by hand has no service manager that starts it again.
export INVOCATION_ID=00000000000000000000000000000000 SYSTEMD_EXEC_PID=1
crisp_config
sed -i 's/^log: .*/log: {level: debug, format: json}/' "$T/config.yaml"
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
pod=$($CRICTL runp "$(pod_json web)")
ctr=$($CRICTL create "$pod" "$(ctr_json front 'exec sleep 1000')" "$T/web.pod.json")
$CRICTL start "$ctr" >/dev/null
rpc ExecSync "container_id: '$ctr' cmd: '/no/such/\"program\"'"
ok 'crispd is killed' kill_crispd
keeper=$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')
kill -9 "$keeper"
ok 'the keeper is killed: another comes' until_ok 20 $CRICTL exec -s "$ctr" true

bad() { jq -Rr '. as $line | try (fromjson | if (.time | test("^20.*Z$")) and .level and .program and .event then empty else $line end) catch $line' "$T/crisp.log"; }
is 'each line is an object with time, level, program and event' "$(bad | head -3)" ''
is 'all daemons write so' "$(jq -r .program "$T/crisp.log" | sort -u | xargs)" 'anchor crispd keeper'
is 'a failed call' "$(jq -r 'select(.event == "rpc_failed" and .method == "ExecSync" and (.error | test("no/such"))) | [.container, .pod, .container_name, (.took_us | type)] | join(" ")' "$T/crisp.log")" \
	"${ctr:0:12} default/web front number"
like 'its error is the text itself' "$(jq -r 'select(.event == "rpc_failed" and .method == "ExecSync") | .error' "$T/crisp.log")" '/no/such/"program"'

lines=$(wc -l <"$T/crisp.log")
before=$(crispd_pid)
sed -i 's/^log: .*/log: {level: debug}/' "$T/config.yaml"
kill -HUP "$KEEPER"
ok 'a reload' until_ok 10 back_after "$before"
text() { tail -n +"$((lines + 1))" "$T/crisp.log" | grep -q " $1 [a-z]"; }
ok 'crispd writes text' until_ok 10 text crispd
ok 'kill it: the keeper too' kill_crispd
ok 'the keeper writes text' until_ok 10 text keeper
$CRICTL rmp -f "$pod" >/dev/null
crisp_clean
