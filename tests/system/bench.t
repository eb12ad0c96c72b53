#!/bin/bash
# bench.t - crisp-bench ends with a clear error and removes its pods when an endpoint is absent, hangs or answers errors, and on SIGINT.
. "$(dirname "$0")/../lib/crisp.sh"
[ -x "$BUILD/crisp-bench" ] || { echo '1..0 # SKIP crisp-bench is not built'; exit 0; }
crisp_config
cni_config
crisp_start || exit 1
SOCK=unix://$T/state/crisp.sock

# bench SCENARIO OPTION... ENDPOINT: sets $rc; its stderr is in $T/words.
bench() {
	local scenario=$1; shift
	timeout $((60 * ${SLOW:-1})) "$BUILD/crisp-bench" "$scenario" --image "${REF:-$REGISTRY/busybox:latest}" --log-dir "$T/logs" \
		--out "$T/samples" "$@" 2>"$T/words"
	rc=$?
}
pods_left() { $CRICTL pods -q | wc -l; }
no_pods() { [ "$(pods_left)" = 0 ]; }
pods_there() { [ "$(pods_left)" -gt 0 ]; }

bench pod-start --rounds 1 --count 2 --width 2 "crisp=@$SOCK"
is 'a whole run succeeds' "$rc" 0
is 'with a sample for each pod' "$(grep -c '"sample"' "$T/samples")" 4
bench pod-start --rounds 1 --rate 10 --seconds 1 "crisp=@$SOCK"
is 'an open loop too' "$rc $(grep -c '"up_from_due"' "$T/samples")" '0 10'
no_pods && pass 'no pod is left' || fail 'no pod is left'

bench pod-start --ready-s 1 "gone=@unix://$T/nothing.sock"
is 'an endpoint that is not there: exit code' "$rc" 1
like 'it is named' "$(cat "$T/words")" 'gone: not ready after 1.0 s: .*nothing.sock'

python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
time.sleep(600)' "$T/mute.sock" & mute=$!
until_ok 10 test -S "$T/mute.sock"
bench pod-start --ready-s 1 --timeout-s 2 "mute=@unix://$T/mute.sock"
is 'an endpoint that never answers: exit code' "$rc" 1
like 'it is named' "$(cat "$T/words")" 'mute: not ready after 1.0 s: .*'
"$BUILD/crisp-bench" pod-start --image x --log-dir /tmp --ready-s 30 "mute=@unix://$T/mute.sock" 2>"$T/words" & pid=$!
sleep 0.3; kill -INT $pid 2>/dev/null || true; kill -TERM $pid; wait $pid
is 'an interrupt ends the wait for it at once' "$?" 1
kill $mute; wait $mute 2>/dev/null

bench pod-start --rounds 1 --count 1 "bad=nosuch@$SOCK"
is 'an endpoint that refuses: exit code' "$rc" 1
like 'its words' "$(cat "$T/words")" 'bad: .*: run_pod of .*nosuch'
REF=$REGISTRY/nosuch:latest bench pod-start "bad=@$SOCK"
is 'an image that is not there: exit code' "$rc" 1
bench exec --rounds 1 --n 2 --command 'false' "bad=@$SOCK"
is 'an error after the pods came up: exit code' "$rc" 1
like 'its words' "$(cat "$T/words")" 'bad: .*false: exit code 1'
is 'nothing is left of it' "$(pods_left)" 0

"$BUILD/crisp-bench" churn --image "$REGISTRY/busybox:latest" --log-dir "$T/logs" --rounds 1 --width 4 \
	--seconds 60 --out "$T/samples" "crisp=@$SOCK" 2>"$T/words" & pid=$!
until_ok 20 pods_there && kill -TERM $pid; wait $pid
is 'interrupted amid pods: exit code' "$?" 1
like 'it says so' "$(cat "$T/words")" 'interrupted, removing pods'
until_ok 5 no_pods && pass 'nothing is left of it' || fail 'nothing is left of it' "$($CRICTL pods)"

"$BUILD/crisp-bench" density --image "$REGISTRY/busybox:latest" --log-dir "$T/logs" --n 4 --steps 2 \
	--seconds 1 --timeout-s 2 --out "$T/samples" "crisp=@$SOCK" 2>"$T/words" & pid=$!
until_ok 20 pods_there; stopped=$(crispd_pid); kill -STOP "$stopped"
wait $pid
is 'it hangs amid the run: exit code' "$?" 1
like 'the call that hung is named' "$(cat "$T/words")" 'DEADLINE_EXCEEDED|UNAVAILABLE'
like 'what may be left is named by its label' "$(cat "$T/words")" 'pods with the label crisp-bench=[0-9a-f-]+ may be left'
kill -CONT "$stopped"
until_ok 20 crisp_ready
crisp_clean
