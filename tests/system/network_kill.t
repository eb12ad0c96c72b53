# network_kill.t - the helper of the native network is killed again and again while pods come and go: each request ends, and
# nothing is left.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/network.sh"

crisp_config 'network: native'
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
elements() { nft list table inet crisp 2>/dev/null | grep -c 'comment "[0-9a-f]\{64\}"'; }

# life NAME: one pod with a hostPort, up and down; what the kills spoil is tried again, as the kubelet does.
life() {
	local i pod=
	for i in $(seq 50); do pod=$($CRICTL runp "$T/$1.pod.json" 2>/dev/null) && break; done
	[ -n "$pod" ] || return 1
	for i in $(seq 50); do $CRICTL stopp "$pod" && break; done
	for i in $(seq 50); do $CRICTL rmp "$pod" && return; done
	return 1
}
lives() { # WORKER: twelve lives, and more until the helper was killed often
	local i
	for i in $(seq 500); do
		[ "$i" -le 12 ] || [ ! -e "$T/often" ] || break
		echo "begun" >>"$T/begun"
		life "w$1" >/dev/null 2>&1 && echo "done" >>"$T/lives"
	done
}
for w in 1 2 3; do pod_json "w$w" "\"port_mappings\":[{\"container_port\":80,\"host_port\":808$w}]" >/dev/null; done
for w in 1 2 3; do lives $w & workers="${workers-} $!"; done
kills=0
while kill -0 $workers 2>/dev/null; do
	w=$(worker)
	[ -z "$w" ] || { kill -9 "$w" 2>/dev/null && kills=$((kills + 1)); }
	[ "$kills" -lt 20 ] || : >"$T/often"
	sleep "0.$((RANDOM % 30 + 5))"
done
wait $workers
is 'every life came to its end' "$(wc -l <"$T/lives")" "$(wc -l <"$T/begun")"
ok "the helper was killed often ($kills times)" test "$kills" -ge 20
is 'no rule is left' "$(elements)" 0
is 'no file of libcni is left' "$(find "$T/cni-cache" -type f | wc -l)" 0
ok 'the next pod is as usual' life w1
crisp_clean
