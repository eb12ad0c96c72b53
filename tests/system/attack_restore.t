# attack_restore.t - checkpoints that bring more rights than their request gives.
#
# CRIU=PATH: a criu instead of the machine's. Where criu does not work, only the parts without criu are tested.

. "$(dirname "$0")/../lib/crisp.sh"

[ -z "${CRIU-}" ] || mount --bind "$CRIU" /usr/sbin/criu
crisp_up
A=$T/archives W=$T/strange
mkdir -p "$A" "$W/checkpoint"

# ---- an image that is a checkpoint is refused unless the operator wants it
: >"$W/checkpoint/inventory.img"
jq -n --arg i "$REGISTRY/busybox:latest" '{id:"x",name:"x",rootfsImageName:$i}' >"$W/config.dump"
echo '{"process":{"terminal":false,"args":["/bin/x"]},"mounts":[]}' >"$W/spec.dump"
tar -C "$W" -cf "$A/s.tar" .
cat >"$T/image.json" <<J
[{"repo": "dump", "tags": ["1"], "layers": [{"tar": "$A/s.tar"}], "config": {}, "annotations": {"org.criu.checkpoint.container.name": "x"}}]
J
$IMAGE --registry "$REGISTRY" "$T/image.json" >/dev/null
$CRICTL pull "$REGISTRY/dump:1" >/dev/null
pod=$($CRICTL runp "$(pod_json p)")
out=$($CRICTL create "$pod" "$(ctr_json dump unused '"image":{"image":"'"$REGISTRY/dump:1"'"}')" "$T/p.pod.json" 2>&1)
like 'an image that is a checkpoint makes no container' "$out" 'FailedPrecondition.*checkpoint.restore_from_image'
is 'and leaves nothing' "$($CRICTL ps -aq | wc -l)$(ls "$T/root/checkpoints" 2>/dev/null)" 0
made=$($CRICTL create "$pod" "$(ctr_json path unused '"image":{"image":"'"$A/s.tar"'"}')" "$T/p.pod.json" 2>&1 | tail -1)
like 'the path of an archive does' "$made" '^[0-9a-f]{64}$'
$CRICTL rm "$made" >/dev/null

# ---- a container of another image has nothing of a checkpoint, whatever a manifest says of its config and layers
curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY/v2/busybox/manifests/latest" |
	jq -c '.annotations = {"org.criu.checkpoint.container.name": "x"}' >"$T/marked"
curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$T/marked" "http://$REGISTRY/v2/busybox/manifests/marked"
busybox=$($CRICTL inspecti "$REGISTRY/busybox:latest" | jq -r .status.id)
ok 'busybox is pulled by a manifest that says it is a checkpoint' $CRICTL pull "$REGISTRY/busybox:marked"
is 'it is another image' "$($CRICTL inspecti "$REGISTRY/busybox:marked" | jq -r .status.id)" "sha256:$(sha256sum <"$T/marked" | cut -d' ' -f1)"
like 'whose config is told' "$($CRICTL inspecti "$REGISTRY/busybox:marked" | jq -r '.info.imageSpec.rootfs.diff_ids | length')" '^[1-9]'
made=$($CRICTL create "$pod" "$(ctr_json plain unused '"image":{"image":"'"$busybox"'"}')" "$T/p.pod.json" 2>&1 | tail -1)
like 'busybox makes containers' "$made" '^[0-9a-f]{64}$'
$CRICTL rm "$made" >/dev/null
$CRICTL rmi "$REGISTRY/busybox:marked" >/dev/null

# ---- a checkpoint whose image is no root file system
jq -nc '{repo: "art", artifact: "application/vnd.test.model", files: [{title: "f", data: "x"}]}' | $IMAGE --registry "$REGISTRY" - >/dev/null
jq -n --arg i "$REGISTRY/art:latest" '{id:"x",name:"x",rootfsImageName:$i}' >"$W/config.dump"
tar -C "$W" -cf "$A/art.tar" .
for way in pulled here; do
	out=$($CRICTL create "$pod" "$(ctr_json "art-$way" unused '"image":{"image":"'"$A/art.tar"'"}')" "$T/p.pod.json" 2>&1)
	like "above an artifact, $way: refused" "$out" 'InvalidArgument.*restore from .*is an artifact \(application/vnd.test.model\): it can only be mounted'
	ok 'the artifact is here' $CRICTL inspecti "$REGISTRY/art:latest"
done
nothing() { [ -z "$(ls "$T/root/checkpoints" "$T/root/containers" "$T/root/snapshots" "$T/state/containers" | grep -v :)" ]; }
ok 'nothing is left of it' until_ok 10 nothing

if ! criu check >"$T/criu.txt" 2>&1; then
	skip 'restores' "criu does not work here: $(grep -m1 Error "$T/criu.txt" | sed 's/.*): //')"
	crisp_clean
fi

# ---- what is dumped, by the security context of its request
script='trap "" TERM; i=0; while true; do i=$((i+1)); echo n $i; sleep 0.05; done'
beats() { grep -q 'n [0-9]' "$T/logs/$1.log"; }
dump() { # NAME SECURITY
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1" "$script" '"linux":{"security_context":{'"$2"'}}')" "$T/p.pod.json")
	$CRICTL start "$ctr" >/dev/null
	until_ok 10 beats "$1"
	out=$($CRICTL checkpoint --export="$A/$1.tar" "$ctr" 2>&1)
	$CRICTL rm -f "$ctr" >/dev/null
	# CRIU reads the limits of the process, for which a process of another user needs CAP_SYS_RESOURCE.
	if [[ $out == *'get rlimit'* ]]; then skip "a dump of $1" 'CRIU may not read the limits of a user here'; return 0; fi
	ok "a container is dumped: $1" test -s "$A/$1.tar"
}
dump admin '"capabilities":{"add_capabilities":["SYS_ADMIN"]}'
dump root ''
dump user '"run_as_user":{"value":1234},"run_as_group":{"value":1234}'
poor='"run_as_user":{"value":1234},"run_as_group":{"value":1234},"no_new_privs":true,"capabilities":{"drop_capabilities":["ALL"]}'
dump poor "$poor"

restore() { # ARCHIVE SECURITY: ctr, out
	n=$((${n-0} + 1))
	ctr=$($CRICTL create "$pod" "$(ctr_json "r$n" unused '"image":{"image":"'"$A/$1.tar"'"},"linux":{"security_context":{'"$2"'}}')" "$T/p.pod.json" 2>&1 | tail -1)
	out=$($CRICTL start "$ctr" 2>&1)
}
killed() { # WORDS PATTERN
	like "$1 is not started" "$out" "PermissionDenied.*$2"
	is 'it has failed' "$($CRICTL inspect "$ctr" | jq -r '.status.reason + " " + (.status.exitCode | tostring)')" 'StartError 128'
	is 'none of its processes lives' "$(pgrep -fc 'trap "" TERM; i=0')" 0
	is 'and has written nothing' "$(cat "$T/logs/r$n.log" 2>/dev/null | wc -l)" 0
	$CRICTL rm "$ctr" >/dev/null
}
runs() { # WORDS
	ok "$1 runs on" until_ok 10 beats "r$n"
	is 'as what it was' "$(awk '/^State/ { print $2 } /^Uid/ { print $2 }' "/proc/$($CRICTL inspect "$ctr" | jq .info.pid)/status" | sed 's/[SRD]/runs/' | tr '\n' ' ')" "runs $2 "
	$CRICTL rm -f "$ctr" >/dev/null
}
restore admin "$poor"
killed 'root with CAP_SYS_ADMIN for a user without rights' 'Uid: 0'
restore root "$poor"
killed 'root for a user' 'Uid: 0'
if [ -e "$A/user.tar" ]; then
	restore user "$poor"
	killed 'a user with a larger bounding set' 'Cap(Bnd|Prm|Inh|Eff)'
fi
restore admin ''
killed 'CAP_SYS_ADMIN for plain root' 'Cap(Prm|Bnd|Eff)'
restore root '"no_new_privs":true'
killed 'without the no_new_privs of the request' 'NoNewPrivs'
restore root '"seccomp":{"profile_type":0}'
killed 'without a seccomp filter' 'Seccomp'
restore root '"run_as_user":{"value":0},"run_as_group":{"value":0},"capabilities":{"drop_capabilities":["ALL"]}'
killed 'root with capabilities for one without' 'Cap'
restore root ''
runs 'what has what the request gives' 0
restore root '"privileged":false,"capabilities":{"add_capabilities":["SYS_ADMIN"]}'
runs 'what has less' 0
if [ -e "$A/poor.tar" ]; then
	restore poor "$poor"
	runs 'a user without rights' 1234
fi
crisp_clean
