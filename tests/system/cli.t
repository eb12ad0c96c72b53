# cli.t - crisp, the command line: run, the listings, and crictl's walk step by step over tcp.

. "$(dirname "$0")/../lib/crisp.sh"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
crisp_config "listen: [\"unix://$T/state/crisp.sock\", \"tcp://127.0.0.1:$port\"]"
cni_config
crisp_start || exit 1
export CRISP_ADDRESS=unix://$T/state/crisp.sock TMPDIR=$T
CRISP=$BUILD/crisp
I=$REGISTRY/busybox:latest
no_log_dirs() { [ -z "$(ls -d "$T"/crisp-run.* 2>/dev/null)" ]; }
nothing_left() {
	is "$1: no pod is left" "$($CRISP pods --json | jq -c .items)" '[]'
	ok "$1: no log directory is left" no_log_dirs
}
rc_of() { "$@" >/dev/null 2>&1; echo $?; }

# ---- run: a first-time user ----
is 'run' "$($CRISP run "$I" echo hello 2>"$T/err")" hello
like 'run told of the pull' "$(cat "$T/err")" "^crisp: pulled $I in [0-9.]+ s\$"
is 'run again pulls nothing' "$($CRISP run "$I" echo hello 2>&1)" hello
is 'run --pull always' "$($CRISP run --pull always "$I" true 2>&1 | grep -c pulled)" 1
is 'stderr is stderr' "$($CRISP run "$I" sh -c 'echo out; echo err >&2' 2>/dev/null)" out
is 'both streams in order' \
	"$($CRISP run "$I" sh -c 'echo 1; sleep 0.2; echo 2 >&2; sleep 0.2; echo 3' 2>&1 | tr '\n' ' ')" '1 2 3 '
is 'no newline is added' "$($CRISP run "$I" sh -c 'printf abc' | od -An -c | tr -d ' ')" abc
is 'exit code' "$(rc_of $CRISP run "$I" sh -c 'exit 7')" 7
is 'environment' "$(MINE=2 $CRISP run -e A='x=1 y' --env MINE "$I" sh -c 'echo "$A|$MINE|$FROM_IMAGE"')" 'x=1 y|2|yes'
is 'name is hostname' "$($CRISP run --name my-pod "$I" hostname)" my-pod
like 'an address of its own' "$($CRISP run "$I" ip -4 -o addr show dev eth0)" 'inet 10\.200\.'
is 'the node'\''s network' "$($CRISP run --host-network "$I" cat /proc/net/dev | md5sum | cut -c1-4 | wc -c)" 5
ok 'no eth0 there' $CRISP run --host-network "$I" sh -c '! ip addr show dev eth0'
for h in runc crun; do is "run --runtime $h" "$($CRISP run --runtime $h "$I" echo $h)" $h; done
is 'seccomp is on' "$($CRISP run "$I" sh -c 'grep Seccomp: /proc/self/status | tr -dc 0-9')" 2
n=20000
is 'every byte of much output' \
	"$($CRISP run "$I" sh -c "i=0; while [ \$i -lt $n ]; do echo line \$i; i=\$((i+1)); done" | md5sum)" \
	"$(i=0; while [ $i -lt $n ]; do echo line $i; i=$((i+1)); done | md5sum)"
is 'a long line' \
	"$($CRISP run "$I" sh -c 'dd if=/dev/zero bs=100000 count=1 2>/dev/null | tr "\0" x; echo' | wc -c)" 100001
nothing_left run

$CRISP run --verbose "$I" echo x >/dev/null 2>"$T/times"
is 'the time of each stage' "$(sed 's/^crisp: //; s/ *[0-9.]* ms$//' "$T/times" | tr '\n' ',')" \
	'pull,pod,create,start,first byte,run,remove,total,'
$CRISP --json run --verbose "$I" echo x >/dev/null 2>"$T/times"
is 'the same as JSON' "$(jq -c '[.pod_ms, .first_byte_ms, .total_ms] | map(. > 0)' "$T/times")" '[true,true,true]'

# ---- run: failures ----
out=$($CRISP run "$REGISTRY/nothing:1" 2>&1); is 'an image that does not exist: 125' $? 125
like 'its message' "$out" "^crisp: pull $REGISTRY/nothing:1: NOT_FOUND: "
for h in runc crun native; do
	is "$h: a command that does not exist" "$(rc_of $CRISP run -r $h "$I" /no/such)" 127
	is "$h: neither in the path" "$(rc_of $CRISP run -r $h "$I" no-such)" 127
	is "$h: one that cannot be executed" "$(rc_of $CRISP run -r $h "$I" /etc)" 126
done
is 'an unknown runtime' "$(rc_of $CRISP run --runtime none "$I" true)" 125
is 'an unknown option' "$(rc_of $CRISP run --no-such "$I" true)" 64
is 'no operand' "$(rc_of $CRISP run)" 64
is 'a value that is none' "$(rc_of $CRISP run --pull sometimes "$I" true)" 64
is 'nor one of stop' "$(rc_of $CRISP stop -g soon x)" 64
is 'an address that is none' "$(rc_of $CRISP --address nowhere ps)" 64
begun=$(date +%s); out=$($CRISP run 127.0.0.1:1/x:1 true 2>&1); is 'a registry that is away' $? 125
is 'each cause once' "$(grep -o '127.0.0.1:1/x:1' <<<"$out" | wc -l) $(grep -c 'UNAVAILABLE' <<<"$out")" '1 0'
ok 'is told soon' test $(($(date +%s) - begun)) -lt 20
out=$($CRISP run --pull never "$REGISTRY/other:1" 2>&1); is 'not here and not to be pulled' $? 125
is 'a closed output ends the container' \
	"$( ($CRISP run "$I" sh -c 'i=0; while [ $i -lt 1000000 ]; do echo y; i=$((i+1)); done' 2>/dev/null
	echo $? >"$T/rc") | head -1)" y
is 'which was killed' "$(cat "$T/rc")" 137
is 'nobody there' "$(rc_of $CRISP --address "unix://$T/none.sock" run "$I" true)" 125
like 'and says so' "$($CRISP --address "unix://$T/none.sock" ps 2>&1)" \
	'^crisp: ps: UNAVAILABLE: .*connect: No such file.*; is crisp running\?$'
nothing_left 'after failures'

# ---- run: signals ----
$CRISP run --name int "$I" sh -c 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.1; done' \
	>"$T/int" 2>"$T/err" & p=$!
until_ok 10 grep -q up "$T/int"; kill -INT $p; wait $p
is 'the first signal stops it in peace' "$?" 5
is 'with its last words' "$(tail -1 "$T/int")" bye
$CRISP run --name deaf "$I" sh -c 'trap "echo no" TERM; echo up; while :; do sleep 0.1; done' \
	>"$T/deaf" 2>"$T/err" & p=$!
until_ok 10 grep -q up "$T/deaf"; kill -TERM $p; until_ok 10 grep -q no "$T/deaf"
begun=$(date +%s%N); kill -TERM $p; wait $p
is 'the second kills it' "$?" 137
ok 'at once' test $((($(date +%s%N) - begun) / 1000000)) -lt 5000
nothing_left 'after signals'

# ---- run: the daemon dies during it ----
$CRISP run "$I" sh -c 'i=0; while [ $i -lt 30 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 9' \
	>"$T/nine" 2>"$T/err" & p=$!
until_ok 10 grep -q 5 "$T/nine"; kill -9 "$(crispd_pid)"; wait $p
is 'kill -9 of crispd costs run nothing: exit code' "$?" 9
is 'nor a line' "$(tr '\n' ' ' <"$T/nine")" "$(seq -s ' ' 0 29) "
until_ok 10 crisp_ready
nothing_left 'after the crash'

# ---- run --keep, then the listings and single objects ----
$CRISP run --keep --name kept "$I" sh -c 'echo kept words; echo other >&2' >/dev/null 2>"$T/err"
like 'kept' "$(cat "$T/err")" '^crisp: kept pod [0-9a-f]+, container [0-9a-f]+, log '
is 'a failure keeps nothing' "$(rc_of $CRISP run --keep "$I" /no/such; ls -d "$T"/crisp-run.* | wc -l)" "127
1"
is 'ps shows nothing that ended' "$($CRISP ps | wc -l)" 1
like 'ps -a does' "$($CRISP ps -a)" "^[0-9a-f]{12} +default +kept +kept +exited +[0-9]+s +$I +10\.200\."
like 'pods' "$($CRISP pods)" '^[0-9a-f]{12} +default +kept +ready +[0-9]+s +'
like 'images' "$($CRISP images)" "^$I +[0-9a-f]{12} +[0-9.]+ [kM]B\$"
is 'columns are aligned' "$($CRISP images | awk '{print index($0, $2)}' | sort -u | wc -l)" 1
is 'logs, by name' "$($CRISP logs kept 2>/dev/null)" 'kept words'
is 'logs have stderr' "$($CRISP logs kept 2>&1 >/dev/null)" other
is 'logs, by pod and container' "$($CRISP logs kept/kept 2>/dev/null)" 'kept words'
is 'logs, by namespace and pod' "$($CRISP logs default/kept 2>/dev/null)" 'kept words'
is 'logs, by all three' "$($CRISP logs default/kept/kept 2>/dev/null)" 'kept words'
is 'not in another namespace' "$(rc_of $CRISP logs other/kept)" 1
is 'crictl knows pod and namespace' "$($CRICTL ps -a -o json | jq -c '.containers[0].labels |
	[.["io.kubernetes.pod.namespace"], .["io.kubernetes.pod.name"], .["io.kubernetes.container.name"]]')" \
	'["default","kept","kept"]'
id=$($CRISP ps -a --json | jq -r '.containers[0].id')
is 'inspect, by the start of the id' "$($CRISP inspect "${id:0:6}" | jq -r .status.metadata.name)" kept
is 'inspect of a pod' \
	"$($CRISP inspect "$($CRISP pods --json | jq -r '.items[0].id')" | jq -r .status.state)" SANDBOX_READY
is 'inspect of an image' "$($CRISP inspect "$I" | jq -r '.image.repoTags[0]')" "$I"
is 'inspect of nothing' "$(rc_of $CRISP inspect nothing)" 1
is 'rm of a ready pod needs -f' "$(rc_of $CRISP rm "$($CRISP pods --json | jq -r '.items[0].id')")" 1
ok 'rm of a container' $CRISP rm kept
ok 'rm -f of its pod' $CRISP rm -f default/kept
is 'rm of nothing' "$(rc_of $CRISP rm kept)" 1
rm -rf "$T"/crisp-run.*
like 'version' "$($CRISP version)" '^runtime +crisp [0-9.]+'
like 'info' "$($CRISP info)" '^condition +NetworkReady yes'
is 'info --json' "$($CRISP info --json | jq -r '.status.conditions | map(.type) | join(" ")')" \
	"RuntimeReady NetworkReady RuntimeHandlersUsable RecordsReadable RuntimeHandlersMended ConfigurationUsed LoopTurns \
AddressesServed"
is 'an unknown command' "$(rc_of $CRISP walk)" 64
commands=$($CRISP --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\).*/\1/p')
for c in $commands; do
	like "help of $c" "$($CRISP $c --help)" "^usage: crisp $c"
	ok "crisp(1) has $c" grep -qE "crisp $(echo "$c" | sed 's/-/\\\\?-/g')( |\"|$)" "$ROOT/docs/crisp.1"
done

# ---- the manual has all commands and options ----
for k in $(sed -n 's/^\tKEY("\([a-z_]*\)", "\([a-z_]*\)".*/\1.\2/p' "$ROOT/handlers/config_keys.c"); do
	ok "crisp-config(5) has ${k#.}" grep -qE "^\.BR (.*\", \" )?${k#.}[ ,]" "$ROOT/docs/crisp-config.5"
	ok "config.yaml has ${k#*.}" grep -qE "^# *${k#*.}:" "$ROOT/packaging/config.yaml"
done
sed -E 's/^#([a-z]|  )/\1/' "$ROOT/packaging/config.yaml" >"$T/defaults.yaml"
is 'config.yaml, uncommented, is a configuration' \
	"$($BUILD/crispd --config "$T/defaults.yaml" --print state)" '/run/crisp
root: /var/lib/crisp'
for o in $(for c in $commands; do $CRISP $c --help; done |
	grep -oE '^ +(-., )? *--[a-z-]+' | grep -oE '[a-z-]{3,}$' | sed 's/^--//' | sort -u); do
	ok "crisp(1) has --$o" grep -qF -- "\-\-$(echo "$o" | sed 's/-/\\-/g')" "$ROOT/docs/crisp.1"
done

# ---- single CRI calls over tcp, with crictl's files ----
export CRISP_ADDRESS=tcp://127.0.0.1:$port
walk() { # HANDLER
	local h=${1:-default} pod ctr
	like "tcp $h: pull" "$($CRISP pull "$I" 2>/dev/null)" '^sha256:[0-9a-f]{64}$'
	pod=$($CRISP runp ${1:+--runtime "$1"} "$(pod_json "p-$h")") || { fail "tcp $h: runp" "$pod"; return; }
	is "tcp $h: inspect of the pod" "$($CRISP inspect "$pod" | jq -r .status.state)" SANDBOX_READY
	like "tcp $h: images" "$($CRISP images)" "^$I "
	ctr=$($CRISP create "$pod" "$(ctr_json "c-$h" 'echo out; trap "exit 7" TERM; while :; do sleep 0.1; done' \
		'"envs":[{"key":"MORE","value":"more"}]')" "$T/p-$h.pod.json") || { fail "tcp $h: create" "$ctr"; return; }
	ok "tcp $h: start" $CRISP start "$ctr"
	like "tcp $h: ps" "$($CRISP ps)" "^${ctr:0:12} +default +p-$h +c-$h +running "
	ok "tcp $h: the log comes" until_ok 10 grep -q out "$T/logs/c-$h.log"
	is "tcp $h: exec" "$($CRISP exec "c-$h" sh -c 'echo $MORE; exit 3'; echo $?)" "more
3"
	$CRISP logs -f "c-$h" >"$T/followed" & local p=$!
	ok "tcp $h: stop" $CRISP stop "c-$h"
	wait $p; is "tcp $h: logs -f ended with it" "$(cat "$T/followed")" out
	is "tcp $h: exit code" "$($CRISP inspect "$ctr" | jq .status.exitCode)" 7
	ok "tcp $h: rm" $CRISP rm "$ctr"
	ok "tcp $h: stopp" $CRISP stopp "$pod"
	like "tcp $h: not ready" "$($CRISP pods)" "^${pod:0:12} .* not ready "
	ok "tcp $h: rmp" $CRISP rmp "$pod"
}
walk
walk crun
bad=$(pod_json bad '"hostnme":"x"')
like 'a member that does not exist is named' "$($CRISP runp "$bad" 2>&1)" \
	'^crisp: runp .*: INVALID_ARGUMENT: hostnme: no such member of PodSandboxConfig$'
like 'run over tcp' "$($CRISP run "$I" echo over tcp)" '^over tcp$'
ok 'rmi' $CRISP rmi "$I"
is 'no image' "$($CRISP images --json | jq -c .images)" '[]'

crisp_clean
