#!/bin/bash
# nri_faults.t - an NRI plugin that misbehaves (tests/lib/nri_fake) in each call: the container goes on without it or is refused
# with words, and crispd stays as it is.
. "$(dirname "$0")/../lib/crisp.sh"
crisp_up 'nri: {request_timeout: 2}' 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done
FAKE=$ROOT/tests/lib/nri_fake
P= C= PLUGIN=
plugin() { : >"$T/fake.out"; "$FAKE" "$T/state/nri.sock" "$@" >"$T/fake.out" 2>"$T/fake.err" & PLUGIN=$!; }
ready() { grep -q Synchronize "$T/fake.out"; }
pod() { POD=$(pod_json "$1"); P=$($CRICTL runp "$POD" 2>"$T/err"); }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" 'sleep 1000')" "$POD" 2>"$T/err"); }
run() { make "$1" && $CRICTL start "$C" >/dev/null 2>"$T/err"; }
end() { kill $PLUGIN 2>/dev/null; wait $PLUGIN 2>/dev/null; }
gone() { $CRICTL rmp -f "$P" >/dev/null 2>"$T/err.gone"; }
CRISPD=$(crispd_pid)
lives() { [ "$(crispd_pid)" = "$CRISPD" ]; }
fds() { ls "/proc/$CRISPD/fd" | wc -l; }

# ---- calls that go wrong ----

for method in ${METHODS-Configure Synchronize StateChange CreateContainer StopContainer}; do
	for fault in ${FAULTS-garbage half close huge-frame hang late}; do
		plugin $method $fault
		case $method in Configure|Synchronize) until_ok 10 grep -q $method "$T/fake.out";; *) until_ok 10 ready;; esac
		pod each; run each; runs=$(state_of "$C")
		gone
		is "$method $fault: the container goes on without the plugin" "$runs $(lives && echo lives)" 'CONTAINER_RUNNING lives'
		end
	done
done
plugin StateChange error; until_ok 10 ready
notok 'a refusal fails the pod' pod refused
like 'with its words, as one line' "$(cat "$T/err")" 'NRI plugin 50-fake: StateChange: .*no no no'
end
plugin CreateContainer error; until_ok 10 ready
pod refused; notok 'a refusal fails the container' make refused
like 'with its words' "$(cat "$T/err")" 'NRI plugin 50-fake: CreateContainer: .*no no no'
end; gone

# ---- much ----

for what in env mounts annotations; do
	plugin CreateContainer $what 10000; until_ok 10 ready
	pod "$what"; notok "too many changes: $what" make "$what"
	like 'are told' "$(cat "$T/err")" 'NRI plugin 50-fake: more than 4096 changes of one container'
	end; gone
done
plugin CreateContainer mounts 3; until_ok 10 ready
pod dots; run dots
is 'destinations with .. stay inside' "$(jq -rc '[.mounts[].destination | select(test("/0000"))]' "$T/state/containers/$C/config.json")" \
	'["/00000","/00001","/00002"]'
end; gone
plugin CreateContainer evict 10000; until_ok 10 ready
pod evict; ok 'too many evictions are none' make evict
is 'with one line in the log' "$(grep -c 'nri_evict.*more than 4096' "$T/crisp.log") $(grep -c 'nri_evict' "$T/crisp.log")" '1 1'
end; gone
plugin CreateContainer update 10000; until_ok 10 ready
pod update; notok 'too many updates' make update
like 'are told' "$(cat "$T/err")" 'NRI plugin 50-fake: more than 4096 updates'
end; gone

# ---- connections ----

before=$(fds)
plugin connect - 70
until_ok 20 grep -q nri_plugin_refused "$T/crisp.log"
ok 'connections that never register are bounded' grep -q 'nri_plugin_refused reason="64 plugins' "$T/crisp.log"
pod idle; ok 'and hold nothing' run idle; gone
all_gone() { [ "$(fds)" -le $((before + 3)) ]; } # an operation may have some for an instant
ok 'they end by their time limit' until_ok 30 all_gone
end
pod many; for i in $(seq 60); do make "many$i"; done
plugin Synchronize deaf; ok 'a plugin that reads late' until_ok 20 ready
ok 'crispd lives' lives
end; gone
crisp_clean
