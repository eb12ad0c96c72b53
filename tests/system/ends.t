# ends.t - how containers end: exit codes and reasons, stop signals and grace times, memory, the termination message.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
crisp_up
jq '[.[0] | .repo = "quit" | .config.StopSignal = "SIGQUIT"]' "$ROOT/tests/images/busybox.json" | "$IMAGE" --registry "$REGISTRY" - >/dev/null
$CRICTL pull "$REGISTRY/quit" >/dev/null || exit 1
M=$((1 << 20))
n=0
begin() { # SCRIPT [EXTRA]
	n=$((n + 1))
	ctr=$($CRICTL create "$pod" "$(ctr_json "c$h$n" "$1" "${2-}")" "$T/p-$h.pod.json") && $CRICTL start "$ctr" >/dev/null
}
what() { $CRICTL inspect "$ctr" | jq -r '[.status.exitCode, .status.reason] | join(" ")'; }
signal() { $CRICTL inspect "$ctr" | jq -r .status.stopSignal; }
up() { until_ok 10 grep -q up "$T/logs/c$h$n.log"; }
ms() { echo $((($(date +%s%N) - begun) / 1000000)); }

handler() {
	h=$1
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h")" 2>/dev/null)
	for c in 0 1 42 255; do
		begin "exit $c"
		until_ok 10 exited "$ctr"
		is "$h: exit $c" "$(what)" "$c $([ $c = 0 ] && echo Completed || echo Error)"
	done
	begin 'kill -SEGV $$'
	until_ok 10 exited "$ctr"
	like "$h: killed by a signal" "$(what)" '^(139|0) '
	rpc ContainerStatus "container_id: \"$ctr\""
	ok "$h: created, started, finished, in this order" sort -c -n <(for t in created started finished; do sed -n "s/^  ${t}_at: //p" <<<"$answer"; done)

	# Stop signals: of the config, else of the image, else TERM.
	begin 'trap "echo got term; exit 3" TERM; trap "echo got quit; exit 4" QUIT; trap "echo got usr1; exit 5" USR1; echo up; while :; do sleep 0.05; done'
	up; $CRICTL stop -t 10 "$ctr" >/dev/null
	is "$h: TERM by default" "$(what) $(signal)" '3 Error SIGTERM'
	begin 'trap "exit 3" TERM; trap "exit 4" QUIT; trap "exit 5" USR1; echo up; while :; do sleep 0.05; done' "\"image\":{\"image\":\"$REGISTRY/quit\"}"
	up; $CRICTL stop -t 10 "$ctr" >/dev/null
	is "$h: the image's" "$(what) $(signal)" '4 Error SIGQUIT'
	begin 'trap "exit 3" TERM; trap "exit 4" QUIT; trap "exit 5" USR1; echo up; while :; do sleep 0.05; done' "\"image\":{\"image\":\"$REGISTRY/quit\"},\"stop_signal\":29"
	up; $CRICTL stop -t 10 "$ctr" >/dev/null
	is "$h: the pod's goes before it" "$(what) $(signal)" '5 Error SIGUSR1'

	# Grace times: 0, a grace that ends, a grace that a later stop shortens.
	begin 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	up; $CRICTL stop -t 0 "$ctr" >/dev/null
	is "$h: at once" "$(what)" '137 Error'
	begin 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	up; begun=$(date +%s%N); $CRICTL stop -t 1 "$ctr" >/dev/null
	is "$h: after its grace" "$(what)" '137 Error'
	ok "$h: not before it ($(ms) ms)" test "$(ms)" -ge 1000
	begin 'trap "echo term" TERM; echo up; while :; do sleep 0.05; done'
	up; begun=$(date +%s%N)
	$CRICTL --timeout 100s stop -t 60 "$ctr" >/dev/null & first=$!
	until_ok 10 grep -q term "$T/logs/c$h$n.log"
	$CRICTL stop -t 1 "$ctr" >/dev/null
	if wait $first; then pass "$h: the first one ends with the second"; else fail "$h: the first one ends with the second"; fi
	is "$h: killed by the shorter one" "$(what)" '137 Error'
	ok "$h: long before the longer one ($(ms) ms)" test "$(ms)" -lt 30000
	is "$h: TERM was sent once" "$(grep -c term "$T/logs/c$h$n.log")" 1
	rpc StopContainer "container_id: \"$ctr\""
	is "$h: stopping it again" "$code" OK

	# OOM kills: of the container's first process; of a child, which the container survives; none of another container.
	limit="\"linux\":{\"resources\":{\"memory_limit_in_bytes\":$((32 * M)),\"memory_swap_limit_in_bytes\":$((32 * M))}}"
	hog='x=a; while :; do x=$x$x; done'
	begin "exec sh -c '$hog'" "$limit"
	ok "$h: out of memory: it ends" until_ok 30 exited "$ctr"
	is "$h: and says so" "$(what)" '137 OOMKilled'
	oom_line() { grep "container_oom container=${ctr:0:12}" "$T/crisp.log"; }
	like "$h: so does the log, as a warning" "$(oom_line)" " warn crispd container_oom .*limit_bytes=$((32 * M)) .* pod=\".*\" container_name=\""
	begin "sh -c '$hog'; echo up; sleep 1; exit 6" "$limit"
	ok "$h: a child is out of memory" until_ok 30 exited "$ctr"
	is "$h: its parent ended as it wanted" "$(what)" '6 Error'
	like "$h: the log warns of that too" "$(oom_line)" ' warn crispd container_oom '
	begin 'echo up; sleep 1000'
	up; $CRICTL stop -t 0 "$ctr" >/dev/null
	is "$h: killed, with memory enough" "$(what)" '137 Error'

	# The termination message is a file, which the kubelet finds by the mounts in the status.
	: >"$T/message-$h"
	begin 'echo the reason >/dev/termination-log; exit 9' "\"mounts\":[{\"container_path\":\"/dev/termination-log\",\"host_path\":\"$T/message-$h\"}]"
	ok "$h: termination message: it ends" until_ok 10 exited "$ctr"
	is "$h: by the status" "$(cat "$($CRICTL inspect "$ctr" | jq -r '.status.mounts[] | select(.containerPath == "/dev/termination-log") | .hostPath')")" 'the reason'
	is "$h: the mounts are those that were asked for" "$($CRICTL inspect "$ctr" | jq -c '.status.mounts | length')" 1
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
}
handler runc
handler crun

# In a pod with a shared PID namespace the other processes of a container die with its first process.
h=runc
pod_json p-shared '"linux":{"security_context":{"namespace_options":{"pid":0}}}' >/dev/null
cp "$T/p-shared.pod.json" "$T/p-runc.pod.json"
pod=$($CRICTL runp "$T/p-shared.pod.json")
shared='"linux":{"security_context":{"namespace_options":{"pid":0}}}'
begin 'sleep 6661 & echo up; sleep 0.3; exit 0' "$shared"
ok 'shared processes: it ends' until_ok 10 exited "$ctr"
gone() { ! pgrep -f "sleep 6661"; }
ok 'and what it had started with it' until_ok 10 gone
is 'completed' "$(what)" '0 Completed'
$CRICTL rmp -f "$pod" >/dev/null 2>&1
crisp_clean
