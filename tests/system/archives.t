# archives.t - images import and export: OCI layouts and docker's format, hostile ones, and an image that goes out and in.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
crisp_start || exit 1
export CRISP_ADDRESS=unix://$T/state/crisp.sock
ARCHIVE=$ROOT/tests/images/archive
crisp() { "$BUILD/crisp" "$@"; }
base=$(jq -c '.[0].layers' "$ROOT/tests/images/busybox.json")
spec() { # NAME [MEMBERS]: one image, its upper layer has /variant
	jq -n --argjson base "$base" --arg n "$1" --argjson more "${2:-{\}}" '[{repo: ("r.test/" + $n), config: {Env: ["PATH=/bin"], Cmd: ["sh"]},
		layers: ($base + [{compress: "gzip", entries: [{path: "variant", data: $n}]}])} + $more]' >"$T/$1.spec"
}
pod=$($CRICTL runp "$(pod_json p '"linux":{"security_context":{"namespace_options":{"pid":1,"network":2}}}')")
run_in() { # NAME IMAGE SCRIPT: prints its output
	local c
	jq -n --arg n "$1" --arg i "$2" --arg s "$3" '{metadata:{name:$n,attempt:1},image:{image:$i},command:["sh","-c",$s],log_path:($n + ".log"),linux:{}}' >"$T/$1.ctr.json"
	c=$($CRICTL create "$pod" "$T/$1.ctr.json" "$T/p.pod.json") && $CRICTL start "$c" >/dev/null && until_ok 10 exited "$c" && log_text "$1"
}
left() { [ -z "$(ls "$T/root/ingest" "$T/root/gone" 2>/dev/null | grep -v :$)" ]; }

for kind in oci-dir oci oci.gz docker docker.gz crane; do
	n=${kind/./-}
	spec "$n"
	id=$("$ARCHIVE" "$kind" "$T/$n.archive" "$T/$n.spec")
	is "$kind: import" "$(crisp images import "$T/$n.archive" 2>&1)" "$id r.test/$n:latest"
	is "$kind: it runs" "$(run_in "$n" "r.test/$n" 'cat /variant')" "$n"
done
is 'a relative path' "$(cd "$T" && crisp images import oci.archive 2>&1 | cut -d' ' -f2)" r.test/oci:latest
ok 'nothing is left of the archives' until_ok 10 left

# Names.
spec nameless '{"name": null}'
"$ARCHIVE" oci "$T/nameless" "$T/nameless.spec" >/dev/null
like 'without a name' "$(crisp images import "$T/nameless" 2>&1)" 'INVALID_ARGUMENT: .*give one by --name'
is 'with --name' "$(crisp images import --name r.test/given:1 "$T/nameless" 2>&1 | cut -d' ' -f2)" r.test/given:1
spec tagged '{"ref": "7.1"}'
"$ARCHIVE" oci "$T/tagged" "$T/tagged.spec" >/dev/null
is 'a tag alone, with --name' "$(crisp images import --name r.test/base "$T/tagged" 2>&1 | cut -d' ' -f2)" r.test/base:7.1
spec two '{"tags": ["a", "b"]}'
"$ARCHIVE" docker "$T/two" "$T/two.spec" >/dev/null
is 'two tags' "$(crisp images import "$T/two" 2>&1 | cut -d' ' -f2 | xargs)" 'r.test/two:a r.test/two:b'
jq -s add "$T/oci.spec" "$T/crane.spec" >"$T/both.spec"
"$ARCHIVE" oci "$T/both" "$T/both.spec" >/dev/null
is 'two images' "$(crisp images import "$T/both" 2>&1 | cut -d' ' -f2 | xargs)" 'r.test/oci:latest r.test/crane:latest'

# What is wrong.
refused() { # WHAT PATTERN FILE
	like "$1" "$(crisp images import "$3" 2>&1)" "$2"
}
refused 'no file' 'FAILED_PRECONDITION: .*No such file' "$T/none"
mkfifo "$T/fifo"
refused 'a fifo' 'FAILED_PRECONDITION: .*neither a file nor a directory' "$T/fifo"
head -c 100000 /dev/urandom >"$T/noise"
refused 'noise' '(INVALID_ARGUMENT|DATA_LOSS):' "$T/noise"
mkdir "$T/empty"
refused 'an empty directory' 'not an OCI layout' "$T/empty"
tar -cf "$T/other.tar" -C "$T" empty
refused 'another tar' 'INVALID_ARGUMENT: .*neither index.json' "$T/other.tar"
bent() { # NAME COMMAND: the layout oci-dir, changed
	cp -a "$T/oci-dir.archive" "$T/$1"; (cd "$T/$1" && eval "$2")
	tar -C "$T/$1" -cf "$T/$1.tar" .
}
biggest='$(ls -S blobs/sha256/* | head -1)'
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
for c in $($CRICTL ps -aq); do $CRICTL rm -f "$c" >/dev/null; done
ok 'no layer is left' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
bent flipped "printf x | dd of=$biggest bs=1 seek=5000 conv=notrunc status=none"
bent short "truncate -s -1 $biggest"
bent gone "rm $biggest"
bent linked "f=$biggest; mv \$f /tmp/crisp-linked.\$\$; ln -s /tmp/crisp-linked.\$\$ \$f"
rm -f /tmp/crisp-linked.*
bent linkdir 'mv blobs elsewhere; ln -s elsewhere blobs'
bent indexlink 'mv index.json i; ln -s /etc/hostname index.json'
for form in '' .tar; do
	refused "a flipped byte$form" '(DATA_LOSS|INVALID_ARGUMENT): ' "$T/flipped$form"
	refused "a short layer$form" 'DATA_LOSS: .*instead of' "$T/short$form"
	refused "a layer is missing$form" 'DATA_LOSS: .*missing' "$T/gone$form"
	refused "a layer is a link$form" '(DATA_LOSS|INVALID_ARGUMENT): ' "$T/linked$form"
	refused "a directory is a link$form" '(INVALID_ARGUMENT|FAILED_PRECONDITION): ' "$T/linkdir$form"
	refused "index.json is a link out$form" 'INVALID_ARGUMENT: ' "$T/indexlink$form"
done
python3 - "$T" <<'P'
import io, json, sys, tarfile
def tar(name, *entries):
    with tarfile.open(f"{sys.argv[1]}/{name}.tar", "w") as t:
        for e in entries:
            i = tarfile.TarInfo(e[0])
            if isinstance(e[1], bytes):
                i.size = len(e[1]); t.addfile(i, io.BytesIO(e[1]))
            else:
                i.type = e[1]
                i.linkname = e[2] if len(e) > 2 else ""
                t.addfile(i)
tar("climbs", ("../../../climbed", b"x"))
tar("absolute", ("/climbed", b"x"), ("manifest.json", b"[]"))
tar("device", ("null", tarfile.CHRTYPE))
tar("out", ("a", tarfile.SYMTYPE, "/etc"), ("a/crisp-was-here", b"x"))
tar("config", ("c.json", tarfile.SYMTYPE, "/etc/passwd"), ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["a:b"], "Layers": []}]).encode()))
tar("loop", ("c.json", tarfile.SYMTYPE, "c.json"), ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["a:b"], "Layers": []}]).encode()))
tar("many", ("manifest.json", json.dumps([{}] * 1000).encode()))
tar("deep", ("manifest.json", b"[" * 100000))
tar("odd", ("manifest.json", b'[{"Config": 7, "Layers": {"a": 1}, "RepoTags": "x"}]'))
P
for n in climbs absolute device out config loop many deep odd; do refused "hostile: $n" '(INVALID_ARGUMENT|FAILED_PRECONDITION): ' "$T/$n.tar"; done
ok 'no file of theirs is outside' sh -c "[ ! -e /etc/crisp-was-here ] && [ -z \"\$(find / -xdev -name climbed 2>/dev/null)\" ]"
is 'no image is there' "$($CRICTL images -q)" ''
ok 'nothing is left of them' until_ok 10 left

# An image goes out and in.
jq -n --argjson base "$base" '[{repo: "r.test/kinds", config: {Env: ["PATH=/bin"], Cmd: ["sh"]}, layers: ($base + [
	{entries: [{path: "d", type: "dir"}, {path: "d/gone", data: "x"}, {path: "d/stays", data: "s"}, {path: "o", type: "dir"}, {path: "o/old", data: "x"}]},
	{entries: [{path: "d/.wh.gone"}, {path: "o", type: "dir"}, {path: "o/.wh..wh..opq"}, {path: "o/new", data: "n"},
		{path: "a", data: "linked", mode: 2541, uid: 1000, gid: 2000, mtime: 1000000000}, {path: "b", type: "link", target: "a"},
		{path: "s", type: "symlink", target: "/a"}, {path: "p", type: "fifo"}, {path: "attr", data: "x", xattrs: {"user.note": "hello"}}]}])}]' >"$T/kinds.spec"
"$ARCHIVE" oci "$T/kinds" "$T/kinds.spec" >/dev/null
ok 'an image of all kinds of files' crisp images import "$T/kinds"
look='busybox ls /d /o; busybox stat -c "%n %u %g %a %Y %h" /a; busybox readlink /s; busybox stat -c %F /p; busybox cat /b'
before=$(run_in before r.test/kinds "$look")
like 'as it should be' "$(xargs <<<"$before")" 'd: stays /o: new /a 1000 2000 4755 1000000000 2 /a fifo linked$'
ok 'export' crisp images export r.test/kinds "$T/out.tar"
ids=$(crisp images export r.test/kinds "$T/again.tar" 2>&1)
is 'the same twice' "$(tar -xOf "$T/out.tar" index.json)" "$(tar -xOf "$T/again.tar" index.json)"
is 'an OCI layout, and docker'\''s' "$(tar -xOf "$T/out.tar" index.json | jq -r '.manifests[0].annotations["io.containerd.image.name"]') $(tar -xOf "$T/out.tar" manifest.json | jq -r '.[0].RepoTags[0]')" \
	'r.test/kinds:latest r.test/kinds:latest'
bad=0; mkdir "$T/x" && tar -C "$T/x" -xf "$T/out.tar"; for f in "$T"/x/blobs/sha256/*; do [ "$(sha256sum <"$f" | cut -c1-64)" = "${f##*/}" ] || bad=1; done
is 'all blobs have their digests' $bad 0
for c in $($CRICTL ps -aq); do $CRICTL rm -f "$c" >/dev/null; done
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
ok 'no layer is left' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
is 'import of the export' "$(crisp images import "$T/out.tar" 2>&1)" "$ids r.test/kinds:latest"
is 'it is as it was' "$(run_in after r.test/kinds "$look")" "$before"
rm -r "$T/x/index.json"; tar -C "$T/x" -cf "$T/docker-only.tar" .
is 'and by docker'\''s manifest alone' "$(crisp images import "$T/docker-only.tar" 2>&1)" "$ids r.test/kinds:latest"
like 'no such image' "$(crisp images export r.test/none "$T/none.tar" 2>&1)" 'NOT_FOUND: .*there is no image'
like 'no such directory' "$(crisp images export r.test/kinds "$T/none/a.tar" 2>&1)" 'INTERNAL: .*No such file'
images=; for i in $(seq 257); do images="$images r.test/kinds"; done
like 'more images than an archive may have' "$(crisp images export $images "$T/none.tar" 2>&1)" 'INVALID_ARGUMENT: .*257 images, up to 256'
ok 'the same image twice' crisp images export r.test/kinds r.test/kinds "$T/twice.tar"
is 'has its layers once' "$(tar -tf "$T/twice.tar" | sort | uniq -d)" ''
like 'usage' "$(crisp images export r.test/kinds 2>&1)" 'expected: nothing, `import'
ok 'nothing is left of the exports' until_ok 10 left

# A kill in the middle leaves nothing.
for i in 1 2 3; do
	crisp images import "$T/docker-gz.archive" >/dev/null 2>&1 & client=$!
	until_ok 5 sh -c "[ -n \"\$(ls $T/root/ingest)\" ]"
	kill -9 "$(crispd_pid)"; wait $client 2>/dev/null
	until_ok 10 $CRICTL images
done
ok 'after kills nothing is left of the archives' until_ok 10 left
is 'and the import works' "$(crisp images import "$T/docker-gz.archive" 2>&1 | cut -d' ' -f2)" r.test/docker-gz:latest
for c in $($CRICTL ps -aq); do $CRICTL rm -f "$c" >/dev/null; done
$CRICTL rmp -f "$pod" >/dev/null 2>&1
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
ok 'no layer is left' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
crisp_clean
