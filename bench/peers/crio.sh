# crio.sh - CRI-O with crun and Debian's conmon, as a CRI server beside crisp. Sourced after containerd.sh.
#
# A tmpfs is mounted over /etc/containers: CRI-O has no option for the path of its policy file.

# crio_start NAME
crio_start() {
	local d=$WORK/$1 run=$WORK/run/$1.d
	mkdir -p "$d" "$run"
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
	printf 'unqualified-search-registries = []\n[[registry]]\nlocation = "%s"\ninsecure = true\n' "$REGISTRY" >/etc/containers/registries.conf
	peer_crun
	cat >"$d/crio.conf" <<-T
	[crio]
	root = "$d/root"
	runroot = "$run/storage"
	storage_driver = "overlay"
	log_dir = "$d/logs"
	version_file = "$run/version"
	version_file_persist = "$d/version"
	clean_shutdown_file = "$d/clean.shutdown"
	[crio.api]
	listen = "$WORK/run/$1.sock"
	stream_address = "127.0.0.1"
	stream_port = "0"
	[crio.runtime]
	default_runtime = "crun"
	cgroup_manager = "cgroupfs"
	conmon_cgroup = "pod"
	pids_limit = 4096
	apparmor_profile = "unconfined"
	pinns_path = "$ROOT/build/peers/pinns"
	namespaces_dir = "$run/ns"
	container_exits_dir = "$run/exits"
	container_attach_socket_dir = "$run/attach"
	hooks_dir = []
	[crio.runtime.runtimes.crun]
	runtime_path = "$WORK/crun-for-peers"
	runtime_type = "oci"
	runtime_root = "$run/crun"
	monitor_path = "/usr/bin/conmon"
	monitor_cgroup = "pod"
	[crio.image]
	pause_image = "$REGISTRY/pause:latest"
	pause_command = ""
	[crio.network]
	network_dir = "$CNI"
	plugin_dirs = ["/usr/lib/cni"]
	[crio.metrics]
	enable_metrics = false
	T
	eval "supervised $1 $(without_cgroup2) $ROOT/build/peers/crio --config $d/crio.conf --config-dir ''"
}
