# wipe.t - crisp wipe: nothing goes while crisp runs or has a pod, and nothing that is not crisp's; then crisp
# starts anew.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
export CRISP_ADDRESS=unix://$T/state/crisp.sock
wipe() { "$BUILD/crisp" wipe "$@" 2>&1; }
# refused WORDS PATTERN [OPTION...]: it fails for that reason, and an image is still there.
refused() {
	local words=$1 pattern=$2 out rc; shift 2
	out=$(wipe "$@"); rc=$?
	like "$words" "$out" "$pattern"
	is "$words: it fails, and nothing went" "$rc $(ls "$T/root/layers" | wc -l)" "1 $n"
}
n=$(ls "$T/root/layers" | wc -l)
refused 'while crisp runs' '/root/lock is held: stop crisp' --images
pod=$($CRICTL runp "$(pod_json a)")
c=$($CRICTL create "$pod" "$(ctr_json c 'sleep 1000')" "$T/a.pod.json")
$CRICTL start "$c" >/dev/null
crisp_stop
refused 'while a container runs on' 'anchor.lock is held|is of a pod' --images
crisp_start
$CRICTL stopp "$pod" >/dev/null
crisp_stop
refused 'a stopped pod has its record' "sandboxes/$pod.* is of a pod: start crisp" --images
crisp_start
$CRICTL rmp "$pod" >/dev/null
crisp_stop
until_ok 10 no_processes
until_ok 10 flock -n "$T/state/anchor.lock" true

mkdir "$T/root/blobs/mounted"; mount -t tmpfs none "$T/root/blobs/mounted"
refused 'a mount below' "$T/root/blobs/mounted is a mount" --images
umount "$T/root/blobs/mounted"; rmdir "$T/root/blobs/mounted"
mkdir -p "$T/other/layers"
refused 'another directory' 'other/lock, which each crisp makes' --images --root "$T/other"
refused '/' '/ is no directory of crisp' --images --root /
refused 'a relative path' 'an absolute path' --images --root root
chmod 777 "$T/root"
refused 'a directory that others can change' 'is no directory that only root can change' --images
chmod 700 "$T/root"

# What is not crisp's stays, and what a link points to.
mkdir "$T/mine"; echo precious >"$T/mine/file"
ln -s "$T/mine" "$T/root/partial/link"
echo note >"$T/root/note"
before=$(find "$T/root" "$T/state" | sort)
like 'a dry run says what it would remove' "$(wipe --dry-run --images)" "^$T/root/layers$"
is 'and removes nothing' "$(find "$T/root" "$T/state" | sort)" "$before"
like 'without --images' "$(wipe)" "^$T/root/partial$"
is 'images stay, the state goes' "$(ls "$T/root/layers" | wc -l) $(ls -d "$T/state" 2>&1 | grep -c 'No such')" "$n 1"
crisp_start
is 'crisp starts with its images' "$($CRICTL images -q "$REGISTRY/busybox:latest" | wc -l)" 1
crisp_stop
until_ok 10 no_processes
until_ok 10 flock -n "$T/state/anchor.lock" true
rm -f "$T/state/config.ready"
ln -s "$T/mine" "$T/root/layers/link"; n=$((n + 1))
refused 'without the copy of the configuration it guesses nothing' 'name --root' --images
like 'with --images' "$(wipe --images --root "$T/root")" "crisp: wipe: $T/root stays: it has entries that are not"
is 'only what is not of crisp is there' "$(ls "$T/root" "$T/mine" | tr '\n' ' ')" "$T/mine: file  $T/root: note "
notok 'the state directory is gone' test -e "$T/state"
crisp_start
ok 'crisp starts anew' $CRICTL pull "$REGISTRY/busybox:latest"

# --force, while crisp runs with two pods, of which one has a terminal.
for p in a b; do
	pod=$($CRICTL runp "$(pod_json $p)")
	tty='"tty":true'; [ $p = a ] || tty=
	$CRICTL start "$($CRICTL create "$pod" "$(ctr_json $p 'sleep 1000' "$tty")" "$T/$p.pod.json")" >/dev/null
done
elsewhere() { CRISP_ADDRESS=unix://$T/other/crisp.sock wipe --force --images --state "$T/state" --root "$T/root"; }
like 'another address' "$(elsewhere)" "the crisp of $T/state is not the one at"
mkdir -p "$T/second/layers"; : >"$T/second/lock"
like "another crisp's root" "$(wipe --force --images --root "$T/second")" "has its root directory at $T/root, not at $T/second"
rm -r "$T/second/lock"
like 'a root of no crisp' "$(wipe --force --images --root "$T/second")" 'second/lock, which each crisp makes'
is 'nothing of both has gone' "$(ls "$T/second"; $CRICTL ps -q | wc -l)" "layers
2"
for dir in "$T/root/blobs/mounted" "$T/state/mounted"; do
	mkdir "$dir"; mount -t tmpfs none "$dir"
	like "a mount that is not crisp's: $dir" "$(wipe --force --images)" "$dir is a mount: unmount it first"
	is 'it is refused before a pod goes' "$($CRICTL ps -q | wc -l)" 2
	umount "$dir"; rmdir "$dir"
done
out=$(wipe --force --images --dry-run)
like 'a dry run names a pod' "$out" 'pod default/a'
like 'and a directory' "$out" "$T/root/layers"
is 'and leaves all' "$($CRICTL ps -q | wc -l)" 2
out=$(wipe --force --images)
like 'pods go' "$(sort <<<"$out" | tr '\n' ' ')" 'pod default/a pod default/b'
like 'crisp is stopped' "$out" "crisp-keeper, pid $KEEPER"
like 'and its directories go' "$out" "$T/root/layers"
is 'only what is not of crisp is left' "$(ls "$T/root" "$T/state" 2>/dev/null | grep -v "$T")" note
wait "$KEEPER"
is 'the keeper has ended well' $? 0
is 'no process of it is left' "$(leftover_processes)" ''

# Its socket is elsewhere; a copy of the configuration that was never whole.
cp "$T/config.yaml" "$T/first.yaml"
echo "listen: [unix://$T/mine/crisp.sock, unix://$T/state/crisp.sock]" >>"$T/config.yaml"
crisp_start
: >"$T/root/config.ready.tmp"; : >"$T/state/config.ready.tmp"; : >"$T/root/boot.tmp"; mkdir "$T/root/overlay-probe"
# As a crispd leaves it that is killed while it tries a runtime in a user namespace.
mkdir -p "$T/state/userns-trial/gone/rootfs"; mount -t tmpfs userns-trial "$T/state/userns-trial/gone/rootfs"
out=$(CRISP_ADDRESS=unix://$T/mine/crisp.sock wipe --force --images --state "$T/state")
like 'a socket elsewhere' "$out" "crisp-keeper, pid $KEEPER"
wait "$KEEPER"
is 'all has gone' "$(ls "$T/root" "$T/state" 2>/dev/null | grep -v "$T")" note
rm -f "$T/mine/crisp.sock"
mv "$T/first.yaml" "$T/config.yaml"

# As a service: systemctl stops it, or systemd would start it again. A process in the group of another service is not
# that service.
if [ -x /usr/bin/systemctl ]; then
group=/sys/fs/cgroup; [ ! -d $group/systemd ] || group+=/systemd
group+=$CGROUP.units
mkdir -p "$group/other.service" "$group/crisp.service"
cat >"$T/systemctl" <<S
#!/bin/sh
echo "\$*" >>$T/said
case "\$1 \$2" in
"show other.service") echo 1 ;;
"show crisp.service") cat $T/main ;;
"stop crisp.service") echo 'Warning: changed on disk' >&2; kill \$(cat $T/main) ;;
*) exit 1 ;;
esac
S
chmod 755 "$T/systemctl"
mount --bind "$T/systemctl" /usr/bin/systemctl
service() { # NAME: wipe --force, while the keeper is in the group of that unit
	crisp_start
	echo "$KEEPER" >"$T/main"
	echo "$KEEPER" >"$group/$1.service/cgroup.procs"
	: >"$T/said"
	wipe --force --images
	wait "$KEEPER"
}
service other >"$T/out"
like 'in the group of another service it gets SIGTERM' "$(cat "$T/out")" "crisp-keeper, pid"
is 'and systemctl stops nothing' "$(cat "$T/said")" 'show other.service --property=MainPID --value'
service crisp >"$T/out"
like 'its own service is stopped' "$(cat "$T/said")" 'stop crisp.service'
like 'and named' "$(cat "$T/out")" 'crisp.service'
umount /usr/bin/systemctl
groups_go() { rmdir "$group/other.service" "$group/crisp.service" "$group" 2>/dev/null; [ ! -e "$group" ]; }
ok 'the groups are empty' until_ok 10 groups_go
fi
crisp_start
crisp_clean
