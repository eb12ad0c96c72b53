# migrate.t - a node on its way between containerd and crisp, as docs/migrate.md has it: both serve at once, on one
# network, with one certs.d; images go over by archive in both directions; and after crisp nothing of it is left.

. "$(dirname "$0")/../lib/crisp.sh"

[ -x /usr/bin/containerd ] && [ -x /usr/bin/ctr ] || {
	echo '1..0 # SKIP no containerd: scripts/setup all'
	rm -rf "$T"
	exit 0
}
export CRISP_ADDRESS=unix://$T/state/crisp.sock
CRISP=$BUILD/crisp
other="$TOOLS/crictl --config $T/other.yaml"
printf '%s-endpoint: unix://'"$T"'/containerd.sock\n' runtime image >"$T/other.yaml"
images="ctr -a $T/containerd.sock -n k8s.io images"

crisp_config
mkdir -p "$T/certs.d/old.example"
printf '[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$REGISTRY" >"$T/certs.d/old.example/hosts.toml"
cni_config
crisp_start || exit 1

image_spec() { # NAME WORD...: of one layer, which containerd can unpack too
	local name=$1; shift
	jq -n --arg n "$name" '{repo: $n, config: {Entrypoint: $ARGS.positional}, layers: [{entries: [
		{path: "busybox", from: "/bin/busybox", mode: 493}]}]}' --args "$@"
}
{ image_spec pause /busybox sleep 1000000; image_spec mover /busybox echo moved; } | jq -s . >"$T/images.json"
$IMAGE --registry "$REGISTRY" "$T/images.json" >/dev/null
cat >"$T/containerd.toml" <<C
version = 2
root = "$T/containerd"
state = "$T/containerd-run"
[grpc]
  address = "$T/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$T/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "old.example/pause:latest"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$T/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$T/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
C
PATH=/usr/sbin:/usr/bin:/sbin:/bin containerd --config "$T/containerd.toml" >"$T/containerd.log" 2>&1 &
containerd=$!
ok 'containerd serves too' until_ok 30 $other version

# The same certs.d, one network.
ok 'containerd pulls by its hosts.toml' $other pull old.example/mover:latest
ok 'crisp by the same file' $CRISP pull old.example/mover:latest
pod_json both >/dev/null
theirs=$($other runp "$T/both.pod.json" 2>/dev/null)
ours=$($CRICTL runp "$T/both.pod.json")
address() { jq -r .status.network.ip; }
their_ip=$($other inspectp "$theirs" | address) our_ip=$($CRICTL inspectp "$ours" | address)
like 'a pod of containerd has an address of the network' "$their_ip" '^10\.200\.'
like 'one of crisp, of the same name, too' "$our_ip" '^10\.200\.'
ok 'another one' [ "$their_ip" != "$our_ip" ]
is 'each lists its own' "$($other pods -q) $($CRICTL pods -q)" "$theirs $ours"

# Images, there and back.
ok 'crisp has no image' $CRISP rmi old.example/mover:latest
ok 'ctr images export' $images export "$T/from.tar" old.example/mover:latest
like 'crisp images import' "$($CRISP images import "$T/from.tar" 2>&1)" ' old.example/mover:latest$'
is 'a container runs from it' "$($CRISP run --pull never old.example/mover:latest 2>&1)" moved
ok 'crisp images export' $CRISP images export old.example/mover:latest "$T/back.tar"
$images rm old.example/mover:latest >/dev/null
ok 'ctr images import' $images import "$T/back.tar"
like 'containerd has it for pods' "$($other images)" '^old.example/mover +latest'

# The way back: crisp goes, and containerd's pod stays.
ok 'the pods of crisp are removed' $CRISP rm -f "$ours"
ok 'crisp check --repair' $CRISP check --repair
crisp_stop
is 'no network namespace of crisp is left' "$(ls "$T/netns")" ''
notok 'no table of nftables' nft list table inet crisp
is 'no lease but that of the other pod' "$(cd "$T"/ipam/*/ && ls | grep -E '^[0-9.]+$')" "$their_ip"
is 'no rule of iptables but its' "$(iptables-save | grep -c "${ours:0:12}")" 0
ok 'the other pod is reached' until_ok 10 sh -c "timeout 3 bash -c 'echo >/dev/tcp/$their_ip/9' 2>&1 | grep -q refused"
$other rmp -f "$theirs" >/dev/null 2>&1
is 'and is removed' "$(cd "$T"/ipam/*/ && ls | grep -E '^[0-9.]+$')" ''
kill $containerd
wait $containerd
grep -F " $T/containerd" /proc/self/mountinfo | awk '{ print $5 }' | sort -r | xargs -r umount
crisp_start || exit 1 # for its checks
crisp_clean
