# slow.t - what takes long: /debug/state has its object, stage, program and pid; the log says so once after 10 s, and at its end.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_config
mkdir "$T/bin"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/cni_fake"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
mkdir -p "$T/cni"
echo "{\"cniVersion\":\"1.0.0\",\"name\":\"f\",\"plugins\":[{\"type\":\"cni_fake\",\"label\":\"l\",\"mode\":\"hang\",\"log\":\"$T/calls\",
  \"go\":\"$T/go\",\"ip\":\"10.8.0.5/24\"}]}" >"$T/cni/10-fake.conflist"
crisp_start || exit 1
page() { curl -s --unix-socket "$T/state/http.sock" http://localhost/debug/state; }
of_kind() { page | jq -c ".operations[] | select(.kind == \"$1\" and .stage == \"cni_add\" and .pod == \"back/api\")"; }
log() { grep "$1" "$T/crisp.log"; }

is 'nothing of it is under way' "$(page | jq -c '.operations[] | select(.stage == "cni_add")')" ''
rpc RunPodSandbox "config {metadata {name: 'api' uid: 'u' namespace: 'back' attempt: 1} linux {}}" &
call_pid=$!
has_pid() { of_kind program | grep -q '"pid":'; }
ok 'the plugin is shown, with a pid' until_ok 20 has_pid
plugin=$(of_kind program)
is 'it is the program' "$(jq -r .program <<<"$plugin")" "$T/bin/cni_fake"
pid=$(jq -r .pid <<<"$plugin")
is 'and its process' "$(tr '\0' '\n' <"/proc/$pid/cmdline" | grep -c "$T/bin/cni_fake")" 1
waits() { of_kind program | grep -q '"inner":"sleep"'; }
ok 'with the program that it waits for' until_ok 10 waits
call=$(of_kind rpc)
is 'the call has the stage and the program too' "$(jq -r '.method + " " + .program' <<<"$call")" "RunPodSandbox $T/bin/cni_fake"
like 'and its sandbox' "$(jq -r .sandbox <<<"$call")" '^[0-9a-f]{12}$'
is 'nothing is said before 10 s' "$(log ' slow ')" ''
# The program began later than the call, and each is told by its own age.
told() { log " slow kind=$1 stage=cni_add"; }
ok 'the call is told' until_ok 20 told rpc
like 'with method, stage, pod, program and pid' "$(log ' slow kind=rpc')" \
	"warn crispd slow kind=rpc stage=cni_add age_ms=[0-9]+ method=RunPodSandbox pod=\"back/api\" sandbox=[0-9a-f]{12} program=\"$T/bin/cni_fake\" pid=$pid"
ok 'the plugin is told' until_ok 20 told program
like 'with the same' "$(log ' slow kind=program stage=cni_add')" \
	"sandbox=[0-9a-f]{12} program=\"$T/bin/cni_fake\" pid=$pid( inner=\"[a-z_]+\" inner_pid=[0-9]+)? pod=\"back/api\""
: >"$T/go"
wait "$call_pid"
end_told() { log " slow_ended kind=$1 stage=cni_add"; }
ok "the call's end is told" until_ok 10 end_told rpc
ok "and the plugin's" until_ok 10 end_told program
like 'with its length' "$(log ' slow_ended kind=program stage=cni_add')" 'took_ms=1[0-9]{4} .*pod="back/api"'
is 'each of them once' "$(log ' slow ' | grep -c 'stage=cni_add') $(log ' slow_ended ' | grep -c 'stage=cni_add')" '2 2'
is 'nothing of it is under way any more' "$(page | jq -c '.operations[] | select(.stage == "cni_add")')" ''

# A stop may take as long as its client says.
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
pod=$($CRICTL pods -q)
echo '{"metadata":{"name":"api","uid":"u","namespace":"back","attempt":1}}' >"$T/api.pod.json"
ctr=$($CRICTL create "$pod" "$(ctr_json deaf 'trap "" TERM; while :; do sleep 0.2; done')" "$T/api.pod.json")
$CRICTL start "$ctr" >/dev/null
$CRICTL --timeout 60s stop -t 12 "$ctr" >/dev/null
like 'a stop of 12 s is told as a thing of course' "$(log ' slow kind=rpc.*method=StopContainer')" \
	"info crispd .* stage=stop_grace .* container=${ctr:0:12} .*container_name=\"deaf\""
$CRICTL rmp -f "$pod" >/dev/null
crisp_clean
