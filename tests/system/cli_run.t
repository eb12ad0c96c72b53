# cli_run.t - crisp run with input, a terminal, ports and volumes, and detached; then what looks at it: logs, stats, events,
# port-forward, images prune.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
export CRISP_ADDRESS=unix://$T/state/crisp.sock TMPDIR=$T
CRISP=$BUILD/crisp
I=$REGISTRY/busybox:latest
rc_of() { "$@" >/dev/null 2>&1; echo $?; }
terminal() { "$ROOT/tests/lib/pty" "$@"; echo "exit $?"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# ---- input, terminal ----
head -c 5000000 /dev/urandom | od -An -x >"$T/much"
for h in runc crun native; do
	is "$h: no input" "$(echo x | $CRISP run -r $h "$I" cat)" ''
	is "$h: input, whole, and its end" "$($CRISP run -i -r $h "$I" busybox md5sum <"$T/much")" "$(md5sum <"$T/much")"
	is "$h: input of a container that does not read it" "$($CRISP run -i -r $h "$I" echo done <"$T/much")" done
	terminal $CRISP run -it -r $h "$I" sh >"$T/tty" <<-'S'
	expect # 
	send until [ "$(stty size)" = "24 80" ]; do :; done; tty\n
	expect /dev/
	size 33,99
	send until [ "$(stty size)" = "33 99" ]; do :; done; echo si''zed\n
	expect sized
	send sh -c "echo u''p; sleep 99"\n
	expect up
	send \x03
	expect # 
	send exit 5\n
	S
	is "$h: a terminal from the first prompt on, with sizes and keys" "$(tail -2 "$T/tty")" $'settings kept\nexit 5'
	[ "$(tail -1 "$T/tty")" = 'exit 5' ] || sed 's/^/# /' "$T/tty"
	is "$h: a terminal without input" "$($CRISP run -t -r $h "$I" sh -c '[ -t 1 ] && echo tty' | tr -d '\r')" tty
done
(echo one; until [ -e "$T/go" ]; do sleep 0.05; done; echo two) | $CRISP run -i "$I" sh -c 'while read x; do echo got $x; done' >"$T/got" & p=$!
until_ok 10 grep -q one "$T/got"
kill_crispd
touch "$T/go"
until_ok 10 grep -q two "$T/got"
wait $p; is 'input goes on when crispd was killed' "$?:$(tr '\n' ' ' <"$T/got")" '0:got one got two '
is 'no pod is left' "$($CRISP pods --json | jq -c .items)" '[]'

# ---- volumes ----
mkdir "$T/dir"; echo inside >"$T/dir/file"; chmod 755 "$T/dir"
is 'a volume' "$($CRISP run -v "$T/dir:/in" -v "$T/dir/file:/one:ro" "$I" sh -c 'cat /in/file /one; echo new >/in/other; echo x >/one || echo barred' 2>/dev/null | tr '\n' ' ')" 'inside inside barred '
is 'is written to' "$(cat "$T/dir/other")" new
is 'a relative one' "$(cd "$T" && $CRISP run -v dir:/in:ro "$I" cat /in/file)" inside
is 'one that is not there' "$(rc_of $CRISP run -v "$T/none:/in" "$I" true)" 125
for v in /a /a:b /a:/b:rx :/b; do is "no volume: $v" "$(rc_of $CRISP run -v "$v" "$I" true)" 64; done

# ---- detached, with a port ----
$CRISP events >"$T/events" & events=$!
until_ok 10 sh -c "$CRISP run '$I' true; grep -q stopped '$T/events'"
port=$(free_port)
id=$($CRISP run -d --name web -p "$port:80" "$I" sh -c 'for i in 1 2 3 4 5; do echo line $i; done; echo index >/index.html; exec httpd -f -p 80 -h /')
like 'run -d prints the id' "$id" '^[0-9a-f]{64}$'
like 'and the container runs' "$($CRISP ps)" "^${id:0:12} +default +web +web +running "
node=$(ip -4 -o addr show crisptest0 | awk '{ sub("/.*", "", $4); print $4 }')
ok 'its port answers' until_ok 10 curl -sf "http://$node:$port/index.html"
is '-d --rm' "$(rc_of $CRISP run -d --rm "$I" true)" 64
for v in 80 0:80 80:x 1.2.3:80:80 80:80/icmp 70000:80; do is "no port: $v" "$(rc_of $CRISP run -p "$v" "$I" true)" 64; done

# ---- logs ----
is 'logs --tail' "$($CRISP logs --tail 2 web | tr '\n' ' ')" 'line 4 line 5 '
is 'logs -n 0' "$($CRISP logs -n 0 web)" ''
is 'logs --tail all' "$($CRISP logs --tail all web | wc -l)" 5
is 'logs --since a while ago' "$($CRISP logs --since 1h default/web | wc -l)" 5
is 'logs --since now' "$($CRISP logs --since "$(date -u +%FT%T.%NZ)" web)" ''
is 'logs --since nonsense' "$(rc_of $CRISP logs --since soon web)$(rc_of $CRISP logs --tail x web)" 6464

# ---- stats ----
$CRISP run -d --name busy "$I" sh -c 'while :; do :; done' >/dev/null
like 'stats' "$($CRISP stats)" '^[0-9a-f]{12} +default +busy +busy +[0-9.]+% +[0-9.]+ [kM]?B'
is 'the one that uses most is first' "$($CRISP stats | awk 'NR == 2 { print $4 }')" busy
is 'stats of one pod' "$($CRISP stats --no-stream default/web | awk 'NR > 1 { print $4 }')" web
is 'stats of nothing' "$(rc_of $CRISP stats nothing) $($CRISP stats nothing 2>&1)" \
	'1 crisp: stats nothing: NOT_FOUND: no such container or pod'
terminal $CRISP stats >"$T/tty" <<-'S'
expect busy
expect busy
expect busy
send \x03
S
is 'on a terminal it goes on' "$(tail -2 "$T/tty")" $'settings kept\nexit 254'
is 'stats --json' "$($CRISP stats --json | jq -r '.stats | map(.attributes.metadata.name) | sort | join(" ")')" 'busy web'

# ---- port-forward ----
$CRISP port-forward default/web :80 :81 >"$T/ports" 2>"$T/ports.err" & forward=$!
until_ok 10 grep -q 'port 81' "$T/ports"
at=$(sed -n 's/^127.0.0.1:\([0-9]*\) leads to port 80 of default\/web$/\1/p' "$T/ports")
is 'port-forward' "$(curl -s "http://127.0.0.1:$at/index.html")" index
$CRISP exec -i web sh -c 'cat >/much' <"$T/much"
is 'many bytes' "$(curl -s "http://127.0.0.1:$at/much" | md5sum)" "$(md5sum <"$T/much")"
(exec 3<>"/dev/tcp/127.0.0.1/$at"; printf 'GET /much HTTP/1.0\r\n\r\n' >&3; until [ -e "$T/slow" ]; do sleep 0.05; done; cat <&3 | wc -c >"$T/slow.size") & slow=$!
is 'while another client does not read' "$(curl -s "http://127.0.0.1:$at/much" "http://127.0.0.1:$at/much" | wc -c)" $((2 * $(wc -c <"$T/much")))
touch "$T/slow"; wait $slow
ok 'which gets all of it later' test "$(cat "$T/slow.size")" -gt "$(wc -c <"$T/much")"
closed=$(sed -n 's/^127.0.0.1:\([0-9]*\) leads to port 81 .*/\1/p' "$T/ports")
is 'a port at which nobody listens' "$(rc_of curl -s "http://127.0.0.1:$closed/")" 52
like 'is told' "$(cat "$T/ports.err")" '^crisp: port-forward: .*port 81'
kill $forward; wait $forward 2>/dev/null
is 'a pod that is not there' "$(rc_of $CRISP port-forward nothing 80)" 1
is 'no port' "$(rc_of $CRISP port-forward web 0)$(rc_of $CRISP port-forward --bind here web 80)" 6464

# ---- events ----
$CRISP rm -f web busy >/dev/null
until_ok 10 grep -q 'deleted .* default/web web$' "$T/events"
kill $events; wait $events 2>/dev/null
is 'events' "$(sed -n 's/^[0-9TZ:.-]* \([a-z]*\) *'"${id:0:12}"' default\/web web$/\1/p' "$T/events" | tr '\n' ' ')" 'created started stopped deleted '
for p in $($CRISP pods --json | jq -r '.items[].id'); do $CRISP rmp "$p" >/dev/null; done

# ---- images prune ----
$CRISP run -d --name user "$I" sleep 1000 >/dev/null
is 'an image in use stays' "$($CRISP images prune; $CRISP images --json | jq '.images | length')" 1
$CRISP rm -f "$($CRISP pods --json | jq -r '.items[].id')" >/dev/null
like 'then it goes' "$($CRISP images prune)" "^[0-9a-f]{12} $I\$"
is 'and is gone' "$($CRISP images --json | jq -c .images)" '[]'

rm -rf "$T"/crisp-run.*
crisp_clean
