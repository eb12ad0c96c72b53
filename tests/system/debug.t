# debug.t - crisp debug bundle: one archive for a report, without the secrets that are planted here; also of a daemon
# that hangs.

. "$(dirname "$0")/../lib/crisp.sh"

# Each secret is this word with the place where it stands.
S=5ecRet
keep() { cat >"$1"; }
crisp_config "# an old password: $S-comment" 'network: auto'
sed -i "s|^registry: .*|registry: {config_path: $T/certs.d, auth_files: [$T/auth.json]}|" "$T/config.yaml"
mkdir "$T/config.d"
keep "$T/config.d/10-more.yaml" <<<"netns_pool: 3 # $S-more"
keep "$T/config.d/20-tab.yaml" <<<$'netns_pool: 3\t# '$S-tab
mkdir -p "$T/certs.d/plain.test" "$T/certs.d/bare.test"
base64=$(printf 'me:%s-auth' $S | base64)
keep "$T/auth.json" <<J
{"auths": {"proxied.test": {"auth": "$base64"}, "x.test": {"identitytoken": "$S-identity"}}}
J
keep "$T/certs.d/plain.test/hosts.toml" <<H
server = "http://me:$S-server@127.0.0.1:1"
[host."http://127.0.0.1:1"]
  capabilities = ["pull", "resolve"]   # $S-toml-comment
  [host."http://127.0.0.1:1".header]
    authorization = ["Basic $S-header"]
    client = "$S-header-client"
H
cni_config
keep "$T/cni/99-other.conf" <<J
{"cniVersion": "1.0.0", "name": "o", "type": "bridge", "k8s_auth_token": "$S-cni",
 "kubernetes": {"password": ["$S-deep"]}}
J
export HTTP_PROXY=http://me:$S-proxy@127.0.0.1:1 HTTPS_PROXY=http://me:$S-proxy@127.0.0.1:1
crisp_start || exit 1
unset HTTP_PROXY HTTPS_PROXY
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
pids=
for image in "me:$S-reference@127.0.0.1:1/a:1" "$S-token@127.0.0.1:1/a:1" "http://me:$S-url@127.0.0.1:1/a:1" \
	plain.test/a:1 proxied.test/a:1; do
	$CRICTL pull "$image" >/dev/null 2>&1 & pids+=" $!"
done
$CRICTL pull --creds "me:$S-creds" "127.0.0.1:1/a:1" >/dev/null 2>&1
wait $pids

extra="\"annotations\":{\"note\":\"$S-pod-annotation\"},\"labels\":{\"l\":\"$S-pod-label\"}"
pod=$($CRICTL runp "$(pod_json a "$extra")")
config=$(ctr_json c 'sleep 1000' "
	\"envs\":[{\"key\":\"E\",\"value\":\"$S-env\"},{\"key\":\"DB_PASSWORD\",\"value\":\"$S-env\"}],
	\"args\":[\"$S-argument\"],\"annotations\":{\"a\":\"$S-annotation\"},\"labels\":{\"l\":\"$S-label\"}")
c=$($CRICTL create "$pod" "$config" "$T/a.pod.json")
$CRICTL start "$c" >/dev/null
$CRICTL exec "$c" sh -c "echo $S-exec" >/dev/null
has_secret() { tr '\0' '\n' <"/proc/$1/environ" | grep -q "$S-$2"; }
ok 'a container has a secret' has_secret "$($CRICTL inspect "$c" | jq .info.pid)" env
ok 'the daemons have one' has_secret "$KEEPER" proxy

export CRISP_ADDRESS=unix://$T/state/crisp.sock
# unpacked NAME [OPTION...]: makes an archive and unpacks it below $T/NAME; stdout is what crisp prints.
unpacked() {
	local name=$1; shift
	mkdir "$T/$name"
	"$BUILD/crisp" debug bundle -o "$T/$name.tar.gz" "$@" 2>"$T/$name.err" &&
		tar -xzf "$T/$name.tar.gz" -C "$T/$name" --strip-components=1
}
B=$T/one
is 'the path is printed' "$(unpacked one)" "$T/one.tar.gz"
is 'it is for its owner only' "$(stat -c %a "$T/one.tar.gz")" 600
is 'gzip and tar find it whole' "$(gzip -t "$T/one.tar.gz" 2>&1; tar -tzf "$T/one.tar.gz" 2>&1 >/dev/null)" ''
is 'no secret is in it' "$(grep -rno "$S[a-z-]*" "$B"; grep -rn "$base64" "$B")" ''
is 'no word of the environment and of arguments' "$(grep -rlE 'DB_PASSWORD|sleep 1000' "$B")" ''
is 'the files' "$(ls "$B" | grep -v '^unit.txt' | tr '\n' ' ')" "cgroups.txt cni.txt config.txt \
containers.json daemons.txt disk.txt flight.txt image_fs.json images.json kernel.txt log.txt loop.json \
metrics.txt mounts.txt nftables.txt pods.json problems.txt programs.txt pulls.json registries.txt state.json status.json \
version.json "
words() { jq -r "$1" "$B/$2" | tr '\n' ' '; }
is 'versions' "$(words '.runtimeName, .client' version.json)" "crisp $("$BUILD/crisp" --version | cut -d' ' -f2) "
is 'a condition' "$(words '.status.conditions[] | select(.type == "RuntimeReady").status' status.json)" 'true '
is 'the configuration' "$(words .info.config.root status.json)" "$T/root "
is 'the pod, with its address' "$(words '.items[0] | .id, .metadata.name, .status.network.ip' pods.json)" \
	"$pod a $($CRICTL inspectp "$pod" | jq -r .status.network.ip) "
is 'the container, with its state' "$(words '.containers[0] | .id, .metadata.name, .status.state' containers.json)" \
	"$c c CONTAINER_RUNNING "
ok 'the image' grep -q "$REGISTRY/busybox:latest" "$B/images.json"
is 'the operations' "$(jq .containers.running "$B/state.json")" 1
ok 'metrics' grep -q '^crisp_build_info' "$B/metrics.txt"
ok 'the end of the log' grep -q 'method=PullImage' "$B/log.txt"
ok 'an error of the log stays, without its secret' grep -q '\[removed\]@127.0.0.1:1/a' "$B/log.txt"
ok 'the group of the container' grep -q "$CGROUP.*$c.* processes=1" "$B/cgroups.txt"
ok 'mounts' grep -q "$T/state/containers/$c" "$B/mounts.txt"
ok 'disk' grep -q "^$T/root: .* bytes are free" "$B/disk.txt"
ok 'the daemons, and what they wait in' grep -q "^Name:[[:space:]]*crispd" "$B/daemons.txt"
ok 'runtimes' grep -q '^runc version' "$B/programs.txt"
ok 'the file of the configuration' grep -q "^root: $T/root" "$B/config.txt"
ok 'a file of its directory' grep -q '^netns_pool: 3 *$' "$B/config.txt"
like 'hosts.toml without headers' "$(cat "$B/registries.txt")" 'capabilities = \["pull", "resolve"\]'
unlike 'no header has a line' "$(cat "$B/registries.txt")" 'authorization|client'
like 'the networks' "$(cat "$B/cni.txt")" '"k8s_auth_token": "\[removed\]"'
notok 'a file that is there is not overwritten' "$BUILD/crisp" debug bundle -o "$T/one.tar.gz"
is 'only bundle' "$("$BUILD/crisp" debug else 2>&1 | head -1)" 'crisp debug: expected: `bundle`'

# A daemon that does not answer: the node is told all the same, and what is missing.
kill -STOP "$(crispd_pid)"
is 'a daemon that hangs' "$(unpacked two --timeout 1)" "$T/two.tar.gz"
kill -CONT "$(crispd_pid)"
like 'is a problem' "$(cat "$T/two/problems.txt")" '^/debug/state: no answer'
like 'is asked for nothing more' "$(cat "$T/two/problems.txt")" '^daemon: it was asked for nothing more'
ok 'the directories are those of its configuration' grep -q "^$T/root: .* bytes are free" "$T/two/disk.txt"
ok 'its state' grep -q '^State:.*stopped' "$T/two/daemons.txt"
ok 'the log' grep -q 'method=PullImage' "$T/two/log.txt"
like 'what was done for the pod' "$(cat "$T/two/flight.txt")" \
	'^20[0-9-]+T[0-9:]+\.[0-9]{3}Z kind=rpc stage=RunPodSandbox took_us=[0-9]+ pod="default/a" sandbox='
ok 'runtimes too' grep -q '^runc version' "$T/two/programs.txt"
is 'no secret is in it either' "$(grep -rno "$S[a-z-]*" "$T/two"; grep -rn "$base64" "$T/two")" ''
until_ok 10 crisp_ready

# Nothing there at all.
without_daemon() { CRISP_ADDRESS=unix://$T/nowhere/crisp.sock unpacked three; }
is 'without a daemon' "$(without_daemon)" "$T/three.tar.gz"
like 'it says so' "$(cat "$T/three/problems.txt")" '^Version: .*No such file'
ok 'the node is told' test -s "$T/three/kernel.txt"
crisp_clean
