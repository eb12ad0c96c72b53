#!/bin/bash
# shim_faults.t - a shim that misbehaves (tests/lib/shim_fake) at each step of a container's life: the step fails with words, what
# is left can be removed, no shim stays, and crispd lives. FAULTS='hang garbage': these only. METHODS: the same. WHOLE=1: all, some ten
# minutes.
. "$(dirname "$0")/../lib/crisp.sh"
FAKE=$T/bin/containerd-shim-fake-v2
mkdir "$T/bin"
ln -s "$ROOT/tests/lib/shim_fake" "$FAKE"
# Descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done.
crisp_up 'network: cni' "runtimes:
  runc: {type: oci, path: ${RUNC:-/usr/sbin/runc}}
  fake: {type: shim, path: $FAKE, create_timeout: 3}
  api: {inherit: fake, sandbox: api}"
CRISPD=$(crispd_pid)
P= C=
mode() { echo "$*" >"$T/bin/mode"; : >"$T/bin/log"; }
pod() { POD=$(pod_json "$1"); P=$($CRICTL runp --runtime "${2:-fake}" "$POD" 2>"$T/err"); }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" true)" "$POD" 2>"$T/err"); }
run() { make "$1" && $CRICTL start "$C" >/dev/null 2>"$T/err"; }
no_fake() { ! pgrep -f "$FAKE" >/dev/null; }
# Where the first call is answered too late for crictl, the kubelet asks again.
rmp() { $CRICTL rmp -f "$P" >/dev/null 2>"$T/err"; }
gone() { until_ok 60 rmp; }
lives() { [ "$(crispd_pid)" = "$CRISPD" ]; }
fds() { ls "/proc/$CRISPD/fd" | wc -l; }
few_fds() { [ "$(fds)" -le "$before" ]; }
# The `sleep` of a shim that died has nobody: the `delete` of the fake knows nothing of it.
orphans() { pkill -9 -x sleep; true; }

mode none
pod ok; run ok
is "the fake's container runs" "$(state_of "$C")" CONTAINER_RUNNING
ok 'and goes' gone
ok 'with its shim' until_ok 15 no_fake

# ---- the program ----

before=$(fds)
for i in 1 2 3 4 5; do mode start exit; pod "exit$i"; run "exit$i"; gone; done
ok 'starts that fail leave no file descriptor' until_ok 20 few_fds
mode start print; pod print
notok 'a start that prints without end' run print
like 'is told' "$(cat "$T/err")" 'it prints more than an answer'
ok 'and is ended' until_ok 20 no_fake
ok 'what it printed is not kept' [ "$(find "$T/state" -name shim-address -size +1k | wc -l)" = 0 ]
ok 'the pod goes' gone; ok 'and the program' until_ok 15 no_fake
mode start at "unix://$T/state/crisp.sock"; pod at
notok "a start that says crisp's own socket" run at
ok 'the pod goes' gone
mode start at "unix://$T/state/shim.sock"; pod at2
notok 'the socket for events' run at2
like 'is told' "$(cat "$T/err")" 'only Forward of the service Events'
ok 'the pod goes' gone
mode start lost; pod lost
notok 'a start that fails behind its daemon' run lost
ok 'the pod goes' gone; ok 'and the daemon' until_ok 15 no_fake

# ---- a shim that says the pid of somebody else ----

sleep 4444 & other=$!
mode Connect pid $other; pod pid; run pid
is 'a shim with a foreign pid is used' "$(state_of "$C")" CONTAINER_RUNNING
mode Shutdown hang
ok 'its pod goes' gone
ok 'the shim is killed' until_ok 30 no_fake
ok 'and not the other' kill -0 $other
kill $other; wait $other 2>/dev/null
orphans

# ---- a shim that hangs from the begin ----

mode Connect hang; pod hang
notok 'no answer to Connect' run hang
like 'is told' "$(cat "$T/err")" 'no answer in time'
mode none
ok 'its pod goes' gone
ok 'and the shim' until_ok 30 no_fake
orphans

# ---- each call ----

# Left out: a Wait whose answer never comes, of a shim that else works (`other`): a stop says that the container is alive.

[ -z "${WHOLE-}" ] || FAULTS='garbage huge half twice other close die error flood data'
for method in ${METHODS-Connect Create Start Wait Kill Delete Shutdown}; do
	for fault in ${FAULTS-garbage close}; do
		[ "$method $fault" != 'Wait other' ] || continue
		mode "$method" "$fault"
		C=; pod each; run each
		[ -z "$C" ] || timeout 20 $CRICTL stop -t 0 "$C" >/dev/null 2>"$T/err"
		[ "$fault" != error ] || mode none
		gone; a=$?
		until_ok 30 no_fake; b=$?
		is "$method $fault: the pod goes, the shim too, crispd lives" "$a $b $(lives && echo lives)" '0 0 lives'
		orphans
	done
done

# ---- each call of the sandbox API ----

API='CreateSandbox StartSandbox Platform PingSandbox WaitSandbox SandboxStatus SandboxMetrics StopSandbox ShutdownSandbox'
for method in ${METHODS-$API}; do
	for fault in ${FAULTS-garbage close}; do
		mode "$method" "$fault"
		C=; pod each api
		[ -z "$P" ] || { run each; $CRICTL inspectp "$P" >/dev/null; $CRICTL statsp --id "$P" >/dev/null; } 2>"$T/err"
		[ "$fault" != error ] || mode none
		[ -z "$P" ] || gone; a=$?
		until_ok 40 no_fake; b=$?
		is "$method $fault: the pod goes, the shim too, crispd lives" "$a $b $(lives && echo lives)" '0 0 lives'
		orphans
	done
done
is 'no pod is half made' "$($CRICTL pods -q)" ''
ok 'no file descriptor is left' until_ok 20 few_fds
crisp_clean
