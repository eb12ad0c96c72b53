# instances.t - one state directory has one crisp; two with their own directories, cgroups and networks run side by side.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
cni_config
crisp_start || exit 1

# A second instance with the same configuration.
second() { timeout ${2:-10} "$BUILD/crisp-keeper" --config "$1" >"$T/out" 2>&1; rc=$?; }
second "$T/config.yaml"
is 'the same configuration again: exit' "$rc" 1
pid=$(cat "$T/state/front.lock")
like 'it names the directory and the process that has it' "$(cat "$T/out")" "state directory $T/state belongs to the keeper with pid $pid"
ok 'that is the one' sh -c "tr '\\0' ' ' </proc/$pid/cmdline | grep -q crisp-keeper"
ok 'which serves on' $CRICTL pods

# Another state directory with the same root: two writers would damage images and records.
sed "s|^state: .*|state: $T/state2|" "$T/config.yaml" >"$T/root-again.yaml"
second "$T/root-again.yaml" 2
like 'the same root again: it names the directory and the process' "$(cat "$T/out")" "start_failed.*root $T/root belongs to the crispd with pid $(crispd_pid)"
ok 'the first one serves on' $CRICTL pods

# Another instance with the same socket.
mkdir "$T/three"
{ echo "root: $T/three/root"; echo "state: $T/three/state"; echo "listen: [unix://$T/state/crisp.sock]"; } >"$T/socket-again.yaml"
second "$T/socket-again.yaml" 2
like 'the same socket again: it names it and the process' "$(cat "$T/out")" "start_failed.*$T/state/crisp.sock: pid $(crispd_pid) listens there already"
ok 'the first one has its socket' $CRICTL pods
rm -rf "$T/three" "$T/state2"

# A root directory in an overlay, as in a container.
mkdir -p "$T/over/low" "$T/over/up" "$T/over/work" "$T/over/at"
mount -t overlay -o "lowerdir=$T/over/low,upperdir=$T/over/up,workdir=$T/over/work" none "$T/over/at"
sed "s|^root: .*|root: $T/over/at/root|; s|^state: .*|state: $T/state4|" "$T/config.yaml" >"$T/over.yaml"
second "$T/over.yaml" 2
like 'a root in an overlay: what it must be' "$(cat "$T/out")" \
	"start_failed.*no overlay below $T/over/at/root, which must be on .*, not in an overlay: "
umount "$T/over/at"; rm -rf "$T/over" "$T/state4"

# A second instance with all its own directories.
(
	first=$T T=$T/neighbour
	mkdir "$T"
	CGROUP=$CGROUP-neighbour
	CRICTL="$TOOLS/crictl --config $T/crictl.yaml"
	crisp_config
	cni_config
	sed -i 's/crisptest0/crisptest1/; s/10\.200\./10.201./' "$T"/cni/*
	crisp_start || exit 1
	echo "$KEEPER" >"$T/keeper"
) || fail 'a neighbour starts'
in_neighbour() { local T=$T/neighbour CRICTL="$TOOLS/crictl --config $T/neighbour/crictl.yaml" CGROUP=$CGROUP-neighbour; "$@"; }
pod_and_container() { # prints pod and container
	$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null || return 1
	local pod; pod=$($CRICTL runp "$(pod_json same)") || return 1
	local ctr; ctr=$($CRICTL create "$pod" "$(ctr_json same 'echo here; while :; do sleep 0.1; done')" "$T/same.pod.json") || return 1
	$CRICTL start "$ctr" >/dev/null || return 1
	echo "$pod $ctr"
}
read -r pod ctr < <(pod_and_container)
read -r npod nctr < <(in_neighbour pod_and_container)
is 'a pod here' "$(state_of "$ctr")" CONTAINER_RUNNING
is 'a pod of the same name there' "$(in_neighbour state_of "$nctr")" CONTAINER_RUNNING
is 'each sees its own' "$($CRICTL pods -q --no-trunc) $(in_neighbour eval '$CRICTL pods -q --no-trunc')" "$pod $npod"
like 'in a network of its own' "$(in_neighbour eval '$CRICTL inspectp '"$npod" | jq -r .status.network.ip)" '^10\.201\.'
kill -9 "$(crispd_pid)"
ok 'one dies: it comes back' until_ok 10 $CRICTL pods
is 'the other one did not notice' "$(grep -c 'crispd end' "$T/neighbour/crisp.log")" 0
is 'both pods run' "$(state_of "$ctr") $(in_neighbour state_of "$nctr")" 'CONTAINER_RUNNING CONTAINER_RUNNING'
$CRICTL rmp -f "$pod" >/dev/null 2>&1
is 'the pod there outlives the one here' "$(in_neighbour state_of "$nctr")" CONTAINER_RUNNING
ok 'and works' in_neighbour eval '$CRICTL exec -s '"$nctr"' true'
in_neighbour eval '$CRICTL rmp -f '"$npod" >/dev/null 2>&1
ok 'its cgroups go' until_ok 10 in_neighbour no_cgroups
keeper=$(cat "$T/neighbour/keeper")
kill "$keeper"
ok 'it ends' until_ok 10 ended $keeper
is 'it leaves no network namespace' "$(ls "$T/neighbour/netns" 2>/dev/null)" ''
is 'nor an address' "$(find "$T/neighbour/ipam" -name '[0-9]*.[0-9]*' 2>/dev/null)" ''

# A socket file whose owner is dead is replaced; a file that is no socket is not.
crisp_stop
rm -f "$T/state/crisp.sock"
python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.bind('$T/state/crisp.sock')"
if crisp_start; then pass 'a socket that nobody listens on is taken over'; else fail 'a socket that nobody listens on is taken over'; fi
is 'it is for root alone' "$(stat -c '%a %u %g' "$T/state/crisp.sock")" '660 0 0'
crisp_stop
rm -f "$T/state/crisp.sock"
echo precious >"$T/state/crisp.sock"
second "$T/config.yaml" 2
like 'a file in its place is named' "$(cat "$T/out")" "start_failed.*$T/state/crisp.sock"
is 'and left alone' "$(cat "$T/state/crisp.sock")" precious
rm -f "$T/state/crisp.sock"
if crisp_start; then pass 'without it all is well'; else fail 'without it all is well'; fi
crisp_clean
