# stats.t - statistics and metrics against the cgroup files and the pod's own /proc/net/dev; every list as a stream.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

crisp_up
pod=$($CRICTL runp "$(pod_json p '"labels":{"app":"p"}')")
# The container takes 20 MiB of memory, writes a file to the writable layer, and sleeps.
ctr=$($CRICTL create "$pod" "$(ctr_json c 'dd if=/dev/zero of=/file bs=1M count=3 2>/dev/null; exec awk "BEGIN { s = sprintf(\"%20971520s\", \"\"); print \"ready\"; fflush(); while (1) system(\"sleep 1000\") }"' \
	'"labels":{"app":"c"},"annotations":{"a":"b"},"linux":{"resources":{"memory_limit_in_bytes":104857600}}')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
ok 'it rests' until_ok 10 grep -q ready "$T/logs/c.log"
cgroup=$($CRICTL inspect "$ctr" | jq -r .info.cgroup) pid=$($CRICTL inspect "$ctr" | jq -r .info.pid)

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	G=/sys/fs/cgroup$cgroup
	cpu_ns() { awk '/^usage_usec/ { print $2 * 1000 }' "$G/cpu.stat"; }
	usage() { cat "$G/memory.current"; }
	of_stat() { awk -v k="$1" '$1 == k { print $2 }' "$G/memory.stat"; }
	rss() { of_stat anon; }; inactive() { of_stat inactive_file; }; faults() { of_stat pgfault; }
else
	G=/sys/fs/cgroup/memory$cgroup
	cpu_ns() { cat "/sys/fs/cgroup/cpuacct$cgroup/cpuacct.usage"; }
	usage() { cat "$G/memory.usage_in_bytes"; }
	of_stat() { awk -v k="$1" '$1 == k { print $2 }' "$G/memory.stat"; }
	rss() { of_stat total_rss; }; inactive() { of_stat total_inactive_file; }; faults() { of_stat total_pgfault; }
fi
near() { # WORDS GOT WANT SLACK
	local d=$(($2 - $3))
	if [ "${d#-}" -le "$4" ]; then pass "$1"; else fail "$1" "got $2, want $3, more than $4 apart"; fi
}
get() { $CRICTL stats --id "$ctr" -o json | jq -r ".stats[0] | $1"; }
M=$((1 << 20))

near 'usage is the cgroup'\''s' "$(get .memory.usageBytes.value)" "$(usage)" $((2 * M))
near 'working set is usage without inactive file pages' "$(get .memory.workingSetBytes.value)" $(($(usage) - $(inactive))) $((2 * M))
ok 'there are inactive file pages' test "$(inactive)" -gt "$M"
near 'rss is anonymous memory' "$(get .memory.rssBytes.value)" "$(rss)" "$M"
ok 'of 20 MiB at least' test "$(get .memory.rssBytes.value)" -gt $((20 * M))
near 'faults' "$(get .memory.pageFaults.value)" "$(faults)" 1000
is 'available is what the limit leaves' "$(get '(.memory.availableBytes.value | tonumber) + (.memory.workingSetBytes.value | tonumber)')" $((100 * M))
near 'cpu is the cgroup'\''s' "$(get .cpu.usageCoreNanoSeconds.value)" "$(cpu_ns)" 50000000
is 'nothing is swapped out' "$(get .swap.swapUsageBytes.value)" 0
is 'who it is' "$(get '[.attributes.id, .attributes.metadata.name, .attributes.labels.app, .attributes.annotations.a] | join(" ")')" "$ctr c c b"
measured() { [ "$(get .writableLayer.usedBytes.value)" != null ]; }
ok 'the writable layer is measured' until_ok 15 measured
near 'it holds the file' "$(get .writableLayer.usedBytes.value)" $((3 * M)) 65536
is 'on the images'\'' file system' "$(get .writableLayer.fsId.mountpoint)" "$T/root"
rated() { [ "$(get .cpu.usageNanoCores.value)" != null ]; }
ok 'a rate, once there were two readings' until_ok 5 rated

# ---- the pod ----
pstat() { $CRICTL statsp --id "$pod" -o json | jq -r ".stats[0] | $1"; }
net() { awk -v c="$1" '$1 == "eth0:" { print $c }' "/proc/$pid/net/dev"; }
ok 'traffic' $CRICTL exec -s "$ctr" busybox ping -c 1 -s 1000 10.200.0.1
# The network sends packets now and then (ARP); between two packets both numbers are equal.
received() { [ "$(pstat .linux.network.defaultInterface.rxBytes.value)" = "$(net 2)" ]; }
sent() { [ "$(pstat .linux.network.defaultInterface.txBytes.value)" = "$(net 10)" ]; }
ok 'received' until_ok 10 received
ok 'sent' until_ok 10 sent
is 'by eth0, and no lo' "$(pstat .linux.network.defaultInterface.name) $(pstat '.linux.network.interfaces | length')" 'eth0 0'
is 'our own network is the node'\''s still' "$(readlink "/proc/$(crispd_pid)/ns/net")" "$(readlink /proc/self/ns/net)"
is 'processes' "$(pstat .linux.process.processCount.value)" "$(cat /sys/fs/cgroup/{pids,}"$cgroup"/cgroup.procs 2>/dev/null | wc -l)"
is 'its containers' "$(pstat '.linux.containers | map(.attributes.id) | join(" ")')" "$ctr"
near 'memory of all' "$(pstat .linux.memory.usageBytes.value)" "$(usage)" $((3 * M))

# ---- metrics ----
rpc ListMetricDescriptors
descriptors=$(grep -c '^descriptors' <<<"$answer")
described=$(sed -n 's/^  name: "\(.*\)"/\1/p' <<<"$answer" | sort)
ok 'descriptors' test "$descriptors" -ge 45
is 'each name once' "$(uniq -d <<<"$described")" ''
like 'crictl metricsp' "$($CRICTL metricsp 2>&1)" container_memory_working_set_bytes
like 'crictl metricdescs' "$($CRICTL metricdescs 2>&1)" container_cpu_usage_seconds_total
like 'crictl stats' "$($CRICTL stats 2>&1)" "^${ctr:0:13} +c "
like 'crictl statsp' "$($CRICTL statsp 2>&1)" "${pod:0:13}"
rpc ListPodSandboxMetrics
is 'metrics' "$code" OK
used=$(sed -n 's/^ *name: "\(container_.*\)"/\1/p' <<<"$answer" | sort -u)
is 'every one is described' "$(comm -23 <(echo "$used") <(echo "$described"))" ''
ok 'most are there' test "$(wc -l <<<"$used")" -ge 30
value() { # NAME: its first value
	awk -v n="\"container_$1\"" '$1 == "name:" { on = $2 == n } on && $1 == "value:" { print $2; exit }' <<<"$answer"
}
near 'working set' "$(value memory_working_set_bytes)" $(($(usage) - $(inactive))) $((2 * M))
near 'received' "$(value network_receive_bytes_total)" "$(net 2)" 5000
is 'the limit' "$(value spec_memory_limit_bytes)" $((100 * M))
is 'open files' "$(value file_descriptors)" "$(for p in $(cat /sys/fs/cgroup/{pids,}"$cgroup"/cgroup.procs 2>/dev/null); do ls "/proc/$p/fd"; done | wc -l)"
labels=$(awk '/container_memory_rss/ { on = 1 } on && /label_values/ { print $2 } on && /value: / { exit }' <<<"$answer" | tr -d '"' | tr '\n' ' ')
is 'labels' "$labels" "c $ctr $REGISTRY/busybox:latest default p "

# ---- streams ----
for n in 1 2 3; do
	id=$($CRICTL create "$pod" "$(ctr_json "more-$n" 'sleep 1000')" "$T/p.pod.json")
	$CRICTL start "$id" >/dev/null
done
# stream METHOD: the number of messages is in $batches, the answer of all in $answer.
stream() {
	local types all off=0 size len
	types=$(sed -nE "s/^[[:space:]]*rpc $1\(([a-zA-Z]+)\) returns \((stream )?([a-zA-Z]+)\).*/\3/p" "$CRI")
	rpc "$1" "${2-}"
	size=$(stat -c %s "$T/rpc.body") batches=0 all=
	while [ "$off" -lt "$size" ]; do
		len=$((16#$(tail -c +$((off + 2)) "$T/rpc.body" | head -c 4 | od -An -tx1 | tr -d ' ')))
		all+=$(tail -c +$((off + 6)) "$T/rpc.body" | head -c "$len" | protoc -I"${CRI%/*}" --decode="runtime.v1.$types" "$CRI")$'\n'
		off=$((off + 5 + len)) batches=$((batches + 1))
	done
	answer=$all
}
ids() { sed -n 's/^ *id: "\([0-9a-f]\{64\}\)"/\1/p' <<<"$answer" | sort; }
stream StreamContainers
is 'containers as a stream' "$code $(ids)" "OK $($CRICTL ps -aq --no-trunc | sort)"
stream StreamContainers "filter { id: \"$ctr\" }"
is 'filtered' "$code $(ids)" "OK $ctr"
stream StreamContainers 'filter { id: "none" }'
is 'none: the end and nothing else' "$code $batches" 'OK 0'
stream StreamPodSandboxes
is 'pods as a stream' "$code $(ids)" "OK $pod"
stream StreamContainerStats
is 'statistics as a stream' "$code $(ids)" "OK $($CRICTL ps -q --no-trunc | sort)"
stream StreamContainerStats "filter { label_selector { key: \"app\" value: \"c\" } }"
is 'filtered by label' "$code $(ids)" "OK $ctr"
stream StreamPodSandboxStats
like 'statistics of pods as a stream' "$code $(ids)" "$pod"
stream StreamPodSandboxMetrics
is 'metrics as a stream' "$code $(grep -c '^pod_sandbox_metrics' <<<"$answer")" 'OK 1'
stream StreamImages
is 'images as a stream' "$code $(grep -c '^images' <<<"$answer")" 'OK 1'

# ---- objects that do not exist ----
rpc ContainerStats 'container_id: "none"';   is 'an unknown container' "$code" NOT_FOUND
rpc ContainerStats '';                       is 'no container' "$code" INVALID_ARGUMENT
rpc PodSandboxStats 'pod_sandbox_id: "none"'; is 'an unknown pod' "$code" NOT_FOUND
rpc ListContainerStats 'filter { id: "none" }'; is 'a list of none' "$code $answer" 'OK '
$CRICTL stop -t 0 "$ctr" >/dev/null
rpc ContainerStats "container_id: \"$ctr\""
is 'one that has ended has no numbers' "$code $(grep -c 'cpu {' <<<"$answer")" 'OK 0'
rpc ListContainerStats "filter { id: \"$ctr\" }"
is 'and is in no list' "$code $answer" 'OK '

crisp_clean
