# attack_cve_node.t - local users of the node, clients of the streaming server, and containers against the daemons: sockets,
# tokens, ports, floods, pids that are used again, words in logs and messages. docs/security.md has the table of CVEs.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
CLIENT="timeout $((20 * ${SLOW:-1})) $ROOT/tests/lib/stream_client"
CRISP="$BUILD/crisp --address unix://$T/state/crisp.sock"

LEVEL=debug
crisp_up 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done
pod=$($CRICTL runp "$(pod_json n)" 2>/dev/null)
ctr=$($CRICTL create "$pod" "$(ctr_json n 'exec sleep 1000')" "$T/n.pod.json" 2>/dev/null)
$CRICTL start "$ctr" >/dev/null
daemon=$(crispd_pid)
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
url() { rpc "$1" "$2"; sed -n 's/^url: "\(.*\)"/\1/p' <<<"$answer"; }
exec_url() { url Exec "container_id: \"$ctr\" cmd: \"echo\" cmd: \"heard\" stdout: true"; }
http_code() { curl -s -o /dev/null --max-time $((10 * ${SLOW:-1})) --noproxy '*' -w '%{http_code}' "$@"; }
ms() { date +%s%3N; }
answers_in() { local begin; begin=$(ms); rpc Version && [ "$code" = OK ] && [ $(($(ms) - begin)) -lt $(($1 * ${SLOW:-1})) ]; }

# ---- local users ----
for s in crisp http keeper; do
	like "$s.sock belongs to root" "$(stat -c '%U %a' "$T/state/$s.sock")" '^root 6[06]0$'
	is "$s.sock is closed to nobody" "$(nobody /usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
try: s.connect(sys.argv[1])
except OSError as e: print(e.strerror)' "$T/state/$s.sock" 2>&1)" 'Permission denied'
done
is 'there are no abstract sockets, which a network namespace would share' "$(awk '$8 ~ /^@/' /proc/net/unix)" ''
port=$(exec_url | sed -E 's,.*:([0-9]+)/.*,\1,')
is 'the only port is the streaming server, on loopback' "$(ss -Hltnp | grep -E 'crisp' | awk '{ print $4 }')" "127.0.0.1:$port"
for page in / /metrics /debug/state /debug/pulls; do is "the streaming port has no page $page" "$(http_code "http://127.0.0.1:$port$page")" 404; done

# ---- tokens ----
urls=$(for i in $(seq 20); do exec_url; done)
is '20 tokens, none twice, 18 random bytes each' "$(grep -oE '[A-Za-z0-9_-]{24}$' <<<"$urls" | sort -u | wc -l)" 20
base=$(head -1 <<<"$urls"); base=${base%/*}
is '500 guesses of a local user' "$(nobody curl -s --noproxy '*' -w '%{http_code}\n' -o /dev/null "$base/AAAAAAAAAAAAAAAAAAAAA[100-599]" | sort | uniq -c | tr -s ' ')" ' 500 404'
# A token is good for a minute: each of these is fresh, and that it serves shows that it was good for the checks before.
first=$(exec_url)
is 'a part of a token' "$(http_code "${first%????}")" 404
is 'a token with more behind it' "$(http_code "${first}A")" 404
is 'a token of another verb' "$(http_code "${first/exec/portforward}")" 404
heard=$($CLIENT command "$first" out 2>&1)
is 'the token serves once' "$(jq -r .stdout <<<"$heard")" heard
heard=$($CLIENT command "$first" out 2>&1)
is 'and not twice' "$(jq -r .status <<<"$heard")" 404
token=$(exec_url); token=${token##*/}
is 'no token is in the log' "$(grep -cF -e "$token" "$T/crisp.log")" 0
is 'nor in the pages' "$(for p in /debug/state /metrics; do curl -s --unix-socket "$T/state/http.sock" "http://x$p"; done | grep -cF -e "$token")" 0
first=$(exec_url)
$CRICTL rm -f "$ctr" >/dev/null
heard=$($CLIENT command "$first" out 2>&1)
unlike 'a token for a container that has gone' "$(jq -r .stdout <<<"$heard" 2>/dev/null)" heard

# ---- port-forward ----
python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(8)
open(__import__("sys").argv[1], "w").write(str(s.getsockname()[1]))
while True: c = s.accept()[0]; c.sendall(b"host"); c.close()' "$T/port" &
server=$!
until_ok 10 test -s "$T/port"
heard=$($CLIENT forward "$(url PortForward "pod_sandbox_id: \"$pod\"")" "$(cat "$T/port")" 1 10)
like 'a port of the node is not the port of a pod' "$(jq -r '.texts[0]' <<<"$heard")" 'Connection refused'
kill $server; wait $server 2>/dev/null

# ---- a pid that is used again ----
ctr=$($CRICTL create "$pod" "$(ctr_json reuse 'exec sleep 1000')" "$T/n.pod.json" 2>/dev/null)
$CRICTL start "$ctr" >/dev/null
pid=$($CRICTL inspect "$ctr" | jq .info.pid)
kill -STOP "$daemon" # it learns of the death after the pid is another's
kill -9 "$pid"
until_ok 10 ended $pid
for i in $(seq 20); do
	echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid; sleep 1000 &
	heir=$!
	[ $heir = "$pid" ] && break
	kill $heir; wait $heir 2>/dev/null
done
kill -CONT "$daemon"
if [ $heir = "$pid" ]; then
	notok 'an exec in a container whose pid is another process'\''s' timeout $((20 * ${SLOW:-1})) $CRICTL exec -s "$ctr" true
	$CRICTL stop -t 0 "$ctr" >/dev/null 2>&1
	ok 'a stop of it does not kill that process' kill -0 "$pid"
	$CRICTL rm -f "$ctr" >/dev/null 2>&1
	ok 'nor its removal' kill -0 "$pid"
else
	skip 'an exec in a container whose pid is another process'\''s' "pid $pid was not given again in 20 tries"
fi
kill $heir 2>/dev/null; wait $heir 2>/dev/null
$CRICTL rm -f "$ctr" >/dev/null 2>&1

# ---- floods ----
fds() { ls "/proc/$daemon/fd" | wc -l; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }
settled() { [ "$(fds)" -le "$1" ]; }
before=$(fds) memory=$(rss)
setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/python3 -c 'import resource, signal, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
all = []
for i in range(3000):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", int(sys.argv[1])))
    all.append(s)
print("up", flush=True)
signal.pause()' "$port" >"$T/flood" 2>&1 &
flood=$!
ok '3000 connections of a local user' until_ok 30 grep -qx up "$T/flood"
flooded() { [ "$(fds)" -gt $((before + 900)) ]; }
ok 'arrive' until_ok 10 flooded
ok "3000 connections that say nothing: Version answers" answers_in 2000
ok "they cost less than 1100 descriptors ($before -> $(fds)) and 10 MiB of memory ($memory -> $(rss) KiB)" test "$(fds)" -lt $((before + 1100)) -a "$(rss)" -lt $((memory + 10240))
kill $flood; wait $flood 2>/dev/null
ok 'their descriptors are given back' until_ok 20 settled $((before + 5))

group=$CGROUP/bomb
mounted=/sys/fs/cgroup/pids; [ -d $mounted ] || mounted=/sys/fs/cgroup
mkdir -p "$mounted$group"; [ -e "$mounted$group/pids.max" ] || echo +pids >"$mounted$CGROUP/cgroup.subtree_control"
echo 300 >"$mounted$group/pids.max"
is 'the pod of the fork bomb has a limit' "$(cat "$mounted$group/pids.max")" 300
bomb=$($CRICTL runp "$(pod_json bomb "\"linux\":{\"cgroup_parent\":\"$group\",\"security_context\":{\"namespace_options\":{\"pid\":1}}}")" 2>/dev/null)
ctr=$($CRICTL create "$bomb" "$(ctr_json bomb 'b() { b | b & }; b; while :; do b; done' '"log_path":"bomb.log"')" "$T/bomb.pod.json" 2>/dev/null)
$CRICTL start "$ctr" >/dev/null
ok 'a fork bomb within a limit of pids: Version answers' answers_in 2000
ok 'its pod is stopped' timeout $((60 * ${SLOW:-1})) $CRICTL stopp "$bomb"
ok 'and removed' timeout $((60 * ${SLOW:-1})) $CRICTL rmp -f "$bomb"

# ---- words that are not ours ----
esc=$(printf '\033]0;evil\007')
rpc RunPodSandbox "config {metadata {name: 'line\nerror crispd fake\n' uid: 'esc\033[2J' namespace: 'default\033[31m'}}"
made=$(sed -n 's/^pod_sandbox_id: "\(.*\)"/\1/p' <<<"$answer")
rpc RunPodSandbox "config {metadata {name: 'a=1' uid: 'u' namespace: 'default'}}"
is 'a name that would be another argument of a CNI plugin' "$code" INVALID_ARGUMENT
rpc ImageStatus "image {image: 'a\n2026-01-01T00:00:00.000Z error crispd forged=1\033[2J'}"
rpc PullImage "image {image: '$REGISTRY/no\n2026-01-01T00:00:00.000Z error crispd forged=1\033[2J'}"
rpc StopContainer "container_id: 'x\n2026-01-01T00:00:00.000Z error crispd forged=1\033[2J'"
rpc ContainerStatus "container_id: 'x\n2026-01-01T00:00:00.000Z error crispd forged=1\033[2J'"
is 'no line of the log is forged' "$(grep -c '^2026-01-01\|^error crispd fake' "$T/crisp.log")" 0
is 'no control character is in the log' "$(LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]' "$T/crisp.log")" 0
is 'nor in what the CLI lists' "$($CRISP pods 2>&1 | LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]')" 0
[ -z "$made" ] || $CRICTL rmp -f "$made" >/dev/null 2>&1
jq --arg e "/bin/${esc}x" '[.[0] | .repo = "terminal" | .config.Entrypoint = [$e]]' "$ROOT/tests/images/busybox.json" | "$IMAGE" --registry "$REGISTRY" - >/dev/null
for h in runc crun; do
	out=$($CRISP run --runtime "$h" "$REGISTRY/terminal" 2>&1)
	like "$h: an image whose program has a name for terminals is told" "$out" 'evil'
	is "$h: without the terminal's words" "$(LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]' < <(grep ^crisp: <<<"$out"))" 0
done
is 'an error about a name with words for terminals is plain' "$($CRISP inspect "x${esc}y" 2>&1 | cat -v)" "crisp: inspect x?]0;evil?y: NOT_FOUND: no such container, pod or image"
for bad in ../../../../../../../../../../etc/crisp-evil a/../../evil; do
	rpc CreateContainer "pod_sandbox_id: '$pod' config {metadata {name: 'log'} image {image: '$REGISTRY/busybox:latest'} command: 'true' log_path: '$bad'}"
	is "a log at $bad" "$code" INVALID_ARGUMENT
done
is 'all by the same daemon' "$(crispd_pid)" "$daemon"
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null 2>&1; done
find /sys/fs/cgroup -depth -type d -path "*$group" -exec rmdir {} + 2>/dev/null # a parent that the client named stays (ARCHITECTURE P13)
crisp_clean
