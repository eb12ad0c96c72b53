# registry.sh - starts Debian's docker-registry on a free loopback port, with its own directory. Sourced.

# registry_start DIR [YAML-LINE...]: sets REGISTRY (host:port) and REGISTRY_PID. REGISTRY_PORT: this port instead of a free one.
registry_start() {
	local dir=$1 try; shift
	mkdir -p "$dir"
	for try in 1 2 3 4 5; do
		REGISTRY=127.0.0.1:${REGISTRY_PORT:-$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}
		{
			printf 'version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n'
			printf 'storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\nhttp:\n  addr: %s\n' "$dir" "$REGISTRY"
			[ $# = 0 ] || printf '%s\n' "$@"
		} >"$dir/config.yml"
		docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 &
		REGISTRY_PID=$!
		for _ in $(seq $((200 * ${SLOW:-1}))); do
			(exec 3<>"/dev/tcp/${REGISTRY%:*}/${REGISTRY#*:}") 2>/dev/null && return 0
			kill -0 "$REGISTRY_PID" 2>/dev/null || break
			sleep 0.05
		done
	done
	echo "the registry did not start:" >&2; tail -5 "$dir/log" >&2
	return 1
}
registry_stop() { kill "$REGISTRY_PID" 2>/dev/null; wait "$REGISTRY_PID" 2>/dev/null; true; }
