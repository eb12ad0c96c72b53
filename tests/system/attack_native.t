#!/bin/bash
# attack_native.t - hostile images, volumes, profiles and neighbours against the handler native, which has no runtime between it and
# them. Where no harm comes of it, the same against runc and crun. HANDLERS="A B": those only.
. "$(dirname "$0")/../lib/crisp.sh"
[ -x "$BUILD/crisp-zygote" ] || { echo '1..0 # SKIP crisp-zygote is not built'; exit 0; }
LEVEL=info
TRIES=${TRIES:-8}
gcc -O2 -D_GNU_SOURCE -static -o "$T/grab" "$ROOT/tests/lib/grab.c" || exit 1
RUNC=${RUNC:-$TOOLS/runc}
crisp_up "runtimes: {runc: {type: oci, path: $RUNC}, crun: {type: oci, path: /usr/bin/crun}, native: {type: native, fallback: runc}}"
mkdir -m 755 "$T/outside" "$T/dev" "$T/vol"; echo secret >"$T/outside/marker"
outside() { find "$T/outside" -printf '%P %y %s %m %U:%G %l\n' | sort; cat "$T/outside/marker"; }
KNOBS='/proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/vm/overcommit_memory /proc/sys/kernel/shm_rmid_forced'
knobs() { cat $KNOBS; stat -c '%n %u:%g %a' /dev/null /dev/zero /dev/tty /dev/ptmx; cat "$BUILD"/crisp* | cksum; }
before=$(outside) knobs_before=$(knobs)
jq --arg g "$T/grab" '[.[0] | .repo = "grab" | .layers += [{entries: [{path: "grab", from: $g, mode: 493}]}]]' "$ROOT/tests/images/busybox.json" |
	"$IMAGE" --registry "$REGISTRY" - >/dev/null
$CRICTL pull "$REGISTRY/grab" >/dev/null || exit 1

# start NAME SCRIPT [EXTRA]: a container in $pod; sets $ctr, $said.
start() {
	ctr= said=
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1-$h" "$2" "${3-}")" "$T/$podname.pod.json" 2>"$T/create.err") && said=$($CRICTL start "$ctr" 2>&1) ||
		{ said="$(cat "$T/create.err") $said"; return 1; }
}
stop() { [ -z "$ctr" ] || $CRICTL rm -f "$ctr" >/dev/null 2>&1; }
in_() { $CRICTL exec -s "$ctr" sh -c "$1" 2>&1 | head -c -1; }
ctx() { echo "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":${2:-1}},$1}}"; }
good() { start "good$1" 'exec sleep 1000' && [ "$(in_ 'echo fine')" = fine ]; local rc=$?; stop; return $rc; }
unharmed() { # WORDS
	is "$h: $1: nothing outside has changed" "$(outside)" "$before"
	is "$h: $1: nor the node's settings, devices and programs" "$(knobs)" "$knobs_before"
}
# pod_of NAME [PID-MODE]
pod_of() {
	podname=$1-$h
	pod_json "$podname" >/dev/null
	jq ".linux.security_context.namespace_options.pid = ${2:-1}" "$T/$podname.pod.json" >"$T/x.json" && mv "$T/x.json" "$T/$podname.pod.json"
	pod=$($CRICTL runp --runtime "$h" "$T/$podname.pod.json" 2>"$T/pod.err") || fail "$h: a pod" "$(cat "$T/pod.err")"
}

# ---- a neighbour in the same PID namespace looks through every process that starts ----
# With CAP_SYS_PTRACE it may look into each process. runc and crun have the node's files in sight of their own processes then, so
# only their execs and starts beside a neighbour without that capability are checked.
neighbour() { # CAPABILITIES
	local i lines
	start "grab$1" x "\"image\":{\"image\":\"$REGISTRY/grab:latest\"},\"command\":[\"/grab\",\"$T/outside/marker\"],$(ctx "\"capabilities\":{\"add_capabilities\":[${1:+\"$1\"}]}" 0)" || fail "$h: the neighbour" "$said"
	local grab=$ctr
	until_ok 10 grep -q ready "$T/logs/grab$1-$h.log"
	for i in $(seq "$TRIES"); do
		start "victim$1$i" 'exec sleep 1000' "\"mounts\":[{\"container_path\":\"/o\",\"host_path\":\"$T/vol\"}],$(ctx '"no_new_privs":false' 0)" || fail "$h: a start beside it" "$said"
		in_ true >/dev/null; stop
	done
	lines=$(grep -o 'REACHED by the [a-z ]* of' "$T/logs/grab$1-$h.log" | sort | uniq -c)
	is "$h: $TRIES starts and execs beside a neighbour that looks into all processes${1:+ with $1}: no file of the node is reached" "$lines" ''
	ctr=$grab; stop
}

# ---- volumes where the kernel's file systems are, and links where devices are looked for ----
volumes() {
	local target link
	echo mine >"$T/vol/file"
	for target in /proc /proc/sys /proc/sys/kernel/core_pattern /proc/self/attr/current /proc/thread-self /proc/1/root /sys /sys/fs/cgroup /dev/null /dev/console /; do
		start "at$(tr -c a-z0-9 - <<<"$target")x" 'exec sleep 1000' "\"mounts\":[{\"container_path\":\"$target\",\"host_path\":\"$T/vol/$([ -d "$target" ] && echo . || echo file)\"}],$(ctx '"masked_paths":["/proc/keys"],"readonly_paths":["/proc/sys"]')"
		stop
	done
	unharmed 'volumes below /proc, /sys and /dev'
	for link in null ptmx console pts shm mqueue fd stdin zero; do
		rm -rf "$T/dev"; mkdir -m 755 "$T/dev" "$T/dev/pts" "$T/dev/shm" "$T/dev/mqueue"
		rm -rf "${T:?}/dev/$link"; ln -s "$T/outside/new-$link" "$T/dev/$link"
		start "dev-$link" 'exec sleep 1000' "\"mounts\":[{\"container_path\":\"/dev\",\"host_path\":\"$T/dev\"}],\"tty\":true,$(ctx '"masked_paths":["/proc/timer_list"]')"; stop
	done
	unharmed 'a volume at /dev with links'
	ok "$h: a good container starts after that" good volumes
}

# ---- profiles that take the ground away ----
profile() { # NAME JSON NO-NEW-PRIVS [never]: the answer comes, and the next one starts; never: its program cannot run, and a start says so
	local begun=$SECONDS how status
	echo "$2" >"$T/$1.json"
	start "profile-$1" 'exec sleep 1000' "$(ctx "\"seccomp\":{\"profile_type\":2,\"localhost_ref\":\"$T/$1.json\"},\"no_new_privs\":${3:-true}")" && how=started || how="refused: $(sed 's/.*desc = //; s/"* *containerID.*//' <<<"$said" | tail -1 | cut -c1-250)"
	echo "# $h: $1: $how"
	[ "$h" != native ] || ok "$h: the profile $1 is answered within 20 s" test $((SECONDS - begun)) -lt $((20 * ${SLOW:-1}))
	if [ "$h" = native ] && [ "${4-}" = never ]; then
		like "native: the profile $1, under which no program can run, is refused" "$how" 'refused: .* the process ended before (its program ran|it ran its program)'
		status=$($CRICTL inspect "$ctr" | jq -r '.status | [.state, .exitCode, .reason] | join(" ")')
		is "native: the profile $1: the status" "$status" 'CONTAINER_EXITED 128 StartError'
	fi
	stop
}
profiles() {
	local nnp
	for nnp in true false; do
		profile "kill-all-$nnp" '{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[]}' $nnp never
		profile "errno-all-$nnp" '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}' $nnp never
		profile "no-execve-$nnp" '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve","execveat"],"action":"SCMP_ACT_KILL_PROCESS"}]}' $nnp never
		# runc waits for its process for ever; crisp ends it after 120 s.
		[ "$h" = runc ] || profile "no-write-$nnp" '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["write","sendmsg","close","exit_group"],"action":"SCMP_ACT_ERRNO"}]}' $nnp
		profile "trap-$nnp" '{"defaultAction":"SCMP_ACT_TRAP"}' $nnp never
		profile "trace-$nnp" '{"defaultAction":"SCMP_ACT_TRACE"}' $nnp never
	done
	profile notify '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}'
	profile long "$(python3 -c 'import json
print(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": v, "op": "SCMP_CMP_EQ"}]} for v in range(2000)]}))')"
	ok "$h: a good container starts after those profiles" good profiles
}

# ---- links of an image that lead a mount upon the container's own /proc or /dev ----
jq '[.[0] | .repo = "linked" | .layers += [{entries: [{path: "p", type: "symlink", target: "/proc"}, {path: "ps", type: "symlink", target: "proc/sys"},
	{path: "d", type: "symlink", target: "/dev"}, {path: "ds", type: "symlink", target: "/dev/shm"}]}]]' "$ROOT/tests/images/busybox.json" |
	"$IMAGE" --registry "$REGISTRY" - >/dev/null
$CRICTL pull "$REGISTRY/linked" >/dev/null || exit 1
linked() {
	local to rc
	mkdir -p -m 755 "$T/upon"
	for to in p ps d; do
		start "to-$to" 'exec sleep 1000' "\"image\":{\"image\":\"$REGISTRY/linked:latest\"},\"mounts\":[{\"container_path\":\"/$to\",\"host_path\":\"$T/upon\"}]" && rc=0 || rc=1
		is "$h: a mount at /$to, a link, is refused" "$rc" 1
		like "$h: and the error says why" "$said" "error mounting to rootfs at .*/$to.*: it leads (into /proc|to /dev)"
		stop
	done
	is "$h: no device was made in the directory of the node" "$(ls -A "$T/upon")" ''
	ok "$h: one at a link to /dev/shm is not" start to-ds 'exec sleep 1000' "\"image\":{\"image\":\"$REGISTRY/linked:latest\"},\"mounts\":[{\"container_path\":\"/ds\",\"host_path\":\"$T/vol\"}]"
	stop
}

# ---- very many mounts ----
many() {
	ctr_json many 'exec sleep 1000' >/dev/null
	jq -c --arg s "$T/vol/file" '.mounts = [range(2000) | {container_path: "/m/\(.)", host_path: $s, readonly: (. % 2 == 0)}]' "$T/many.ctr.json" >"$T/x.json"
	ctr=$($CRICTL create "$pod" "$T/x.json" "$T/$podname.pod.json" 2>/dev/null)
	ok "$h: a start with 2000 mounts" $CRICTL start "$ctr"
	is "$h: 2000 mounts are there, half of them read-only" "$(in_ 'grep -c " /m/" /proc/self/mountinfo; grep " /m/" /proc/self/mountinfo | grep -c " ro,"' | xargs)" '2000 1000'
	is "$h: an exec works there" "$(in_ 'cat /m/1999')" mine
	stop
}

for h in ${HANDLERS:-native runc crun}; do
	pod_of shared 0
	[ "$h" != native ] || neighbour SYS_PTRACE
	neighbour ''
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
	pod_of own
	volumes
	profiles
	[ "$h" != native ] || linked
	[ "$h" != native ] || many
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
done
crisp_clean
