# attack_cve_pod.t - fields of pods and containers that try to change the node, the runtime's ways, or what confines a process;
# containers that attack the runtime while it works. Each with each runtime handler. docs/security.md has the table of CVEs.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

LEVEL=info
TRIES=${TRIES:-10}
crisp_up
mkdir "$T/outside" "$T/vol" "$T/other" "$T/dev"
echo good >"$T/outside/victim"
echo other >"$T/other/marker"
outside() { find "$T/outside" -printf '%P %y %s %m %U:%G %l\n' | sort; cat "$T/outside/victim"; }
before=$(outside)
binaries() { cat "$(command -v runc)" "$(command -v crun)" | cksum; }
binaries_before=$(binaries)
KNOBS='/proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/vm/overcommit_memory /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced'
knobs() { cat $KNOBS; }
knobs_before=$(knobs)

# older HANDLER VERSION...: the runtime of HANDLER is older than the first of the VERSIONs, which have the mend. $mended says so.
# What native does not do itself, runc does: a volume at /dev.
older() {
	local have; have=$("${1/native/runc}" --version | sed -nE 's/^(runc|crun) version ([0-9.]+).*/\2/p')
	mended="$1 $have is older than $2: the mend is the runtime's"
	[ "$(printf '%s\n' "$have" "$2" | sort -V | head -1)" = "$have" ] && [ "$have" != "$2" ]
}
# holds WORDS HANDLER VERSION COMMAND...: a check that a runtime without the mend is known to fail.
holds() {
	local words=$1 handler=$2 version=$3; shift 3
	if "$@"; then pass "$words"; elif older "$handler" "$version"; then skip "$words" "$mended"; else fail "$words" "${said-}"; fi
}

# ---- sysctls ----
n=0
sysctl() { # NAME VALUE, in the text format of protobuf
	n=$((n + 1))
	rpc RunPodSandbox "config {metadata {name: 'sysctl$n' uid: 'u$n' namespace: 'default'} linux {sysctls {key: '$1' value: '$2'}}}"
	is "the sysctl $1 is refused" "$code" INVALID_ARGUMENT
}
for s in kernel.core_pattern kernel/core_pattern vm.overcommit_memory fs.file-max user.max_user_namespaces kernel.shm_rmid_forced/../core_pattern net/../kernel/core_pattern \
	net.ipv4/../../kernel.core_pattern net..kernel.core_pattern .kernel.core_pattern 'net.ipv4.ip_forward\nkernel.core_pattern' 'kernel.msgmax+kernel.core_pattern' 'net.ipv4.ip_forward kernel.core_pattern'; do
	sysctl "$s" '|/bin/evil'
done
for s in '1+kernel.core_pattern=|/bin/evil' '1,kernel.core_pattern=|/bin/evil' '1\nkernel.core_pattern=|/bin/evil' '1;kernel.core_pattern=x'; do
	rpc RunPodSandbox "config {metadata {name: 'value$((n += 1))' uid: 'u$n' namespace: 'default'} linux {sysctls {key: 'kernel.shm_rmid_forced' value: '$s'}}}"
	like "a value with more behind it: $s" "$code" '^(OK|INVALID_ARGUMENT)$'
done
is 'and no sysctl of the node has changed' "$(knobs)" "$knobs_before"
for p in $($CRICTL pods -q); do $CRICTL rmp -f "$p" >/dev/null 2>&1; done

# ---- what becomes of annotations and labels ----
EVIL='"run.oci.handler":"krun","run.oci.hooks.stdout":"'$T'/outside/hook","run.oci.seccomp_bpf_data":"AAAA","run.oci.seccomp.receiver":"/x","run.oci.keep_original_groups":"1",
 "run.oci.mount_context_type":"context","run.oci.delegate-cgroup":"x","run.oci.systemd.force_cgroup_v1":"/x","org.systemd.property.ExecStartPre":"/bin/evil","org.systemd.property.CPUQuotaPerSecUSec":"1",
 "org.criu.config":"'$T'/outside/criu","module.wasm.image/variant":"compat","io.katacontainers.config.hypervisor.path":"/bin/evil","io.podman.annotations.privileged":"TRUE",
 "cdi.k8s.io/evil":"vendor.com/none=all","io.kubernetes.cri.sandbox-id":"evil","containerd.io/restart.loguri":"binary:///bin/evil","seccomp-profile.kubernetes.cri-o.io":"unconfined"'
jq --argjson l "{$EVIL}" '[.[0] | .repo = "labels" | .config.Labels = $l | .annotations = $l]' "$ROOT/tests/images/busybox.json" | "$IMAGE" --registry "$REGISTRY" - >/dev/null
$CRICTL pull "$REGISTRY/labels" >/dev/null || fail 'pull labels'

start() { # NAME SCRIPT [EXTRA]: sets $ctr
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1-$h" "$2" "${3-}")" "$T/p-$h.pod.json" 2>"$T/create.err") && out=$($CRICTL start "$ctr" 2>&1) || { said="$(cat "$T/create.err") ${out-}"; return 1; }
}
stop() { $CRICTL rm -f "$ctr" >/dev/null 2>&1; }
in_() { $CRICTL exec -s "$ctr" sh -c "$1" 2>&1 | head -c -1; }
ctx() { echo "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":1},$1}}"; }

annotations() {
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h" "\"annotations\":{$EVIL},\"labels\":{$EVIL}")" 2>/dev/null)
	start notes 'exec sleep 1000' "\"image\":{\"image\":\"$REGISTRY/labels:latest\",\"annotations\":{$EVIL}},\"labels\":{$EVIL},\"annotations\":$(jq -c 'del(."cdi.k8s.io/evil")' <<<"{$EVIL}"),$(ctx '"seccomp":{"profile_type":0}')" ||
		fail "$h: a container with annotations" "$said"
	local config=$T/state/containers/$ctr/config.json
	is "$h: no annotation of pod, container or image reaches the runtime" "$(jq -r '.annotations | keys[]' "$config" | grep -vE '^io\.kubernetes\.cri\.(container-(name|type)|image-name|sandbox-(id|name|namespace|uid))$|^run\.oci\.(seccomp_bpf_data|systemd\.subgroup)$')" ''
	is "$h: those that do are crisp's own" "$(jq -r '.annotations | to_entries[] | select(.value == "evil" or .value == "AAAA")' "$config")" ''
	is "$h: there are no hooks" "$(jq -c .hooks "$config")" null
	is "$h: and the filter stands" "$(in_ 'grep ^Seccomp: /proc/self/status' | tr -dc 0-9)" 2
	stop
}

# ---- what confines a process, and holds for exec too ----
status() { in_ "grep ^$1: /proc/$2/status" | awk '{ print $2 }'; }
confined() {
	start conf 'exec sleep 1000' "$(ctx '"run_as_user":{"value":1234},"no_new_privs":true,"seccomp":{"profile_type":0},"capabilities":{"add_capabilities":["NET_RAW"]},
		"masked_paths":["/proc/kcore","/proc/keys","/proc/timer_list","/sys/firmware"],"readonly_paths":["/proc/sys","/proc/sysrq-trigger","/proc/bus"]')" || fail "$h: a confined container" "$said"
	local f; for f in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Uid; do
		is "$h: $f of an exec is the container's" "$(status $f self)" "$(status $f 1)"
	done
	is "$h: nothing is inheritable" "$(status CapInh self)" 0000000000000000
	is "$h: masked files are the null device" "$(in_ 'cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; [ "$(ls -l /proc/timer_list | cut -c1)" = c ] && echo null' | tr -d '\n')" 0null
	like "$h: /proc/sys cannot be written" "$(in_ 'echo x >/proc/sys/kernel/core_pattern')" 'Read-only|denied'
	stop
	start root 'exec sleep 1000' "\"envs\":[{\"key\":\"HOME\",\"value\":\"/\\nevil::0:0::/:/bin/sh\"}]" || fail "$h: HOME with a newline" "$said"
	is "$h: a HOME with a newline makes no user" "$(in_ 'grep evil /etc/passwd | wc -l')" 0
	like "$h: cgroups are read-only" "$(in_ 'for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/cgroup.procs; do echo x >$f; done')" 'Read-only|denied|nonexistent'
	unlike "$h: no process of the node is seen" "$(in_ 'cat /proc/*/comm')" 'crispd|crisp-keeper'
	stop
	is "$h: a confined container changed nothing of the node" "$(knobs)" "$knobs_before"
	for ref in '' localhost/ "$T" /dev/null; do
		rpc CreateContainer "pod_sandbox_id: '$pod' config {metadata {name: 'seccomp'} image {image: '$REGISTRY/busybox:latest'} command: 'true' linux {security_context {seccomp {profile_type: Localhost localhost_ref: '$ref'}}}}"
		like "$h: the seccomp profile \"${ref/$T/directory}\" is not taken for unconfined" "$code" '^(INVALID_ARGUMENT|INTERNAL|NOT_FOUND|FAILED_PRECONDITION)$'
	done
}

# ---- a volume at /dev has links where the runtime looks for devices ----
dev_volume() {
	local pattern; pattern=$(cat /proc/sys/kernel/core_pattern)
	rm -rf "$T"/dev/*; mkdir "$T/dev/pts" "$T/dev/shm" "$T/dev/mqueue"
	ln -s /proc/sys/kernel/core_pattern "$T/dev/null"
	said=; start null 'exec sleep 1000' "\"mounts\":[{\"container_path\":\"/dev\",\"host_path\":\"$T/dev\"}],$(ctx '"masked_paths":["/proc/timer_list"],"readonly_paths":["/proc/sys"]')" && said=$(in_ 'cat /proc/timer_list')
	stop
	holds "$h: /dev/null as a link unmasks nothing" "$h" 1.2.8 [ "$said" != "$pattern" ]
	rm -f "$T/dev/null"; mknod -m 666 "$T/dev/null" c 1 3; ln -s pts/ptmx "$T/dev/ptmx"; ln -s "$T/outside/new-console" "$T/dev/console"
	start console 'exec sleep 1000' "\"tty\":true,\"mounts\":[{\"container_path\":\"/dev\",\"host_path\":\"$T/dev\"},{\"container_path\":\"/dev/pts\",\"host_path\":\"/dev/pts\"}]"; stop
	is "$h: /dev/console as a link makes nothing outside" "$(outside)" "$before"
	rm -rf "$T"/dev/*
}

# ---- races: TRIES tries each ----
races() {
	local i fail=0
	# A directory of a shared volume that is a link to the node every other moment, and another volume mounted upon it.
	mkdir -p "$T/vol/swap"
	start swapper 'cd /v; ln -s '"$T/outside"' link; i=0; while :; do mv -T swap was 2>/dev/null; mv -T link swap 2>/dev/null; mv -T swap link 2>/dev/null; mv -T was swap 2>/dev/null; done' \
		"\"mounts\":[{\"container_path\":\"/v\",\"host_path\":\"$T/vol\"}]" || fail "$h: swapper" "$said"
	local swapper=$ctr made=0
	for i in $(seq "$TRIES"); do
		start "victim$i" 'exec sleep 1000' "\"mounts\":[{\"container_path\":\"/v\",\"host_path\":\"$T/vol\"},{\"container_path\":\"/v/swap\",\"host_path\":\"$T/other\"}]" && made=$((made + 1))
		stop
	done
	echo "# $h: $made of $TRIES starts succeeded while the mount point was swapped"
	is "$h: $TRIES tries with a mount point that becomes a link: nothing outside has changed" "$(outside)" "$before"
	is "$h: and nothing is mounted there" "$(grep -c "$T/outside" /proc/self/mountinfo)" 0
	ctr=$swapper; stop
	rm -rf "$T"/vol/*
	# Every process that shows up in the container is opened for writing by its /proc/PID/exe and its descriptors.
	start grabber 'while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in ""|/bin/busybox) ;; *) echo $p $(readlink $p/exe) >>/tmp/seen; echo x >>$p/exe; for f in $p/fd/*; do [ -d $f/. ] && ls $f/../../../.. >>/tmp/dirs; done;; esac; done; done 2>/dev/null' || fail "$h: grabber" "$said"
	for i in $(seq "$TRIES"); do in_ true >/dev/null; done
	echo "# $h: $(in_ 'wc -l </tmp/seen 2>/dev/null || echo 0') sights of a program that is not the container's"
	is "$h: $TRIES execs beside a container that writes to /proc/PID/exe: the runtimes are as they were" "$(binaries)" "$binaries_before"
	unlike "$h: and their descriptors led to no directory of the node" "$(in_ 'cat /tmp/dirs 2>/dev/null')" 'crisp-system|lost\+found'
	stop
}

handler() {
	h=$1
	annotations
	confined
	dev_volume
	races
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
}
handler runc
handler crun
handler native
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null 2>&1; done
crisp_clean
