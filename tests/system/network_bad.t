# network_bad.t - what can be wrong around the native network: each fault is named to the client or mended, and nothing is left.
# HOLD_S (3): how long another program holds host-local's lock; 30 in scripts/full.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/network.sh"

# conflist JQ: the only conflist, with a change.
conflist() {
	jq -n --arg d "$T/ipam" '{cniVersion: "1.0.0", name: "bad", plugins: [{type: "bridge", bridge: "crisptest0", isGateway: true, ipMasq: true,
		ipam: {type: "host-local", dataDir: $d, ranges: [[{subnet: "10.200.0.0/16"}]], routes: [{dst: "0.0.0.0/0"}]}}]}' |
		jq "${1:-.}" >"$T/new" && mv "$T/new" "$T/cni/10-test.conflist"
	until_ok 5 conf_is "$(jq -Sc '.plugins[0]' "$T/cni/10-test.conflist")"
}
# crispd has read it when a pod would get it: its first plugin is in the record of the next pod.
conf_is() { probe=$($CRICTL runp "$(pod_json probe)" 2>/dev/null) || return 0
	local is; is=$(jq -r .cni_conf "$T/root/sandboxes/$probe.json" | jq -Sc '.plugins[0]'); pod_down "$probe"; [ "$is" = "$1" ]; }
leases() { find "$T/ipam" -name '10.*' -o -name 'fd*' | wc -l; }
# left: what a failed pod could leave: pins, records, leases, cache files, elements; beside the pods that live.
left() { echo "$(ls "$T/netns" | wc -l) $(ls "$T/root/sandboxes" | wc -l) $(leases) $(ls "$T/cni-cache/results" | wc -l) $(nft list table inet crisp 2>/dev/null | grep -o 'comment "[0-9a-f]\{64\}"' | sort -u | wc -l)"; }
# refused NAME REGEX: a pod fails with this answer, and nothing of it is left.
refused() {
	local before; before=$(left)
	like "$1" "$($CRICTL runp "$(pod_json refused)" 2>&1)" "$2"
	is '... and leaves nothing' "$(left)" "$before"
}

crisp_config 'network: native' 'netns_pool: 1'
conflist >/dev/null 2>&1
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
a=$($CRICTL runp "$(pod_json a)")
is 'a pod lives' "$(left)" '1 1 1 1 1'

# Range and network are named; a pod that goes makes room at once.
conflist '.plugins[0].ipam.ranges[0][0] += {rangeStart: "10.200.9.1", rangeEnd: "10.200.9.2"}'
b=$($CRICTL runp "$(pod_json b)"); c=$($CRICTL runp "$(pod_json c)")
refused 'a full subnet' 'ResourceExhausted.*network bad has no address left .*10\.200\.9\.1 to 10\.200\.9\.2'
pod_down "$b"
d=$($CRICTL runp "$(pod_json d)")
ok 'the address that was given back is given again' reach_here "$(ip_of "$d")"
pod_down "$c"; pod_down "$d"
conflist

# Another program holds the lock: pods of this network wait, in order; another network does not, nor does a pod without one.
exec 8<"$T/ipam/bad/lock"; flock 8; since=$(date +%s%N)
for i in 1 2 3; do
	$CRICTL runp "$(pod_json "wait$i")" >"$T/wait$i" 2>&1 & waits="${waits-} $!"
	until_ok 10 sh -c "grep -q 'sandbox_slow.*pod=default/wait$i ' $T/crisp.log"
done
ok 'pods that wait for the lock are listed, not ready' sh -c "$CRICTL pods --name wait -o json | jq -e '[.items[].state] == [\"SANDBOX_NOTREADY\", \"SANDBOX_NOTREADY\", \"SANDBOX_NOTREADY\"]'"
ok 'a pod of the node waits for nothing' $CRICTL runp "$(pod_json node '"linux":{"security_context":{"namespace_options":{"network":2,"pid":1}}}')"
jq '.name = "sea"' "$T/cni/10-test.conflist" >"$T/new"; mv "$T/new" "$T/cni/10-test.conflist"
until_ok 10 sh -c "s=\$($CRICTL runp $(pod_json sea)) && $CRICTL inspectp \$s | jq -e '.status.network.ip' && [ -e $T/ipam/sea/10.200.0.2 ] || { $CRICTL rmp -f \$s; false; }"
ok 'a pod of another network neither' test -e "$T/ipam/sea/10.200.0.2"
until_ok 60 sh -c "[ \$(date +%s%N) -ge $((since + ${HOLD_S:-3} * 1000000000)) ]"
flock -u 8; exec 8<&-
wait $waits
for i in 1 2 3; do ip_of "$(tail -1 "$T/wait$i")"; done >"$T/order"
is 'they come up in their order' "$(sort -V "$T/order" | cmp - "$T/order" && wc -l <"$T/order")" 3
for p in $($CRICTL pods -q); do [ "$p" = "$a" ] || pod_down "$p"; done
conflist
is 'all but the first are gone' "$(left)" '1 1 1 1 1'

# The bridge: another address, no bridge at all, gone under living pods.
ip addr add 10.77.0.1/24 dev crisptest0; ip addr del 10.200.0.1/16 dev crisptest0
refused 'a bridge with another address' 'FailedPrecondition.*bridge crisptest0 has the address 10\.77\.0\.1/24.*10\.200\.0\.1/16.*forceAddress'
conflist '.plugins[0].forceAddress = true'
b=$($CRICTL runp "$(pod_json b)")
ok 'with forceAddress it is changed, and old pods are reached too' sh -c "$(declare -f reach_here); reach_here $(ip_of "$b") && reach_here $(ip_of "$a")"
pod_down "$b"
ip link add wrong type veth peer name wrong1
conflist '.plugins[0].bridge = "wrong"'
refused 'a device of that name that is no bridge' 'FailedPrecondition.*device wrong is there already and is no bridge'
ip link del wrong
conflist

# Rubbish in host-local's directory holds its own address only.
next=10.200.$(cut -d. -f3,4 "$T/ipam/bad/last_reserved_ip.0" | awk -F. '{ print $1 "." $2 + 1 }')
head -c 3000 /dev/urandom >"$T/ipam/bad/$next"; head -c 99 /dev/urandom >"$T/ipam/bad/last_reserved_ip.0"
b=$($CRICTL runp "$(pod_json b)")
ok 'rubbish in the files of addresses stops nothing' reach_here "$(ip_of "$b")"
unlike 'and its address is not given' "$(ip_of "$b")" "^$next$"
rm "$T/ipam/bad/$next"

# The conflist changes under living pods: they go the way they came.
conflist '.name = "new" | .plugins[0].bridge = "crisptest1" | .plugins[0].ipam.ranges[0][0].subnet = "10.210.0.0/16"'
n=$($CRICTL runp "$(pod_json n)")
like 'a new conflist serves new pods' "$(ip_of "$n")" '^10\.210\.'
ok 'old pods live on' reach_here "$(ip_of "$b")"
pod_down "$b"
is 'and give back what they had' "$(ls "$T/ipam/bad" | grep -c '^10')" 1
pod_down "$n"; ip link del crisptest1
conflist

# Rules: flushed, and a firewall that is loaded again.
set=$(nft list sets | grep -o 'masq-[0-9a-f]*' | head -1)
has_a() { nft list set inet crisp "$1" 2>/dev/null | grep -q "$a"; }
nft delete table inet crisp
ok 'a table that somebody deleted is made again' until_ok 10 has_a "$set"
printf 'flush ruleset\ntable inet firewall {\n chain in {\n  type filter hook input priority filter; policy accept;\n  ct state invalid drop\n }\n}\n' >"$T/fw"
for i in 1 2 3; do nft -f "$T/fw"; done
ok 'over the reload of a firewall too' until_ok 10 has_a "$set"
ok 'and the firewall stays' nft list table inet firewall
nft delete table inet firewall

# The node: no forwarding, a /proc/sys that cannot be written, IPv6 that is off.
echo 0 >/proc/sys/net/ipv4/ip_forward
b=$($CRICTL runp "$(pod_json b)")
is 'forwarding is switched on' "$(cat /proc/sys/net/ipv4/ip_forward)" 1
pod_down "$b"
echo 1 >/proc/sys/net/ipv6/conf/crisptest0/disable_ipv6
conflist '.plugins[0].ipam.ranges += [[{subnet: "fd77::/64"}]]'
refused 'IPv6 that is off on the bridge' 'FailedPrecondition.*IPv6 is off on bridge crisptest0: .*/conf/crisptest0/disable_ipv6'
echo 0 >/proc/sys/net/ipv6/conf/crisptest0/disable_ipv6
b=$($CRICTL runp "$(pod_json b)")
like 'and with IPv6 on' "$($CRICTL inspectp "$b" | jq -r '.status.network.additionalIps[].ip')" '^fd77::'
pod_down "$b"
conflist '.plugins[0].ipam.dataDir = "/proc/sys"'
refused 'a directory of addresses that cannot be made' 'Internal.*/proc/sys/bad'
conflist
ok 'the first pod lives through all of it' reach_here "$(ip_of "$a")"
pod_down "$a"
is 'nothing is left' "$(left)" '0 0 0 0 0'
crisp_clean
