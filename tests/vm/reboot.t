# reboot.t - crisp as a service over a reboot, and over a reset without a shutdown: the kubelet's way afterwards.
#
# It is started once in each boot; what it has done stands in the file $STAGE. All that crisp keeps is on a disk with a journal.
# HANDLER=native: the default handler.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/registry.sh"
T=/job/keep
mkdir -p $T/logs $T/root $T/ipam
CRICTL="$TOOLS/crictl --config $T/crictl.yaml"
stage=$(cat "$STAGE" 2>/dev/null || echo 0)

if [ "$stage" = 0 ]; then
	printf 'runtime-endpoint: unix:///run/crisp/crisp.sock\nimage-endpoint: unix:///run/crisp/crisp.sock\ntimeout: %s\n' $((30 * ${SLOW:-1})) >"$T/crictl.yaml"
fi
mkdir -p /etc/cni/net.d /etc/crisp
rm -f /etc/cni/net.d/*
cat >/etc/cni/net.d/10-crisp.conflist <<J
{"cniVersion":"1.0.0","name":"crisp","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,
  "ipam":{"type":"host-local","dataDir":"$T/ipam","ranges":[[{"subnet":"10.201.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
J
printf 'root: %s/root\nlog: {level: debug}\n' $T >/etc/crisp/config.yaml
[ "${HANDLER-}" != native ] || cat >>/etc/crisp/config.yaml <<Y
runtime: {default: native}
runtimes: {runc: {path: /usr/sbin/runc}, native: {type: native, fallback: runc}}
Y
pod_json() { # NAME ATTEMPT
	printf '{"metadata":{"name":"%s","uid":"%s-uid","namespace":"default","attempt":%s},"log_directory":"%s/logs","linux":{"security_context":{"namespace_options":{"pid":1}}}}\n' \
		"$1" "$1" "$2" "$T" >"$T/$1.pod.json"
	echo "$T/$1.pod.json"
}
ctr_json() { # NAME SCRIPT ATTEMPT
	jq -n --arg n "$1" --arg s "$2" --arg i "$(cat $T/image)" --argjson a "$3" \
		'{metadata:{name:$n,attempt:$a},image:{image:$i},command:["sh","-c",$s],log_path:"\($n).\($a).log",linux:{}}' >"$T/$1.ctr.json"
	echo "$T/$1.ctr.json"
}
runs() { pod=$($CRICTL runp "$T/$1.pod.json"); } # an emulated machine takes its time for the first run of a runtime
run_pod() { # NAME ATTEMPT: sets $pod and $ctr
	pod_json "$1" "$2" >/dev/null
	until_ok 60 runs "$1" && ctr=$($CRICTL create "$pod" "$(ctr_json c 'i=0; while :; do echo line $i; i=$((i+1)); sleep 0.1; done' "$2")" "$T/$1.pod.json") &&
		$CRICTL start "$ctr" && echo "$pod $ctr" >"$T/of-this-boot"
}
lines() { [ "$(wc -l <"$T/logs/c.$1.log")" -gt 20 ]; }
what() { $CRICTL inspect "$1" | jq -r '.status | "\(.state) \(.exitCode) \(.reason)"'; }
leases() { find $T/ipam -name '[0-9]*.[0-9]*' -size +0; }
no_leases() { [ -z "$(leases)" ]; }
in_order() { $CRICTL inspect "$1" | jq -e '.status | .createdAt <= .startedAt and .startedAt <= .finishedAt'; }

begin() { # ATTEMPT: what runs when the machine goes down
	ok "attempt $1: a pod with a container" run_pod p "$1"
	ok "attempt $1: it logs" until_ok 20 lines "$1"
	is "attempt $1: it has an address" "$(leases | wc -l)" 1
	sync -f $T
	wc -c <"$T/logs/c.$1.log" >$T/size
	cp "$T/logs/c.$1.log" $T/log-then
	$CRICTL pull "$(sed 's/:latest/:1/' $T/image)" >/dev/null
}
after() { # WORDS ATTEMPT EXIT: EXIT is a pattern
	read -r old_pod old_ctr <$T/of-this-boot
	is "$1: the pod is not ready" "$($CRICTL inspectp "$old_pod" | jq -r .status.state)" SANDBOX_NOTREADY
	like "$1: the container has ended" "$(what "$old_ctr")" "$3"
	ok "$1: its times are in order" in_order "$old_ctr"
	ok "$1: the address is given back" until_ok 20 no_leases
	is "$1: the synced part of the log is as it was" "$(head -c "$(cat $T/size)" "$T/logs/c.$2.log" | sha256sum)" "$(head -c "$(cat $T/size)" $T/log-then | sha256sum)"
	is "$1: no namespace, mount or group of it" "$(ls /run/netns 2>/dev/null)$(grep -E ' /run/crisp/' /proc/self/mountinfo)$(ls -d /sys/fs/cgroup/crisp/*/ 2>/dev/null)" ''
	is "$1: all records can be read" "$($CRICTL info | jq -r '.status.conditions[] | select(.type == "RecordsReadable") | .status')" true
	ok "$1: the image is here" $CRICTL inspecti "$(cat $T/image)"
}
goes() { # WORDS
	ok "$1: the old pod is stopped" $CRICTL stopp "$old_pod"
	ok "$1: and removed" $CRICTL rmp "$old_pod"
}

ok "stage $stage: crisp starts with the machine" systemctl start crisp
case $stage in
0)
	registry_start /var/tmp/registry || exit 1
	"$ROOT/tests/images/image" --registry "$REGISTRY" "$ROOT/tests/images/busybox.json" >/dev/null
	echo "$REGISTRY/busybox:latest" >$T/image
	ok 'pull' $CRICTL pull "$(cat $T/image)"
	begin 1
	echo 1 >"$STAGE"; tap_end; sync -f $T
	systemctl reboot --no-block; sleep infinity ;;
1)
	# On its way down systemd ends every process; crispd may or may not have seen that.
	after 'a reboot' 1 'CONTAINER_EXITED (255 Unknown|143 Error|137 Error|0 Completed)'
	begin 2
	goes 'a reboot'
	echo 2 >"$STAGE"; sync "$STAGE"; tap_end
	echo b >/proc/sysrq-trigger; sleep infinity ;;
2)
	after 'a reset' 2 'CONTAINER_EXITED 255 Unknown'
	ok 'a reset: the next attempt' run_pod p 3
	goes 'a reset'
	read -r pod ctr <$T/of-this-boot
	ok 'the new pod goes' $CRICTL rmp -f "$pod"
	is 'nothing is left' "$($CRICTL pods -q)$(leases)$(ls $T/root/sandboxes $T/root/containers $T/root/snapshots | grep -E '[0-9a-f]{8}')" ''
	[ "$tap_bad" = 0 ] || journalctl -b -u crisp --no-pager -o cat | grep -E ' (warn|error) ' | tail -30 | sed 's/^/# /'
	systemctl stop crisp
	tap_end ;;
esac
