# checkpoint.t - CheckpointContainer, and containers made of its archives: a process goes on with its memory, its files and its log.
#
# CRIU=PATH: a criu instead of the machine's. Where criu does not work, only the parts without criu are tested.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

# The run has its own mount namespace.
[ -z "${CRIU-}" ] || mount --bind "$CRIU" /usr/sbin/criu
works() { criu check >"$T/criu.txt" 2>&1; }
why_not() { grep -m1 Error "$T/criu.txt" | sed 's/.*): //'; }

crisp_up 'images: {max_layer_bytes: 256MiB}' 'checkpoint: {restore_from_image: true}'
A=$T/archives
mkdir "$A"

counter='mkdir -p /data/deep; echo first >/data/deep/file; rm -f /etc/passwd; i=0
while true; do i=$((i+1)); echo $i >>/data/count; echo n $i; sleep 0.05; done'
start() { # NAME HANDLER SCRIPT [EXTRA]: pod, ctr
	pod=$($CRICTL runp --runtime "$2" "$(pod_json "p-$1")")
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1" "$3" "${4-}")" "$T/p-$1.pod.json")
	$CRICTL start "$ctr" >/dev/null
}
last() { log_text "$1" | tail -1 | tr -dc 0-9; }
counted() { [ "$(last "$1")" -gt "$2" ]; }
checkpoint() { rpc CheckpointContainer "container_id: \"$1\" location: \"$2\" ${3-}"; }
stages() { ls "$T/root/checkpoints" 2>/dev/null; }
no_stages() { [ -z "$(stages)" ]; }

# ---- parts without criu
start plain runc "$counter"
ok 'a counter runs' until_ok 10 counted plain 3
checkpoint "$ctr" relative/x.tar
is 'a relative location' "$code" INVALID_ARGUMENT
checkpoint "$ctr" ''
is 'none' "$code" INVALID_ARGUMENT
checkpoint "$ctr" "$A"
is 'a directory' "$code" INVALID_ARGUMENT
checkpoint "$ctr" "$A/"
is 'a directory with a slash' "$code" INVALID_ARGUMENT
checkpoint "$ctr" "$A/none/x.tar"
is 'in no directory' "$code" INVALID_ARGUMENT
mkfifo "$A/fifo"
checkpoint "$ctr" "$A/fifo"
is 'a FIFO' "$code" INVALID_ARGUMENT
rm "$A/fifo"
checkpoint "$ctr" "$A/x.tar" 'timeout: -1'
is 'a negative timeout' "$code" INVALID_ARGUMENT
checkpoint 0123456789ab "$A/x.tar"
is 'an unknown container' "$code" NOT_FOUND
is 'none of them left anything' "$(ls -A "$A")$(stages)" ''

[ ! -e /usr/sbin/criu ] || mount --bind /dev/null /usr/sbin/criu
checkpoint "$ctr" "$A/x.tar"
is 'without criu' "$code" FAILED_PRECONDITION
like 'it says what to install' "$message" 'install the package criu'
[ ! -e /usr/sbin/criu ] || umount /usr/sbin/criu
before=$(last plain)
ok 'the container runs on' until_ok 10 counted plain "$before"
is 'nothing is left of the attempt' "$(ls -A "$A")" ''
ok 'nor below root' until_ok 5 no_stages

if ! crun --version | grep -q +CRIU; then
	start crunny crun "$counter"
	checkpoint "$ctr" "$A/x.tar"
	is 'a runtime without checkpoints' "$code" FAILED_PRECONDITION
	like 'is named' "$message" 'crun was built without CRIU'
	before=$(last crunny)
	ok 'and its container runs on' until_ok 10 counted crunny "$before"
	$CRICTL stop -t 0 "$ctr" >/dev/null
	checkpoint "$ctr" "$A/x.tar"
	is 'one that has ended' "$code" FAILED_PRECONDITION
fi

# ---- archives of unknown origin: making a container of such an archive needs no criu
pod=$($CRICTL runp "$(pod_json p-strange)")
W=$T/strange
fresh() { # a small and valid archive
	rm -rf "$W" && mkdir -p "$W/checkpoint" && : >"$W/checkpoint/inventory.img"
	jq -n --arg i "$REGISTRY/busybox:latest" '{id:"x",name:"x",rootfsImageName:$i}' >"$W/config.dump"
	echo '{"process":{"terminal":false,"args":["/bin/x"]},"mounts":[]}' >"$W/spec.dump"
}
of_image() { fresh; jq --arg n "$1" --arg r "${2-}" '.rootfsImageName = $n | .rootfsImageRef = $r' "$W/config.dump" >"$W/c" && mv "$W/c" "$W/config.dump"; }
create() { # [EXTRA]: of $A/s.tar, or of what EXTRA names
	jq -n --arg i "$A/s.tar" --argjson x "{${1-}}" \
		'{metadata:{name:"strange",attempt:1},image:{image:$i},log_path:"strange.log",linux:{}} * $x' >"$T/strange.ctr.json"
	made=$($CRICTL create "$pod" "$T/strange.ctr.json" "$T/p-strange.pod.json" 2>&1 | grep -v level=warning)
	code=$(sed -nE 's/.*rpc error: code = ([A-Za-z]+) .*/\1/p' <<<"$made" | head -1)
}
refused() { # WORDS CODE PATTERN [EXTRA]: the directory as an archive, or $A/s.tar as it is
	[ ! -d "$W" ] || tar -C "$W" -cf "$A/s.tar" .
	create "${4-}"
	is "$1" "$code" "$2"
	like "$1: it says why" "$made" "$3"
	is "$1: nothing is left" "$($CRICTL ps -aq -p "$pod" | wc -l) $(ls "$T/root/snapshots" "$T/state/containers" | grep -c .)" "$left_before"
}
left_before="0 $(ls "$T/root/snapshots" "$T/state/containers" | grep -c .)"
fresh
tar -C "$W" -cf "$A/s.tar" .
create
like 'a small archive is a container' "$made" '^[0-9a-f]{64}$'
first_made=$made
create
is 'asked for again it is the same' "$made" "$first_made"
ok 'it goes without having run' $CRICTL rm "$made"
ok 'with all of it' until_ok 5 no_stages
jq '.[0].repo = "below" | .[0].config.Env = ["BELOW=1"]' "$ROOT/tests/images/busybox.json" >"$T/below.json"
$IMAGE --registry "$REGISTRY" "$T/below.json" >/dev/null
of_image "$REGISTRY/below:1"
tar -C "$W" -cf "$A/s.tar" .
create
like 'the image below is pulled where it is not here' "$made" '^[0-9a-f]{64}$'
is 'and is the one' "$($CRICTL inspect "$made" | jq -r .status.image.image)" "$REGISTRY/below:1"
ref=$($CRICTL inspect "$made" | jq -r .status.imageRef)
like 'with a digest' "$ref" '@sha256:'
$CRICTL rm "$made" >/dev/null; $CRICTL rmi "$REGISTRY/below:1" >/dev/null
of_image "$REGISTRY/below:no-such-tag" "$ref"
tar -C "$W" -cf "$A/s.tar" .
cp "$T/strange.ctr.json" "$T/again.ctr.json"
$CRICTL create "$pod" "$T/again.ctr.json" "$T/p-strange.pod.json" >/dev/null 2>&1 & again=$!
create
wait "$again"
like 'by its digest, whatever became of the tag' "$made" '^[0-9a-f]{64}$'
is 'once for two that ask' "$($CRICTL ps -aq --name strange | wc -l)" 1
is 'it is the same image' "$($CRICTL inspect "$made" | jq -r '.status.imageRef + " " + .status.image.image')" "$ref $ref"
$CRICTL rm "$made" >/dev/null; $CRICTL rmi "$ref" >/dev/null
fresh
tar -C "$W" -cf "$A/s.tar" .
gzip -k "$A/s.tar"
create "\"image\":{\"image\":\"$A/s.tar.gz\"}"
like 'a compressed one too' "$made" '^[0-9a-f]{64}$'
$CRICTL rm "$made" >/dev/null
fresh
echo '{"process":{"terminal":false,"args":["/bin/x"]},"mounts":[{"destination":"/data","type":"bind"}]}' >"$W/spec.dump"
tar -C "$W" -cf "$A/s.tar" .
create "\"mounts\":[{\"host_path\":\"$T/volume/of/it\",\"container_path\":\"/data\"}]"
like 'one with a volume' "$made" '^[0-9a-f]{64}$'
$CRICTL rm "$made" >/dev/null
rm -rf "$W" "$A/s.tar"
refused 'no such file' FailedPrecondition 'No such file'
refused 'a directory' FailedPrecondition 'not a file' "\"image\":{\"image\":\"$A\"}"
head -c 5000 /dev/urandom >"$A/s.tar"
refused 'noise' InvalidArgument 'tar'
fresh; tar -C "$W" -cf - . | head -c 1500 >"$A/s.tar"; rm -rf "$W"
refused 'a cut archive' InvalidArgument 'the archive ends'
fresh; tar -C "$W" -P --transform 's,^./spec.dump,../../../spec.dump,' -cf "$A/s.tar" .; rm -rf "$W"
refused 'a name that leads out' InvalidArgument 'leads out'
fresh; rm -r "$W/checkpoint"; ln -s /etc "$W/checkpoint"
refused 'a symbolic link' InvalidArgument 'neither a file nor a directory'
fresh; ln "$W/spec.dump" "$W/again"
refused 'a hard link' InvalidArgument 'neither a file nor a directory'
fresh; mknod "$W/dump.log" c 1 3
refused 'a device' InvalidArgument 'neither a file nor a directory'
fresh; truncate -s 300M "$W/checkpoint/pages-1.img"; tar -C "$W" -S -cf "$A/s.tar" .; rm -rf "$W"
refused 'too large a file' ResourceExhausted 'max_layer_bytes'
fresh; rm "$W/config.dump"
refused 'no config.dump' InvalidArgument 'config.dump is missing'
fresh; echo '{"id":' >"$W/config.dump"
refused 'no JSON' InvalidArgument 'config.dump'
fresh; echo '[1]' >"$W/spec.dump"
refused 'JSON of another kind' InvalidArgument 'spec.dump is not an object'
fresh; head -c 5000000 /dev/zero | tr '\0' ' ' >"$W/spec.dump"
refused 'a long one' InvalidArgument 'spec.dump: not a regular file of at most'
fresh; rm "$W/checkpoint/inventory.img"
refused 'no images' InvalidArgument 'not made by CRIU'
of_image "$REGISTRY/none:1"
refused 'an image that nobody has' FailedPrecondition "its image $REGISTRY/none:1 is not in the store and cannot be pulled"
of_image localhost:1/none:1
refused 'a registry that is not there' Unavailable 'its image localhost:1/none:1 is not in the store'
of_image 'no/ name'
refused 'a name that is none' InvalidArgument 'its image no/ name is not in the store'
of_image '' 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
refused 'the mere id of an image' InvalidArgument 'its image .*is not in the store'
fresh; echo '{"streams":{"1":"file[1:2]\nexec-cmd"}}' >"$W/crisp.dump"
refused 'options for CRIU in the names of streams' InvalidArgument 'not a list of external files'
fresh; echo '["/etc/../../../x"]' >"$W/deleted.files"
refused 'a deleted file that leads out' InvalidArgument 'leads out'
fresh; echo '[5]' >"$W/deleted.files"
refused 'a deleted number' InvalidArgument 'deleted.files'
fresh; mkdir "$W/d" && echo x >"$W/d/x" && tar -C "$W/d" -P --transform 's,^./x,../x,' -cf "$W/rootfs-diff.tar" ./x && rm -r "$W/d"
refused 'a changed file that leads out' InvalidArgument 'leads out'
fresh; jq '.mounts = [{"type":"bind","source":"/etc","destination":"/outside"}]' "$W/spec.dump" >"$W/c" && mv "$W/c" "$W/spec.dump"
refused 'a mount that the request has not' InvalidArgument 'has a mount at /outside, the request has none'
fresh
refused 'a mount that the checkpoint had not' InvalidArgument 'has a mount at /more, the checkpoint has none' \
	"\"mounts\":[{\"host_path\":\"$T/logs\",\"container_path\":\"/more\"}]"
refused 'another terminal' InvalidArgument 'has no terminal' '"tty":true'
rm -f "$A"/s.tar*
ok 'nothing is left below root' until_ok 5 no_stages
is 'nor where a layer is unpacked' "$(ls "$T/root/ingest")" ''
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp "$pod" >/dev/null

# ---- checkpoints are switched off; a restored container that was made before does not start
fresh; tar -C "$W" -cf "$A/s.tar" .; rm -rf "$W"
pod=$($CRICTL runp "$(pod_json p-strange)")
create
before=$made old=$(crispd_pid)
cp "$T/config.yaml" "$T/config.on"
sed -i 's/^checkpoint: .*/checkpoint: {enabled: false, restore_from_image: true}/' "$T/config.yaml"
reload() { # the next crispd reads the file
	kill -HUP "$KEEPER"
	until_ok 10 another_answers
}
another_answers() { [ -n "$(crispd_pid)" ] && [ "$(crispd_pid)" != "$old" ] && crisp_ready; }
ok 'switched off' reload
ctr=$($CRICTL ps -q --name plain)
checkpoint "$ctr" "$A/x.tar"
is 'no checkpoint' "$code" FAILED_PRECONDITION
like 'it says by which key' "$message" 'checkpoint.enabled'
notok 'and there is none' test -e "$A/x.tar"
left_before="1 $(ls "$T/root/snapshots" "$T/state/containers" | grep -c .)"
refused 'no container of one' FailedPrecondition 'checkpoint.enabled'
out=$($CRICTL start "$before" 2>&1)
like 'none that was made before starts' "$out" 'FailedPrecondition.*checkpoint.enabled'
is 'it is as it was' "$(state_of "$before")" CONTAINER_CREATED
old=$(crispd_pid)
mv "$T/config.on" "$T/config.yaml"
ok 'switched on again' reload
checkpoint "$ctr" relative/x.tar
is 'the next thing that is wrong is told' "$code" INVALID_ARGUMENT
$CRICTL rm "$before" >/dev/null
rm -f "$A/s.tar"
$CRICTL stopp "$pod" >/dev/null; $CRICTL rmp "$pod" >/dev/null

# ---- parts with criu
if ! works; then
	skip 'checkpoint and restore' "criu does not work here: $(why_not)"
	crisp_clean
fi

start one runc "$counter"
until_ok 10 counted one 5
ok 'crictl checkpoint' $CRICTL checkpoint --export="$A/one.tar" "$ctr"
at=$(tar -xOf "$A/one.tar" rootfs-diff.tar | tar -xO data/count | tail -1)
before=$(last one)
ok 'the container runs on' until_ok 10 counted one "$before"
is 'the archive is for root alone' "$(stat -c '%a %u' "$A/one.tar")" '600 0'
is 'and nothing beside it' "$(ls -A "$A")" one.tar
ok 'nor below root' until_ok 5 no_stages
is 'it holds what others look for' "$(tar -tf "$A/one.tar" | grep -v '^checkpoint/.' | sort | tr '\n' ' ')" \
	'checkpoint/ config.dump container.log crisp.dump deleted.files dump.log rootfs-diff.tar spec.dump stats-dump status status.dump '
like 'and the images of CRIU' "$(tar -tf "$A/one.tar")" '^checkpoint/pages-1.img$'
is 'what was deleted' "$(tar -xOf "$A/one.tar" deleted.files | jq -c .)" '["/etc/passwd"]'
is 'what was written' "$(tar -xOf "$A/one.tar" rootfs-diff.tar | tar -xO data/deep/file)" first
is 'of which image' "$(tar -xOf "$A/one.tar" config.dump | jq -r .rootfsImageName)" "$REGISTRY/busybox:latest"
is 'of which container' "$(tar -xOf "$A/one.tar" status.dump | jq -r '.id + " " + .metadata.name')" "$ctr one"
ok 'exec works afterwards' $CRICTL exec -s "$ctr" true

ok 'once more over the same file' $CRICTL checkpoint --export="$A/one.tar" "$ctr"
at=$(tar -xOf "$A/one.tar" rootfs-diff.tar | tar -xO data/count | tail -1)
is 'logs are whole over it' "$(log_text one | awk '$2 != NR' | head -1)" ''

# restored NAME ARCHIVE HANDLER [EXTRA]: a new pod and a container from the archive; pod, new
restored() {
	pod=$($CRICTL runp --runtime "$3" "$(pod_json "p-$1")")
	ctr_json "$1" unused "\"image\":{\"image\":\"$2\"}${4:+,$4}" >/dev/null
	out=$($CRICTL create "$pod" "$T/$1.ctr.json" "$T/p-$1.pod.json" 2>&1)
	new=$(tail -1 <<<"$out")
}
restored two "$A/one.tar" runc
like 'a container is made of the archive' "$new" '^[0-9a-f]{64}$'
is 'it is not running yet' "$(state_of "$new")" CONTAINER_CREATED
is 'of the same image' "$($CRICTL inspect "$new" | jq -r .status.imageId)" "$($CRICTL inspect "$ctr" | jq -r .status.imageId)"
ok 'it starts' $CRICTL start "$new"
ok 'its log flows' until_ok 10 counted two "$at"
first=$(log_text two | head -1 | tr -dc 0-9)
is 'from where it was' "$((first > 1 && first <= at + 2))" 1 # what nobody had read of the log yet comes along
is 'in order' "$(log_text two | awk -v n="$first" '$2 != n + NR - 1' | head -1)" ''
is 'it runs' "$(state_of "$new")" CONTAINER_RUNNING
is 'its files are there' "$($CRICTL exec -s "$new" cat /data/deep/file)" first
is 'what it had deleted is not' "$($CRICTL exec -s "$new" sh -c '[ -e /etc/passwd ] || echo gone')" gone
ok 'nothing of it is left below root' until_ok 5 no_stages
like 'it has a cgroup of its own' "$($CRICTL inspect "$new" | jq -r .info.cgroup)" "[/-]$new(\.scope)?\$"
like 'and its process is in it' "$(cat "/proc/$($CRICTL inspect "$new" | jq .info.pid)/cgroup")" "$new"
is "in its own pod's network" "$(stat -Lc %i "/proc/$($CRICTL inspect "$new" | jq .info.pid)/ns/net")" "$(stat -Lc %i "$T/netns/crisp-$pod")"
ok 'a checkpoint of it' $CRICTL checkpoint --export="$A/two.tar" "$new"
is 'says that it was restored' "$(tar -xOf "$A/two.tar" config.dump | jq .restored)" true
kill -9 "$(crispd_pid)"
ok 'crispd is back' until_ok 10 crisp_ready
ok 'it counts on' until_ok 10 counted two "$(last two)"
ok 'it stops' $CRICTL stop -t 0 "$new"
is 'as killed' "$(exit_of "$new")" 137
ok 'and goes' $CRICTL rm "$new"

# ---- an image that was made of the archive
cat >"$T/image.json" <<J
[{"repo": "checkpoint", "tags": ["one"], "layers": [{"tar": "$A/one.tar"}], "config": {},
  "annotations": {"org.criu.checkpoint.container.name": "one"}}]
J
$IMAGE --registry "$REGISTRY" "$T/image.json" >/dev/null
ok 'an image of it is pulled' $CRICTL pull "$REGISTRY/checkpoint:one"
restored three "$REGISTRY/checkpoint:one" runc
like 'and a container made of it' "$new" '^[0-9a-f]{64}$'
ok 'the image may go meanwhile' $CRICTL rmi "$REGISTRY/checkpoint:one"
ok 'it starts' $CRICTL start "$new"
ok 'and counts' until_ok 10 counted three "$at"
first=$(log_text three | head -1 | tr -dc 0-9)
is 'from where it was' "$((first > 1 && first <= at + 2))" 1 # what nobody had read of the log yet comes along
is 'with its files' "$($CRICTL exec -s "$new" cat /data/deep/file)" first
is 'of the image below' "$($CRICTL inspect "$new" | jq -r .status.image.image)" "$REGISTRY/busybox:latest"

# ---- images that are not checkpoint images
fresh
echo '[]' >"$W/checkpoint/descriptors.json"
tar -C "$W" -cf "$A/bad.tar" .
restored bad "$A/bad.tar" runc
notok 'empty images do not start' $CRICTL start "$new"
like 'CRIU says why' "$out" 'CRIU could not restore it: .'
is 'it failed to start' "$($CRICTL inspect "$new" | jq -r '.status.reason + " " + (.status.exitCode | tostring)')" 'StartError 128'
ok 'nothing is left below root' until_ok 5 no_stages
ok 'it goes' $CRICTL rm "$new"
rm "$A/bad.tar"

# ---- faults during a checkpoint: this criu waits until a file is gone
cp "${CRIU:-/usr/sbin/criu}" "$T/criu.real"
printf '#!/bin/sh\nwhile [ -e %s/hold ]; do sleep 0.05; done\nexec %s/criu.real "$@"\n' "$T" "$T" >"$T/criu.held"
chmod 755 "$T/criu.held"
mount --bind "$T/criu.held" /usr/sbin/criu
dumps() { grep -c "sm checkpoint=${ctr:0:12} from=FREEZE to=DUMP" "$T/crisp.log"; }
dumping() { [ "$(dumps)" -gt "$seen" ]; }

start late runc "$counter"
until_ok 10 counted late 3
touch "$T/hold"
checkpoint "$ctr" "$A/late.tar" 'timeout: 1'
is 'a timeout' "$code" DEADLINE_EXCEEDED
rm "$T/hold"
before=$(last late)
ok 'the container runs on' until_ok 10 counted late "$before"
touch "$T/hold"
seen=$(dumps)
$CRICTL checkpoint --export="$A/late.tar" "$ctr" >"$T/late.txt" 2>&1 & client=$!
ok 'while it is dumped' until_ok 10 dumping
ok 'a stop comes first' $CRICTL stop -t 0 "$ctr"
wait "$client"
like 'and the checkpoint is given up' "$(cat "$T/late.txt")" 'Aborted'
rm "$T/hold"
is 'it was killed' "$(exit_of "$ctr")" 137
is 'there is no archive, nor half of one' "$(ls -A "$A" | tr '\n' ' ')" 'one.tar two.tar '
ok 'nothing below root' until_ok 5 no_stages

start crash runc "$counter"
until_ok 10 counted crash 3
touch "$T/hold"
seen=$(dumps)
$CRICTL checkpoint --export="$A/late.tar" "$ctr" >/dev/null 2>&1 & client=$!
ok 'while another is dumped' until_ok 10 dumping
before=$(last crash)
kill -9 "$(crispd_pid)"
rm "$T/hold"
wait "$client"
ok 'crispd dies and is back' until_ok 10 crisp_ready
ok 'the container runs on' until_ok 20 counted crash "$((before + 5))"
notok 'there is no archive' test -e "$A/late.tar"
ok 'nothing is left below root' until_ok 5 no_stages
ok 'the next checkpoint works' until_ok 20 $CRICTL checkpoint --export="$A/crash.tar" "$ctr"
umount /usr/sbin/criu

# ---- a terminal
start term runc "$counter" '"tty":true'
until_ok 10 counted term 5
if ok 'of a terminal' $CRICTL checkpoint --export="$A/term.tar" "$ctr"; then
	at=$(tar -xOf "$A/term.tar" rootfs-diff.tar | tar -xO data/count | tail -1)
	restored term2 "$A/term.tar" runc '"tty":true'
	ok 'it starts' $CRICTL start "$new"
	ok 'and counts on' until_ok 10 counted term2 "$at"
fi

# ---- stdin, whose pipe the runtime tells CRIU, like all stdio of other engines; volumes at other places
start in runc "$counter" "\"stdin\":true,\"mounts\":[{\"host_path\":\"$T/logs\",\"container_path\":\"/vol\"}]"
until_ok 10 counted in 5
ok 'with stdin and a volume' $CRICTL checkpoint --export="$A/in.tar" "$ctr"
restored in2 "$A/in.tar" runc "\"stdin\":true,\"mounts\":[{\"host_path\":\"$A\",\"container_path\":\"/vol\"}]"
ok 'it starts' $CRICTL start "$new"
ok 'and counts' until_ok 10 counted in2 8
is 'with the volume of the request' "$($CRICTL exec -s "$new" ls /vol/in.tar)" /vol/in.tar

# ---- a shared PID namespace
shared='"linux":{"security_context":{"namespace_options":{"pid":0}}}'
pod=$($CRICTL runp "$(pod_json p-shared "$shared")")
ctr=$($CRICTL create "$pod" "$(ctr_json shared "$counter" "$shared")" "$T/p-shared.pod.json")
$CRICTL start "$ctr" >/dev/null
until_ok 10 counted shared 5
ok 'in a shared PID namespace' $CRICTL checkpoint --export="$A/shared.tar" "$ctr"
pod=$($CRICTL runp "$(pod_json p-shared2 "$shared")")
ctr_json shared2 unused "\"image\":{\"image\":\"$A/shared.tar\"},$shared" >/dev/null
new=$($CRICTL create "$pod" "$T/shared2.ctr.json" "$T/p-shared2.pod.json")
ok 'it starts' $CRICTL start "$new"
ok 'and counts' until_ok 10 counted shared2 8
crisp_clean
