# selinux.t - labels of pods, containers and their files on a host with SELinux, with every runtime; then what enforcing mode separates.

[ -e /sys/fs/selinux/enforce ] || { echo '1..0 # SKIP this host has no SELinux'; exit 0; }
. "$(dirname "$0")/../lib/crisp.sh"

LEVEL=info
n=0
file_label() { getfattr -h --only-values --absolute-names -n security.selinux "$1" 2>/dev/null | tr -d '\0'; }
process_label() { tr -d '\0\n' <"/proc/$1/attr/current"; }
level() { cut -d: -f4- <<<"$1"; }
type_of() { cut -d: -f3 <<<"$1"; }
# pod NAME [OPTIONS [MORE]]: its id; OPTIONS of selinux_options, MORE of the security context.
pod() { $CRICTL runp --runtime "$h" "$(pod_json "$1" "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":1},\"selinux_options\":{${2-}}${3:+,$3}}}")" 2>"$T/runp.err"; }
# start POD-NAME [MEMBERS]: a container in it: $ctr, $pid.
start() {
	n=$((n + 1)) pid=
	ctr=$($CRICTL create "$(cat "$T/$1.id")" "$(ctr_json "c$n" 'exec sleep 1000' "${2-}")" "$T/$1.pod.json" 2>"$T/create.err") &&
		$CRICTL start "$ctr" >/dev/null 2>"$T/create.err" && pid=$($CRICTL inspect "$ctr" | jq .info.pid)
}
options() { echo "\"linux\":{\"security_context\":{\"selinux_options\":{$1}}}"; }
volume() { echo "{\"host_path\":\"$1\",\"container_path\":\"$2\",\"selinux_relabel\":${3:-true}}"; }
info() { $CRICTL "$1" "$2" | jq -r ".info.$3"; }

handler() {
	local a b label files own ctr1 f
	h=$1
	pod "a-$h" >"$T/a-$h.id"; pod "b-$h" >"$T/b-$h.id"
	a=$(cat "$T/a-$h.id") b=$(cat "$T/b-$h.id")
	label=$(info inspectp "$a" selinuxLabel) files=$(info inspectp "$a" mountLabel)
	like "$h: a pod's processes" "$label" '^system_u:system_r:container_t:s0:c[0-9]+,c[0-9]+$'
	like "$h: a pod's files" "$files" '^system_u:object_r:container_file_t:s0:c[0-9]+,c[0-9]+$'
	is "$h: at one level" "$(level "$label")" "$(level "$files")"
	notok "$h: which another pod has not" test "$(level "$label")" = "$(level "$(info inspectp "$b" selinuxLabel)")"

	mkdir -p "$T/v-$h/sub"; echo text >"$T/v-$h/sub/file"; echo text >"$T/outside-$h"
	ln -s "$T/outside-$h" "$T/v-$h/sub/link"
	own=$(file_label "$T/outside-$h")
	start "a-$h" "\"mounts\":[$(volume "$T/v-$h" /v),{\"image\":{\"image\":\"$IMAGE_ID\"},\"container_path\":\"/i\",\"readonly\":true}]"; ctr1=$ctr
	[ $h != native ] || is 'native: it needs no other handler for that' "$(info inspect "$ctr" startedBy)" native
	is "$h: a container's process" "$(process_label "$pid")" "$label"
	for f in / /bin/busybox /etc/resolv.conf /etc/hosts /etc/hostname /dev /dev/shm /v /v/sub/file /v/sub/link /i/bin/busybox; do
		is "$h: $f" "$(file_label "/proc/$pid/root$f")" "$files"
	done
	is "$h: its stdout and stderr" "$(file_label "$T/state/containers/$ctr/stdout") $(file_label "$T/state/containers/$ctr/stderr")" "$files $files"
	is "$h: a link is labelled, not followed" "$(file_label "$T/outside-$h")" "$own"
	is "$h: an exec" "$($CRICTL exec -s "$ctr" cat /proc/self/attr/current | tr -d '\0')" "$label"
	$CRICTL exec -s "$ctr" sh -c 'touch /new /v/new /dev/shm/new'
	is "$h: new files" "$(for f in /new /v/new /dev/shm/new; do type_of "$(file_label "/proc/$pid/root$f")"; done | sort -u)" container_file_t
	start "a-$h"
	is "$h: containers of a pod share it" "$(process_label "$pid") $(info inspect "$ctr" mountLabel)" "$label $files"
	start "b-$h" "$(options '"level":"s0:c4,c5"')"
	is "$h: a level of its own, the rest as ever" "$(process_label "$pid") $(file_label "/proc/$pid/root/bin")" \
		'system_u:system_r:container_t:s0:c4,c5 system_u:object_r:container_file_t:s0:c4,c5'
	is "$h: a level it can read the pod's files with" "$(file_label "/proc/$pid/root/etc/hosts")" 'system_u:object_r:container_file_t:s0:c4,c5'

	start "a-$h" "$(options '"level":"s0,c4,c5"')"
	like "$h: no level" "$(cat "$T/create.err")" 'code = InvalidArgument .*selinux_options.level'
	start "a-$h" "$(options '"type":"no_such_t"')"
	like "$h: a type that the policy has not" "$(cat "$T/create.err")" 'code = InvalidArgument .*no_such_t'
	start "a-$h" "\"mounts\":[$(volume /etc /v)]"
	like "$h: /etc is not relabelled" "$(cat "$T/create.err")" 'code = InvalidArgument .*/etc'
	is "$h: what was refused is not there" "$($CRICTL ps -aq | wc -l) $(ls "$T/state/containers" | wc -l)" '3 3'
	is "$h: no pod either" "$(pod "x-$h" '"level":"c4"')$(pod "x-$h" '"type":"no_such_t"')$($CRICTL pods -q --name "x-$h")" ''
	like "$h: as it says" "$(cat "$T/runp.err")" 'code = InvalidArgument .*no_such_t'

	pod "p-$h" '' '"privileged":true' >"$T/p-$h.id"
	start "p-$h" '"linux":{"security_context":{"privileged":true}}'
	is "$h: privileged" "$(process_label "$pid")" 'system_u:system_r:spc_t:s0'
	is "$h: its files" "$(file_label "/proc/$pid/root/bin")" "$(info inspectp "$(cat "$T/p-$h.id")" mountLabel)"
	start "p-$h"
	is "$h: beside one that is not" "$(process_label "$pid")" "$(info inspectp "$(cat "$T/p-$h.id")" selinuxLabel)"
	pod "o-$h" '"user":"system_u","role":"system_r","type":"svirt_lxc_net_t","level":"s0:c7,c9"' >"$T/o-$h.id"
	start "o-$h"
	is "$h: a pod's options are its containers'" "$(level "$(process_label "$pid")") $(level "$(file_label "/proc/$pid/root/etc/hosts")")" 's0:c7,c9 s0:c7,c9'

	kill -9 "$(crispd_pid)"; until_ok 20 crisp_ready
	is "$h: after kill -9" "$(info inspectp "$a" selinuxLabel) $(info inspect "$ctr1" selinuxLabel)" "$label $label"
	start "a-$h"
	is "$h: the pod's next container" "$(process_label "$pid") $(file_label "/proc/$pid/root/bin")" "$label $files"
	pods_down
}
pods_down() { local p; for p in $($CRICTL pods -q); do $CRICTL stopp "$p"; $CRICTL rmp -f "$p"; done >/dev/null 2>&1; }

crisp_up 'selinux: true'
IMAGE_ID=$($CRICTL images -q | head -1)
for h in runc crun native; do handler $h; done
like 'the log says which contexts' "$(grep -c 'selinux process=' "$T/crisp.log")" '[1-9]'

# ---- enforced ----
# The policy of the test VM allows a container's type everything with its files; refused is only access with another pod's level.
h=runc
mkdir -p "$T/one" "$T/two"; echo one >"$T/one/file"; echo two >"$T/two/file"
setenforce 1; trap 'setenforce 0' EXIT
pod one >"$T/one.id"; pod two >"$T/two.id"
start two "\"mounts\":[$(volume "$T/two" /v)]"
$CRICTL runp "$(pod_json shared '"linux":{"security_context":{"namespace_options":{"pid":0}}}')" >"$T/shared.id" 2>/dev/null
pid=$(info inspectp "$(cat "$T/shared.id")" pid)
is 'enforced: a pause' "$(process_label "$pid")" "$(info inspectp "$(cat "$T/shared.id")" selinuxLabel)"
start shared
like 'enforced: which the pod sees as pid 1' "$($CRICTL exec -s "$ctr" cat /proc/1/mountinfo 2>&1)" ' / / .*,context="?system_u:object_r:container_file_t:s0:c'
for h in runc crun native; do
	pod "one-$h" >"$T/one-$h.id"
	start "one-$h" "\"mounts\":[$(volume "$T/one" /v),$(volume "$T/two" /two false)]"
	is "enforced, $h: it runs" "$(process_label "$pid")" "$(info inspect "$ctr" selinuxLabel)"
	is "enforced, $h: it reads and writes its volume" "$($CRICTL exec -s "$ctr" sh -c 'echo more >>/v/file; cat /v/file' 2>&1 | xargs)" 'one more'
	is "enforced, $h: its root, its shm, its hosts" "$($CRICTL exec -s "$ctr" sh -c 'echo 1 >/x && echo 2 >/dev/shm/x && cat /x /dev/shm/x && grep -c localhost /etc/hosts' 2>&1 | xargs)" '1 2 2'
	like "enforced, $h: not another pod's" "$($CRICTL exec -s "$ctr" cat /two/file 2>&1)" 'Permission denied'
	like "enforced, $h: and does not write it" "$($CRICTL exec -s "$ctr" sh -c 'echo x >/two/new' 2>&1)" 'Permission denied'
	$CRICTL rm -f "$ctr" >/dev/null 2>&1
	echo one >"$T/one/file"
done
setenforce 0; trap - EXIT
pods_down

# ---- off ----
crisp_stop
crisp_config
crisp_start || exit 1
h=runc
is 'off: options' "$(pod off '"level":"s0:c4,c5"')" ''
like 'off: are refused by name' "$(cat "$T/runp.err")" 'code = InvalidArgument .*selinux: true'
pod off >"$T/off.id"
start off "\"mounts\":[$(volume "$T/two" /v)]"
is 'off: no label' "$(info inspect "$ctr" selinuxLabel) $(process_label "$pid")" " $(process_label self)"
start off "$(options '"level":"s0:c4,c5"')"
like 'off: nor in a container' "$(cat "$T/create.err")" 'code = InvalidArgument .*selinux: true'
crisp_clean
