# containerd.sh - containerd with runc and crun, as a CRI server beside crisp. Sourced after node.sh and node_start.
#
# restrict_oom_score_adj: containerd then works without CAP_SYS_RESOURCE, which a test machine in a container may lack.
# A server that runs crun has a mount namespace without the cgroup2 mount of a hybrid host: Debian's crun refuses such a mount.

peer_certs() { # a hosts.toml for the registry, which speaks plain HTTP
	mkdir -p "$WORK/certs.d/$REGISTRY"
	printf 'server = "http://%s"\n[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$REGISTRY" "$REGISTRY" >"$WORK/certs.d/$REGISTRY/hosts.toml"
}

# New containerd and CRI-O call crun through crun_wrap.c, which changes config.json so that Debian's crun accepts it; about 1 ms a
# call.
peer_crun() { [ -x "$WORK/crun-for-peers" ] || gcc -O2 -static -o "$WORK/crun-for-peers" "$ROOT/bench/peers/crun_wrap.c"; }

# supervised NAME COMMAND...: starts COMMAND again whenever it ends, like a service manager, until the supervisor is killed. Adds the
# supervisor to PEERS.
supervised() {
	local name=$1; shift
	(
		trap 'kill $child 2>/dev/null; wait $child; exit' TERM
		while :; do
			"$@" >>"$WORK/$name/log" 2>&1 &
			child=$!
			wait $child
			rm -f "$WORK/run/$name.sock" # a leftover would be taken for the server
		done
	) &
	local supervisor=$!
	wait_for "$WORK/run/$name.sock" || { kill $supervisor; tail -20 "$WORK/$name/log" >&2; return 1; } # else it starts it without end
	PEERS="${PEERS-} $supervisor"
}

# without_cgroup2: the words in front of a command that must not see the cgroup2 mount.
without_cgroup2() {
	if mountpoint -q /sys/fs/cgroup/unified; then
		echo "unshare --mount --propagation private sh -c 'umount /sys/fs/cgroup/unified; exec \"\$@\"' -"
	fi
}

containerd_runtimes() { # PREFIX
	local r path
	for r in runc crun; do
		path=$RUNC; [ $r = runc ] || path=$WORK/crun-for-peers
		printf '[%s.runtimes.%s]\n  runtime_type = "io.containerd.runc.v2"\n  [%s.runtimes.%s.options]\n    BinaryName = "%s"\n' "$1" $r "$1" $r "$path"
	done
}

# containerd_2_start NAME [hide]: the containerd of build/peers.
containerd_2_start() {
	local d=$WORK/$1 cri='plugins."io.containerd.cri.v1.runtime"'
	peer_certs; peer_crun; mkdir -p "$d"
	{
		cat <<-T
		version = 3
		root = "$d/root"
		state = "$WORK/run/$1"
		[grpc]
		  address = "$WORK/run/$1.sock"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$d/opt"
		[plugins."io.containerd.grpc.v1.cri"]
		  stream_server_address = "127.0.0.1"
		  stream_server_port = "0"
		[plugins."io.containerd.cri.v1.images"]
		  snapshotter = "overlayfs"
		  [plugins."io.containerd.cri.v1.images".pinned_images]
		    sandbox = "$REGISTRY/pause:latest"
		  [plugins."io.containerd.cri.v1.images".registry]
		    config_path = "$WORK/certs.d"
		[$cri]
		  restrict_oom_score_adj = true
		[$cri.cni]
		  bin_dirs = ["/usr/lib/cni"]
		  conf_dir = "$CNI"
		[$cri.containerd]
		  default_runtime_name = "runc"
		T
		containerd_runtimes "$cri.containerd"
	} >"$d/config.toml"
	PATH=$ROOT/build/peers:$PATH
	eval "supervised $1 ${2:+$(without_cgroup2)} $ROOT/build/peers/containerd --config $d/config.toml"
}

# containerd_1_start NAME [hide]: Debian's.
containerd_1_start() {
	local d=$WORK/$1 cri='plugins."io.containerd.grpc.v1.cri"'
	peer_certs; peer_crun; mkdir -p "$d"
	{
		cat <<-T
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
		[$cri.registry]
		  config_path = "$WORK/certs.d"
		[$cri.containerd]
		  snapshotter = "overlayfs"
		  default_runtime_name = "runc"
		T
		containerd_runtimes "$cri.containerd"
	} >"$d/config.toml"
	eval "supervised $1 ${2:+$(without_cgroup2)} env PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/bin/containerd --config $d/config.toml"
}
