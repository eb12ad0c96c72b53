# gc.t - crisp gc: what failed pulls left goes on request, and what is of an image or of a container stays.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/registry.sh"

crisp_up
export CRISP_ADDRESS=unix://$T/state/crisp.sock
gc() { "$BUILD/crisp" gc "$@" 2>&1; }
# said [OPTION]: the three numbers.
said() { gc --json "$@" | jq -r '"\(.layers) \(.blobs) \(.partials)"'; }
layers() { ls "$T/root/layers" | wc -l; }
blobs() { ls "$T/root/blobs" | wc -l; }

is 'nothing to free' "$(said)" '0 0 0'
n=$(layers) b=$(blobs)
is 'the image has layers and blobs' "$((n > 0 && b > 0))" 1

# A registry that cannot read the second layer: the pull fails, and the first one is kept for the next try.
BUSYBOX=$REGISTRY/busybox:latest
registry_start "$T/registry" || exit 1
jq -n '[{repo: "half", config: {}, layers: [
	{entries: [{path: "a", data: "first"}]},
	{entries: [{path: "b", size: 9000000}]}]}]' |
	"$IMAGE" --registry "$REGISTRY" - >/dev/null
big=$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY/v2/half/manifests/latest" |
	jq -r '.layers | max_by(.size).digest' | cut -d: -f2)
ln -sf data "$T/registry/data/docker/registry/v2/blobs/sha256/${big:0:2}/$big/data" # a loop: the registry answers 500
half() { $CRICTL pull "$REGISTRY/half:latest"; [ "$(layers)" -gt "$n" ]; }
ok 'a pull fails and leaves a layer' until_ok 20 half
partial=$T/root/partial/$(printf '%064d' 7)
echo part >"$partial"
echo blob >"$T/root/blobs/$(printf '%064d' 8)"
like 'a dry run counts' "$(said --dry-run)" '^1 [1-9][0-9]* 1$'
is 'it removes nothing' "$(layers) $(test -e "$partial" && echo there)" "$((n + 1)) there"
like 'as words' "$(gc --dry-run | tr -s ' \n' ' ')" '^layers 1 blobs [1-9][0-9]* downloads 1 to free [0-9.]+ kB $'
like 'now they go' "$(said)" '^1 [1-9][0-9]* 1$'
is 'only what is of the image stays' "$(layers) $(blobs) $(ls "$T/root/partial" | wc -l)" "$n $b 0"
is 'the log says it' "$(grep -c ' gc layers=1 ' "$T/crisp.log")" 1
is 'once' "$(said)" '0 0 0'

# Of a container whose image is gone.
pod=$($CRICTL runp "$(pod_json a)")
c=$(REGISTRY=${BUSYBOX%%/*}; $CRICTL create "$pod" "$(ctr_json c 'sleep 1000')" "$T/a.pod.json")
$CRICTL start "$c" >/dev/null
$CRICTL rmi "$BUSYBOX" >/dev/null
said >/dev/null
is 'the layers of a container stay' "$(layers)" "$n"
is 'it runs' "$($CRICTL exec "$c" cat /etc/group | head -1)" 'root:x:0:'
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp "$pod" >/dev/null
said >/dev/null
is 'then they go' "$(layers)" 0

registry_stop
CRISP_ADDRESS=unix://$T/nowhere.sock "$BUILD/crisp" gc >/dev/null 2>"$T/err"
is 'without a crispd it fails' "$? $(grep -c 'crisp: gc: UNAVAILABLE' "$T/err")" '1 1'
crisp_clean
