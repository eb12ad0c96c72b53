# http_tls.t - the pages beyond loopback, by TLS; the group of the sockets; a certificate that is not there keeps crispd
# from nothing else.

. "$(dirname "$0")/../lib/crisp.sh"

certificate() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
		-addext 'subjectAltName=IP:127.0.0.1' -keyout "$T/$1.key" -out "$T/$1.crt" 2>/dev/null
}
certificate server
certificate client
certificate stranger
# Descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done.
crisp_config 'network: cni' 'http: tcp://0.0.0.0:4020' "http_tls: {cert: $T/server.crt, key: $T/server.key}" \
	"stream: {tls_cert: $T/server.crt, tls_key: $T/server.key}" 'socket_gid: 1234'
cp "$T/config.yaml" "$T/first.yaml"
cni_config
crisp_start || exit 1

page() { curl -s --max-time 20 --cacert "$T/server.crt" "$@"; }
status() { page -o "$T/page" -w '%{http_code}' "$@"; }
at=https://127.0.0.1:4020
is 'metrics by TLS' "$(page $at/metrics | grep -c ^crisp_build_info)" 1
is 'healthz' "$(page $at/healthz)" ok
is 'no page that shows pods' "$(for p in state pulls loop; do status $at/debug/$p; done)" 404404404
is 'no plain http' "$(curl -s --max-time 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:4020/metrics)" 000
is 'the socket is of the group' "$(stat -c '%u %g %a' "$T/state/crisp.sock")" '0 1234 660'
# connects GID: curl says 7 when it cannot connect, and something else of an answer that is no HTTP/1.
connects() {
	setpriv --reuid 65534 --regid "$1" --clear-groups curl -s --max-time 20 -o /dev/null --unix-socket "$T/state/crisp.sock" http://x/
	[ $? -ne 7 ]
}
ok 'who is in the group connects' connects 1234
notok 'another user does not' connects 1235

# Clients that have their answer and send a record of 16 KiB a byte a second. The server has counted them as gone.
cat >"$T/slow.py" <<'P'
import socket, ssl, sys, time
context = ssl._create_unverified_context()
held = []
for _ in range(20):
    tls = context.wrap_socket(socket.create_connection(('127.0.0.1', 4020)))
    tls.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    while tls.recv(4096):
        pass
    held.append(socket.socket(fileno=tls.detach()))
    held[-1].send(b'\x17\x03\x03\x40\x00')
print('held', flush=True)
while True:
    time.sleep(1)
    for s in held:
        try:
            s.send(b'x')
        except OSError:
            pass
P
fds() { ls "/proc/$(crispd_pid)/fd" | wc -l; }
fds_at_most() { [ "$(fds)" -le "$1" ]; }
before=$(fds)
python3 "$T/slow.py" >"$T/slow" & slow=$!
ok 'slow clients' until_ok 30 grep -q held "$T/slow"
ok 'their connections end' until_ok 20 fds_at_most $((before + 5))
kill $slow; wait $slow 2>/dev/null

# Clients that are known.
before=$(crispd_pid)
sed "s|^http_tls: .*|http_tls: {cert: $T/server.crt, key: $T/server.key, client_ca: $T/client.crt}|" "$T/first.yaml" \
	>"$T/config.yaml"
kill -HUP "$KEEPER"
ok 'a reload with client_ca' until_ok 20 back_after "$before"
as() { echo "--cert $T/$1.crt --key $T/$1.key"; }
is 'a known client' "$(status $(as client) $at/metrics)" 200
is 'sees all pages' "$(status $(as client) $at/debug/state)" 200
is 'a client without a certificate' "$(status $at/metrics)" 000
is 'a stranger' "$(status $(as stranger) $at/metrics)" 000

# The files are gone while crispd starts.
mkdir "$T/aside"
mv "$T/server.crt" "$T/aside"
kill_crispd
condition() { $CRICTL info | jq -r --arg t "$1" '.status.conditions[] | select(.type == $t) | "\(.status) \(.message)"'; }
is 'crispd serves with its file' "$(condition ConfigurationUsed)" 'true '
like 'Status says what is missing' "$(condition AddressesServed)" \
	'false stream: .*server.crt: No such file.*; http: .*server.crt: No such file'
before=$(crispd_pid)
kill -HUP "$KEEPER"
refused() { grep -q 'reload_refused.*server.crt' "$T/crisp.log"; }
ok 'a reload is refused' until_ok 20 refused
cp "$T/aside/server.crt" "$T/server.crt"
served() { [ "$(condition AddressesServed)" = 'true ' ]; }
ok 'when it is there again both are served' until_ok 30 served
is 'by the same crispd' "$(crispd_pid)" "$before"
is 'the known client again' "$(status $(as client) $at/metrics)" 200

# By default the pages are on a socket file, of that group too.
before=$(crispd_pid)
grep -v '^http' "$T/first.yaml" >"$T/config.yaml"
kill -HUP "$KEEPER"
ok 'a reload without http' until_ok 20 back_after "$before"
is 'the socket of the pages' "$(stat -c '%u %g %a' "$T/state/http.sock")" '0 1234 660'
ok 'nothing listens beyond' test -z "$(ss -Hltn 'sport = :4020')"
crisp_clean
