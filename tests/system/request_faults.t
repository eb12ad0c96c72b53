# request_faults.t - requests that cannot be served: malformed, too large, about what does not exist. Each is told so by the right code.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_config
cni_config
crisp_start || exit 1
id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# Bytes that are no message.
printf 'abcde' >"$T/bytes"
for m in $(sed -n 's/^RPC([A-Za-z]*, \([A-Za-z]*\), rpc_.*/\1/p' "$ROOT/handlers/services.def"); do
	rpc_bytes "$m" "$T/bytes"
	is "$m: five bytes of nothing" "$code" INVALID_ARGUMENT
done
like 'it says of what' "$message" "malformed request: 5 bytes are no ImageFsInfoRequest"
printf '\x0a\x7fshort' >"$T/bytes"
rpc_bytes ContainerStatus "$T/bytes"
is 'a field that is longer than its message' "$code" INVALID_ARGUMENT
printf '\x0a\x02\xff\xfe' >"$T/bytes"
rpc_bytes ContainerStatus "$T/bytes"
like 'an id that is not UTF-8' "$code" '^(INVALID_ARGUMENT|NOT_FOUND)$'

# Frames that are not gRPC's.
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

# What does not exist.
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

# No id, no config: told so, not guessed.
for m in StartContainer ContainerStatus StopContainer RemoveContainer ReopenContainerLog PodSandboxStatus StopPodSandbox RemovePodSandbox \
	ExecSync CreateContainer RunPodSandbox PullImage RemoveImage ImageStatus; do
	rpc $m ''
	is "$m without anything" "$code" INVALID_ARGUMENT
done

# Requests that contradict themselves. Each has a name of its own: what is accepted by mistake does not hide the next.
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
is 'none of them made a pod' "$($CRICTL pods -q)" ''

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
for c in $($CRICTL ps -aq); do $CRICTL rm -f "$c" >/dev/null 2>&1; done
is 'none of them left a container' "$($CRICTL ps -aq)" ''
is 'nor a snapshot' "$(ls "$T/root/snapshots" | grep -E '[0-9a-f]{8}')" ''

# A good one after all of them.
ctr=$($CRICTL create "$pod" "$(ctr_json c 'echo fine')" "$T/p.pod.json")
ok 'a good container starts' $CRICTL start "$ctr"
ok 'and ends' until_ok 10 exited "$ctr"
is 'as it should' "$(log_text c)" fine
rpc ExecSync "container_id: '$ctr' cmd: 'true'"
like 'exec in one that has ended' "$code" '^FAILED_PRECONDITION$'
crisp_clean
