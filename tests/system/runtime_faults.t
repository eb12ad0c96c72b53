# runtime_faults.t - OCI runtimes that are missing, fail, write wrong data or die: the error has the cause, the container is EXITED with
# StartError, and all is removed.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

mkdir "$T/rt"
crisp_config 'runtime: {default: fake}' "runtimes:" "  fake: {type: oci, path: $T/rt/oci}" "  runc: {type: oci, path: $(command -v runc)}" \
	"  other: {type: oci, path: $T/rt/other}"
cni_config
$BUILD/crisp-keeper --config "$T/config.yaml" >>"$T/crisp.log" 2>&1 &
KEEPER=$!
condition() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "RuntimeReady") | .'"$1"; }
ready_is() { [ "$(condition status)" = "$1" ]; }
why_is() { condition message | grep -q "$1"; }
handlers() { $CRICTL info | jq -r '[.runtimeHandlers[].name // ""] | sort | join(",")'; }
mode() { echo "$*" >"$T/rt/mode"; }
until_ok 10 crisp_answers

# The default runtime does not exist yet.
ok 'not ready' until_ok 10 why_is "$T/rt/oci: No such file"
is 'for this reason' "$(condition status) $(condition reason)" 'false RuntimeNotReady'
like 'the one that is there is offered' "$(handlers)" 'runc'
unlike 'the one that is not there is not' "$(handlers)" 'other'
is 'what is wrong with that one is a condition of its own' "$($CRICTL info | jq -r '.status.conditions[] | select(.type == "RuntimeHandlersUsable") | [.status, .message] | map(tostring) | join(" ")')" \
	"false runtime handler other: $T/rt/other: No such file or directory"
mended() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "RuntimeHandlersMended") | [.status, .message] | map(tostring) | join(" ")'; }
old_is_named() { mended | grep -q '^false runtime handler runc: runc 1\.1\.[0-9].*CVE-2025-31133.*install runc 1\.2\.8'; }
case $(runc --version | head -1) in
*' 1.1.'*) ok 'a runc with a known fault is named' until_ok 5 old_is_named ;;
*) printf '# SKIP the runc of this machine is newer\n' ;;
esac
notok 'no pod is made for a program that is not there' $CRICTL runp "$(pod_json early '"linux":{"security_context":{"namespace_options":{"pid":1,"network":2}}}')"
like 'it is told so' "$out" "FailedPrecondition.*$T/rt/oci: No such file"
ok 'a pull works' $CRICTL pull "$REGISTRY/busybox:latest"
mode version exit
cp "$ROOT/tests/lib/oci_fake" "$T/rt/new" && mv "$T/rt/new" "$T/rt/oci"
$CRICTL info >/dev/null
ok 'one whose --version fails' until_ok 5 why_is 'oci --version: exit status 1'
mode none
touch "$T/rt/oci"
ok 'it appears: ready' until_ok 5 ready_is true
chmod 644 "$T/rt/oci"
ok 'it may not be executed: not ready' until_ok 5 why_is 'Permission denied'
chmod 755 "$T/rt/oci"
ok 'it may: ready' until_ok 5 ready_is true

pod=$($CRICTL runp "$(pod_json p)")
n=0
begin() { n=$((n + 1)); ctr=$($CRICTL create "$pod" "$(ctr_json "c$n" 'echo here; while :; do sleep 0.1; done')" "$T/p.pod.json"); }
clean() { [ -z "$(ls "$T/state/containers")$(ls "$T/root/snapshots" | grep -E '[0-9a-f]{8}')$(ls "$T/state/runtime/fake")" ]; }
refused() { # WORDS MODE CODE CAUSE
	begin
	mode "$2"
	rpc StartContainer "container_id: '$ctr'"
	is "$1: the code" "$code" "$3"
	like "$1: the cause" "$message" "$4"
	is "$1: state, exit code and reason" "$($CRICTL inspect "$ctr" | jq -r '[.status.state, .status.exitCode, .status.reason] | join(" ")')" \
		'CONTAINER_EXITED 128 StartError'
	like "$1: its message" "$($CRICTL inspect "$ctr" | jq -r .status.message)" "$4"
	is "$1: it has ended" "$($CRICTL inspect "$ctr" | jq -r '.status.finishedAt > "2000"')" true
	mode none
	ok "$1: it goes" $CRICTL rm "$ctr"
	ok "$1: nothing is left" until_ok 5 clean
}
works() {
	begin
	ok "$1: starts" $CRICTL start "$ctr"
	ok "$1: runs" until_ok 5 grep -q here "$T/logs/c$n.log"
	ok "$1: goes" $CRICTL rm -f "$ctr"
	ok "$1: nothing is left" until_ok 5 clean
}
works 'a good one'
refused 'exit 1' 'run exit' INTERNAL 'fake run: exit status 1'
refused 'exit 1 with words' 'run words' INTERNAL 'fake run: .*something went wrong'
refused 'exit 1 with rubbish' 'run rubbish' INTERNAL 'fake run: exit status 1'
refused 'no pid file' 'run nopid' INTERNAL 'pid'
refused 'a pid file of rubbish' 'run badpid' INTERNAL 'pid'
refused 'a pid that is nobody' 'run oldpid' INTERNAL 'pid|process'
refused 'killed' 'run die' INTERNAL 'fake run: killed by signal 9'
begin
mv "$T/rt/oci" "$T/rt/away"
rpc StartContainer "container_id: '$ctr'"
like 'gone between create and start' "$code" '^(FAILED_PRECONDITION|INTERNAL)$'
like 'is named' "$message" "$T/rt/oci: No such file"
mv "$T/rt/away" "$T/rt/oci"
ok 'the container goes' $CRICTL rm -f "$ctr"
works 'a good one after these'
notok 'a handler whose program was never there' $CRICTL runp --runtime other "$(pod_json q)"
like 'is named' "$out" "FailedPrecondition.*$T/rt/other: No such file"
is 'nothing was made' "$($CRICTL pods -q --no-trunc) $(ls "$T/netns")" "$pod crisp-$pod"
cp "$ROOT/tests/lib/oci_fake" "$T/rt/other"
ok 'once it is there' $CRICTL runp --runtime other "$T/q.pod.json"
$CRICTL rmp -f "$($CRICTL pods -q --name q)" >/dev/null 2>&1
rm "$T/rt/other"

# A missing command is an error of the container, not of the runtime.
ctr=$($CRICTL create "$pod" "$(ctr_json nocmd x '"command":["/bin/not-there"]')" "$T/p.pod.json")
notok 'a command that is not there' $CRICTL start "$ctr"
like 'is named' "$out" '/bin/not-there'
is 'its state, exit code and reason' "$($CRICTL inspect "$ctr" | jq -r '[.status.state, .status.exitCode, .status.reason] | join(" ")')" \
	'CONTAINER_EXITED 128 StartError'
ok 'it goes' $CRICTL rm "$ctr"

# Exec.
begin
$CRICTL start "$ctr" >/dev/null
exec_refused() { # WORDS MODE CAUSE
	mode "$2"
	rpc ExecSync "container_id: '$ctr' cmd: 'true' timeout: 10"
	is "$1: the code" "$code" INTERNAL
	like "$1: the cause" "$message" "$3"
	mode none
	is "$1: the next one works" "$($CRICTL exec -s "$ctr" echo next)" next
}
exec_refused 'exec: exit 1' 'exec words' 'fake exec: .*something went wrong'
exec_refused 'exec: no pid file' 'exec nopid' 'pid'
exec_refused 'exec: killed' 'exec die' 'fake exec: killed by signal 9'
rpc ExecSync "container_id: '$ctr' cmd: '/bin/not-there'"
like 'exec: a command that is not there' "$code $message$(sed -n 's/^exit_code: //p' <<<"$answer")" '/bin/not-there|12[67]'
is 'the container runs on' "$(state_of "$ctr")" CONTAINER_RUNNING

# A runtime that hangs delays no other request.
mode run hang
$CRICTL create "$pod" "$(ctr_json slow 'sleep 100')" "$T/p.pod.json" >"$T/slow"
$CRICTL start "$(cat "$T/slow")" >"$T/started" 2>&1 & client=$!
running() { pgrep -f "$T/rt/oci .* run"; }
ok 'a run hangs' until_ok 5 running
ok 'lists are answered' timeout 2 $CRICTL ps -a
is 'exec is' "$(timeout 5 $CRICTL exec -s "$ctr" echo hello)" hello
touch "$T/rt/go"
if wait $client; then pass 'it goes on'; else fail 'it goes on' "$(cat "$T/started")"; fi
is 'and runs' "$(state_of "$(cat "$T/slow")")" CONTAINER_RUNNING
rm "$T/rt/go"

# delete fails: the container is removed all the same, or the error has the reason and a later removal succeeds.
mode delete words
rc=0; $CRICTL rm -f "$ctr" >"$T/rm" 2>&1 || rc=$?
[ $rc = 0 ] || like 'a delete that fails is told' "$(cat "$T/rm")" 'fake delete: .*something went wrong'
mode none
ok 'the container is stopped or gone' sh -c "! pgrep -f '^sh -c echo here'"
ok 'it goes' $CRICTL rm -f "$ctr"
ok 'the other too' $CRICTL rm -f "$(cat "$T/slow")"
ok 'nothing is left' until_ok 5 clean
crisp_clean
