#!/bin/bash
# bench.t - crisp-bench ends with a clear error and removes its pods when an endpoint is absent, hangs or answers
# errors, and on SIGINT.
. "$(dirname "$0")/../lib/crisp.sh"
for p in crisp-bench floor netfloor; do [ -x "$BUILD/$p" ] || { echo "1..0 # SKIP $p is not built"; exit 0; }; done
crisp_config
cni_config
crisp_start || exit 1
SOCK=unix://$T/state/crisp.sock

# bench SCENARIO OPTION... ENDPOINT: sets $rc; its stderr is in $T/words.
bench() {
	local scenario=$1; shift
	timeout $((60 * ${SLOW:-1})) "$BUILD/crisp-bench" "$scenario" \
		--image "${REF:-$REGISTRY/busybox:latest}" --log-dir "$T/logs" --out "$T/samples" "$@" 2>"$T/words"
	rc=$?
}
of() { jq -r "$1" "$T/samples" | paste -sd' '; } # a filter over the samples, in one line
pods_left() { $CRICTL pods -q | wc -l; }
no_pods() { [ "$(pods_left)" = 0 ]; }
pods_there() { [ "$(pods_left)" -gt 0 ]; }

bench pod-start --rounds 1 --count 2 --width 2 "crisp=@$SOCK"
is 'a whole run succeeds' "$rc" 0
is 'its conditions come first' "$(of 'select(.kind == "conditions" or .kind == "run") | .kind, .scenario // .cpus')" \
	"conditions $(nproc) run pod-start"
like 'with the options and the server' "$(of 'select(.kind == "run") | .options, .endpoints')" \
	'rounds 1, count 2, width 2, .* crisp is crisp [0-9.]+'
is 'with a sample for each pod' "$(grep -c '"sample"' "$T/samples")" 4
bench pod-start --rounds 1 --rate 10 --seconds 1 "crisp=@$SOCK"
is 'an open loop too' "$rc $(grep -c '"up_from_due"' "$T/samples")" '0 10'
no_pods && pass 'no pod is left' || fail 'no pod is left'

# The floor takes its turns as an endpoint; so does any program that answers like it.
mkdir -p "$T/floor/lower/bin" && cp /bin/busybox "$T/floor/lower/bin/"
ip link add floor0 type bridge && ip addr add 10.189.0.1/16 dev floor0 && ip link set floor0 up
floor="exec:$BUILD/floor --mounts 3 --host-mounts 5"
rm -f "$T/samples"
bench pod-start --rounds 1 --count 3 --width 2 --mode some "crisp=@$SOCK" "floor=@$floor $T/floor $CGROUP-floor"
is 'the floor takes turns with a server' "$rc $(of 'select(.mode == "spaced, some").endpoint')" \
	'0 floor crisp crisp floor floor crisp'
is 'its parts are the whole' "$(jq -s 'map(select(.endpoint == "floor") |
	.up - .cgroups - .clone - .network - .mounts - .seccomp - .execve - .first_byte | fabs < 0.02 and . < 1) | all' \
	"$T/samples")" true
rm -f "$T/samples"
bench pod-start --rounds 1 --count 1 --width 0 --host-network "crisp=@$SOCK" \
	"floor=@exec:$BUILD/floor --hostnetwork $T/floor $CGROUP-floor"
is 'with the host network too' "$rc $(of 'select(.up > 0 and .down > 0 and (.network | not)) | .endpoint + .mode')" \
	'0 floorspaced, host network crispspaced, host network'
rm -f "$T/samples"
bench pod-start --rounds 1 --count 2 --width 0 --host-port 20000 "crisp=@$SOCK" \
	"floor=@exec:$BUILD/floor --pool $T/floor $CGROUP-floor"
is 'with prepared network namespaces, and hostPorts' \
	"$rc $(jq -r 'select(.up > 0 and .down > 0) | .endpoint' "$T/samples" | sort | paste -sd' ')" \
	'0 crisp crisp floor floor'
ip link add netfloor0 type bridge && ip addr add 10.187.0.1/16 dev netfloor0 && ip link set netfloor0 up
mkdir "$T/netfloor"
rm -f "$T/samples"
bench pod-start --rounds 1 --count 2 --width 0 "crisp=@$SOCK" "net=@exec:$BUILD/netfloor $T/netfloor"
is 'a network alone' "$rc $(jq -s 'map(select(.endpoint == "net") |
	(.net_add - .lease - .veth - .inside - .cache - .element - .carrier | fabs < 0.02) and
	(.net_del - .veth_down - .element_gone - .lease_gone | fabs < 0.02))' -c "$T/samples")" '0 [true,true]'
is 'which gives back its addresses' "$(ls "$T/netfloor/results" "$T/netfloor" | grep -c '^10\|eth0')" 0
ip link delete netfloor0
rm -f "$T/samples"
bench exec --rounds 1 --count 3 --n 1 --width 2 --command true "crisp=@$SOCK" "floor=@$floor $T/floor $CGROUP-floor"
is 'and an exec' "$rc $(of 'select(.endpoint == "floor" and .exec > .setns).mode')" '0 x1 x1 x1'
bench pod-start --rounds 1 --count 1 "crisp=@$SOCK" "dumb=@exec:/bin/cat"
is 'a program that answers nonsense: exit code' "$rc" 1
bench pod-start --rounds 1 --count 1 "crisp=@$SOCK" "gone=@exec:/bin/true"
like 'one that has ended is named' "$rc $(cat "$T/words")" '1 .*gone: .*/bin/true has ended'
bench churn "gone=@exec:/bin/true"
is 'a scenario without turns refuses it' "$rc" 64
no_pods && pass 'no pod is left of all that' || fail 'no pod is left of all that'
bench pod-start --help >"$T/help"
like '--help has the defaults' "$rc $(grep -e --rounds "$T/help")" '^0 .*\(6\)$'
bench restart --rate 3 "crisp=@$SOCK"
like 'an option of another scenario is refused' "$rc $(cat "$T/words")" '64 .*--rate is no option of this scenario'
ip link delete floor0

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
like 'what may be left is named by its label' "$(cat "$T/words")" \
	'pods with the label crisp-bench=[0-9a-f-]+ may be left'
kill -CONT "$stopped"
until_ok 20 crisp_ready
crisp_clean
