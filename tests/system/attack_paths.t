# attack_paths.t - pods whose paths lead into a FUSE file system that never answers: each such request fails by name, and nothing else
# notices. The server takes requests and answers none, so a process that waits for it cannot be killed.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

[ -c /dev/fuse ] && grep -qw fuse /proc/filesystems || { echo '1..0 # SKIP no FUSE here'; exit 0; }
LEVEL=info
mkdir "$T/cdi"
crisp_up "cdi: {spec_dirs: [$T/cdi]}" 'checkpoint: {enabled: true}'
gcc -w -O1 -o "$T/mute" "$ROOT/tests/tools/mute_fuse.c"
mkdir "$T/fuse"
"$T/mute" "$T/fuse" >"$T/mute.out" &
MUTE=$!
ok 'a FUSE file system is there that never answers' until_ok 10 grep -q up "$T/mute.out"

MAPS='[{"host_id":200000,"container_id":0,"length":65536}]'
USERNS='"userns_options":{"mode":0,"uids":'$MAPS',"gids":'$MAPS'}'
ms() { echo $((($(date +%s%N) - $1) / 1000000)); }
version_is_fast() { local t; t=$(date +%s%N); $CRICTL version >/dev/null && [ "$(ms "$t")" -lt $((1500 * ${SLOW:-1})) ]; }
lookups() { pgrep -fc "^[^ ]*crisp-lookup" || true; }

# try NAME COMMAND...: in the background; its words, its exit status and its time are in files.
LONG="-t $((50 * ${SLOW:-1}))s" # of crictl
try() {
	local n=$1 t; shift; t=$(date +%s%N)
	{ timeout $((60 * ${SLOW:-1})) "$@" >"$T/$n.out" 2>&1; echo $? >"$T/$n.rc"; ms "$t" >"$T/$n.ms"; } &
}
ended() { [ -s "$T/$1.ms" ]; }

host=$($CRICTL runp "$(pod_json host)")
pod_json user >/dev/null
jq --argjson l "{\"security_context\":{\"namespace_options\":{\"pid\":1,$USERNS}}}" '.linux = $l' "$T/user.pod.json" >"$T/x.json" && mv "$T/x.json" "$T/user.pod.json"
until_ok 10 sh -c "$CRICTL info | jq -e '.runtimeHandlers[] | select(.name == \"runc\") | .features.user_namespaces'"
user=$($CRICTL runp --runtime runc "$T/user.pod.json")
pod_json logs >/dev/null
jq --arg d "$T/fuse/logs" '.log_directory = $d' "$T/logs.pod.json" >"$T/x.json" && mv "$T/x.json" "$T/logs.pod.json"
logs=$($CRICTL runp "$T/logs.pod.json")
ln -s "$T/fuse/device.json" "$T/cdi/device.json"
logger=$($CRICTL create "$logs" "$(ctr_json logger 'exec sleep 100')" "$T/logs.pod.json")

archives=$($CRICTL runp "$(pod_json archives)")
runs=$($CRICTL create "$archives" "$(ctr_json runs 'exec sleep 1000')" "$T/archives.pod.json")
$CRICTL start "$runs" >/dev/null
try user $CRICTL $LONG create "$user" "$(ctr_json user 'exec sleep 100' \
	'"linux":{"security_context":{"namespace_options":{"pid":1,'"$USERNS"'}}},
	"mounts":[{"container_path":"/v","host_path":"'"$T"'/fuse/volume","uidMappings":'"$MAPS"',"gidMappings":'"$MAPS"'}]')" "$T/user.pod.json"
try plain $CRICTL $LONG create "$host" "$(ctr_json plain 'exec sleep 100' \
	'"mounts":[{"container_path":"/v","host_path":"'"$T"'/fuse/other"}]')" "$T/host.pod.json"
try profile $CRICTL $LONG create "$host" "$(ctr_json profile 'exec sleep 100' \
	'"linux":{"security_context":{"seccomp":{"profile_type":2,"localhost_ref":"'"$T"'/fuse/profile.json"}}}')" "$T/host.pod.json"
try device $CRICTL $LONG create "$host" "$(ctr_json device 'exec sleep 100' \
	'"devices":[{"host_path":"'"$T"'/fuse/device","container_path":"/dev/x"}]')" "$T/host.pod.json"
try cdi $CRICTL $LONG create "$host" "$(ctr_json cdi 'exec sleep 100' '"CDI_devices":[{"name":"vendor.com/class=one"}]')" "$T/host.pod.json"
try log $CRICTL $LONG start "$logger"
try checkpoint $CRICTL $LONG checkpoint --export "$T/fuse/to.tar" "$runs"
sed "s#$REGISTRY/busybox:latest#$T/fuse/from.tar#" "$T/runs.ctr.json" | jq -c '.metadata.name = "restore"' >"$T/restore.ctr.json"
try restore $CRICTL $LONG create "$archives" "$T/restore.ctr.json" "$T/archives.pod.json"
ok 'they wait in children' until_ok 5 sh -c '[ "$(pgrep -fc "^[^ ]*crisp-lookup")" -ge 6 ]'
ok 'Version answers at once' version_is_fast
t=$(date +%s%N)
other=$($CRICTL runp "$(pod_json other)")
ctr=$($CRICTL create "$other" "$(ctr_json other 'echo here; exec sleep 100')" "$T/other.pod.json")
ok 'another pod starts' $CRICTL start "$ctr"
ok 'and is logged' until_ok 5 grep -q here "$T/logs/other.log"
ok "in $(ms "$t") ms, while all of them wait" test ! -e "$T/user.ms"
for n in user plain profile device cdi log checkpoint restore; do
	ok "$n: it is answered" until_ok 30 ended $n
	like "$n: by an error that names the path" "$(cat "$T/$n.out")" "DeadlineExceeded.*look up $T/(fuse|cdi)/.*did not answer"
done
t=$(date +%s%N)
again=$($CRICTL create "$host" "$(ctr_json again 'exec sleep 100' '"mounts":[{"container_path":"/v","host_path":"'"$T"'/fuse/volume"}]')" "$T/host.pod.json" 2>&1)
like 'the same path once more is refused' "$again" "$T/fuse/volume: its file system still does not answer"
ok 'at once' test "$(ms "$t")" -lt $((1500 * ${SLOW:-1}))
for i in 1 2 3 4 5; do
	try "more$i" $CRICTL $LONG create "$other" "$(ctr_json "more$i" 'exec sleep 100' \
		'"mounts":[{"container_path":"/v","host_path":"'"$T"'/fuse/more'$i'"}]')" "$T/other.pod.json"
done
ok 'a pod with too many of them is refused' until_ok 5 grep -q 'ResourceExhausted.*4 of them of one owner' "$T/more1.out" "$T/more2.out" "$T/more3.out" "$T/more4.out" "$T/more5.out"
ok 'while it goes on' $CRICTL exec -s "$ctr" true

# The root of the file system is known without its server, so here the runtime is stuck. Each of them gives its slot back.
for i in 1 2 3 4 5; do
	stuck=$($CRICTL create "$host" "$(ctr_json "stuck$i" 'exec sleep 100' '"mounts":[{"container_path":"/v","host_path":"'"$T"'/fuse"}]')" "$T/host.pod.json")
	try "stuck$i" $CRICTL $LONG start "$stuck"
done
last=$($CRICTL create "$other" "$(ctr_json last 'exec sleep 100')" "$T/other.pod.json")
t=$(date +%s%N)
ok 'a container starts while five runtimes are stuck' timeout $((20 * ${SLOW:-1})) $CRICTL -t $((20 * ${SLOW:-1}))s start "$last"
ok "in $(ms "$t") ms" test "$(ms "$t")" -lt $((8000 * ${SLOW:-1}))
ok 'Version answers at once' version_is_fast

kill $MUTE; wait $MUTE 2>/dev/null
for i in 1 2 3 4 5; do ok "stuck $i: it is answered" until_ok 20 ended "stuck$i"; done
ok 'no child is left' until_ok 20 sh -c '! pgrep -f "^[^ ]*crisp-lookup"'
umount "$T/fuse"
mkdir "$T/fuse/volume"
ok 'afterwards the same path is a volume' $CRICTL create "$host" "$(ctr_json after 'exec sleep 100' '"mounts":[{"container_path":"/v","host_path":"'"$T"'/fuse/volume"}]')" "$T/host.pod.json"
wait $(jobs -p | grep -vx "$KEEPER")
crisp_clean
