# attack_limits.t - what Kubernetes admits is not refused here, and what a request leaves out is the same with both runtimes.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
ulimit -S -n "$(ulimit -H -n)" # as the unit has it: runc 1.1.5 gives a container the hard limit for both (ARCHITECTURE N31)
crisp_up
text() { head -c "$1" /dev/zero | tr '\0' "${2:-a}"; }

# Names and texts as long as the API server admits them: name 253, namespace 63, labels and annotations 256 KiB, hostname 64.
jq -n --arg name "$(text 253)" --arg ns "$(text 63 n)" --arg uid "$(text 36 u)" --arg host "$(text 64 h)" --arg big "$(text 130000)" --arg logs "$T/logs" \
	'{metadata: {name: $name, namespace: $ns, uid: $uid, attempt: 4294967295}, hostname: $host, log_directory: $logs,
	  labels: {("l" * 317): ("v" * 63)}, annotations: {("x" * 317): $big, "y": $big}, dns_config: {},
	  port_mappings: [{container_port: 65535, protocol: 2}], linux: {security_context: {namespace_options: {pid: 1}}}}' >"$T/long.pod.json"
made() { "$@" 2>"$T/stderr" | tail -1; } # the id, or nothing
pod=$(made $CRICTL runp "$T/long.pod.json")
like 'a pod with the longest names runs' "$pod $(cat "$T/stderr")" '^[0-9a-f]{64}'
ctr_json long 'trap "" TERM; trap "exit 5" USR1; echo up; cat /etc/resolv.conf; echo resolv over; while :; do sleep 0.1; done' >/dev/null
jq --arg name "$(text 63 c)" --arg value "$(text 120000)" '.metadata.name = $name | .envs = ([range(8) | {key: "BIG\(.)", value: $value}]) | .annotations = {("z" * 317): $value}
	| .stop_signal = 30' "$T/long.ctr.json" >"$T/x.json"
ctr=$(made $CRICTL create "$pod" "$T/x.json" "$T/long.pod.json")
like 'a container with nearly 1 MB of environment is made' "$ctr $(cat "$T/stderr")" '^[0-9a-f]{64}'
ok 'and started' $CRICTL start "$ctr"
up() { grep -q 'resolv over' "$T/logs/long.log"; }
ok 'and runs' until_ok 10 up
is 'an empty dns_config is an empty resolv.conf' "$(log_text long | xargs)" 'up resolv over'

# Times that no clock reaches: terminationGracePeriodSeconds and timeoutSeconds have no upper bound in the API.
rpc ExecSync "container_id: \"$ctr\" cmd: \"true\" timeout: 9223372036854775807"
is 'ExecSync with the longest timeout' "$code $message" 'OK '
rpc StopContainer "container_id: \"$ctr\" timeout: 9223372036854775807" & stopping=$!
got_term() { grep -q 'stop container=.*signal=' "$T/crisp.log"; }
ok 'StopContainer with the longest grace time sends its signal' until_ok 10 got_term
like 'its own' "$(grep 'stop container=' "$T/crisp.log")" 'signal=(10|12) grace_ms=31536000000'
$CRICTL stop -t 0 "$ctr" >/dev/null
wait $stopping
ok 'it ends with the shorter one' exited "$ctr"

# An image whose StopSignal is no signal.
jq '.[0].repo = "odd" | .[0].config.StopSignal = "SIGNONSENSE"' "$ROOT/tests/images/busybox.json" >"$T/odd.json"
$IMAGE --registry "$REGISTRY" "$T/odd.json" >/dev/null
$CRICTL pull "$REGISTRY/odd:latest" >/dev/null
ctr=$(made $CRICTL create "$pod" "$(ctr_json odd 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done' "\"image\":{\"image\":\"$REGISTRY/odd:latest\"}")" "$T/long.pod.json")
like 'a container of an image with an odd StopSignal is made' "$ctr $(cat "$T/stderr")" '^[0-9a-f]{64}'
$CRICTL start "$ctr" >/dev/null
up() { grep -q 'up' "$T/logs/odd.log"; }
until_ok 10 up
$CRICTL stop -t 10 "$ctr" >/dev/null
is 'it is stopped by SIGTERM' "$(exit_of "$ctr")" 7
like 'and the log says so' "$(grep SIGNONSENSE "$T/crisp.log")" 'stop_signal .*not a signal'

# What a request leaves out is decided by crisp, and not by each runtime in its own way. One known difference: crun makes /dev/core,
# a link to /proc/kcore, which is masked.
show='echo user $(id -u) $(id -g); env | sort; echo cwd $(pwd); echo umask $(umask); ulimit -a; grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status; ls /dev | grep -vx core | sort;
	cat /proc/self/oom_score_adj; cut -d" " -f4- /proc/self/mountinfo | sed "s/ shared:[0-9]*\| master:[0-9]*//g" | cut -d" " -f2,3 | sort; echo over'
seen() { # HANDLER NAME EXTRA
	local pod ctr
	pod=$($CRICTL runp --runtime "$1" "$(pod_json "$1-$2")")
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1-$2" "$show" "$3")" "$T/$1-$2.pod.json")
	$CRICTL start "$ctr" >/dev/null
	until_ok 20 exited "$ctr"
	log_text "$1-$2" | grep -v '^HOSTNAME=' >"$T/$1-$2.seen"
	grep -q '^over' "$T/$1-$2.seen" || echo 'it did not end' >>"$T/$1-$2.seen"
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
}
same() { # NAME EXTRA WORDS HOME
	seen runc "$1" "$2"
	seen crun "$1" "$2"
	ok "$3: it ran" grep -q '^over' "$T/runc-$1.seen"
	is "$3: the environment is the same with both runtimes" "$(diff "$T/runc-$1.seen" "$T/crun-$1.seen")" ''
	is "$3: with HOME" "$(grep ^HOME= "$T/crun-$1.seen")" "HOME=$4"
}
same plain '"linux":{}' 'a plain container' /root
same unknown '"linux":{"security_context":{"run_as_user":{"value":4242}}}' 'a uid without a line in passwd' /
same known '"linux":{"security_context":{"run_as_user":{"value":1000},"no_new_privs":true,"readonly_rootfs":true}}' 'a uid with a line' /
same env '"envs":[{"key":"HOME","value":"/of/the/request"}],"linux":{"security_context":{"privileged":false,"seccomp":{"profile_type":0}}}' 'HOME in the request' /of/the/request
crisp_clean
