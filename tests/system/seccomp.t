# seccomp.t - profiles confine containers and their execs. The runtime compiles them; for crun, from the second container on, crisp does.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
cat >"$T/profile.json" <<'J'
{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
 {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":122},
 {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}
J

# Both print the result of a system call that the profile forbids: "denied" or "allowed".
NAMESPACE='busybox unshare -U true 2>&1 | grep -q "not permitted" && echo denied || echo allowed'
DIRECTORY='busybox mkdir /tmp/d 2>&1 | grep -q "quota exceeded" && echo denied || echo allowed'

# confined NAME PROFILE SCRIPT: starts a container that runs the script; sets $ctr, and $said to its output and that of an exec.
confined() {
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1" "$3; while :; do sleep 1; done" '"linux":{"security_context":{"namespace_options":{"pid":1},"seccomp":'"$2"'}}')" "$T/$h.pod.json" 2>/dev/null) || return 1
	$CRICTL start "$ctr" >/dev/null || return 1
	until_ok 10 grep -qE 'denied|allowed' "$T/logs/$1.log" || return 1
	said="$(log_text "$1") $($CRICTL exec -s "$ctr" sh -c "$3" | grep -oE 'denied|allowed')"
}
annotated() { jq -e '.annotations | has("run.oci.seccomp_bpf_data")' "$T/state/containers/$1/config.json"; }
compiled() { [ "$(grep -c 'seccomp_filter made=1' "$T/crisp.log")" = "$1" ]; }

sh -c "$(echo "$NAMESPACE" | sed 's/busybox //')" | grep -q allowed || { echo '1..0 # SKIP this machine makes no user namespaces'; exit 0; }
for h in runc native crun; do
	pod=$($CRICTL runp --runtime $h "$(pod_json $h)" 2>"$T/runp.err") || fail "$h: pod" "$pod"
	confined "$h-free" '{"profile_type":1}' "$NAMESPACE"
	is "$h: unconfined, by itself and by an exec" "$said" 'allowed allowed'
	is "$h: no filter" "$($CRICTL exec -s "$ctr" sh -c 'grep Seccomp: /proc/self/status | tr -dc 0-9' | grep .)" 0
	confined "$h-default" '{"profile_type":0}' "$NAMESPACE"
	is "$h: RuntimeDefault" "$said" 'denied denied'
	is "$h: in filter mode" "$($CRICTL exec -s "$ctr" sh -c 'grep Seccomp: /proc/self/status | tr -dc 0-9' | grep .)" 2
	confined "$h-local" '{"profile_type":2,"localhost_ref":"'"$T"'/profile.json"}' "$DIRECTORY"
	is "$h: Localhost" "$said" 'denied denied'
	[ $h = crun ] || { notok "$h: compiles by itself" annotated "$ctr"; continue; }
	ok "$h: both profiles were compiled meanwhile" until_ok 10 compiled 2
	confined "$h-default2" '{"profile_type":0}' "$NAMESPACE"
	ok "$h: the second container is given the filter" annotated "$ctr"
	is "$h: it confines the same, and an exec too" "$said" 'denied denied'
	is "$h: in filter mode" "$($CRICTL exec -s "$ctr" sh -c 'grep Seccomp: /proc/self/status | tr -dc 0-9' | grep .)" 2
	confined "$h-local2" '{"profile_type":2,"localhost_ref":"'"$T"'/profile.json"}' "$DIRECTORY"
	ok "$h: a Localhost profile too" annotated "$ctr"
	is "$h: and it confines" "$said" 'denied denied'
	sed -i 's/mkdirat/rmdir/; s/"mkdir"/"unlinkat"/' "$T/profile.json"
	confined "$h-local3" '{"profile_type":2,"localhost_ref":"'"$T"'/profile.json"}' "$DIRECTORY"
	notok "$h: a profile that changed on disk is another one" annotated "$ctr"
	is "$h: which allows it" "$said" 'allowed allowed'
done
crisp_clean
