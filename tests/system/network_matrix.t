# network_matrix.t - pods of the native network beside pods of the plugins 1.1.1 and 1.9.1 on one network: bridge and ptp; IPv4, IPv6
# and both; whoever came first, whoever goes first, whoever takes it down. And hostPorts of each protocol and family.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/network.sh"

# conflist KIND FAMILY NAME: the only conflist; a crispd that runs has read it.
conflist() {
	local ranges routes keys='{}'
	case $2 in
	v4) ranges='[[{subnet: "10.200.0.0/16"}]]' routes='[{dst: "0.0.0.0/0"}]' ;;
	v6) ranges='[[{subnet: "fd00:c::/64"}]]' routes='[{dst: "::/0"}]' ;;
	dual) ranges='[[{subnet: "10.200.0.0/16"}], [{subnet: "fd00:c::/64"}]]' routes='[{dst: "0.0.0.0/0"}, {dst: "::/0"}]' ;;
	esac
	[ "$1" = ptp ] || keys='{bridge: "crisptest0", isGateway: true, hairpinMode: true}'
	jq -n --arg type "$1" --arg name "$3" --arg dir "$T/ipam" "{cniVersion: \"1.0.0\", name: \$name, plugins: [
		{type: \$type, ipMasq: true, ipam: {type: \"host-local\", dataDir: \$dir, ranges: $ranges, routes: $routes}} + $keys,
		{type: \"portmap\", capabilities: {portMappings: true}}]}" >"$T/new"
	mv "$T/new" "$T/cni/10-test.conflist"
	[ -z "$KEEPER" ] || until_ok 10 grep -q "cni_config .*network=$3 " "$T/crisp.log"
}
# all COMMAND...: COMMAND succeeds with each of the words of $with at its end.
with=
all() { local w; for w in $with; do "$@" "$w" || { echo "$* $w"; return 1; }; done; }
addresses() { $CRICTL inspectp "$1" | jq -r '[.status.network | .ip, .additionalIps[]?.ip] | join(" ")'; }
# outside_sees NETNS IP: with which address the outer namespace sees a pod: the node's, of the family of IP.
outside_sees() {
	case $2 in
	*:*) [ "$(peer_seen "$1" 2001:db8::2)" = 2001:db8::1 ] ;;
	*) [ "$(peer_seen "$1" 192.0.2.2)" = 192.0.2.1 ] ;;
	esac
}
# what another runtime's pod is: a namespace "other", made and removed by a plugin
other_up() { ip netns add other && ip -n other link set lo up && plugin "$1" ADD other-runtime /run/netns/other >"$T/result" 2>"$T/err"; }
other_down() { plugin "$1" DEL other-runtime /run/netns/other && ip netns del other; }
left() { find "$T/ipam" -name '10.*' -o -name 'fd*' | wc -l; }

crisp_config 'network: native'
conflist bridge v4 none
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
outside

# both NAME: the native pod $a and the other one: each is reached in each family, and is masqueraded.
both() {
	local mine theirs
	mine=$(addresses "$a") theirs=$(jq -r '[.ips[].address | sub("/.*"; "")] | join(" ")' "$T/result")
	with=$mine
	ok "$1: the node reaches ours" all reach_here
	ok "$1: theirs reaches ours" all reach /run/netns/other
	ok "$1: ours is masqueraded" all outside_sees "$(netns_of "$a")"
	with=$theirs
	ok "$1: the node reaches theirs" all reach_here
	ok "$1: ours reaches theirs" all reach "$(netns_of "$a")"
	ok "$1: theirs is masqueraded" all outside_sees /run/netns/other
}
# life KIND FAMILY DIR VERSION: both orders of coming and going.
life() {
	local kind=$1 family=$2 dir=$3 name
	name="$kind $family, $4"
	conflist "$kind" "$family" "$kind$family${4//./}"
	a=$(pod_up "a$kind$family${4//./}")
	is "$name: ours is native" "$(kind_of "$a")" native
	ok "$name: theirs comes second" other_up "$dir"
	both "$name, ours first"
	ok "$name: ours goes first" pod_down "$a"
	with=$(jq -r '[.ips[].address | sub("/.*"; "")] | join(" ")' "$T/result")
	ok "$name: theirs stays reached" all reach_here
	ok "$name: and masqueraded" all outside_sees /run/netns/other
	ok "$name: theirs goes" other_down "$dir"
	is "$name: all addresses are free" "$(left)" 0
	ok "$name: theirs comes first" other_up "$dir"
	a=$(pod_up "b$kind$family${4//./}")
	both "$name, theirs first"
	ok "$name: theirs goes first" other_down "$dir"
	with=$(addresses "$a")
	ok "$name: ours stays reached" all reach_here
	ok "$name: and masqueraded" all outside_sees "$(netns_of "$a")"
	# 1.1.1 looks for rules of iptables, finds none, and complains when it has freed all else
	plugin "$dir" DEL "$a" "$(netns_of "$a")" >"$T/err" 2>&1; rc=$?
	[ "$4" = 1.1.1 ] || is "$name: their plugin takes ours down" "$rc $(cat "$T/err")" '0 '
	is "$name: its addresses are free" "$(left)" 0
	notok "$name: its device is gone" nsenter --net="$(netns_of "$a")" ip link show eth0
	ok "$name: then crisp has no trouble" pod_down "$a"
	is "$name: no element is left" "$(nft list table inet crisp | grep -c 'comment "[0-9a-f]\{64\}"')" 0
	is "$name: no route to a pod is left" "$(ip route show | grep -c '^10\.200\.0\.[0-9]* ')$(ip -6 route show | grep -c '^fd00:c::[0-9a-f]\+ dev veth')" 00
	! ip link show crisptest0 >/dev/null 2>&1 || ip link del crisptest0
}
for kind in bridge ptp; do
	for family in v4 v6 dual; do
		life $kind $family /usr/lib/cni 1.1.1
		life $kind $family "$TOOLS/cni" 1.9.1
	done
done

# A pod that comes tells all others of its network where its addresses are now: they may know them from a pod that went.
conflist bridge dual arp
a=$(pod_up listener)
nsenter --net="$(netns_of "$a")" timeout 30 python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(("eth0", 3)); s.settimeout(20)
print("ready", flush=True)
said = {}
while len(said) < 2:
    f = s.recv(999); mac = ":".join("%02x" % b for b in f[6:12])
    if f[12:14] == b"\x08\x06" and f[28:32] == f[38:42]: said[4] = socket.inet_ntoa(f[28:32]), mac
    if f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 and f[62] == 0xfd: said[6] = socket.inet_ntop(socket.AF_INET6, f[62:78]), mac
print(*said[4], *said[6], flush=True)' >"$T/arp" & listener=$!
until_ok 10 grep -q ready "$T/arp"
b=$(pod_up comer)
wait $listener
mac=$(nsenter --net="$(netns_of "$b")" ip -o link show eth0 | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2)
is 'others hear of a pod that comes' "$(tail -1 "$T/arp")" "$(ip_of "$b") $mac $(addresses "$b" | cut -d' ' -f2) $mac"
pod_down "$a"; pod_down "$b"

# hostPorts of both families: TCP, UDP, SCTP; on all addresses, and on one.
port() { printf '{"protocol":%s,"container_port":%s,"host_port":%s,"host_ip":"%s"}' "$@"; }
ports=
for protocol in 0 1 2; do
	ports+="${ports:+,}$(port $protocol 8$protocol 900$protocol ''),$(port $protocol 8$protocol 901$protocol 192.0.2.1),$(port $protocol 8$protocol 902$protocol 2001:db8::1)"
done
p=$(pod_up ports "\"port_mappings\":[$ports]")
nsenter --net="$(netns_of "$p")" python3 -c '
import socket, threading
def udp():
    u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.bind(("::", 81))
    while True: _, peer = u.recvfrom(99); u.sendto(peer[0].removeprefix("::ffff:").encode(), peer)
def serve(s):
    while True: c, peer = s.accept(); c.sendall(peer[0].removeprefix("::ffff:").encode()); c.close()
threading.Thread(target=udp, daemon=True).start()
try:
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 132); s.bind(("::", 82)); s.listen()
    threading.Thread(target=serve, args=(s,), daemon=True).start()
except OSError: pass
serve(socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True))' & server=$!
# asks NETNS(- : the node) IP PORT [udp|sctp]: whom the server in the pod sees
asks() {
	local in=(); [ "$1" = - ] || in=(nsenter --net="$1")
	timeout 4 "${in[@]}" python3 -c '
import socket, sys
ip, port, how = sys.argv[1], int(sys.argv[2]), (sys.argv[3:] or ["tcp"])[0]
family = socket.AF_INET6 if ":" in ip else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM, 132 if how == "sctp" else 0)
s.settimeout(2); s.connect((ip, port))
if how == "udp": s.send(b"?")
print(s.recv(99).decode())' "$2" "$3" ${4-} 2>/dev/null
}
asked() { # NAME WANT ASKS-ARGUMENT...: the pod may need a moment until it listens
	local name=$1 want=$2; shift 2
	until_ok 5 asks "$@"
	is "$name" "$(asks "$@")" "$want"
}
protocols="0:tcp 1:udp"
if python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)' 2>/dev/null; then
	protocols+=" 2:sctp"
else
	skip 'hostPorts of SCTP carry data' 'the kernel has no SCTP'
fi
for x in $protocols; do
	n=${x%:*} how=${x#*:}
	asked "$how: IPv4, any address" 192.0.2.2 /run/netns/outer 192.0.2.1 900$n $how
	asked "$how: IPv6, any address" 2001:db8::2 /run/netns/outer 2001:db8::1 900$n $how
	asked "$how: IPv4, the hostIP" 192.0.2.2 /run/netns/outer 192.0.2.1 901$n $how
	asked "$how: IPv6, the hostIP" 2001:db8::2 /run/netns/outer 2001:db8::1 902$n $how
	is "$how: not by the other family" "$(asks /run/netns/outer 2001:db8::1 901$n $how)$(asks /run/netns/outer 192.0.2.1 902$n $how)" ''
	asked "$how: the node, by its address" 192.0.2.1 - 192.0.2.1 900$n $how
	asked "$how: the pod itself" 10.200.0.1 "$(netns_of "$p")" 192.0.2.1 900$n $how
	asked "$how: the pod itself, by IPv6" fd00:c::1 "$(netns_of "$p")" 2001:db8::1 900$n $how
done
# What the kernel is told of SCTP: the same as of the others.
like 'sctp: all addresses' "$(nft list map inet crisp port4)" "sctp \. 9002 comment \"$p\" : $(ip_of "$p") \. 82"
like 'sctp: a hostIP' "$(nft list map inet crisp port4-ip)" "192\.0\.2\.1 \. sctp \. 9012 comment \"$p\" : $(ip_of "$p") \. 82"
like 'sctp: a hostIP of IPv6' "$(nft list map inet crisp port6-ip)" "2001:db8::1 \. sctp \. 9022 comment \"$p\" : fd00:c::[0-9a-f]+ \. 82"
kill $server; wait $server 2>/dev/null
pod_down "$p"
is 'no hostPort is left' "$(nft list table inet crisp | grep -c 'comment "[0-9a-f]\{64\}"')" 0
outside_end
crisp_clean
