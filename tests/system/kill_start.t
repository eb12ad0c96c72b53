# kill_start.t - crispd, then the keeper, then both are killed while twelve containers start. No start is lost: a runtime outlives
# them and its container runs, or the container is CREATED again, and a retry starts it.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

# As in a shell of a service: a keeper that is started by hand has no service manager that starts it again.
export INVOCATION_ID=00000000000000000000000000000000 SYSTEMD_EXEC_PID=1
LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")

# round NAME VICTIM MS: creates twelve containers, every third with a terminal, starts all at once, kills the victim MS after, and retries what is CREATED.
round() {
	local name=$1 victim=$2 ms=$3 i old ctrs='' again=0 lost=0 wrong='' code
	for i in $(seq 12); do
		ctrs="$ctrs $($CRICTL create "$pod" "$(ctr_json "$name$i" 'echo once; exit 7' "$([ $((i % 3)) != 0 ] || echo '"tty":true')")" "$T/p.pod.json")"
	done
	old=$(crispd_pid)
	for i in $ctrs; do
		rpc_request StartContainer "container_id: \"$i\""
		mv "$T/rpc.framed" "$T/$i.start"
	done
	for i in $ctrs; do start_now "$T/$i.start" & done
	perl -e "select undef, undef, undef, $ms / 1000"
	case $victim in
	crispd) kill -9 "$old" ;;
	keeper) kill -9 "$(cat "$T/state/keeper.lock")" ;;
	both) kill -9 "$(cat "$T/state/keeper.lock")" "$old" ;;
	esac
	[ "$victim" = keeper ] || ok "$name: crispd is back" until_ok 20 back_after "$old"
	[ "$victim" = crispd ] || ok "$name: a keeper is back" until_ok 20 keeper_works
	wait_for_starts
	for i in $ctrs; do
		if [ "$(state_of "$i")" = CONTAINER_CREATED ]; then
			again=$((again + 1))
			out=$($CRICTL start "$i" 2>&1) || echo "# retry: $out"
		fi
		until_ok 20 exited "$i" || echo "# $i is $(state_of "$i")"
		code=$(exit_of "$i")
		[ "$code" = 7 ] || { lost=$((lost + 1)); echo "# exit $code: $($CRICTL inspect "$i" | jq -r '.status.reason + " " + .status.message')"; }
	done
	for i in $(seq 12); do # a runtime that fails, since the fds of a dead keeper are gone, prints its reason there too
		[ "$(log_text "$name$i" | tr -d '\r' | grep -cx once)" = 1 ] || wrong="$wrong $name$i: $(log_text "$name$i" | paste -sd'|');"
	done
	is "$name: each program ran once" "$wrong" ''
	echo "# $name: $again of 12 were CREATED again, $lost did not end with 7"
	is "$name: every container ran, with its own exit code" "$lost" 0
	for i in $ctrs; do $CRICTL rm -f "$i" >/dev/null; done
}
start_now() {
	curl -s --noproxy '*' --max-time 20 --http2-prior-knowledge --unix-socket "$T/state/crisp.sock" -X POST -o /dev/null \
		-H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$1" http://localhost/runtime.v1.RuntimeService/StartContainer
}
wait_for_starts() { local p; for p in $(jobs -p); do [ "$p" = "$KEEPER" ] || wait "$p"; done; }
keeper_works() { $CRICTL exec -s "$steady" true 2>/dev/null; }

for ms in 20 60 200; do round "crispd$ms" crispd $ms; done
steady=$($CRICTL create "$pod" "$(ctr_json steady 'exec sleep 1000')" "$T/p.pod.json")
$CRICTL start "$steady" >/dev/null
for ms in 40 120; do round "keeper$ms" keeper $ms; done
for ms in 80; do round "both$ms" both $ms; done
crisp_clean
