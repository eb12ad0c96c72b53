# probes.t - exec, http and tcp probes; as startup, readiness and liveness.

. "$(dirname "$0")/node.sh"

node_start
run probes unready unhealthy
settled probes unready unhealthy
like 'a liveness probe said no' "$(pod unhealthy '[.status.containerStatuses[].lastState.terminated.reason] | join(" ")')" '^(Error|Completed) (Error|Completed)$'
# containerd kills only the process that it has started; its descendants stay in the container.
if [ "$RUNTIME" = crisp ]; then
	ok 'a probe that takes too long is killed with all it started' until_ok 10 no_process 'sleep 777'
fi
ok 'and what is left of one is killed with its container' until_ok 10 no_process 'sleep 778'
node_stop
