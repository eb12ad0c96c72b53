# log_names.t - lines of the log: which pod, container and image a failure is about.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_config
mkdir "$T/bin"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/cni_fake"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
log() { grep "$1" "$T/crisp.log" | tail -1; }

# Failures of RPCs.
pod=$($CRICTL runp "$(pod_json web)")
ctr=$($CRICTL create "$pod" "$(ctr_json front 'exec sleep 1000')" "$T/web.pod.json")
$CRICTL start "$ctr" >/dev/null
names='pod="[a-z]*/web" container_name="front" image="[^"]*busybox'
rpc ExecSync "container_id: '$ctr' cmd: '/no/such/program'"
like 'ExecSync: the container, its pod and its image' "$(log 'rpc_failed method=ExecSync')" "container=${ctr:0:12}.* $names"
rpc PullImage "image { image: '$REGISTRY/not/there:1' } sandbox_config { metadata { name: 'p' namespace: 'n' uid: 'u' } }"
like 'PullImage: the image and the pod that wants it' "$(log 'rpc_failed method=PullImage')" "pod=\"n/p\" image=\"$REGISTRY/not/there:1\""
rpc CreateContainer "pod_sandbox_id: '$pod' config { metadata { name: 'second' } image { image: 'not-here' } }"
like 'CreateContainer: the pod, the container and the image' "$(log 'rpc_failed method=CreateContainer')" \
	"sandbox=${pod:0:12} container_name=\"second\" image=\"not-here\".* pod=\"[a-z]*/web\""
cat >"$T/cni/05-fails.conflist" <<END
{"cniVersion":"1.0.0","name":"f","plugins":[{"type":"cni_fake","label":"l","mode":"fail","log":"$T/calls"}]}
END
fails() { rpc RunPodSandbox "config {metadata {name: 'api' uid: 'u' namespace: 'back' attempt: 1} linux {}}"; log 'rpc_failed method=RunPodSandbox.*cannot talk'; }
failed() { [ -n "$(fails)" ]; }
ok 'a plugin fails' until_ok 20 failed
like 'RunPodSandbox: the pod' "$(fails)" 'sandbox=[0-9a-f]{12} .*error=".*cni_fake.*cannot talk'
like 'by namespace and name' "$(fails)" 'pod="back/api"'

# The life of a container.
$CRICTL rm -f "$ctr" >/dev/null
for event in created running exited removed; do
	like "container_$event" "$(log "container_$event container=${ctr:0:12}")" " $names"
done
like 'sandbox_ready' "$(log "sandbox_ready sandbox=${pod:0:12}")" 'pod="[a-z]*/web"'
is 'no key is twice in a line' "$(grep -cE '( pod=.* pod=| image=.* image=)' <(sed 's/"[^"]*"/""/g' "$T/crisp.log"))" 0
rm "$T/cni/05-fails.conflist"
$CRICTL rmp -f "$pod" >/dev/null
crisp_clean
