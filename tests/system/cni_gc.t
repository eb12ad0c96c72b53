# cni_gc.t - GC of CNI 1.1: plugins are told which attachments are valid, at the start and at a reload, never beside another chain,
# and only where nobody else has something on the network.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
mkdir "$T/bin"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
cp "$ROOT/tests/lib/cni_fake" "$T/bin/cni_fake"
# conflist [MODE [KEYS]]: a network of two plugins; the first one has this fault in GC.
conflist() {
	local both="\"type\":\"cni_fake\",\"log\":\"$T/calls\",\"go\":\"$T/go\",\"ip\":\"10.8.0.5/24\""
	cat >"$T/new" <<-J
	{"cniVersion":"1.1.0","name":"fake",${2-}"plugins":[
	 {$both,"label":"a","mode":"${1-ok}","verb":"GC","ipam":{"type":"fake","dataDir":"$T/ipam"}},{$both,"label":"b"}]}
	J
	mv "$T/new" "$T/cni/10-fake.conflist"
}
: >"$T/calls"
said() { [ "$(grep -c "crispd cni_gc .*$1" "$T/crisp.log")" -ge "${2-1}" ]; }
# again: a reload, after which GC ran or was left out once more.
again() {
	local n
	n=$(grep -c 'crispd cni_gc ' "$T/crisp.log")
	: >"$T/calls"
	kill -HUP "$KEEPER"
	until_ok 20 said '' $((n + 1)) && until_ok 10 crisp_ready
}
gcs() { awk '$1 == "GC" { print $2 }' "$T/calls" | xargs; }

conflist
crisp_start || exit 1
ok 'at the start plugins are asked' until_ok 10 said 'done=1'
is 'each of them, once' "$(gcs)" 'a b'
is 'nothing is valid' "$(sort -u "$T/calls.gc")" '[]'
p=$($CRICTL runp "$(pod_json p)")
rm "$T/calls.gc"
ok 'a reload' again
is 'asks again' "$(gcs)" 'a b'
is 'with the pod' "$(jq -c . "$T/calls.gc" | sort -u)" "[{\"containerID\":\"$p\",\"ifname\":\"eth0\"}]"

# Plugins that fail; a conflist without GC.
conflist error
ok 'one that fails' again
ok 'is named' said 'error="CNI GC by plugin cni_fake: .*no more addresses'
is 'and the next one is asked all the same' "$(gcs)" 'a b'
conflist ok '"disableGC":true,'
: >"$T/calls"; kill -HUP "$KEEPER"
until_ok 20 grep -q STATUS "$T/calls"; until_ok 10 crisp_ready
q=$($CRICTL runp "$(pod_json q)")
is 'disableGC: nobody is asked' "$(gcs)" ''
conflist

# Somebody else is on the network.
mkdir -p "$T/ipam/fake" "$T/cni-cache/results"
printf 'other-runtime\r\neth0' >"$T/ipam/fake/10.8.0.9"
ok "an address of another runtime" again
ok 'is named' said "skipped=1 why=\"$T/ipam/fake/10.8.0.9 is reserved for other-runtime"
is 'and nobody is asked' "$(gcs)" ''
rm "$T/ipam/fake/10.8.0.9"
printf '%s\r\neth0' "$p" >"$T/ipam/fake/10.8.0.5"
rm -f "$T/calls.gc"
ok 'our own one' again
is 'is none of another' "$(gcs)" 'a b'
is 'both pods are valid' "$(jq -rs '.[0][].containerID' "$T/calls.gc" | sort | xargs)" "$(printf '%s\n' "$p" "$q" | sort | xargs)"
echo '{"networkName":"fake","containerId":"other"}' >"$T/cni-cache/results/fake-other-eth0"
ok 'a result of another runtime' again
ok 'is named' said 'results/fake-other-eth0 is of other'
rm "$T/cni-cache/results/fake-other-eth0"

# A pod that comes meanwhile waits, so that its network is never taken for an old one; crispd dies meanwhile.
conflist hang
kill -HUP "$KEEPER"
ok 'one that hangs' until_ok 20 grep -q '^GC a' "$T/calls"
until_ok 10 crisp_ready
: >"$T/calls"
pod_json r >/dev/null
$CRICTL runp "$T/r.pod.json" >"$T/r" 2>&1 & client=$!
in_sight() { $CRICTL pods -q --name r --state NotReady | grep -q .; }
ok 'a pod waits for it' until_ok 10 in_sight
is 'nothing is made' "$(grep -c ADD "$T/calls")" 0
touch "$T/go"
if wait $client; then pass "at its end the pod comes"; else fail "at its end the pod comes" "$(cat "$T/r")"; fi
is 'once' "$(grep -c '^ADD a' "$T/calls")" 1
rm "$T/go"
seen=$(grep -c 'crispd cni_gc ' "$T/crisp.log")
: >"$T/calls"
kill -HUP "$KEEPER"
ok 'it hangs again' until_ok 20 grep -q '^GC a' "$T/calls"
old=$(crispd_pid)
plugin=$(pgrep -f "^/bin/sh $T/bin/cni_fake" | head -1)
conflist
: >"$T/calls"
kill -9 "$old"
ok 'crispd is back' until_ok 10 back_after "$old"
plugin_gone() { ! kill -0 "$plugin" 2>/dev/null; }
ok 'the plugin has ended with it' until_ok 10 plugin_gone
ok 'the next one asks' until_ok 20 said '' $((seen + 1))
rm "$T/ipam/fake/10.8.0.5"

# A handler with networks of its own; crisp-net, which looks, gets no answer.
mkdir "$T/cni-own"
jq '.name = "own" | .plugins |= [.[0] | .label = "own" | .ipam.dataDir += "-own"]' "$T/cni/10-fake.conflist" >"$T/cni-own/10-own.conflist"
grep -q '^runtimes: {' "$T/config.yaml" || fail 'the configuration has its handlers in one line' "$(grep runtimes "$T/config.yaml")"
sed -i "s|^runtimes: {|&own: {type: oci, path: /usr/sbin/runc, cni_conf_dir: $T/cni-own}, |" "$T/config.yaml"
ok 'the network of a handler' again
ok 'is asked too' until_ok 10 eval '[ "$(gcs)" = "a b own" ]'
gcc -w -O1 -o "$T/mute" "$ROOT/tests/tools/mute_fuse.c"
mkdir -p "$T/ipam-own/own"
"$T/mute" "$T/ipam-own/own" >"$T/mute.out" 2>&1 & mute=$!
ok 'a directory of addresses never answers' until_ok 10 grep -q up "$T/mute.out"
ok 'the others are asked' again
is 'all of them' "$(gcs)" 'a b'
ok 'that holds pods for 5 s, which is told' until_ok 20 said 'crisp-net has not looked'
ok 'a pod comes' $CRICTL runp "$(pod_json s)"
for p in $($CRICTL pods -q); do ok 'a pod goes' $CRICTL rmp -f "$p"; done
kill $mute; wait $mute 2>/dev/null
ok 'it is unmounted' until_ok 10 umount "$T/ipam-own/own"
crisp_clean
