# cli_exec.t - crisp exec: its streams, its terminal, its exit codes.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
export CRISP_ADDRESS=unix://$T/state/crisp.sock
CRISP=$BUILD/crisp
rc_of() { "$@" >/dev/null 2>&1; echo $?; }
terminal() { "$ROOT/tests/lib/pty" "$@"; echo "exit $?"; }
MUCH=20000000
head -c $MUCH /dev/urandom >"$T/much"
whole=$(md5sum <"$T/much")

for h in runc crun native; do
	pod=$($CRISP runp --runtime $h "$(pod_json "$h")")
	ctr=$($CRISP create "$pod" "$(ctr_json "$h" 'trap exit TERM; echo x >/file; while :; do sleep 0.1; done')" "$T/$h.pod.json")
	$CRISP start "$ctr" >/dev/null || fail "$h: start"

	is "$h: output" "$($CRISP exec $h echo hello)" hello
	is "$h: stderr is stderr" "$($CRISP exec $h sh -c 'echo out; echo err >&2' 2>/dev/null)" out
	is "$h: its exit code" "$(rc_of $CRISP exec $h sh -c 'exit 7')" 7
	is "$h: death by a signal" "$(rc_of $CRISP exec $h sh -c 'kill -9 $$')" 137
	is "$h: no input" "$(echo x | $CRISP exec $h cat)" ''
	is "$h: input, and its end" "$(printf 'a\nb' | $CRISP exec -i $h busybox od -An -c | tr -d ' \n')" 'a\nb'
	is "$h: 20 MB both ways, whole" "$($CRISP exec -i $h cat <"$T/much" | md5sum)" "$whole"
	is "$h: a reader that leaves" "$($CRISP exec $h sh -c 'while :; do echo y; done' 2>/dev/null | head -1)" y
	is "$h: no such program" "$(rc_of $CRISP exec $h nothing)" 127
	is "$h: no such file" "$(rc_of $CRISP exec $h /no/thing)" 127
	is "$h: not executable" "$(rc_of $CRISP exec $h /file)" 126
	is "$h: a directory" "$(rc_of $CRISP exec $h /bin)" 126

	terminal $CRISP exec -it $h sh >"$T/tty" <<-'S'
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
	is "$h: a terminal with sizes and keys" "$(tail -2 "$T/tty")" $'settings kept\nexit 5'
	[ "$(tail -1 "$T/tty")" = 'exit 5' ] || sed 's/^/# /' "$T/tty"
	is "$h: a terminal without input" "$($CRISP exec -t $h sh -c '[ -t 1 ] && echo tty' </dev/null | tr -d '\r')" tty
	terminal $CRISP exec -it $h sh >"$T/tty" <<-'S'
	expect # 
	send kill -9 $$\n
	S
	is "$h: it ends, and so does the raw mode" "$(tail -2 "$T/tty")" $'settings kept\nexit 137'

	is "$h: as JSON" "$($CRISP exec --json $h echo hi | jq -c '[.exitCode, .stdout]')" '[0,"hi\n"]'
	is "$h: --timeout ends it" "$(rc_of $CRISP exec --timeout 1 $h sleep 99)" 125
	like "$h: what is cut is told" "$($CRISP exec --timeout 60 $h busybox head -c $MUCH /dev/zero 2>&1 >/dev/null)" 'the output was cut after 16711680 bytes'
done
is 'all at once goes with no terminal' "$(rc_of $CRISP exec -t --json runc true)" 64
is 'no such container' "$(rc_of $CRISP exec nothing true)" 125
like 'crispd away' "$($CRISP --address "unix://$T/none.sock" exec x true 2>&1)" 'is crisp running\?$'

# crispd dies while a terminal is raw.
mkfifo "$T/steps"
terminal $CRISP exec -it runc sh >"$T/tty" <"$T/steps" & p=$!
exec 9>"$T/steps"
until_ok 10 sh -c "$CRISP exec runc ps | grep -q ' sh\$'"
kill_crispd
exec 9>&-
wait $p
is 'the terminal is as before' "$(tail -2 "$T/tty")" $'settings kept\nexit 125'

crisp_clean
