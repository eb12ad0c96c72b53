# layers_check.t - crisp check --layers: whatever is changed in a layer on the disk is found, and pulled again on request; what runs, runs on.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
check() { CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" check --layers "$@" 2>&1; }
# said WANT-EXIT [OPTION]: the findings on one line, when the exit code is that.
said() { local want=$1 out rc; shift; out=$(check "$@"); rc=$?; [ $rc = "$want" ] || echo "exit $rc"; tr -s ' \n' ' ' <<<"$out"; }
# dirs REF: the directories of an image's layers, lowest first.
dirs() { jq -r --arg t "$1" 'select((.tags // []) + (.digests // []) | index($t)) | .layers[]' "$T"/root/images/*.json; }
top() { dirs "$1" | tail -1; }
push() { "$IMAGE" --registry "$REGISTRY" - >/dev/null; }
A=$REGISTRY/a:latest B=$REGISTRY/b:latest
base=$(jq -c '.[0].layers' "$ROOT/tests/images/busybox.json")
# a: a self-contained layer of many kinds on top. b: one that needs its parents (a hard link into them, a directory that it does not name).
jq -n --argjson base "$base" '[{repo: "a", config: {Env: ["PATH=/bin"]}, layers: ($base + [{entries: [
	{path: "d", type: "dir"}, {path: "d/file", data: "the content"}, {path: "d/same", type: "link", target: "d/file"}, {path: "empty", data: ""},
	{path: "sym", type: "symlink", target: "d/file"}, {path: "attr", data: "x", xattrs: {"user.note": "hello"}}, {path: "o", type: "dir"}, {path: "o/.wh..wh..opq"},
	{path: ".wh.etc"}, {path: "pipe", type: "fifo"}, {path: "large", size: 3000000}]}])},
  {repo: "b", config: {Env: ["PATH=/bin"]}, layers: ($base + [{entries: [{path: "e", type: "dir"}, {path: "e/file", data: "in a parent"}]},
	{entries: [{path: "e/mine", data: "needs its parent"}, {path: "again", type: "link", target: "e/file"}]}])}]' | push
ok 'pull a' $CRICTL pull "$A"
ok 'pull b' $CRICTL pull "$B"
n=$(ls "$T/root/layers" | wc -l)
is 'nothing is wrong' "$(said 0)" "layers $n were verified, 0 were not: an older crisp unpacked them "
is 'each layer has a sum' "$(jq -r .sum "$T"/root/layer-records/*.json | grep -c '^sha256:')" "$n"

# Each kind of change; the change is taken back, so that the sum shows that nothing else matters.
L=$T/root/layers/$(top "$A")
flip() { printf "\\x$2" | dd of="$L/large" bs=1 seek="$1" conv=notrunc status=none; } # one bit, back by the same
sums() { "$BUILD/crisp-unpack" sum "$T/root" "$(top "$A")" | sed -n 's/.*digest=//p'; }
was=$(sums)
is 'the sum is that of the record' "$was" "$(jq -r .sum "$T/root/layer-records/$(top "$A").json")"
# changed WORDS DO UNDO
changed() { eval "$2"; local now; now=$(sums); eval "$3"; ok "$1 changes the sum" [ -n "$now" -a "$now" != "$was" ]; is "$1: taken back" "$(sums)" "$was"; }
byte=$(dd if="$L/large" bs=1 skip=2000000 count=1 status=none | od -An -tu1 | tr -d ' ')
changed 'one bit' "flip 2000000 $(printf %02x $((byte ^ 1)))" "flip 2000000 $(printf %02x "$byte")"
changed 'a missing file' "mv $L/empty $T/empty" "mv $T/empty $L/empty"
changed 'an extra file' "touch $L/d/extra" "rm $L/d/extra"
changed 'a mode' "chmod 600 $L/d/file" "chmod 644 $L/d/file"
changed 'an owner' "chown 1 $L/d" "chown 0 $L/d"
changed 'an attribute' "setfattr -n user.note -v other $L/attr" "setfattr -n user.note -v hello $L/attr"
changed 'an opaque mark' "setfattr -x trusted.overlay.opaque $L/o" "setfattr -n trusted.overlay.opaque -v y $L/o"
changed 'a whiteout that is none' "rm $L/etc; mknod $L/etc c 1 3" "rm $L/etc; mknod $L/etc c 0 0; chmod $(stat -c %a "$L/etc") $L/etc"
changed 'a link' "ln -sfn elsewhere $L/sym" "ln -sfn d/file $L/sym"
changed 'a hard link that is a copy' "cp -p $L/d/same $T/same; rm $L/d/same; cp -p $T/same $L/d/same" "ln -f $L/d/file $L/d/same"
changed 'a shorter file' "truncate -s 2999999 $L/large" "truncate -s 3000000 $L/large; flip 2999999 $(dd if="$L/large" bs=1 skip=2999999 count=1 status=none | od -An -tx1 | tr -d ' ')"
touch "$L/d"; cp -p "$L/large" "$T/large"; fallocate -d "$L/large"
is 'times and holes do not' "$(sums)" "$was"

# A broken layer below a container that runs.
pod=$($CRICTL runp "$(pod_json p)")
ctr=$($CRICTL create "$pod" "$(ctr_json run 'while :; do sleep 0.1; done' "\"image\":{\"image\":\"$A\"}")" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
chmod 600 "$L/d/file"; old=$(top "$A")
like 'it is found' "$(said 1)" "^wrong layer $old is not as it was unpacked; image $A has it; 1 containers run on it until they are made anew layers $n were verified"
is 'it is marked' "$(jq .broken "$T/root/layer-records/$old.json")" true
like 'it is not read again' "$(said 1)" "^wrong layer $old was broken already; .* layers $((n - 1)) were verified"
like '--repair pulls it again' "$(said 0 --repair)" "^mended layer $old was broken already; 1 containers run on it until they are made anew layers $((n - 1)) were"
new=$(top "$A")
ok 'the image has another directory' [ "$new" != "$old" -a -d "$T/root/layers/$new" ]
is 'its other layers are the same' "$(dirs "$A" | head -1)" "$(dirs "$B" | head -1)"
is 'the mode is the right one' "$(stat -c %a "$T/root/layers/$new/d/file")" 644
is 'the container runs on, on what it had' "$($CRICTL exec -s "$ctr" busybox stat -c %a /d/file)" 600
ok 'and its layer is there' [ -d "$T/root/layers/$old" ]
like 'which is told until it is gone' "$(said 1)" "^wrong layer $old was broken already; 1 containers run on it"
c2=$($CRICTL create "$pod" "$(ctr_json second 'stat -c %a /d/file' "\"image\":{\"image\":\"$A\"}")" "$T/p.pod.json")
$CRICTL start "$c2" >/dev/null; until_ok 10 exited "$c2"
is 'a new container has the right one' "$(log_text second)" 644
$CRICTL rm -f "$ctr" "$c2" >/dev/null
ok 'the broken one goes with the last container' until_ok 10 test ! -e "$T/root/layers/$old"
is 'all is well' "$(said 0)" "layers $n were verified, 0 were not: an older crisp unpacked them "

# A layer that was made for its parents: made again from what is fetched, not from what shares its files.
old=$(top "$B"); rm "$T/root/layers/$old/again"; echo other >>"$T/root/layers/$old/e/mine"
like 'a layer with parents' "$(said 0 --repair)" "^mended layer $old is not as it was unpacked layers $n were"
is 'has its files again' "$(cat "$T/root/layers/$(top "$B")"/{again,e/mine})" 'in a parentneeds its parent'
ok 'the old one is gone' until_ok 10 test ! -e "$T/root/layers/$old"

# An image volume keeps the files of its image, also when the image goes.
c3=$($CRICTL create "$pod" "$(ctr_json volume 'while :; do sleep 0.1; done' '"mounts":[{"container_path":"/image","image":{"image":"'"$B"'"}}]')" "$T/p.pod.json")
$CRICTL start "$c3" >/dev/null; old=$(top "$B")
$CRICTL rmi "$B" >/dev/null
is 'an image volume of an image that is removed: its files stay' "$($CRICTL exec -s "$c3" busybox cat /image/e/mine)" 'needs its parent'
ok 'its layers too' [ -d "$T/root/layers/$old" ]
$CRICTL rm -f "$c3" >/dev/null
ok 'they go with the container' until_ok 10 test ! -e "$T/root/layers/$old"
$CRICTL pull "$B" >/dev/null

# A layer of all images, gone whole.
old=$(dirs "$A" | head -1); rm -r "$T/root/layers/$old"
like 'a directory that is gone' "$(said 0 --repair)" "^mended layer $old cannot be read: open layer $old: No such file or directory layers $n were"
is 'every image has the new one' "$(dirs "$A" | head -1) $(ls "$T/root/layers/$(dirs "$A" | head -1)/bin/busybox")" \
	"$(dirs "$B" | head -1) $T/root/layers/$(dirs "$B" | head -1)/bin/busybox"

# Without the registry: told, and still marked. PullImage alone mends as well.
old=$(top "$A"); rm "$T/root/layers/$old/empty"
curl -sf -X DELETE "http://$REGISTRY/v2/a/manifests/$(jq -r --arg t "$A" 'select(.tags // [] | index($t)) | .digests[0]' "$T"/root/images/*.json | cut -d@ -f2)" >/dev/null
like 'the registry does not have it any more' "$(said 1 --repair)" "^wrong layer $old is not .*; image $A has it wrong image sha256:[0-9a-f]* was not pulled again: pull .*"
kill_crispd
is 'the mark outlives crispd' "$(jq .broken "$T/root/layer-records/$old.json")" true
like 'and is heeded' "$(said 1)" "^wrong layer $old was broken already; image $A has it layers"
jq -n --argjson base "$base" '[{repo: "a", config: {Env: ["PATH=/bin"]}, layers: ($base + [{entries: [
	{path: "d", type: "dir"}, {path: "d/file", data: "the content"}, {path: "d/same", type: "link", target: "d/file"}, {path: "empty", data: ""},
	{path: "sym", type: "symlink", target: "d/file"}, {path: "attr", data: "x", xattrs: {"user.note": "hello"}}, {path: "o", type: "dir"}, {path: "o/.wh..wh..opq"},
	{path: ".wh.etc"}, {path: "pipe", type: "fifo"}, {path: "large", size: 3000000}]}])}]' | push
ok 'a pull of the image' $CRICTL pull "$A"
is 'mends it' "$(said 0)" "layers $n were verified, 0 were not: an older crisp unpacked them "

# crispd is killed at each step of a repair: nothing is lost, and the next one ends it.
for point in 0 5 20 60 150; do
	old=$(top "$A"); rm -f "$T/root/layers/$old/empty"
	check --repair >/dev/null & p=$!
	until_ok 5 grep -q "layer_broken dir=$old" "$T/crisp.log"
	for ((i = 0; i < point; i++)); do :; done # a busy wait: the kill comes at some moment of the repair
	kill_crispd; wait $p
	ok "killed after $point: the image is here" $CRICTL inspecti "$A"
	check --repair >/dev/null
	is "killed after $point: all is well" "$(said 0)" "layers $n were verified, 0 were not: an older crisp unpacked them "
done

# Records of an older version, a client that leaves, two clients.
for r in "$T"/root/layer-records/*.json; do jq 'del(.sum)' "$r" >"$T/r" && cp "$T/r" "$r"; done
rm -f "$T"/root/layer-records/*.old; kill_crispd
is 'layers without a sum' "$(said 0)" "layers 0 were verified, $n were not: an older crisp unpacked them "
is 'as JSON' "$(check --json | jq -c .)" "{\"findings\":[],\"layers\":0,\"unverified\":$n}"
for c in $($CRICTL ps -aq); do $CRICTL rm -f "$c" >/dev/null; done
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp "$pod" >/dev/null
crisp_clean
