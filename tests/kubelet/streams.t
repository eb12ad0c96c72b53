# streams.t - logs and exec through the kubelet's own API: plain, over SPDY and over WebSocket.

. "$(dirname "$0")/node.sh"
encoded() { jq -rn --arg s "$1" '$s | @uri'; }
CLIENT="timeout 30 $ROOT/tests/lib/stream_client command"

node_start
run talks
settled talks
is 'both streams are in the log' "$(log talks main | sort)" 'to stderr
to stdout'
is 'the last line of it' "$(log talks main tailLines=1 | wc -l)" 1
like 'with times' "$(log talks main timestamps=true)" '^20[0-9-]+T[0-9:.]+(Z|[+-][0-9:]+) to std'

curl -skN --noproxy '*' -m 60 "$API/containerLogs/default/talks-node/main?follow=true" >"$T/followed" &
follower=$!
ok 'the follower has what was said' until_ok 10 grep -q 'to stdout' "$T/followed"
in_pod talks main 'dd of=/tmp/more if=/proc/sys/kernel/ostype' >/dev/null
ok 'and hears what is said next' until_ok 10 grep -q '^Linux$' "$T/followed"

is 'a command' "$(in_pod talks main cat /etc/passwd | head -1)" 'root:x:0:0:root:/root:/bin/sh'
like 'one that fails' "$(in_pod talks main ls /nothing)" 'command terminated with exit code 1|exited with 1'
u="$API/exec/default/talks-node/main?command=sh&command=-c&command=$(encoded 'cat; echo err >&2; exit 3')&input=1&output=1&error=1"
printf 'over the wire' >"$T/in"
for kind in '' '--ws --protocol v5.channel.k8s.io'; do
	said=$($CLIENT "$u" in,out,err --stdin "$T/in" $kind)
	is "exec ${kind:-over SPDY}: output" "$(jq -r .stdout <<<"$said") $(jq -r .stderr <<<"$said")" 'over the wire err'
	is 'its exit code' "$(jq -r '.error | fromjson | "\(.reason) \(.details.causes[0].message)"' <<<"$said")" 'NonZeroExitCode 3'
done
u="$API/exec/default/talks-node/main?command=sh&command=-c&command=$(encoded 'until [ "$(stty size 2>/dev/null)" = "33 99" ]; do sleep 0.1; done; stty size')&input=1&output=1&tty=1"
like 'a terminal has the size it is told' "$($CLIENT "$u" in,out,tty --resize 99,33 | jq -r .stdout)" '^33 99'

# Attach: the container's own streams.
u="$API/attach/default/talks-node/echoes?input=1&output=1&error=1"
like 'attach talks to its first process' "$($CLIENT "$u" in,out,err --text 'hello\n' --until heard | jq -r .stdout)" '^heard hello'
is 'and the log has it' "$(log talks echoes)" 'heard hello'

# Port-forward.
forward="timeout 30 $ROOT/tests/lib/stream_client forward $API/portForward/default/talks-node 7000"
is 'port-forward carries bytes both ways' "$($forward 3 100000 | jq -c '[.status, .good]')" '[101,3]'
kill $follower 2>/dev/null; wait $follower 2>/dev/null
node_stop
