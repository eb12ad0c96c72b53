#!/bin/bash
# handlers.t - the options of a handler, and what is said of a handler that cannot be used.
. "$(dirname "$0")/../lib/crisp.sh"
RUNC=${RUNC:-/usr/sbin/runc}
echo '{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 123, "hard": 456}], "cwd": "/never"}}' >"$T/base.json"
echo "{}" >"$T/empty.json"
mkdir "$T/own-root" "$T/other-cni"
cat >"$T/other-cni/10-other.conflist" <<J
{"cniVersion":"1.0.0","name":"other","plugins":[{"type":"bridge","bridge":"crisptest1","isGateway":true,
 "ipam":{"type":"host-local","dataDir":"$T/ipam","ranges":[[{"subnet":"10.201.0.0/16"}]]}}]}
J
printf '#!/bin/sh\necho "$@" >>%s\nexec %s "$@"\n' "$T/argv" "$RUNC" >"$T/runc"; chmod 755 "$T/runc"
cp "$ROOT/tests/lib/oci_fake" "$T/oci_fake"
crisp_up "runtimes:" "  runc: {type: oci, path: $RUNC}" \
	"  full: {path: $T/runc, args: [--debug], root: $T/own-root, base_spec: $T/base.json,
    privileged_without_host_devices: true, allowed_annotations: ['allowed/*'], default_annotations: {allowed/a: default, own/b: default}}" \
	"  heir: {inherit: full, base_spec: $T/empty.json, cni_conf_dir: $T/other-cni}" \
	"  nonet: {inherit: full, cni_conf_dir: $T/no-cni}" \
	"  slow: {path: $T/oci_fake, create_timeout: 1}" "  gone: {path: $T/no-program}" "  'true': {path: /bin/true}"

pod() { POD=$(pod_json "$1" "${3-}"); P=$($CRICTL runp --runtime "$2" "$POD" 2>"$T/err"); }
said() { tr -d '\\' <"$T/err"; }
config_of() { jq -r "$2" "$T/state/containers/$1/config.json"; }
make() { C=$($CRICTL create "$P" "$(ctr_json "$1" "$2" "${3-}")" "$POD" 2>"$T/err") && $CRICTL start "$C" >/dev/null; }

# ---- options ----

pod full full '"annotations":{"allowed/a":"pod","other/b":"pod"},
	"linux":{"security_context":{"privileged":true,"namespace_options":{"pid":1}}}'
make full "ulimit -n; ls /dev/mem /dev/kmsg; sleep 1000" \
	'"annotations":{"allowed/c":"container","io.kubernetes.cri.container-type":"sandbox"},
	"linux":{"security_context":{"privileged":true}}'
until_ok 10 grep -q /dev/kmsg "$T/logs/full.log"; until_ok 10 grep -q 123 "$T/logs/full.log"
is 'base_spec: a limit that crisp does not write' "$(log_text full | grep -v /dev/)" 123
is 'base_spec: what crisp writes stays' "$(config_of "$C" .process.cwd)" /
like 'privileged_without_host_devices' "$(log_text full)" '/dev/mem: No such file'
is 'annotations that are allowed, and defaults' "$(config_of "$C" '.annotations | [."allowed/a", ."own/b", ."allowed/c", ."other/b",
	."io.kubernetes.cri.container-type"] | map(tostring) | join(" ")')" 'pod default container null container'
ok 'args: they stand before the verb' grep -q -- "--debug run .*$C" "$T/argv"
ok 'root: the state of the runtime is there' [ -d "$T/own-root/$C" ]
like 'crisp info shows them' \
	"$($CRICTL info -o json | jq -c '.config.runtimes.full // (.config | fromjson).runtimes.full')" 'allowed_annotations'
$CRICTL rmp -f "$P" >/dev/null
pod heir heir
make heir 'ulimit -n; sleep 1000'
like 'cni_conf_dir: an address of its network' "$($CRICTL inspectp "$P" | jq -r .status.network.ip)" '^10\.201\.'
ok 'inherit: the root of the other handler' [ -d "$T/own-root/$C" ]
is 'inherit: an own base_spec' "$(config_of "$C" '.process.rlimits')" null
$CRICTL rmp -f "$P" >/dev/null

pod slow slow; echo 'run hang' >"$T/mode"
notok 'create_timeout: a start that hangs' make slow 'sleep 1000'
C=$($CRICTL ps -a -q -p "$P" | head -1)
like 'create_timeout: and is told' "$($CRICTL inspect "$C" | jq -r .status.message)" 'slow run: .* did not end within 1000 ms'
: >"$T/go"; rm "$T/mode"
$CRICTL rmp -f "$P" >/dev/null

# ---- what cannot be used ----

tried() {
	$CRICTL info -o json | jq -r '.status.conditions[] | select(.type == "RuntimeHandlersUsable") | .message' | grep 'handler true: '
}
until_ok 10 tried
notok 'a handler whose network is not configured' pod nonet nonet
like 'is told' "$(pod nonet nonet; said)" 'no-cni'
notok 'a handler that is not configured' pod none nobody
like 'is named' "$(pod none nobody; said)" 'runtime handler "nobody" is not configured'
notok 'a program that is not there' pod gone gone
like 'is named with its handler' "$(pod gone gone; said)" 'runtime handler gone: .*/no-program: No such file'
notok 'a program that is no runtime' pod true true
like 'and what it says' "$(pod true true; said)" 'runtime handler true: /bin/true is no OCI runtime'
unusable=$($CRICTL info -o json | jq -r '.status.conditions[] | select(.type == "RuntimeHandlersUsable") | .message')
like 'Status: the program that is not there' "$unusable" 'handler gone: '
like 'Status: the program that is no runtime' "$unusable" 'handler true: '
is 'Status: the handlers that can be used' \
	"$($CRICTL info -o json | jq -r '[.runtimeHandlers[].name | select(.)] | sort | join(" ")')" 'full heir nonet runc slow'
check=$($BUILD/crisp check --address "unix://$T/state/crisp.sock" 2>&1); rc=$?
is 'crisp check fails' $rc 1
like 'crisp check: the program that is not there' "$check" '^wrong *runtime handler gone: '
like 'crisp check: the program that is no runtime' "$check" 'wrong *runtime handler true: /bin/true is no OCI runtime'
sed "s/path: .*no-program/type: shm, path: x/" "$T/config.yaml" >"$T/bad.yaml"
like 'a type that is none' "$($BUILD/crispd --config "$T/bad.yaml" 2>&1)" 'bad.yaml:[0-9]*: the type of a runtime is oci, native or shim, not shm'
crisp_clean
