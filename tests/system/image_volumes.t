# image_volumes.t - the VOLUMEs of an image: a directory of the container's own, filled with what the image has there, or what
# images.volumes says instead.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config 'images: {max_layer_bytes: 24MiB}'
cni_config
crisp_start || exit 1

base=$(jq -c '.[0].layers' "$ROOT/tests/images/busybox.json")
push() { # NAME VOLUMES LAYERS (of jq)
	jq -n --argjson base "$base" --arg n "$1" --argjson v "$2" --argjson l "$(jq -nc "$3")" \
		'[{repo: $n, config: {Env: ["PATH=/bin"], Cmd: ["sh"], Volumes: ($v | map({(.): {}}) | add)}, layers: ($base + $l)}]' |
		"$IMAGE" --registry "$REGISTRY" - >/dev/null && $CRICTL pull "$REGISTRY/$1" >/dev/null
}
push vols '["/data", "/empty", "/link/vol/", "rel", "/", "/esc", "/data", "/tmp/../deep/er"]' '[
	{entries: [{path: "data", type: "dir"}, {path: "data/old", data: "lower"}, {path: "data/gone", data: "x"}, {path: "data/sub", type: "dir"},
	 {path: "data/sub/f", data: "lower"}, {path: "data/o", type: "dir"}, {path: "data/o/hidden", data: "x"}, {path: "real", type: "dir"},
	 {path: "link", type: "symlink", target: "/real"}, {path: "real/vol", type: "dir", uid: 5}, {path: "real/vol/in", data: "linked"},
	 {path: "rel", type: "dir"}, {path: "esc", type: "symlink", target: "../../../../../../etc"}]},
	{entries: [{path: "data", type: "dir", uid: 1000, gid: 1001, mode: 1448}, {path: "data/.wh.gone"}, {path: "data/o", type: "dir"}, {path: "data/o/.wh..wh..opq"},
	 {path: "data/new", data: "upper", uid: 1000, mode: 2541, mtime: 1000000000}, {path: "data/sym", type: "symlink", target: "old"},
	 {path: "data/pipe", type: "fifo"}, {path: "data/twin", type: "link", target: "data/new"},
	 {path: "data/attr", data: "x", xattrs: {"user.note": "hello"}}]}]'
pod=$($CRICTL runp "$(pod_json p)")
# run NAME IMAGE SCRIPT [EXTRA]: sets $c, a container that runs.
run() {
	ctr_json "$1" "$3" "\"image\":{\"image\":\"$REGISTRY/$2:latest\"}${4:+,$4}" >/dev/null
	c=$($CRICTL create "${POD:-$pod}" "$T/$1.ctr.json" "$T/${PODNAME:-p}.pod.json" 2>"$T/err") && $CRICTL start "$c" >/dev/null 2>"$T/err" || { cat "$T/err"; return 1; }
}
runs() { local w=$1; shift; c=; if run "$@" >"$T/said"; then pass "$w"; else fail "$w" "$(cat "$T/said")"; fi; }
in_() { $CRICTL exec -s "$c" sh -c "$1" 2>&1 | head -c -1; }
volumes_on_disk() { find "$T/root/snapshots" -mindepth 2 -maxdepth 2 -name volumes | wc -l; }
none_on_disk() { [ -z "$(find "$T/root/ingest" "$T/root/gone" -mindepth 1 -maxdepth 1)$(find "$T/root/snapshots" -mindepth 2 -name volumes)" ]; }

for h in runc crun native; do
	POD=$($CRICTL runp --runtime $h "$(pod_json "p-$h" '"linux":{"security_context":{"privileged":true}}')") PODNAME=p-$h
	runs "$h: starts" "a-$h" vols 'exec sleep 1000' '"linux":{"security_context":{"readonly_rootfs":true,"privileged":true}}'
	is "$h: what the image has, merged" "$(in_ 'cd /data; ls -A | xargs; cat old new twin sub/f; ls -A o')" 'attr new o old pipe sub sym twin
lowerupperupperlower'
	is "$h: owners, modes, times, links" "$(in_ 'cd /data; stat -c "%u:%g %a" . ; stat -c "%u %a %Y %h" new; readlink sym; stat -c %F pipe')" '1000:1001 2650
1000 4755 1000000000 2
old
fifo'
	is "$h: one in no layer is empty" "$(in_ 'stat -c "%u:%g %a" /empty; ls -A /empty')" '0:0 755'
	is "$h: links above it are followed, inside the image" "$(in_ 'cat /link/vol/in /real/vol/in; stat -c %u /real/vol; ls -d /deep/er')" 'linkedlinked5
/deep/er'
	is "$h: a link that leads out leads to the /etc of the image" "$(in_ 'ls /esc | grep -c shadow; true')" 0
	ok "$h: with a read-only root it can be written to" $CRICTL exec -s "$c" sh -c 'echo mine >/data/mine && echo mine >/rel/mine && echo mine >/empty/mine'
	notok "$h: the root cannot" $CRICTL exec -s "$c" touch /x
	ok "$h: an overlay can be made upon it" $CRICTL exec -s "$c" sh -c 'mkdir /data/l /data/u /data/w /data/m && mount -t overlay -o lowerdir=/data/l,upperdir=/data/u,workdir=/data/w o /data/m && touch /data/m/x && umount /data/m'
	runs "$h: another container of the image" "b-$h" vols 'exec sleep 1000'
	is "$h: has its own" "$(in_ 'ls /data/mine 2>&1; ls -A /empty')" 'ls: /data/mine: No such file or directory'
	runs "$h: a mount of the pod wins" "m-$h" vols 'exec sleep 1000' "\"mounts\":[{\"container_path\":\"/data/\",\"host_path\":\"$T/cni\"}]"
	is "$h: its files are there" "$(in_ 'ls /data')" "$(ls "$T/cni")"
done
POD='' PODNAME=''
is 'each container has them beside its snapshot' "$(volumes_on_disk)" 9

# What is written there counts for the container.
run big vols 'dd if=/dev/zero of=/empty/big bs=1M count=30 2>/dev/null; echo done; exec sleep 1000'
until_ok 10 grep -q done "$T/logs/big.log"
used() { [ "$($CRICTL stats -o json "$c" | jq -r '.stats[0].writableLayer.usedBytes.value')" -gt 30000000 ]; }
ok 'usage counts it' until_ok 30 used

# What cannot be a volume.
push file '["/etc/passwd"]' '[{entries: [{path: "etc/passwd", data: "root:x:0:0::/:/bin/sh\n"}]}]'
notok 'a file of the image is no volume' run file file true
like 'and is named' "$(cat "$T/err")" 'InvalidArgument.*VOLUME .*/etc/passwd.*: the image has a file there'
push many "$(jq -nc '[range(300) | "/v\(.)"]')" '[{entries: [{path: "x"}]}]'
notok 'very many volumes' run many many true
like 'are refused' "$(cat "$T/err")" 'InvalidArgument.*more than 256 VOLUMEs'
jq -nc '[{entries: ([{path: "data", type: "dir"}] + [range(20) | {path: "data/f\(.)", size: 2000000}])}]' >"$T/large.json"
crisp_stop; sed -i 's/max_layer_bytes: 24MiB/max_layer_bytes: 64MiB/' "$T/config.yaml"; crisp_start
push large '["/data"]' "$(cat "$T/large.json")"
crisp_stop; sed -i 's/max_layer_bytes: 64MiB/max_layer_bytes: 24MiB/' "$T/config.yaml"; crisp_start
notok 'more than max_layer_bytes' run large large true
like 'is refused' "$(cat "$T/err")" 'ResourceExhausted.*more than max_layer_bytes'
is 'nothing of these is left' "$(find "$T/root/ingest" -mindepth 1 | wc -l) $($CRICTL ps -aq --name 'file|many|large' | wc -l)" '0 0'

# crispd is killed while it waits for the copy: nothing is left of the container, and the retry makes it.
crisp_stop; sed -i 's/max_layer_bytes: 24MiB/max_layer_bytes: 64MiB/' "$T/config.yaml"; crisp_start
count='ls /data | wc -l; cat /data/* | wc -c'
ctr_json cut "$count" "\"image\":{\"image\":\"$REGISTRY/large:latest\"}" >/dev/null
copying() { [ -n "$(find "$T/root/ingest" -mindepth 1 -maxdepth 1)" ]; }
$CRICTL create "$pod" "$T/cut.ctr.json" "$T/p.pod.json" >/dev/null 2>&1 & creating=$!
if until_ok 5 copying; then kill -9 "$(crispd_pid)"; wait $creating; else wait $creating; fi
ok 'crispd is back' until_ok 20 crisp_ready
run cut large "$count"
ok 'the retry starts it' until_ok 20 exited "$c"
is 'with the whole content' "$(log_text cut | xargs)" '20 40000000'
is 'one container has that name' "$($CRICTL ps -aq --name cut | wc -l)" 1

# A pod with a user namespace: the owners are shifted.
MAPS='[{"host_id":300000,"container_id":0,"length":65536}]'
USERNS='"namespace_options":{"userns_options":{"mode":0,"uids":'$MAPS',"gids":'$MAPS'}}'
POD=$($CRICTL runp --runtime crun "$(pod_json u "\"linux\":{\"security_context\":{$USERNS}}")") PODNAME=u
runs 'with a user namespace' user vols 'exec sleep 1000' "\"linux\":{\"security_context\":{$USERNS}}"
is 'owners are shifted' "$(in_ 'stat -c %u:%g /data /empty; stat -c "%u %a" /data/new')" '1000:1001
0:0
1000 4755'
ok 'and it can be written to' $CRICTL exec -s "$c" sh -c 'echo x >/empty/x'
is 'on disk by an id of the pod' "$(stat -c %u "$T/root/snapshots/$c/volumes/1/x")" 300000
POD='' PODNAME=''

# mkdir and ignore.
way() { crisp_stop; sed -i "s/^images: .*/images: {volumes: $1}/" "$T/config.yaml"; crisp_start; }
way mkdir
run mk vols 'stat -c "%u:%g %a" /empty /deep/er /data; cat /data/old; echo; echo x >/empty/x; mount | grep -c " /empty "'
until_ok 10 exited "$c"
is 'mkdir: a directory in the root file system' "$(log_text mk | xargs)" '0:0 755 0:0 755 1000:1001 2650 lower 0'
way ignore
run ig vols 'ls -d /empty /data 2>&1'
until_ok 10 exited "$c"
is 'ignore: nothing' "$(log_text ig | xargs)" 'ls: /empty: No such file or directory /data'

$CRICTL rmp -fa >/dev/null 2>&1
ok 'volumes go with their containers' until_ok 20 none_on_disk
crisp_stop
crisp_clean
