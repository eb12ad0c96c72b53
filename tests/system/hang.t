# hang.t - crispd does not turn its loop: the log says so once, Status and a metric when it is over; with `watchdog` crispd is replaced.
# A keeper that stood still beside it takes it for nothing.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up 'watchdog: 0'
pod=$($CRICTL runp "$(pod_json p)" 2>/dev/null)
ctr=$($CRICTL create "$pod" "$(ctr_json c 'sleep 1000')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
keeper=$(cat "$T/state/keeper.lock")

lines() { grep -c "$1" "$T/crisp.log"; }
said() { [ "$(lines "$1")" = "$2" ]; }
condition() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "LoopTurns") | [.status, .message] | map(tostring) | join(" ")'; }
metric() { curl -s --unix-socket "$T/state/http.sock" http://localhost/metrics | awk -v m="$1" '$1 == m { print $2 }'; }

is 'Status is content' "$(condition)" 'true '
before=$(crispd_pid)
kill -STOP "$before"
ok 'the log of the keeper says that crispd hangs' until_ok 20 said "crispd_hangs pid=$before .*what=.state T" 1
like 'and what the kernel waits in' "$(grep crispd_hangs "$T/crisp.log")" 'error keeper crispd_hangs pid=.*what="state T(, in [a-z_]+)?"'
kill -CONT "$before"
ok 'and when it goes on' until_ok 10 said "crispd_turns_again pid=$before" 1
is 'it was said once' "$(lines crispd_hangs)" 1
like 'Status says it afterwards' "$(condition)" '^false crispd did not turn its loop for 1[0-9] s until 20.* \(state T.*\)$'
like 'crisp info too' "$(CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" info)" 'LoopTurns.*did not turn its loop'
is 'it is counted' "$(metric 'crisp_hangs_total{end="resumed"}')" 1
is 'and the same crispd serves' "$(crispd_pid)" "$before"

# As when the machine sleeps.
kill -STOP "$before" "$keeper"
sleep 16 # that nothing comes of it is what is looked at
kill -CONT "$keeper" "$before"
ok 'crispd and the keeper go on' crisp_ready
is 'a stop of both is no hang' "$(lines crispd_hangs)" 1

sed -i 's/^watchdog: 0/watchdog: 10/' "$T/config.yaml"
kill -HUP "$KEEPER"
ok 'a reload' until_ok 20 back_after "$before"
is 'a new crispd knows nothing of it' "$(condition)" 'true '
before=$(crispd_pid)
kill -STOP "$before"
ok 'with watchdog: 10 it is replaced' until_ok 30 back_after "$before"
like 'the log says why' "$(grep crispd_killed "$T/crisp.log")" "error keeper crispd_killed pid=$before .*why=watchdog"
like 'Status says what became of the last one' "$(condition)" '^false crispd did not turn its loop for 1[0-9] s until .*, and was replaced$'
is 'it is counted as well' "$(metric 'crisp_hangs_total{end="replaced"}')" 1
is 'the container never noticed' "$(state_of "$ctr")" CONTAINER_RUNNING

# The keeper's successor watches too.
before=$(crispd_pid)
kill -9 "$keeper"
ok 'another keeper comes' until_ok 20 grep -q ' crispd keeper_back' "$T/crisp.log"
kill -STOP "$before"
ok 'it replaces a crispd that hangs' until_ok 30 back_after "$before"
is 'the container runs' "$(state_of "$ctr")" CONTAINER_RUNNING
crisp_clean
