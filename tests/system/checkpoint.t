# checkpoint.t - CheckpointContainer and what is made of its archives: a process goes on elsewhere with its memory, its files, its log.
#
# CRIU=PATH: another criu than the machine's. Where criu does not work only what needs none is tested.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

# Everything here happens in a mount namespace of the run's own.
[ -z "${CRIU-}" ] || mount --bind "$CRIU" /usr/sbin/criu
works() { criu check >"$T/criu.txt" 2>&1; }
why_not() { grep -m1 Error "$T/criu.txt" | sed 's/.*): //'; }

crisp_config
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
A=$T/archives
mkdir "$A"

counter='mkdir -p /data/deep; echo first >/data/deep/file; rm -f /etc/passwd; i=0
while true; do i=$((i+1)); echo $i >/data/count; echo n $i; sleep 0.05; done'
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

# ---- what needs no criu
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

# ---- what does
if ! works; then
	skip 'checkpoint and restore' "criu does not work here: $(why_not)"
	crisp_clean
fi

start one runc "$counter"
until_ok 10 counted one 5
ok 'crictl checkpoint' $CRICTL checkpoint --export="$A/one.tar" "$ctr"
at=$(tar -xOf "$A/one.tar" rootfs-diff.tar | tar -xO data/count)
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
crisp_clean
