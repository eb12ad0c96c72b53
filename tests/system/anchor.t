# anchor.t - whatever process of crisp dies, exit codes and logs are right: crisp-anchor keeps what the dead one knew.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
pod=$($CRICTL runp "$(pod_json p)")
keeper_pid() { cat "$T/state/keeper.lock"; }
anchor_pid() { cat "$T/state/anchor.lock"; }
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
spawns() { $CRICTL exec -s "$1" true; }
# run NAME SCRIPT [POD]: a started container; $ctr, $pid
run() {
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1" "$2")" "$T/p.pod.json" 2>/dev/null) && $CRICTL start "$ctr" >/dev/null
	pid=$($CRICTL inspect "$ctr" | jq -r .info.pid)
}
go='until [ -e /tmp/go ]; do sleep 0.02; done'
many="i=0; while [ \$i -lt 2000 ]; do echo line \$i; i=\$((i+1)); done"

# group NAME: five containers that end by themselves, or are killed, when end_all says so.
group() {
	names='zero seven lines killed stays' ctrs='' pids=''
	for n in $names; do
		case $n in
		zero) run "$1-zero" "$go; exit 0" ;;
		seven) run "$1-seven" "$go; echo bye; exit 7" ;;
		lines) run "$1-lines" "echo first; $go; $many; exit 3" ;;
		killed) run "$1-killed" "echo waits; exec sleep 1000" ;;
		stays) run "$1-stays" "echo waits; $go; echo over; exit 9" ;;
		esac
		ctrs="$ctrs $ctr" pids="$pids $pid"
	done
	until_ok 10 log_has "$1-lines" first
	until_ok 10 log_has "$1-killed" waits
	until_ok 10 log_has "$1-stays" waits
}
log_has() { log_text "$1" | grep -qx "$2"; }
# end_all: all of the group but `stays` have ended when it returns.
end_all() {
	set -- $pids
	touch "/proc/$1/root/tmp/go" "/proc/$2/root/tmp/go" "/proc/$3/root/tmp/go"
	kill -9 "$4"
	for p in "$1" "$2" "$3" "$4"; do until_ok 20 gone "$p"; done
}
# check NAME: as if nothing had died.
check() {
	local g=$1; shift
	set -- $ctrs
	for c in "$1" "$2" "$3" "$4"; do until_ok 20 exited "$c"; done
	is "$g: exit codes" "$(for c in "$1" "$2" "$3" "$4"; do exit_of "$c"; done | paste -sd' ')" '0 7 3 137'
	is "$g: the log of one" "$(log_text "$g-seven")" bye
	is "$g: and of one with many lines" "$(log_text "$g-lines" | sha256sum)" "$({ echo first; seq 0 1999 | sed 's/^/line /'; } | sha256sum)"
	is "$g: one runs on" "$(state_of "$5")" CONTAINER_RUNNING
	ok "$g: exec in it" until_ok 10 spawns "$5"
	touch "/proc/${pids##* }/root/tmp/go"
	until_ok 20 exited "$5"
	is "$g: its exit code and log" "$(exit_of "$5") $(log_text "$g-stays" | paste -sd' ')" '9 waits over'
	for c in "$@"; do $CRICTL rm -f "$c" >/dev/null; done
}

# A runtime outlives its keeper, and so do the paths that it is told.
run paths 'sleep 1000'
config="$T/state/containers/$ctr/config.json"
is 'the runtime is told fds of the anchor' \
	"$(jq -r '.linux.namespaces[].path // empty' "$config" | grep '/fd/' | cut -d/ -f3 | sort -u)" "$(anchor_pid)"
$CRICTL rm -f "$ctr" >/dev/null

# ---- the others are dead while the containers end: a stopped anchor starts none of them again

group crispd
keeper=$(keeper_pid)
kill -STOP "$keeper"; kill -9 "$(crispd_pid)"; end_all; kill -CONT "$keeper"
until_ok 20 crisp_ready
check crispd

group keeper
kill -STOP "$(anchor_pid)"; kill -9 "$(keeper_pid)"; end_all; kill -CONT "$(anchor_pid)"
check keeper

group both
kill -STOP "$(anchor_pid)"; kill -9 "$(keeper_pid)" "$(crispd_pid)"; end_all; kill -CONT "$(anchor_pid)"
until_ok 20 crisp_ready
check both

group all
kill -STOP "$(anchor_pid)"; kill -9 "$KEEPER" "$(keeper_pid)" "$(crispd_pid)"; end_all; kill -CONT "$(anchor_pid)"
ok 'all but the anchor are killed: the keeper comes back by itself' until_ok 20 crisp_ready
check all
crisp_start
is 'a new front takes over that keeper' "$(ps -o ppid= -p "$(keeper_pid)" | tr -d ' ')" "$(anchor_pid)"

# ---- a stop and a start, with a new program

group stop
before=$(anchor_pid)
crisp_stop
ok 'stopped: there is no keeper' until_ok 10 ended "$(keeper_pid)"
is 'stopped: only the anchor is left' "$(leftover_processes | awk '{print $2}' | sed 's|.*/||')" crisp-anchor
end_all
mkdir "$T/new" && cp "$BUILD"/crisp* "$T/new/" 2>/dev/null
old_build=$BUILD BUILD=$T/new
crisp_start
is 'started: the same anchor' "$(anchor_pid)" "$before"
is 'started: with the new program' "$(readlink "/proc/$(keeper_pid)/exe") $(readlink "/proc/$(crispd_pid)/exe")" "$T/new/crisp-keeper $T/new/crispd"
check stop
BUILD=$old_build

# ---- the front

kill -9 "$KEEPER"; wait "$KEEPER" 2>/dev/null
keeper=$(keeper_pid) crispd=$(crispd_pid)
ok 'the front is killed: crisp serves on' crisp_ready
BUILD=$T/new crisp_start
is 'the front is killed: the next one takes over keeper and crispd' "$(keeper_pid) $(crispd_pid)" "$keeper $crispd"
kill -9 "$KEEPER"; wait "$KEEPER" 2>/dev/null
crisp_start
is_program() { [ "$(readlink "/proc/$(keeper_pid)/exe")" = "$1" ]; }
ok 'a front with another program has the keeper replaced' until_ok 20 is_program "$(realpath "$BUILD")/crisp-keeper"
until_ok 10 crisp_ready

# ---- the anchor

run rest "echo one; $go; echo two; exit 11"; rest=$ctr rest_pid=$pid
old=$(anchor_pid) keeper=$(keeper_pid)
kill -9 "$old"
said() { [ "$(grep -c "$1" "$T/crisp.log")" -ge "$2" ]; }
ok 'the anchor is killed: keeper and front say so' until_ok 10 said 'error keeper anchor_gone' 2
ok 'the anchor is killed: exec works' spawns "$rest"
is 'the anchor is killed: the keeper runs on' "$(keeper_pid)" "$keeper"
kill -9 "$keeper"
another_keeper() { [ "$(keeper_pid)" != "$keeper" ] && [ "$(anchor_pid)" != "$old" ] && spawns "$rest"; }
ok 'with the next keeper comes an anchor' until_ok 20 another_keeper
is 'which is its parent' "$(ps -o ppid= -p "$(keeper_pid)" | tr -d ' ')" "$(anchor_pid)"
kill -9 "$(keeper_pid)" "$(crispd_pid)"
touch "/proc/$rest_pid/root/tmp/go"
until_ok 20 crisp_ready
ok 'what an earlier anchor had reaped for is known to end' until_ok 20 exited "$rest"
like 'with its code, from Linux 6.15 or when read before the reap' "$(exit_of "$rest")" '^(11|255)$'
is 'and with its log' "$(log_text rest | paste -sd' ')" 'one two'

run last "echo one; $go; echo two; exit 12"
keeper=$(keeper_pid)
kill -9 "$(anchor_pid)" "$KEEPER"; wait "$KEEPER" 2>/dev/null
crisp_start
is 'anchor and front are killed: the next front watches the keeper' "$(keeper_pid)" "$keeper"
ok 'and says what is missing' said 'runs without an anchor' 1
crisp_stop
ok 'it ends that keeper' until_ok 10 ended "$keeper"
crisp_start
kill -9 "$(anchor_pid)" "$KEEPER" "$(keeper_pid)" "$(crispd_pid)"; wait "$KEEPER" 2>/dev/null
crisp_start
is 'all killed: the pod is ready' "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY
is 'all killed: the container runs on' "$(state_of "$ctr")" CONTAINER_RUNNING
touch "/proc/$pid/root/tmp/go"
ok 'all killed: it ends' until_ok 20 exited "$ctr"
is 'all killed: with its code and its log' "$(exit_of "$ctr") $(log_text last | paste -sd' ')" '12 one two'

# ---- others at the socket

connects() { # USER: does a message get anywhere?
	setpriv --reuid "$1" --regid "$1" --clear-groups perl -MSocket -e '
		socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die; connect($s, pack_sockaddr_un($ARGV[0])) or exit 1;
		send($s, pack("VVVVQQa224", 17, 0, 15, 0, 0, 0, ""), 0); # SIGNAL: SIGTERM
		my $r = sysread($s, my $b, 256); exit(defined $r && $r > 0 ? 0 : 2);' "$T/state/anchor.sock"
}
is 'the socket is for its owner' "$(stat -c %a "$T/state/anchor.sock")" 600
chmod 711 "$T/state"; connects 65534; is 'another user cannot connect' $? 1
chmod 777 "$T/state/anchor.sock"; connects 65534; is 'and is not heard when he can' $? 2
chmod 600 "$T/state/anchor.sock"
x=$($CRICTL create "$pod" "$(ctr_json x 'exec sleep 1000')" "$T/p.pod.json")
ok 'crisp serves on' $CRICTL start "$x"
is 'its memory is not to be read' "$(stat -c %U "/proc/$(anchor_pid)/fd")" root
is 'under a MiB of it' "$(awk '/^VmRSS/ { print ($2 < 1024) }' "/proc/$(anchor_pid)/status")" 1
$CRICTL rm -f "$x" >/dev/null

# ---- kills at random moments, while 20 containers print and end

killer() { # for SECONDS
	local end=$(($(date +%s) + $1)) round=0
	while [ "$(date +%s)" -lt "$end" ]; do
		case $((RANDOM % 4)) in
		0) kill -9 "$(keeper_pid)" ;;
		1) kill -9 "$(crispd_pid)" ;;
		2) kill -9 "$(keeper_pid)" "$(crispd_pid)" ;;
		3) kill -9 "$(keeper_pid)"; kill -9 "$(keeper_pid)" "$(crispd_pid)" ;;
		esac 2>/dev/null
		round=$((round + 1))
		perl -e 'select undef, undef, undef, 0.05 + rand 0.6'
	done
	echo "# $round kills"
}
ctrs=''
for i in $(seq 20); do
	run "r$i" "$go; i=0; while [ \$i -lt $((i * 60)) ]; do echo \$i; i=\$((i+1)); [ \$((i % 15)) != 0 ] || sleep 0.$((RANDOM % 9 + 1)); done; exit $i"
	ctrs="$ctrs $ctr"
	touch "/proc/$pid/root/tmp/go"
done
killer 15
until_ok 20 crisp_ready
i=0 codes=0 logs=0
for c in $ctrs; do
	i=$((i + 1))
	until_ok 120 exited "$c" || echo "# $c is $(state_of "$c")"
	[ "$(exit_of "$c")" = $i ] || { codes=$((codes + 1)); echo "# r$i: $($CRICTL inspect "$c" | jq -c '.status | [.exitCode, .reason, .message]')"; }
	[ "$(log_text "r$i" | sha256sum)" = "$(seq 0 $((i * 60 - 1)) | sha256sum)" ] || { logs=$((logs + 1)); echo "# r$i: $(log_text "r$i" | wc -l) lines"; }
done
is 'every exit code is right' $codes 0
is 'every byte of the logs' $logs 0

# ---- the command line

like '--help' "$("$BUILD/crisp-keeper" --help)" '^usage: crisp-keeper '
crisp_stop
(cd "$T" && exec "$BUILD/crisp-keeper" --config config.yaml) >>"$T/crisp.log" 2>&1 &
KEEPER=$!
ok 'a relative path of the configuration' until_ok 20 crisp_ready
crisp_clean
