# exec.t - ExecSync: its output up to the last byte, its timeout, the processes it kills; then a thousand calls.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
crisp_up 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done

run() { rpc ExecSync "container_id: \"$ctr\" $(for w in "${@:2}"; do printf "cmd: '%s' " "$w"; done) timeout: $1"; }
code_of() { sed -n 's/^exit_code: //p' <<<"$answer"; }
# bytes FIELD: the length of field 1 (stdout) or 2 (stderr) of the answer; protoc takes too long to print such an answer.
bytes() {
	python3 - "$1" "$T/rpc.body" <<-'P'
	import sys
	want, data, at, found = int(sys.argv[1]), open(sys.argv[2], "rb").read()[5:], 0, 0
	def varint(at):
	    n = shift = 0
	    while True:
	        b = data[at]; at += 1
	        n |= (b & 127) << shift; shift += 7
	        if b < 128:
	            return n, at
	while at < len(data):
	    key, at = varint(at)
	    n, at = varint(at)
	    if key & 7 == 2:
	        found = n if key >> 3 == want else found
	        at += n
	print(found)
	P
}
# in_container PATTERN: processes of the container, without those of this exec.
inside() { $CRICTL exec -s "$ctr" sh -c "ps | grep '$1' | grep -v grep" 2>/dev/null; }
nobody() { [ -z "$(inside "$1")" ]; }

handler() {
	h=$1
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h")" 2>/dev/null)
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$h" 'trap "" HUP; while :; do sleep 0.2; done' \
		'"envs":[{"key":"A","value":"of the container"}],"working_dir":"/tmp","linux":{"security_context":{"namespace_options":{"pid":1},"run_as_user":{"value":1234},"supplemental_groups":[77],"capabilities":{"drop_capabilities":["ALL"]},"no_new_privs":true,"seccomp":{"profile_type":0}}}')" "$T/p-$h.pod.json")
	$CRICTL start "$ctr" >/dev/null || { fail "$h: start"; return; }

	run 10 sh -c 'echo out; echo err >&2; exit 42'
	is "$h: output and exit code" "$code $(sed -n 's/^std[a-z]*: //p' <<<"$answer" | tr '\n' ' ')$(code_of)" 'OK "out\n" "err\n" 42'
	run 10 sh -c 'kill -9 $$'
	is "$h: killed" "$code $(code_of)" 'OK 137'
	run 10 sh -c 'echo $A; pwd; id -u; id -G; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status'
	is "$h: it is as the container's own" "$(sed -n 's/^stdout: "\(.*\)"/\1/p' <<<"$answer" | sed 's/\\[nt]/ /g')" \
		'of the container /tmp 1234 0 77 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 '
	is "$h: in its cgroup" "$($CRICTL exec -s "$ctr" sh -c 'md5sum /proc/self/cgroup /proc/1/cgroup | cut -c1-32 | uniq | wc -l')" 1

	# 16 MiB and one byte: the client takes 16 MiB at most, so the rest is dropped, and the command ends by itself.
	run 60 sh -c 'dd if=/dev/zero bs=16777217 count=1 2>/dev/null; exit 5'
	is "$h: 16 MiB + 1: no error, and its exit code" "$code $(tail -c 2 "$T/rpc.body" | od -An -tu1 | tr -s ' ')" 'OK  24 5'
	n=$(bytes 1)
	ok "$h: nearly all of it ($n)" test "$n" -ge $((16777216 - 131072)) -a "$(stat -c %s "$T/rpc.body")" -lt 16777216
	run 60 sh -c 'dd if=/dev/zero bs=1048576 count=9 2>/dev/null; dd if=/dev/zero bs=1048576 count=9 >&2 2>/dev/null'
	ok "$h: both streams together ($(bytes 1) + $(bytes 2))" test "$code" = OK -a "$(bytes 1)" = $((9 << 20)) -a "$(stat -c %s "$T/rpc.body")" -lt 16777216
	ok "$h: crictl has it" test "$($CRICTL exec -s "$ctr" sh -c 'dd if=/dev/zero bs=16777217 count=1 2>/dev/null' | wc -c)" -ge "$n"

	# Timeout: children, grandchildren and reparented descendants are killed.
	run 1 sh -c 'trap "" TERM; (sleep 7771; true) & sh -c "sleep 7772 & exec true"; (sleep 7773 & sleep 7774); sleep 7775'
	is "$h: out of time" "$code" DEADLINE_EXCEEDED
	ok "$h: the whole tree is dead" until_ok 5 nobody 'sleep 777'
	is "$h: the container is not" "$(state_of "$ctr")" CONTAINER_RUNNING
	# When the client leaves, its command is killed.
	timeout -s KILL 1 $BARE_CRICTL --timeout 30s exec -s "$ctr" sh -c 'sleep 8881 & sleep 8882' >/dev/null 2>&1
	ok "$h: nobody waits for it: dead" until_ok 5 nobody 'sleep 888'
	# A process left in the background is neither waited for nor killed.
	run 30 sh -c 'sleep 9991 & echo done'
	is "$h: a background child holds the pipes" "$code $(sed -n 's/^stdout: //p' <<<"$answer")" 'OK "done\n"'
	ok "$h: it lives" test -n "$(inside 'sleep 9991')"
	run 10 /no/such/program
	like "$h: a program that is not there" "$code $message" '^INTERNAL .*/no/such/program'
}
handler runc
handler crun
handler native

# Load: many calls in a row over one connection, and many at once. Every answer is OK.
run 0 true # and its request is in a file
many() { # N AT-ONCE
	rm -f "$T"/answer.*
	curl -s --http2-prior-knowledge ${2:+--parallel --parallel-max "$2"} --unix-socket "$T/state/crisp.sock" -H 'content-type: application/grpc' \
		-H 'te: trailers' --data-binary "@$T/rpc.framed" "http://host[1-$1]$(rpc_path ExecSync)" -D "$T/answer.heads" -o /dev/null >/dev/null 2>&1
	tr -d '\r' <"$T/answer.heads" | grep -ci '^grpc-status: 0$'
}
is '1,000 in a row' "$(many 1000)" 1000
loop_is_quick '1,000 in a row'
is '50 at once' "$(many 50 50)" 50
loop_is_quick '50 at once'
fds() { ls "/proc/$(crispd_pid)/fd" | wc -l; }
echo "# fds of crispd afterwards: $(fds)"
ok 'no exec is left behind' until_ok 10 sh -c "[ -z \"\$(ls $T/state/containers/$ctr | grep -E '^exec|[0-9a-f]{32}')\" ]"

for p in $($CRICTL pods -q); do $CRICTL rmp -f "$p" >/dev/null 2>&1; done
crisp_clean
