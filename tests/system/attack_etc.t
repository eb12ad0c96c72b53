# attack_etc.t - a container that fills /etc/hosts, /etc/hostname and /etc/resolv.conf: on the disk, counted, and gone with its pod.

. "$(dirname "$0")/../lib/crisp.sh"

LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")
create() { $CRICTL create "$pod" "$(ctr_json "$@")" "$T/p.pod.json"; }
# The flight recorder has one size, and no container writes to it.
large_in_state() { find "$T/state" -xdev -size +1M ! -path "$T/state/flight"; }
used() { $CRICTL stats -o json "$1" | jq -r '.stats[0].writableLayer.usedBytes.value // 0'; }
used_over() { [ "$(used "$1")" -gt "$2" ]; }

# What ordinary containers do, as with containerd: they write them, and the containers of a pod share them.
first=$(create first 'exec sleep 1000'); second=$(create second 'exec sleep 1000')
closed=$(create closed 'exec sleep 1000' '"linux":{"security_context":{"readonly_rootfs":true}}')
$CRICTL start "$first" "$second" "$closed" >/dev/null
ok 'a container writes its hosts file' $CRICTL exec -s "$first" sh -c 'echo "10.1.1.1 there" >>/etc/hosts && echo x >/etc/hostname && echo "options ndots:3" >>/etc/resolv.conf'
like 'and another one of the pod reads it' "$($CRICTL exec -s "$second" cat /etc/hosts /etc/hostname /etc/resolv.conf | tr '\n' '|')" '10.1.1.1 there\|x\|.*ndots:3'
notok 'not with a read-only root file system' $CRICTL exec -s "$closed" sh -c 'echo x >>/etc/hosts'
is 'they are on the disk' "$(cat "$T"/root/sandbox-files/*/hostname)" x
is 'and not in state' "$(find "$T/state" -xdev -name hosts -o -xdev -name hostname -o -xdev -name resolv.conf)" ''
ok 'the writable layer is measured' until_ok 15 used_over "$first" 1000

# The attack: 64 MiB.
ok 'a container fills them' $CRICTL exec -s "$first" sh -c 'for f in hosts resolv.conf; do dd if=/dev/zero of=/etc/$f bs=1048576 count=32 conv=notrunc || exit 1; done'
is 'nothing large is in state' "$(large_in_state)" ''
ok 'the bytes are counted as of a writable layer' until_ok 5 used_over "$first" $((64 * 1024 * 1024))
notok 'once in a pod' used_over "$second" $((16 * 1024 * 1024))
kill_crispd
ok 'also by the next daemon' until_ok 15 used_over "$first" $((64 * 1024 * 1024))
$CRICTL stop -t 0 "$first" >/dev/null
ok 'when the first has ended the next one has them' until_ok 15 used_over "$second" $((64 * 1024 * 1024))
ok 'the pod goes' $CRICTL rmp -f "$pod"
ok 'with its files' until_ok 10 sh -c "[ -z \"\$(ls $T/root/sandbox-files)\" ] && [ -z \"\$(ls $T/root/gone)\" ]"
crisp_clean
