# records.t - the state on disk at the start: damaged records, unfinished objects, records of another boot.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
mkdir -p "$T/bin" "$T/cni"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/cni_fake"
echo "{\"cniVersion\":\"1.0.0\",\"name\":\"fake\",\"plugins\":[{\"type\":\"cni_fake\",\"label\":\"a\",\"mode\":\"ok\",\"log\":\"$T/calls\",\"ip\":\"10.8.0.5/24\"}]}" \
	>"$T/cni/10-fake.conflist"
crisp_start || exit 1
pull() { $CRICTL pull "$REGISTRY/busybox:latest" >/dev/null; }
pull
mkpod() { $CRICTL runp "$(pod_json "$1")"; }
mkctr() { # POD NAME SCRIPT
	local c; c=$($CRICTL create "$1" "$(ctr_json "$2" "$3")" "$T/${4:-p}.pod.json") && { [ "${5-}" = created ] || $CRICTL start "$c" >/dev/null; } && echo "$c"
}
sleeper='while :; do sleep 0.1; done'
until_exited() { until_ok 10 exited "$1"; }
again() { # WORDS: starts crisp again
	if crisp_start; then pass "$1: crisp starts"; else fail "$1: crisp starts"; fi
}

# Damaged records: each kind of damage on one object of each kind, beside good records.
pod=$(mkpod p)
good=$(mkctr "$pod" good "$sleeper")
pid=$($CRICTL inspect "$good" | jq -r .info.pid)
declare -A victims
n=0
for damage in empty half noise version rights; do
	n=$((n + 1))
	victims[pod-$damage]=$(mkpod "v$n")
	victims[ctr-$damage]=$(mkctr "$pod" "v$n" x p created)
done
image=$(basename "$(ls "$T"/root/images/*.json)")
# crisp is stopped first, so that it writes no record any more.
old=$(crispd_pid)
kill -STOP "$old"
restarted() { kill -9 "$old"; until_ok 10 back; }
back() { [ -n "$(crispd_pid)" ] && [ "$(crispd_pid)" != "$old" ] && $CRICTL pods -q; }
record() { case $1 in pod-*) echo "$T/root/sandboxes/${victims[$1]}.json" ;; *) echo "$T/root/containers/${victims[$1]}.json" ;; esac; }
harm() { # RECORD HOW
	case $2 in
	empty) : >"$1" ;;
	half) truncate -s "$(($(stat -c %s "$1") / 2))" "$1" ;;
	noise) head -c 500 /dev/urandom >"$1" ;;
	version) jq -c '.version = 999' "$1" >"$1.x" && mv "$1.x" "$1" ;;
	rights) rm "$1"; mkdir "$1" ;;
	esac
}
for v in "${!victims[@]}"; do harm "$(record "$v")" "${v#*-}"; done
harm "$T/root/images/$image" half
echo '{"a": 1' >"$T/root/sandboxes/stray.json"
echo hello >"$T/root/containers/README"
ok 'crisp starts with damaged records' restarted
is 'the good container runs' "$(state_of "$good") $($CRICTL inspect "$good" | jq -r .info.pid)" "CONTAINER_RUNNING $pid"
is 'the good pod is ready' "$($CRICTL inspectp "$pod" | jq -r .status.state)" SANDBOX_READY
is 'only the good ones are listed' "$($CRICTL ps -aq --no-trunc) $($CRICTL pods -q --no-trunc)" "$good $pod"
for v in "${!victims[@]}"; do
	f=$(record "$v")
	ok "$v: is set aside" test -e "$f.corrupt" -a ! -e "$f"
	like "$v: is reported" "$(cat "$T/crisp.log")" " (warn|error) .*(${f}|$(basename "$f" .json | cut -c1-12))"
done
ok 'the image: is set aside' test -e "$T/root/images/$image.corrupt"
is 'no image is listed' "$($CRICTL images -q)" ''
ok 'it is pulled again' pull
ok 'a container of it runs' until_exited "$(mkctr "$pod" again 'echo back')"
is 'as it should' "$(log_text again)" back
is 'what is no record is left alone' "$(cat "$T/root/containers/README")" hello
rm "$T/root/containers/README"
find "$T/root" -name '*.corrupt' -exec rm -r {} +
old=$(crispd_pid)
ok 'crisp starts without them' restarted
ok 'what the lost pods had is gone' until_ok 10 sh -c "[ \"\$(ls $T/netns)\" = crisp-$pod ]"
only_the_pods_cgroups() { ! leftover_cgroups | grep -v "$pod"; }
ok 'their cgroups too' until_ok 10 only_the_pods_cgroups
$CRICTL rmp -f "$pod" >/dev/null 2>&1

# The records of a container that runs, and of a pod with one. Damage is answered neither by killing nor by believing.
pod=$(mkpod p)
kept=$(mkctr "$pod" kept "$sleeper")
pod2=$(mkpod q)
kept2=$(mkctr "$pod2" kept2 "$sleeper" q)
pid_of() { $CRICTL inspect "$1" | jq -r .info.pid; }
pid=$(pid_of "$kept") pid2=$(pid_of "$kept2")
old=$(crispd_pid)
kill -STOP "$old"
cp "$T/root/containers/$kept.json" "$T/kept.json"
cp "$T/root/sandboxes/$pod2.json" "$T/pod2.json"
cp "$T/root/snapshots/$kept.json" "$T/snapshot.json"
harm "$T/root/containers/$kept.json" half
harm "$T/root/sandboxes/$pod2.json" empty
harm "$T/root/snapshots/$kept.json" noise
ok 'crisp starts without the records of what runs' restarted
lost() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "RecordsReadable") | [.status, .message] | map(tostring) | join(" ")'; }
like 'Status says which are lost' "$(lost)" '^false the records of 2 containers and 1 sandboxes could not be read'
for i in 1 2; do
	ok "start $i: the container without a record runs on" kill -0 "$pid"
	ok "start $i: the container of a pod without one too" kill -0 "$pid2"
	ok "start $i: it has its files" test -e "/proc/$pid/root/bin/sh"
	ok "start $i: the pod keeps its network" test -e "$T/netns/crisp-$pod2"
	old=$(crispd_pid)
	ok "start $i: once more" restarted
done
$CRICTL rmi --prune >/dev/null 2>&1
ok 'its layers stay, whatever images go' test -s "/proc/$pid/root/bin/sh"
kill -STOP "$(crispd_pid)"
old=$(crispd_pid)
mv "$T/kept.json" "$T/root/containers/$kept.json"
mv "$T/pod2.json" "$T/root/sandboxes/$pod2.json"
mv "$T/snapshot.json" "$T/root/snapshots/$kept.json"
find "$T/root" -name '*.corrupt' -delete
ok 'crisp starts with the records as they were' restarted
is 'the container is running again' "$(state_of "$kept") $(pid_of "$kept")" "CONTAINER_RUNNING $pid"
is 'the other one too' "$(state_of "$kept2") $(pid_of "$kept2")" "CONTAINER_RUNNING $pid2"
is 'its pod is ready' "$($CRICTL inspectp "$pod2" | jq -r .status.state)" SANDBOX_READY
is 'nothing is lost any more' "$(lost)" 'true '
for p in "$pod" "$pod2"; do ok 'it goes' $CRICTL rmp -f "$p"; done
pull

# A reboot: no process, no mount, no state directory, another boot id in the records.
cgroups_end() { find /sys/fs/cgroup -depth -type d -path "*$CGROUP/*" -exec rmdir {} + 2>/dev/null; no_cgroups; }
power_off() { # PID...: of what ran
	node_off
	kill -9 "$@"
	until_ok 5 cgroups_end
	of_other_boot "$T"/root/sandboxes/*.json "$T"/root/containers/*.json "$T/root/boot"
	: >"$T/calls"
}
pod=$(mkpod r)
run=$(mkctr "$pod" run "$sleeper" r)
new=$(mkctr "$pod" new x r created)
ended=$(mkctr "$pod" ended 'exit 3' r)
until_exited "$ended"
stopped=$(mkpod s)
$CRICTL stopp "$stopped" >/dev/null
pid=$($CRICTL inspect "$run" | jq -r .info.pid)
power_off "$pid"
again 'a reboot'
is 'the pod is not ready' "$($CRICTL inspectp "$pod" | jq -r .status.state)" SANDBOX_NOTREADY
is 'it has no address' "$($CRICTL inspectp "$pod" | jq -r '.status.network.ip // ""')" ''
what() { $CRICTL inspect "$1" | jq -r '[.status.state, .status.exitCode, .status.reason] | join(" ")'; }
is 'what ran has exited' "$(what "$run")" 'CONTAINER_EXITED 255 Unknown'
like 'it says why' "$($CRICTL inspect "$run" | jq -r .status.message)" 'restarted'
is 'it has ended' "$($CRICTL inspect "$run" | jq -r '.status.finishedAt > "2000"')" true
like 'what was created too' "$(what "$new")" 'CONTAINER_EXITED 255 '
is 'what had ended before is as it was' "$(what "$ended")" 'CONTAINER_EXITED 3 Error'
is 'the network was given back, once, before anything else' "$(cat "$T/calls")" "DEL a $pod"
notok 'no container is made in it' $CRICTL create "$pod" "$(ctr_json late x)" "$T/r.pod.json"
like 'because it is not ready' "$out" 'FailedPrecondition|not ready'
next=$($CRICTL runp "$(pod_json r2)")
like 'the next pod is made' "$next" '^[0-9a-f]{64}$'
for p in "$pod" "$stopped" "$next"; do ok 'it goes' $CRICTL rmp -f "$p"; done
is 'no container is left' "$($CRICTL ps -aq)" ''
ok 'the image is still here' $CRICTL inspecti "$REGISTRY/busybox"

# A power cut: what was written in the last seconds is empty. Before that a child of crispd has synced it.
synced() { [ -z "$(find "$T/root" -name '*.json.old')" ]; }
pod=$(mkpod w)
run=$(mkctr "$pod" run "$sleeper" w)
fresh=$(mkctr "$pod" fresh "$sleeper" w)
torn=$(mkpod v)
inner=$(mkctr "$torn" inner "$sleeper" v)
pids="$($CRICTL inspect "$run" | jq -r .info.pid) $($CRICTL inspect "$fresh" | jq -r .info.pid) $($CRICTL inspect "$inner" | jq -r .info.pid)"
ok 'all that was written is synced' until_ok 20 synced
image=$(ls "$T"/root/images/*.json)
ok 'the image gets another name' $CRICTL pull "$REGISTRY/busybox@$($CRICTL inspecti "$REGISTRY/busybox" | jq -r '.status.repoDigests[0]' | sed 's/.*@//')"
power_off $pids
cp "$image" "$image.old"
: >"$image"
: >"$T/root/containers/$fresh.json"
: >"$T/root/snapshots/$fresh.json"
: >"$T/root/sandboxes/$torn.json"
truncate -s 4 "$T/root/containers/$inner.json"
mkdir "$T/root/layers/cafe0000.x"
: >"$T/root/layer-records/cafe0000.x.json"
again 'a power cut'
is 'the image is there, by its older record' "$($CRICTL inspecti "$REGISTRY/busybox" | jq -r '.status.repoTags[0]')" "$REGISTRY/busybox:latest"
is 'the pod is there, and has ended' "$($CRICTL inspectp "$pod" | jq -r .status.state)" SANDBOX_NOTREADY
is 'its container too' "$(what "$run")" 'CONTAINER_EXITED 255 Unknown'
is 'what is not known is not listed' "$($CRICTL ps -aq) $($CRICTL pods -q)" "$run $pod"
ok 'the network of both pods is given back' until_ok 10 grep -q "DEL a $torn" "$T/calls"
ok 'and that of the other' grep -q "DEL a $pod" "$T/calls"
is 'nothing is called lost: nobody has to look' "$(lost)" 'true '
is 'nothing is left for an operator' "$(find "$T/root" -name '*.corrupt')" ''
is 'nothing is left of it' "$(find "$T/root" -path "*$fresh*" -o -path "*$torn*" -o -path "*$inner*" -o -path '*cafe0000*' | grep -v gone/)" ''
is 'the boot is noted' "$(cat "$T/root/boot")" "$(cat /proc/sys/kernel/random/boot_id)"
ok 'the pod goes' $CRICTL rmp -f "$pod"
next=$($CRICTL runp "$(pod_json w2)")
next_ctr=$(mkctr "$next" after 'exit 0' w2)
ok 'a container of that image runs' until_exited "$next_ctr"
is 'to its end' "$(what "$next_ctr")" 'CONTAINER_EXITED 0 Completed'
ok 'it goes' $CRICTL rmp -f "$next"
crisp_clean
