# crisp.sh - gives a test its own crisp: directories, config, CNI network, crictl. Sourced; needs BUILD, TOOLS, REGISTRY, WORK.
#
# Tests run inside the network, mount and process namespaces that tests/system/one makes, so fixed names are free.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"
# Without its own directory the test would write, and remove files, at the root of the machine: end at once.
T=$(mktemp -d "${WORK:?}/$(basename "$0" .t).XXXXXX") && [ -d "$T" ] || { echo 'Bail out! no work directory'; exit 1; }
chmod 711 "$WORK" "$T" # the root user of a user namespace must reach bundles and snapshots
# No call waits for ever: where an answer never comes, the check that waits for it fails, by its name. BARE_CRICTL is for a test
# that kills crictl with SIGKILL, which timeout(1) could not pass on.
BARE_CRICTL="$TOOLS/crictl --config $T/crictl.yaml"
CRICTL="timeout --foreground -k 5 $((240 * ${SLOW:-1})) $BARE_CRICTL"
CGROUP=/crisp-test-$(basename "$WORK")-$(basename "$T")
# CGROUP_DRIVER=systemd: groups are units, and the root group is a slice without a parent.
[ "${CGROUP_DRIVER:=cgroupfs}" != systemd ] || CGROUP=/$(echo "$CGROUP" | tr -dc 'a-zA-Z0-9').slice
KEEPER=

# crisp_config [LINE...]: writes the config file, and the LINEs at its end.
crisp_config() {
	mkdir -p "$T/cni" "$T/certs.d" "$T/logs"
	cat >"$T/config.yaml" <<-Y
	root: $T/root
	state: $T/state
	netns_dir: $T/netns
	cgroup: {driver: $CGROUP_DRIVER, root: $CGROUP}
	cni: {bin_dirs: [/opt/cni/bin, /usr/lib/cni], conf_dir: $T/cni, cache_dir: $T/cni-cache}
	registry: {config_path: $T/certs.d}
	log: {level: ${LEVEL:-debug}}
	Y
	# RUNC=PATH: a runc instead of the machine's, for example of tests/tools/runc/build. Not where a test configures runtimes.
	# HANDLER=NAME: the default handler, where a test that configures runtimes has it too.
	[[ "$*" == *runtimes:* ]] || cat >>"$T/config.yaml" <<-Y
	runtimes: {runc: {type: oci, path: ${RUNC:-/usr/sbin/runc}}, crun: {type: oci, path: /usr/bin/crun},
	  native: {type: native, fallback: runc}$(runsc_handler "$*")$(shim_handler "$*")}
	Y
	[ -z "${HANDLER-}" ] || [[ "$*" == *runtime:* ]] || [[ "$*" == *runtimes:* && "$*" != *"$HANDLER: "* ]] ||
		echo "runtime: {default: $HANDLER}" >>"$T/config.yaml"
	# NETWORK=cni: pods get their networks by plugins, also where crisp could make them. Not where a test configures it.
	[ -z "${NETWORK-}" ] || [[ "$*" == *network:* ]] || echo "network: $NETWORK" >>"$T/config.yaml"
	printf '%s\n' "$@" >>"$T/config.yaml"
	printf 'runtime-endpoint: unix://%s/state/crisp.sock\nimage-endpoint: unix://%s/state/crisp.sock\ntimeout: %s\n' "$T" "$T" \
		$((30 * ${SLOW:-1})) >"$T/crictl.yaml"
}

# runsc_handler LINES: gVisor, where it is asked for.
runsc_handler() {
	[[ "${HANDLER-} $1" != *runsc* ]] ||
		printf ', runsc: {path: %s, sandbox: container, args: [--oci-seccomp, --allow-suid]}' "$TOOLS/runsc"
}

# shim_handler LINES: the runc shim of containerd, where it is asked for; SHIM=PATH: another one; SHIM_SANDBOX=api: with that sandbox.
shim_handler() {
	[[ "${HANDLER-} $1" != *shim* ]] || printf ', shim: {type: shim, path: %s, binary: %s, sandbox: %s}' \
		"${SHIM:-$TOOLS/containerd-shim-runc-v2}" "${RUNC:-/usr/sbin/runc}" "${SHIM_SANDBOX:-none}"
}

# cni_config [NAME]: writes a CNI configuration: a bridge with masquerade and port mapping.
cni_config() {
	cat >"$T/cni/${1:-10-test.conflist}" <<-J
	{"cniVersion":"1.0.0","name":"t$(basename "$T" | tr -dc 'a-zA-Z0-9' | tail -c 8)","plugins":[
	 {"type":"bridge","bridge":"crisptest0","isGateway":true,"ipMasq":true,"hairpinMode":true,
	  "ipam":{"type":"host-local","dataDir":"$T/ipam","ranges":[[{"subnet":"10.200.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
	 {"type":"portmap","capabilities":{"portMappings":true}}]}
	J
}

crisp_answers() { $CRICTL version; }
crisp_ready() { $CRICTL info | grep -A1 '"RuntimeReady"\|RuntimeReady' >/dev/null && $CRICTL pods -q; }
crisp_start() {
	$BUILD/crisp-keeper --config "$T/config.yaml" >>"$T/crisp.log" 2>&1 &
	KEEPER=$!
	until_ok 20 crisp_ready || { echo "# crisp did not start:"; tail -20 "$T/crisp.log" | sed 's/^/#   /'; return 1; }
}
# crisp_up [LINE...]: the beginning of most tests: writes the configurations, starts crisp, pulls busybox.
crisp_up() {
	crisp_config "$@"
	cni_config
	crisp_start || exit 1
	$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
}
crispd_pid() { pgrep -f "^[^ ]*crispd --config $T/config.yaml" | head -1; }
# kill_crispd: kills crispd by SIGKILL and waits until its successor answers.
kill_crispd() { local old; old=$(crispd_pid); kill -9 "$old"; until_ok 10 back_after "$old"; }
back_after() { [ -n "$(crispd_pid)" ] && [ "$(crispd_pid)" != "$1" ] && crisp_ready; }
keeper_ended() { ! kill -0 "$KEEPER" 2>/dev/null; }
crisp_stop() {
	[ -n "$KEEPER" ] || return 0
	kill "$KEEPER" 2>/dev/null
	until_ok 60 keeper_ended || { fail 'the keeper ends within a minute of SIGTERM'; kill -9 "$KEEPER"; }
	wait "$KEEPER" 2>/dev/null
	KEEPER=
}

# anchor_end: for a test that plays a reboot: the anchor, which stays for as long as something is kept, ends with the machine.
anchor_end() { pgrep -f "crisp-anchor $T/state" | xargs -r kill -9; }

# node_off: the same, for the daemons, their mounts and their state directory. Processes and cgroups of pods are the test's.
node_off() {
	crisp_stop
	anchor_end
	awk -v t="$T/" 'index($5 "/", t "state/") == 1 || index($5 "/", t "netns/") == 1 { print $5 }' /proc/self/mountinfo | tac |
		xargs -r -n1 umount -l
	rm -rf "$T/state" "$T/netns"
}
# of_other_boot FILE...: these records were written before the reboot.
of_other_boot() { sed -i "s/$(cat /proc/sys/kernel/random/boot_id)/01234567-89ab-cdef-0123-456789abcdef/g" "$@"; }

# crisp_clean: removes all pods, stops crisp and checks that nothing is left. Ends the test.
crisp_clean() {
	local p
	for p in $($CRICTL pods -q 2>/dev/null); do $CRICTL stopp "$p" >/dev/null 2>&1; $CRICTL rmp -f "$p" >/dev/null 2>&1; done
	until_ok 10 no_cgroups
	crisp_stop
	umount "$T"/state/runtime/*/null-netns 2>/dev/null # runsc leaves it (ARCHITECTURE X71)
	until_ok 5 no_processes # crisp-unpack may still remove a tree; it ends by itself
	is 'no process is left' "$(leftover_processes)" ''
	is 'no mount is left' "$(grep -F " $T/" /proc/self/mountinfo | awk '{print $5}')" ''
	is 'no network namespace is left' "$(ls "$T/netns" 2>/dev/null)" ''
	is 'no cgroup is left' "$(leftover_cgroups)" ''
	if [ $CGROUP_DRIVER = systemd ]; then
		is 'no unit is left' "$(systemctl list-units --all --plain --no-legend 'crisp-*.scope' "${CGROUP:1:-6}-*" 2>&1)" ''
		systemctl stop "${CGROUP#/}"
	fi
	# Of a pod nothing; a network's empty set stays until `crisp check --repair`, and must not meet the next test.
	is 'no rule of nftables is left' "$(nft list table inet crisp 2>/dev/null | grep -o 'comment "[0-9a-f]\{64\}"' | sort -u)" ''
	nft delete table inet crisp 2>/dev/null
	for p in $(ip -br link show type bridge | grep -o '^crisptest[0-9]*'); do ip link del "$p"; done
	# undo_kill.t checks these. Where a test simulates a reboot they stay, and must not meet the next test.
	iptables_of_ours >"$T/rules"; [ ! -s "$T/rules" ] || { echo "# $(wc -l <"$T/rules") rules of iptables were left"; iptables_clean; }
	is 'no address is left leased' "$(find "$T/ipam" -name '[0-9]*.[0-9]*' 2>/dev/null)" ''
	is 'no bundle or sandbox directory is left' \
		"$(ls "$T/state/containers" "$T/state/sandboxes" 2>/dev/null | grep -v :$ | tr -d '\n')" ''
	is 'no snapshot and no record is left' "$(ls "$T/root/snapshots" "$T/root/containers" "$T/root/sandboxes" \
		"$T/root/sandbox-files" "$T"/state/runtime/*/tasks 2>/dev/null | grep -E '[0-9a-f]{8}')" ''
	if [ "$tap_bad" != 0 ]; then
		grep -E ' (warn|error) |Sanitizer' "$T/crisp.log" | tail -${SHOW:-15} | sed 's/^/# log: /'
	fi
	is 'no sanitizer has reported' "$(grep -A16 -E 'Sanitizer|runtime error:' "$T/crisp.log")" ''
	tap_end; local rc=$?
	[ -n "${KEEP-}" ] || rm -rf "$T"
	exit $rc
}
leftover_processes() { ps -eo pid,args | grep -F "$T/" | grep -vE 'grep|prove|/bin/(ba)?sh|\.t$' | head -5; }
# By the name of the network, which every test has its own of.
network_name() { jq -r .name "$T"/cni/*.conflist 2>/dev/null | head -1; }
iptables_of_ours() { local n; n=$(network_name); [ -z "$n" ] || iptables-save -t nat 2>/dev/null | grep -F "$n"; }
iptables_clean() { iptables-save -t nat | grep -vF "$(network_name)" | iptables-restore -T nat; }
leftover_cgroups() { find /sys/fs/cgroup -depth -type d -path "*$CGROUP/*" 2>/dev/null; }
no_processes() { [ -z "$(leftover_processes)" ]; }
no_cgroups() { [ -z "$(leftover_cgroups)" ]; }

# pod_json NAME [EXTRA]: writes a sandbox config with the further members EXTRA, and prints its path. "pid": 1 is CONTAINER.
pod_json() {
	cat >"$T/$1.pod.json" <<-J
	{"metadata":{"name":"$1","uid":"$1-uid","namespace":"default","attempt":1},"log_directory":"$T/logs",
	 "linux":{"security_context":{"namespace_options":{"pid":1}}}${2:+,$2}}
	J
	echo "$T/$1.pod.json"
}
# ctr_json NAME SCRIPT [EXTRA]: writes the config of a busybox container that runs `sh -c SCRIPT`, and prints its path.
ctr_json() {
	jq -n --arg n "$1" --arg s "$2" --arg i "$REGISTRY/busybox:latest" --arg l "$1.log" --argjson x "{${3-}}" \
		'{metadata:{name:$n,attempt:1},image:{image:$i},command:["sh","-c",$s],log_path:$l,linux:{}} * $x' >"$T/$1.ctr.json"
	echo "$T/$1.ctr.json"
}
state_of() { $CRICTL inspect "$1" | jq -r .status.state; }
exit_of() { $CRICTL inspect "$1" | jq -r .status.exitCode; }
exited() { [ "$(state_of "$1")" = CONTAINER_EXITED ]; }
log_text() { cut -d' ' -f4- "$T/logs/$1.log"; }
# log_lines FILE [STREAM]: the lines of a log. One that was read in pieces (tag P), as when crispd dies within it, is one line.
log_lines() {
	awk -v s="${2-}" 's == "" || $2 == s { sub(/^[^ ]* [^ ]* /, ""); printf "%s%s", substr($0, 3), substr($0, 1, 1) == "F" ? "\n" : "" }' "$1"
}
