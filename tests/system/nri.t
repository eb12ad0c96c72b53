#!/bin/bash
# nri.t - NRI: what a plugin hears of a pod's life, what it changes, and what one does to pods that fails, hangs or dies. The
# plugin (tests/tools/nri) is over NRI's own library.
. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
PROBE=$TOOLS/nri-probe
[ -x "$PROBE" ] || { echo "1..0 # SKIP no $PROBE: tests/tools/nri/build makes it"; exit 0; }
mkdir "$T/plugins" "$T/conf" "$T/cdi" "$T/volume"; echo content >"$T/volume/file"
printf '#!/bin/sh\n: >%s\n' "$T/hooked" >"$T/hook"; chmod 755 "$T/hook"
echo '{"cdiVersion":"0.6.0","kind":"v.com/tape","devices":[{"name":"0","containerEdits":{"env":["TAPE=zero"]}}]}' >"$T/cdi/v.json"
cp "$PROBE" "$T/plugins/20-installed"; echo 'of installed' >"$T/conf/installed.conf"
crisp_up "nri: {plugin_path: $T/plugins, plugin_config_path: $T/conf, request_timeout: 20}" "cdi: {spec_dirs: [$T/cdi]}"
INSTALLED=$T/20-installed.out

# plugin IDX NAME [FLAG]: its pid is in $PLUGIN, what it hears in $T/NAME.out.
plugin() { "$PROBE" -socket "$T/state/nri.sock" -idx "$1" -name "$2" -out "$T/$2.out" ${3-} 2>"$T/$2.err" & PLUGIN=$!; until_ok 20 grep -q '^Synchronized' "$T/$2.out"; }
plugin_ended() { kill "$1" 2>/dev/null; wait "$1" 2>/dev/null; until_ok 20 grep -q "nri_plugin_gone plugin=\"*$2" "$T/crisp.log"; }
heard() { grep -c "^$2\$" "$T/$1.out" 2>/dev/null; }
pod() { POD=$(pod_json "$1" "\"annotations\":{${2-}}"); P=$($CRICTL runp ${3:+--runtime "$3"} "$POD" 2>"$T/err"); }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err"); }
run() { make "$@" && $CRICTL start "$C" >/dev/null 2>"$T/err"; }
said() { tr -d '\\' <"$T/err"; }
config_of() { jq -rc "$1" "$T/state/containers/$C/config.json"; }
gone() { $CRICTL rmp -f "$P" >/dev/null; }

# ---- what plugins hear ----

ok 'a pre-installed plugin is started and configured' grep -q '^Configure crisp "of installed' "$INSTALLED"
pod early; run early 'sleep 1000'; E=$P; EC=$C
plugin 10 first; FIRST=$PLUGIN
is 'a plugin that connects is told what there is' "$(grep ^Synchronize "$T/first.out" | tr '\n' ' ')" 'Synchronize pod early Synchronize container early CONTAINER_RUNNING Synchronized '
is 'Status tells of the plugins' "$($CRICTL info | jq -c '[.nri.plugins[] | [.name, .installed, .ready, (.events | length)]]')" \
	'[["10-first",false,true,13],["20-installed",true,true,13]]'
: >"$T/first.out"
pod life; run life 'sleep 1000'
$CRICTL update --memory 100000000 "$C" >/dev/null
rpc UpdatePodSandboxResources "pod_sandbox_id: \"$P\" resources { memory_limit_in_bytes: 134217728 } overhead { memory_limit_in_bytes: 9 }"
is 'a pod is resized' "$code" OK
$CRICTL stop -t 0 "$C" >/dev/null; $CRICTL rm "$C" >/dev/null; $CRICTL stopp "$P" >/dev/null; $CRICTL rmp "$P" >/dev/null
until_ok 10 grep -q RemovePodSandbox "$T/first.out"
WHOLE='RunPodSandbox life;CreateContainer life life;PostCreateContainer life life;StartContainer life life;PostStartContainer life life;'
WHOLE+='UpdateContainer life life;PostUpdateContainer life life;UpdatePodSandbox life;PostUpdatePodSandbox life;StopContainer life life;'
WHOLE+='RemoveContainer life life;StopPodSandbox life;RemovePodSandbox life;'
is 'it hears of the whole life, in its order' "$(grep -v '^sees\|^asked' "$T/first.out" | sed 's/ *$//' | tr '\n' ';')" "$WHOLE"
until_ok 10 grep -q 'RemovePodSandbox life' "$INSTALLED"
is 'so does the pre-installed one' "$(grep -c ' life' "$INSTALLED")" 13
ok 'an update says what is asked' grep -q '^asked memory=100000000' "$T/first.out"
ok 'and that of a pod' grep -q '^asked overhead=9 memory=134217728' "$T/first.out"

# ---- what they change ----

for h in runc crun native; do
	rm -f "$T/hooked"
	pod "all-$h" "\"probe/env.10\":\"ADDED=yes\",\"probe/unenv.20\":\"DROPPED\",\"probe/annotate.10\":\"my.key=my.value\",\"probe/mount.10\":\"$T/volume:/given\",\"probe/device.10\":\"/dev/given:c:1:3\",\"probe/oom.10\":\"500\",\"probe/memory.10\":\"50000000\",\"probe/cdi.10\":\"v.com/tape=0\"" "$h"
	run "all-$h" 'echo "$ADDED,${DROPPED-no},$TAPE"; cat /given/file; echo x >/dev/given && stat -c "%t:%T" /dev/given; cat /proc/self/oom_score_adj; sleep 1000' '"envs":[{"key":"DROPPED","value":"here"}]'
	until_ok 10 grep -q 500 "$T/logs/all-$h.log"
	is "$h: env, a CDI device, a mount, a device, the OOM score" "$(log_text "all-$h" | tr '\n' ' ')" 'yes,no,zero content 1:3 500 '
	is "$h: an annotation and a limit" "$(config_of '[.annotations."my.key", .linux.resources.memory.limit] | map(tostring) | join(" ")')" 'my.value 50000000'
	gone
done
is 'native: it goes natively with all that' "$(jq -r .way "$T/root/containers/$C.json" 2>/dev/null || grep -c 'native_fallback' "$T/crisp.log")" 0
pod more "\"probe/hook.10\":\"$T/hook\",\"probe/rlimit.10\":\"RLIMIT_NOFILE=321\",\"probe/pids.10\":\"77\",\"probe/arg0.10\":\"env\"" native
run more 'ulimit -n; sleep 1000'
until_ok 10 grep -q 321 "$T/logs/more.log"
is 'an rlimit' "$(log_text more)" 321
ok 'a hook' [ -e "$T/hooked" ]
is 'arguments, pids' "$(config_of '[.process.args[0], .linux.resources.pids.limit] | map(tostring) | join(" ")')" 'env 77'
is 'what native cannot do goes by its fallback' "$(jq -r .way "$T/root/containers/$C.json")" runc
gone
DEFAULT='"linux":{"security_context":{"seccomp":{"profile_type":0}}}'
for h in runc crun native; do
	pod "tight-$h" '"probe/seccomp.10":"mkdir","probe/sysctl.10":"net.core.somaxconn=77","probe/rule.10":"c:1:11:r"' "$h"
	run "tight-$h" 'busybox mkdir /tmp/d 2>/dev/null || echo refused; cat /proc/sys/net/core/somaxconn; sleep 1000' "$DEFAULT"
	until_ok 10 grep -q 77 "$T/logs/tight-$h.log"
	is "$h: a seccomp policy, a sysctl" "$(log_text "tight-$h" | tr '\n' ' ')" 'refused 77 '
	is "$h: a device rule" "$(config_of '[.linux.resources.devices[] | select(.major == 1 and .minor == 11) | .access] | join(" ")')" r
	gone
done
pod chain '"probe/env.10":"A=first","probe/unenv.20":"A"'; run chain 'sleep 1000'
ok 'a plugin sees the mounts that crisp adds' grep -q '^sees .* mounts=/proc,/dev,.*/sys/fs/cgroup' "$T/first.out"
ok 'a later plugin sees what an earlier one changed' grep -q '^sees env=.*A=first' "$INSTALLED"
gone
pod limits '"probe/memory.10":"60000000","probe/update.10":"70000000"'; run one 'sleep 1000'; ONE=$C; run two 'sleep 1000'
is 'a plugin updates another container' "$(C=$ONE config_of .linux.resources.memory.limit)" 70000000
$CRICTL update --cpu-share 300 "$C" >/dev/null
is 'a later update keeps the limit of a plugin' "$(config_of '[.linux.resources.memory.limit, .linux.resources.cpu.shares] | map(tostring) | join(" ")')" '60000000 300'
is 'an equal request finds its container' "$(make three 'sleep 1000'; a=$C; make three 'sleep 1000'; [ "$C" = "$a" ] && echo same)" same
gone
pod lanes "\"probe/update.10\":\"70000000\",\"probe/pause.10\":\"CreateContainer/late=$T/go\""; make early2 'sleep 1000'; A=$C
$CRICTL create "$P" "$(ctr_json late 'sleep 1000')" "$POD" >/dev/null 2>"$T/late.err" & LATE=$!
until_ok 10 grep -q '^CreateContainer lanes late' "$T/first.out"
$CRICTL start "$A" >/dev/null 2>&1 & START=$!
waits() { curl -s --unix-socket "$T/state/http.sock" http://crisp/debug/state | grep -q StartContainer; }
until_ok 10 waits; : >"$T/go"
ok 'a start waits behind a creation whose plugin updates that container' until_ok 15 ended $START
ok 'and the creation ends' until_ok 15 ended $LATE
is 'both are there, with the update' "$(state_of "$A") $(C=$A config_of .linux.resources.memory.limit)" 'CONTAINER_RUNNING 70000000'
gone; wait $LATE $START
pod grown '"probe/more.10":"80000000"'; run grown 'sleep 1000'; $CRICTL update --memory 90000000 "$C" >/dev/null
is 'a plugin changes an update' "$(config_of .linux.resources.memory.limit)" 80000000
gone

# ---- what is refused ----

pod clash '"probe/env":"SAME=x"'
notok 'two plugins that change the same' make clash 'sleep 1000'
like 'are named' "$(said)" 'NRI plugins 10-first and 20-installed both change env SAME'
gone
pod garbage '"probe/garbage.10":"x"'
notok 'an adjustment that is none' make garbage 'sleep 1000'
like 'is named with its plugin' "$(said)" 'NRI plugin 10-first: device: type "zz"'
gone
pod ioprio '"probe/ioprio.10":""'
notok 'an adjustment that crisp cannot make' make ioprio 'sleep 1000'
like 'is named' "$(said)" 'NRI plugin 10-first: crisp does not adjust io_priority'
gone
pod own '"probe/own.10":"70000000"'
notok 'an update of the container that is being made' make own 'sleep 1000'
like 'is refused' "$(said)" 'NRI plugin 10-first: an update of the container that is being made'
gone
pod both '"probe/update":"70000000"'; run first 'sleep 1000'; B=$C
notok 'two plugins that update the same container' make both 'sleep 1000'
like 'are named' "$(said)" 'NRI plugins 10-first and 20-installed both change memory.limit'
is 'and the container is as it was' "$(C=$B config_of .linux.resources.memory.limit)" null
gone
pod nosize '"probe/fail.10":"UpdatePodSandbox"'
rpc UpdatePodSandboxResources "pod_sandbox_id: \"$P\" resources { memory_limit_in_bytes: 134217728 }"
like 'a plugin refuses a new size of a pod' "$code $message" 'NRI plugin 10-first: UpdatePodSandbox: .*probe%* *does not want'
is 'which it does not have then' "$($CRICTL inspectp "$P" | jq -rc '.info.config.resources.memory_limit')" null
gone
pod no '"probe/fail.10":"CreateContainer"'
notok 'a plugin refuses a container' make no 'sleep 1000'
like 'its words are told' "$(said)" 'NRI plugin 10-first: CreateContainer: .*probe does not want CreateContainer'
gone
pod nostart '"probe/fail.10":"StartContainer"'; make nostart 'sleep 1000'
notok 'a plugin refuses a start' $CRICTL start "$C"
is 'the container is as it was' "$(state_of "$C")" CONTAINER_CREATED
gone
notok 'a plugin refuses a pod' pod norun '"probe/fail.10":"RunPodSandbox"'
like 'its words are told' "$(said)" 'NRI plugin 10-first: .*probe does not want RunPodSandbox'
is 'nothing of the pod is left' "$($CRICTL pods -q --name norun)" ''
pod nocdi '"probe/cdi.10":"v.com/tape=9"'
notok 'a CDI device that nobody describes' make nocdi 'sleep 1000'
like 'is named' "$(said)" 'no such CDI device: v.com/tape=9'
until_ok 10 grep -q 'RemoveContainer nocdi' "$T/first.out"
is 'plugins hear that the container is not there after all' "$(grep -c '^\(Stop\|Remove\)Container nocdi nocdi' "$T/first.out")" 2
gone

# ---- a plugin that hangs, dies, is not one ----

pod other '"probe/env.10":"B=1"'; O=$P OP=$POD
pod hang '"probe/hang.10":"CreateContainer"'; H=$P HP=$POD
$CRICTL create "$H" "$(ctr_json hang 'sleep 1000')" "$HP" >"$T/hang.id" 2>"$T/hang.err" & hanging=$!
until_ok 10 grep -q 'CreateContainer hang' "$T/first.out"
P=$O POD=$OP; run other 'echo "B is $B"; sleep 1000'
ok 'while a plugin hangs on one pod, another pod runs' kill -0 $hanging
until_ok 10 grep -q 'B is' "$T/logs/other.log"
is 'with its adjustment' "$(log_text other)" 'B is 1'
wait $hanging
ok 'the pod of the hanging plugin goes on without it' [ -s "$T/hang.id" ]
ok 'which is logged' grep -q 'nri_plugin_slow plugin="10-first" method=CreateContainer' "$T/crisp.log"
until_ok 10 grep -q 'nri_plugin_gone plugin="10-first"' "$T/crisp.log"
wait $FIRST 2>/dev/null
gone; $CRICTL rmp -f "$H" >/dev/null
plugin 10 strict -strict
pod strict '"probe/die.10":"CreateContainer"'
notok 'a request that a plugin wants to fail when it dies' make strict 'sleep 1000'
like 'is told' "$(said)" 'NRI plugin 10-strict: the connection was closed'
wait $PLUGIN 2>/dev/null
ok 'without the plugin the next one succeeds' make strict 'sleep 1000'
gone
for bytes in 'GET / HTTP/1.1\r\n\r\n' '\x00\x00\x00\x02\xff\xff\xff\xffx' '\x00\x00\x00\x02\x00\x00\x00\x0e\x00\x00\x00\x04\x00\x00\x00\x01\x01\x00\xff\xff\xff\xff'; do
	printf "$bytes" | nc -U -q 1 -w 5 "$T/state/nri.sock" >/dev/null 2>&1 || printf "$bytes" | socat -t 1 - "UNIX-CONNECT:$T/state/nri.sock" >/dev/null 2>&1 || true
done
pod after; ok 'garbage on the socket harms nobody' run after 'sleep 1000'; gone

# ---- much to tell ----

LONG=$(head -c 100000 /dev/zero | tr '\0' v)
pod much; for i in $(seq 24); do make "much$i" 'sleep 1000' "\"annotations\":{\"long\":\"$LONG\"}"; done
plugin 30 parts
is 'a plugin gets the state of a large node in parts' "$(grep -c '^Synchronize container much' "$T/parts.out")" 24
is 'as one' "$(grep -c '^Synchronized' "$T/parts.out")" 1
plugin_ended $PLUGIN 30-parts
gone

# ---- the daemons die ----

plugin 30 last; LAST=$PLUGIN
: >"$INSTALLED"
kill_crispd
until_ok 20 grep -q '^Synchronize container early' "$INSTALLED"
ok 'the next crispd starts the pre-installed plugin and tells it what there is' grep -q '^Synchronized' "$INSTALLED"
ok 'a plugin that was connected hears that crispd is gone' until_ok 10 ended $LAST
wait $LAST 2>/dev/null
is 'pods run on' "$(state_of "$EC")" CONTAINER_RUNNING
plugin 30 again; ok 'and it connects again' grep -q '^Synchronize container early CONTAINER_RUNNING' "$T/again.out"
plugin_ended $PLUGIN 30-again
P=$E gone
crisp_clean
