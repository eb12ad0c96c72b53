# node.sh - a node for measurements: its own namespaces, a registry with images, crisp; peers are in peers/*.sh. Sourced.
#
# All files are in $WORK, all cgroups under $CGROUP, all processes in the network, mount and process namespaces of node_enter.
# All servers share one CNI network, one image, one runc and one crun.

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# node_enter SCRIPT ARGS...: runs SCRIPT again inside the namespaces, with $WORK set, then reports leftovers. Exits.
node_enter() {
	local rc=0 made='' d left
	[ "$(id -u)" = 0 ] || die "needs root"
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/crisp-bench.XXXXXX"); export WORK
	# Paths that cannot be configured in containerd and libcni: a tmpfs is mounted over them.
	for d in /run/containerd /var/lib/cni /run/netns /etc/containers; do [ -d $d ] || { mkdir -p $d; made="$made $d"; }; done
	trap : INT # SIGINT ends the run, not the clean-up below
	CRISP_INSIDE=yes timeout "${LIMIT_S:-2400}" unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
		bash "$@" || rc=$?
	[ -z "$made" ] || rmdir --ignore-fail-on-non-empty $made
	# The parent group of all pods is made here, so that no server removes it.
	find /sys/fs/cgroup -depth -type d -path "*/crisp-test-$(basename "$WORK")*" -exec rmdir {} + 2>/dev/null
	left=$("$ROOT/tests/lib/leaks" "$WORK")
	[ -z "$left" ] || { say "left on the machine:"; say "$left"; rc=1; }
	[ -n "${KEEP-}" ] || rm -rf "$WORK"
	exit $rc
}

# node_start: to be called inside the namespaces. Sets REGISTRY, CGROUP, CNI, IMAGE.
node_start() {
	CGROUP=/crisp-test-$(basename "$WORK")
	CNI=$WORK/cni
	ip link set lo up
	sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || true
	for d in /run/containerd /var/lib/cni /run/netns /etc/containers; do mount -t tmpfs -o mode=755 tmpfs $d || die "mount over $d"; done
	. "$ROOT/tests/lib/registry.sh"
	registry_start "$WORK/registry" || exit 1
	mkdir -p "$CNI" "$WORK/logs" "$WORK/run"
	mount -t tmpfs -o mode=755 tmpfs "$WORK/run" || die "mount over $WORK/run" # what a node has in /run
	cat >"$CNI/10-bench.conflist" <<-J
	{"cniVersion":"1.0.0","name":"bench","plugins":[
	 {"type":"bridge","bridge":"bench0","isGateway":true,"ipMasq":true,"hairpinMode":true,
	  "ipam":{"type":"host-local","dataDir":"$WORK/ipam","ranges":[[{"subnet":"10.188.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
	 {"type":"portmap","capabilities":{"portMappings":true}}]}
	J
	sed "s|LOG_WRITER|$BUILD/log-writer|" <<-'J' | "$ROOT/tests/images/image" --registry "$REGISTRY" - >"$WORK/images.txt" || die "no images"
	[{"repo": "busybox", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]}, "layers": [{"entries": [
	   {"path": "bin", "type": "dir"}, {"path": "etc", "type": "dir"}, {"path": "dev", "type": "dir"}, {"path": "proc", "type": "dir"},
	   {"path": "sys", "type": "dir"}, {"path": "tmp", "type": "dir", "mode": 1023},
	   {"path": "bin/busybox", "from": "/bin/busybox", "mode": 493}, {"path": "bin/sh", "type": "symlink", "target": "busybox"},
	   {"path": "bin/sleep", "type": "symlink", "target": "busybox"}, {"path": "bin/true", "type": "symlink", "target": "busybox"},
   {"path": "bin/log-writer", "from": "LOG_WRITER", "mode": 493}, {"path": "etc/passwd", "data": "root:x:0:0:root:/root:/bin/sh\n"}]}]},
	 {"repo": "pause", "config": {"Entrypoint": ["/busybox", "sleep", "1000000"]}, "layers": [{"entries": [
	   {"path": "busybox", "from": "/bin/busybox", "mode": 493}]}]}]
	J
	IMAGE=$REGISTRY/busybox:latest
	# One runc for all servers: the newest that is installed or built.
	RUNC=$ROOT/build/peers/runc; [ -x "$RUNC" ] || RUNC=/usr/sbin/runc
}

# images_to_pull: two images of four layers each, two of them shared; each layer is one large file of this machine.
images_to_pull() {
	local files
	mapfile -t files < <(find /usr/bin /usr/lib /usr/libexec -xdev -type f -size +5M -size -30M 2>/dev/null | sort | head -6)
	[ ${#files[@]} = 6 ] || { say "no six files of 5 to 30 MiB below /usr to make images of"; return 1; }
	jq -nc '[$ARGS.positional as $f | [["a", 0, 1, 2, 3], ["b", 2, 3, 4, 5]][] |
		{repo: "layers-\(.[0])", config: {Cmd: ["/0"]}, layers: [.[1:][] | {entries: [{path: "\(.)", from: $f[.], mode: 493}]}]}]' \
		--args "${files[@]}" | "$ROOT/tests/images/image" --registry "$REGISTRY" - >>"$WORK/images.txt"
}

# crisp_start [NAME [LINE...]]: a crisp, with LINEs of configuration; NAME (crisp) is that of its files. Sets CRISP (its socket's
# address), KEEPER and CRISPD (pids).
crisp_start() {
	local name=${1-crisp} d=$WORK/${1-crisp}
	[ $# = 0 ] || shift
	mkdir -p "$d/certs.d"
	cat >"$d/config.yaml" <<-Y
	root: $d/root
	state: $WORK/run/$name
	netns_dir: $WORK/run/netns
	cgroup: {driver: cgroupfs, root: $CGROUP}
	cni: {bin_dirs: [/usr/lib/cni], conf_dir: $CNI}
	registry: {config_path: $d/certs.d}
	runtime: {default: runc}
	runtimes:
	  runc: {type: oci, path: $RUNC}
	  crun: {type: oci, path: /usr/bin/crun}
	  native: {type: native, fallback: runc}
	log: {level: ${LEVEL:-info}}
	Y
	printf '%s\n' "$@" >>"$d/config.yaml"
	# As under a service manager: without a service manager the keeper starts a parent process of itself.
	INVOCATION_ID=bench "$BUILD/crisp-keeper" --config "$d/config.yaml" >"$d/log" 2>&1 &
	KEEPER=$!
	PEERS="${PEERS-} $KEEPER"
	wait_for "$WORK/run/$name/crisp.sock" || { tail -20 "$d/log" >&2; die "crisp did not start"; }
	CRISPD=$(cat "$WORK/run/$name/crispd.lock") || die "no crispd holds its lock"
	CRISP=unix://$WORK/run/$name/crisp.sock
}

# floor NAME OPTION...: prints the endpoint of the same work with nothing around it, which takes its turns like a server. It needs
# floor_bridge, but for --hostnetwork.
floor_bridge() {
	{ ip link add floor0 type bridge && ip addr add 10.189.0.1/16 dev floor0 && ip link set floor0 up; } || die "no bridge for the floor"
}
floor() {
	local name=$1 dir=$WORK/$1; shift
	mkdir -p "$dir/lower/bin" && cp /bin/busybox "$dir/lower/bin/"
	echo "$name=@exec:$BUILD/floor $* $dir $CGROUP-$name"
}

# metrics [NAME]: crispd's /metrics page, and its number of voluntary context switches. More switches than turns of the loop mean that
# crispd slept in a system call other than epoll_wait.
metrics() {
	curl -sS --unix-socket "$WORK/run/${1-crisp}/http.sock" http://crisp/metrics
	awk '/^voluntary_ctxt_switches/ { print "voluntary_switches_total", $2 }' "/proc/$(cat "$WORK/run/${1-crisp}/crispd.lock")/status"
}
# stage_mean BEFORE AFTER STAGE: the mean in ms of a stage of crispd between two pages of metrics.
stage_mean() {
	awk -v want="{stage=\"$3\"}" '
		FNR == 1 { file++ }
		$1 == "crisp_stage_seconds_sum" want { sum[file] = $2 }
		$1 == "crisp_stage_seconds_count" want { n[file] = $2 }
		END { d = n[2] - n[1]; printf "%.3f", (d > 0 ? (sum[2] - sum[1]) * 1000 / d : 0) }' "$1" "$2"
}

# beside N ENDPOINT COMMAND... [OPTION... in $BESIDE]: runs COMMAND while ENDPOINT has N pods. 1: they did not come up.
beside() {
	local n=$1 endpoint=$2 out=$WORK/density.$1 density end; shift 2
	"$BUILD/crisp-bench" density --image "$IMAGE" --log-dir "$WORK/logs" --cgroup-parent "$CGROUP/pods" --out "$out" --n "$n" --steps 1 \
		--width 10 --seconds "${BESIDE_S:-600}" ${BESIDE-} "$endpoint" 2>"$out.err" & density=$!
	here() { [ "$(grep -c "\"mode\":\"$n pods\"" "$out" 2>/dev/null)" -ge 20 ]; }
	end=$((SECONDS + 600))
	until here || ! kill -0 $density 2>/dev/null || [ $SECONDS -gt $end ]; do sleep 0.2; done
	if here; then "$@"; else say "the $n pods did not come up: $(tail -3 "$out.err")"; rc=1; fi
	kill -INT $density; wait $density
}

# goals_print: rows of goals.jq, as tab-separated lines.
goals_print() { awk -F'\t' 'NF > 1 { printf "%-72s %12s %10s  %-12s %s\n", $1, $2, $3, $4, $5; next } { print }'; }
# conditions_print: what figures of this run depend on.
conditions_print() {
	local disk device
	disk=$(findmnt -no FSTYPE -T "$WORK" | tail -1)
	device=$(basename "$(findmnt -no SOURCE -T "$WORK" | tail -1)")
	[ "$disk" != ext4 ] || [ -n "$(find /proc/fs/jbd2 -maxdepth 1 -name "$device-*" 2>/dev/null)" ] || disk="ext4 without a journal (slow for many new files: ARCHITECTURE X61; TMPDIR=DIR is another disk)"
	echo "disk: $disk"
	echo "load when it ended: $(cut -d' ' -f1-3 /proc/loadavg); commit $(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo unknown)"
}

# limits_print: the limits of the kernel that many pods of $CRISP would meet. No measurement sets one.
limits_print() { "$BUILD/crisp" --address "$CRISP" check | sed -n 's/^limit */limit of the kernel, not changed here: /p'; }

# node_stop: ends the servers. Their pods must be removed before.
node_stop() {
	local p
	for p in ${PEERS-} $REGISTRY_PID; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done # PEERS: by crisp_start, peers/*.sh
	true
}

wait_for() { # SOCKET
	local i
	for i in $(seq 400); do [ -S "$1" ] && return 0; sleep 0.05; done
	return 1
}
