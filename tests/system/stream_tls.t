# stream_tls.t - streams by TLS: with crictl, and with the CLI, which speaks none.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

dd if=/dev/urandom of="$T/16m" bs=1M count=16 2>/dev/null
sha=$(sha256sum <"$T/16m" | cut -d' ' -f1)

url() { rpc "$1" "$2"; sed -n 's/^url: "\(.*\)"/\1/p' <<<"$answer"; }
exec_url() { url Exec "container_id: \"$ctr\" cmd: \"$2\" stdout: true"; } # out WORD
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$T/tls.key" -out "$T/tls.crt" 2>/dev/null
}
certificate first
crisp_up "stream: {tls_cert: $T/tls.crt, tls_key: $T/tls.key}"
pod=$($CRICTL runp "$(pod_json t)")
ctr=$($CRICTL create "$pod" "$(ctr_json t 'while :; do sleep 1; done')" "$T/t.pod.json")
$CRICTL start "$ctr" >/dev/null
like 'the URL says so' "$(exec_url out true)" '^https://127\.0\.0\.1:'
for transport in spdy websocket; do
	is "exec over $transport over TLS" "$($CRICTL exec --tls-ca "$T/tls.crt" --tls-cert "$T/tls.crt" \
		--tls-key "$T/tls.key" -r $transport -i "$ctr" cat <"$T/16m" | sha256sum | cut -d' ' -f1)" "$sha"
done
crisp() { timeout 60 "$BUILD/crisp" --address "unix://$T/state/crisp.sock" "$@"; }
is 'the CLI execs without TLS' "$(crisp exec -i "$ctr" cat <"$T/16m" | sha256sum | cut -d' ' -f1)" "$sha"
is 'runs' "$(echo there and back | crisp run -i --no-pull "$REGISTRY/busybox:latest" cat 2>/dev/null)" 'there and back'
nsenter --net="$(ls -d "$T"/netns/crisp-*)" "$ROOT/tests/lib/stream_client" echo 7100 & echo=$!
"$BUILD/crisp" --address "unix://$T/state/crisp.sock" port-forward "$pod" 7101:7100 >"$T/forward" 2>&1 & forward=$!
echoes() { [ "$(timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/7101; echo there and back >&3; head -1 <&3')" = 'there and back' ]; }
ok 'and forwards' until_ok 20 echoes 2>/dev/null
kill $forward $echo; wait $forward $echo 2>/dev/null
is 'by a socket of root' "$(stat -c '%u %g %a' "$T/state/stream.sock")" '0 0 660'
is 'who does not trust it leaves' "$(curl -s -o /dev/null "$(exec_url out true)"; echo $?)" 60
shown() {
	openssl s_client -connect "$(exec_url out true | sed -E 's,https://([^/]+)/.*,\1,')" </dev/null 2>/dev/null |
		openssl x509 -noout -subject
}
like 'the certificate' "$(shown)" first
certificate second
like 'a new one is taken up' "$(shown)" second
echo nonsense >"$T/tls.crt"
like 'a broken one is not' "$(shown)" second
is 'plain http is refused' "$(curl -s -o /dev/null -w '%{http_code}' "$(exec_url out true | sed s/https/http/)")" 000

crisp_clean
