#!/bin/bash
# bad_input.t - what a container cannot be started with: the same words from the handler native as from runc, nothing is left, and a
# start with good input works afterwards. HANDLERS="A B": those only; the first is the reference.
. "$(dirname "$0")/../lib/crisp.sh"
[ -x "$BUILD/crisp-zygote" ] || { echo '1..0 # SKIP crisp-zygote is not built'; exit 0; }
LEVEL=info
RUNC=${RUNC:-$TOOLS/runc}
crisp_up "runtimes: {runc: {type: oci, path: $RUNC}, runc-5s: {type: oci, path: $RUNC, create_timeout: 5}, native: {type: native, fallback: runc}}"
mkdir -m 755 "$T/outside" "$T/vol"
printf 'no program' >"$T/vol/junk"; printf '#!/no/interpreter\n' >"$T/vol/script"
# A program of another architecture: an ELF file for ARM.
{ head -c 18 /bin/busybox; printf '\x28\x00'; tail -c +21 /bin/busybox | head -c 4000; } >"$T/vol/arm"
chmod +x "$T/vol"/*
cat >"$T/images.json" <<J
[$(for link in dev proc sys; do echo "{\"repo\": \"link-$link\", \"config\": {}, \"layers\": [{\"entries\": [{\"path\": \"$link\", \"type\": \"symlink\", \"target\": \"$T/outside\"}, {\"path\": \"bin/busybox\", \"from\": \"/bin/busybox\", \"mode\": 493}]}]},"; done)
 {"repo": "bare", "config": {}, "layers": [{"entries": [{"path": "etc", "type": "dir"}]}]}]
J
"$IMAGE" --registry "$REGISTRY" "$T/images.json" >/dev/null || exit 1
for i in link-dev link-proc link-sys bare; do $CRICTL pull "$REGISTRY/$i:latest" >/dev/null || exit 1; done

python3 -c 'import json
print(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": v * 2**32 + v, "op": "SCMP_CMP_EQ"}]} for v in range(4000)]}))' >"$T/long.json"

# words: what an answer says, without ids, names of handlers and paths of this test.
words() {
	tr -d '\\' | grep -o 'desc = .*' | tail -1 | sed -E "s|^desc = ||; s|$CGROUP|G|g; s|$T|T|g; s|\"*( containerID=.*)?\$||; s/[0-9a-f]{12,64}/ID/g; s/-(runc|native)\b//g
		s/^start container ID: //; s/^(runc|native) (run|exec): //; s/^runc run failed: //"
}
# bad NAME SCRIPT [EXTRA [COMMAND]]: how a start goes when COMMAND has run after the creation. The outcome is in $T/HANDLER.NAME.
bad() {
	local out=$T/$h.$1 said
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1-$h" "$2" "${3-}")" "$POD" 2>"$T/err") || { echo "create: $(words <"$T/err")" >"$out"; return; }
	[ -z "${4-}" ] || eval "$4"
	if said=$($CRICTL start "$ctr" 2>&1); then echo started >"$out"; until_ok 20 exited "$ctr"; else echo "start: $(words <<<"$said")" >"$out"; fi
	$CRICTL inspect "$ctr" | jq -r '.status | [.state, .exitCode, .reason] | join(" ")' >>"$out"
	$CRICTL rm -f "$ctr" >/dev/null || fail "$h: $1: the container is removed"
}
# bad_exec NAME COMMAND...: the same of an ExecSync in $ctr.
bad_exec() {
	local out=$T/$h.$1 said; shift
	if said=$($CRICTL exec -s "$ctr" "$@" 2>&1); then echo "done: $said" >"$out"; else echo "exec: $(words <<<"$said")" >"$out"; fi
}
image() { echo "\"image\":{\"image\":\"$REGISTRY/$1:latest\"}"; }
host_dir() { echo "\"mounts\":[{\"host_path\":\"$1\",\"container_path\":\"/v\"}]"; }
resources() { echo "\"linux\":{\"resources\":{$1}}"; }
user() { echo "\"linux\":{\"security_context\":{\"run_as_user\":{\"value\":$1}}}"; }
# freeze FROZEN|THAWED: the pod's group. On v1 runc, and each process that it makes there, would wait for ever.
freeze() {
	if [ -d "/sys/fs/cgroup/freezer$CGROUP" ]; then
		echo "$1" >"/sys/fs/cgroup/freezer$CGROUP/$pod/freezer.state"
	else
		echo $(( $(expr "$1" = FROZEN) )) >"/sys/fs/cgroup$CGROUP/$pod/cgroup.freeze"
	fi
}
no_group() { find /sys/fs/cgroup -depth -type d -path "*/$pod*" -exec rmdir {} +; }
pod_up() { # NAME
	POD=$(pod_json "$1-$h" '"linux":{"security_context":{"namespace_options":{"network":2,"pid":1}}}')
	pod=$($CRICTL runp --runtime "$h" "$POD" 2>"$T/err") || fail "$h: a pod" "$(cat "$T/err")"
}
# no_child COMMAND...: crisp-zygote may have no child meanwhile. (v1: the kernel refuses the fork of a process whose group is full.)
no_child() {
	local zygote group=/sys/fs/cgroup/pids$CGROUP/zygote back
	zygote=$(sed -n 's/.*zygote start pid=\([0-9]*\).*/\1/p' "$T/crisp.log" | tail -1)
	back=/sys/fs/cgroup/pids$(sed -n 's/^[0-9]*:pids://p' "/proc/$zygote/cgroup")
	mkdir "$group" && echo 1 >"$group/pids.max" && echo "$zygote" >"$group/cgroup.procs" || fail 'a group for the zygote'
	"$@"
	echo "$zygote" >"$back/cgroup.procs"; rmdir "$group"
}
# frozen SCRIPT: a start in a frozen group.
frozen() { bad frozen "$1" '' 'freeze FROZEN'; freeze THAWED; }
# The native handler alone: runc starts what is no program.
natively() {
	bad arm x "\"command\":[\"/v/arm\"],$(host_dir "$T/vol")"
	bad script x "\"command\":[\"/v/script\"],$(host_dir "$T/vol")"
	bad junk x "\"command\":[\"/v/junk\"],$(host_dir "$T/vol")"
	bad memory-tiny true "$(resources '"memory_limit_in_bytes":4096')"
	bad memory-small true "$(resources '"memory_limit_in_bytes":100000')"
	[ ! -d /sys/fs/cgroup/pids ] || no_child bad no-child 'exit 3'
	frozen 'exec sleep 1000'
	run host 'exec sleep 1000' "$(host_dir "$T/vol")"
	bad_exec exec-arm /v/arm
	bad_exec exec-script /v/script
	bad_exec exec-junk /v/junk
	freeze FROZEN
	bad_exec exec-frozen true
	freeze THAWED
	bad_exec exec-thawed echo fine
	$CRICTL rm -f "$ctr" >/dev/null
}
run() { ctr=$($CRICTL create "$pod" "$(ctr_json "$1-$h" "$2" "${3-}")" "$POD" 2>/dev/null) && $CRICTL start "$ctr" >/dev/null; }
for h in ${HANDLERS:-runc native}; do
	pod_up bad
	bad good 'exit 3'
	bad no-program x "$(image bare)"
	bad no-path x '"command":["/no/thing"]'
	bad no-x x '"command":["/etc/passwd"]'
	bad directory x '"command":["/etc"]'
	bad cwd-file x '"working_dir":"/etc/passwd"'
	bad no-user x '"linux":{"security_context":{"run_as_username":"ghost"}}'
	mkdir -p "$T/gone"; bad source-gone x "$(host_dir "$T/gone")" 'rmdir "$T/gone"'
	for link in dev proc sys; do bad "link-$link" x "$(image "link-$link"),\"command\":[\"/bin/busybox\",\"true\"]"; done
	bad cpus x "$(resources '"cpuset_cpus":"4000"')"
	bad nodes x "$(resources '"cpuset_mems":"400"')"
	bad filter x "\"linux\":{\"security_context\":{\"seccomp\":{\"profile_type\":2,\"localhost_ref\":\"$T/long.json\"}}}"
	bad group-gone 'exit 3' '' no_group
	run host 'exec sleep 1000'
	bad_exec exec-nothing nothing
	bad_exec exec-path /no/thing
	bad_exec exec-directory /etc
	bad_exec exec-no-x /etc/passwd
	$CRICTL rm -f "$ctr" >/dev/null
	[ "$h" != native ] || natively
	bad after 'exit 3'
	$CRICTL rmp -f "$pod" >/dev/null
done

# On v1 runc itself waits for a process that stands still, until its time is over (create_timeout).
h=runc-5s
if [[ " ${HANDLERS:-runc native} " == *" runc "* ]]; then
	pod_up frozen
	frozen 'exec sleep 1000'
	bad frozen-after 'exit 3'
	$CRICTL rmp -f "$pod" >/dev/null
fi

# A daemon whose children may have one process for each user. The kernel lets a user have one more, since it looks before a process
# becomes the user's; the next one cannot execute its program (execve(2), EAGAIN). runc's own threads are too many already.
crisp_stop
ulimit -Su 1
crisp_start || exit 1
for h in ${HANDLERS:-native}; do
	[ "$h" = native ] || continue
	pod_up many
	run first 'exec sleep 1000' "$(user 4321)"; first=$ctr
	run second 'exec sleep 1000' "$(user 4321)"; second=$ctr
	bad nproc 'exit 3' "$(user 4321)"
	ctr=$first; bad_exec exec-nproc true
	$CRICTL rm -f "$first" "$second" >/dev/null
	bad nproc-after 'exit 3' "$(user 4321)"
	$CRICTL rmp -f "$pod" >/dev/null
done

failed=$'\nCONTAINER_EXITED 128 StartError'
init='unable to start container process: error during container init:'
said() { cat "$T/$h.$1" 2>&1; }
# says NAME WANT WORDS: the outcome with the native handler.
says() { is "native: $3" "$(said "$1")" "$2"; }
for h in ${HANDLERS:-runc native}; do
	for i in good group-gone after; do is "$h: a start that is good: $i" "$(said $i)" $'started\nCONTAINER_EXITED 3 Error'; done
	for i in no-program no-path no-x directory cwd-file source-gone cpus nodes filter; do
		like "$h: the start fails: $i" "$(said $i)" '^start: unable to start container process: '
		is "$h: the container of it: $i" "$(said $i | tail -1)" 'CONTAINER_EXITED 128 StartError'
	done
	for i in no-user link-dev link-proc link-sys; do like "$h: there is no container at all: $i" "$(said $i)" '^create: .*(no such user|is not a directory)'; done
	for i in exec-nothing exec-path exec-directory exec-no-x; do
		like "$h: the exec fails: $i" "$(said $i)" '^exec: exec failed: unable to start container process: exec: '
	done
done
if [[ " ${HANDLERS:-runc native} " == *" runc "* ]]; then
	h=runc-5s
	like 'runc: a frozen group' "$(said frozen)" '^start: .*(unexpectedly frozen|did not end within 5000 ms)'
	is 'runc: the container of it' "$(said frozen | tail -1)" 'CONTAINER_EXITED 128 StartError'
	is 'runc: and the group of the pod takes the next one' "$(said frozen-after)" $'started\nCONTAINER_EXITED 3 Error'
fi
if [[ "${HANDLERS:-runc native}" == *runc*native* ]]; then
	for i in no-program no-path no-x directory cwd-file source-gone no-user link-dev link-proc link-sys exec-nothing exec-path exec-directory exec-no-x; do
		is "native says what runc says: $i" "$(cat "$T/native.$i")" "$(cat "$T/runc.$i")"
	done
	# What stands before it says which part of runc writes the file, and that part is another one on v2.
	limit() { if [ -d /sys/fs/cgroup/cpuset ]; then cat "$1"; else sed 's/.*failed to write/failed to write/' "$1"; fi; }
	for i in cpus nodes; do is "native says what runc says: $i" "$(limit "$T/native.$i")" "$(limit "$T/runc.$i")"; done
fi
h=native
like 'native: a filter that the kernel refuses: the words' "$(said filter)" "^start: $init error loading seccomp filter into kernel: it has 16[0-9]* instructions, and the kernel takes 4096"
says arm "start: $init exec /v/arm: exec format error$failed" 'a program of another architecture'
says junk "start: $init exec /v/junk: exec format error$failed" 'a file that is no program'
says script "start: $init exec /v/script: no such file or directory$failed" 'a script without its interpreter'
for i in memory-tiny memory-small; do
	says $i "start: unable to start container process: container init was OOM-killed (memory limit too low?)$failed" "no memory for the process: $i"
done
[ ! -d /sys/fs/cgroup/pids ] || says no-child "start: $init clone3: resource temporarily unavailable$failed" 'no process for the container'
says frozen "start: container's cgroup unexpectedly frozen$failed" 'a frozen group'
says nproc "start: $init exec /bin/sh: resource temporarily unavailable$failed" 'too many processes of the user'
says nproc-after $'started\nCONTAINER_EXITED 3 Error' 'and not too many any more'
says exec-arm 'exec: exec failed: unable to start container process: exec /v/arm: exec format error' 'an exec of another architecture'
says exec-junk 'exec: exec failed: unable to start container process: exec /v/junk: exec format error' 'an exec of what is no program'
says exec-script 'exec: exec failed: unable to start container process: exec /v/script: no such file or directory' 'an exec of a script without its interpreter'
says exec-nproc 'exec: exec failed: unable to start container process: exec /bin/true: resource temporarily unavailable' 'an exec of one process too many'
says exec-frozen 'exec: cannot exec in a paused container' 'an exec in a frozen container'
says exec-thawed 'done: fine' 'and in the same one that runs again'
crisp_clean
