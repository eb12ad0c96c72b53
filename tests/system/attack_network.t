# attack_network.t - a pod that is root of its network namespace works against the native network: it renames, removes, moves
# its device, takes others' addresses, plays a router, floods. It must gain no more than where plugins made the network, and others live on.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/network.sh"

crisp_config 'network: native'
mkdir -p "$T/cni"
cat >"$T/cni/10-test.conflist" <<-J
{"cniVersion":"1.0.0","name":"attacked","plugins":[{"type":"bridge","bridge":"crisptest0","isGateway":true,"ipMasq":true,
  "ipam":{"type":"host-local","dataDir":"$T/ipam","ranges":[[{"subnet":"10.200.0.0/16","rangeStart":"10.200.0.2","rangeEnd":"10.200.0.9"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
J
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
as() { local p=$1; shift; nsenter --net="$T/netns/crisp-$p" "$@"; }
gone() { [ ! -e "$T/ipam/attacked/$1" ] && ! nft list table inet crisp | grep -qF " $1 "; }

# The helper, if the pod took it over by what it reads: no program, no other process, three capabilities.
ok 'a helper works' until_ok 10 sh -c "fuser $T/state/net.lock 2>/dev/null | grep -q ."
v=$(pod_up victim)
status=$(cat "/proc/$(worker)/status")
is 'its capabilities: dac_override, net_admin, sys_admin' "$(awk '/^Cap(Prm|Eff|Bnd):/ { print $2 }' <<<"$status" | sort -u)" 0000000000201002
is 'it can execute nothing that is setuid' "$(awk '/^NoNewPrivs:/ { print $2 }' <<<"$status")" 1
case $BUILD in *-san*) echo '# SKIP the filter: sanitizers need a process' ;; *) is 'it has a filter' "$(awk '/^Seccomp:/ { print $2 }' <<<"$status")" 2 ;; esac

# What a pod does to its own device: its address comes back all the same, and no rule stays.
for how in 'link set eth0 down' 'route flush table all' 'link set eth0 name eth7' 'addr flush dev eth0' 'link del eth0' 'link set eth0 address 02:00:00:00:00:01'; do
	p=$(pod_up own); ip=$(ip_of "$p")
	[[ $how != *name* ]] || as "$p" ip link set eth0 down
	ok "a pod does: $how" as "$p" ip $how
	ok '... and is stopped' pod_down "$p"
	ok '... and its address is free, its rules are gone' gone "$ip"
done

# Ten thousand addresses and routes: the check of its network and the way down take no notice.
p=$(pod_up many); ip=$(ip_of "$p")
python3 -c '
for i in range(10000): print("addr add 198.18.%d.%d/32 dev eth0\nroute add blackhole 198.19.%d.%d" % (i >> 8, i & 255, i >> 8, i & 255))' |
	as "$p" ip -force -batch - >/dev/null
is 'a pod has many addresses and routes' "$(as "$p" ip -o addr show eth0 | grep -c 198.18) $(as "$p" ip route | grep -c blackhole)" '10000 10000'
is 'crisp check finds what crisp made' "$(CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" check | grep -v ^limit | tr -s ' ' )" 'pods 2 were looked at'
ok 'the node reaches it' reach_here "$ip"
ok '... and is stopped' pod_down "$p"
ok '... and its address is free, its rules are gone' gone "$ip"

# An eth0 of its own instead of ours, which is hidden in a namespace below.
p=$(pod_up decoy); ip=$(ip_of "$p")
ip netns add below
ok 'a pod has another eth0' as "$p" sh -c "ip link set eth0 netns below && ip link add eth0 type veth peer name eth9 && ip addr add $ip/16 dev eth0 && ip link set eth0 up"
like 'crisp check says so' "$(CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" check)" "^wrong *sandbox ${p:0:12}"
ok '... and is stopped' pod_down "$p"
ok '... and its address is free, its rules are gone' gone "$ip"
ip netns del below

# A router that is none: advertisements of a pod give the node no address and no route.
p=$(pod_up router)
advertise() {
	as "$p" python3 -c '
import socket, struct
eth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); eth.bind(("eth0", 0x86dd)); mac = eth.getsockname()[4]
src, dst = socket.inet_pton(socket.AF_INET6, "fe80::bad"), socket.inet_pton(socket.AF_INET6, "ff02::1")
ra = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
all = src + dst + struct.pack("!II", len(ra), 58) + ra
sum = sum(struct.unpack("!%dH" % (len(all) // 2), all))
while sum >> 16: sum = (sum & 0xffff) + (sum >> 16)
ra = ra[:2] + struct.pack("!H", ~sum & 0xffff) + ra[4:]
eth.send(b"\x33\x33\x00\x00\x00\x01" + mac + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(ra), 58, 255) + src + dst + ra)'
}
heard() { awk '$1 == "Icmp6InRouterAdvertisements" { print $2 }' /proc/net/snmp6; }
taken() { ip -6 -o addr show dev crisptest0 | grep -q 2001:db8:bad && ip -6 route show default dev crisptest0 | grep -q fe80::bad; }
takes() { advertise; until_ok 1 taken; }
echo 2 >/proc/sys/net/ipv6/conf/crisptest0/accept_ra
ok 'a node that listens to routers takes what a pod advertises' until_ok 20 takes
ip -6 addr flush dev crisptest0 scope global; ip -6 route flush default
other=$(pod_up other)
before=$(heard)
ok 'the next pod has set it back, and the node hears it' until_ok 20 sh -c "$(declare -f advertise as heard); p=$p T=$T; advertise; [ \$(heard) -gt $before ]"
notok 'and takes nothing' taken
pod_down "$other"; pod_down "$p"

# A device that the pod moved into a namespace that lives on keeps no address: the next owner is the one that is reached.
p=$(pod_up mover); ip=$(ip_of "$p")
ip netns add hide
as "$p" ip link set eth0 netns hide
ip -n hide addr add "$ip/16" dev eth0; ip -n hide link set eth0 up
ok 'a pod moves its device away, and is stopped' pod_down "$p"
ok 'its address is free' gone "$ip"
for i in 1 2 3 4 5 6 7 8; do n=$(pod_up "next$i" 2>/dev/null) || break; nexts+="$n "; [ "$(ip_of "$n")" != "$ip" ] || break; done
is 'another pod gets the address' "$(ip_of "$n")" "$ip"
notok 'the device that was moved does not carry' sh -c 'ip -n hide -o link show eth0 | grep -q LOWER_UP'
mac() { ip neigh show "$ip" dev crisptest0 | grep -o 'lladdr [0-9a-f:]*'; }
ok 'which is reached' reach_here "$ip"
is 'and it is that pod which answers' "$(mac)" "lladdr $(as "$n" ip -o link show eth0 | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2)"
ip netns del hide
for n in $nexts; do pod_down "$n"; done

# Others' addresses, by ARP and as a source: as with the plugin, and no worse.
outside
ip -n outer route add 203.0.113.0/24 via 192.0.2.1
# spoofed KIND: what an attacker gets, in words.
spoofed() {
	local p got
	p=$(pod_up "spoof$1")
	until_ok 10 reach_here "$(ip_of "$v")" # so that there is a neighbour to be taken; the kernel keeps a new one for a second
	nsenter --net="$T/netns/crisp-$p" python3 -c '
import socket, struct, sys, time
eth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); eth.bind(("eth0", 0x0806))
mac = eth.getsockname()[4]; victim = socket.inet_aton(sys.argv[1])
arp = b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac + victim + b"\xff" * 6 + victim
while True: eth.send(arp); time.sleep(0.05)' "$(ip_of "$v")" & local liar=$!
	until_ok 10 sh -c "ip neigh show $(ip_of "$v") dev crisptest0 | grep -q $(as "$p" ip -o link show eth0 | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2)" &&
		got='neighbour taken' || got='neighbour kept'
	kill $liar; wait $liar 2>/dev/null
	ip neigh flush dev crisptest0
	got+=$(until_ok 10 reach_here "$(ip_of "$v")" && echo ', then reached')
	nsenter --net=/run/netns/outer timeout $((30 * ${SLOW:-1})) python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7777)); s.settimeout(10)
print("ready", flush=True)
try: print(s.recvfrom(9)[1][0], flush=True)
except OSError: print("nothing", flush=True)' >"$T/seen" & local s=$!
	until_ok 5 grep -q ready "$T/seen"
	as "$p" ip addr add 203.0.113.9/32 dev lo
	as "$p" python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("203.0.113.9", 0))
for i in range(5): s.sendto(b"x", ("192.0.2.2", 7777))'
	wait $s
	pod_down "$p"
	echo "$got; a foreign source outside: $(tail -1 "$T/seen")"
}
native=$(spoofed native)
sed -i 's/^network: native/network: cni/' "$T/config.yaml"
kill -HUP "$KEEPER"; until_ok 10 network_is cni; until_ok 10 crisp_ready
plugins=$(spoofed cni)
is 'spoofed ARP and addresses: as with the plugin' "$native" "$plugins"
like 'and the victim is there again' "$native" 'then reached'
sed -i 's/^network: cni/network: native/' "$T/config.yaml"
kill -HUP "$KEEPER"; until_ok 10 network_is native; until_ok 10 crisp_ready

# A flood of flows: each has an entry of the node's conntrack, since pods are masqueraded. Pods come and go, and hostPorts serve.
p=$(pod_up flows)
ask_dns() { nsenter --net=/run/netns/outer python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 5353)); s.settimeout(1); s.sendto(b"?", ("192.0.2.1", 9053))
print(s.recv(9).decode())' 2>/dev/null; }
ask_dns # nobody serves it yet: this flow has an entry that leads to the node
as "$p" python3 -c '
import socket
s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(5)]
for i in range(30000):
    try: s[i % 5].sendto(b"", ("192.0.2.2", 1024 + i // 5))
    except OSError: pass'
ok 'the flood has 20,000 entries and more' until_ok 5 sh -c '[ $(cat /proc/sys/net/netfilter/nf_conntrack_count) -gt 20000 ]'
d=$(pod_up dns '"port_mappings":[{"protocol":1,"container_port":53,"host_port":9053}]')
nsenter --net="$T/netns/crisp-$d" python3 -c '
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 53))
while True: u.sendto(b"dns", u.recvfrom(9)[1])' & server=$!
until_ok 10 ask_dns
is 'a hostPort of UDP takes a flow that was there before it' "$(ask_dns)" dns
ok 'the victim is reached' reach_here "$(ip_of "$v")"
kill $server; wait $server 2>/dev/null
ok 'the pod with the hostPort goes' pod_down "$d"
ok 'the flooding pod goes' pod_down "$p"
outside_end

# A flood of netlink events and of devices in the pod's namespace wakes nobody outside.
p=$(pod_up flood)
w=$(worker); ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
before=$(ticks "$w")
nsenter --net="$T/netns/crisp-$p" bash -c 'while :; do for i in $(seq 200); do echo link add v$i type bridge; echo link del v$i; echo addr add 198.51.100.$i/32 dev lo; done | ip -force -batch - ; done' >/dev/null 2>&1 & flood=$!
until_ok 10 sh -c "nsenter --net=$T/netns/crisp-$p ip -o addr show lo | grep -q 198.51.100"
is 'the helper does not hear a flood in a pod' "$(($(ticks "$w") - before < 20))" 1
ok 'while it lasts another pod comes up' pod_up later
ok 'and the victim is reached' reach_here "$(ip_of "$v")"
kill $flood; wait $flood 2>/dev/null
pod_down "$p"
pod_down "$($CRICTL pods -q --name later)"; pod_down "$v"
is 'no rule is left' "$(nft list table inet crisp 2>/dev/null | grep -c 'comment "[0-9a-f]\{64\}"')" 0
crisp_clean
