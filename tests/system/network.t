# network.t - the native network: pods get addresses, routes and masquerading without plugins, beside plugins on the same
# network; each undoes what it made, and crash and repair leave nothing.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/network.sh"

NAME=$(basename "$T" | tr -dc 'a-zA-Z0-9' | tail -c 8)
# conflist [KEYS] [IPAM]: writes the only conflist: bridge and host-local.
conflist() {
	cat >"$T/new" <<-J
	{"cniVersion":"1.0.0","name":"t$NAME","plugins":[{"type":"bridge","bridge":"crisptest0","isGateway":true,"ipMasq":true${1-},
	  "ipam":{"type":"host-local","dataDir":"$T/ipam","ranges":[[{"subnet":"10.200.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]${2-}}}]}
	J
	mv "$T/new" "$T/cni/10-test.conflist"
}
crisp_config 'network: native'
mkdir -p "$T/cni"
conflist
sed -i 's|bin_dirs: .[^]]*.|bin_dirs: [/nowhere]|' "$T/config.yaml"
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null

like 'ready without any plugin program' "$($CRICTL info | jq -c '[.status.conditions[] | [.type, .status, .message]]')" '"NetworkReady",true,""'
# The bridge is the plugin's, and has lost its last port: made by 1.1.1, it has no MAC of its own.
ip netns add other
plugin /usr/lib/cni ADD first /run/netns/other >/dev/null 2>&1 && plugin /usr/lib/cni DEL first /run/netns/other
ip netns del other
rm -r "$T/ipam"
a=$(pod_up a); b=$(pod_up b)
is 'the record says how' "$(kind_of "$a")" native
is 'addresses in order' "$(ip_of "$a") $(ip_of "$b")" '10.200.0.2 10.200.0.3'
ok 'the node reaches a pod' reach_here "$(ip_of "$a")"
ok 'a pod reaches a pod' reach "$(netns_of "$a")" "$(ip_of "$b")"
ok 'a pod reaches its gateway' reach "$(netns_of "$a")" 10.200.0.1
is 'an element a pod' "$(elements)" "$(printf '10.200.0.2 comment "%s"\n10.200.0.3 comment "%s"' "$a" "$b")"
is 'the cache file of libcni' "$(jq -r '[.kind, .ifName, .containerId, .result.ips[0].address] | join(" ")' "$T/cni-cache/results/t$NAME-$a-eth0")" "cniCacheV1 eth0 $a 10.200.0.2/16"

# What a second namespace sees: the node's address, and the pod's own inside of the network.
outside
is 'outside, a pod has the address of the node' "$(until_ok 5 peer_seen "$(netns_of "$a")" >/dev/null; peer_seen "$(netns_of "$a")")" 192.0.2.1

# Plugins on the same network at the same time: up in turns, down by themselves, and the newer ones take ours down too.
beside() { # DIR VERSION
	local dir=$1 v=$2 ip c
	ip netns add other
	plugin "$dir" ADD other-runtime /run/netns/other >"$T/result" 2>"$T/err" || cat "$T/err" "$T/result"
	ip=$(jq -r '.ips[0].address' "$T/result")
	like "$v: a plugin takes an address" "$ip" '^10\.200\.0\.[0-9]+/16$'
	ok "$v: its pod and ours reach each other" reach "$(netns_of "$a")" "${ip%/*}"
	c=$(pod_up c)
	ip=${ip%/*}
	is "$v: the next address is ours" "$(ip_of "$c")" "${ip%.*}.$((${ip##*.} + 1))"
	ok "$v: the plugin undoes its own" plugin "$dir" DEL other-runtime /run/netns/other
	ok "$v: our pods stay" reach_here "$(ip_of "$a")"
	ip netns del other
	plugin "$dir" DEL "$c" "$(netns_of "$c")" >"$T/err" 2>&1; rc=$?
	# 1.1.1 looks for iptables' rules, finds none and complains, but has freed all else before
	[ "$v" = 1.1.1 ] || is "$v: the plugin undoes ours" "$rc $(cat "$T/err")" '0 '
	notok "$v: its address is free" test -e "$T/ipam/t$NAME/$(ip_of "$c")"
	notok "$v: its veth is gone" nsenter --net="$(netns_of "$c")" ip link show eth0
	ok "$v: then crisp has no trouble" pod_down "$c"
	notok "$v: and leaves no rule" grep -q "$c" <<<"$(elements)"
}
beside /usr/lib/cni 1.1.1
beside "$TOOLS/cni" 1.9.1

# A network of points, with two families, as kind has it.
cp "$T/cni/10-test.conflist" "$T/plain"
jq '.plugins[0] |= ({type: "ptp", ipMasq: true, ipam} | .ipam.ranges = [[{subnet: "10.201.0.0/24"}], [{subnet: "fd01::/64"}]] | .ipam.routes += [{dst: "::/0"}])
	| .name += "p"' "$T/plain" >"$T/new" && mv "$T/new" "$T/cni/10-test.conflist"
p=$(pod_up point)
is 'ptp: both families, IPv4 first' "$($CRICTL inspectp "$p" | jq -r '[.status.network.ip, .status.network.additionalIps[].ip] | join(" ")')" '10.201.0.2 fd01::2'
ok 'ptp: reached by IPv4' reach_here 10.201.0.2
ok 'ptp: reached by IPv6' reach_here fd01::2
ok 'ptp: it reaches pods of the bridge' reach "$(netns_of "$p")" "$(ip_of "$a")"
is 'ptp: the node has its address outside' "$(until_ok 5 peer_seen "$(netns_of "$p")" >/dev/null; peer_seen "$(netns_of "$p")")" 192.0.2.1
is 'ptp: the plugin 1.9.1 undoes ours' "$(plugin "$TOOLS/cni" DEL "$p" "$(netns_of "$p")" 2>&1; echo $?; ls "$T/ipam/t${NAME}p" | grep -c '^10\.\|^fd')" "$(printf '0\n0')"
ok 'ptp: then crisp has no trouble' pod_down "$p"
p=$(pod_up point)
ok 'ptp: down by crisp' pod_down "$p"
is 'ptp: no route to a pod is left' "$(ip route | grep '^10\.201\.0\.[0-9]* ')$(ip -6 route | grep '^fd01::[0-9a-f]* ')" ''
mv "$T/plain" "$T/cni/10-test.conflist"

# A helper that dies: the next one takes over.
w=$(worker)
kill -9 "$w"
d=$(pod_up d)
ok 'a helper that died is replaced' reach_here "$(ip_of "$d")"
unlike 'by another one' "$(worker)" "^$w$"
w=$(worker)
kill -STOP "$w"
$CRICTL runp "$(pod_json e)" >"$T/e" 2>&1 & runp=$!
until_ok 10 sh -c "$CRICTL pods -o json | jq -e '.items[] | select(.metadata.name == \"e\")'" >/dev/null
ok 'others go on while a helper hangs' $CRICTL exec -s "$($CRICTL run --no-pull "$(ctr_json x 'sleep 1000')" "$(pod_json x '"linux":{"security_context":{"namespace_options":{"network":2,"pid":1}}}')")" true
kill -9 "$w"
wait $runp
like 'an ADD whose helper dies fails' "$(cat "$T/e")" 'Unavailable|crisp-net'
e=$(until_ok 10 pod_up e >/dev/null; $CRICTL pods -q --name '^e$' --state ready)
ok 'the next try succeeds' reach_here "$(ip_of "$e")"
is 'nothing is left of the first' "$(find "$T/ipam" -name '10.*' | wc -l)" 4
kill -STOP "$(worker)"; w=$(worker)
$CRICTL stopp "$e" >"$T/e" 2>&1 & stopp=$!
until_ok 10 sh -c "$CRICTL inspectp $e | jq -e '.status.state == \"SANDBOX_NOTREADY\"'" >/dev/null
kill -9 "$w"
wait $stopp
is 'a DEL whose helper dies is done by the next' "$?" 0
$CRICTL rmp "$e" >/dev/null
is 'and its address is free' "$(find "$T/ipam" -name '10.*' | wc -l)" 3

# crispd dies while a network is made: its helper may end later, and must not make it behind the undo.
kill -STOP "$(worker)"
$CRICTL runp "$(pod_json f)" >/dev/null 2>&1 &
until_ok 10 sh -c "ls $T/root/sandboxes | wc -l | grep -qx 5"
kill_crispd
ok 'the half made pod is undone' until_ok 30 sh -c "ls $T/root/sandboxes | wc -l | grep -qx 4"
is 'with its address' "$(find "$T/ipam" -name '10.*' | wc -l)" 3
ok 'the others are reached' reach_here "$(ip_of "$a")"

# hostPorts: from outside, from the node, from other pods and from the pod itself.
mv "$T/cni/10-test.conflist" "$T/plain"
jq '.plugins[0].hairpinMode = true | .plugins += [{type: "portmap", capabilities: {portMappings: true}}]' "$T/plain" >"$T/new" && mv "$T/new" "$T/cni/10-test.conflist"
web=$(pod_up web '"port_mappings":[{"container_port":80,"host_port":8080},{"protocol":1,"container_port":53,"host_port":8080},{"container_port":80,"host_port":8081,"host_ip":"192.0.2.1"},{"protocol":2,"container_port":80,"host_port":8082}]')
is 'a pod with hostPorts is native' "$(kind_of "$web")" native
nsenter --net="$(netns_of "$web")" python3 -c '
import socket, threading
def udp():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 53))
    while True: _, peer = u.recvfrom(99); u.sendto(peer[0].encode(), peer)
threading.Thread(target=udp, daemon=True).start()
s = socket.create_server(("", 80))
while True: c, peer = s.accept(); c.sendall(peer[0].encode()); c.close()' & server=$!
# asks NETNS(- : the node) IP PORT [udp]: whom the server in the pod sees
asks() {
	local in=(); [ "$1" = - ] || in=(nsenter --net="$1")
	timeout 15 "${in[@]}" python3 -c '
import socket, sys
if len(sys.argv) > 3:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
else:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
print(s.recv(99).decode())' "$2" "$3" ${4-} 2>/dev/null
}
until_ok 5 asks - "$(ip_of "$web")" 80 >/dev/null
is 'from outside the pod sees who asks' "$(asks /run/netns/outer 192.0.2.1 8080)" 192.0.2.2
is 'by UDP too' "$(asks /run/netns/outer 192.0.2.1 8080 udp)" 192.0.2.2
is 'by the hostIP' "$(asks /run/netns/outer 192.0.2.1 8081)" 192.0.2.2
is 'on the node by its loopback' "$(asks - 127.0.0.1 8080)" 10.200.0.1
is 'not by another address than the hostIP' "$(asks - 127.0.0.1 8081)" ''
is 'on the node by its address' "$(asks - 192.0.2.1 8080)" 192.0.2.1
is 'from another pod of the network' "$(asks "$(netns_of "$a")" 192.0.2.1 8080)" 10.200.0.1
is 'from the pod itself' "$(asks "$(netns_of "$web")" 192.0.2.1 8080)" 10.200.0.1
like 'a hostPort in use is refused, with the pod that has it' "$(pod_up web2 '"port_mappings":[{"container_port":90,"host_port":8080,"host_ip":"192.0.2.1"}]' 2>&1)" 'FailedPrecondition.*hostPort 8080 is in use by pod default/web'
ok 'another protocol or address is not in its way' pod_up web3 '"port_mappings":[{"protocol":1,"container_port":90,"host_port":8082},{"container_port":90,"host_port":8081,"host_ip":"127.0.0.1"}]'
pod_down "$($CRICTL pods -q --name web3)" >/dev/null
nft flush ruleset
kill_crispd
until_ok 10 sh -c 'nft list map inet crisp port4-ip | grep -q 8081'
is 'flushed hostPorts come back with the next daemon' "$(asks /run/netns/outer 192.0.2.1 8080)" 192.0.2.2
kill $server
$CRICTL stopp "$web" >/dev/null
is 'no hostPort is left' "$(nft list table inet crisp | grep -c 'comment "[0-9a-f]*" :')" 0
ok 'its port is free again' pod_up web4 '"port_mappings":[{"container_port":90,"host_port":8080}]'
for p in "$web" "$($CRICTL pods -q --name web4)"; do pod_down "$p" >/dev/null; done
mv "$T/plain" "$T/cni/10-test.conflist"

# Somebody's firewall throws our rules away; crispd is told of it, or finds it when it comes back.
nft flush ruleset
ok 'flushed rules are made again at once' until_ok 10 sh -c 'nft list table inet crisp'
is 'the rules are made again for all pods' "$(until_ok 5 sh -c "nft list table inet crisp | grep -q $d" >/dev/null; elements | wc -l)" 3
kill -STOP "$(worker)"; w=$(worker)
nft flush ruleset
kill_crispd
kill -CONT "$w" 2>/dev/null
ok 'and by the next daemon' until_ok 10 sh -c "nft list table inet crisp | grep -q $d"
f=$(pod_up f)
is 'and serve' "$(until_ok 5 peer_seen "$(netns_of "$a")" >/dev/null; peer_seen "$(netns_of "$a")")" 192.0.2.1
outside_end

# A conflist that needs plugins; a choice that is turned around under living pods.
conflist ',"vlan":5'
like 'native: not ready, by name' "$(until_ok 5 sh -c "$CRICTL info | grep vlan" >/dev/null; $CRICTL info | jq -c '[.status.conditions[] | [.type, .status, .message]]')" '"NetworkReady",false,.*plugin bridge: .* vlan'
like 'and RunPodSandbox says so' "$(pod_up g 2>&1)" 'FailedPrecondition.*vlan'
ok 'a living pod goes the way it came' pod_down "$f"
conflist
sed -i 's/^network: native/network: auto/; s|bin_dirs: ./nowhere.|bin_dirs: [/usr/lib/cni]|' "$T/config.yaml"
kill -HUP "$KEEPER"; until_ok 10 network_is auto
until_ok 10 crisp_ready
g=$(pod_up g)
is 'auto: natively where that is possible' "$(kind_of "$g")" native
conflist ',"promiscMode":true,"hairpinMode":false'
until_ok 5 sh -c "$CRICTL info | grep -q 'by CNI plugins'" >/dev/null
like 'auto: Status tells what needs plugins' "$($CRICTL info | jq -c '[.status.conditions[] | [.type, .status, .message]]')" '"NetworkReady",true,.*by CNI plugins: plugin bridge: .* promiscMode'
is 'and the log, once' "$(grep -c 'network_kind kind=cni' "$T/crisp.log")" 1
h=$(pod_up h)
is 'such a pod gets its network by plugins' "$(kind_of "$h")" cni
ok 'and is reached by native ones' reach "$(netns_of "$g")" "$(ip_of "$h")"
conflist
ok 'by plugins up, by plugins down' pod_down "$h"
ok 'natively up, natively down' pod_down "$g"
sed -i 's/^network: auto/network: cni/' "$T/config.yaml"
kill -HUP "$KEEPER"; until_ok 10 network_is cni; until_ok 10 crisp_ready
ok 'cni: pods of before go natively' pod_down "$a"
# What no sandbox owns is given back at the next start, if this instance made it.
x=$(printf '%064d' 7)
cp "$T/ipam/t$NAME/$(ip_of "$b")" "$T/keep"
printf '%s\r\neth0' "$x" >"$T/ipam/t$NAME/10.200.9.9"
jq --arg x "$x" '.containerId = $x | .result.ips[0].address = "10.200.9.9/16"' "$T/cni-cache/results/t$NAME-$b-eth0" >"$T/cni-cache/results/t$NAME-$x-eth0"
jq '.crisp = "/other"' "$T/cni-cache/results/t$NAME-$x-eth0" >"$T/cni-cache/results/t$NAME-other-eth0"
kill_crispd
ok 'a lease of ours without a sandbox is freed' until_ok 10 test ! -e "$T/ipam/t$NAME/10.200.9.9"
ok 'what is of another instance stays' test -e "$T/cni-cache/results/t$NAME-other-eth0"
rm "$T/cni-cache/results/t$NAME-other-eth0"
ok 'our pods stay too' reach_here "$(ip_of "$b")"
for p in "$b" "$d"; do pod_down "$p" >/dev/null; done
is 'no rule is left' "$(elements)" ''
is 'no file of libcni is left' "$(ls "$T/cni-cache/results" | wc -l)" 0
crisp_clean
