# userns.t - pods with a user namespace: user ids inside and outside, with every runtime handler.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up

MAPS='[{"host_id":200000,"container_id":0,"length":65536}]'
USERNS='"userns_options":{"mode":0,"uids":'$MAPS',"gids":'$MAPS'}'
VOLUME=$T/volume; mkdir -m 755 "$VOLUME"; echo seen >"$VOLUME/old"; chmod 600 "$VOLUME/old"; echo one >"$T/single"; mkdir -m 700 "$T/hidden"; mv "$VOLUME" "$T/hidden/"; VOLUME=$T/hidden/volume

# user_pod NAME PID-MODE [MEMBERS-OF-LINUX]; user_ctr NAME PID-MODE SCRIPT [EXTRA]
user_pod() {
	pod_json "$1" >/dev/null
	jq --argjson l "{\"security_context\":{\"namespace_options\":{\"pid\":$2,$USERNS}}${3-}}" '.linux = $l' "$T/$1.pod.json" >"$T/x.json"
	mv "$T/x.json" "$T/$1.pod.json"
	$CRICTL runp --runtime "$h" "$T/$1.pod.json" 2>"$T/runp.err" || cat "$T/runp.err"
}
user_ctr() { ctr_json "$1" "$3" "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":$2,$USERNS}}}${4-}"; }
inside() { $CRICTL exec -s "$@" | grep .; return ${PIPESTATUS[0]}; }
null() { stat -c '%u:%g %a' /dev/null; }
host_null=$(null)

handler() {
	h=$1
	local pod ctr pid
	ok "$h: Status says that it has user namespaces" until_ok 10 sh -c "$CRICTL info | jq -e '.runtimeHandlers[] | select(.name == \"$h\") | .features.user_namespaces'"
	pod=$(user_pod "p-$h" 1 ',"sysctls":{"net.ipv4.ip_forward":"1","kernel.shm_rmid_forced":"1"}') || { fail "$h: runp" "$pod"; return; }
	pass "$h: runp"
	like "$h: Status shows the mappings" "$($CRICTL inspectp "$pod" | jq -c .status.linux.namespaces.options.usernsOptions)" '"hostId":200000'
	ctr=$($CRICTL create "$pod" "$(user_ctr "c-$h" 1 'echo up; echo again >/dev/stdout; while :; do sleep 0.1; done' ',"mounts":[
		{"container_path":"/volume","host_path":"'"$VOLUME"'","uidMappings":'"$MAPS"',"gidMappings":'"$MAPS"'},
		{"container_path":"/ro","host_path":"'"$VOLUME"'","readonly":true,"uidMappings":'"$MAPS"',"gidMappings":'"$MAPS"'},
		{"container_path":"/single","host_path":"'"$T"'/single","uidMappings":'"$MAPS"',"gidMappings":'"$MAPS"'},
		{"container_path":"/plain","host_path":"'"$VOLUME"'"}]')" "$T/p-$h.pod.json") || { fail "$h: create" "$ctr"; return; }
	pass "$h: create"
	ok "$h: start" $CRICTL start "$ctr"
	ok "$h: the log comes, also by /dev/stdout" until_ok 5 grep -q again "$T/logs/c-$h.log"
	in="inside $ctr"
	is "$h: root inside" "$($in id -u)" 0
	is "$h: mapped" "$($in cat /proc/self/uid_map | tr -s ' ')" ' 0 200000 65536'
	pid=$($CRICTL inspect "$ctr" | jq .info.pid 2>/dev/null); [ "${pid:-null}" != null ] || pid=$(pgrep -u 200000 -f 'echo again' | head -1)
	is "$h: nobody outside" "$(stat -c %u "/proc/$pid")" 200000
	is "$h: the root file system is its own" "$($in stat -c %u:%g / /bin /etc | sort -u)" 0:0
	ok "$h: and can be written" $in sh -c 'echo x >/new && cp /bin/busybox /copied && chown 33:44 /new && rm /bin/ls'
	is "$h: outside that is an id of the pod" "$(stat -c %u:%g "$T/root/snapshots/$ctr/fs/new")" 200033:200044
	is "$h: hosts, hostname, resolv.conf and shm are its own" "$($in stat -c %u:%g /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm | sort -u)" 0:0
	ok "$h: hosts can be written" $in sh -c 'echo "10.1.1.1 x" >>/etc/hosts && echo x >/dev/shm/x'
	is "$h: a volume's root file is root's" "$($in sh -c 'stat -c %u:%g /volume/old; cat /volume/old')" "0:0
seen"
	ok "$h: the volume can be written" $in sh -c 'echo new >/volume/new-'"$h"' && chown 7 /volume/new-'"$h"
	is "$h: on disk it has the container's ids" "$(stat -c %u:%g "$VOLUME/new-$h")" 7:0
	is "$h: a single file as volume" "$($in cat /single)" one
	notok "$h: read-only is read-only" $in touch /ro/x
	is "$h: without mappings it is nobody's" "$($in stat -c %u:%g /plain/old)" 65534:65534
	notok "$h: and closed" $in cat /plain/old
	is "$h: sysctls of net and ipc" "$($in cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced | tr -s '\n' ' ')" '1 1 '
	ok "$h: every group may ping" $in busybox grep -qE '^0\s+65535' /proc/sys/net/ipv4/ping_group_range
	ok "$h: the network answers" $in busybox ping -c 1 -W 2 10.200.0.1
	notok "$h: the host's files are out of reach" $in sh -c 'mknod /tmp/m c 1 1 && dd if=/tmp/m bs=1 count=1'
	is "$h: /dev/null is as it was" "$(null)" "$host_null"
	$in sh -c 'chmod 600 /proc/1/fd/0 /dev/null' >/dev/null 2>&1
	is "$h: and cannot be changed" "$(null)" "$host_null"
	kill -9 "$(crispd_pid)"; until_ok 20 crisp_ready
	is "$h: it lives on when crispd is killed" "$($in cat /proc/self/uid_map | tr -s ' ')" ' 0 200000 65536'
	ok "$h: stop" $CRICTL stop "$ctr"
	ok "$h: rm" $CRICTL rm --keep-logs "$ctr"
	ok "$h: rmp" $CRICTL rmp -f "$pod"
}

# One PID namespace for the pod: the pause must be in the user namespace too.
shared_pid() {
	h=$1
	local pod a b
	pod=$(user_pod "s-$h" 0) || { fail "$h: runp with a shared PID namespace" "$pod"; return; }
	pass "$h: runp with a shared PID namespace"
	a=$($CRICTL create "$pod" "$(user_ctr "a-$h" 0 'exec sleep 1000')" "$T/s-$h.pod.json")
	b=$($CRICTL create "$pod" "$(user_ctr "b-$h" 0 'exec sleep 2000')" "$T/s-$h.pod.json")
	ok "$h: start both" $CRICTL start "$a" "$b"
	like "$h: they see each other" "$($CRICTL exec -s "$b" ps)" 'sleep 1000'
	like "$h: pid 1 is the pause" "$($CRICTL exec -s "$b" ps)" '^ *1 .*crisp-pause'
	is "$h: which is nobody" "$($CRICTL exec -s "$b" stat -c %u:%g /proc/1)" 65535:65535
	notok "$h: and shows nothing of the host" $CRICTL exec -s "$b" ls /proc/1/root/etc
	ok "$h: rmp" $CRICTL rmp -f "$pod"
}

terminal() {
	h=$1
	local pod ctr
	pod=$(user_pod "t-$h" 1) || { fail "$h: runp for a terminal" "$pod"; return; }
	ctr=$($CRICTL create "$pod" "$(user_ctr "t-$h" 1 'stat -c %u:%g $(tty); sleep 1000' ',"tty":true')" "$T/t-$h.pod.json")
	ok "$h: start with a terminal" $CRICTL start "$ctr"
	ok "$h: the terminal is its own" until_ok 5 grep -qE 'stdout F 0:(0|5)' "$T/logs/t-$h.log"
	is "$h: /dev/null is as it was" "$(null)" "$host_null"
	ok "$h: rmp" $CRICTL rmp -f "$pod"
}

for h in runc crun; do
	handler $h
	shared_pid $h
	terminal $h
done

refused() { # WORDS MESSAGE USERNS-OPTIONS
	jq -n --argjson u "$3" '{metadata:{name:"bad",uid:"bad",namespace:"default",attempt:1},linux:{security_context:{namespace_options:{pid:1,userns_options:$u}}}}' >"$T/bad.json"
	notok "$1" $CRICTL runp "$T/bad.json"
	like "$1: message" "$out" "$2"
}
refused 'two mappings' 'exactly one' '{"mode":0,"uids":[{"host_id":1,"container_id":0,"length":1},{"host_id":5,"container_id":1,"length":1}],"gids":'"$MAPS"'}'
refused 'no id 0' 'from container id 0' '{"mode":0,"uids":[{"host_id":1,"container_id":1,"length":1}],"gids":'"$MAPS"'}'
refused 'mode CONTAINER' 'neither POD nor NODE' '{"mode":1,"uids":'"$MAPS"',"gids":'"$MAPS"'}'
refused 'more ids than there are' 'more than there are' '{"mode":0,"uids":[{"host_id":4294967290,"container_id":0,"length":65536}],"gids":'"$MAPS"'}'
is 'no sandbox is left of them' "$($CRICTL pods -q)" ''
$CRICTL rmi -a >/dev/null 2>&1
crisp_clean
