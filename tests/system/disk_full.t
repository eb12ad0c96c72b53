# disk_full.t - the disk of `root` is full, or has no inodes left: what fails says so, nothing that happened is forgotten, and all
# goes on once there is room.

. "$(dirname "$0")/../lib/crisp.sh"

mkdir -p "$T/root"
mount -t tmpfs -o size=96m,nr_inodes=6000,mode=700 crisp-disk "$T/root"
crisp_up 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done
fill() { dd if=/dev/zero of="$T/root/ballast" bs=4k oflag=append conv=notrunc 2>/dev/null; true; }
# What ends or is removed gives room back, also a moment later: the disk stays full until there is to be room.
stay_full() { fill; while :; do fill; sleep 0.02; done & FILLER=$!; }
fill_inodes() { mkdir "$T/root/many"; (cd "$T/root/many" && seq 1 6000 | xargs touch 2>/dev/null); true; }
room() { [ -z "${FILLER-}" ] || { kill "$FILLER"; wait "$FILLER" 2>/dev/null; FILLER=; }; rm -rf "$T/root/ballast" "$T/root/many"; }
unsaved() { grep -c 'effect="tried again each second"' "$T/crisp.log"; }
ready() { $CRICTL inspectp "$1" | jq -r .status.state; }

pod=$($CRICTL runp "$(pod_json p)")
other=$($CRICTL runp "$(pod_json other)")
ctr=$($CRICTL create "$pod" "$(ctr_json seven 'until [ -e /dev/shm/go ]; do sleep 0.02; done; exit 7')" "$T/p.pod.json")
late=$($CRICTL create "$pod" "$(ctr_json late 'exit 5')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
stay_full

# A container ends and a pod stops while no record can be written.
touch "/proc/$($CRICTL inspect "$ctr" | jq -r .info.pid)/root/dev/shm/go"
ok 'full: a container ends' until_ok 10 exited "$ctr"
is 'its exit code is known' "$(exit_of "$ctr")" 7
ok 'the log says that the record waits' until_ok 20 grep -q "container_record container=${ctr:0:12} effect=\"tried again" "$T/crisp.log"
ok 'a pod is stopped' $CRICTL stopp "$other"

# What needs room says that there is none.
notok 'a pod is refused' $CRICTL runp "$(pod_json q)"
like 'with the code that says why' "$out" 'code = ResourceExhausted .*No space left on device'
notok 'a container is refused' $CRICTL create "$pod" "$(ctr_json more 'true')" "$T/p.pod.json"
like 'with the code that says why' "$out" 'code = ResourceExhausted'
notok 'a start is refused' $CRICTL start "$late"
like 'with the code that says why' "$out" 'code = ResourceExhausted'
is 'and its container stays created' "$(state_of "$late")" CONTAINER_CREATED

ok 'crispd is killed on the full disk: it is back' kill_crispd
is 'its exit code is known after the kill' "$(exited "$ctr" && exit_of "$ctr")" 7
is 'and the pod is stopped' "$(ready "$other")" SANDBOX_NOTREADY
is 'the refused start left its container created' "$(state_of "$late")" CONTAINER_CREATED
room
ok 'there is room: the record is written' until_ok 20 grep -q "container_record container=${ctr:0:12} effect=\"saved at last\"" "$T/crisp.log"
is 'with the exit code' "$(jq -c '[.state, .exit_code]' "$T/root/containers/$ctr.json")" '[2,7]'
ok 'and the container starts' $CRICTL start "$late"
ok 'and ends' until_ok 10 exited "$late"
is 'with its exit code' "$(exit_of "$late")" 5

# No inodes.
fill_inodes
notok 'no inodes: a pod is refused' $CRICTL runp "$(pod_json r)"
like 'with the code that says why' "$out" 'code = ResourceExhausted'
notok 'an image is refused' $CRICTL pull "$REGISTRY/busybox:latest@sha256:0000000000000000000000000000000000000000000000000000000000000000"
ok 'what is there can be removed' $CRICTL rmp -f "$pod"
ok 'crispd starts without an inode to spare' kill_crispd
room
ok 'there is room: a pod starts' $CRICTL runp "$(pod_json s)"

# Descriptors.
prlimit --pid "$(crispd_pid)" --nofile=$(($(ls /proc/"$(crispd_pid)"/fd | wc -l) + 1)):
notok 'no descriptors: a pod is refused' $CRICTL runp "$(pod_json t)"
like 'with the code that says why' "$out" 'code = ResourceExhausted .*Too many open files'
prlimit --pid "$(crispd_pid)" --nofile=1024:
ok 'there are some again: a pod starts' $CRICTL runp "$(pod_json u)"
for p in $($CRICTL pods -q); do $CRICTL rmp -f "$p" >/dev/null; done
crisp_stop
umount "$T/root" || until_ok 10 umount "$T/root"
crisp_clean
