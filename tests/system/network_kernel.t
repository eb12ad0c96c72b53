# network_kernel.t - a kernel without nftables, which a fault point plays: `network: auto` goes by plugins, `native` says why it
# cannot; pods that are there live on, and go the way they came.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/network.sh"

conditions() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "NetworkReady") | "\(.status) \(.message)"'; }
condition_is() { conditions | grep -q "^$1"; }
# The next crisp-net finds no nftables.
without_nftables() { echo '1 err EOPNOTSUPP' >"$T/faults/net.netlink.nl_exchange.send.before"; }

mkdir -m 700 "$T/faults"; export CRISP_FAULTS=$T/faults
crisp_up 'network: auto'
a=$(pod_up a)
is 'with nftables a pod goes without plugins' "$(kind_of "$a")" native
without_nftables
kill -HUP "$KEEPER"
words='true.*by CNI plugins.*nftables of this kernel.*Operation not supported'
ok 'without, Status names it' until_ok 10 condition_is "$words"
ok 'and the log' grep -q 'network_kind kind=cni .*nftables of this kernel' "$T/crisp.log"
b=$(pod_up b)
is 'a pod goes by plugins' "$(kind_of "$b")" cni
ok 'the first one is reached' until_ok 10 reach_here "$(ip_of "$a")"
ok 'and the second' until_ok 10 reach_here "$(ip_of "$b")"
sed -i 's/^network: auto/network: native/' "$T/config.yaml"
without_nftables
kill -HUP "$KEEPER"
ok 'native: not ready, for this reason' until_ok 10 condition_is 'false.*nftables of this kernel'
notok 'native: no pod' pod_up c
like 'and says why' "$out" 'FailedPrecondition.*nftables of this kernel'
kill -HUP "$KEEPER"
ok 'with nftables again it is ready' until_ok 10 condition_is true
for p in $a $b; do ok 'a pod goes' pod_down "$p"; done
crisp_clean
