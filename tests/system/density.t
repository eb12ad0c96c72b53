# density.t - the cost of a pod beside its container: no process, few fds; all are given back.

. "$(dirname "$0")/../lib/crisp.sh"

N=20
LEVEL=info
crisp_up 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done
keeper_pid() { ps -o ppid= -p "$(crispd_pid)" | tr -d ' '; }
fds() { ls "/proc/$1/fd" | wc -l; }
ours() { pgrep -f "$BUILD/crisp" | wc -l; }
settled() { [ "$(ours)" = "$processes" ]; }
back_to() { [ "$(fds "$(crispd_pid)")" -le "$1" ] && [ "$(fds "$(keeper_pid)")" -le "$2" ]; }

until_ok 10 sh -c "! pgrep -f crisp-unpack && ! pgrep -f crisp-tree"
crispd_fds=$(fds "$(crispd_pid)") keeper_fds=$(fds "$(keeper_pid)") processes=$(ours)
start_one() {
	local pod ctr
	pod=$($CRICTL runp "$(pod_json "p$1")" 2>/dev/null) &&
		ctr=$($CRICTL create "$pod" "$(ctr_json "c$1" 'echo up; sleep 1000')" "$T/p$1.pod.json") &&
		$CRICTL start "$ctr" >/dev/null
}
pids=
for i in $(seq $N); do start_one "$i" & pids="$pids $!"; done
bad=0; for p in $pids; do wait "$p" || bad=$((bad + 1)); done
is "$N pods at once come up" "$bad" 0
is 'all of their containers run' "$($CRICTL ps -q --state running | wc -l)" $N
is 'each has an address of its own' "$($CRICTL pods -q | xargs -n1 $CRICTL inspectp | jq -r .status.network.ip | sort -u | wc -l)" $N
ok 'no process of ours beside the two daemons' until_ok 10 settled
crispd_each=$((($(fds "$(crispd_pid)") - crispd_fds) / N)) keeper_each=$((($(fds "$(keeper_pid)") - keeper_fds) / N))
echo "# fds a pod with one container: crispd $crispd_each, keeper $keeper_each"
ok 'a pod with one container takes at most 10 fds of crispd' [ $crispd_each -le 10 ]
ok 'and of the keeper' [ $keeper_each -le 10 ]
$CRICTL pods -q | xargs -P 10 -n 1 $CRICTL stopp >/dev/null
$CRICTL pods -q | xargs -P 10 -n 1 $CRICTL rmp >/dev/null
ok 'all fds come back' until_ok 10 back_to $((crispd_fds + 4)) $((keeper_fds + 2))
crisp_clean
