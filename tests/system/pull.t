# pull.t - image formats and kinds of tar entries, checked from inside a running container.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
cni_config
crisp_start || exit 1

# Formats: OCI and Docker, with and without an index; gzip, zstd and plain layers. Base layers with busybox, the variant on top.
base=$(jq -c '.[0].layers' "$ROOT/tests/images/busybox.json")
variant() { # NAME FORMAT INDEX COMPRESSION
	jq -n --argjson base "$base" --arg n "$1" --arg f "$2" --argjson i "$3" --arg c "$4" \
		'[{repo: $n, format: $f, index: $i, config: {Env: ["PATH=/bin"], Cmd: ["sh"]},
		   layers: ($base + [{compress: $c, entries: [{path: "variant", data: $n}]}])}]' |
		"$IMAGE" --registry "$REGISTRY" - >"$T/$1.digests"
}
variant oci-gzip oci false gzip
variant oci-zstd oci false zstd
variant oci-plain oci false none
variant oci-index oci true gzip
variant docker-gzip docker false gzip
variant docker-zstd docker false zstd
variant docker-index docker true none
pod=$($CRICTL runp "$(pod_json p '"linux":{"security_context":{"namespace_options":{"pid":1,"network":2}}}')")
run_in() { # NAME IMAGE SCRIPT: prints its output
	local c
	jq -n --arg n "$1" --arg i "$2" --arg s "$3" '{metadata:{name:$n,attempt:1},image:{image:$i},command:["sh","-c",$s],log_path:($n + ".log"),linux:{}}' >"$T/$1.ctr.json"
	c=$($CRICTL create "$pod" "$T/$1.ctr.json" "$T/p.pod.json") && $CRICTL start "$c" >/dev/null && until_ok 10 exited "$c" && log_text "$1"
}
for v in oci-gzip oci-zstd oci-plain oci-index docker-gzip docker-zstd docker-index; do
	ok "$v: pull" $CRICTL pull "$REGISTRY/$v"
	is "$v: its id" "$($CRICTL inspecti "$REGISTRY/$v" | jq -r .status.id)" "$(awk '{ print $3 }' "$T/$v.digests")"
	is "$v: its digest" "$($CRICTL inspecti "$REGISTRY/$v" | jq -r '.status.repoDigests[0]')" "$REGISTRY/$v@$(awk '{ print $2 }' "$T/$v.digests")"
	is "$v: it runs" "$(run_in "$v" "$REGISTRY/$v" 'cat /variant')" "$v"
done

# What `crictl inspecti` shows: the config as it was pushed, and the chain id.
jq -n --argjson base "$base" '[{repo: "told", config: {Env: ["PATH=/bin"], Cmd: ["sh"], Labels: {"a.b": "c"}, Volumes: {"/v": {}}}, layers: ($base + [{entries: [{path: "x"}]}])}]' |
	"$IMAGE" --registry "$REGISTRY" - >/dev/null
ok 'told: pull' $CRICTL pull "$REGISTRY/told"
$CRICTL inspecti "$REGISTRY/told" >"$T/told.json"
is 'inspecti: platform, labels, volumes' "$(jq -c '.info.imageSpec | [.os, .architecture, .config.Labels, .config.Volumes, .config.Cmd, .created]' "$T/told.json")" \
	"[\"linux\",\"$(dpkg --print-architecture)\",{\"a.b\":\"c\"},{\"/v\":{}},[\"sh\"],\"2023-11-14T22:13:20Z\"]"
chain=
for d in $(jq -r '.info.imageSpec.rootfs.diff_ids[]' "$T/told.json"); do
	[ -z "$chain" ] && chain=$d || chain=sha256:$(printf '%s %s' "$chain" "$d" | sha256sum | cut -c1-64)
done
is 'inspecti: the chain id' "$(jq -r .info.chainID "$T/told.json")" "$chain"

$CRICTL rmi "$REGISTRY/told" >/dev/null 2>&1

# Kinds of entries. The lower layer:
long=$(printf 'n%.0s' $(seq 1 180))
deep=$(printf 'directory-%02d/' $(seq 1 30))
mkdir "$T/sparse"
truncate -s 64M "$T/sparse/holes"
printf 'end' | dd of="$T/sparse/holes" bs=1 seek=$((50 << 20)) conv=notrunc status=none
tar -C "$T/sparse" --format=gnu -S -cf "$T/gnu.tar" holes
mv "$T/sparse/holes" "$T/sparse/pax-holes"
tar -C "$T/sparse" --format=posix -S -cf "$T/pax.tar" pax-holes
jq -n --argjson base "$base" --arg long "$long" --arg deep "$deep" --arg gnu "$T/gnu.tar" --arg pax "$T/pax.tar" '[{repo: "entries", config: {Env: ["PATH=/bin"]},
	layers: ($base + [{entries: [
		{path: "d", type: "dir"}, {path: "d/gone", data: "x"}, {path: "d/stays", data: "stays"}, {path: "d/sub", type: "dir"}, {path: "d/sub/f", data: "x"},
		{path: "o", type: "dir"}, {path: "o/old", data: "x"}, {path: "o/sub", type: "dir"}, {path: "o/sub/f", data: "x"},
		{path: "r", data: "a file"}, {path: "s", type: "dir"}, {path: "s/f", data: "x"},
		{path: "a", data: "linked"}, {path: "b", type: "link", target: "a"}, {path: "e", data: "linked"},
		{path: "attr", data: "x", xattrs: {"user.note": "hello", "security.capability": "\u0001\u0000\u0000\u0002\u0000\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000"}},
		{path: "null", type: "char", mode: 438, major: 1, minor: 3}, {path: "pipe", type: "fifo"},
		{path: "owned", data: "x", uid: 1000, gid: 2000, mode: 2541, mtime: 1000000000}, {path: "sticky", type: "dir", mode: 1023},
		{path: $long, data: "long"}, {path: ($deep + "leaf"), data: "deep"}, {path: "sym", type: "symlink", target: ("x/" + $long)},
		{path: "name with spaces, ünïcode\n", data: "odd"}, {path: "empty", data: ""}]},
	 {tar: $gnu}, {compress: "zstd", tar: $pax},
	 {entries: [
		{path: "d/.wh.gone"}, {path: "d/.wh.sub"},
		{path: "o", type: "dir"}, {path: "o/.wh..wh..opq"}, {path: "o/new", data: "new"},
		{path: "r", type: "dir"}, {path: "r/f", data: "now a directory"}, {path: "s", data: "now a file"},
		{path: "c", type: "link", target: "e"}, {path: "tmp/x", data: "a parent that the layer does not name"},
		{path: ".wh.never-was"}]}])}]' | "$IMAGE" --registry "$REGISTRY" - >/dev/null
ok 'entries: pull' $CRICTL pull "$REGISTRY/entries"
ctr=$($CRICTL create "$pod" "$(ctr_json live 'while :; do sleep 0.1; done' "\"image\":{\"image\":\"$REGISTRY/entries\"}")" "$T/p.pod.json")
ok 'entries: it runs' $CRICTL start "$ctr"
look() { is "$1" "$($CRICTL exec -s "$ctr" busybox sh -c "$2" 2>&1)" "$3"; }
look 'a whiteout of a file and of a directory' 'busybox ls /d' 'stays'
look 'an opaque directory' 'busybox ls /o' 'new'
look 'a directory over a file' 'busybox cat /r/f' 'now a directory'
look 'a file over a directory' 'busybox cat /s' 'now a file'
look 'hard links' 'busybox stat -c %i /a /b | busybox sort -u | busybox wc -l' 1
look 'a hard link into a lower layer' 'busybox cat /c' linked
look 'a parent from a lower layer keeps its mode' 'busybox stat -c %a /tmp' 1777
look 'a character device' 'busybox stat -c "%F %t %T" /null' 'character special file 1 3'
look 'a fifo' 'busybox stat -c %F /pipe' fifo
look 'owner, mode and time' 'busybox stat -c "%u %g %a %Y" /owned' '1000 2000 4755 1000000000'
look 'a sticky directory' 'busybox stat -c %a /sticky' 1777
look 'a long name' "busybox cat /$long" long
look 'a deep path' "busybox cat /${deep}leaf" deep
look 'a long link' 'busybox readlink /sym' "x/$long"
look 'an odd name' 'busybox cat "/name with spaces, ünïcode
"' odd
look 'an empty file' 'busybox stat -c %s /empty' 0
root=/proc/$($CRICTL inspect "$ctr" | jq -r .info.pid)/root
is 'an extended attribute' "$(getfattr --only-values -n user.note "$root/attr" 2>/dev/null)" hello
is 'file capabilities' "$(getfattr -n security.capability -e hex "$root/attr" 2>/dev/null | sed -n 's/^security.capability=//p')" 0x0100000200040000000000000000000000000000
for f in holes pax-holes; do
	look "sparse, $f: its size" "busybox stat -c %s /$f" $((64 << 20))
	look "sparse, $f: its data" "busybox dd if=/$f bs=1 skip=$((50 << 20)) count=3 2>/dev/null" end
	look "sparse, $f: its holes" "[ \$(busybox stat -c %b /$f) -lt 2048 ] && echo few blocks" 'few blocks'
done

# What ImageStatus and the listings report.
info=$($CRICTL imagefsinfo | jq -c '.status.imageFilesystems[0]')
is 'image file system: where' "$(jq -r .fsId.mountpoint <<<"$info")" "$T/root"
used=$(jq -r .usedBytes.value <<<"$info") real=$(du -s --block-size=1 "$T/root/layers" | cut -f1)
ok "image file system: bytes ($used, du says $real)" test "$used" -ge $((real * 9 / 10)) -a "$used" -le $((real * 11 / 10 + 1048576))
used=$(jq -r .inodesUsed.value <<<"$info") real=$(du -s --inodes "$T/root/layers" | cut -f1)
ok "image file system: inodes ($used, du says $real)" test "$used" -ge $((real * 9 / 10 - 10)) -a "$used" -le $((real * 11 / 10 + 50))

# Removal by each name; a container keeps the image that it uses.
v=oci-gzip
ok 'rmi by tag' $CRICTL rmi "$REGISTRY/$v:latest"
is 'is gone' "$($CRICTL images -o json | jq "[.images[].repoTags[]] | index(\"$REGISTRY/$v:latest\")")" null
v=oci-zstd
ok 'rmi by digest' $CRICTL rmi "$REGISTRY/$v@$(awk '{ print $2 }' "$T/$v.digests")"
is 'is gone' "$($CRICTL images -o json | jq "[.images[].repoTags[]] | index(\"$REGISTRY/$v:latest\")")" null
v=oci-plain
ok 'rmi by id' $CRICTL rmi "$(awk '{ print $3 }' "$T/$v.digests")"
v=docker-gzip
ok 'rmi by a short id' $CRICTL rmi "$(awk '{ print substr($3, 8, 13) }' "$T/$v.digests")"
is 'the others are left' "$($CRICTL images -o json | jq -r '.images[].repoTags[]' | sort | xargs)" "$REGISTRY/docker-index:latest $REGISTRY/docker-zstd:latest $REGISTRY/entries:latest $REGISTRY/oci-index:latest"
ok 'the image of a running container' $CRICTL rmi "$REGISTRY/entries"
look 'it runs on' 'busybox cat /d/stays' stays
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
$CRICTL rmp -f "$pod" >/dev/null 2>&1
ok 'no layer is left' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
is 'no blob' "$(find "$T/root" -path '*/blobs/*' -type f -o -path '*/content/*' -type f)" ''
is 'no bytes are counted' "$($CRICTL imagefsinfo | jq -r '.status.imageFilesystems[0].usedBytes.value')" 0
crisp_clean
