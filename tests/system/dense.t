# dense.t - a node with 5,000 sandboxes: what no sandbox owns is still found and given back, and what they own stays.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up 'network: native'
# Records of pods that were stopped; one of a pod of the native network, with its address, as a template of two others.
a=$($CRICTL runp "$(pod_json a)")
result=$(ls "$T"/cni-cache/results/*"$a"-eth0)
lease=$(dirname "$(find "$T/ipam" -name 10.200.0.2)")
stopped=$($CRICTL runp "$(pod_json stopped)"); $CRICTL stopp "$stopped" >/dev/null
crisp_stop
jq -c . "$T/root/sandboxes/$stopped.json" | python3 -c '
import json, sys
record = json.loads(sys.stdin.read()); text = json.dumps(record); old = sys.argv[1]
for i in range(5000):
    new = "%064x" % (i + 1)
    uid = record["config"]["metadata"]["uid"] if "metadata" in record["config"] else None
    open("%s/%s.json" % (sys.argv[2], new), "w").write(text.replace(old, new).replace("stopped-uid", "uid-%d" % i))' "$stopped" "$T/root/sandboxes"
# attachment ID ADDRESS: as an ADD leaves it: the lease and libcni's file.
attachment() {
	printf '%s\r\neth0' "$1" >"$lease/$2"
	jq --arg x "$1" --arg ip "$2/16" '.containerId = $x | .result.ips[0].address = $ip' "$result" >"${result/$a/$1}"
}
owned=$(printf '%064x' 4990) orphan=$(printf 'f%063x' 1)
attachment "$owned" 10.200.9.8
attachment "$orphan" 10.200.9.9
crisp_start || exit 1
is 'all records are read' "$($CRICTL pods -q | wc -l)" 5002
ok 'what no sandbox owns is found among 5,000' until_ok 20 test ! -e "$lease/10.200.9.9"
ok 'what a late one of them owns stays' test -e "$lease/10.200.9.8"
ok 'the living pod is reached' sh -c 'timeout 3 bash -c "echo >/dev/tcp/10.200.0.2/9" 2>&1 | grep -q refused'
nft add element inet crisp "$(nft list sets | grep -o 'masq-[0-9a-f]*')" "{ 10.200.7.7 comment \"$orphan\" }"
like 'crisp check finds a rule of nobody' "$(CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" check --repair)" 'mended  *nftables .* sandbox f00000000000'
rm "$lease/10.200.9.8" "${result/$a/$owned}"
crisp_stop
find "$T/root/sandboxes" -name '00000000*.json' -delete
crisp_start
crisp_clean
