# resources.t - limits are written to the cgroups; a container over its memory limit ends as OOMKilled.

. "$(dirname "$0")/node.sh"

# control NAME CONTAINER FILE: prints FILE of the container's group, in the hierarchy of its controller.
control() { cat "$(find /sys/fs/cgroup -path "*$CGROUP/*$(container_id "$1" "$2")*/$3" | head -1)"; }

node_start
run limits oom
settled limits oom
is 'the pod is burstable' "$(pod limits .status.qosClass)" Burstable
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	is 'memory' "$(control limits main memory.max)" $((64 << 20))
	is 'cpu' "$(control limits main cpu.max)" '50000 100000'
else
	is 'memory' "$(control limits main memory.limit_in_bytes)" $((64 << 20))
	is 'cpu' "$(control limits main cpu.cfs_quota_us) of $(control limits main cpu.cfs_period_us), $(control limits main cpu.shares) shares" \
		'50000 of 100000, 102 shares'
fi
is 'the status has them' "$(pod limits '.status.containerStatuses[0].resources | "\(.limits.memory) \(.limits.cpu) \(.requests.cpu)"')" '64Mi 500m 100m'
is 'too much memory' "$(pod oom '.status.containerStatuses[] | select(.name == "hungry").state.terminated | "\(.exitCode) \(.reason)"')" '137 OOMKilled'
is 'its neighbour runs' "$(pod oom '.status.containerStatuses[] | select(.name == "neighbour").ready')" true
node_stop
