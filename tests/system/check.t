# check.t - crisp check: what is wrong with pods' networks is said, and mended on request; both kinds of network.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up 'network: native'
check() { CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" check "$@" 2>&1; }
# said WANT-EXIT [OPTION]: the findings without limits, on one line, when the exit code is that.
said() { local want=$1 out rc; shift; out=$(check "$@"); rc=$?; [ $rc = "$want" ] || echo "exit $rc"; grep -v '^limit ' <<<"$out" | tr -s ' \n' ' '; }
reach_here() { timeout 3 bash -c "echo >/dev/tcp/$1/9" 2>&1 | grep -q refused; }
network_is() { $CRICTL info | tr -d '\\" ' | grep -q "network:$1"; }
ip_of() { $CRICTL inspectp "$1" | jq -r .status.network.ip; }
host_of() { jq -r .cni_result "$T/root/sandboxes/$1.json" | jq -r '.interfaces[1].name'; }

is 'an empty node' "$(said 0)" 'pods 0 were looked at '
a=$($CRICTL runp "$(pod_json a '"port_mappings":[{"container_port":80,"host_port":8080}]')")
b=$($CRICTL runp "$(pod_json b)")
is 'two pods as they were made' "$(said 0)" 'pods 2 were looked at '
is 'nothing to repair' "$(said 0 --repair)" 'pods 2 were looked at '
ip link set "$(host_of "$a")" down
like 'a device that somebody set down' "$(said 1)" "^wrong sandbox ${a:0:12}: its device $(host_of "$a") is down pods 2"
notok 'the pod is not reached' reach_here "$(ip_of "$a")"
like '--repair mends it' "$(said 0 --repair)" "^mended sandbox ${a:0:12}: its device $(host_of "$a") is down pods 2"
ok 'the pod is reached' until_ok 10 reach_here "$(ip_of "$a")"
rm "$T"/ipam/*/"$(ip_of "$b")"
like 'an address that would be given away' "$(said 0 --repair)" "mended sandbox ${b:0:12}: its address $(ip_of "$b") is not reserved"
ip addr del 10.200.0.1/16 dev crisptest0
like 'a bridge without its address' "$(said 1)" 'bridge crisptest0 has lost the address 10.200.0.1/16'
like 'is given it' "$(said 0 --repair)" 'mended .*bridge crisptest0 has lost'
nsenter --net="$T/netns/crisp-$b" ip route del default
like 'what a pod did inside stays its own affair' "$(said 1 --repair)" "^wrong sandbox ${b:0:12}: it has no route to 0.0.0.0/0 pods 2"
nsenter --net="$T/netns/crisp-$b" ip route add default via 10.200.0.1
is 'as JSON' "$(check --json | jq -c '[.sandboxes, [.findings[]? | select(.kind != "LIMIT")]]')" '[2,[]]'

# Rules of nobody, and rules of another crisp.
x=$(printf '%064d' 7) y=$(printf '%064d' 8)
# The set of this network; other tests may have left theirs, which are empty.
set=$(nft list sets | awk -v n="\"$(jq -r .name "$T"/cni/*.conflist) " '$1 == "set" { s = $2 } index($0, n) { print s; exit }')
nft add element inet crisp "$set" "{ 10.200.7.7 comment \"$x\", 10.200.7.8 comment \"$y\" }"
jq --arg y "$y" '.containerId = $y | .crisp = "/other"' "$T"/cni-cache/results/*"$b"-eth0 >"$T/cni-cache/results/t-$y-eth0"
is 'a rule of nobody' "$(said 1)" "wrong nftables set inet crisp $set has an element of sandbox 000000000000, which is not there pods 2 were looked at "
is 'is taken away' "$(said 0 --repair)" "mended nftables set inet crisp $set has an element of sandbox 000000000000, which is not there pods 2 were looked at "
notok 'it is gone' sh -c "nft list set inet crisp $set | grep -q 10.200.7.7"
ok 'that of another crisp stays' sh -c "nft list set inet crisp $set | grep -q 10.200.7.8"
rm "$T/cni-cache/results/t-$y-eth0"

# A helper that dies meanwhile; the limits.
kill -9 "$(fuser "$T/state/net.lock" 2>/dev/null | tr -d ' ')"
like 'the next helper looks' "$(said 0 --repair)" 'pods 2 were looked at'
low=$(($(cat /proc/sys/fs/inotify/max_user_instances) < 1016))
is 'a limit of the kernel is named' "$(check | grep -c '^limit *fs.inotify.max_user_instances')" $low
is 'in the log too' "$(grep -c 'node_limit name=fs.inotify.max_user_instances' "$T/crisp.log")" $low

# By plugins: CHECK of each of them.
sed -i 's/^network: native/network: cni/' "$T/config.yaml"
kill -HUP "$KEEPER"; until_ok 10 network_is cni; until_ok 10 crisp_ready
c=$($CRICTL runp "$(pod_json c)")
is 'a pod of plugins as it was made' "$(said 0)" 'pods 3 were looked at '
nsenter --net="$T/netns/crisp-$c" ip addr flush dev eth0
like 'CHECK of the plugin finds what is wrong' "$(said 1)" '^wrong .*bridge.* pods 3'
for p in $a $b $c; do $CRICTL stopp "$p" >/dev/null; $CRICTL rmp "$p" >/dev/null; done
is 'before the node is given to another runtime' "$(said 0 --repair)" 'pods 0 were looked at '
notok 'no table of ours is left' nft list table inet crisp
CRISP_ADDRESS=unix://$T/nowhere.sock "$BUILD/crisp" check >/dev/null 2>"$T/err"
is 'without a crispd it fails' "$? $(grep -c 'crisp: check: UNAVAILABLE' "$T/err")" '1 1'
crisp_clean
