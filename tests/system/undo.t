# undo.t - what a pod has is given back in every order of deaths and mounts: nothing is forgotten before it is gone.

. "$(dirname "$0")/../lib/crisp.sh"

# As in a shell of a service: a keeper that is started by hand has no service manager that starts it again.
export INVOCATION_ID=00000000000000000000000000000000 SYSTEMD_EXEC_PID=1
crisp_up
pins() { awk '{print $5}' /proc/self/mountinfo | grep -c "^$T/netns/crisp-"; }
keeper_pid() { ps -o ppid= -p "$(crispd_pid)" | tr -d ' '; }

# The first `ip netns add` of a host makes the directory of the pins a mount of its own, under living pods.
pod=$($CRICTL runp "$(pod_json below)")
more=$($CRICTL runp "$(pod_json more)")
mount --rbind "$T/netns" "$T/netns"
mount --make-rshared "$T/netns"
is 'each pin is there twice' "$(pins)" 4
ok 'a pod is removed' $CRICTL rmp -f "$pod"
is 'both its pins are gone' "$(pins) $(ls "$T/netns" | grep -c "$pod")" '2 0'
late=$($CRICTL runp "$(pod_json late)")
ok 'a later one is removed too' $CRICTL rmp -f "$late"
umount "$T/netns" 2>/dev/null || umount -l "$T/netns"
ok 'and one after the upper mount went' $CRICTL rmp -f "$more"
is 'no pin is left' "$(pins)$(ls "$T/netns")" 0

# Another file system hides the pin.
pod=$($CRICTL runp "$(pod_json hidden)")
mount -t tmpfs crisp-hides "$T/netns"
ok 'a pod with a hidden pin is removed' $CRICTL rmp -f "$pod"
is 'and its pin is gone' "$(pins)" 0
umount "$T/netns"
is 'with its file' "$(ls "$T/netns")" ''

# A pin that cannot be removed is told, and the record stays.
pod=$($CRICTL runp "$(pod_json stuck)")
mount --rbind "$T/netns" "$T/netns"
mount -o remount,bind,ro "$T/netns"
notok 'a pin in a read-only directory stays: that is told' $CRICTL stopp "$pod"
like 'by its name' "$out" "give back the namespaces of sandbox ${pod:0:12}: unlink $T/netns/crisp-$pod: Read-only"
notok 'and the pod is not removed' $CRICTL rmp "$pod"
ok 'crispd is killed: it is back' kill_crispd
is 'with the pod' "$($CRICTL inspectp "$pod" | jq -r .status.state)" SANDBOX_NOTREADY
umount -l "$T/netns"
ok 'once it is writable the pod is removed' $CRICTL rmp "$pod"
is 'with its pin' "$(pins)$(ls "$T/netns")" 0

# A group below a parent that stays busy: only the record tells that it belongs to crisp.
if [ $CGROUP_DRIVER = cgroupfs ]; then
	pod=$($CRICTL runp "$(pod_json busy "\"linux\":{\"cgroup_parent\":\"$CGROUP-kube\",\"security_context\":{\"namespace_options\":{\"pid\":1}}}")")
	group=$([ -d /sys/fs/cgroup/pids ] && echo /sys/fs/cgroup/pids || echo /sys/fs/cgroup)$CGROUP-kube/$pod
	mkdir -p "$group"
	sleep 1000 & stray=$!
	echo $stray >"$group/cgroup.procs"
	ok 'a pod below a parent is stopped' $CRICTL stopp "$pod"
	notok 'a busy group below a parent: the removal is refused' $CRICTL rmp "$pod"
	like 'with the reason' "$out" "DeadlineExceeded desc = the cgroup of sandbox ${pod:0:12} is busy"
	ok 'crispd is killed: it is back' kill_crispd
	ok 'and knows the pod' $CRICTL inspectp "$pod"
	kill $stray; wait $stray 2>/dev/null
	ok 'once the group can go the pod is removed' $CRICTL rmp "$pod"
	notok 'with its group' test -d "$group"
	find /sys/fs/cgroup -depth -type d -path "*$CGROUP-kube" -exec rmdir {} + 2>/dev/null
fi

# The record is lost: the link in the sandbox's directory tells which pin is crisp's.
pod=$($CRICTL runp "$(pod_json lost)")
touch "$T/netns/crisp-0000000000000000000000000000000000000000000000000000000000000000" # of another crisp
keeper=$(keeper_pid) crispd=$(crispd_pid)
kill -STOP "$keeper"
kill -9 "$crispd"
rm "$T/root/sandboxes/$pod.json"
kill -9 "$keeper"
ok 'both are killed and a record is removed: they start' until_ok 20 back_after "$crispd"
ok 'its pin goes' until_ok 10 [ ! -e "$T/netns/crisp-$pod" ]
ok 'and its directory' until_ok 10 [ ! -e "$T/state/sandboxes/$pod" ]
is "another crisp's pin stays" "$(ls "$T/netns")" crisp-0000000000000000000000000000000000000000000000000000000000000000
rm "$T/netns"/crisp-0000*

crisp_clean
