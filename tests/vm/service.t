# service.t - crisp as a systemd service on a cgroup v2 host: what restarts, crashes and stops do to containers, and to their limits.
# HANDLER=native: the default handler.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/registry.sh"
WORK=$(mktemp -d); T=$WORK
CRICTL="$TOOLS/crictl --config $T/crictl.yaml"
printf 'runtime-endpoint: unix:///run/crisp/crisp.sock\nimage-endpoint: unix:///run/crisp/crisp.sock\ntimeout: %s\n' $((30 * ${SLOW:-1})) >"$T/crictl.yaml"
registry_start "$WORK/registry" || exit 1
"$ROOT/tests/images/image" --registry "$REGISTRY" "$ROOT/tests/images/busybox.json" >/dev/null
mkdir -p /etc/cni/net.d
cat >/etc/cni/net.d/10-crisp.conflist <<'J'
{"cniVersion":"1.0.0","name":"crisp","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"10.201.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
J

if [ "${HANDLER-}" = native ]; then
	cat >>/etc/crisp/config.yaml <<-Y
	runtime: {default: native}
	runtimes: {runc: {path: /usr/sbin/runc}, crun: {path: /usr/bin/crun}, native: {type: native, fallback: runc}}
	Y
fi

pod_json() {
	printf '{"metadata":{"name":"%s","uid":"%s-uid","namespace":"default","attempt":1},"log_directory":"%s","linux":{%s"security_context":{"namespace_options":{"pid":1}}}}\n' \
		"$1" "$1" "$T" "${2-}" >"$T/$1.pod.json"
	echo "$T/$1.pod.json"
}
ctr_json() { # NAME SCRIPT [LINUX]
	jq -n --arg n "$1" --arg s "$2" --arg i "$REGISTRY/busybox:latest" --argjson l "{${3-}}" \
		'{metadata:{name:$n,attempt:1},image:{image:$i},command:["sh","-c",$s],log_path:($n + ".log"),linux:$l}' >"$T/$1.ctr.json"
	echo "$T/$1.ctr.json"
}
state_of() { $CRICTL inspect "$1" | jq -r .status.state; }
pid_of() { $CRICTL inspect "$1" | jq -r .info.pid; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
main_pid() { systemctl show -p MainPID --value crisp; }
keeper_pid() { cat /run/crisp/keeper.lock; }
anchor_pid() { cat /run/crisp/anchor.lock; }
crispd_pid() { pgrep -x crispd | head -1; }
answers() { $CRICTL version && $CRICTL pods -q; }
another() { [ -n "$($1)" ] && [ "$($1)" != 0 ] && [ "$($1)" != "$2" ] && answers; }
cgroup_of() { sed 's/^0:://' "/proc/$1/cgroup"; }
lives() { is "$1: the container runs on" "$(state_of "$ctr") $(pid_of "$ctr")" "CONTAINER_RUNNING $pid"
	is "$1: exec" "$($CRICTL exec -s "$ctr" echo hello)" hello; }
started_by() { $CRICTL inspect "$1" | jq -r .info.startedBy; }

ok 'systemctl start returns when it is ready' systemctl start crisp
ok 'so it answers' answers
is 'active' "$(systemctl is-active crisp)" active
is 'the main process is crisp-keeper' "$(cat "/proc/$(main_pid)/comm")" crisp-keeper
is 'the keeper is a child of the anchor' "$(ps -o ppid= -p "$(keeper_pid)" | tr -d ' ')" "$(anchor_pid)"
is 'crispd is a child of the keeper' "$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')" "$(keeper_pid)"
is 'all are in the unit'\''s cgroup' "$(for p in "$(main_pid)" "$(anchor_pid)" "$(keeper_pid)" "$(crispd_pid)"; do cgroup_of "$p"; done | sort | uniq -c | tr -s ' ')" ' 4 /system.slice/crisp.service'
is 'the keeper has the unit'\''s score' "$(cat "/proc/$(keeper_pid)/oom_score_adj")" -999
is 'crispd has the unit'\''s limit of open files' "$(awk '/open files/ {print $4, $5}' "/proc/$(crispd_pid)/limits")" '1048576 1048576'

ok 'pull' $CRICTL pull "$REGISTRY/busybox:latest"
pod=$($CRICTL runp "$(pod_json p)") && pass 'runp' || fail 'runp' "$pod"
ctr=$($CRICTL create "$pod" "$(ctr_json long 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i % 50)) != 0 ] || sleep 0.2; done; echo all; until [ -e /tmp/go ]; do sleep 0.1; done; exit 42' '"resources":{"memory_limit_in_bytes":67108864,"cpu_quota":50000,"cpu_period":100000,"cpu_shares":512}')" "$T/p.pod.json")
ok 'start' $CRICTL start "$ctr"
is 'by the handler' "$(started_by "$ctr")" "${HANDLER:-runc}"
pid=$(pid_of "$ctr")
cg=/sys/fs/cgroup$(cgroup_of "$pid")
is 'its cgroup is below ours, not the unit'\''s' "$(cgroup_of "$pid")" "/crisp/$pod/$ctr"
is 'memory.max' "$(cat "$cg/memory.max")" 67108864
is 'cpu.max' "$(cat "$cg/cpu.max")" '50000 100000'
# Debian's runc has a straight line (update.t).
is 'cpu.weight of 512 shares' "$(cat "$cg/cpu.weight")" "$([ "${HANDLER-}" = native ] && echo 59 || echo 20)"
is 'the pod has every controller' "$(tr ' ' '\n' <"/sys/fs/cgroup/crisp/$pod/cgroup.controllers" | sort)" "$(tr ' ' '\n' </sys/fs/cgroup/cgroup.controllers | sort)"
is 'no process is in the pod'\''s own group' "$(cat "/sys/fs/cgroup/crisp/$pod/cgroup.procs")" ''
is 'it sees its own cgroup as the root' "$($CRICTL exec -s "$ctr" cat /proc/self/cgroup)" '0::/'
like 'and as the mounted one, read-only' "$($CRICTL exec -s "$ctr" cat /proc/self/mounts)" '^cgroup2? /sys/fs/cgroup cgroup2 ro,'
is 'its processes are those of the file' "$($CRICTL exec -s "$ctr" cat /sys/fs/cgroup/memory.max)" 67108864
is 'oom_score_adj is not the daemon'\''s' "$(cat "/proc/$pid/oom_score_adj")" 0
is 'no signal is ignored' "$($CRICTL exec -s "$ctr" cat /proc/self/status | awk '/^SigIgn/ {print $2}')" 0000000000000000
notok 'a forbidden device is out of reach of an exec' $CRICTL exec -s "$ctr" sh -c 'mknod /tmp/mem c 1 1 && dd if=/tmp/mem of=/tmp/x bs=1 count=1'
like 'by the device policy' "$($CRICTL exec -s "$ctr" sh -c 'mknod /tmp/mem2 c 1 1; dd if=/tmp/mem2 of=/tmp/x bs=1 count=1' 2>&1)" 'not permitted'
ok 'update' $CRICTL update --memory 134217728 --cpu-quota 80000 "$ctr"
is 'memory.max is the new one' "$(cat "$cg/memory.max") $(cat "$cg/cpu.max")" '134217728 80000 100000'

old=$(crispd_pid)
kill -9 "$old"
ok 'crispd killed: it is back' until_ok 10 another crispd_pid "$old"
is 'by the same keeper' "$(ps -o ppid= -p "$(crispd_pid)" | tr -d ' ')" "$(keeper_pid)"
lives 'crispd killed'

old=$(keeper_pid) before=$(crispd_pid)
kill -9 "$old"
ok 'keeper killed: the anchor starts another' until_ok 10 another keeper_pid "$old"
ok 'it spawns' until_ok 10 $CRICTL exec -s "$ctr" true
is 'crispd ran on' "$(crispd_pid)" "$before"
lives 'keeper killed'

old=$(main_pid) before="$(keeper_pid) $(crispd_pid)"
kill -9 "$old"
ok 'main process killed: systemd starts another' until_ok 10 another main_pid "$old"
is 'keeper and crispd ran on' "$(keeper_pid) $(crispd_pid)" "$before"
active() { [ "$(systemctl is-active crisp)" = active ]; }
ok 'main process killed: the unit is active again' until_ok 10 active
lives 'main process killed'

old=$(main_pid)
ok 'restart' systemctl restart crisp
ok 'restart: it answers' answers
is 'restart: the pod is ready' "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY
lives 'restart'
old=$(crispd_pid)
kill -9 "$(main_pid)" "$(keeper_pid)" "$old"
ok 'both killed: back' until_ok 10 another crispd_pid "$old"
lives 'both killed'
is 'both killed: the pod is ready' "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY
like 'both killed: it has its address' "$($CRICTL inspectp "$pod" | jq -r .status.network.ip)" '^10\.201\.'
is 'the unit has a watchdog' "$(systemctl show -p WatchdogUSec --value crisp)" 2min
mkdir -p /run/systemd/system/crisp.service.d
printf '[Service]\nWatchdogSec=40\n' >/run/systemd/system/crisp.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart crisp
ok 'with a shorter one' answers
old=$(keeper_pid) before="$(main_pid) $(crispd_pid)"
kill -STOP "$old"
ok 'keeper stopped: another one takes over' until_ok 90 another keeper_pid "$old"
is 'keeper stopped: the service was not started again' "$(main_pid) $(crispd_pid)" "$before"
lives 'keeper stopped'
old=$(main_pid) before="$(keeper_pid) $(crispd_pid)"
kill -STOP "$old"
ok 'main process stopped: systemd starts another' until_ok 150 another main_pid "$old"
like 'main process stopped: by its watchdog' "$(journalctl -u crisp --no-pager -o cat)" 'Watchdog timeout'
is 'main process stopped: keeper and crispd ran on' "$(keeper_pid) $(crispd_pid)" "$before"
ok 'main process stopped: the unit is active again' until_ok 10 active
lives 'main process stopped'
old=$(keeper_pid) before=$(crispd_pid)
kill -STOP "$(main_pid)" "$old"
ok 'both stopped: another keeper takes over' until_ok 240 another keeper_pid "$old"
is 'both stopped: crispd ran on' "$(crispd_pid)" "$before"
ok 'both stopped: the unit is active again' until_ok 10 active
lives 'both stopped'
rm -r /run/systemd/system/crisp.service.d
systemctl daemon-reload
systemctl restart crisp
ok 'systemd itself is executed anew' systemctl daemon-reexec
lives 'daemon-reexec'

# After a first READY no configuration ends the service, though systemd would not start it again after 78.
used() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "ConfigurationUsed") | "\(.status) \(.message // "")"'; }
content() { [ "$(used)" = 'true ' ]; }
logged() { journalctl -u crisp --no-pager -o cat | grep -qE "$1"; }
is 'systemd is told not to start it again after 78' "$(systemctl show -p RestartPreventExitStatus --value crisp)" '64 78'
mkdir -p /etc/crisp/config.d
echo 'watchdg: 60' >/etc/crisp/config.d/50-bad.yaml
ok 'a reload with a bad part' systemctl reload crisp
ok 'is refused' until_ok 20 logged 'reload_refused.*50-bad.yaml:1: unknown key watchdg'
lives 'a bad part'
old=$(main_pid)
kill -9 "$old" "$(keeper_pid)" "$(crispd_pid)"
ok 'a bad part, all killed: systemd starts the service' until_ok 20 another main_pid "$old"
ok 'a bad part, all killed: the unit is active' until_ok 20 active
lives 'a bad part, all killed'
like 'a bad part, all killed: Status says why' "$(used)" 'false .*50-bad.yaml:1: unknown key watchdg'
ok 'a bad part: restart' systemctl restart crisp
lives 'a bad part, restart'
rm -r /etc/crisp/config.d
ok 'a reload without it' systemctl reload crisp
ok 'is taken' until_ok 20 content
lives 'the mended configuration'

ok 'stop' systemctl stop crisp
is 'stop: both are gone' "$(pgrep -x crispd; pgrep -x crisp-keeper)" ''
ok 'stop: the anchor is left' kill -0 "$(anchor_pid)"
ok 'stop: the container runs on' test -d "/proc/$pid"
is 'stop: in its cgroup' "$(cgroup_of "$pid")" "/crisp/$pod/$ctr"
ok 'start again' systemctl start crisp
lives 'start again'
ok 'the log goes on to its end' until_ok 60 grep -q 'F all' "$T/long.log"
is 'no line is lost, doubled or torn' "$(cut -d' ' -f4- "$T/long.log" | grep -v all | sha256sum)" "$(seq 0 2999 | sed 's/^/line /' | sha256sum)"

ending=$($CRICTL create "$pod" "$(ctr_json ending 'until [ -e /tmp/go ]; do sleep 0.1; done; i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; exit 7')" "$T/p.pod.json")
$CRICTL start "$ending" >/dev/null; ending_pid=$(pid_of "$ending")
ok 'stop with containers that end meanwhile' systemctl stop crisp
touch "/proc/$pid/root/tmp/go" "/proc/$ending_pid/root/tmp/go"
until_ok 10 test ! -d "/proc/$pid"
until_ok 10 test ! -d "/proc/$ending_pid"
ok 'start after it' systemctl start crisp
ok 'they have exited' until_ok 10 is_state "$ctr" CONTAINER_EXITED
until_ok 10 is_state "$ending" CONTAINER_EXITED
exit_codes() { for c in "$@"; do $CRICTL inspect "$c" | jq -r '.status | "\(.exitCode) \(.reason)"'; done | paste -sd' '; }
is 'with their exit codes' "$(exit_codes "$ctr" "$ending")" '42 Error 7 Error'
is 'and every line' "$(cut -d' ' -f4- "$T/ending.log" | sha256sum)" "$(seq 0 999 | sed 's/^/line /' | sha256sum)"
is 'their pod is ready' "$($CRICTL pods --id "$pod" -o json | jq -r '.items[0].state')" SANDBOX_READY

# A Job that succeeds while the service restarts, again and again.
for n in 1 2 3; do
	job=$($CRICTL create "$pod" "$(ctr_json "job$n" 'until [ -e /tmp/go ]; do sleep 0.1; done; echo done; exit 0')" "$T/p.pod.json")
	$CRICTL start "$job" >/dev/null; job_pid=$(pid_of "$job")
	{ sleep "0.$((n * 3))"; touch "/proc/$job_pid/root/tmp/go"; } &
	systemctl restart crisp
	wait $!
	until_ok 20 is_state "$job" CONTAINER_EXITED
	is "restart $n: the job has succeeded" "$(exit_codes "$job") $(cut -d' ' -f4- "$T/job$n.log")" '0 Completed done'
done
$CRICTL stopp "$pod" >/dev/null 2>&1; ok 'it is removed' $CRICTL rmp -f "$pod"
ok 'its cgroup goes' until_ok 10 test ! -e "/sys/fs/cgroup/crisp/$pod"

pod=$($CRICTL runp "$(pod_json q)")
hog=$($CRICTL create "$pod" "$(ctr_json hog 'x=a; while :; do x=$x$x; done' '"resources":{"memory_limit_in_bytes":20971520}')" "$T/q.pod.json")
ok 'a hog starts' $CRICTL start "$hog"
ok 'and ends' until_ok 30 is_state "$hog" CONTAINER_EXITED
is 'killed for its memory' "$($CRICTL inspect "$hog" | jq -r '.status | "\(.exitCode) \(.reason)"')" '137 OOMKilled'
for h in runc crun; do
	p=$($CRICTL runp --runtime $h "$(pod_json "p-$h" '"cgroup_parent":"/kubepods.slice/kubepods-burstable.slice/pod-'$h'",')")
	c=$($CRICTL create "$p" "$(ctr_json "c-$h" 'cat /proc/self/cgroup; sleep 1000')" "$T/p-$h.pod.json")
	ok "$h: below the kubelet's parent" $CRICTL start "$c"
	g=/kubepods.slice/kubepods-burstable.slice/pod-$h
	is "$h: its cgroup" "$(cgroup_of "$(pid_of "$c")")" "$g/$c"
	ok "$h: and a group of its sandbox" until_ok 5 test -d "/sys/fs/cgroup$g/$p"
	$CRICTL stopp "$p" >/dev/null 2>&1; $CRICTL rmp -f "$p" >/dev/null 2>&1
	ok "$h: both go, the parent stays" until_ok 10 rmdir "/sys/fs/cgroup$g"
done

$CRICTL stopp "$pod" >/dev/null 2>&1; $CRICTL rmp -f "$pod" >/dev/null 2>&1
is 'no pod' "$($CRICTL pods -q)" ''
ok 'its cgroup goes' until_ok 10 test ! -e "/sys/fs/cgroup/crisp/$pod"

# Before a first READY a bad configuration ends it, once.
systemctl stop crisp
rm /run/crisp/config.ready /var/lib/crisp/config.ready
cp /etc/crisp/config.yaml "$T/good.yaml"
echo 'watchdg: 60' >>/etc/crisp/config.yaml
notok 'with a bad configuration, and none that has served, it does not start' systemctl start crisp
is 'and is not started again' "$(systemctl show -p ActiveState -p SubState -p ExecMainStatus crisp | sort | paste -sd' ')" \
	'ActiveState=failed ExecMainStatus=78 SubState=failed'
cp "$T/good.yaml" /etc/crisp/config.yaml
ok 'with the mended one it starts' systemctl start crisp
ok 'and answers' answers
ok 'stop at last' systemctl stop crisp
ok 'no process of crisp is left' until_ok 5 sh -c '! pgrep -x crisp-anchor'
is 'no mount is left' "$(grep -E ' /(run|var/lib)/crisp|/run/netns/' /proc/self/mountinfo)" ''
is 'no process is left in the unit' "$(cat /sys/fs/cgroup/system.slice/crisp.service/cgroup.procs 2>/dev/null)" ''
[ "$tap_bad" = 0 ] || { systemctl status --no-pager crisp; journalctl -u crisp --no-pager -o cat | grep -E ' (warn|error) |systemd' | tail -40; } | sed 's/^/# /'
registry_stop
tap_end
