# node.sh - a node for a story: the runtime $RUNTIME and a kubelet. Sourced; runs inside tests/kubelet/run.
#
# manifests/NAME.yaml is the manifest of the pod NAME. Its annotation "until" is a jq filter over the pod: the condition that the
# story waits for. The pod's part of /pods at that moment is kept for compare.t.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/crisp.sh"
HERE=$ROOT/tests/kubelet
ROOT_GROUP=/crisp-test-$(basename "${WORK%/*}")-$RUNTIME-$(basename "$T") # named after the whole run, which checks for leftovers
CGROUP=$ROOT_GROUP
if [ "$CGROUP_DRIVER" = systemd ]; then ROOT_GROUP=/$(echo "$CGROUP" | tr -dc 'a-zA-Z0-9') CGROUP=$ROOT_GROUP.slice; fi
API=https://127.0.0.1:10250
KUBELET=

say() { echo "# $*"; }
wait_for() { until_ok 20 test -S "$1"; }

# node_start [KEY: VALUE...]: lines of the kubelet's configuration. Sets SOCKET.
node_start() {
	mkdir -p "$KEPT" "$T/run"
	crisp_config ${HANDLER:+"runtime: {default: $HANDLER}"}; cni_config
	if [ "$RUNTIME" = crisp ]; then
		crisp_start || exit 1
		SOCKET=$T/state/crisp.sock
	else
		. "$ROOT/bench/peers/containerd.sh"
		WORK=$T CNI=$T/cni containerd_2_start containerd || exit 1
		SOCKET=$T/run/containerd.sock
		printf 'runtime-endpoint: unix://%s\nimage-endpoint: unix://%s\ntimeout: 30\n' "$SOCKET" "$SOCKET" >"$T/crictl.yaml"
		until_ok 20 $CRICTL version
	fi
	# The kubelet's root group must exist.
	if [ "$CGROUP_DRIVER" = systemd ]; then
		systemctl start "${CGROUP#/}" # with every controller that the kubelet needs
		systemctl set-property --runtime "${CGROUP#/}" CPUWeight=100 "AllowedCPUs=$(cat /sys/fs/cgroup/cpuset.cpus.effective)"
	fi
	[ "$CGROUP_DRIVER" = systemd ] || for g in $(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts); do mkdir -p "$g$CGROUP"; done
	printf 'nameserver 192.0.2.1\nsearch test.invalid\n' >"$T/resolv.conf"
	kubelet_start "$@" || exit 1
}

# kubelet_start [KEY: VALUE...]: without the delays of a node: no rate limit for events and pulls, restarts after 4 s at most.
kubelet_start() {
	RUNTIME=unix://$SOCKET "$ROOT/scripts/kubelet" "$T/kubelet" "cgroupRoot: $ROOT_GROUP" "resolvConf: $T/resolv.conf" \
		'registryPullQPS: 0' 'eventRecordQPS: 0' 'makeIPTablesUtilChains: false' 'syncFrequency: 1s' 'fileCheckFrequency: 2s' \
		'crashLoopBackOff: {maxContainerRestartPeriod: 4s}' \
		'imageGCHighThresholdPercent: 100' 'evictionHard: {memory.available: 1Mi}' \
		"$@" -- --hostname-override node --node-ip 198.51.100.1 --v "${V:-2}" >>"$T/kubelet.log" 2>&1 &
	KUBELET=$!
	until_ok 60 kubelet_settled
	pods >/dev/null || { fail 'the kubelet answers' "$(tail -5 "$T/kubelet.log")"; return 1; }
}
kubelet_settled() { pods || ! kill -0 "$KUBELET"; } # or it has exited: it refuses its configuration
kubelet_stop() { [ -z "$KUBELET" ] || { kill "$KUBELET"; wait "$KUBELET" 2>/dev/null; KUBELET=; }; }

# pods: the kubelet's page /pods. pod NAME FILTER: the jq FILTER on one pod of it.
pods() { curl -sf --noproxy '*' http://127.0.0.1:10255/pods; }
pod() { pods | jq -r --arg name "$1-node" ".items[] | select(.metadata.name == \$name) | $2"; }

# run NAME...: starts the pods. end NAME...: removes their manifests. settled NAME...: waits until each "until" is true.
run() {
	local n
	for n; do cp "$HERE/manifests/$n.yaml" "$T/kubelet/.$n" && mv "$T/kubelet/.$n" "$T/kubelet/manifests/$n.yaml"; done
}
end() { for n; do rm "$T/kubelet/manifests/$n.yaml"; done; }
settled() {
	local n
	waiting=" $* "
	until_ok "${PATIENCE_S:-90}" keep
	for n; do
		if [[ $waiting != *" $n "* ]]; then pass "$n: $(pod "$n" '.metadata.annotations.until')"
		else fail "$n comes to its end" "$(pod "$n" '.metadata.annotations.until, .status.phase, .status.containerStatuses')"; fi
	done
}
# One look at all that have not settled yet.
keep() {
	local n
	if pods >"$T/pods.json"; then
		for n in $waiting; do
			jq -e --arg name "$n-node" '.items[] | select(.metadata.name == $name)' "$T/pods.json" >"$T/pod.json" &&
				jq -e "$(jq -r .metadata.annotations.until "$T/pod.json")" "$T/pod.json" >/dev/null || continue
			mv "$T/pod.json" "$KEPT/$n.json"
			waiting=${waiting/ $n / }
		done
	fi
	[ -z "${waiting// /}" ] || { sleep 0.1; return 1; }
}
# ended NAME...: their sandboxes are stopped. /pods cannot tell: it drops a pod with its manifest, before the grace time is over.
ended() { local n; for n; do [ -z "$($CRICTL pods -q --state ready --name "^$n-node\$")" ] || return 1; done; }
no_process() { ! ps -eo args | grep -qxF "$1"; }

# log NAME CONTAINER [QUERY], in_pod NAME CONTAINER WORD...: through the kubelet, which splits the words at blanks.
log() { curl -sk --noproxy '*' -m 20 "$API/containerLogs/default/$1-node/$2?${3-}"; }
in_pod() { local n=$1 c=$2; shift 2; curl -sk -X POST -G --noproxy '*' -m 20 --data-urlencode "cmd=$*" "$API/run/default/$n-node/$c"; }
container_id() { pod "$1" ".status.containerStatuses[] | select(.name == \"$2\").containerID" | sed 's|.*://||'; }

# metrics: saves cAdvisor's page in $T/metrics. series FAMILY POD [CONTAINER]: prints its last line of that kind, whose last word is
# a time in ms. has: the newest page has such a line.
metrics() { curl -s --noproxy '*' -m 20 http://127.0.0.1:10255/metrics/cadvisor >"$T/metrics"; }
series() { grep -E "^$1\{.*container=\"${3-}\".*pod=\"$2-node\"" "$T/metrics" | tail -1; }
has() { metrics; [ -n "$(series "$@")" ] || { sleep 0.5; return 1; }; }

# The kubelet stops sandboxes at once, and removes them in its garbage collection, once a minute.
gone() { [ "$(pods | jq '.items | length')" = 0 ] && [ -z "$($CRICTL pods -q --state ready)" ]; }

# node_stop: ends the pods, the kubelet and the runtime, and checks for leftovers. Ends the test.
node_stop() {
	rm -f "$T"/kubelet/manifests/*
	if until_ok 90 gone; then pass 'all pods go with their manifests'; else fail 'all pods go with their manifests' "$($CRICTL pods)"; fi
	kubelet_stop
	umount "$T/kubelet/root" # the kubelet's bind mount
	[ "$tap_bad" = 0 ] || grep -E '^[EF][0-9].*(runtime|pod_workers|file)' "$T/kubelet.log" | tail -${SHOW:-5} | cut -c1-300 | sed 's/^/# kubelet: /'
	# The kubelet's own groups for classes of pods.
	[ "$CGROUP_DRIVER" != systemd ] || systemctl stop "${ROOT_GROUP#/}-kubepods.slice"
	find /sys/fs/cgroup -depth -type d -path "*$CGROUP/*kubepods*" -exec rmdir {} + 2>/dev/null
	[ "$RUNTIME" = crisp ] && crisp_clean
	for p in $($CRICTL pods -q); do $CRICTL rmp -f "$p" >/dev/null 2>&1; done
	for p in ${PEERS-}; do kill "$p" && wait "$p" 2>/dev/null; done
	tap_end
	exit
}
