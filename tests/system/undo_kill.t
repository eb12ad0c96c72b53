# undo_kill.t - the keeper is killed at random moments while pods go up and down; then all pods are removed, and nothing of them is
# left: no lease, no rule of a hostPort, no pin, no mount, no cgroup. KILLS=n: how often (12). WORKERS=n: how many pods at once (4).

. "$(dirname "$0")/../lib/crisp.sh"

# As in a shell of a service: a keeper that is started by hand has no service manager that starts it again.
export INVOCATION_ID=00000000000000000000000000000000 SYSTEMD_EXEC_PID=1
crisp_up "network: cni"
keeper_there() { [ -n "$(keeper_pid)" ]; }
keeper_pid() { pgrep -f "^[^ ]*crisp-keeper --config $T/config.yaml" | grep -vx "$KEEPER" | head -1; }

# Pods of one worker: some get a container, some are removed by force, some are only stopped, some are left running. A call
# that fails because the keeper is away is not repeated: the end has to find what it left.
worker() {
	local i=0 p c
	while [ ! -e "$T/over" ]; do
		i=$((i + 1))
		p=$($CRICTL runp "$(pod_json "w$1-$i" '"port_mappings":[{"protocol":0,"container_port":80,"host_port":'$((20000 + $1 * 1000 + i))'}]')" 2>/dev/null)
		echo >>"$T/pods.$1"
		[ -n "$p" ] || continue
		if [ $((RANDOM % 2)) = 0 ]; then
			c=$($CRICTL create "$p" "$(ctr_json "w$1-$i" 'sleep 1000')" "$T/w$1-$i.pod.json" 2>/dev/null)
			[ -z "$c" ] || $CRICTL start "$c" >/dev/null 2>&1
		fi
		case $((RANDOM % 4)) in
		0) $CRICTL stopp "$p" ;;
		1) $CRICTL rmp -f "$p" ;;
		2) $CRICTL stopp "$p"; $CRICTL rmp "$p" ;;
		esac >/dev/null 2>&1
	done
}
for w in $(seq "${WORKERS:-4}"); do worker "$w" & workers+=($!); done
kills=0
while [ $kills -lt "${KILLS:-12}" ]; do
	sleep "0.$((RANDOM % 6))$((RANDOM % 10))" # the interval is what is random here
	k=$(keeper_pid) && [ -n "$k" ] && kill -9 "$k" 2>/dev/null && kills=$((kills + 1))
	until_ok 20 keeper_there
done
touch "$T/over"
wait "${workers[@]}"
echo "# $(cat "$T"/pods.* | wc -l) pods over $kills kills of the keeper"
ok 'there is a keeper' until_ok 20 sh -c "$CRICTL info | grep -q 'status.: true'"

# As the kubelet does: until it is done.
all_removed() {
	local p
	for p in $($CRICTL pods -q); do $CRICTL stopp "$p"; $CRICTL rmp -f "$p"; done
	[ -z "$($CRICTL pods -q)" ]
}
ok 'all pods can be removed' until_ok 60 all_removed
ok 'crispd ran on' [ -n "$(crispd_pid)" ]
# A plugin outlives the keeper. A bridge plugin that is killed between the removal of its device and that of its masquerading rules
# would leave the rules: its next DEL finds no device, and then looks for no rules ("don't try to clean up IP masq either").
rules() { iptables_of_ours; iptables-save 2>/dev/null | grep -E -- '--dport 2[0-9]{4}'; }
is 'no rule is left of a pod' "$(rules)" ''
is 'no link is left of a pod' "$(ip -o link | grep -c veth)" 0
is 'no address is left leased' "$(find "$T/ipam" -name '[0-9]*.[0-9]*' 2>/dev/null)" ''
is 'no pin is left' "$(ls "$T/netns")" ''
is 'no mount is left of a pod' "$(awk '{print $5}' /proc/self/mountinfo | grep -E "^$T/(state/(sandboxes|containers)|netns)/")" ''
ok 'no cgroup is left' until_ok 10 no_cgroups
crisp_clean
