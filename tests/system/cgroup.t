# cgroup.t - the place of pods and containers in the cgroup tree, with and without a cgroup_parent, and which groups stay afterwards.

. "$(dirname "$0")/../lib/crisp.sh"

# The group of the memory hierarchy, or of v2. crun puts the processes of a scope into a group below it.
where() { sed -nE 's/^[0-9]+:([^:]*,)?memory(,[^:]*)?:|^0::(.+)/\3/p' "/proc/$1/cgroup" | grep . | head -1 | sed 's|\.scope/container$|.scope|'; }
tree=/sys/fs/cgroup; [ -e $tree/cgroup.controllers ] || tree=$tree/memory
info() { $CRICTL inspect "$1" | jq -r ".info.$2"; }
groups() { find /sys/fs/cgroup -type d -path "*$1*" -name "*$2*"; }
members() { cat "$1/cgroup.procs" "$1"/*/cgroup.procs 2>/dev/null; }
gone() { [ -z "$(groups "$CGROUP" "$1")" ]; }

crisp_up "network: cni"
# Names of groups: below a parent the container's, the sandbox's and its pause's; without a parent the pod's.
if [ $CGROUP_DRIVER = systemd ]; then
	name=${CGROUP:1:-6} # without slash and .slice
	parent=$CGROUP/$name-kube.slice/$name-kube-pod1.slice
	of_ctr() { echo "$parent/crisp-$1.scope"; }
	of_pod() { echo "$parent/$1"; }
	of_pause() { of_ctr "$1"; }
	alone() { echo "$CGROUP/$name-$1.slice/crisp-$2.scope"; }
else
	parent=$CGROUP/kubepods/burstable/pod1
	of_ctr() { echo "$parent/$1"; }
	of_pod() { echo "$parent/$1"; }
	of_pause() { echo "$parent/$1"; }
	alone() { echo "$CGROUP/$1/$2"; }
fi
in_parent() { echo '"linux":{"cgroup_parent":"'"$parent"'","security_context":{"namespace_options":{"pid":'"$1"'}}}'; }

like 'the kubelet is told which driver' "$($CRICTL runtime-config)" "$(echo $CGROUP_DRIVER | tr a-z A-Z)"
for h in runc crun $([ $CGROUP_DRIVER = systemd ] || echo native); do
	pod=$($CRICTL runp --runtime $h "$(pod_json "parent-$h" "$(in_parent 1)")")
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$h" 'sleep 1000')" "$T/parent-$h.pod.json")
	ok "$h: start" $CRICTL start "$ctr"
	is "$h: the container is right below the parent" "$(where "$(info "$ctr" pid)")" "$(of_ctr "$ctr")"
	is "$h: so says its info" "$(info "$ctr" cgroup)" "$(of_ctr "$ctr")"
	ok "$h: an exec joins it" test -n "$($CRICTL exec -s "$ctr" sh -c 'cat /proc/self/cgroup' | grep -E "/$ctr|::/\$")"
	ok "$h: and a group of the sandbox is beside it" until_ok 5 test -d "$tree$(of_pod "$pod")"
	is "$h: without a process" "$(cat "$tree$(of_pod "$pod")/cgroup.procs")" ''
	processes() { $CRICTL statsp --id "$pod" -o json | jq -r '.stats[0].linux.process.processCount.value'; }
	is "$h: the pod's processes are its containers'" "$(processes)" "$(members "$tree$(of_ctr "$ctr")" | wc -l)"
	next=$($CRICTL runp --runtime $h "$(pod_json "next-$h" "$(in_parent 1)")")
	$CRICTL start "$($CRICTL create "$next" "$(ctr_json "n-$h" 'sleep 1000')" "$T/next-$h.pod.json")" >/dev/null
	is "$h: not those of another pod in the same parent" "$(processes)" "$(members "$tree$(of_ctr "$ctr")" | wc -l)"
	$CRICTL stopp "$next" >/dev/null; $CRICTL rmp -f "$next" >/dev/null
	other=$($CRICTL create "$pod" "$(ctr_json "d-$h" 'sleep 1000')" "$T/parent-$h.pod.json")
	group=$(stat -c %i "$tree$(of_pod "$pod")")
	$CRICTL start "$other" >/dev/null
	is "$h: another container leaves that as it is" "$(stat -c %i "$tree$(of_pod "$pod")")" "$group"
	kill -9 "$(crispd_pid)"
	ok "$h: crispd is back" until_ok 10 crisp_ready
	is "$h: it runs on in its place" "$(where "$(info "$ctr" pid)")" "$(of_ctr "$ctr")"
	$CRICTL stop -t 0 "$other" >/dev/null; $CRICTL rm "$other" >/dev/null
	ok "$h: a container takes its group along" until_ok 10 gone "$other"
	ok "$h: not the sandbox's" test -d "$tree$(of_pod "$pod")"
	other=$($CRICTL create "$pod" "$(ctr_json e-$h 'sleep 1000')" "$T/parent-$h.pod.json")
	$CRICTL start "$other" >/dev/null
	group=$(stat -c %i "$tree$(of_pod "$pod")")
	$CRICTL stop -t 0 "$ctr" >/dev/null
	renewed() { [ "$(stat -c %i "$tree$(of_pod "$pod")")" != "$group" ]; }
	ok "$h: the one by which it is known ends: it is made anew, for the other" until_ok 5 renewed
	$CRICTL stopp "$pod" >/dev/null
	ok "$h: stopping takes all of ours" until_ok 10 gone "$pod"
	ok "$h: in every hierarchy" until_ok 10 gone "$ctr"
	$CRICTL rmp -f "$pod" >/dev/null
	ok "$h: the parent is the caller's: it stays" test -d "$tree$parent"
done

pod=$($CRICTL runp "$(pod_json shared "$(in_parent 0)")")
pause=$(cat "$tree$(of_pause "$pod")/cgroup.procs")
is 'a shared PID namespace: the pause is in the sandbox'\''s group' "$(cat "/proc/$pause/comm")" crisp-pause
ctr=$($CRICTL create "$pod" "$(ctr_json s 'sleep 1000')" "$T/shared.pod.json")
ok 'a container beside it' $CRICTL start "$ctr"
is 'below the parent' "$(where "$(info "$ctr" pid)")" "$(of_ctr "$ctr")"
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp -f "$pod" >/dev/null
ok 'both go' until_ok 10 gone "$pod"

# crispd dies while a sandbox is made: exactly the groups that its record names are removed.
printf '#!/bin/sh\ntouch "%s/adding"; exec sleep 30\n' "$T" >"$T/slow"; chmod +x "$T/slow"
mkdir -p "$T/bin"; cp "$T/slow" "$T/bin/bridge"
crisp_stop
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
crisp_start
$CRICTL runp "$(pod_json half "$(in_parent 1)")" >/dev/null 2>&1 &
runp=$!
ok 'one is half made' until_ok 10 test -e "$T/adding"
half=$(basename "$(ls "$T"/root/sandboxes/*.json)" .json)
rm -r "$T/bin"
kill -9 "$(crispd_pid)"; kill "$runp" 2>/dev/null; wait "$runp" 2>/dev/null
ok 'crispd is back: it is taken away' until_ok 30 test ! -e "$T/root/sandboxes/$half.json"
ok 'with its group' gone "$half"
until_ok 20 crisp_ready
ok 'the parent is not' test -d "$tree$parent"

# The sandbox's group is busy when the sandbox is stopped, and crispd dies before the group is removed.
if [ $CGROUP_DRIVER = cgroupfs ]; then
	pod=$($CRICTL runp "$(pod_json busy "$(in_parent 1)")")
	$CRICTL start "$($CRICTL create "$pod" "$(ctr_json busy 'sleep 1000')" "$T/busy.pod.json")" >/dev/null
	until_ok 5 test -d "$tree$(of_pod "$pod")"
	sleep 1000 & guest=$!
	echo $guest >"$tree$(of_pod "$pod")/cgroup.procs"
	ok 'a pod is stopped whose group is busy' $CRICTL stopp "$pod"
	ok 'which stays so long' test -d "$tree$(of_pod "$pod")"
	ok 'another crispd is there' kill_crispd
	kill $guest; wait $guest 2>/dev/null
	$CRICTL rmp "$pod" >/dev/null
	ok 'it knows of it: nothing is left below the parent' until_ok 5 gone "$pod"
fi

pod=$($CRICTL runp "$(pod_json own)")
ctr=$($CRICTL create "$pod" "$(ctr_json o 'sleep 1000')" "$T/own.pod.json")
$CRICTL start "$ctr" >/dev/null
is 'without a parent: the pod'\''s group bears its id, the container is below' "$(where "$(info "$ctr" pid)")" "$(alone "$pod" "$ctr")"
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp -f "$pod" >/dev/null
ok 'all of it goes' until_ok 10 gone "$pod"

# An OOM kill is reported although systemd removes the group, and its counter, at once.
pod=$($CRICTL runp "$(pod_json hogs "$(in_parent 1)")")
for n in 1 2 3; do
	ctr=$($CRICTL create "$pod" "$(ctr_json "hog-$n" 'x=a; while :; do x=$x$x; done' '"linux":{"resources":{"memory_limit_in_bytes":20971520}}')" "$T/hogs.pod.json")
	$CRICTL start "$ctr" >/dev/null
	ok "hog $n ends" until_ok 30 exited "$ctr"
	is "hog $n was killed for its memory" "$($CRICTL inspect "$ctr" | jq -r '.status | "\(.exitCode) \(.reason)"')" '137 OOMKilled'
done
ctr=$($CRICTL create "$pod" "$(ctr_json calm 'sleep 1000' '"linux":{"resources":{"memory_limit_in_bytes":20971520}}')" "$T/hogs.pod.json")
$CRICTL start "$ctr" >/dev/null; $CRICTL stop -t 0 "$ctr" >/dev/null
is 'one that was killed beside them was not' "$($CRICTL inspect "$ctr" | jq -r '.status | "\(.exitCode) \(.reason)"')" '137 Error'
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp -f "$pod" >/dev/null

if [ $CGROUP_DRIVER = systemd ]; then
	ok 'the parent is given back' systemctl stop "$name-kube.slice"
else
	find /sys/fs/cgroup -depth -type d -path "*$CGROUP/kubepods*" -exec rmdir {} +
fi
crisp_clean
