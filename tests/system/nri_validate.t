#!/bin/bash
# nri_validate.t - NRI: plugins that validate what others want, and the validator of the configuration (NRI's default validator).
. "$(dirname "$0")/../lib/crisp.sh"
PROBE=$TOOLS/nri-probe
[ -x "$PROBE" ] || { echo "1..0 # SKIP no $PROBE: tests/tools/nri/build makes it"; exit 0; }
printf '#!/bin/sh\n: >%s\n' "$T/hooked" >"$T/hook"; chmod 755 "$T/hook"
crisp_up 'nri: {request_timeout: 2}' 'nri_validator: {enabled: true, reject_oci_hook_adjustment: true, reject_sysctl_adjustment: true,' \
	' reject_runtime_default_seccomp_adjustment: true, required_plugins: [first], tolerate_missing_plugins_annotation: may.miss}'

plugin() {
	"$PROBE" -socket "$T/state/nri.sock" -idx "$1" -name "$2" -out "$T/$2.out" ${3-} 2>"$T/$2.err" & PLUGIN=$!
	until_ok 20 grep -q '^Synchronized' "$T/$2.out"
}
plugin_ended() { kill "$1" 2>/dev/null; wait "$1" 2>/dev/null; until_ok 20 grep -q "nri_plugin_gone plugin=\"*$2" "$T/crisp.log"; }
pod() { POD=$(pod_json "$1" "\"annotations\":{${2-}}"); P=$($CRICTL runp "$POD" 2>"$T/err"); }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err"); }
said() { tr -d '\\' <"$T/err"; }
gone() { $CRICTL rmp -f "$P" >/dev/null; }
DEFAULT='"linux":{"security_context":{"seccomp":{"profile_type":0}}}'
UNCONFINED='"linux":{"security_context":{"seccomp":{"profile_type":1}}}'
# refused NAME ANNOTATIONS WORDS [CONFIG]
refused() {
	pod "$1" "$2"
	notok "$1 is rejected" make "$1" 'sleep 1000' "${4-}"
	like 'with words' "$(said)" "$3"
	gone
}

# ---- the validator of the configuration ----

refused missing '' 'NRI: the required plugin first is not there'
pod tolerates '"may.miss":"true"'; ok 'a pod may tolerate it' make tolerates 'sleep 1000'; gone
plugin 10 first; FIRST=$PLUGIN
pod there; ok 'with the plugin it is made' make there 'sleep 1000'; gone
refused annotated '"required-plugins.noderesource.dev":"[first, second]"' 'NRI: the required plugin second is not there'
refused hook "\"probe/hook\":\"$T/hook\"" 'NRI plugin 10-first: hooks is rejected by nri_validator'
notok 'and the hook has not run' [ -e "$T/hooked" ]
refused sysctl '"probe/sysctl":"net.core.somaxconn=9"' 'NRI plugin 10-first: sysctl is rejected by nri_validator'
refused seccomp '"probe/seccomp":"chmod"' 'NRI plugin 10-first: seccomp_policy is rejected by nri_validator' "$DEFAULT"
pod unconfined '"probe/seccomp":"chmod"'; ok 'of an unconfined container it is not' make unconfined 'sleep 1000' "$UNCONFINED"; gone

# ---- plugins that validate ----

plugin 20 second; SECOND=$PLUGIN
plugin 00 judge -validate; JUDGE=$PLUGIN
pod seen '"probe/env.10":"A=first","probe/env.20":"B=second","probe/memory.20":"50000000"'
ok 'a container that a validator does not reject' make seen 'sleep 1000' '"envs":[{"key":"OWN","value":"here"}]'
is 'it is asked last' "$(grep '^[A-Z].*Container.* seen seen' "$T/judge.out" | head -2 | tr '\n' ';')" \
	'CreateContainer seen seen;ValidateContainerAdjustment seen seen;'
ok 'it sees what is changed, and by whom' grep -q '^validates env A=first of 10-first' "$T/judge.out"
ok 'of each plugin' grep -q '^validates env B=second of 20-second' "$T/judge.out"
ok 'a limit' grep -q '^validates memory 50000000 of 20-second' "$T/judge.out"
like 'the plugins, the image, and the container as it was' "$(grep '^validates updates' "$T/judge.out")" \
	'updates=0 plugins=00-judge,10-first,20-second image=[^ ]*busybox[^ ]* env=.*OWN=here'
notok 'without what plugins changed' grep -q 'validates updates.*A=first' "$T/judge.out"
gone
pod rejected '"probe/update.10":"70000000","probe/env.10":"A=1","probe/reject.00":"rejected=not like this"'
make other 'sleep 1000'; OTHER=$C
notok 'what a validator rejects is not made' make rejected 'sleep 1000'
like 'with its words' "$(said)" 'NRI plugin 00-judge rejects what plugins changed: not like this'
is 'nor is an update of another container' "$(jq -rc .linux.resources.memory.limit "$T/state/containers/$OTHER/config.json")" null
ok 'which it was told of' grep -q '^validates updates=1' "$T/judge.out"
until_ok 10 grep -q '^RemoveContainer rejected' "$T/first.out"
is 'plugins hear that the container is not there after all' "$(grep -c '^\(Stop\|Remove\)Container rejected rejected' "$T/first.out")" 2
gone
pod hang '"probe/hang.00":"ValidateContainerAdjustment"'
notok 'a validator that does not answer has not agreed' make hang 'sleep 1000'
like 'with its name' "$(said)" 'NRI plugin 00-judge: ValidateContainerAdjustment'
wait $JUDGE 2>/dev/null
gone
plugin 00 judge2 -validate; JUDGE=$PLUGIN
pod die '"probe/die.00":"ValidateContainerAdjustment"'
notok 'nor has one that dies' make die 'sleep 1000'
like 'with its name' "$(said)" 'NRI plugin 00-judge2: '
wait $JUDGE 2>/dev/null
gone
plugin_ended $FIRST 10-first; plugin_ended $SECOND 20-second
crisp_clean
