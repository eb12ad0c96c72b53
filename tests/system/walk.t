# walk.t - all basic commands of crictl, from pull to rmi, with every runtime handler.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
cni_config
crisp_start || exit 1

like 'version' "$($CRICTL version)" 'RuntimeName:  crisp'
like 'status is ready' "$($CRICTL info | jq -c '[.status.conditions[] | [.type, .status]]')" '\["RuntimeReady",true\],\["NetworkReady",true\]'
is 'handlers' "$($CRICTL info | jq -r '[.runtimeHandlers[] | .name // "(default)"] | sort | join(",")')" '(default),crun,native,runc'

ok 'pull' $CRICTL pull "$REGISTRY/busybox:latest"
ok 'pull again' $CRICTL pull "$REGISTRY/busybox:latest"
like 'images' "$($CRICTL images)" "$REGISTRY/busybox +latest"
id=$($CRICTL images -q)
is 'one id everywhere' "$($CRICTL inspecti "$REGISTRY/busybox" | jq -r .status.id)" "$(awk '/^busybox/ {print $3}' "$WORK/images.txt")"
is 'the digest is the registry'\''s' "$($CRICTL inspecti "$id" | jq -r '.status.repoDigests[0]')" "$REGISTRY/busybox@$(awk '/^busybox/ {print $2}' "$WORK/images.txt")"
ok 'pull by digest' $CRICTL pull "$REGISTRY/busybox@$(awk '/^busybox/ {print $2}' "$WORK/images.txt")"
is 'still one image' "$($CRICTL images -q | wc -l)" 1
like 'image file system' "$($CRICTL imagefsinfo)" "$T/root"

walk() { # HANDLER
	local h=${1:-default} pod ctr job
	pod=$($CRICTL runp ${1:+--runtime "$1"} "$(pod_json "p-$h")") || { fail "$h: runp" "$pod"; return; }
	pass "$h: runp"
	like "$h: the pod has an address" "$($CRICTL inspectp "$pod" | jq -r .status.network.ip)" '^10\.200\.[0-9]+\.[0-9]+$'
	is "$h: the pod is ready" "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$h" 'echo out; echo err >&2; echo $FROM_IMAGE $MORE; hostname; trap "exit 7" TERM; while :; do sleep 0.1; done' '"envs":[{"key":"MORE","value":"and more"}]')" "$T/p-$h.pod.json") || { fail "$h: create" "$ctr"; return; }
	pass "$h: create"
	is "$h: created" "$(state_of "$ctr")" CONTAINER_CREATED
	ok "$h: start" $CRICTL start "$ctr"
	is "$h: running" "$(state_of "$ctr")" CONTAINER_RUNNING
	like "$h: ps" "$($CRICTL ps)" "c-$h +1 "
	ok "$h: the log comes" until_ok 10 grep -q 'and more' "$T/logs/c-$h.log"
	is "$h: log" "$($CRICTL logs "$ctr" 2>/dev/null | head -2 | tr '\n' ' ')" 'out yes and more '
	like "$h: log format" "$(cat "$T/logs/c-$h.log")" '^[0-9-]{10}T[0-9:]{8}\.[0-9]+Z stdout F out$'
	like "$h: stderr" "$(cat "$T/logs/c-$h.log")" ' stderr F err$'
	is "$h: execsync" "$($CRICTL exec -s "$ctr" echo from inside)" 'from inside'
	out=$($CRICTL exec -s "$ctr" sh -c 'exit 3' 2>&1)
	like "$h: execsync exit code" "$out" 'exit(ed with)?.*3'
	is "$h: the pod's address is inside" "$($CRICTL exec -s "$ctr" ip -4 -o addr show dev eth0 | grep -o '10\.200\.[0-9.]*' | head -1)" "$($CRICTL inspectp "$pod" | jq -r .status.network.ip)"
	notok "$h: a forbidden device is out of reach" $CRICTL exec -s "$ctr" sh -c 'mknod /tmp/mem c 1 1 && dd if=/tmp/mem of=/tmp/x bs=1 count=1'
	ok "$h: /dev/null is not" $CRICTL exec -s "$ctr" sh -c 'echo x >/dev/null'
	ok "$h: stop" $CRICTL stop -t 5 "$ctr"
	is "$h: it ended by its own handler" "$(exit_of "$ctr")" 7
	is "$h: exited" "$(state_of "$ctr")" CONTAINER_EXITED
	is "$h: reason" "$($CRICTL inspect "$ctr" | jq -r .status.reason)" Error
	ok "$h: stop again" $CRICTL stop "$ctr"
	notok "$h: it cannot start again" $CRICTL start "$ctr"
	ok "$h: rm" $CRICTL rm --keep-logs "$ctr"
	ok "$h: stopp" $CRICTL stopp "$pod"
	is "$h: not ready" "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_NOTREADY
	ok "$h: stopp again" $CRICTL stopp "$pod"
	ok "$h: rmp" $CRICTL rmp "$pod"
	is "$h: gone" "$($CRICTL pods -q --id "$pod")" ''
	ok "$h: the log stays" test -s "$T/logs/c-$h.log"
}
walk
walk runc
walk crun
walk native

ok 'rmi' $CRICTL rmi "$REGISTRY/busybox:latest"
is 'no image' "$($CRICTL images -q)" ''
ok 'its layers go' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
crisp_clean
