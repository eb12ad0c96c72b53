#!/bin/bash
# native_kill.t - crisp-zygote is killed again and again while containers start and execs run: each start succeeds, or fails and leaves the
# container as it was, so that a retry starts it; no program runs twice; what the dead zygotes began runs on.
# STARTS=N: containers (a multiple of 10). SEED=N: the moments of an earlier run.
. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"
[ -x "$BUILD/crisp-zygote" ] || { echo '1..0 # SKIP crisp-zygote is not built'; exit 0; }
LEVEL=info
crisp_up 'runtime: {default: native}'
RANDOM=${SEED:=$$}
STARTS=${STARTS:-30}
pod=$($CRICTL runp "$(pod_json p)")
steady=$($CRICTL create "$pod" "$(ctr_json steady 'exec sleep 1000')" "$T/p.pod.json") && $CRICTL start "$steady" >/dev/null

zygotes() { grep -c 'zygote start' "$T/crisp.log"; }
zygote_pid() { sed -n 's/.*zygote start pid=\([0-9]*\).*/\1/p' "$T/crisp.log" | tail -1; }
# call FILE OUT: sends a request that was made before; OUT gets the status of gRPC.
call() {
	curl -s --noproxy '*' --max-time $((30 * ${SLOW:-1})) --http2-prior-knowledge --unix-socket "$T/state/crisp.sock" -X POST -D - -o "$2.body" \
		-H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$1" "http://localhost/runtime.v1.RuntimeService/$3" |
		tr -d '\r' | awk -F': ' 'tolower($1) == "grpc-status" { s = $2 } END { print s == "" ? "none" : s }' >"$2"
}
request() { rpc_request "$1" "$2"; mv "$T/rpc.framed" "$3"; }
request ExecSync "container_id: \"$steady\" cmd: \"echo\" cmd: \"there\" timeout: 20" "$T/exec.request"
# killer: stops each zygote some milliseconds after it has come, so that requests wait in its socket, and kills it some milliseconds
# later, until it is told to end.
killer() {
	local last=
	while [ ! -e "$T/enough" ]; do
		sleep "0.0$((RANDOM % 90 + 10))" # the moment is by chance: it is what is tried
		if [ "$(zygote_pid)" != "$last" ]; then last=$(zygote_pid); kill -STOP "$last"; sleep "0.0$((RANDOM % 90 + 10))"; kill -9 "$last"; fi
	done
}
# asked: requests wait in the socket of the zygote.
asked() { ss -xpH | grep "u_seq .*pid=$(zygote_pid),fd=3)" | awk '{ n += $3 } END { exit !n }'; }
before=$(zygotes) killing=
none=0 failed=0 again=0 bad_exec=0 wrong=
for round in $(seq $((STARTS / 10))); do
	ctrs= calls=
	for i in $(seq 10); do
		c=$($CRICTL create "$pod" "$(ctr_json "c$round-$i" 'echo once; exit 7')" "$T/p.pod.json") || wrong="$wrong create:$round-$i"
		ctrs="$ctrs $c"
		request StartContainer "container_id: \"$c\"" "$T/$c.request"
	done
	# The first round: the requests are with a zygote that is stopped, and then killed. Then by chance.
	if [ "$round" = 1 ]; then kill -STOP "$(zygote_pid)"; elif [ -z "$killing" ]; then killer & killing=$!; fi
	for c in $ctrs; do call "$T/$c.request" "$T/$c.status" StartContainer & calls="$calls $!"; done
	if [ "$round" = 1 ]; then
		ok 'requests wait for the zygote' until_ok 20 asked
		kill -9 "$(zygote_pid)"
	fi
	for i in 1 2 3; do call "$T/exec.request" "$T/exec$i.status" ExecSync & calls="$calls $!"; done
	wait $calls
	[ "$round" != 1 ] || first=$(cat $(printf "$T/%s.status " $ctrs) | grep -c '^14$')
	for i in 1 2 3; do
		case $(cat "$T/exec$i.status") in
		0) grep -qa there "$T/exec$i.status.body" || wrong="$wrong exec:$round-$i" ;;
		none) none=$((none + 1)) ;;
		*) bad_exec=$((bad_exec + 1)) ;;
		esac
	done
	for c in $ctrs; do
		s=$(cat "$T/$c.status"); state=$(state_of "$c")
		[ "$s" != none ] || none=$((none + 1))
		if [ "$s" != 0 ]; then
			failed=$((failed + 1))
			[ "$state" = CONTAINER_CREATED ] || wrong="$wrong $s:$state"
		fi
		until [ "$state" != CONTAINER_CREATED ]; do # as the kubelet does
			again=$((again + 1))
			$CRICTL start "$c" >"$T/retry" 2>&1
			state=$(state_of "$c")
			[ $again -lt $((STARTS * 20)) ] || break
		done
		until_ok 20 exited "$c" || wrong="$wrong running:$c"
		[ "$(exit_of "$c")" = 7 ] || wrong="$wrong exit:$($CRICTL inspect "$c" | jq -r '.status | "\(.exitCode) \(.reason) \(.message)"')"
	done
	for i in $(seq 10); do [ "$(log_text "c$round-$i")" = once ] || wrong="$wrong log:$round-$i:$(log_text "c$round-$i" | tr '\n' '+')"; done
	for c in $ctrs; do $CRICTL rm -f "$c" >/dev/null; done
done
touch "$T/enough"; wait $killing
killed=$(($(zygotes) - before))
echo "# seed $SEED: $killed zygotes came anew; of $STARTS starts $failed failed, with $again retries all ran; $bad_exec execs of $((STARTS / 10 * 3)) failed"
ok 'zygotes were killed' test "$killed" -gt 0
ok 'and starts that waited for one failed with UNAVAILABLE' test "$first" -gt 0
is 'every call was answered' "$none" 0
is 'a start that failed left its container as it was, and each program ran once, with its exit code and its line' "$wrong" ''
is 'what the first zygote began runs on' "$(state_of "$steady")" CONTAINER_RUNNING
is 'an exec works' "$($CRICTL exec -s "$steady" echo there)" there
crisp_clean
