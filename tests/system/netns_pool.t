# netns_pool.t - the pool of prepared network namespaces: pods get them, each one once, and it is gone or made again when its
# keeper dies.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up 'netns_pool: 3'
keeper() { cat "$T/state/keeper.lock"; }
held() { find "/proc/$(keeper)/fd" -lname 'net:*' -printf '%l\n' 2>/dev/null | sort -u; }
metric() { curl -s --unix-socket "$T/state/http.sock" http://crisp/metrics | awk -v n="$1" '$1 == n { print $2 }'; }
ready() { [ "$(metric crisp_netns_pool_ready)" = "$1" ]; }
netns_of() { stat -L -c 'net:[%i]' "$T/netns/crisp-$1"; }
# Those of pods, which the keeper holds too, are pinned.
waiting() { comm -23 <(held) <(for p in "$T"/netns/crisp-*; do [ ! -e "$p" ] || stat -L -c 'net:[%i]' "$p"; done | sort); }

ok 'the pool fills while nothing is done' until_ok 10 ready 3
three_wait() { [ "$(waiting | wc -l)" = 3 ]; }
ok 'three namespaces wait' until_ok 10 three_wait # find(1) may meet a pool that is being made anew
prepared=$(waiting)
a=$($CRICTL runp "$(pod_json a)")
like 'a pod gets one of them' "$prepared" "$(netns_of "$a" | tr -dc 0-9)"
is 'it is counted' "$(metric 'crisp_netns_pool_total{result="used"}')" 1
like 'lo is up in it' "$(nsenter --net="$T/netns/crisp-$a" ip link show lo)" 'LOOPBACK,UP'
like 'with the hostname and the address of a pod' "$($CRICTL inspectp "$a" | jq -r .status.network.ip)" '^10\.200\.'
ok 'and is replaced' until_ok 10 ready 3
unlike 'by another one' "$(waiting)" "$(netns_of "$a" | tr -dc 0-9)"

# What a pod used never goes back: the mark of this one is never seen again.
ok 'a pod is marked' nsenter --net="$T/netns/crisp-$a" ip link add mark type bridge
$CRICTL stopp "$a" >/dev/null; $CRICTL rmp "$a" >/dev/null
seen=
for i in 1 2 3 4 5; do
	until_ok 10 ready 3
	p=$($CRICTL runp "$(pod_json "b$i")")
	seen+=$(nsenter --net="$T/netns/crisp-$p" ip -o link | grep mark)
	$CRICTL stopp "$p" >/dev/null; $CRICTL rmp "$p" >/dev/null
done
is 'no later pod has what the first one left' "$seen" ''
is 'each came of the pool' "$(metric 'crisp_netns_pool_total{result="used"}')" 6

# More pods at once than there are: the others are made as without a pool.
until_ok 10 ready 3
for i in 1 2 3 4 5 6; do pod_json "c$i" >/dev/null; $CRICTL runp "$T/c$i.pod.json" >>"$T/many" & runs="${runs-} $!"; done
wait $runs
is 'six pods at once have six namespaces' "$(while read -r p; do netns_of "$p"; done <"$T/many" | sort -u | wc -l)" 6
for p in $(cat "$T/many"); do $CRICTL stopp "$p" >/dev/null; $CRICTL rmp "$p" >/dev/null; done

# A user namespace must own the pod's network namespace.
until_ok 10 ready 3
used=$(metric 'crisp_netns_pool_total{result="used"}') missed=$(metric 'crisp_netns_pool_total{result="missed"}')
u=$($CRICTL runp "$(pod_json u '"linux":{"security_context":{"namespace_options":{"pid":1,"userns_options":{"mode":0,"uids":[{"host_id":400000,"container_id":0,"length":65536}],"gids":[{"host_id":400000,"container_id":0,"length":65536}]}}}}')" 2>"$T/err")
if [ -n "$u" ]; then
	is 'a pod with a user namespace does not ask the pool' "$(metric 'crisp_netns_pool_total{result="used"}') $(metric 'crisp_netns_pool_total{result="missed"}')" "$used $missed"
	is 'its network namespace is its own' "$(nsenter --net="$T/netns/crisp-$u" stat -c %u /proc/sys/net/ipv4/ip_forward)" 400000
else
	like 'a pod with a user namespace # SKIP' "$(cat "$T/err")" 'user namespace'
fi

# A new crispd gets a new pool, as a reload does; a keeper that is killed takes its pool with it, and the next one makes one.
until_ok 10 ready 3
before=$(waiting)
kill_crispd
ok 'after the death of crispd it fills again' until_ok 10 ready 3
is 'none of the old ones is left' "$(comm -12 <(waiting) <(echo "$before"))" ''
old=$(keeper)
kill -9 "$old"
until_ok 10 sh -c "[ \"\$(cat $T/state/keeper.lock)\" != $old ]"
ok 'after the death of the keeper too' until_ok 20 sh -c "[ \"\$(find /proc/\$(cat $T/state/keeper.lock)/fd -lname 'net:*' -printf x | wc -c)\" -ge 3 ]"
ok 'and a pod comes up' $CRICTL runp "$(pod_json d)"
sed -i 's/^netns_pool: 3/netns_pool: 0/' "$T/config.yaml"
kill -HUP "$KEEPER"
ok 'netns_pool: 0: none is kept' until_ok 10 ready 0
ok 'a pod needs none' $CRICTL runp "$(pod_json e)"
sed -i 's/^netns_pool: 0/netns_pool: x/' "$T/config.yaml"
kill -HUP "$KEEPER"
ok 'a bad number is refused' until_ok 5 grep -q 'reload_refused.*netns_pool' "$T/crisp.log"
crisp_clean
