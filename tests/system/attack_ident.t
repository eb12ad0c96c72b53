# attack_ident.t - an image that makes a number the name of root; secrets in logs and errors; links in a log directory.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")
numbers='-1 4294967295 4294967296 99999999999'

# ---- images whose passwd and group name root by numbers, with each number as their USER
jq --arg p "$(for n in $numbers +5 00000000005; do printf '%s:x:0:0::/:\n' "$n"; done)" '.[0]
	| (.layers[0].entries[] | select(.path == "etc/passwd" or .path == "etc/group")).data = $p + "\n" | .repo = "tricks" | . as $b
	| [$b | .tags = ["plain"]] + [range(0; 6) as $i | $b | .tags = ["n\($i)"] | .config.User = ["-1", "4294967295", "4294967296",
		"99999999999", "+5", "00000000005"][$i]]' "$ROOT/tests/images/busybox.json" >"$T/tricks.json"
$IMAGE --registry "$REGISTRY" "$T/tricks.json" >/dev/null
I=$REGISTRY/tricks
for tag in plain n0 n1 n2 n3 n4 n5; do $CRICTL pull "$I:$tag" >/dev/null; done

tried=0
asked() { # WORDS IMAGE SECURITY: CreateContainer answers INVALID_ARGUMENT
	tried=$((tried + 1))
	out=$($CRICTL create "$pod" "$(ctr_json "try$tried" 'id; sleep 100' '"image":{"image":"'"$2"'"},"linux":{"security_context":{'"$3"'}}')" "$T/p.pod.json" 2>&1)
	like "$1" "$out" "InvalidArgument.* is not a (user|group) id"
}
for n in $numbers; do
	asked "run_as_user $n is refused" "$I:plain" '"run_as_user":{"value":'"$n"'}'
	asked "and as the name that an image gives" "$I:plain" '"run_as_username":"'"$n"'"'
	asked "and as a group" "$I:plain" '"run_as_user":{"value":1},"run_as_group":{"value":'"$n"'}'
	asked "and as a supplemental group" "$I:plain" '"supplemental_groups":['"$n"']'
	rpc RunPodSandbox 'config { metadata { name: "x'"$n"'" uid: "x" namespace: "default" } linux { security_context { run_as_user { value: '"$n"' } } } }'
	is "and for a sandbox" "$code" INVALID_ARGUMENT
done
for i in 0 1 2 3 4 5; do
	asked "an image's USER that is no uid is refused ($i)" "$I:n$i" ''
	rpc ImageStatus "image { image: \"$I:n$i\" }"
	is "and ImageStatus tells no uid of it, but a name" "$(grep -c 'uid {' <<<"$answer") $(grep -c 'username: ' <<<"$answer")" '0 1'
done
is 'no container was made' "$($CRICTL ps -aq | wc -l)" 0

# ---- secrets
printf 'metadata { name: "env" attempt: 1 } image { image: "%s" } command: "true" envs { key: "TOKEN" value: "s3cr3t\\377" }' "$REGISTRY/busybox:latest" >"$T/env"
rpc CreateContainer "pod_sandbox_id: \"$pod\" config { $(cat "$T/env") } sandbox_config { metadata { name: \"p\" } }"
if [ "$code" = OK ]; then # proto3 strings are UTF-8: protoc may refuse the text before crispd sees it
	ok 'a value that is not UTF-8 is told by its name' grep -q 'env container=.*name="TOKEN"' "$T/crisp.log"
fi
for ref in "user:s3cr3t@$REGISTRY/busybox:1" "https://user:s3cr3t@$REGISTRY/busybox:1" "user:s3cr3t@/x@$REGISTRY/busybox"; do
	rpc PullImage "image { image: \"$ref\" }"
	is 'a reference with a password is refused' "$code" INVALID_ARGUMENT
	like 'without its words' "$message" '\*\*\*@|%2A%2A%2A@'
	notok 'without the password' grep -q s3cr3t <<<"$message"
	rpc CreateContainer "pod_sandbox_id: \"$pod\" config { metadata { name: \"ref\" } image { image: \"$ref\" } } sandbox_config { metadata { name: \"p\" } }"
	notok 'also by CreateContainer' grep -q s3cr3t <<<"$message$code"
	rpc ImageStatus "image { image: \"$ref\" } verbose: true"
	is 'ImageStatus knows none' "$code $answer" 'OK '
done
rpc RemoveImage "image { image: \"$(printf 'a\\302\\233\\n2026 error crispd forged')\" }"
notok 'no secret is in the log' grep -q s3cr3t "$T/crisp.log"
is 'nor a byte that is not printable ASCII' "$(LC_ALL=C grep -c '[^ -~]' "$T/crisp.log")" 0

# ---- links in a log directory that a pod may write
mkdir -p "$T/disk/pods" "$T/host"
ln -s "$T/disk" "$T/varlog" # what the node's owner may do
echo secret >"$T/host/shadow"
sed 's,"log_directory":"[^"]*","log_directory":"'"$T/varlog/pods/default_l_1"'",' "$(pod_json l)" >"$T/l2.json" && mv "$T/l2.json" "$T/l.pod.json"
lpod=$($CRICTL runp "$T/l.pod.json")
writer='while true; do echo line; sleep 0.1; done'
logged() { # NAME PATH: a container with that log_path
	ctr=$($CRICTL create "$lpod" "$(ctr_json "$1" "$writer" '"log_path":"'"$2"'"')" "$T/l.pod.json")
	out=$($CRICTL start "$ctr" 2>&1)
}
L=$T/disk/pods/default_l_1
logged good c/0.log
ok 'a log below a linked /var/log is written' until_ok 10 grep -q line "$L/c/0.log"
is 'its path is told as the kubelet knows it' "$($CRICTL inspect "$ctr" | jq -r .status.logPath)" "$T/varlog/pods/default_l_1/c/0.log"
good=$ctr
mv "$L/c/0.log" "$L/c/0.log.20260102-030405"
rpc ReopenContainerLog "container_id: \"$good\""
is 'the kubelet rotates it' "$code" OK
ok 'and it goes on in a new file' until_ok 10 grep -q line "$L/c/0.log"
held() { # WORDS: ReopenContainerLog is refused, and the host's files are as they were
	rpc ReopenContainerLog "container_id: \"$good\""
	is "$1" "$code" INTERNAL
	is 'nothing of the host is touched' "$(cat "$T/host/shadow") $(ls "$T/host" | tr '\n' ' ')" 'secret shadow '
}
rm "$L/c/0.log"; ln -s "$T/host/shadow" "$L/c/0.log"
held 'a link in the place of the log'
rm "$L/c/0.log"; ln -s "$T/host/new" "$L/c/0.log"
held 'a link to a file that is not there'
rm "$L/c/0.log"; mkfifo "$L/c/0.log"
held 'a FIFO'
rm "$L/c/0.log"; mknod "$L/c/0.log" c 1 3
held 'a device'
mv "$L/c" "$L/old"; ln -s "$T/host" "$L/c"
held 'a link in the place of its directory'
mv "$L" "$L.old"; ln -s "$T/host" "$L"
held 'a link in the place of the log directory'
logged bad c/1.log
like 'nor is a first log made through it' "$out" 'symbolic links'
is 'nothing of the host is touched' "$(cat "$T/host/shadow") $(ls "$T/host" | tr '\n' ' ')" 'secret shadow '
rm "$L"; mv "$L.old" "$L"; rm "$L/c"; mv "$L/old" "$L/c"; rm "$L/c/0.log"
rpc ReopenContainerLog "container_id: \"$good\""
is 'without links it is opened again' "$code" OK
crisp_clean
