# gate.t - the kubelet's gate PodAndContainerStatsFromCRI: the same families, by CRI instead of cAdvisor.

. "$(dirname "$0")/node.sh"

PODS='first ports hostnet limits'
node_start 'featureGates: {PodAndContainerStatsFromCRI: true}'
run $PODS
settled $PODS
ok 'cpu of a container' until_ok 60 has container_cpu_usage_seconds_total limits main
ok 'files of a container' until_ok 60 has container_fs_usage_bytes limits main
ok 'network of a pod' until_ok 60 has container_network_receive_bytes_total ports
cp "$T/metrics" "$KEPT/cri"
# A rate needs two samples, and the size of a writable layer is measured only after the first request.
complete() {
	curl -s --noproxy '*' -m 20 http://127.0.0.1:10255/stats/summary >"$T/summary.json"
	jq -e '[.pods[].containers[] | select(.cpu.usageNanoCores != null and .rootfs.usedBytes != null)] | length == 4' "$T/summary.json" || { sleep 0.5; return 1; }
}
ok 'the summary has cpu and files of all four containers' until_ok 60 complete
cp "$T/summary.json" "$KEPT/cri-summary.json"
is 'the summary has every pod' "$(jq -r '[.pods[].podRef.name] | sort | join(" ")' "$KEPT/cri-summary.json")" 'first-node hostnet-node limits-node ports-node'
node_stop
