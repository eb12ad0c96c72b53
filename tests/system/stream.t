# stream.t - exec, attach and port-forward: with crictl, and each protocol in detail.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"
CLIENT="timeout $((60 * ${SLOW:-1})) $ROOT/tests/lib/stream_client"

crisp_up 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done
pod=$($CRICTL runp "$(pod_json s)")
ctr=$($CRICTL create "$pod" "$(ctr_json s 'while :; do sleep 1; done')" "$T/s.pod.json")
$CRICTL start "$ctr" >/dev/null
dd if=/dev/urandom of="$T/16m" bs=1M count=16 2>/dev/null
sha=$(sha256sum <"$T/16m" | cut -d' ' -f1)

# url RPC TEXT: a fresh one.
url() { rpc "$1" "$2"; sed -n 's/^url: "\(.*\)"/\1/p' <<<"$answer"; }
exec_url() { # STREAMS WORD...
	local want=$1 cmd= w; shift
	for w in "$@"; do cmd="$cmd cmd: \"$w\""; done
	case $want in *in*) cmd="$cmd stdin: true";; esac
	case $want in *out*) cmd="$cmd stdout: true";; esac
	case $want in *err*) cmd="$cmd stderr: true";; esac
	case $want in *tty*) cmd="$cmd tty: true";; esac
	url Exec "container_id: \"$ctr\"$cmd"
}
# command STREAMS OPTIONS WORD...: an exec by the client; fields by `field`.
command_() { local want=$1 options=$2; shift 2; heard=$($CLIENT command "$(exec_url "$want" "$@")" "$want" $options 2>&1); }
field() { jq -r ".$1" <<<"$heard" 2>/dev/null || echo "$heard"; }
attached() { heard=$($CLIENT command "$(url Attach "container_id: \"$1\" $2")" "${@:3}" 2>&1); }

# ---- the RPCs ----
for bad in 'container_id: ""' 'cmd: "true" stdout: true' "container_id: \"$ctr\" cmd: \"true\"" "container_id: \"$ctr\" stdout: true" \
	"container_id: \"$ctr\" cmd: \"true\" stdout: true stderr: true tty: true"; do
	rpc Exec "$bad"; is "Exec refuses $bad" "$code" INVALID_ARGUMENT
done
rpc Exec 'container_id: "nope" cmd: "true" stdout: true'; is 'Exec in an unknown container' "$code" NOT_FOUND
rpc Attach "container_id: \"$ctr\""; is 'Attach to nothing' "$code" INVALID_ARGUMENT
rpc Attach "container_id: \"$ctr\" stdout: true stderr: true tty: true"; is 'Attach with tty and stderr' "$code" INVALID_ARGUMENT
rpc PortForward 'pod_sandbox_id: ""'; is 'PortForward of no sandbox' "$code" INVALID_ARGUMENT
rpc PortForward "pod_sandbox_id: \"$pod\" port: 70000"; is 'PortForward of no port' "$code" INVALID_ARGUMENT
like 'the URL is absolute' "$(exec_url out true)" '^http://127\.0\.0\.1:[0-9]+/exec/[A-Za-z0-9_-]{24}$'

# ---- http ----
u=$(exec_url out true)
is 'a request without upgrade' "$(curl -s -o /dev/null -w '%{http_code}' "$u")" 400
is 'the token is gone by that' "$(curl -s -o /dev/null -w '%{http_code}' "$u")" 404
u=$(exec_url out true)
is 'an exec is not attached to' "$(curl -s -o /dev/null -w '%{http_code}' "${u/exec/attach}")" 404
is 'an unknown token' "$(curl -s -o /dev/null -w '%{http_code}' "${u%/*}/AAAAAAAAAAAAAAAAAAAAAAAA")" 404
is 'no path' "$(curl -s -o /dev/null -w '%{http_code}' "${u%/exec*}/")" 404
command_ out '--protocol -' true
is 'no version' "$(field status)" 400
command_ out '--protocol v9.channel.k8s.io' true
is 'no version in common' "$(field status)" 403
like 'ours are named' "$(field body)" 'X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io'
command_ out '--ws --protocol v9.channel.k8s.io' true
is 'no subprotocol in common' "$(field status)" 403

# ---- exec, protocol by protocol ----
for p in v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io; do
	command_ in,out,err "--protocol $p --stdin $T/16m" cat
	is "$p: 16 MiB there and back" "$(field stdout_sha256)" "$sha"
	like "$p: the server named it" "$(field head)" "X-Stream-Protocol-Version: $p"
	is "$p: all streams end" "$(field 'ended | sort | join(",")')" 'data error,data stderr,data stdin,data stdout,goaway'
	command_ out,err "--protocol $p" sh -c 'echo one; echo two >&2; exit 42'
	is "$p: stdout" "$(field stdout)" one
	is "$p: stderr" "$(field stderr)" two
	like "$p: the exit code" "$(field error)" '42'
done
is 'before v4 in words' "$(field error)" 'command terminated with non-zero exit code: 42'
command_ out,err '--protocol v9,v4.channel.k8s.io' sh -c 'exit 42'
is 'v4 in JSON' "$(field 'error | fromjson | [.status, .reason, .details.causes[0].reason, .details.causes[0].message] | join(" ")')" \
	'Failure NonZeroExitCode ExitCode 42'
command_ out,err '' true
is 'success' "$(field 'error | fromjson | .status')" Success
command_ out,err '' no-such-program
is 'a missing program' "$(field 'error | fromjson | [.reason, .code] | map(tostring) | join(" ")')" 'InternalError 500'
like 'by name' "$(field 'error | fromjson | .message')" 'no-such-program'
command_ out '' sh -c 'kill -9 $$'
is 'killed' "$(field 'error | fromjson | .details.causes[0].message')" 137
command_ out,err --windows sh -c 'dd if=/dev/zero bs=1M count=2 2>/dev/null; echo end >&2'
is 'a client with windows gets it all' "$(field stdout_len) $(field stderr)" '2097152 end'
is 'within its windows' "$(field 'faults | length')" 0
for p in v5.channel.k8s.io v4.channel.k8s.io v4.base64.channel.k8s.io channel.k8s.io base64.channel.k8s.io -; do
	command_ in,out,err "--ws --protocol $p --text hello" sh -c 'dd bs=5 count=1 2>/dev/null; echo err >&2; dd if=/dev/zero bs=1024 count=1024 2>/dev/null; exit 3'
	is "websocket $p: output" "$(field stdout | head -c 5) $(field stdout_len) $(field stderr)" 'hello 1048581 err'
	like "websocket $p: the exit code" "$(field error)" '3'
	is "websocket $p: it begins with an empty message, ends with 1000, answers pings" "$(field 'first + .ended + [.pongs] | map(tostring) | join(" ")')" '1 0 close 1000 1'
done
command_ in,out,err "--ws --protocol v5.channel.k8s.io --stdin $T/16m" cat
is 'v5: 16 MiB there and back, closed by {255, 0}' "$(field stdout_sha256)" "$sha"

# ---- terminals ----
command_ in,out,tty '--resize 132,43 --text exit\n' sh
like 'tty: a shell' "$(field error)" Success
command_ out,tty '--resize 132,43' sh -c 'sleep 0.3; stty size'
like 'tty: its size' "$(field stdout)" '^43 132'
command_ out,tty '--ws --protocol v5.channel.k8s.io --resize 99,33' sh -c 'sleep 0.3; stty size'
like 'tty: its size over websocket' "$(field stdout)" '^33 99'
: >"$T/empty"
command_ in,out,tty "--stdin $T/empty" cat
like 'tty: the end of input is ^D' "$(field error)" Success

# ---- crictl ----
is 'crictl exec -i' "$($CRICTL exec -i "$ctr" cat <"$T/16m" | sha256sum | cut -d' ' -f1)" "$sha"
is 'crictl exec -i -r websocket' "$($CRICTL exec -i -r websocket "$ctr" cat <"$T/16m" | sha256sum | cut -d' ' -f1)" "$sha"
is '10,000 lines there and back' "$(seq 10000 | $CRICTL exec -i "$ctr" cat | md5sum)" "$(seq 10000 | md5sum)"
like 'crictl exec: exit code' "$($CRICTL exec "$ctr" sh -c 'exit 7' 2>&1; echo $?)" '^7$|exit code 7|^1$'
python3 - "$CRICTL" "$ctr" >"$T/pty.txt" 2>&1 <<'P'
import os, pty, select, sys, fcntl, termios, struct, time
pid, fd = pty.fork()
if pid == 0:
    words = sys.argv[1].split() + ["exec", "-it", sys.argv[2], "sh"]
    os.execvp(words[0], words)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 87, 0, 0))
got, told, end = b"", 0, time.time() + 30
steps = [(b"# ", b"stty size; echo PS1=$TERM\n"), (b"PS1=xterm", b"exit 5\n")]
while time.time() < end:
    r, _, _ = select.select([fd], [], [], 0.2)
    if r:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        got += piece
    if told < len(steps) and steps[told][0] in got:
        os.write(fd, steps[told][1])
        told += 1
print(got.decode("latin-1"))
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
like 'crictl exec -it: the size of the terminal' "$(cat "$T/pty.txt")" '31 87'
like 'crictl exec -it: ends with the shell' "$(cat "$T/pty.txt")" 'status [15]|code 5'

# ---- attach ----
talk=$($CRICTL create "$pod" "$(ctr_json talk 'while read l; do echo "got $l"; echo "err $l" >&2; done; echo end' '"stdin":true,"stdin_once":true')" "$T/s.pod.json")
$CRICTL start "$talk" >/dev/null
for i in $(seq 20); do
	u=$(url Attach "container_id: \"$talk\" stdout: true stderr: true")
	$CLIENT command "$u" out,err --until last >"$T/attach.$i" 2>&1 &
done
until_ok 60 sh -c "[ \$(grep -c 'stream_begin verb=attach' $T/crisp.log) -ge 20 ]"
attached "$talk" 'stdin: true stdout: true stderr: true' in,out,err --text 'hello\nlast\n' --until 'got last'
like 'attach: the one who speaks hears' "$(field stdout)" 'got hello'
wait $(jobs -p | grep -v "^$KEEPER$") 2>/dev/null
is 'attach: 20 others hear it too' "$(grep -l 'got hello.ngot last' "$T"/attach.* | wc -l)" 20
ok 'stdin_once: its end is the process'\''s' until_ok 10 exited "$talk"
is 'and it said so' "$(log_text talk | tail -1)" end
shell=$($CRICTL create "$pod" "$(ctr_json shell 'exec sh' '"stdin":true,"tty":true')" "$T/s.pod.json")
$CRICTL start "$shell" >/dev/null
attached "$shell" 'stdin: true stdout: true tty: true' in,out,tty --resize 111,22 --text 'stty size; echo do""ne\n' --until done
like 'attach: a terminal and its size' "$(field stdout)" '22 111'
attached "$shell" 'stdin: true stdout: true tty: true' in,out,tty --text 'exit 3\n'
is 'attach: the end of the container is success' "$(field 'error | fromjson | .status')" Success
ok 'the shell has ended' until_ok 10 exited "$shell"
is 'with its code' "$(exit_of "$shell")" 3
rpc Attach "container_id: \"$shell\" stdout: true"
is 'Attach to what ended' "$code" FAILED_PRECONDITION

# A client that does not read blocks the container and is dropped after 10 s; the log is complete.
busy=$($CRICTL create "$pod" "$(ctr_json busy 'read go; i=0; while [ $i -lt 20000 ]; do echo "line $i 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"; i=$((i+1)); done' '"stdin":true')" "$T/s.pod.json")
$CRICTL start "$busy" >/dev/null
u=$(url Attach "container_id: \"$busy\" stdout: true")
$CLIENT command "$u" out --pause 40 >/dev/null 2>&1 &
stalled=$!
until_ok 10 sh -c "[ \$(grep -c 'stream_begin verb=attach.*' $T/crisp.log) -ge 24 ]"
attached "$busy" 'stdin: true stdout: true' in,out --text 'go\n'
is 'beside a client that stalls another one hears all' "$(field stdout_len)" "$(for i in $(seq 0 19999); do echo "line $i 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"; done | wc -c)"
ok 'it ends' until_ok 20 exited "$busy"
is 'the log is whole' "$(log_text busy | awk '$1 == "line" && $2 == n { n++ } END { print n }')" 20000
kill $stalled 2>/dev/null; wait $stalled 2>/dev/null

# ---- clients that leave ----
command_ in,out '--leave 100000' sh -c 'dd if=/dev/zero bs=1M count=3 2>/dev/null; echo survived >/tmp/survived'
is 'the client left' "$(field left)" true
ok 'without a terminal the command runs on' until_ok 10 $CRICTL exec -s "$ctr" cat /tmp/survived
command_ in,out,tty '--until here' sh -c "trap 'echo hangup >/tmp/hangup; exit' HUP; echo here; while :; do sleep 0.1; done"
ok 'a terminal hangs up' until_ok 10 $CRICTL exec -s "$ctr" cat /tmp/hangup
u=$(exec_url in,out sh -c 'echo here; sleep 4; cat; echo stalled >/tmp/stalled')
timeout 2 $ROOT/tests/lib/stream_client command "$u" in,out --stdin "$T/16m" >/dev/null 2>&1
ok 'so it is for one that reads nothing' until_ok 15 $CRICTL exec -s "$ctr" cat /tmp/stalled
command_ in,out '--until here' sh -c 'echo here; cat; echo eof >/tmp/eof'
ok 'stdin is at its end' until_ok 10 $CRICTL exec -s "$ctr" cat /tmp/eof

# ---- limits ----
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$(crispd_pid)/status"; }
fds() { ls "/proc/$(crispd_pid)/fd" | wc -l; }
settled() { [ "$(fds)" -le "$1" ]; }
before=$(rss)
u=$(exec_url out cat /dev/zero)
$CLIENT command "$u" out --pause 3 --leave 1000 >"$T/slow" 2>&1 &
slow=$!
u=$(exec_url in sleep 3)
$CLIENT command "$u" in --stdin "$T/16m" >"$T/slow2" 2>&1 &
sleep 2
after=$(rss)
ok "slow clients cost little memory ($before -> $after KiB)" test $((after - before)) -lt 3000
wait $slow
$CRICTL exec "$ctr" sh -c 'for p in /proc/[0-9]*; do read -r c <$p/comm; [ "$c" != cat ] || kill -9 ${p#/proc/}; done' >/dev/null 2>&1
until_ok 10 settled 0
for i in 1 2 3; do $CRICTL exec "$ctr" true; done
sleep 0.5
before=$(fds)
for i in $(seq 200); do $CRICTL exec "$ctr" true || fail "exec $i"; done
ok 'no fd is left after 200 execs' until_ok 10 settled "$before"
for i in $(seq 100); do $CRICTL exec -i "$ctr" sh -c 'read a; echo $a' <<<"$i" >"$T/exec.$i" 2>&1 & done
wait $(jobs -p | grep -v "^$KEEPER$") 2>/dev/null
is '100 at once' "$(cat "$T"/exec.[0-9]* | sort -n | md5sum)" "$(seq 100 | md5sum)"
exec_url out true >/dev/null # and its request is in a file
curl -s --http2-prior-knowledge --parallel --parallel-max 100 --unix-socket "$T/state/crisp.sock" -H 'content-type: application/grpc' -H 'te: trailers' \
	--data-binary "@$T/rpc.framed" "http://host[1-999]$(rpc_path Exec)" -o "$T/answer.#1" >/dev/null
rpc Exec "container_id: \"$ctr\" cmd: \"true\" stdout: true"
is 'the 1001st URL that nobody fetches' "$code" RESOURCE_EXHAUSTED

loop_is_quick 'all that'

# ---- port-forward, after a kill of the daemon ----
old=$(crispd_pid)
kill -9 "$old"
ok 'crispd is back' until_ok 10 sh -c "pgrep -f '^[^ ]*crispd --config $T/config.yaml' | grep -vx $old && $CRICTL pods -q | grep ."
nsenter --net="$(ls -d "$T"/netns/crisp-*)" "$ROOT/tests/lib/stream_client" echo 7000 &
server=$!
until_ok 10 nsenter --net="$(ls -d "$T"/netns/crisp-*)" bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000'
heard=$($CLIENT forward "$(url PortForward "pod_sandbox_id: \"$pod\"")" 7000 100 1000000)
is '100 connections at once, each 1 MB there and back' "$(field good)" 100
heard=$($CLIENT forward "$(url PortForward "pod_sandbox_id: \"$pod\"")" 7000 20 5000000 --ws)
is 'SPDY in WebSocket' "$(field good)" 20
heard=$($CLIENT forward "$(url PortForward "pod_sandbox_id: \"$pod\"")" 7001 2 10)
like 'a port where nobody listens' "$(field 'texts[0]')" 'port 7001.*127\.0\.0\.1:7001: Connection refused.*\[::1\]:7001: Connection refused'
is 'each of them is told' "$(field reset)" 2
$CRICTL port-forward "$pod" 7100:7000 >"$T/pf.log" 2>&1 &
forward=$!
until_ok 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/7100'
python3 - >"$T/pf.txt" 2>&1 <<'P'
import hashlib, os, socket, threading
size, block, bad = int(os.environ.get("FORWARD_BYTES", 1 << 30)), os.urandom(1 << 20), []
def one(size):
    s = socket.create_connection(("127.0.0.1", 7100))
    sent, heard = hashlib.sha256(), hashlib.sha256()
    def feed():
        for _ in range(size >> 20):
            s.sendall(block); sent.update(block)
        s.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=feed); t.start()
    while piece := s.recv(1 << 20):
        heard.update(piece)
    t.join()
    if heard.digest() != sent.digest():
        bad.append(size)
threads = [threading.Thread(target=one, args=(1 << 20,)) for _ in range(100)]
[t.start() for t in threads]; [t.join() for t in threads]
print("100 connections, bad:", len(bad))
one(size)
print("1 GiB, bad:", len(bad))
P
like 'crictl port-forward: 100 connections by hash' "$(cat "$T/pf.txt")" '100 connections, bad: 0'
like 'crictl port-forward: 1 GiB by hash' "$(cat "$T/pf.txt")" '1 GiB, bad: 0'
kill $forward; wait $forward 2>/dev/null
kill $server; wait $server 2>/dev/null

crisp_clean
