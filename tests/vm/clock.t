# clock.t - the clock of the node is set by a day and by a year, forwards and backwards: nothing ends early or never.
#
# It runs in the virtual machine only: the clock is the whole machine's.

. "$(dirname "$0")/../lib/crisp.sh"

# The deadlines of this test cannot be the wall clock's.
uptime_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
until_ok() {
	local end=$(($(uptime_ms) + $1 * ${SLOW:-1} * 1000)); shift
	until "$@" >/dev/null 2>&1; do
		[ "$(uptime_ms)" -lt $end ] || return 1
		sleep 0.1
	done
}
jump() { date -s "@$(($(date +%s) + $1))" >/dev/null; }
day=86400 year=$((365 * 86400))
status() { $CRICTL inspect "$1" | jq -r ".status.$2"; }
# A time is printed without the zeros at its end.
whole='def whole: rtrimstr("Z") | split(".") | .[0] + "." + ((.[1] // "") + "000000000")[:9];'
in_order() { $CRICTL inspect "$1" | jq -e "$whole"' .status | (.createdAt | whole) <= (.startedAt | whole) and (.startedAt | whole) <= (.finishedAt | whole)'; }

crisp_up
pod_json p >/dev/null
first_pod() { pod=$($CRICTL runp "$T/p.pod.json"); } # an emulated machine takes its time for the first run of a runtime
until_ok 60 first_pod || { echo 'Bail out! no pod'; exit 1; }
ctr() { # NAME SCRIPT: prints its id
	local c; c=$($CRICTL create "$pod" "$(ctr_json "$1" "$2")" "$T/p.pod.json") && $CRICTL start "$c" >/dev/null && echo "$c"
}
stays=$(ctr stays 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.5; done')
until_ok 10 grep -q ' 1$' "$T/logs/stays.log"

# How many execs have run, and how many stops have begun, until now.
begun() { grep -cE 'sm (exec=[^ ]* from=SPAWN|grpc=StopContaine from=READY) to=RUN' "$T/crisp.log"; }
three_more() { [ "$(begun)" -ge $(($1 + 3)) ]; }

n=0
for by in ${JUMPS:-$day -$((2 * day)) $year -$((2 * year))}; do
	n=$((n + 1)) w="by $by s"
	old=$($CRICTL inspectp "$pod" | jq -r .status.createdAt)
	deaf=$(ctr deaf$n "trap '' TERM; echo up; while :; do sleep 1; done")
	until_ok 10 grep -q up "$T/logs/deaf$n.log"
	ends=$(ctr ends$n 'until [ -e /tmp/go ]; do sleep 0.2; done; exit 5')
	since=$(uptime_ms) before=$(begun)
	$CRICTL stop -t 12 "$deaf" >"$T/stop" 2>&1 & stop=$!
	$CRICTL exec -s --timeout 12 "$stays" sleep 1000 >"$T/late" 2>&1 & late=$!
	$CRICTL exec -s --timeout 600 "$stays" sh -c 'sleep 8; echo in time' >"$T/timely" 2>&1 & timely=$!
	$CRICTL rmi "$REGISTRY/busybox:latest" >/dev/null 2>&1 # the image is removed with all its names
	ok "$w: a stop and two execs are under way" until_ok 10 three_more "$before"
	jump $by
	ok "$w: Version is answered" $CRICTL version
	ok "$w: a pull" $CRICTL pull "$REGISTRY/busybox:latest"
	is "$w: a streaming exec" "$($CRICTL exec "$stays" echo hello)" hello
	wait $timely; is "$w: an exec is not ended early" "$(cat "$T/timely")" 'in time'
	wait $late; code=$?
	ok "$w: an exec is ended by its timeout" test $code != 0 -a $(($(uptime_ms) - since)) -ge 12000
	like "$w: as it says" "$(cat "$T/late")" 'DeadlineExceeded|timed out|deadline'
	wait $stop
	is "$w: a stop comes to its end" "$(status "$deaf" exitCode)" 137
	ok "$w: not before its grace" test $(($(uptime_ms) - since)) -ge 12000
	ok "$w: and not for ever" test $(($(uptime_ms) - since)) -lt $((60000 * ${SLOW:-1}))
	ok "$w: its times are in order" in_order "$deaf"
	touch "/proc/$($CRICTL inspect "$ends" | jq -r .info.pid)/root/tmp/go"
	ok "$w: what ends by itself has ended" until_ok 20 exited "$ends"
	is "$w: with its code" "$(exit_of "$ends")" 5
	ok "$w: its times are in order too" in_order "$ends"
	old_crispd=$(crispd_pid); kill -9 "$old_crispd"
	ok "$w: crispd comes back" until_ok 10 back_after "$old_crispd"
	is "$w: and knows what runs" "$(state_of "$stays")" CONTAINER_RUNNING
	lines=$(wc -l <"$T/logs/stays.log")
	more() { [ "$(wc -l <"$T/logs/stays.log")" -gt "$lines" ]; }
	ok "$w: its log goes on" until_ok 10 more
	next=$($CRICTL runp "$(pod_json p "\"metadata\":{\"name\":\"p\",\"uid\":\"p-uid\",\"namespace\":\"default\",\"attempt\":$((n + 1))}")")
	ok "$w: the next attempt is newer" jq -ne --arg a "$old" --arg b "$($CRICTL inspectp "$next" | jq -r .status.createdAt)" "$whole"' ($a | whole) < ($b | whole)'
	$CRICTL rmp -f "$next" >/dev/null 2>&1
	pod_json p >/dev/null
done
is 'no line of the log is lost or doubled' "$(log_text stays | sha256sum)" "$(seq 0 $(($(wc -l <"$T/logs/stays.log") - 1)) | sha256sum)"
$CRICTL rmp -f "$pod" >/dev/null 2>&1
crisp_clean
