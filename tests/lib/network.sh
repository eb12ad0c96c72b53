# network.sh - pods' networks: who reaches whom, plugins as another runtime runs them, what is left. Sourced behind crisp.sh.

# plugin DIR VERB ID NETNS: the main plugin of the conflist, of the machine or of build/tools/cni, as another runtime runs it.
plugin() {
	jq '.plugins[0] + {name, cniVersion}' "$T/cni/10-test.conflist" | CNI_COMMAND=$2 CNI_CONTAINERID=$3 CNI_NETNS=$4 \
		CNI_IFNAME=eth0 CNI_PATH=$1 "$1/$(jq -r '.plugins[0].type' "$T/cni/10-test.conflist")"
}
network_is() { $CRICTL info | tr -d '\\" ' | grep -q "network:$1"; }
ip_of() { $CRICTL inspectp "$1" | jq -r .status.network.ip; }
kind_of() { jq -r .network_kind "$T/root/sandboxes/$1.json"; }
netns_of() { echo "$T/netns/crisp-$1"; }
# reach NETNS IP: a port without a listener answers that it has none. reach_here IP: from the node. Both ask once: where something
# was changed right before (a device, a route), until_ok asks again, since the kernel tells a device's carrier later.
reach() { timeout 3 nsenter --net="$1" bash -c "echo >/dev/tcp/$2/9" 2>&1 | grep -q refused; }
reach_here() { timeout 3 bash -c "echo >/dev/tcp/$1/9" 2>&1 | grep -q refused; }
elements() { nft list table inet crisp 2>/dev/null | grep -o '[0-9.]* comment "[0-9a-f]*"' | sort; }
worker() { fuser "$T/state/net.lock" 2>/dev/null | tr -d ' '; }
pod_up() { $CRICTL runp "$(pod_json "$1" "${2-}")"; }
pod_down() { $CRICTL stopp "$1" >/dev/null && $CRICTL rmp "$1" >/dev/null; }

# outside: a second network namespace "outer" behind the node, which tells who asks it: peer_seen NETNS IP.
outside() {
	ip netns add outer
	ip link add out0 type veth peer name eth0 netns outer
	ip addr add 192.0.2.1/24 dev out0; ip -6 addr add 2001:db8::1/64 dev out0 nodad; ip link set out0 up
	ip -n outer addr add 192.0.2.2/24 dev eth0; ip -n outer -6 addr add 2001:db8::2/64 dev eth0 nodad
	ip -n outer link set eth0 up; ip -n outer link set lo up
	ip netns exec outer python3 -c '
import socket
s = socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True)
while True: c, peer = s.accept(); c.sendall((peer[0].removeprefix("::ffff:") + "\n").encode()); c.close()' & outer=$!
	until_ok 5 peer_seen /proc/self/ns/net 192.0.2.2
	until_ok 5 peer_seen /proc/self/ns/net 2001:db8::2
}
outside_end() { kill "$outer"; wait "$outer" 2>/dev/null; ip netns del outer; ip link del out0 2>/dev/null; true; }
peer_seen() { timeout 3 nsenter --net="$1" bash -c "exec 3<>/dev/tcp/${2:-192.0.2.2}/9000; cat <&3"; }
