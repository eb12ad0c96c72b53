# update.t - UpdateContainerResources with every runtime: kernel, status and stored spec change together or not at all.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

crisp_up

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	file() { cat "/sys/fs/cgroup$($CRICTL inspect "$1" | jq -r .info.cgroup)/$2"; }
	shares() { file "$1" cpu.weight; }
	quota() { file "$1" cpu.max | cut -d' ' -f1; }
	memory() { file "$1" memory.max; }
	both() { local s; s=$(file "$1" memory.swap.max); echo $((s + $(memory "$1"))); }
	cpus() { file "$1" cpuset.cpus; }
	# A runtime before runc 1.3.2 and crun 1.23 has a straight line, and is told shares; natively the weight is ours, as of a pod's group.
	weight_of() {
		if [ "$h" = native ]; then
			awk -v s="$1" 'BEGIN { l = log(s) / log(2); w = 10 ^ ((l * l + 125 * l) / 612 - 7 / 34); print (w > int(w)) ? int(w) + 1 : int(w) }'
		else
			echo $((1 + ($1 - 2) * 9999 / 262142))
		fi
	}
else
	file() { cat "/sys/fs/cgroup/$2$($CRICTL inspect "$1" | jq -r .info.cgroup)/$3"; }
	shares() { file "$1" cpu cpu.shares; }
	quota() { file "$1" cpu cpu.cfs_quota_us; }
	memory() { file "$1" memory memory.limit_in_bytes; }
	both() { file "$1" memory memory.memsw.limit_in_bytes; }
	cpus() { file "$1" cpuset cpuset.cpus; }
	weight_of() { echo "$1"; }
fi
M=$((1 << 20))
status() { $CRICTL inspect "$1" | jq -c "[.status.resources.linux | $2]"; }
spec() { jq -c "[.linux.resources | $2]" "$($CRICTL inspect "$1" | jq -r .info.bundle)/config.json"; }
update() { local id=$1; shift; rpc UpdateContainerResources "container_id: \"$id\" linux { $* }"; }

try() { # HANDLER
	local h=$1 pod ctr
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h")")
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$h" 'sleep 1000' '"linux":{"resources":{"cpu_shares":200,"memory_limit_in_bytes":67108864}}')" "$T/p-$h.pod.json")

	update "$ctr" cpu_shares: 300
	is "$h: a created one takes new limits" "$code" OK
	is "$h: its status shows them, the rest as it was" "$(status "$ctr" '.cpuShares, .memoryLimitInBytes')" '["300","67108864"]'
	is "$h: and so does its spec" "$(spec "$ctr" '.cpu.shares, .memory.limit')" '[300,67108864]'
	ok "$h: it starts" $CRICTL start "$ctr"
	is "$h: with them" "$(shares "$ctr") $(memory "$ctr")" "$(weight_of 300) $((64 * M))"

	update "$ctr" cpu_shares: 512 cpu_period: 100000 cpu_quota: 50000 cpuset_cpus: '"0"'
	is "$h: a running one takes cpu limits" "$code $message" 'OK '
	is "$h: the kernel has them" "$(shares "$ctr") $(quota "$ctr") $(cpus "$ctr")" "$(weight_of 512) 50000 0"
	was=$(quota "$ctr")
	update "$ctr" cpu_quota: -1
	is "$h: a quota is lifted" "$code $was $(quota "$ctr" | tr -d - | sed 's/max/1/')" 'OK 50000 1'
	update "$ctr" cpu_quota: 50000
	is "$h: the status too" "$(status "$ctr" '.cpuShares, .cpuQuota, .cpusetCpus')" '["512","50000","0"]'
	is "$h: memory was left alone" "$(memory "$ctr")" $((64 * M))

	ok "$h: crictl update" $CRICTL update --cpu-share 513 "$ctr"
	is "$h: as well" "$(shares "$ctr")" "$(weight_of 513)"
	is "$h: the quota was left alone" "$(quota "$ctr") $(status "$ctr" .cpuQuota)" '50000 ["50000"]'
	$CRICTL update --cpu-share 512 "$ctr" >/dev/null
	update "$ctr" memory_limit_in_bytes: $((128 * M))
	is "$h: memory is raised" "$code $message $(memory "$ctr")" "OK  $((128 * M))"
	is "$h: and the sum with swap" "$(both "$ctr")" $((128 * M))
	update "$ctr" memory_limit_in_bytes: $((32 * M))
	is "$h: memory is lowered" "$code $message $(memory "$ctr") $(both "$ctr")" "OK  $((32 * M)) $((32 * M))"
	update "$ctr" memory_limit_in_bytes: $((96 * M)) memory_swap_limit_in_bytes: $((160 * M))
	is "$h: both are raised" "$code $message $(memory "$ctr") $(both "$ctr")" "OK  $((96 * M)) $((160 * M))"
	update "$ctr" memory_limit_in_bytes: $((48 * M)) memory_swap_limit_in_bytes: $((64 * M))
	is "$h: both are lowered" "$code $message $(memory "$ctr") $(both "$ctr")" "OK  $((48 * M)) $((64 * M))"

	update "$ctr" cpu_shares: 600 cpuset_cpus: '"4000"'
	notok "$h: processors that do not exist are refused" [ "$code" = OK ]
	is "$h: nothing of it stays" "$(shares "$ctr") $(cpus "$ctr") $(status "$ctr" '.cpuShares, .cpusetCpus') $(spec "$ctr" .cpu.shares)" \
		"$(weight_of 512) 0 [\"512\",\"0\"] [512]"
	update "$ctr" memory_limit_in_bytes: $((100 * M))
	is "$h: memory above the sum" "$code" INVALID_ARGUMENT
	is "$h: is left" "$(memory "$ctr")" $((48 * M))

	kill -9 "$(crispd_pid)"
	ok "$h: crispd is back" until_ok 10 crisp_ready
	is "$h: the status after a crash" "$(status "$ctr" '.cpuShares, .memoryLimitInBytes')" "[\"512\",\"$((48 * M))\"]"

	$CRICTL stop -t 0 "$ctr" >/dev/null
	update "$ctr" cpu_shares: 700
	is "$h: one that has ended takes them on paper" "$code $(status "$ctr" .cpuShares)" 'OK ["700"]'
}
try runc
try crun
try native

ctr=$($CRICTL ps -aq | head -1)
update "$ctr" 'cpu_shares: -1';             is 'negative shares' "$code" INVALID_ARGUMENT
update "$ctr" 'cpu_quota: -2';              is 'a negative quota but -1' "$code" INVALID_ARGUMENT
update "$ctr" 'cpu_period: 10';             is 'a period that no kernel takes' "$code" INVALID_ARGUMENT
update "$ctr" 'memory_limit_in_bytes: -5';  is 'negative memory' "$code" INVALID_ARGUMENT
update "$ctr" 'cpuset_cpus: "all of them"'; is 'a cpuset in words' "$code" INVALID_ARGUMENT
update nothing 'cpu_shares: 5';             is 'an unknown container' "$code" NOT_FOUND
update '' 'cpu_shares: 5';                  is 'no container' "$code" INVALID_ARGUMENT
rpc UpdateContainerResources "container_id: \"$ctr\""; is 'nothing to change' "$code" OK

pod=$($CRICTL runp "$(pod_json p-own '"linux":{"security_context":{"namespace_options":{"pid":1}},"resources":{"memory_limit_in_bytes":268435456}}')")
own() { $CRICTL inspectp "$pod" | jq -r ".info.$1"; }
pod_memory() { cat /sys/fs/cgroup/memory"$(own cgroup)"/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup"$(own cgroup)"/memory.max; }
is 'a pod without a parent cgroup has its limits' "$(pod_memory)" 268435456
rpc UpdatePodSandboxResources "pod_sandbox_id: \"$pod\" resources { memory_limit_in_bytes: 134217728 cpu_shares: 100 } overhead { cpu_shares: 7 }"
is 'they are changed' "$code $(pod_memory)" 'OK 134217728'
is 'and shown' "$(own 'config | [.resources.memory_limit, .overhead.cpu_shares] | tostring')" '[134217728,7]'
rpc UpdatePodSandboxResources 'pod_sandbox_id: "nothing"'; is 'an unknown pod' "$code" NOT_FOUND
rpc UpdatePodSandboxResources "pod_sandbox_id: \"$pod\" resources { cpu_shares: -1 }"; is 'a negative limit' "$code" INVALID_ARGUMENT

crisp_clean
