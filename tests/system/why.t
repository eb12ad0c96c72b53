# why.t - `crisp why POD`: what was done, what failed with its words, what it waits for now; also of a pod that never
# came up, and over a kill -9 of crispd.

. "$(dirname "$0")/../lib/crisp.sh"

mkdir "$T/rt" "$T/bin"
crisp_config 'runtime: {default: fake}' "runtimes: {fake: {type: oci, path: $T/rt/oci}}"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/cni_fake"
cp "$ROOT/tests/lib/oci_fake" "$T/rt/oci"
mode() { echo "$*" >"$T/rt/mode"; }
network() { # MODE
	jq -n --arg mode "$1" --arg t "$T" '{cniVersion: "1.0.0", name: "fake", plugins: [{type: "cni_fake", label: "l",
	  $mode, log: "\($t)/calls", go: "\($t)/go", ip: "10.8.0.5/24"}]}' >"$T/cni/new"
	mv "$T/cni/new" "$T/cni/10-fake.conflist"
	until_ok 5 eval 'curl -s --unix-socket "$T/state/http.sock" http://c/debug/state | jq -e .network'
}
why() { $BUILD/crisp --address "unix://$T/state/crisp.sock" why "$@" 2>&1; }
step() { why --json "$1" | jq -c "[.steps[] | select($2)] | last"; } # POD FILTER: the last such step
network ok
mode none
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null

# What is not known, and what is no name.
notok 'of a pod that nobody has named nothing is known' why default/none
like 'that is said' "$out" 'crisp: why default/none: .*nothing is known of a pod default/none'
why default/none >/dev/null; is 'with exit code 1' $? 1
why >/dev/null; is 'without a pod: 64' $? 64

# A plugin that fails, with words on stderr; the pod never comes up.
network fail
notok 'a pod without a network' $CRICTL runp "$(pod_json badnet)"
ok 'it is known by its name' why default/badnet
like 'it is not here' "$out" '^no sandbox of it is here'
like 'the plugin has its stage, its name and its exit status' "$out" \
	'^[0-9:.]+ +[0-9.]+ ms +cni_add +- +cni_fake +exit status 3$'
like 'its words are told' "$out" "$T/bin/cni_fake: exit status 3, and wrote:"
like 'all of them' "$out" '^    cannot talk to the agent$'
like 'what the undo did is told too' "$out" ' cni_del +- +cni_fake +ok$'
like 'the call has its code and its message' "$out" 'RunPodSandbox: INTERNAL: .*cannot talk to the agent'
like 'it waits for nothing' "$out" '^it waits for nothing now'
ok 'the name alone is enough' why badnet
id=$(step badnet '.stage == "RunPodSandbox"' | jq -r .sandbox)
like 'the call has the id of the sandbox that is gone' "$id" '^[0-9a-f]{12}$'
like 'by which it is found' "$(why "$id")" '^pod default/badnet$'
told=$(why --json default/badnet)
kill_crispd
is 'after a kill -9 the same is told' "$(why --json default/badnet)" "$told"
notok 'it fails again' $CRICTL runp "$T/badnet.pod.json"
like 'an error that comes again is told once, with its number' "$(why badnet)" \
	'^    2 times, of which this was the last$'

# A plugin that hangs: what it waits for, now.
network hang
$CRICTL runp "$(pod_json stuck)" >"$T/stuck.id" 2>&1 &
call=$!
waits() {
	why default/stuck | grep -qE \
		"^    cni_add, for [0-9.]+ m?s: $T/bin/cni_fake \(pid [0-9]+\), which waits for sleep \(pid [0-9]+\)"
}
ok 'what it waits for has program, pid and its child' until_ok 20 waits
like 'the sandbox is being made' "$(why default/stuck)" '^[0-9a-f]{12} +making +'
like 'the call is under way' "$(why default/stuck)" '^    RunPodSandbox, for .*at cni_add: '
touch "$T/go"
wait $call
like 'then the pod is ready' "$(why default/stuck)" '^[0-9a-f]{12} +ready +'
like 'the call took so long' "$(step stuck '.stage == "RunPodSandbox"')" '"stage":"RunPodSandbox",.*"fault":""'

# A container: what is secret is not in it; a runtime that fails; a volume that is missing; an image that is missing.
network ok
pod=$($CRICTL runp "$(pod_json web '"annotations":{"token":"s3cr3t-1"}')")
secret='{"key":"PASSWORD","value":"s3cr3t-2"}'
good=$($CRICTL create "$pod" "$(ctr_json good ': s3cr3t-3' '"envs":['"$secret"']')" "$T/web.pod.json")
$CRICTL start "$good" >/dev/null
ok 'a container ends' until_ok 10 exited "$good"
like 'its end is told' "$(why web)" ' ended +good +- +ok$'
like 'and how it is' "$(why web)" "^${good:0:12} +good +exited +.*busybox.* +exit code 0, Completed$"
like 'its steps name it' "$(why web)" ' rootfs +good +- +ok$'
like 'by its runtime' "$(why web)" ' runtime_run +good +oci +ok$'
mode run words
bad=$($CRICTL create "$pod" "$(ctr_json bad 'exit 0')" "$T/web.pod.json")
notok 'a runtime fails' $CRICTL start "$bad"
like 'it has its exit status' "$(why web)" ' runtime_run +bad +oci +exit status 1$'
like 'the call has the reason' "$(why web)" 'StartContainer of bad: .*something went wrong'
like 'the container has it' "$(why web)" \
	"^${bad:0:12} +bad +exited +.* +exit code 128, StartError: .*something went wrong"
mode none
: >"$T/file"
mount='"mounts":[{"host_path":"'$T'/file/data","container_path":"/data"}]'
notok 'a volume is missing' $CRICTL create "$pod" "$(ctr_json volume 'exit 0' "$mount")" "$T/web.pod.json"
like 'it is named' "$(why web)" "CreateContainer of volume: [A-Z_]+: .*$T/file/data"
notok 'an image is missing' $CRICTL pull --pod-config "$T/web.pod.json" "$REGISTRY/nosuch:1"
like 'the pull is told' "$(why web)" "PullImage of .*/nosuch:1: [A-Z_]+: .*nosuch"
notok 'one with a password' $CRICTL pull --pod-config "$T/web.pod.json" "http://user:s3cr3t-4@$REGISTRY/nosuch:1"
notok 'one for no pod' $CRICTL pull "$REGISTRY/gone:1"
image='"image":{"image":"'$REGISTRY'/gone:1"}'
notok 'of an image that the pod asks for' $CRICTL create "$pod" "$(ctr_json gone 'exit 0' "$image")" "$T/web.pod.json"
like 'that is told too' "$(why web)" 'PullImage of .*/gone:1: '
unlike 'another pod has none of it' "$(why stuck)" 'PullImage|good|StartContainer'
is 'no secret is in the file' "$(grep -acE 's3cr3t' "$T/state/flight")" 0
like 'which has one size' "$(stat -c '%s %a' "$T/state/flight")" '^2097152 600$'

# A pod that is removed is known still; the same name in another namespace makes it ambiguous.
$CRICTL stopp "$pod" >/dev/null
$CRICTL rmp -f "$pod" >/dev/null
like 'a pod that was removed is told' "$(why "${pod:0:14}")" ' RemovePodSandbox +- +- +ok$'
like 'by a container too' "$(why "$good")" '^pod default/web$'
sed 's/"namespace":"default"/"namespace":"other"/' "$T/web.pod.json" >"$T/other.pod.json"
other=$($CRICTL runp "$T/other.pod.json")
like 'what lives goes before what is gone' "$(why web)" '^pod other/web$'
$CRICTL rmp -f "$other" >/dev/null
notok 'two that are gone' why web
like 'are told apart by their namespaces' "$out" 'more than one pod'

# Any bytes in the file: it is started anew, and crispd serves.
old=$(crispd_pid)
kill -STOP "$old"
head -c 2097152 /dev/urandom >"$T/random"
cat "$T/random" 1<>"$T/state/flight"
kill -9 "$old"
ok 'crispd serves over a file of other bytes' until_ok 10 back_after "$old"
ok 'that is told in the log' grep -q 'flight_damaged file=' "$T/crisp.log"
notok 'what was recorded is gone' why default/badnet
pod=$($CRICTL runp "$(pod_json after)")
like 'what is done is recorded again' "$(why after)" ' RunPodSandbox +- +- +ok$'
crisp_clean
