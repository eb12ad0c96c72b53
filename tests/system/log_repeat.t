# log_repeat.t - a failure that comes again and again: ten lines a minute for each object, and the number of the others.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_up
pod=$($CRICTL runp "$(pod_json p)")
one=$($CRICTL create "$pod" "$(ctr_json one 'exec sleep 1000')" "$T/p.pod.json")
two=$($CRICTL create "$pod" "$(ctr_json two 'exec sleep 1000')" "$T/p.pod.json")
$CRICTL start "$one" "$two" >/dev/null
probe() { rpc ExecSync "container_id: '$1' cmd: '/no/such/program'"; }
failed() { grep -c "rpc_failed method=ExecSync .*container=${1:0:12}" "$T/crisp.log"; }
for _ in $(seq 15); do probe "$one"; done
is 'ten are written' "$(failed "$one")" 10
probe "$two"
is 'those of another container are not held back' "$(failed "$two")" 1
told() { grep 'left_out count=5 of="rpc_failed method=ExecSync' "$T/crisp.log"; }
ok 'the number of the others is told' until_ok 90 told
like 'with the object' "$(told)" "container=${one:0:12}"
probe "$one"
is 'a later one is written again' "$(failed "$one")" 12
$CRICTL rmp -f "$pod" >/dev/null
crisp_clean
