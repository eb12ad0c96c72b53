# lifecycle.t - starts, ends and restarts of containers: init containers, restart policies, hooks, grace, termination messages.

. "$(dirname "$0")/node.sh"

node_start
run inits badinit once fails absent retries crashes hooks badhook stubborn

# Endings.
settled once fails badinit
is 'a last word from its file' "$(pod once '.status.containerStatuses[0].state.terminated | "\(.exitCode) \(.reason) \(.message)"')" \
	'0 Completed the last word'
is 'last words from the log' "$(pod fails '.status.containerStatuses[0].state.terminated | "\(.exitCode) \(.reason) \(.message)"')" \
	'7 Error what went wrong'
is 'behind a failed init container nothing begins' "$(pod badinit '.status.containerStatuses[0].state.waiting.reason')" PodInitializing

# Order.
settled inits
is 'init containers and a sidecar, in order' "$(log inits main)" 'one
sidecar
two'

# Restarts.
settled retries crashes absent
is 'the third try succeeded' "$(pod retries '.status.containerStatuses[0].restartCount')" 2
said_before() { [ "$(log crashes main previous=true)" = run ]; } # the kubelet removes the container before when another ends
ok 'what it said the time before' until_ok 10 said_before
like 'a command that is not there' "$(pod absent '.status.containerStatuses[0].lastState.terminated | "\(.exitCode) \(.reason) \(.message)"')" \
	'^128 StartError .*/no/such/program'

# Hooks and grace.
settled hooks stubborn badhook
is 'postStart ran before it was ready' "$(cat /mnt/hooks/said)" postStart
end hooks stubborn
ok 'both go' until_ok 30 ended hooks stubborn
is 'preStop, then TERM' "$(cat /mnt/hooks/said)" 'postStart
preStop
TERM'
is 'TERM was ignored' "$(cat /mnt/stubborn/said)" TERM
node_stop
