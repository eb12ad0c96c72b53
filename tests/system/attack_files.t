# attack_files.t - files of the node that crispd reads (CNI's directory and programs, hosts.toml and CAs, /etc/hosts, a runtime, CDI's
# directory, its own configuration) on a FUSE file system that never answers: what needs such a file fails by name, all else goes on.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

[ -c /dev/fuse ] && grep -qw fuse /proc/filesystems || { echo '1..0 # SKIP no FUSE here'; exit 0; }
LEVEL=info
gcc -w -O1 -o "$T/mute" "$ROOT/tests/tools/mute_fuse.c"
MUTES=
# mute PATH: a file system that never answers, upon a directory or a file.
mute() {
	"$T/mute" "$1" >"$T/mute.out" 2>&1 &
	MUTES="$MUTES $!"
	ok "$1 never answers" until_ok 10 grep -q up "$T/mute.out"
}
# unmute PATH: its server ends; what waited for it gets an error.
unmute() { kill $MUTES; wait $MUTES 2>/dev/null; MUTES=; ok "$1 is unmounted" until_ok 10 umount "$1"; }

mkdir "$T/fuse" "$T/bin" "$T/cni" "$T/cni.raw"
mount --bind "$T/cni" "$T/cni.raw"
# The CNI directory is covered and uncovered; the directory below it, which is watched, tells of it.
cni_hangs() { mount --bind "$T/fuse" "$T/cni"; date >"$T/cni.raw/poke"; }
cni_answers() { umount -l "$T/cni"; date >"$T/cni.raw/poke"; }
ln -s "$T/fuse/runc" "$T/bin/mute-runc"
certificate() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -addext 'subjectAltName=IP:127.0.0.1' \
	-keyout "$T/tls.key" -out "$T/tls.crt" 2>/dev/null; }
certificate first
mkdir "$T/plugins" "$T/other"
crisp_config "network: cni" "cdi: {spec_dirs: [$T/cdi]}" "stream: {tls_cert: $T/tls.crt, tls_key: $T/tls.key}" \
	"runtimes: {runc: {type: oci, path: ${RUNC:-/usr/sbin/runc}}, mute: {type: oci, path: $T/bin/mute-runc}, away: {type: oci, path: ${RUNC:-/usr/sbin/runc}, cni_conf_dir: $T/other/net.d}}"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/plugins, |" "$T/config.yaml"
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
pod_json mute >/dev/null
jq -n '{metadata:{name:"node",uid:"node-uid",namespace:"default",attempt:1},linux:{security_context:{namespace_options:{network:2,pid:1}}}}' \
	>"$T/node.pod.json"

ms() { echo $((($(date +%s%N) - $1) / 1000000)); }
quick() { local t; t=$(date +%s%N); "$@" >/dev/null && [ "$(ms "$t")" -lt $((1500 * ${SLOW:-1})) ]; }
LONG="-t $((50 * ${SLOW:-1}))s" # of crictl
try() {
	local n=$1 t; shift; t=$(date +%s%N)
	{ timeout $((60 * ${SLOW:-1})) "$@" >"$T/$n.out" 2>&1; echo $? >"$T/$n.rc"; ms "$t" >"$T/$n.ms"; } &
}
ended() { [ -s "$T/$1.ms" ]; }
network_says() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "NetworkReady") | "\(.status) \(.message)"'; }
network_is() { [[ "$(network_says)" =~ $1 ]]; }
a_pod_runs() { # NAME [CONFIG]: it starts, quickly, and is removed
	local t p; t=$(date +%s%N)
	p=$($CRICTL runp "${2:-$(pod_json "$1")}") && [ "$(ms "$t")" -lt $((5000 * ${SLOW:-1})) ] && $CRICTL rmp -f "$p" >/dev/null
}

ok 'the network is ready' network_is '^true'
mute "$T/fuse"
ok 'Status has a runtime there and answers' quick $CRICTL info

# ---- CNI: its directory, while crispd runs. What was read before counts.
cni_hangs
ok 'the CNI directory: it is named' until_ok 30 network_is "^true what was read before is used: look up $T/cni: .*(did|still does) not answer"
ok 'Version answers' quick $CRICTL version
ok 'Status answers' quick $CRICTL info
ok 'a pod gets its network all the same' a_pod_runs known
cni_answers
ok 'it is back, and read again' until_ok 30 network_is '^true $'
# ---- a file of it
ln -s "$T/fuse/x.conflist" "$T/cni/00.conflist"
ok 'a CNI file: it is named' until_ok 30 network_is "look up $T/cni/00.conflist: .*(did|still does) not answer"
ok 'Version answers' quick $CRICTL version
rm "$T/cni/00.conflist"
ok 'the network is ready again' until_ok 30 network_is '^true $'

# ---- a start of crispd on such a CNI directory: nothing was read before
cni_hangs
kill_crispd
ok 'Version answers after a start' quick $CRICTL version
ok 'a pod on the network of the node runs' a_pod_runs node "$T/node.pod.json"
try cni $CRICTL $LONG runp "$(pod_json cni)"
ok 'a pod with a network of its own is answered' until_ok 30 ended cni
like 'by an error that names the directory' "$(cat "$T/cni.out")" "look up $T/cni: its file system (has not answered so far|did not answer|still does not answer)"
ok 'and so does Status' until_ok 30 network_is "^false look up $T/cni: its file system (did not|still does not) answer"
cni_answers
ok 'the network comes' until_ok 30 network_is '^true $'

# ---- registries
mkdir -p "$T/certs.d/b.example"
ln -s "$T/fuse" "$T/certs.d/a.example"
printf 'server = "https://127.0.0.1:1"\nca = "%s"\n' "$T/fuse/ca.pem" >"$T/certs.d/b.example/hosts.toml"
try hosts $CRICTL $LONG pull a.example/x:1
try ca $CRICTL $LONG pull b.example/x:1
# ---- a runtime, and the directory of CDI
ln -s "$T/fuse" "$T/cdi"
host=$($CRICTL runp "$T/node.pod.json")
try cdi $CRICTL $LONG create "$host" "$(ctr_json cdi 'exec sleep 100' '"CDI_devices":[{"name":"vendor.com/class=one"}]')" "$T/node.pod.json"
# ---- its own configuration
cp "$T/config.yaml" "$T/config.good"; rm "$T/config.yaml"; ln -s "$T/fuse/config.yaml" "$T/config.yaml"
kill -HUP "$(crispd_pid)"
ok 'they wait in children' until_ok 5 sh -c '[ "$(pgrep -fc "^[^ ]*(crisp-lookup|crispd --check)")" -ge 4 ]'
ok 'Version answers' quick $CRICTL version
ok 'another pod starts' a_pod_runs other
ok 'a pull elsewhere goes on' $CRICTL pull "$REGISTRY/busybox:latest"
for n in hosts ca cdi; do
	ok "$n: it is answered" until_ok 30 ended $n
	like "$n: by an error that names the path" "$(cat "$T/$n.out")" "DeadlineExceeded.*look up $T/(certs.d/a.example|fuse/ca.pem|cdi).*(did|still does) not answer"
done
ok 'a reload is refused by name' until_ok 20 grep -q "reload_refused.*look up $T/config.yaml: its file system did not answer" "$T/crisp.log"
rm "$T/config.yaml"; cp "$T/config.good" "$T/config.yaml"
try runtime $CRICTL $LONG runp --runtime mute "$T/mute.pod.json"
ok 'a runtime: it is answered' until_ok 30 ended runtime
like 'by an error that names the program' "$(cat "$T/runtime.out")" "runtime handler mute: look up $T/bin/mute-runc: its file system (did|does|has|still) "
# ---- the certificate of the streaming server: the one that was read before counts
served=$($CRICTL create "$host" "$(ctr_json served 'exec sleep 1000')" "$T/node.pod.json")
$CRICTL start "$served" >/dev/null
shown() {
	rpc Exec "container_id: \"$served\" cmd: \"true\" stdout: true"
	timeout $((20 * ${SLOW:-1})) openssl s_client -connect "$(sed -nE 's,.*https://([^/]+)/.*,\1,p' <<<"$answer")" </dev/null 2>/dev/null |
		openssl x509 -noout -subject
}
like 'the certificate that is served' "$(shown)" first
rm "$T/tls.crt"; ln -s "$T/fuse/tls.crt" "$T/tls.crt"
like 'its file does not answer: the same is served' "$(shown)" first
ok 'Version answers' quick $CRICTL version
# ---- the networks of one handler
ln -s "$T/fuse" "$T/other/net.d"
try away $CRICTL $LONG runp --runtime away "$(pod_json away)"
ok 'the networks of a handler: it is answered' until_ok 30 ended away
like 'by an error that names the directory' "$(cat "$T/away.out")" "$T/other/net.d is not on a file system of the node"
ok 'Version answers' quick $CRICTL version
# ---- a plugin
ln -s "$T/fuse/bridge" "$T/plugins/bridge"
try plugin $CRICTL $LONG runp "$(pod_json plugin)"
ok 'Version answers' quick $CRICTL version
ok 'a plugin: it is answered' until_ok 60 ended plugin
ok 'the network is not ready, and the plugin is named' until_ok 30 network_is "look up $T/plugins/bridge: .*(did|still does|has) not answer"
ok 'Version answers' quick $CRICTL version
rm "$T/plugins/bridge"
ok 'the network is ready once it is away' until_ok 30 network_is '^true $'
unmute "$T/fuse"
rm "$T/certs.d/a.example" "$T/cdi"

# ---- /etc/hosts: its file system is seen in this test only
mute /etc/hosts
try etc $CRICTL $LONG runp "$(pod_json etc)"
ok 'Version answers' quick $CRICTL version
ok 'a container of another pod starts' sh -c "c=\$($CRICTL create '$host' '$(ctr_json run 'exec sleep 100')' '$T/node.pod.json') && $CRICTL start \$c"
ok 'it is answered' until_ok 30 ended etc
like 'by an error that names the file' "$(cat "$T/etc.out")" 'DeadlineExceeded.*look up /etc/hosts: its file system did not answer'
unmute /etc/hosts
umount "$T/cni.raw"
ok 'afterwards pods start' a_pod_runs after
ok 'no child is left' until_ok 20 sh -c '! pgrep -f "^[^ ]*crisp-lookup"'
wait $(jobs -p | grep -vx "$KEEPER")
crisp_clean
