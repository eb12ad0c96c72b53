# node.sh - a node to measure on: namespaces of its own, a registry with two images, crisp, Debian's containerd. Sourced.
#
# Everything lives in $WORK, in cgroups under $CGROUP and in the network, mount and process namespaces that node_enter makes;
# all servers share one CNI network, one image, one runc and one crun.

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# node_enter SCRIPT ARGS...: runs SCRIPT again inside the namespaces with $WORK set, then looks for what is left. Exits.
node_enter() {
	local rc=0 made='' d left
	[ "$(id -u)" = 0 ] || die "needs root"
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/crisp-bench.XXXXXX"); export WORK
	# Paths that containerd and libcni have no option for: mounted over inside.
	for d in /run/containerd /var/lib/cni /run/netns; do [ -d $d ] || { mkdir -p $d; made="$made $d"; }; done
	trap : INT # the run ends, the clearing up below does not
	CRISP_INSIDE=yes timeout "${LIMIT_S:-900}" unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
		bash "$@" || rc=$?
	[ -z "$made" ] || rmdir --ignore-fail-on-non-empty $made
	# The parent of all the pods is ours: nobody else may remove it.
	find /sys/fs/cgroup -depth -type d -path "*/crisp-test-$(basename "$WORK")*" -exec rmdir {} + 2>/dev/null
	left=$("$ROOT/tests/lib/leaks" "$WORK")
	[ -z "$left" ] || { say "left on the machine:"; say "$left"; rc=1; }
	[ -n "${KEEP-}" ] || rm -rf "$WORK"
	exit $rc
}

# node_start: inside. Sets REGISTRY, CGROUP, CNI, IMAGE.
node_start() {
	CGROUP=/crisp-test-$(basename "$WORK")
	CNI=$WORK/cni
	ip link set lo up
	sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || true
	for d in /run/containerd /var/lib/cni /run/netns; do mount -t tmpfs -o mode=755 tmpfs $d || die "mount over $d"; done
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
	"$ROOT/tests/images/image" --registry "$REGISTRY" - >"$WORK/images.txt" <<-'J' || die "no images"
	[{"repo": "busybox", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]}, "layers": [{"entries": [
	   {"path": "bin", "type": "dir"}, {"path": "etc", "type": "dir"}, {"path": "dev", "type": "dir"}, {"path": "proc", "type": "dir"},
	   {"path": "sys", "type": "dir"}, {"path": "tmp", "type": "dir", "mode": 1023},
	   {"path": "bin/busybox", "from": "/bin/busybox", "mode": 493}, {"path": "bin/sh", "type": "symlink", "target": "busybox"},
	   {"path": "bin/sleep", "type": "symlink", "target": "busybox"}, {"path": "etc/passwd", "data": "root:x:0:0:root:/root:/bin/sh\n"}]}]},
	 {"repo": "pause", "config": {"Entrypoint": ["/busybox", "sleep", "1000000"]}, "layers": [{"entries": [
	   {"path": "busybox", "from": "/bin/busybox", "mode": 493}]}]}]
	J
	IMAGE=$REGISTRY/busybox:latest
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
	  runc: {type: oci, path: /usr/sbin/runc}
	  crun: {type: oci, path: /usr/bin/crun}
	log: {level: ${LEVEL:-info}}
	Y
	# As under a service manager: without one, the keeper has a parent loop above it.
	INVOCATION_ID=bench "$BUILD/crisp-keeper" --config "$d/config.yaml" >"$d/log" 2>&1 &
	KEEPER=$!
	wait_for "$WORK/run/crisp/crisp.sock" || { tail -20 "$d/log" >&2; die "crisp did not start"; }
	CRISPD=$(pgrep -P "$KEEPER" -x crispd) || die "no crispd below the keeper"
	CRISP=unix://$WORK/run/crisp/crisp.sock
}

# containerd_start NAME [hide]: Debian's containerd; its address is unix://$WORK/run/NAME.sock, its pid is in PEER_PID.
# restrict_oom_score_adj: it works without CAP_SYS_RESOURCE, which a container of a test farm may lack.
# hide: without the cgroup2 of a hybrid host in its sight, which Debian's crun refuses; the mount goes in a namespace of its own.
containerd_start() {
	local d=$WORK/$1 cri='plugins."io.containerd.grpc.v1.cri"' enter='exec'
	mkdir -p "$d"
	cat >"$d/config.toml" <<-T
	version = 2
	root = "$d/root"
	state = "$WORK/run/$1"
	[grpc]
	  address = "$WORK/run/$1.sock"
	[plugins."io.containerd.internal.v1.opt"]
	  path = "$d/opt"
	[$cri]
	  sandbox_image = "$REGISTRY/pause:latest"
	  stream_server_address = "127.0.0.1"
	  stream_server_port = "0"
	  restrict_oom_score_adj = true
	[$cri.cni]
	  bin_dir = "/usr/lib/cni"
	  conf_dir = "$CNI"
	[$cri.containerd]
	  snapshotter = "overlayfs"
	  default_runtime_name = "runc"
	[$cri.containerd.runtimes.runc]
	  runtime_type = "io.containerd.runc.v2"
	  [$cri.containerd.runtimes.runc.options]
	    BinaryName = "/usr/sbin/runc"
	[$cri.containerd.runtimes.crun]
	  runtime_type = "io.containerd.runc.v2"
	  [$cri.containerd.runtimes.crun.options]
	    BinaryName = "/usr/bin/crun"
	T
	if [ "${2-}" = hide ]; then
		unshare --mount --propagation private sh -c 'umount /sys/fs/cgroup/unified; exec "$@"' - \
			containerd --config "$d/config.toml" >"$d/log" 2>&1 &
	else
		containerd --config "$d/config.toml" >"$d/log" 2>&1 &
	fi
	PEER_PID=$!
	wait_for "$WORK/run/$1.sock" || { tail -20 "$d/log" >&2; die "containerd did not start"; }
}

# node_stop: ends the servers; their pods are gone already.
node_stop() {
	local p
	for p in ${KEEPER-} ${PEERS-} $REGISTRY_PID; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
	true
}

wait_for() { # SOCKET
	local i
	for i in $(seq 400); do [ -S "$1" ] && return 0; sleep 0.05; done
	return 1
}

# memory PID...: "USS PSS" of all of them together, KiB.
memory() { awk '/^Private_(Clean|Dirty):/ { u += $2 } /^Pss:/ { p += $2 } END { print u + 0, p + 0 }' $(printf '/proc/%s/smaps_rollup ' "$@"); }

# processes: how many there are in this namespace.
processes() { local p=(/proc/[0-9]*); echo ${#p[@]}; }
