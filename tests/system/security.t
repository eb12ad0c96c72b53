# security.t - security context and resources, as seen in the container and by the kernel, with every runtime.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
mkdir -p "$T/bin"
crisp_config
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
# An image with users: alice is 1000:1000 and, by the image's etc/group, in the groups 3000 and 3001.
jq '[.[0] | .repo = "users" | .config.User = "bob:staff" | .layers += [{entries: [
	{path: "etc", type: "dir"}, {path: "etc/passwd", data: "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"},
	{path: "etc/group", data: "root:x:0:\nstaff:x:2000:\nmore:x:3000:alice\nmost:x:3001:bob,alice\n"},
	{path: "volume", type: "dir"}, {path: "volume/sub", type: "dir"}, {path: "volume/sub/f", data: "of the image"}]}]]' "$ROOT/tests/images/busybox.json" |
	"$IMAGE" --registry "$REGISTRY" - >/dev/null
$CRICTL pull "$REGISTRY/users" >/dev/null || exit 1
USERS="\"image\":{\"image\":\"$REGISTRY/users:latest\"}"
n=0
# start EXTRA [IMAGE]: a container in $pod; run WORD...: in it.
start() {
	n=$((n + 1))
	ctr=$($CRICTL create "$pod" "$(ctr_json "c$n" 'exec sleep 1000' "$1")" "$T/p-$h.pod.json" 2>"$T/create.err") && out=$($CRICTL start "$ctr" 2>&1) || { fail "$h: start $1" "$(cat "$T/create.err") ${out-}"; return 1; }
}
stop() { $CRICTL rm -f "$ctr" >/dev/null 2>&1; }
run() { $CRICTL exec -s "$ctr" "$@" 2>&1; }
sh_() { run sh -c "$1" | head -c -1; }
words() { sh_ "$1" | tr -s ' \t\n' ' ' | sed 's/ $//'; }
status() { sh_ "grep ^$1: /proc/1/status" | awk '{ $1 = ""; print substr($0, 2) }'; }
ctx() { echo "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":1},$1}}"; }
mount_shared() { mountpoint -q "$T/shared" || { mkdir -p "$T/shared" && mount -t tmpfs tmpfs "$T/shared" && mount --make-shared "$T/shared"; }; }
DEFAULT=00000000a80425fb

handler() {
	h=$1
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h" '"linux":{"security_context":{"namespace_options":{"pid":1}},"sysctls":{"net.ipv4.ip_local_port_range":"2000 3000","kernel.shmmax":"12345"}}')" 2>/dev/null)

	start "$(ctx '"seccomp":{"profile_type":0}')"
	is "$h: the default capabilities" "$(status CapBnd) $(status CapEff) $(status CapInh) $(status CapAmb)" "$DEFAULT $DEFAULT 0000000000000000 0000000000000000"
	is "$h: seccomp, and no new_privs" "$(status Seccomp) $(status NoNewPrivs)" '2 0'
	is "$h: a call that the default profile refuses" "$(sh_ 'unshare -m true 2>&1 | grep -o "not permitted"')" 'not permitted'
	is "$h: nobody asked: oom_score_adj" "$(sh_ 'cat /proc/1/oom_score_adj')" 0
	is "$h: the host's file limit, not the daemon's" "$(sh_ 'grep "open files" /proc/1/limits' | awk '{ print $4 }')" "$(ulimit -n)"
	is "$h: sysctls of the pod" "$(words 'cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shmmax')" '2000 3000 12345'
	is "$h: the default ones" "$(sh_ 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start')" 0
	is "$h: pid 1 is its own" "$(sh_ 'cat /proc/1/comm')" sleep
	stop
	start "$(ctx '"capabilities":{"add_capabilities":["SYS_TIME","CAP_NET_ADMIN"],"drop_capabilities":["ALL"]},"no_new_privs":true,"seccomp":{"profile_type":1}')"
	is "$h: ALL dropped, two added" "$(status CapBnd)" 0000000002001000
	is "$h: no_new_privs, unconfined" "$(status NoNewPrivs) $(status Seccomp)" '1 0'
	stop
	start "$(ctx '"capabilities":{"add_ambient_capabilities":["NET_BIND_SERVICE"]},"run_as_user":{"value":1000}')"
	is "$h: ambient for a user" "$(status CapAmb) $(status CapEff)" '0000000000000400 0000000000000400'
	stop

	start "$(ctx '"masked_paths":["/proc/keys","/proc/not-there"],"readonly_paths":["/proc/sys"],"readonly_rootfs":true')"
	is "$h: masked paths are empty, missing ones no error" "$(sh_ 'wc -c </proc/keys')" 0
	like "$h: read-only paths" "$(sh_ 'echo 1 >/proc/sys/net/ipv4/ip_forward')" 'Read-only'
	like "$h: a read-only root" "$(sh_ 'touch /x')" 'Read-only'
	stop

	# Users and groups.
	start "$USERS,$(ctx '"run_as_username":"alice","supplemental_groups":[5000]')"
	is "$h: by name, groups of the image and the pod's" "$(words 'id -u; id -g; id -G')" '1000 1000 1000 3000 3001 5000'
	is "$h: the status says so" "$($CRICTL inspect "$ctr" | jq -c '.status.user.linux | [.uid, .gid, .supplementalGroups]')" '["1000","1000",["1000","3000","3001","5000"]]'
	stop
	start "$USERS,$(ctx '"run_as_user":{"value":1000},"run_as_group":{"value":7},"supplemental_groups":[5000],"supplemental_groups_policy":1')"
	is "$h: strictly those" "$(words 'id -u; id -g; id -G')" '1000 7 7 5000'
	stop
	start "$USERS"
	is "$h: the image's user and group" "$(words 'id -u; id -g; id -G')" '1001 2000 2000 3001'
	stop

	# Seccomp from a file.
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$T/no-mkdir.json"
	start "$(ctx "\"seccomp\":{\"profile_type\":2,\"localhost_ref\":\"$T/no-mkdir.json\"}")"
	like "$h: a profile of the node" "$(sh_ 'mkdir /tmp/x')" 'not permitted'
	is "$h: forbids just that" "$(sh_ 'touch /tmp/y && echo ok')" ok
	stop

	# Resources.
	start '"linux":{"security_context":{"namespace_options":{"pid":1}},"resources":{"oom_score_adj":777,"cpuset_cpus":"0","cpu_shares":512,"cpu_quota":50000,"cpu_period":100000,"memory_limit_in_bytes":67108864,"hugepage_limits":[{"page_size":"2MB","limit":0}]}}'
	is "$h: oom_score_adj" "$(sh_ 'cat /proc/1/oom_score_adj')" 777
	is "$h: cpuset" "$(status Cpus_allowed_list)" 0
	is "$h: the status has them" "$($CRICTL inspect "$ctr" | jq -c '.status.resources.linux | [.cpuShares, .cpuQuota, .cpuPeriod, .memoryLimitInBytes, .cpusetCpus, .oomScoreAdj]')" \
		'["512","50000","100000","67108864","0","777"]'
	local cg; cg=$($CRICTL inspect "$ctr" | jq -r .info.cgroup)
	is "$h: no swap beside its memory" "$(cat /sys/fs/cgroup/memory"$cg"/memory.memsw.limit_in_bytes 2>/dev/null || sed s/0/67108864/ /sys/fs/cgroup"$cg"/memory.swap.max)" 67108864
	is "$h: huge pages" "$(cat /sys/fs/cgroup/hugetlb"$cg"/hugetlb.2MB.limit_in_bytes /sys/fs/cgroup/{,unified}"$cg"/hugetlb.2MB.max 2>/dev/null | head -1)" \
		"$([ -n "$(find /sys/fs/cgroup -maxdepth 2 -name 'hugetlb.2MB.*' 2>/dev/null | head -1)" ] && echo 0)"
	stop

	# Devices.
	[ -e "$T/fuse" ] || mknod "$T/fuse" c 10 229
	start "\"devices\":[{\"container_path\":\"/dev/mine\",\"host_path\":\"$T/fuse\",\"permissions\":\"r\"}]"
	unlike "$h: a device to read" "$(sh_ ': </dev/mine')" 'not permitted'
	like "$h: not to write" "$(sh_ ': >/dev/mine')" 'not permitted'
	stop

	# Mounts.
	mount_shared
	mkdir -p "$T/shared/$h" "$T/deep/$h/below" "$T/plain-$h"
	mount -t tmpfs tmpfs "$T/deep/$h/below"
	start "\"mounts\":[{\"container_path\":\"/both\",\"host_path\":\"$T/shared/$h\",\"propagation\":2},{\"container_path\":\"/in\",\"host_path\":\"$T/shared/$h\",\"propagation\":1},
		{\"container_path\":\"/none\",\"host_path\":\"$T/shared/$h\"},{\"container_path\":\"/ro\",\"host_path\":\"$T/deep/$h\",\"readonly\":true},
		{\"container_path\":\"/rro\",\"host_path\":\"$T/deep/$h\",\"readonly\":true,\"recursive_read_only\":true},
		{\"container_path\":\"/image\",\"image\":{\"image\":\"$REGISTRY/users:latest\"},\"image_sub_path\":\"volume/sub\"}],$(ctx '"capabilities":{"add_capabilities":["SYS_ADMIN"]},"seccomp":{"profile_type":1}')"
	mkdir "$T/shared/$h/later"; mount -t tmpfs tmpfs "$T/shared/$h/later"; touch "$T/shared/$h/later/f"
	is "$h: a mount of the node comes where it is wanted" "$(words 'ls /both/later /in/later /none/later')" '/both/later: f /in/later: f /none/later:'
	umount "$T/shared/$h/later"
	sh_ 'mkdir -p /both/m /in/m; mount -t tmpfs tmpfs /both/m && touch /both/m/seen' >/dev/null
	ok "$h: a mount of the container reaches the node" test -e "$T/shared/$h/m/seen"
	like "$h: read-only" "$(sh_ 'touch /ro/x')" 'Read-only'
	is "$h: not below" "$(sh_ 'touch /ro/below/x && echo ok')" ok
	like "$h: recursively read-only: below, too" "$(sh_ 'touch /rro/below/y')" 'Read-only'
	is "$h: the status tells it" "$($CRICTL inspect "$ctr" | jq -c '[.status.mounts[] | select(.containerPath == "/rro") | .readonly, .recursiveReadOnly]')" '[true,true]'
	is "$h: an image as a volume, from its sub path" "$(sh_ 'cat /image/f')" 'of the image'
	like "$h: which is read-only" "$(sh_ 'touch /image/x')" 'Read-only'
	stop
	umount "$T/shared/$h/m" "$T/deep/$h/below" 2>/dev/null
	notok "$h: a sub path that is not there" $CRICTL create "$pod" "$(ctr_json "none$h" 'true' "\"mounts\":[{\"container_path\":\"/image\",\"image\":{\"image\":\"$REGISTRY/users:latest\"},\"image_sub_path\":\"volume/none\"}]")" "$T/p-$h.pod.json"
	like "$h: the reason that the kubelet knows" "$out" 'ImageVolumeMountFailed'
	like "$h: a sub path stays in its image" "$($CRICTL create "$pod" "$(ctr_json "climbs$h" 'true' "\"mounts\":[{\"container_path\":\"/image\",\"image\":{\"image\":\"$REGISTRY/users:latest\"},\"image_sub_path\":\"../../../../etc\"}]")" "$T/p-$h.pod.json")" '^[0-9a-f]{64}$'

	# Fields that crictl 1.36 does not know.
	rpc CreateContainer "pod_sandbox_id: '$pod' config {metadata {name: 'options$h'} image {image: '$REGISTRY/busybox:latest'} command: 'sleep' command: '1000'
		mounts {container_path: '/noexec' host_path: '$T/plain-$h' mount_options: 'noexec' mount_options: 'nosuid'}}"
	ctr=$(sed -n 's/^container_id: "\(.*\)"/\1/p' <<<"$answer")
	$CRICTL start "$ctr" >/dev/null
	like "$h: mount options" "$(sh_ 'cp /bin/busybox /noexec/b; grep " /noexec " /proc/mounts')" 'nosuid,noexec|noexec,nosuid'
	like "$h: they hold" "$(sh_ '/noexec/b true')" 'ermission denied'
	rpc ContainerStatus "container_id: '$ctr'"
	is "$h: and are told" "$(sed -n 's/^ *mount_options: //p' <<<"$answer" | tr -d '\n')" '"noexec""nosuid"'
	stop

	# Processes of another container.
	start "$(ctx '"run_as_user":{"value":0}')"
	local target=$ctr
	start "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":3,\"target_id\":\"$target\"}}}"
	is "$h: it sees the processes of its target" "$(readlink "/proc/$($CRICTL inspect "$ctr" | jq .info.pid)/ns/pid")" "$(readlink "/proc/$($CRICTL inspect "$target" | jq .info.pid)/ns/pid")"
	stop
	late=$($CRICTL create "$pod" "$(ctr_json "late$h" 'exec sleep 1000' "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":3,\"target_id\":\"$target\"}}}")" "$T/p-$h.pod.json")
	ctr=$target; stop
	notok "$h: a target that has ended since" $CRICTL start "$late"
	like "$h: it says so" "$out" "FailedPrecondition.*$target.*not running"
	is "$h: the container is as it was" "$(state_of "$late")" CONTAINER_CREATED
	$CRICTL rmp -f "$pod" >/dev/null 2>&1

	# The node's namespaces.
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h" '"linux":{"security_context":{"namespace_options":{"network":2,"pid":2,"ipc":2}}}')" 2>/dev/null)
	start '"linux":{"security_context":{"namespace_options":{"network":2,"pid":2,"ipc":2}}}'
	is "$h: network, processes and IPC of the node" "$(for k in net pid ipc uts; do readlink "/proc/$($CRICTL inspect "$ctr" | jq .info.pid)/ns/$k"; done)" "$(for k in net pid ipc uts; do readlink /proc/self/ns/$k; done)"
	like "$h: but not its mounts" "$(readlink "/proc/$($CRICTL inspect "$ctr" | jq .info.pid)/ns/mnt")" "^mnt:"
	$CRICTL rmp -f "$pod" >/dev/null 2>&1

	# Privileged.
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h" '"linux":{"security_context":{"namespace_options":{"pid":1},"privileged":true}}')" 2>/dev/null)
	start "$(ctx '"privileged":true,"seccomp":{"profile_type":0},"masked_paths":["/proc/kcore"]')"
	is "$h: privileged: every capability that we have" "$(status CapBnd)" "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)"
	is "$h: no seccomp" "$(status Seccomp)" 0
	is "$h: /sys can be written" "$(sh_ 'grep -c " /sys sysfs rw" /proc/mounts')" 1
	is "$h: the node's devices" "$(sh_ 'ls /dev/full /dev/kmsg /dev/loop-control 2>/dev/null | wc -l')" "$(ls /dev/full /dev/kmsg /dev/loop-control 2>/dev/null | wc -l)"
	is "$h: any of them may be made" "$(sh_ 'mknod /tmp/m c 1 7 && head -c 1 /tmp/m | wc -c')" 1
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
}
handler runc
handler crun
handler native
umount "$T/shared" 2>/dev/null
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null 2>&1; done
crisp_clean
