# request_faults.t - requests that cannot be served (malformed, too large, for objects that do not exist) get the right code.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_config
cni_config
crisp_start || exit 1
id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# Bytes that are not a message.
printf 'abcde' >"$T/bytes"
for m in $(sed -n 's/^RPC([A-Za-z]*, \([A-Za-z]*\), rpc_.*/\1/p' "$ROOT/handlers/services.def"); do
	rpc_bytes "$m" "$T/bytes"
	is "$m: five bytes of nothing" "$code" INVALID_ARGUMENT
done
like 'it says of what' "$message" "malformed request: 5 bytes are not a valid ImageFsInfoRequest"
printf '\x0a\x7fshort' >"$T/bytes"
rpc_bytes ContainerStatus "$T/bytes"
is 'a field that is longer than its message' "$code" INVALID_ARGUMENT
printf '\x0a\x02\xff\xfe' >"$T/bytes"
rpc_bytes ContainerStatus "$T/bytes"
like 'an id that is not UTF-8' "$code" '^(INVALID_ARGUMENT|NOT_FOUND)$'

# Frames that are not gRPC frames.
printf '\0\0\0\1\0abc' >"$T/bytes"
rpc_post /runtime.v1.RuntimeService/Version "$T/bytes"
like 'a frame that ends early' "$code" '^(INTERNAL|INVALID_ARGUMENT)$'
printf '\1\0\0\0\0' >"$T/bytes"
rpc_post /runtime.v1.RuntimeService/Version "$T/bytes"
is 'a compressed message of no encoding' "$code" INTERNAL
printf '\0\0\0\0\0' >"$T/bytes"
rpc_post /runtime.v1.RuntimeService/Nothing "$T/bytes"
is 'a method that does not exist' "$code" UNIMPLEMENTED
like 'is named' "$message" Nothing
rpc_post /runtime.v1alpha2.RuntimeService/Version "$T/bytes"
is 'an older API' "$code" UNIMPLEMENTED
like 'says which one is spoken' "$message" runtime.v1
ok 'HTTP/1 on the socket ends' timeout 5 sh -c "! curl -sf --noproxy '*' --unix-socket $T/state/crisp.sock http://localhost/"

# 16 MiB is a message, one byte more is not. A label of n bytes in a filter: three lengths of four bytes, four tags, the key.
head -c $((16 << 20)) /dev/zero | tr '\0' x >"$T/x"
label() { # BYTES of the whole message
	python3 - "$1" "$T/bytes" <<-'P'
	import sys
	def varint(n):
	    out = b""
	    while n > 127:
	        out, n = out + bytes([n & 127 | 128]), n >> 7
	    return out + bytes([n])
	field = lambda tag, data: bytes([tag << 3 | 2]) + varint(len(data)) + data
	message = lambda n: field(1, field(4, field(1, b"k") + field(2, b"x" * n)))
	want = int(sys.argv[1])
	with open(sys.argv[2], "wb") as f:
	    f.write(message(want - len(message(want)) + want))
	P
}
label $((16 << 20))
is 'a message of 16 MiB' "$(stat -c %s "$T/bytes")" $((16 << 20))
rpc_bytes ListContainers "$T/bytes"
is 'is served' "$code" OK
pod_json big "\"annotations\":{\"a\":\"$(head -c 100 "$T/x")\"}" >/dev/null
jq --rawfile x "$T/x" '.annotations.a = $x' "$T/big.pod.json" >"$T/bigger.json"
notok 'one of more than 16 MiB' $CRICTL runp "$T/bigger.json"
like 'is too large' "$out" 'ResourceExhausted.*16 MiB'
is 'and makes nothing' "$($CRICTL pods -q)" ''

# Objects that do not exist.
unknown() { rpc "$1" "$2"; is "$1 of the unknown" "$code" "$3"; }
unknown StopPodSandbox "pod_sandbox_id: '$id'" OK
unknown RemovePodSandbox "pod_sandbox_id: '$id'" OK
unknown StopContainer "container_id: '$id'" OK
unknown RemoveContainer "container_id: '$id'" OK
unknown RemoveImage "image {image: '$REGISTRY/none:latest'}" OK
unknown ImageStatus "image {image: '$REGISTRY/none:latest'}" OK
is 'it has no image' "$answer" ''
unknown ImageStatus "image {image: '$id'}" OK
unknown PodSandboxStatus "pod_sandbox_id: '$id'" NOT_FOUND
like 'it is named' "$message" "${id:0:12}"
unknown ContainerStatus "container_id: '$id'" NOT_FOUND
like 'it is named' "$message" "${id:0:12}"
unknown StartContainer "container_id: '$id'" NOT_FOUND
unknown ExecSync "container_id: '$id' cmd: 'true'" NOT_FOUND
unknown ReopenContainerLog "container_id: '$id'" NOT_FOUND
unknown CreateContainer "pod_sandbox_id: '$id' config {metadata {name: 'a'} image {image: 'x'}}" NOT_FOUND
for m in ListPodSandbox ListContainers; do unknown "$m" "filter {id: '$id'}" OK; is "$m is empty" "$answer" ''; done
unknown ListImages "filter {image {image: '$REGISTRY/none'}}" OK
is 'ListImages is empty' "$answer" ''
later() { rpc "$1" "$2"; like "$1 of the unknown" "$code" '^(NOT_FOUND|UNIMPLEMENTED)$'; }
later Exec "container_id: '$id' cmd: 'true' stdout: true"
later Attach "container_id: '$id' stdout: true"
later PortForward "pod_sandbox_id: '$id' port: 80"
later ContainerStats "container_id: '$id'"
later PodSandboxStats "pod_sandbox_id: '$id'"
later UpdateContainerResources "container_id: '$id' linux {cpu_shares: 2}"
later UpdatePodSandboxResources "pod_sandbox_id: '$id'"
for m in CheckpointPod RestorePod; do rpc $m ''; is "$m" "$code" UNIMPLEMENTED; done

# Requests without id or config are refused.
for m in StartContainer ContainerStatus StopContainer RemoveContainer ReopenContainerLog PodSandboxStatus StopPodSandbox RemovePodSandbox \
	ExecSync CreateContainer RunPodSandbox PullImage RemoveImage ImageStatus; do
	rpc $m ''
	is "$m without anything" "$code" INVALID_ARGUMENT
done

# Contradictory requests. Each has its own name, so that one that is wrongly accepted does not hide the next.
n=0
run() { n=$((n + 1)); rpc RunPodSandbox "config {metadata {name: 'p$n' uid: 'u' namespace: 'd'} $1} ${2-}"; }
run_refused() { run "$2"; is "$1" "$code" INVALID_ARGUMENT; }
rpc RunPodSandbox "config {metadata {uid: 'u' namespace: 'd'}}"
is 'a pod without a name' "$code" INVALID_ARGUMENT
run '' "runtime_handler: 'nothing'"
like 'a runtime handler that is not there' "$code" '^(INVALID_ARGUMENT|NOT_FOUND)$'
like 'is named' "$message" nothing
run_refused 'a host name of two lines' "hostname: 'a\\nb'"
run_refused 'a host name of 65 bytes' "hostname: '$(head -c 65 "$T/x")'"
run_refused 'a cgroup parent that climbs' "linux {cgroup_parent: '/a/../../b'}"
run_refused 'a sysctl of the machine' "linux {sysctls {key: 'kernel.panic' value: '1'}}"
like 'is named' "$message" kernel.panic
run_refused 'a sysctl that climbs' "linux {sysctls {key: 'net/../kernel/panic' value: '1'}}"
run_refused 'a port that is none' "port_mappings {container_port: 80 host_port: 99999}"
run_refused 'a protocol that nobody knows' "port_mappings {container_port: 80 protocol: 9}"
run_refused 'a relative log directory' "log_directory: 'logs'"
for k in network ipc; do
	for mode in CONTAINER TARGET 7; do run_refused "$k $mode" "linux {security_context {namespace_options {$k: $mode pid: CONTAINER}}}"; done
done
for mode in TARGET 7; do run_refused "pid $mode" "linux {security_context {namespace_options {pid: $mode}}}"; done
ids='{host_id: 100000 container_id: 0 length: 65536}'
userns() { run_refused "$1" "linux {security_context {namespace_options {pid: ${3:-CONTAINER} userns_options {$2}}}}"; }
userns 'a user namespace of the node with mappings' "mode: NODE uids $ids"
userns 'a user namespace without mappings' 'mode: POD'
userns 'without gids' "mode: POD uids $ids"
userns 'of length 0' "mode: POD uids {host_id: 1 length: 0} gids $ids"
userns 'with the PID namespace of the node' "mode: POD uids $ids gids $ids" NODE
userns 'in mode TARGET' "mode: TARGET uids $ids gids $ids"
run_refused 'a seccomp profile of no kind' "linux {security_context {seccomp {profile_type: 5}}}"
run_refused 'a groups policy that nobody knows' "linux {security_context {supplemental_groups_policy: 5}}"
run_refused 'less memory than nothing for a pod' "linux {resources {memory_limit_in_bytes: -5}}"
is 'none of them made a pod' "$($CRICTL pods -q)" ''
is 'nor a namespace, nor a directory' "$(ls "$T/netns" "$T/state/sandboxes" 2>/dev/null | grep -v :$ | tr -d '\n')" ''

$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
pod=$($CRICTL runp "$(pod_json p)")
create() { n=$((n + 1)); rpc CreateContainer "pod_sandbox_id: '$pod' config {metadata {name: '${3-c$n}'} image {image: '${2:-$REGISTRY/busybox:latest}'} $1}"; }
create_refused() { create "$2"; is "$1" "$code" INVALID_ARGUMENT; }
create '' "$REGISTRY/none:1"
like 'a container of an image that is not here' "$code" '^(NOT_FOUND|FAILED_PRECONDITION|INVALID_ARGUMENT)$'
like 'it is named' "$message" 'none:1'
create '' '' ''
is 'a container without a name' "$code" INVALID_ARGUMENT
create_refused 'a relative mount' "mounts {container_path: '../x' host_path: 'tmp'}"
create_refused 'a user by name and number' "linux {security_context {run_as_username: 'alice' run_as_user {value: 5}}}"
create_refused 'a group without a user' "linux {security_context {run_as_group {value: 5}}}"
create_refused 'a user who is not there' "linux {security_context {run_as_username: 'bob'}}"
like 'he is named' "$message" bob
create_refused 'a capability that is none' "linux {security_context {capabilities {add_capabilities: 'FLY'}}}"
like 'it is named' "$message" FLY
create_refused 'a profile that is not there' "linux {security_context {seccomp {profile_type: Localhost localhost_ref: '$T/none.json'}}}"
like 'it is named' "$message" "$T/none.json"
create_refused 'less memory than nothing' "linux {resources {memory_limit_in_bytes: -5}}"
create_refused 'a device that is not there' "devices {container_path: '/dev/x' host_path: '/dev/none-such' permissions: 'rw'}"
like 'it is named' "$message" /dev/none-such
create_refused 'a mount with a path that is not absolute' "mounts {container_path: '/x' host_path: 'tmp'}"
create_refused 'a mount over the root' "mounts {container_path: '/x/..' host_path: '$T'}"
create_refused 'a mount of an unknown propagation' "mounts {container_path: '/x' host_path: '$T' propagation: 9}"
create_refused 'a mount of an image and of a path' "mounts {container_path: '/x' host_path: '$T' image {image: '$REGISTRY/busybox:latest'}}"
create_refused 'recursively read-only and writable' "mounts {container_path: '/x' host_path: '$T' recursive_read_only: true}"
create_refused 'recursively read-only and propagated' \
	"mounts {container_path: '/x' host_path: '$T' readonly: true recursive_read_only: true propagation: PROPAGATION_HOST_TO_CONTAINER}"
create_refused 'a mount option that is none' "mounts {container_path: '/x' host_path: '$T' mount_options: 'suid'}"
create_refused 'ids of a volume in a pod without a user namespace' "mounts {container_path: '/x' host_path: '$T' uidMappings $ids gidMappings $ids}"
create_refused 'a user namespace that the pod has not' "linux {security_context {namespace_options {pid: CONTAINER userns_options {mode: POD uids $ids gids $ids}}}}"
create_refused 'a log path that climbs' "log_path: '../../etc/passwd'"
create_refused 'a working directory that is not absolute' "working_dir: 'tmp'"
create_refused 'a masked path that is not absolute' "linux {security_context {masked_paths: 'proc/kcore'}}"
create_refused 'a stop signal that is none' "stop_signal: 99"
create_refused 'device permissions that are none' "devices {container_path: '/dev/x' host_path: '/dev/null' permissions: 'rwx'}"
create_refused 'a CDI device that is no name' "CDI_devices {name: 'nothing'}"
create_refused 'an environment variable without a name' "envs {key: '' value: 'x'}"
create_refused 'a page size that is none' "linux {resources {hugepage_limits {page_size: 'huge' limit: 1}}}"
create_refused 'processors in words' "linux {resources {cpuset_cpus: 'all'}}"
create_refused 'a period that no kernel takes' "linux {resources {cpu_period: 5}}"
create_refused 'less memory with swap than without' "linux {resources {memory_limit_in_bytes: 67108864 memory_swap_limit_in_bytes: 1048576}}"
create_refused 'a score beyond the worst' "linux {resources {oom_score_adj: 1001}}"
create_refused 'an AppArmor profile of no kind' "linux {security_context {apparmor {profile_type: 5}}}"
create_refused 'a profile name for RuntimeDefault' "linux {security_context {seccomp {profile_type: RuntimeDefault localhost_ref: 'x'}}}"
create_refused 'a negative user' "linux {security_context {run_as_user {value: -1}}}"
create_refused 'a negative group' "linux {security_context {supplemental_groups: -7}}"
create_refused 'a privileged container in a pod that is not' "linux {security_context {privileged: true}}"
# The sandbox's setting is used; default values in a container's request are no contradiction.
for k in network ipc pid; do create_refused "the $k namespace of the node in a pod with its own" "linux {security_context {namespace_options {$k: NODE}}}"; done
for k in network ipc; do create_refused "$k CONTAINER" "linux {security_context {namespace_options {$k: CONTAINER}}}"; done
create_refused 'the processes of nobody' "linux {security_context {namespace_options {pid: TARGET}}}"
create_refused 'the processes of an unknown container' "linux {security_context {namespace_options {pid: TARGET target_id: '$id'}}}"
create_refused 'the processes of a sandbox' "linux {security_context {namespace_options {pid: TARGET target_id: '$pod'}}}"
create_refused 'a target where none is asked for' "linux {security_context {namespace_options {pid: CONTAINER target_id: '$id'}}}"
for c in $($CRICTL ps -aq); do $CRICTL rm -f "$c" >/dev/null 2>&1; done
is 'none of them left a container' "$($CRICTL ps -aq)" ''
is 'nor a snapshot' "$(ls "$T/root/snapshots" | grep -E '[0-9a-f]{8}')" ''

# A valid request afterwards succeeds.
ctr=$($CRICTL create "$pod" "$(ctr_json c 'echo fine')" "$T/p.pod.json")
ok 'a good container starts' $CRICTL start "$ctr"
ok 'and ends' until_ok 10 exited "$ctr"
is 'as it should' "$(log_text c)" fine

# Ids of the wrong kind, invalid times.
wrong() { rpc "$1" "$2"; is "$1 of ${4:-the other kind}" "$code" "$3"; }
wrong ContainerStatus "container_id: '$pod'" NOT_FOUND
wrong PodSandboxStatus "pod_sandbox_id: '$ctr'" NOT_FOUND
wrong StartContainer "container_id: '$pod'" NOT_FOUND
wrong ExecSync "container_id: '$pod' cmd: 'true'" NOT_FOUND
wrong Exec "container_id: '$pod' cmd: 'true' stdout: true" NOT_FOUND
wrong PortForward "pod_sandbox_id: '$ctr'" NOT_FOUND
wrong CreateContainer "pod_sandbox_id: '$ctr' config {metadata {name: 'a'} image {image: 'x'}}" NOT_FOUND
wrong UpdateContainerResources "container_id: '$pod' linux {cpu_shares: 2}" NOT_FOUND
wrong StopContainer "container_id: '$pod'" OK
wrong RemoveContainer "container_id: '$pod'" OK
wrong StopPodSandbox "pod_sandbox_id: '$ctr'" OK
wrong RemovePodSandbox "pod_sandbox_id: '$ctr'" OK
wrong StopContainer "container_id: '$ctr' timeout: -1" INVALID_ARGUMENT 'a negative time'
wrong ExecSync "container_id: '$ctr' cmd: 'true' timeout: -1" INVALID_ARGUMENT 'a negative time'
wrong ListContainers "filter {state {state: 99}}" OK 'an unknown state'
is 'nothing was touched by them' "$($CRICTL pods -q --no-trunc --state ready) $(state_of "$ctr")" "$pod CONTAINER_EXITED"
rpc ExecSync "container_id: '$ctr' cmd: 'true'"
like 'exec in one that has ended' "$code" '^FAILED_PRECONDITION$'
crisp_clean
