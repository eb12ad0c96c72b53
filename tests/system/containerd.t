# containerd.t - the three containerd calls by which the kubelet's cAdvisor maps a cgroup to a container.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

crisp_up

# ask SERVICE METHOD REQUEST-TYPE RESPONSE-TYPE [TEXT]
ask() {
	echo "${5-}" | protoc -I"${CRI%/*}" --encode="containerd.$3" "${CRI%/*}/containerd.proto" >"$T/rpc.message"
	rpc_framed "$T/rpc.message"
	rpc_post "/containerd.services.$1/$2" "$T/rpc.framed"
	answer=$(tail -c +6 "$T/rpc.body" | protoc -I"${CRI%/*}" --decode="containerd.$4" "${CRI%/*}/containerd.proto" 2>/dev/null)
}
container() { ask containers.v1.Containers Get GetContainerRequest GetContainerResponse "id: \"$1\""; }
task() { ask tasks.v1.Tasks Get GetTaskRequest GetTaskResponse "container_id: \"$1\""; }
label() { grep -A1 "key: \"$1\"" <<<"$answer" | sed -n 's/.*value: "\(.*\)"/\1/p'; }
field() { sed -n "s/^ *$1: \"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" <<<"$answer" | head -1; }

ask version.v1.Version Version Empty VersionResponse
like 'version' "$code $(field version)" '^OK [0-9]+\.'

pod=$($CRICTL runp "$(pod_json p '"labels":{"io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"default"}')")
ctr=$($CRICTL create "$pod" "$(ctr_json c 'sleep 1000' '"labels":{"io.kubernetes.pod.name":"p","io.kubernetes.container.name":"c"}')" "$T/p.pod.json")
task "$pod"
is 'no process is in the pod yet' "$code" NOT_FOUND
task "$ctr"
is 'nor in the container' "$code" NOT_FOUND
$CRICTL start "$ctr" >/dev/null
pid=$($CRICTL inspect "$ctr" | jq .info.pid)

container "$ctr"
is 'a container' "$code $(field id)" "OK $ctr"
is 'its kind' "$(label io.cri-containerd.kind)" container
is 'its labels' "$(label io.kubernetes.pod.name) $(label io.kubernetes.container.name)" 'p c'
is 'its image' "$(field image)" "$REGISTRY/busybox:latest"
like 'its spec is config.json' "$answer" 'value: .*\\"env\\":\[\\"'
task "$ctr"
is 'its process' "$code $(field pid) $(field status)" "OK $pid RUNNING"

container "$pod"
is 'a sandbox' "$code $(field id) $(label io.cri-containerd.kind) $(label io.kubernetes.pod.namespace)" "OK $pod sandbox default"
task "$pod"
is 'its task is a process in its network' "$code $(readlink "/proc/$(field pid)/ns/net")" "OK $(readlink "/proc/$pid/ns/net")"
ok 'its cgroup has its id' test -n "$(find /sys/fs/cgroup -type d -name "$pod")"

container none
is 'an unknown container' "$code" NOT_FOUND
$CRICTL stop -t 0 "$ctr" >/dev/null
task "$ctr"
is 'one that has ended has no task' "$code" NOT_FOUND
ask tasks.v1.Tasks List Empty Empty
is 'nothing more is served' "$code" UNIMPLEMENTED

crisp_clean
