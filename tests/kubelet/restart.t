# restart.t - the runtime is killed, the kubelet is restarted, both at once: pods run on and nothing is started again.

. "$(dirname "$0")/node.sh"

node_start
run first talks ports shared
settled first talks ports shared
identities() { pods | jq -c '[.items[].status.containerStatuses[] | [.name, .containerID, .restartCount, .state.running.startedAt]] | sort'; }
before=$(identities)
runtime_pid() { if [ "$RUNTIME" = crisp ]; then crispd_pid; else pgrep -f "^$ROOT/build/peers/containerd --config $T/" | head -1; fi; }
back() { $CRICTL version && [ "$(runtime_pid)" != "$killed" ]; }
answers() { [ "$(in_pod first main cat /tmp/word)" = 'a word' ]; }
all_ready() { pods | jq -e '[.items[].status.conditions[] | select(.type == "Ready").status] | length == 4 and all(. == "True")'; }

for what in 'the runtime is killed' 'the kubelet is restarted' 'both'; do
	killed=$(runtime_pid)
	[ "$what" = 'the runtime is killed' ] || kubelet_stop
	if [ "$what" != 'the kubelet is restarted' ]; then
		kill -9 "$killed"
		ok "$what: it comes back" until_ok 30 back # a kubelet without a runtime exits
	fi
	[ "$what" = 'the runtime is killed' ] || kubelet_start
	ok "$what: all pods are ready" until_ok 60 all_ready
	is "$what: every container is the same, with its start and restart count" "$(identities)" "$before"
	ok "$what: a command" until_ok 30 answers # after the kubelet has connected again
	in_pod talks main dd of=/tmp/more if=/proc/sys/kernel/ostype >/dev/null
	said() { [ "$(log talks main | grep -c '^Linux$')" = "$1" ]; }
	words=$((${words-0} + 1))
	ok "$what: its log goes on" until_ok 10 said $words
done
run once limits
settled once limits
is 'a new pod runs' "$(log once main)" 'done'
ok 'cAdvisor has its network' until_ok 60 has container_network_receive_bytes_total limits
node_stop
