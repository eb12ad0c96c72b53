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
	CRISP_INSIDE=yes timeout "${LIMIT_S:-1500}" unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
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

# crisp_start: sets CRISP (its socket's address), KEEPER and CRISPD (pids).
crisp_start() {
	local d=$WORK/crisp
	mkdir -p "$d/certs.d"
	cat >"$d/config.yaml" <<-Y
	root: $d/root
	state: $WORK/run/crisp
	netns_dir: $WORK/run/netns
	cgroup: {driver: cgroupfs, root: $CGROUP}
	cni: {bin_dirs: [/usr/lib/cni], conf_dir: $CNI}
	registry: {config_path: $d/certs.d}
	runtime: {default: runc}
	runtimes:
	  runc: {type: oci, path: $RUNC}
	  crun: {type: oci, path: /usr/bin/crun}
	log: {level: ${LEVEL:-info}}
	Y
	# As under a service manager: without a service manager the keeper starts a parent process of itself.
	INVOCATION_ID=bench "$BUILD/crisp-keeper" --config "$d/config.yaml" >"$d/log" 2>&1 &
	KEEPER=$!
	wait_for "$WORK/run/crisp/crisp.sock" || { tail -20 "$d/log" >&2; die "crisp did not start"; }
	CRISPD=$(pgrep -P "$KEEPER" -x crispd) || die "no crispd below the keeper"
	CRISP=unix://$WORK/run/crisp/crisp.sock
}

# metrics: crispd's /metrics page, and its number of voluntary context switches. More switches than turns of the loop mean that
# crispd slept in a system call other than epoll_wait.
metrics() {
	curl -sS --unix-socket "$WORK/run/crisp/http.sock" http://crisp/metrics
	awk '/^voluntary_ctxt_switches/ { print "voluntary_switches_total", $2 }' "/proc/$CRISPD/status"
}

# node_stop: ends the servers. Their pods must be removed before.
node_stop() {
	local p
	for p in ${KEEPER-} ${PEERS-} $REGISTRY_PID; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done # PEERS: by peers/*.sh
	true
}

wait_for() { # SOCKET
	local i
	for i in $(seq 400); do [ -S "$1" ] && return 0; sleep 0.05; done
	return 1
}
