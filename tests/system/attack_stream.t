# attack_stream.t - clients that send and never read, and targets that never read: the daemon's memory stays bounded.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"
FLOOD="timeout $((30 * ${SLOW:-1})) $ROOT/tests/lib/flood_client"

LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")
ctr=$($CRICTL create "$pod" "$(ctr_json c 'while :; do sleep 1; done')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
daemon=$(crispd_pid)
SOCKET=$T/state/crisp.sock

url() { rpc "$1" "$2"; sed -n 's/^url: "\(.*\)"/\1/p' <<<"$answer"; }
exec_url() { url Exec "container_id: \"$ctr\" cmd: \"sleep\" cmd: \"100\" stdin: true stdout: true ${1-}"; }
forward_url() { url PortForward "pod_sandbox_id: \"$pod\""; }
kib() { awk -v f="$1:" '$1 == f { print $2 }' "/proc/$daemon/status"; }
cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$daemon/stat"; }

# flood NAME MIB KIND...: the daemon's memory grows by at most MIB while the client floods, and Version is answered.
flood() {
	local name=$1 most=$2 before client heard slowest=0 t; shift 2
	echo 5 >"/proc/$daemon/clear_refs"
	before=$(kib VmRSS)
	HOLD=0.3 $FLOOD "$@" >"$T/flood.txt" 2>&1 &
	client=$!
	while kill -0 $client 2>/dev/null; do
		t=$(date +%s%N)
		crisp_answers >/dev/null 2>&1 || slowest=99999
		t=$((($(date +%s%N) - t) / 1000000))
		[ $t -le $slowest ] || slowest=$t
	done
	wait $client
	heard=$(cat "$T/flood.txt")
	echo "# $name: $heard, $(($(kib VmHWM) - before)) KiB, slowest Version $slowest ms"
	ok "$name: memory is bounded" test $(($(kib VmHWM) - before)) -le $((most * 1024))
	ok "$name: other clients are answered" test $slowest -lt $((2000 * ${SLOW:-1}))
	is "$name: by the same daemon" "$(crispd_pid)" "$daemon"
	how=$(jq -r .how <<<"$heard")
}

flood 'WebSocket PING' 16 ws-ping "$(exec_url)" 4
is 'it is not read any more' "$how" stalled
flood 'SPDY PING' 16 spdy-exec "$(exec_url)" 4
is 'it is not read any more' "$how" stalled
flood 'SPDY PING to port-forward' 16 spdy-ping "$(forward_url)" 4
is 'it is not read any more' "$how" stalled
flood 'SPDY SYN_STREAM and RST_STREAM' 16 spdy-open "$(forward_url)" 6
is 'it is not read any more' "$how" stalled
flood 'sizes of a terminal' 16 ws-size "$(exec_url 'tty: true')" 2

# A port where connections wait for ever: what its clients send waits in the daemon.
cat >"$T/deaf.py" <<-'P'
	import signal, socket
	s = socket.socket()
	s.bind(("127.0.0.1", 7000))
	s.listen(0)
	signal.pause()
P
nsenter --net="$T/netns/crisp-$pod" python3 "$T/deaf.py" &
deaf=$!
flood 'ports that do not read' 32 pairs "$(forward_url)" 7000 900 5
# A channel's number is one byte: 128 ports have one. Each port would cost two sockets.
upgraded() {
	curl -s -o /dev/null --max-time $((2 * ${SLOW:-1})) -w '%{http_code}' -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
		-H 'Sec-WebSocket-Version: 13' \
		-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' -H 'Sec-WebSocket-Protocol: v4.channel.k8s.io' "$(url PortForward "pod_sandbox_id: \"$pod\" $1")"
}
is '128 ports as channels' "$(upgraded "$(printf 'port: %d ' $(seq 1001 1128))")" 101
is '129 ports' "$(upgraded "$(printf 'port: %d ' $(seq 1001 1129))")" 400

kill $deaf
wait $deaf 2>/dev/null

flood 'gRPC PING' 16 grpc-ping "$SOCKET" 4
flood 'gRPC calls' 48 grpc-call "$SOCKET" 4
flood 'requests one behind the other' 16 http "$T/state/http.sock" /metrics 2
is 'one is answered' "$how" closed

# Execs whose outputs nobody wants: each is cut, and all of them together are bounded.
echo 5 >"/proc/$daemon/clear_refs"
before=$(kib VmRSS)
execs=
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	timeout $((30 * ${SLOW:-1})) $CRICTL exec -s --timeout $((20 * ${SLOW:-1})) "$ctr" sh -c 'head -c 16m /dev/zero; sleep 1' >/dev/null 2>&1 &
	execs="$execs $!"
done
for i in $execs; do wait "$i"; done
echo "# execs: $(($(kib VmHWM) - before)) KiB"
ok 'outputs of many execs are bounded together' test $(($(kib VmHWM) - before)) -le $((128 * 1024))
crisp_clean
