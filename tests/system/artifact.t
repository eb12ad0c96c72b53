# artifact.t - OCI artifacts: pulled like images, mounted as image volumes, and nothing else.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up 'images: {max_layer_bytes: 8MiB}'
export CRISP_ADDRESS=unix://$T/state/crisp.sock
R=$REGISTRY
# push NAME FILES (of jq): prints the id.
push() { jq -nc --arg n "$1" "{repo: \$n, artifact: \"application/vnd.test.model\", files: $2}" | "$IMAGE" --registry "$R" - | cut -d' ' -f3; }
status() { $CRICTL inspecti "$R/$1" | jq -r "$2"; }
# reads NAME IMAGE SCRIPT [HANDLER]: what a container prints that has the image at /v.
reads() {
	local p c
	p=$($CRICTL runp ${4:+--runtime "$4"} "$(pod_json "$1")") || return
	c=$($CRICTL create "$p" "$(ctr_json "$1" "$3" "\"mounts\":[{\"container_path\":\"/v\",\"image\":{\"image\":\"$2\"}}]")" "$T/$1.pod.json" 2>"$T/err") &&
		$CRICTL start "$c" >/dev/null 2>"$T/err" || { cat "$T/err"; return; }
	until_ok 20 exited "$c"
	log_text "$1"
}

id=$(push model '[{title: "weights .bin", size: 3000000}, {title: "-config.json", data: "{\"a\":1}"}, {title: null, data: "no name"}]')
ok 'pull' $CRICTL pull "$R/model"
is 'its id is the digest of its manifest' "$(status model .status.id)" "$id"
is 'its names' "$(status model '.status | .repoTags[0], .repoDigests[0]')" "$R/model:latest
$R/model@$id"
is 'its type and manifest' "$(status model '.info | [.artifactType, .manifest.config.mediaType] | join(" ")')" \
	'application/vnd.test.model application/vnd.oci.empty.v1+json'
ok 'its size' [ "$(status model .status.size)" -gt 3000000 ]
like 'it is listed' "$($CRICTL images)" "model +latest +${id:7:13}"
like 'a blob without a name is left out, and told' "$(grep artifact_blob_unnamed "$T/crisp.log")" 'type="application/vnd.oci.image.layer.v1.tar"'
is 'nothing else is left out' "$(grep -c artifact_blob_unnamed "$T/crisp.log")" 1
sum=$(curl -sf "http://$R/v2/model/blobs/$(curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/model/manifests/$id" |
	jq -r '.layers[0].digest')" | sha256sum | cut -d' ' -f1)
for h in runc crun native; do
	is "$h: its files, read-only" "$(reads "files-$h" "$id" 'cd /v; ls -A; sha256sum <"weights .bin"; cat ./-config.json; echo; stat -c "%a %u %g" ./*; touch x 2>&1' $h)" \
		"-config.json
weights .bin
$sum  -
{\"a\":1}
644 0 0
644 0 0
touch: x: Read-only file system"
done
is 'by its tag, one file of it' "$(push one '[{title: "f", data: "one"}]' >/dev/null; $CRICTL pull "$R/one" >/dev/null; reads one "$R/one:latest" 'ls -A /v; cat /v/f')" 'f
one'

# A blob that an image has as a layer, another artifact by another name, and a directory that oras packed.
jq -nc '[{repo: "tarimage", layers: [{compress: "none", entries: [{path: "inside", data: "unpacked"}]}]}]' | "$IMAGE" --registry "$R" - >/dev/null
$CRICTL pull "$R/tarimage" >/dev/null
python3 - "$T/same.tar" "$ROOT/tests/images/image" <<'P'
import importlib.machinery, sys
image = importlib.machinery.SourceFileLoader("image", sys.argv[2]).load_module()
open(sys.argv[1], "wb").write(image.make_tar([{"path": "inside", "data": "unpacked"}]))
P
push same "[{title: \"a.tar\", from: \"$T/same.tar\"}, {title: \"b.tar\", from: \"$T/same.tar\"}]" >/dev/null
ok 'pull a blob that is a layer too' $CRICTL pull "$R/same"
is 'one blob by two names' "$(reads same "$R/same" 'ls -A /v; cmp /v/a.tar /v/b.tar && tar tf /v/a.tar')" 'a.tar
b.tar
inside'
is 'the image is as it was' "$(reads img "$R/tarimage" 'cat /v/inside')" unpacked
push dir '[{title: "d", entries: [{path: "d", type: "dir"}, {path: "d/sub", type: "dir"}, {path: "d/sub/f", data: "deep"}]}, {title: "e", data: "flat"}]' >/dev/null
ok 'pull a directory' $CRICTL pull "$R/dir"
is 'it is unpacked' "$(reads dir "$R/dir" 'cat /v/d/sub/f /v/e')" deepflat
push paths '[{title: "conf/app.yaml", data: "x: 1"}, {title: "conf/sub/f", data: "deep"}, {title: "top", data: "flat"}]' >/dev/null
ok 'pull files with directories' $CRICTL pull "$R/paths"
is 'they are below their directories' "$(reads paths "$R/paths" 'cd /v; find . -type f | sort; cat conf/app.yaml conf/sub/f top; stat -c "%a %u" conf')" './conf/app.yaml
./conf/sub/f
./top
x: 1deepflat755 0'

# What an artifact is not.
p=$($CRICTL runp "$(pod_json root)")
notok 'it is no root file system' $CRICTL create "$p" "$(ctr_json root true "\"image\":{\"image\":\"$id\"}")" "$T/root.pod.json"
like 'and the error says so' "$out" 'InvalidArgument.*is an artifact \(application/vnd.test.model\): it can only be mounted as an image volume'
notok 'no export' "$BUILD/crisp" images export "$R/model:latest" "$T/x.tar"
like 'and the error says so too' "$out" 'is an artifact \(application/vnd.test.model\): only images of layers'
# refused WORDS FILES PATTERN
n=0
refused() { n=$((n + 1)); push "bad$n" "$2" >/dev/null; notok "$1" $CRICTL pull "$R/bad$n"; like "$1: named" "$out" "$3"; }
before=$(ls "$T/root/layers" "$T/root/partial")
refused 'a name that leads out' '[{title: "fine", data: "x"}, {title: "../../../etc/cron.d/x", data: "x"}]' 'InvalidArgument.*"\.\./\.\./\.\./etc/cron.d/x.*is no name of a file'
refused 'a name that is no path in its shortest form' '[{title: "a/./b", data: "x"}]' '"a/./b.*is no name of a file'
refused 'a file that is a directory too' '[{title: "a/b", data: "x"}, {title: "a", data: "x"}]' 'the blob .*a.*is a file, and the directory of another one'
refused 'the directory itself' '[{title: "..", data: "x"}]' '"\.\..*is no name of a file'
refused 'control characters' '[{title: "a\u001b[2J", data: "x"}]' 'is no name of a file'
refused 'a name too long' '[{title: ("n" * 256), data: "x"}]' 'is no name of a file'
refused 'two files of one name' '[{title: "f", data: "x"}, {title: "f", data: "y"}]' 'two blobs of the artifact have the name'
refused 'no names' '[{title: null, data: "x"}]' 'neither a container image nor an artifact of files: .*vnd.oci.empty.v1'
refused 'a large file' '[{title: "f", size: 9000000}]' 'ResourceExhausted.*has more than 8388608 bytes \(images.max_layer_bytes\)'
refused 'many files' '[range(501) | {title: "f\(.)", data: "x"}]' '501 layers'
until_ok 10 [ "$(ls "$T/root/layers" "$T/root/partial")" = "$before" ]
is 'nothing of these is left' "$(ls "$T/root/layers" "$T/root/partial"; ls -A "$T/root/ingest")" "$before"

# It lives as images do.
kill_crispd
is 'after a restart' "$(reads again "$R/model" 'cat /v/-config.json')" '{"a":1}'
like 'check --layers' "$("$BUILD/crisp" check --layers 2>&1)" '^layers +[0-9]+ were verified, 0 were not'
layer=$(jq -r '.layers[1]' "$T/root/images/${id#sha256:}.json")
chmod 600 "$T/root/layers/$layer/-config.json"
ok 'a damaged file is pulled again' "$BUILD/crisp" check --layers --repair
notok 'by another layer' [ "$layer" = "$(jq -r '.layers[1]' "$T/root/images/${id#sha256:}.json")" ]
mkdir -p "$T/layout/blobs/sha256"
for d in "${id#sha256:}" $(curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/model/manifests/$id" | tee "$T/m" | jq -r '.layers[].digest | ltrimstr("sha256:")'); do
	curl -sf "http://$R/v2/model/blobs/sha256:$d" >"$T/layout/blobs/sha256/$d"
done
cp "$T/m" "$T/layout/blobs/sha256/${id#sha256:}"
$CRICTL rmp -fa >/dev/null 2>&1
ok 'remove' $CRICTL rmi "$R/model" "$R/one" "$R/same" "$R/dir" "$R/paths" "$R/tarimage" "$R/busybox"
no_layers() { [ -z "$(ls "$T/root/layers" "$T/root/blobs" "$T/root/layer-records" "$T/root/images" | grep -v :)" ]; }
ok 'nothing is left' until_ok 20 no_layers
printf '{"imageLayoutVersion":"1.0.0"}' >"$T/layout/oci-layout"
jq -n --arg d "$id" --argjson s "$(stat -c %s "$T/m")" '{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $s,
	annotations: {"io.containerd.image.name": "r.test/model:latest"}}]}' >"$T/layout/index.json"
ok 'import of a layout' "$BUILD/crisp" images import "$T/layout"
is 'the same id' "$($CRICTL inspecti r.test/model | jq -r .status.id)" "$id"

crisp_clean
