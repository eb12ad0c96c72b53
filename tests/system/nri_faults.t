#!/bin/bash
# nri_faults.t - an NRI plugin that misbehaves (tests/lib/nri_fake) in each call: the container goes on without it or is refused
# with words, and crispd stays as it is.
. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
crisp_up 'nri: {request_timeout: 2}' 'network: cni' # descriptors of crispd are counted: none of crisp-net, whose spare comes when nothing else is done
FAKE=$ROOT/tests/lib/nri_fake
P= C= PLUGIN=
plugin() {
	: >"$T/fake.out"
	"$FAKE" "$T/state/nri.sock" "$@" >"$T/fake.out" 2>"$T/fake.err" & PLUGIN=$!
	disown $PLUGIN # bash does not tell of its end
}
ready() { grep -q Synchronize "$T/fake.out"; }
pod() { POD=$(pod_json "$1"); P=$($CRICTL runp "$POD" 2>"$T/err"); }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" 'sleep 1000')" "$POD" 2>"$T/err"); }
run() { make "$1" && $CRICTL start "$C" >/dev/null 2>"$T/err"; }
end() { kill $PLUGIN 2>/dev/null; until_ok 10 ended $PLUGIN; }
gone() { $CRICTL rmp -f "$P" >/dev/null 2>"$T/err.gone"; }
CRISPD=$(crispd_pid)
lives() { [ "$(crispd_pid)" = "$CRISPD" ]; }
fds() { ls "/proc/$CRISPD/fd" | wc -l; }

# ---- calls that go wrong ----

# life NAME: all events of a pod but those of its end; the state that its container was in.
life() {
	pod "$1" && run "$1"
	runs=$(state_of "$C")
	$CRICTL update --memory 100000000 "$C" >/dev/null 2>&1
	rpc UpdatePodSandboxResources "pod_sandbox_id: \"$P\" resources { memory_limit_in_bytes: 134217728 }"
	gone
}
lost() { [ "$(grep -c nri_plugin_gone "$T/crisp.log")" -gt "$1" ]; }
ALL='Configure Synchronize RunPodSandbox CreateContainer PostCreateContainer StartContainer PostStartContainer UpdateContainer'
ALL+=' PostUpdateContainer UpdatePodSandbox PostUpdatePodSandbox StopContainer RemoveContainer StopPodSandbox RemovePodSandbox'
for method in ${METHODS-$ALL}; do
	case $method in
	Configure|Synchronize|CreateContainer|StopContainer) faults='kill garbage hang half close huge-frame late';;
	RunPodSandbox|UpdateContainer|UpdatePodSandbox) faults='kill garbage hang';;
	*) faults=kill;;
	esac
	for fault in ${FAULTS-$faults}; do
		before=$(grep -c nri_plugin_gone "$T/crisp.log")
		plugin $method $fault
		case $method in Configure|Synchronize) until_ok 10 grep -q $method "$T/fake.out";; *) until_ok 10 ready;; esac
		life each
		[ $fault = late ] || until_ok 10 lost "$before"
		is "$method $fault: the container goes on without the plugin" "$runs $(grep -c "^$method" "$T/fake.out") $(lives && echo lives)" \
			'CONTAINER_RUNNING 1 lives'
		end
	done
done
for fault in kill garbage hang; do
	plugin ValidateContainerAdjustment $fault; until_ok 10 ready
	pod judged; notok "ValidateContainerAdjustment $fault: what was not validated is not made" make judged
	like 'with the name of the plugin' "$(cat "$T/err")" 'NRI plugin 50-fake: '
	ok 'the next one goes without the plugin' make judged
	gone; end
done
plugin StateChange older; until_ok 10 ready
life older; until_ok 10 eval '[ "$(grep -c StateChange "$T/fake.out")" = 9 ]'
by_name=$(grep -cE '^(RunPod|StopPod|RemovePod|Post|Start|Remove)' "$T/fake.out")
is 'an older plugin is told by StateChange, and asked by name once' "$runs $(grep -c StateChange "$T/fake.out") $by_name" \
	'CONTAINER_RUNNING 9 1'
end
plugin RunPodSandbox error; until_ok 10 ready
notok 'a refusal fails the pod' pod refused
like 'with its words, as one line' "$(cat "$T/err")" 'NRI plugin 50-fake: RunPodSandbox: .*no no no'
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
plugin CreateContainer big 1000000; until_ok 10 ready
pod big; make big
is 'an answer of nearly 1 MiB is taken' "$(jq -r '.annotations.big | length' "$T/state/containers/$C/config.json")" 1000000
end; gone
plugin CreateContainer big 1100000; until_ok 10 ready
pod bigger; ok 'a larger one ends the plugin' make bigger
like 'which is told' "$(grep nri_plugin_gone "$T/crisp.log" | tail -1)" 'its answer to CreateContainer is malformed, or over 1 MiB'
end; gone
plugin CreateContainer big 5000000; until_ok 10 ready
pod huge; ok 'so does one that no message can have' make huge
like 'which is told' "$(grep nri_plugin_gone "$T/crisp.log" | tail -1)" 'a frame is longer than 4 MiB'
end; gone
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
LONG=$(head -c 50000 /dev/zero | tr '\0' v)
pod many
for i in $(seq 60); do $CRICTL create "$P" "$(ctr_json "many$i" 'sleep 1000' '"annotations":{"long":"'$LONG'"}')" "$POD" >/dev/null; done
plugin Synchronize single; until_ok 20 grep -q 'does not take the state' "$T/crisp.log"
like 'a plugin that does not take a state in parts' "$(grep nri_plugin_gone "$T/crisp.log" | tail -1)" \
	'NRI plugin 50-fake: it does not take the state of a large node in parts'
end
plugin Synchronize deaf; ok 'a plugin that reads late' until_ok 20 ready
ok 'crispd lives' lives
end; gone
crisp_clean
