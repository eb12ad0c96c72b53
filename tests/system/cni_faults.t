# cni_faults.t - CNI plugins and configurations that fail: the error has the cause, everything made is undone, a later pod works.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_config
mkdir "$T/bin"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/cni_fake"
rmdir "$T/cni"
crisp_start || exit 1

plugin() { # LABEL MODE [VERB]
	echo "{\"type\":\"cni_fake\",\"label\":\"$1\",\"mode\":\"$2\",\"verb\":\"${3-}\",\"log\":\"$T/calls\",\"go\":\"$T/go\",\"ip\":\"10.8.0.5/24\"}"
}
network() { # PLUGIN...: written in one step (rename)
	local IFS=,
	mkdir -p "$T/cni"
	echo "{\"cniVersion\":\"1.0.0\",\"name\":\"fake\",\"plugins\":[$*]}" >"$T/cni/new"
	mv "$T/cni/new" "$T/cni/10-fake.conflist"
	: >"$T/calls"
	unset IFS
	until_ok 5 network_is true
}
condition() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "NetworkReady") | .'"$1"; }
network_is() { [ "$(condition status)" = "$1" ]; }
why_is() { condition message | grep -q "$1"; }
n=0
run() { # [NAMESPACE-OPTION]: sets $pod
	n=$((n + 1))
	rpc RunPodSandbox "config {metadata {name: 'p$n' uid: 'u' namespace: 'd' attempt: 1} linux {security_context {namespace_options {pid: CONTAINER ${1-}}}}}"
	pod=$(sed -n 's/^pod_sandbox_id: "\(.*\)"$/\1/p' <<<"$answer")
}
calls() { awk '{ print $1, $2 }' "$T/calls" | xargs; }
nothing_left() { [ -z "$($CRICTL pods -q)$(ls "$T/netns" 2>/dev/null)$(ls "$T/root/sandboxes" | grep json)" ] && no_cgroups; }
refused() { # WORDS CODE MESSAGE
	run
	is "$1: the code" "$code" "$2"
	like "$1: the cause" "$message" "$3"
	ok "$1: nothing is left" until_ok 5 nothing_left
}
works() {
	run
	is "$1: a pod runs" "$code $message" 'OK '
	is "$1: with its address" "$($CRICTL inspectp "$pod" | jq -r .status.network.ip)" 10.8.0.5
	ok "$1: and goes" $CRICTL rmp -f "$pod"
}

# No configuration, and no directory for it.
ok 'not ready' network_is false
is 'for this reason' "$(condition reason)" NetworkPluginNotReady
like 'in words' "$(condition message)" "$T/cni"
refused 'a pod before that' FAILED_PRECONDITION "no CNI configuration.*$T/cni"
run 'network: NODE'
is 'a pod in the network of the node runs' "$code $message" 'OK '
ok 'and goes' $CRICTL rmp -f "$pod"
network "$(plugin one ok)"
ok 'ready as soon as there is one' network_is true
works 'the first configuration'
is 'it was called' "$(calls)" 'ADD one DEL one'

# The configuration changes, becomes invalid, is removed.
run
old=$pod
network "$(plugin two ok)" "$(plugin three ok)"
works 'another configuration'
is 'the new one was called' "$(calls)" 'ADD two ADD three DEL three DEL two'
: >"$T/calls"
ok 'the pod of the old configuration goes' $CRICTL rmp -f "$old"
is 'with the plugin that made it' "$(calls)" 'DEL one'
echo '{"name": "broken", "plugins": [' >"$T/cni/05-broken.conflist"
ok 'a broken one in front is named' until_ok 5 why_is '05-broken.conflist'
ok 'in the log too' grep -q 'cni_config error=.*05-broken.conflist' "$T/crisp.log"
ok 'and passed over: ready' network_is true
works 'the good one behind it'
echo '{"cniVersion":"1.0.0","name":"b","plugins":[]}' >"$T/cni/05-broken.conflist"
ok 'one without plugins' until_ok 5 why_is '05-broken.conflist.*plugin'
echo '{"cniVersion":"9.9.9","name":"b","plugins":[{"type":"cni_fake"}]}' >"$T/cni/05-broken.conflist"
ok 'one of another age' until_ok 5 why_is '05-broken.conflist.*9.9.9'
echo '{"cniVersion":"1.0.0","name":"b","plugins":[{"type":"../../bin/sh"}]}' >"$T/cni/05-broken.conflist"
ok 'one whose type is a path' until_ok 5 why_is '05-broken.conflist'
echo '{"cniVersion":"1.0.0","name":"b","plugins":[{"type":"not-there"}]}' >"$T/cni/05-broken.conflist"
ok 'one whose plugin is not there' until_ok 5 why_is 'not-there'
refused 'a pod with it' 'FAILED_PRECONDITION' 'not-there'
rm "$T/cni/05-broken.conflist"
ok 'it goes: ready again' until_ok 5 network_is true
rm -r "$T/cni"
ok 'the directory goes: not ready' until_ok 5 network_is false
network "$(plugin four ok)"
works 'a new directory'

# Plugins that fail.
network "$(plugin a error)"
refused 'an error of the plugin' INTERNAL 'CNI ADD by plugin cni_fake: .*no more addresses.*pool 10.7.0.0/24 is empty'
is 'it was told to undo it' "$(calls)" 'ADD a DEL a'
network "$(plugin a fail)"
refused 'exit 3 without a word of JSON' INTERNAL 'exit.* 3.*cannot talk to the agent'
network "$(plugin a rubbish)"
refused 'rubbish' INTERNAL 'CNI ADD by plugin cni_fake: .*(JSON|line 1)'
is 'it was told to undo it' "$(calls)" 'ADD a DEL a'
network "$(plugin a flood)"
refused 'ten megabytes' INTERNAL 'more than 1048576 bytes'
network "$(plugin a silent)"
refused 'nothing at all' INTERNAL 'cni_fake'
network "$(plugin a noip)"
refused 'no address' INTERNAL 'address'
is 'it was told to undo it' "$(calls)" 'ADD a DEL a'
network "$(plugin a die)"
refused 'killed' INTERNAL 'signal 9'
network "$(plugin a ok)" "$(plugin b error)" "$(plugin c ok)"
refused 'the second of three' INTERNAL 'no more addresses'
is 'the whole chain is undone' "$(calls)" 'ADD a ADD b DEL c DEL b DEL a'

# DEL that fails: the sandbox stays until it succeeds.
network "$(plugin a error DEL)"
run
notok 'a DEL that fails' $CRICTL stopp "$pod"
like 'is told' "$out" 'CNI DEL by plugin cni_fake.*no more addresses'
is 'the sandbox is listed' "$($CRICTL pods -q --no-trunc)" "$pod"
is 'as not ready' "$($CRICTL inspectp "$pod" | jq -r .status.state)" SANDBOX_NOTREADY
printf '#!/bin/sh\ncat >/dev/null\necho "$CNI_COMMAND" mended >>%s/calls\n' "$T" >"$T/bin/new" && chmod 755 "$T/bin/new" && mv "$T/bin/new" "$T/bin/cni_fake"
: >"$T/calls"
ok 'once the plugin is mended' $CRICTL stopp "$pod"
is 'it was called again' "$(calls)" 'DEL mended'
ok 'and the sandbox goes' $CRICTL rmp "$pod"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/new" && mv "$T/bin/new" "$T/bin/cni_fake"

# A plugin hangs: all other requests go on. When it is killed, its pod fails.
network "$(plugin a hang)"
pod_json hangs >/dev/null
$CRICTL runp "$T/hangs.pod.json" >"$T/hangs" 2>&1 & client=$!
called() { grep -q "ADD a" "$T/calls"; }
ok 'it hangs' until_ok 5 called
ok 'Version is answered' timeout 2 $CRICTL version
ok 'lists are' timeout 2 $CRICTL pods
run 'network: NODE'
is 'another pod runs' "$code $message" 'OK '
$CRICTL rmp -f "$pod" >/dev/null 2>&1
kill -9 $(pgrep -f "^/bin/sh $T/bin/cni_fake")
if wait $client; then fail 'killed, its pod fails'; else like 'killed, its pod fails' "$(cat "$T/hangs")" 'cni_fake.*signal 9'; fi
ok 'nothing is left' until_ok 5 nothing_left
: >"$T/calls"
notok 'a client that gives up' $CRICTL --timeout 1s runp "$T/hangs.pod.json"
touch "$T/go"
ok 'has its pod when it asks again' $CRICTL runp "$T/hangs.pod.json"
is 'from one ADD' "$(calls)" 'ADD a'
ok 'it goes' $CRICTL rmp -f "$($CRICTL pods -q)"

# A pod whose plugin hangs is listed after a second, not ready; a stop and a removal give it up.
rm "$T/go"; : >"$T/calls"
for verb in stopp rmp; do
	$CRICTL runp "$T/hangs.pod.json" >"$T/hangs" 2>&1 & client=$!
	in_sight() { [ "$($CRICTL pods -q --state NotReady | wc -l)" = 1 ]; }
	ok "$verb: a pod whose plugin hangs is listed" until_ok 5 in_sight
	hanging=$($CRICTL pods -q)
	like "$verb: its status" "$($CRICTL inspectp "$hanging" | jq -r '.status.state, .status.metadata.name' | xargs)" 'SANDBOX_NOTREADY hangs'
	notok "$verb: no container is made in it" $CRICTL create "$hanging" "$(ctr_json c true)" "$T/hangs.pod.json"
	ok "$verb: it goes at once" timeout 5 $CRICTL $verb "$hanging"
	if wait $client; then fail "$verb: its start has failed"; else like "$verb: its start has failed" "$(cat "$T/hangs")" 'Aborted.*was stopped while'; fi
	ok "$verb: nothing is left" until_ok 5 nothing_left
done
is 'each ADD was undone' "$(calls)" 'ADD a DEL a ADD a DEL a'

# crispd dies during ADD: the unfinished sandbox is undone, with DEL.
: >"$T/calls"
$CRICTL runp "$T/hangs.pod.json" >/dev/null 2>&1 & client=$!
ok 'ADD has begun' until_ok 5 called
old=$(crispd_pid)
kill -9 "$old"; wait $client
touch "$T/go"
ok 'crispd is back' until_ok 10 $CRICTL pods
ok 'nothing is left' until_ok 10 nothing_left
like 'DEL ran' "$(calls)" '^ADD a( DEL a)+$'

# After a reboot a plugin may wait for an agent that is a pod of this node: the node serves, so that the agent can start.
network "$(plugin slow hang DEL)"
rm -f "$T/go"
run
old=$pod
node_off
of_other_boot "$T/root/sandboxes/$old.json" "$T/root/boot"
words='the node serves while DEL of the boot before hangs'
if crisp_start; then pass "$words"; else fail "$words"; fi
ok 'it hangs' until_ok 5 grep -q 'DEL slow' "$T/calls"
is 'the pod is listed' "$($CRICTL inspectp "$old" | jq -r .status.state)" SANDBOX_NOTREADY
network "$(plugin agent ok)"
run
is 'the agent runs' "$code $message" 'OK '
notok 'a removal waits for DEL' $CRICTL --timeout 1s rmp -f "$old"
touch "$T/go"
gone() { ! $CRICTL inspectp "$old"; }
ok 'and comes to its end' until_ok 5 gone
ok 'the agent goes' $CRICTL rmp -f "$pod"
network "$(plugin last ok)"
works 'at last'
crisp_clean
