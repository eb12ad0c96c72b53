# layers.t - an image of 127 layers (docker's limit) is pulled, mounted with all layers in order, and removed. Before Linux 6.5
# all lower directories share one page of mount options.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
cni_config
crisp_start || exit 1
# The two of busybox, and 125 layers that each add a file, replace a file of the layer before, and remove another.
jq '[.[0] | .repo = "deep" | .layers += [range(125) | {entries: ([
	{path: "layer/\(.)", data: "\(.)"}, {path: "top", data: "\(.)"}]
	+ if . % 10 == 9 then [{path: "layer/.wh.\(. - 1)", data: ""}] else [] end)}]]' "$ROOT/tests/images/busybox.json" |
	"$IMAGE" --registry "$REGISTRY" - >/dev/null
is 'layers in the manifest' "$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY/v2/deep/manifests/latest" | jq '.layers | length')" 127
ok 'pull' $CRICTL pull "$REGISTRY/deep:latest"

pod=$($CRICTL runp "$(pod_json p)")
try() { # HANDLER
	local ctr
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$1" 'sleep 1000' "\"image\":{\"image\":\"$REGISTRY/deep:latest\"}")" "$T/p.pod.json")
	ok "$1: start" $CRICTL start "$ctr"
	is "$1: the files of all layers but those removed" "$($CRICTL exec -s "$ctr" sh -c 'ls /layer | busybox wc -l')" 113
	is "$1: each is its layer's" "$($CRICTL exec -s "$ctr" sh -c 'for f in /layer/*; do [ "${f#/layer/}" = "$(cat "$f")" ] || echo "$f"; done')" ''
	is "$1: the lowest are there" "$($CRICTL exec -s "$ctr" cat /etc/passwd | head -1)" 'root:x:0:0:root:/root:/bin/sh'
	is "$1: the uppermost wins" "$($CRICTL exec -s "$ctr" cat /top)" 124
	is "$1: one removed by an upper layer is gone" "$($CRICTL exec -s "$ctr" sh -c '[ -e /layer/118 ] || echo gone')" gone
	ok "$1: it can be written" $CRICTL exec -s "$ctr" sh -c 'echo mine >/top; rm /layer/0; [ "$(cat /top)" = mine ]'
	$CRICTL stop -t 0 "$ctr" >/dev/null; ok "$1: remove" $CRICTL rm "$ctr"
}
try first
kill -9 "$(crispd_pid)"
ok 'after a crash' until_ok 10 crisp_ready
try again
ok 'the image goes' $CRICTL rmi "$REGISTRY/deep:latest"
empty() { [ -z "$(ls "$T/root/layers")" ]; }
ok 'and all its layers' until_ok 20 empty
crisp_clean
