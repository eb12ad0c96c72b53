# forty.story - starts forty static pods at once, on a node that has their image, and measures the time until all run. See forty.

. "$(dirname "$0")/node.sh"

all_run() { [ "$(pods | jq '[.items[] | select(.status.phase == "Running")] | length')" = 40 ] || { sleep 0.1; return 1; }; }

node_start
run first
settled first
for n in $(seq 40); do sed "s/name: first/name: pod$n/" "$HERE/manifests/first.yaml" >"$T/pod$n.yaml"; done
end first
ok 'the node is empty' until_ok 30 gone
begun=$(date +%s%3N)
mv "$T"/pod*.yaml "$T/kubelet/manifests/"
ok 'forty pods run' until_ok 120 all_run
echo "# $RUNTIME: 40 static pods ran after $(($(date +%s%3N) - begun)) ms"
node_stop
