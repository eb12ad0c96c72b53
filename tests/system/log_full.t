# log_full.t - the disk of the logs is full, and the daemons are killed: no byte of a container's output is lost, doubled or torn.

. "$(dirname "$0")/../lib/crisp.sh"

# As in a shell of a service: a keeper that is started by hand has no service manager that starts it again.
export INVOCATION_ID=00000000000000000000000000000000 SYSTEMD_EXEC_PID=1
crisp_up
mount -t tmpfs -o size=8m none "$T/logs"
refused() { [ "$(grep -c "log_refused container=${1:0:12}" "$T/crisp.log")" -gt "${2:-0}" ]; }
full() { head -c 9m /dev/zero >"$T/logs/rest" 2>/dev/null; ! echo more >>"$T/logs/rest"; }
room() { rm "$T/logs/rest"; }
whole() { log_lines "$T/logs/$1.log" | cmp -s - "$2"; }
seq 1 60000 | sed 's/^/line /' >"$T/60000"
write_60000='i=1; while [ $i -le 60000 ]; do echo line $i; i=$((i+1)); done'
pod=$($CRICTL runp "$(pod_json p)")
start() { local c; c=$($CRICTL create "$pod" "$(ctr_json "$@")" "$T/p.pod.json") && $CRICTL start "$c" >/dev/null && echo "$c"; }

# While it runs.
ok 'the disk is full' full 2>/dev/null
busy=$(start busy "$write_60000; echo end >&2; exec sleep 1000")
tty=$(start tty 'i=1; while [ $i -le 3000 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000' '"tty":true')
ok 'its log refuses bytes' until_ok 10 refused "$busy"
ok 'that of a terminal too' until_ok 10 refused "$tty"
for i in 1 2 3; do ok "killed $i: crispd is back" kill_crispd; done
keeper=$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')
kill -9 "$keeper"
ok 'the keeper is killed: another comes' until_ok 20 $CRICTL exec -s "$busy" true
ok 'killed 4: crispd is back' kill_crispd
is 'nothing is in the log' "$(cat "$T/logs/busy.log")" ''
room
stdout_whole() { log_lines "$T/logs/busy.log" stdout | cmp -s - "$T/60000"; }
ok 'there is room again: no line is lost, doubled or torn' until_ok 60 stdout_whole
is 'nor of stderr' "$(grep ' stderr ' "$T/logs/busy.log" | cut -d' ' -f4-)" end
sed -n '1,3000s/$/\r/p' "$T/60000" >"$T/want"
ok 'of the terminal too' until_ok 20 whole tty "$T/want"

# Room and no room in turn, and a kill each time: whatever step of a move it meets.
ok 'another one writes' test -n "$(start turns "$write_60000; exec sleep 1000")"
for i in 1 2 3 4 5 6; do
	full 2>/dev/null
	kill_crispd || fail "killed $i in turns: it is not back"
	room
	until_ok 5 test -s "$T/logs/turns.log"
done
ok 'no line is lost, doubled or torn' until_ok 60 whole turns "$T/60000"

# It ends while the disk is full: the end is told, and the log waits.
full 2>/dev/null
ends=$(start ends 'i=1; while [ $i -le 5000 ]; do echo line $i; i=$((i+1)); done; exit 7')
gone=$(start gone 'echo never to be seen')
kept=$(start kept 'echo to be seen')
ok 'it ends' until_ok 20 exited "$ends"
is 'with its exit code' "$(exit_of "$ends")" 7
ok 'others end too' until_ok 20 exited "$gone" && until_ok 20 exited "$kept"
like 'the log of crispd says that bytes wait' "$(grep "log_late container=${ends:0:12}" "$T/crisp.log")" 'bytes=[0-9]'
ok 'one is removed' $CRICTL rm "$gone"
like 'and crispd says how much is lost' "$(grep "log_lost container=${gone:0:12}" "$T/crisp.log")" 'bytes=17 pod='
ok 'crispd is killed' kill_crispd
ok 'killed again' kill_crispd
room
head -5000 "$T/60000" >"$T/want"
ok 'there is room again: no line is lost, doubled or torn' until_ok 20 whole ends "$T/want"
is 'of the other too' "$(until_ok 5 test -s "$T/logs/kept.log"; log_text kept)" 'to be seen'
held() { ls -l "/proc/$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')/fd" | grep -c "$T/logs/ends.log"; }
nothing_held() { [ "$(held)" = 0 ]; }
ok 'and the keeper holds nothing of it any more' until_ok 10 nothing_held
ok 'it is removed' $CRICTL rm "$ends"
$CRICTL rmp -fa >/dev/null 2>&1
umount "$T/logs"
crisp_clean
