# network.t - hostPort, hostNetwork, names; a shared process namespace.

. "$(dirname "$0")/node.sh"

node_start
run ports hostnet shared
settled ports hostnet shared
node_address=$(ip -4 -o addr show crisptest0 | awk '{print $4}' | cut -d/ -f1)
is 'a port of the node leads into the pod' "$(curl -s --noproxy '*' -m 5 "http://$node_address:18080/")" 'behind the port'
is 'so does its own address' "$(curl -s --noproxy '*' -m 5 "http://$(pod ports .status.podIP):8080/")" 'behind the port'
is 'one on the node itself' "$(curl -s --noproxy '*' -m 5 http://127.0.0.1:18081/)" 'on the node'
is 'its address is the node'"'"'s' "$(pod hostnet .status.podIP)" "$(pod hostnet .status.hostIP)"
is 'names to look up with' "$(in_pod ports web cat /etc/resolv.conf)" 'search story.invalid
nameserver 192.0.2.53
options ndots:2'
like 'its own name and an alias' "$(in_pod ports web cat /etc/hosts)" "^$(pod ports .status.podIP)	harbour\$"
like 'the alias' "$(in_pod ports web cat /etc/hosts)" '^192\.0\.2\.7	lighthouse$'
is 'the host name' "$(in_pod ports web cat /proc/sys/kernel/hostname)" harbour
end ports
ok 'it goes' until_ok 30 ended ports
notok 'and its port with it' curl -s --noproxy '*' -m 2 "http://$node_address:18080/"
node_stop
