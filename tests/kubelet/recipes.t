# recipes.t - the kubelet takes the configuration that docs/kubelet.md has, and what follows from it: seccomp for pods
# that ask for none, a pod with a user namespace, a checkpoint.

. "$(dirname "$0")/node.sh"

mapfile -t lines < <(sed -n '/^## The configuration/,/^|/s/^    \([a-zA-Z]*: .*\)/\1/p' "$ROOT/docs/kubelet.md")
ok 'docs/kubelet.md has a configuration' [ ${#lines[@]} -gt 8 ]
node_start "${lines[@]}"
configz() { curl -sk --noproxy '*' -m 20 "$API/configz" | jq -c ".kubeletconfig.$1"; }
is 'the kubelet has it: pulls' "$(configz maxParallelImagePulls)" 5
is 'seccomp' "$(configz seccompDefault)" true
is 'its shutdown' "$(configz shutdownGracePeriod)" '"1m0s"'
run first
settled first
like 'a pod that asks for no seccomp has the default' "$(in_pod first main cat /proc/1/status)" '^Seccomp:.*2$'

can_map() { $CRICTL info | jq -e '.runtimeHandlers[]? | select((.name // "") == "") | .features.user_namespaces'; }
if until_ok 10 can_map; then
	run mapped
	settled mapped
	like 'its root is somebody else on the node' "$(in_pod mapped main cat /proc/self/uid_map)" \
		'^ *0 +[1-9][0-9]{4,} +65536$'
else
	skip 'a pod with a user namespace' 'the runtime has none'
fi

if [ "$RUNTIME" != crisp ]; then
	skip 'a checkpoint' 'this configuration of containerd has none'
elif ! why=$(criu check 2>&1); then
	skip 'a checkpoint' "criu does not work here: $(grep -m1 Error <<<"$why" | sed 's/.*): //')"
else
	answer=$(curl -sk -X POST --noproxy '*' -m 60 "$API/checkpoint/default/first-node/main")
	archive=$(jq -r '.items[0]' <<<"$answer")
	ok 'a checkpoint by the kubelet' test -s "$archive"
	like 'has memory in it' "$(tar -tf "$archive")" 'checkpoint/pages-1.img'
	is 'the container runs on' "$(in_pod first main cat /tmp/word)" 'a word'
	rm -f "$archive"
fi
node_stop
