#!/bin/bash
# nri_plugins.t - the plugins of github.com/containerd/nri, as they are: logger, device-injector, ulimit-adjuster, hook-injector, differ,
# template, writable-cgroups. They are in no registry, so the test has to be given them: NRI_PLUGINS is a directory with these programs.
. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
for p in logger device-injector ulimit-adjuster hook-injector differ template writable-cgroups; do
	[ -x "${NRI_PLUGINS-}/$p" ] || { echo "1..0 # SKIP NRI_PLUGINS names no directory with $p of NRI"; exit 0; }
done
mkdir "$T/plugins" "$T/conf" "$T/cdi" "$T/volume" "$T/hooks"; echo content >"$T/volume/file"
echo '{"cdiVersion":"0.6.0","kind":"v.com/tape","devices":[{"name":"0","containerEdits":{"env":["TAPE=zero"]}}]}' >"$T/cdi/v.json"
printf '#!/bin/sh\ncat >%s\n' "$T/hooked" >"$T/hook"; chmod 755 "$T/hook"
echo '{"version":"1.0.0","hook":{"path":"'"$T"'/hook"},"when":{"always":true},"stages":["createRuntime"]}' >"$T/hooks/one.json"
cp "$NRI_PLUGINS/logger" "$T/plugins/05-logger"; cp "$NRI_PLUGINS/ulimit-adjuster" "$T/plugins/30-ulimit"
cp "$NRI_PLUGINS/template" "$T/plugins/90-template"
printf 'logFile: %s\nevents: [all]\naddEnv: LOGGED\naddAnnotation: logged\n' "$T/logger.log" >"$T/conf/logger.conf"
echo 'cfgParam1: of the test' >"$T/conf/90-template.conf"
crisp_up "nri: {plugin_path: $T/plugins, plugin_config_path: $T/conf, request_timeout: 20}" "cdi: {spec_dirs: [$T/cdi]}"
S=$T/state/nri.sock

PLUGINS=
# plugin NAME READY ARGUMENTS: an external one; READY is the name that the log has of it.
plugin() {
	local name=$1 ready=$2; shift 2
	"$NRI_PLUGINS/$name" "$@" >"$T/$name.out" 2>&1 & PLUGINS+=" $!"
	until_ok 20 grep -q "nri_plugin_ready plugin=\"*$ready" "$T/crisp.log" || fail "$name is ready" "$(cat "$T/$name.out")"
}
pod() { POD=$(pod_json "$1" "\"annotations\":{${2-}}"); P=$($CRICTL runp ${3:+--runtime "$3"} "$POD" 2>"$T/err"); }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err"); }
run() { make "$@" && $CRICTL start "$C" >/dev/null 2>"$T/err"; }
said() { tr -d '\\' <"$T/err"; }
gone() { $CRICTL rmp -f "$P" >/dev/null; }
config_of() { jq -rc "$1" "$T/state/containers/$C/config.json"; }

for p in 05-logger 30-ulimit 90-template; do
	ok "$p is started from the directory" grep -q "nri_plugin_ready plugin=\"*$p.* installed=1" "$T/crisp.log"
done
ok 'logger has its configuration' [ -s "$T/logger.log" ]
plugin device-injector 20-device-injector -idx 20 -socket-path "$S"
plugin differ 99-differ -indices 0,99 -socket-path "$S" -log-file "$T/differ.log"
plugin template 91-other -name other -idx 91 -socket "$S"
echo '25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate' >"$T/mountinfo"
plugin writable-cgroups 40-writable-cgroups -idx 40 -socket-path "$S" -host-mount-file "$T/mountinfo"
# Its directories of hooks are fixed.
HOOKS=/usr/share/containers/oci/hooks.d
unshare -m sh -c "mount -t tmpfs none /usr/share && mkdir -p $HOOKS && cp '$T/hooks/one.json' $HOOKS &&
	exec '$NRI_PLUGINS/hook-injector' -disableWatch -idx 50 -socket-path '$S'" >"$T/hook-injector.out" 2>&1 & PLUGINS+=" $!"
until_ok 20 grep -q 'nri_plugin_ready plugin="*50-hook-injector' "$T/crisp.log"

A='"devices.noderesource.dev":"[{path: /dev/given, type: c, major: 1, minor: 3, file_mode: 0640, uid: 7}]"'
A+=',"mounts.noderesource.dev/container.main":"[{source: '$T/volume', destination: /given, type: bind, options: [rbind, ro]}]"'
A+=',"cdi-devices.noderesource.dev":"[v.com/tape=0]","ulimits.noderesource.dev/container.main":"[{type: nofile, hard: 333, soft: 222}]"'
A+=',"writable-cgroups.noderesource.dev":"true"'
LOOK='stat -c "%t:%T %a %u" /dev/given; cat /given/file; echo "$TAPE $(ulimit -Sn) $(ulimit -Hn) ${LOGGED%-*}"'
LOOK+='; awk "\$2 == \"/sys/fs/cgroup\" { print substr(\$4, 1, 2) }" /proc/mounts'
for h in runc crun native; do
	rm -f "$T/hooked"
	pod "pod-$h" "$A" $h
	run main "$LOOK; echo done; sleep 1000"
	until_ok 20 grep -q done "$T/logs/main.log"
	is "$h: device-injector, ulimit-adjuster, logger and writable-cgroups show inside" "$(log_text main | tr '\n' ';')" \
		'1:3 640 7;content;zero 222 333 logger-pid;rw;done;'
	like "$h: an annotation of logger" "$(config_of .annotations.logged)" '^logger-pid-[0-9]*$'
	ok "$h: the hook of hook-injector has run" [ -s "$T/hooked" ]
	rpc UpdatePodSandboxResources "pod_sandbox_id: \"$P\" resources { memory_limit_in_bytes: 134217728 }"
	$CRICTL update --memory 100000000 "$C" >/dev/null
	run other 'echo "${TAPE-none} $([ -e /given ] || echo no)"; sleep 1000'
	until_ok 20 grep -q no "$T/logs/other.log"
	is "$h: what is for one container is not for another" "$(log_text other)" 'zero no'
	gone; rm -f "$T/logs"/*.log
done
for e in RunPodSandbox CreateContainer PostCreateContainer StartContainer PostStartContainer UpdateContainer PostUpdateContainer \
	StopContainer RemoveContainer UpdatePodSandbox PostUpdatePodSandbox StopPodSandbox RemovePodSandbox; do
	ok "logger heard $e" grep -q "$e" "$T/logger.log"
done
ok 'template heard its events' grep -q 'Created container default/pod-native/main' "$T/template.out"
ok 'differ saw what device-injector changed' grep -q '/dev/given' "$T/differ.log"
pod io '"io-priority.noderesource.dev":"{class: IOPRIO_CLASS_BE, priority: 3}"'
notok 'what crisp does not set is refused' make main 'sleep 1000'
like 'with the name of the plugin' "$(said)" 'NRI plugin 20-device-injector: crisp does not adjust io_priority'
gone
pod bad '"devices.noderesource.dev":"not a list"'
notok 'an annotation that a plugin cannot read' make main 'sleep 1000'
like 'in its words' "$(said)" 'NRI plugin 20-device-injector: CreateContainer: .*invalid device annotation'
gone

# ---- crispd dies ----

pod stays; run main 'sleep 1000'
before=$(grep -c 'nri_plugin_ready plugin="*05-logger' "$T/crisp.log")
: >"$T/logger.log"
kill_crispd
until_ok 20 eval '[ "$(grep -c "nri_plugin_ready plugin=\"*05-logger" "$T/crisp.log")" -gt '"$before"' ]'
ok 'the next crispd starts them again and tells what there is' until_ok 10 grep -q 'Synchronize.*stays\|name: stays' "$T/logger.log"
gone
for p in $PLUGINS; do kill $p 2>/dev/null; wait $p 2>/dev/null; done
crisp_clean
