# logs.t - the log of a container under load while it is rotated: no line is lost, doubled or torn, in either stream.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")
reopen() { rpc ReopenContainerLog "container_id: \"$ctr\""; }
# rotate NAME N: rotates as the kubelet does. The request is in $T/rpc.framed.
rotate() { mv "$T/logs/$1.log" "$T/logs/$1.log.$(printf %03d "$2")" && rpc_post "$(rpc_path ReopenContainerLog)" "$T/rpc.framed"; }
whole() { cat "$T"/logs/"$1".log.[0-9]* "$T/logs/$1.log"; }
inode() { stat -c %i "$T/logs/$1.log"; }

# Two writers, one for each stream, write as fast as they can until /tmp/stop exists; the log is rotated ten times. Then the same
# again, with crispd killed in between.
writer() { echo "awk 'BEGIN { while (i < 3000000 && (getline line < \"/tmp/stop\") < 0) for (n = 0; n < 5000; n++) print \"$1\", i++ > \"/dev/$2\"; print \"$1\", \"end\", i > \"/dev/$2\" }'"; }
load() { # NAME KILL
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1" "$(writer err stderr) & $(writer out stdout); wait")" "$T/p.pod.json")
	$CRICTL start "$ctr" >/dev/null
	local n=0 refused=0
	reopen # and its request is in a file
	until_ok 20 test -s "$T/logs/$1.log"
	while [ $((n - refused)) -lt 10 ] && [ $n -lt 200 ]; do
		n=$((n + 1))
		rotate "$1" $n
		[ "$code" = OK ] || { refused=$((refused + 1)); [ -e "$T/logs/$1.log" ] || mv "$T/logs/$1.log.$(printf %03d $n)" "$T/logs/$1.log"; }
		[ "${2-}" != kill ] || [ $n != 3 ] || kill -9 "$(crispd_pid)"
	done
	ok "$1: the writers stop" until_ok 20 $CRICTL exec -s "$ctr" sh -c ': >/tmp/stop'
	ok "$1: it ends" until_ok 60 exited "$ctr"
	is "$1: it was rotated under load" $((n - refused)) 10
	whole "$1" >"$T/$1.whole"
	for s in stdout:out stderr:err; do
		log_lines "$T/$1.whole" "${s%:*}" >"$T/$1.text"
		lines=$(tail -1 "$T/$1.text" | sed -n "s/^${s#*:} end //p")
		is "$1: ${s%:*}: every line, once, in order" "$(sha256sum <"$T/$1.text")" \
			"$({ seq 0 $((lines - 1)); echo "end $lines"; } | sed "s/^/${s#*:} /" | sha256sum)"
		echo "# $1: $lines lines on ${s%:*}, refused while crispd was away: $refused"
	done
	is "$1: every record is one" "$(grep -vcE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]+(Z|[+-][0-9:]{5}) (stdout|stderr) [FP] ' "$T/$1.whole")" 0
	is "$1: times do not run backwards" "$(cut -d' ' -f1 "$T/$1.whole" | sort -c 2>&1)" ''
}
load rotated
load killed kill

# Properties that the kubelet needs.
ctr=$($CRICTL create "$pod" "$(ctr_json one 'i=0; while :; do echo line $i; i=$((i + 1)); sleep 0.05; done')" "$T/p.pod.json")
reopen
is 'a created one has no log to reopen' "$code" FAILED_PRECONDITION
ok 'and none was made' test ! -e "$T/logs/one.log"
$CRICTL start "$ctr" >/dev/null
until_ok 10 test -s "$T/logs/one.log"
old=$(inode one)
mv "$T/logs/one.log" "$T/logs/one.log.1"
reopen
is 'a running one' "$code" OK
ok 'writes a new file' until_ok 10 test -s "$T/logs/one.log"
ok 'and not the old one any more' test "$(inode one)" != "$old"
rm "$T/logs/one.log"
reopen
is 'a log that is gone is made again' "$code $(stat -c %a "$T/logs/one.log")" 'OK 640'
inode=$(inode one)
reopen
is 'the same file when it was not moved' "$code $(inode one)" "OK $inode"
mv "$T/logs/one.log" "$T/logs/one.log.0"
mkdir "$T/logs/one.log"
reopen
is 'what cannot be opened' "$code" INTERNAL
like 'is named' "$message" "$T/logs/one.log"
rmdir "$T/logs/one.log"
mv "$T/logs/one.log.0" "$T/logs/one.log"
before=$(stat -c %s "$T/logs/one.log")
grows() { [ "$(stat -c %s "$T/logs/one.log")" -gt "$before" ]; }
ok 'it writes on where it was' until_ok 10 grows
$CRICTL stop -t 0 "$ctr" >/dev/null
mv "$T/logs/one.log" "$T/logs/one.log.2"
reopen
is 'one that has ended is refused' "$code" FAILED_PRECONDITION
ok 'and nothing is made' test ! -e "$T/logs/one.log"
is 'no line is missing over all of it' "$(cat "$T/logs/one.log.1" "$T/logs/one.log.2" | awk '$4 == "line" { if (n && $5 <= last) bad++; last = $5; n++ } END { print bad + 0 }')" 0

# Lines: a long line in pieces, a last line without newline, the lines of a terminal as stdout.
ctr=$($CRICTL create "$pod" "$(ctr_json long 'head -c 100000 /dev/zero | tr "\0" x; echo; echo; printf "tail\r\n"; printf open')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
ok 'long lines: it ends' until_ok 10 exited "$ctr"
is 'the long line is joined again' "$(awk '{ sub(/^[^ ]* [^ ]* /, ""); printf "%s%s", substr($0, 3), substr($0, 1, 1) == "F" ? "\n" : "" }' "$T/logs/long.log" | head -1 | tr -d '\n' | wc -c)" 100000
ok 'in pieces of 16 KiB at most' test "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$T/logs/long.log")" -le $((16384 + 60))
is 'the rest of it' "$(tail -3 "$T/logs/long.log" | cut -d' ' -f3- | cat -A | tr '\n' '|')" 'F $|F tail^M$|P open$|'
ctr=$($CRICTL create "$pod" "$(ctr_json tty 'echo out; echo err >&2' '"tty":true')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
ok 'a terminal: it ends' until_ok 10 exited "$ctr"
is 'all of it is stdout' "$(cut -d' ' -f2,4 "$T/logs/tty.log" | tr -d '\r' | sort | tr '\n' '|')" 'stdout err|stdout out|'
ctr=$($CRICTL create "$pod" "$(ctr_json none 'echo unheard' '"log_path":""')" "$T/p.pod.json")
ok 'without a log' $CRICTL start "$ctr"
ok 'it runs' until_ok 10 exited "$ctr"
$CRICTL rmp -f "$pod" >/dev/null 2>&1
ok 'logs are not removed with the pod' test -s "$T/logs/tty.log"
crisp_clean
