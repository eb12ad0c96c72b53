# power.t - the power goes while images are pulled and pods come and go: what a disk has confirmed is believed, and nothing else.
#
# Everything that crisp keeps is on a disk that qemu-storage-daemon logs: each write and each flush. From that log the disk is
# made as it could be after a power cut at any moment (lib/power_disk), and crisp starts on it, as in another boot.
# CUTS (4): how many moments. SEED: the moments, as in an earlier run.

. "$(dirname "$0")/../lib/crisp.sh"

for need in qemu-storage-daemon mkfs.ext4 losetup; do
	command -v $need >/dev/null || { echo "1..0 # SKIP needs $need"; exit 0; }
done
[ -e /dev/fuse ] && [ -e /dev/loop-control ] || { echo '1..0 # SKIP needs /dev/fuse and /dev/loop-control'; exit 0; }

SEED=${SEED:-$RANDOM}
echo "# SEED=$SEED"
D=$T/power
mkdir -p "$D/mnt" "$T/root" "$T/ipam"
loop=
plug() { # FILE: its file system has root and the leases
	loop=$(losetup -f --show "$1") && mount "$loop" "$D/mnt" && mkdir -p "$D/mnt/root" "$D/mnt/ipam" &&
		mount --bind "$D/mnt/root" "$T/root" && mount --bind "$D/mnt/ipam" "$T/ipam"
}
unplug() {
	local m
	for m in "$T/root" "$T/ipam" "$D/mnt"; do ! mountpoint -q "$m" || umount "$m" || return 1; done
	losetup -d "$loop" 2>/dev/null || true
}
size_is() { [ "$(stat -c %s "$1")" = "$2" ]; }
truncate -s 768M "$D/data"
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$D/data"
cp --sparse=always "$D/data" "$D/base"
: >"$D/log"; : >"$D/dev"
qemu-storage-daemon --blockdev "driver=file,node-name=data,filename=$D/data" --blockdev "driver=file,node-name=log,filename=$D/log" \
	--blockdev driver=blklogwrites,node-name=disk,file=data,log=log,log-super-update-interval=1 \
	--export "type=fuse,id=e,node-name=disk,mountpoint=$D/dev,writable=on" >"$D/qemu" 2>&1 & disk=$!
until_ok 10 size_is "$D/dev" $((768 << 20)) && plug "$D/dev" || { cat "$D/qemu"; echo 'Bail out! no disk'; exit 1; }
entries() { od -An -t u8 -j16 -N8 "$D/log" | tr -d ' '; }

# Three images of four layers of thirty files each.
python3 - >"$D/images.json" <<'P'
import json, random
r = random.Random(7)
print(json.dumps([{"repo": f"app{i}", "tags": ["latest", "t1", "t2", "t3", "t4"], "config": {}, "layers": [
    {"entries": [{"path": f"d{layer}", "type": "dir"}] +
     [{"path": f"d{layer}/i{i}f{n}", "size": r.randrange(200000)} for n in range(30)]} for layer in range(4)]} for i in (1, 2, 3)]))
P
$IMAGE --registry "$REGISTRY" "$D/images.json" >"$D/digests"
app() { echo "$REGISTRY/app$1:${2-latest}"; }

crisp_up
for i in 1 2 3; do ok "pull $i" $CRICTL pull "$(app $i)"; done
# Of each layer: the content of its files. By diff_id, as the directory's name is another one each time.
tree() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum; find . ! -type f -printf '%p %y %l %m\n' | sort) | sha256sum | cut -c1-64; }
mkdir "$D/trees"
for r in "$T"/root/layer-records/*.json; do tree "$T/root/layers/$(jq -r .dir "$r")" >"$D/trees/$(jq -r .diff_id "$r")"; done
stay=$($CRICTL runp "$(pod_json stay)")
stays=$($CRICTL create "$stay" "$(ctr_json stay 'while :; do echo line; sleep 0.2; done')" "$T/stay.pod.json")
ok 'a container runs' $CRICTL start "$stays"
sync -f "$T/root"
first=$(entries)

# What happens, and what the disk has seen by then.
event() { echo "$(date +%s%N) $*" >>"$D/events"; }
(while sleep 0.1; do echo "$(date +%s%N) $(entries)"; done >"$D/samples") & sampler=$!
# A database on the same disk: each fsync commits the journal with the names of all files, but only the bytes of its own.
python3 -c '
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while not time.sleep(0.1):
    os.write(fd, b"x" * 100)
    os.fsync(fd)' "$D/mnt/database" & database=$!
images_churn() {
	local i
	for i in 1 2 3 4; do
		$CRICTL pull "$(app 1)" && event in app1
		$CRICTL pull "$(app 3 t$i)" && event rewritten app3 # an old image has a new record
		$CRICTL pull "$(app 2)" && event in app2
		event out app1; $CRICTL rmi "$(app 1)"
		event out app2; $CRICTL rmi "$(app 2)"
	done
}
pods_churn() {
	local i p c
	for i in $(seq 8); do
		p=$($CRICTL runp "$(pod_json "c$i")") || continue
		event in "$p"
		c=$($CRICTL create "$p" "$(ctr_json "c$i" 'echo hello; sleep 1000')" "$T/c$i.pod.json") && $CRICTL start "$c"
		[ $((i % 3)) = 0 ] || { event out "$p"; $CRICTL rmp -f "$p"; }
	done
}
$CRICTL rmi "$(app 1)" "$(app 2)" >/dev/null 2>&1
images_churn >/dev/null 2>&1 & one=$!
pods_churn >/dev/null 2>&1 & two=$!
wait $one $two
kill $sampler $database; wait $sampler $database 2>/dev/null
last=$(tail -1 "$D/samples" | cut -d' ' -f2)
ok 'records were synced meanwhile' grep -q records_synced "$T/crisp.log"
ok 'an old record was written anew' grep -q rewritten "$D/events"
ok 'the disk has seen much' test $((last - first)) -gt 100

# off: as after a reboot: no process, no mount, no state directory, no cgroup, and the records are of another boot.
cgroups_end() { find /sys/fs/cgroup -depth -type d -path "*$CGROUP/*" -exec rmdir {} + 2>/dev/null; no_cgroups; }
off() {
	node_off
	grep -lF "$CGROUP/" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3 | xargs -r kill -9 2>/dev/null
	until_ok 10 cgroups_end
	until_ok 10 unplug
}
ok 'the power is off' off
kill $disk; wait $disk 2>/dev/null

# known_in THING ENTRY: 'in' when it was there at that entry, and a sync of the records that had begun later had ended before it.
python3 - "$T/crisp.log" >"$D/synced" <<'P'
import datetime, re, sys
for line in open(sys.argv[1], errors="replace"):
    if m := re.match(r"(\S+)Z \w+ crispd records_synced took_ms=([\d.]+)", line):
        end = datetime.datetime.fromisoformat(m[1] + "+00:00").timestamp()
        print(int((end - float(m[2]) / 1000 - 0.002) * 1e9), int((end + 0.002) * 1e9))
P
# soon_after N M: how many entries the disk had M samples after the N-th rewrite of an old record, or at the end of the samples.
soon_after() {
	local t; t=$(awk -v n="$1" '$2 == "rewritten" && ++i <= n { t = $1 } END { print t }' "$D/events")
	awk -v t="$t" -v m="$2" '{ e = $2 } $1 >= t && i++ == m { exit } END { print e }' "$D/samples"
}
now_at() { awk -v e="$1" '$2 <= e { t = $1 } END { print t }' "$D/samples"; }
synced_after() { awk -v t="$1" '$1 >= t { print $2; exit }' "$D/synced"; }
known_in() {
	local t last at end
	t=$(now_at "$2")
	read -r last at < <(awk -v x="$1" -v t="$t" '$3 == x && $1 <= t { last = $2; at = $1 } END { print last, at }' "$D/events")
	[ "$last" = in ] && end=$(synced_after "$at") && [ -n "$end" ] && [ "$end" -le "$t" ] && echo in
}
listed() { $CRICTL pods -q --no-trunc | grep -qx "$1"; }
# host-local does not sync its leases: of one that is empty or zeros nobody can know whose it was.
leases() { find "$T/ipam" -name '[0-9]*.[0-9]*' -exec grep -lE '^[0-9a-f]{64}' {} +; }
no_leases() { [ -z "$(leases)" ]; }
bad_layers() { # of the images that crisp has: those that are not as the registry has them
	local dir diff
	for dir in $(cat "$T"/root/images/*.json | jq -r '.layers[]' | sort -u); do
		diff=$(jq -r .diff_id "$T/root/layer-records/$dir.json")
		[ "$(tree "$T/root/layers/$dir")" = "$(cat "$D/trees/$diff")" ] || echo "$dir $diff"
	done
}
RANDOM=$SEED
for cut in $(seq "${CUTS:-4}"); do
	entry=$((first + (RANDOM * 32768 + RANDOM) % (last - first + 1)))
	# Each other moment lies behind one at which an old record was written anew.
	[ $((cut % 2)) = 1 ] || entry=$(soon_after $((RANDOM % 4 + 1)) $((RANDOM % 8)))
	w="cut $cut, entry $entry"
	ok "$w: a disk" "$ROOT/tests/lib/power_disk" "$D/log" "$D/base" "$D/cut" $entry $RANDOM
	plug "$D/cut" || { fail "$w: its file system is whole"; break; }
	for f in "$T"/root/sandboxes/*.json* "$T"/root/containers/*.json* "$T"/root/layer-records/*.json* "$T/root/boot"; do
		[ ! -s "$f" ] || of_other_boot "$f"
	done
	echo "# $w: $(for p in $(awk '$2 == "in" { print $3 }' "$D/events" | sort -u); do known_in "$p" $entry; done | wc -l) things synced, $(find "$T"/root/{images,layer-records,snapshots,containers,sandboxes} -maxdepth 1 -name '*.json' -size 0 2>/dev/null | wc -l) empty records of $(ls "$T"/root/{images,layer-records,snapshots,containers,sandboxes}/*.json | wc -l)"
	if crisp_start; then pass "$w: crisp starts"; else fail "$w: crisp starts"; fi
	is "$w: all records can be read" "$($CRICTL info | jq -r '.status.conditions[] | select(.type == "RecordsReadable") | .status')" true
	is "$w: nothing is left for an operator" "$(find "$T/root" -name '*.corrupt')" ''
	ok "$w: the image that stays is here" $CRICTL inspecti "$(app 3)"
	ok "$w: busybox too" $CRICTL inspecti "$REGISTRY/busybox"
	is "$w: by its old name too" "$($CRICTL inspecti "$(app 3)" | jq -r '.status.repoTags | index("'"$(app 3)"'") != null')" true
	is "$w: no image has a damaged layer" "$(bad_layers)" ''
	is "$w: the pod that stays has ended" "$($CRICTL inspectp "$stay" | jq -r '.status | "\(.state) \(.metadata.name)"')" 'SANDBOX_NOTREADY stay'
	is "$w: its container too" "$($CRICTL inspect "$stays" | jq -r '.status | "\(.state) \(.exitCode) \(.reason)"')" 'CONTAINER_EXITED 255 Unknown'
	for i in 1 2; do [ -z "$(known_in app$i $entry)" ] || ok "$w: image $i, which was synced, is here" $CRICTL inspecti "$(app $i)"; done
	for p in $(awk '$2 == "in" && $3 !~ /app/ { print $3 }' "$D/events"); do
		[ -z "$(known_in "$p" $entry)" ] || ok "$w: a pod that was synced is listed" listed "$p"
	done
	ok "$w: no address is leased" until_ok 20 no_leases
	is "$w: no pod is ready" "$($CRICTL pods -q --state Ready)" ''
	pod=$($CRICTL runp "$(pod_json stay '"metadata":{"name":"stay","uid":"stay-uid","namespace":"default","attempt":2}')")
	c=$($CRICTL create "$pod" "$(ctr_json next 'exit 3')" "$T/stay.pod.json")
	ok "$w: the next attempt starts" $CRICTL start "$c"
	ok "$w: and ends" until_ok 10 exited "$c"
	ok "$w: an image is pulled again" $CRICTL pull "$(app 1)"
	is "$w: whole" "$(bad_layers)" ''
	for p in $($CRICTL pods -q); do ok "$w: a pod goes" $CRICTL rmp -f "$p"; done
	is "$w: nothing of them is left" "$(ls "$T/root/snapshots" "$T/root/containers" "$T/root/sandboxes" "$T/root/sandbox-files" | grep -E '[0-9a-f]{8}')$(leases)" ''
	[ "$cut" = "${CUTS:-4}" ] || off
done
find "$T/ipam" -name '[0-9]*.[0-9]*' -delete
crisp_stop
unplug
crisp_clean
