# first.t - the shortest story: one static pod starts, has an address, a log and an exec, and is removed.

. "$(dirname "$0")/node.sh"

node_start
run first
settled first
like 'it has an address' "$(pod first .status.podIP)" '^10\.200\.'
is 'its log' "$(log first main)" up
is 'a command in it' "$(in_pod first main cat /tmp/word)" 'a word'
node_stop
