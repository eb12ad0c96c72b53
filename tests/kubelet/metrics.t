# metrics.t - cAdvisor's series in the kubelet have the names of pods, containers and images; also those of the network.

. "$(dirname "$0")/node.sh"

summary() { curl -s --noproxy '*' -m 20 http://127.0.0.1:10255/stats/summary >"$T/summary.json"; }
newer() { metrics; [ "$(series container_network_receive_bytes_total "$1" | awk '{print $NF}')" -gt "$2" ] || { sleep 0.5; return 1; }; }

PODS='first talks ports hostnet shared limits inits'
node_start
run $PODS
settled $PODS
for p in first talks ports shared limits inits; do
	ok "$p: network series" until_ok 60 has container_network_receive_bytes_total $p
done
for pc in first/main talks/main talks/echoes talks/listens ports/web hostnet/web shared/first shared/second limits/main inits/main inits/sidecar; do
	ok "$pc: series" until_ok 60 has container_cpu_usage_seconds_total ${pc/\// }
done
like 'with the image' "$(series container_memory_working_set_bytes first main)" 'image="127.0.0.1:5000/busybox:1"'

# cAdvisor looks every 10 to 15 s: the page is complete when it has not changed for longer than that.
steady() { # COMMAND...: waits until its output has been the same for 20 s
	local now
	now=$("$@")
	[ "$now" = "$last" ] || { last=$now since=$SECONDS; }
	[ $((SECONDS - since)) -ge 20 ] || { sleep 1; return 1; }
}
last='' since=$SECONDS
shapes() { metrics; summary; "$HERE/series" "$T/metrics"; jq -f "$HERE/summary.jq" "$T/summary.json"; }
ok 'no more series and no more figures come' until_ok 90 steady shapes
cp "$T/metrics" "$KEPT/cadvisor"
cp "$T/summary.json" "$KEPT/summary.json"
networks=$(jq -c '[(.pods | length), ([.pods[].network.rxBytes | select(. != null)] | length)]' "$T/summary.json")
is 'the summary has every pod, and the network of those that have their own' "$networks" '[7,6]'
[ "$networks" = '[7,6]' ] || grep '^container_network_receive_bytes_total' "$T/metrics" | sed 's/^/# /'
is 'and cpu, memory and files of every container' \
	"$(jq '[.pods[].containers[] | select(.cpu.usageCoreNanoSeconds and .memory.workingSetBytes and .rootfs.usedBytes and .logs)] | length' "$T/summary.json")" 11

# The process by which cAdvisor found the pod's network ends: the series go on with the next process.
pid=$($CRICTL inspect "$(container_id first main)" | jq .info.pid)
kill -9 "$pid"
again() { [ "$(pod first '.status.containerStatuses[0] | "\(.restartCount) \(.ready)"')" = '1 true' ]; }
ok 'the only container of a pod dies and is started again' until_ok 30 again
ok 'the network series of its pod go on' until_ok 90 newer first $(($(date +%s%3N)))
node_stop
