#!/bin/bash
# hooks.t - OCI hooks that files of the node give to containers (hooks.d).
. "$(dirname "$0")/../lib/crisp.sh"
mkdir "$T/usr" "$T/etc"
printf '#!/bin/sh\necho "$1 $(tr -d "\\n " | grep -o "\\"id\\":\\"[0-9a-f]*" | head -c 18)" >>%s\n' "$T/ran" >"$T/hook"; chmod 755 "$T/hook"
# hook FILE NAME WHEN STAGES
hook() { echo "{\"version\":\"1.0.0\",\"hook\":{\"path\":\"$T/hook\",\"args\":[\"hook\",\"$2\"]},\"when\":{$3},\"stages\":[$4]}" >"$T/$1"; }
hook usr/10-all.json all '"always":true' '"createRuntime","poststop"'
hook usr/20-init.json init '"commands":["^/bin/busybox$"]' '"createRuntime"'
hook usr/30-gpu.json gpu '"annotations":{"^example[.]com/gpu$":"^(yes|all)$"}' '"createRuntime"'
hook usr/40-mounts.json mounts '"hasBindMounts":true' '"createRuntime"'
hook usr/50-over.json hidden '"always":true' '"createRuntime"'
hook etc/50-over.json over '"always":true,"annotations":{"^over$":"1"}' '"createRuntime"'
crisp_up "hooks: {dirs: [$T/usr, $T/etc]}"

# made HANDLER NAME [POD-EXTRA] [CTR-EXTRA]: a container that ran; what its hooks wrote is in $T/ran.
made() {
	: >"$T/ran"
	POD=$(pod_json "$1-$2" "${3-}"); P=$($CRICTL runp --runtime "$1" "$POD") || return
	C=$($CRICTL create "$P" "$(ctr_json "$1-$2" 'exit 0' "${4-}")" "$POD") && $CRICTL start "$C" >/dev/null && until_ok 10 exited "$C"
}
over() { $CRICTL rmp -f "$P" >/dev/null; }
names() { cut -d' ' -f1 "$T/ran" | tr '\n' ' '; }
for h in runc crun native; do
	made "$h" plain
	until_ok 10 grep -c all <(until [ "$(names)" = 'all all ' ]; do sleep 0.1; done; names)
	is "$h: a hook of each container, at its begin and its end" "$(names)" 'all all '
	is "$h: it hears of the container" "$(cut -d'"' -f4 "$T/ran" | cut -c1-8 | sort -u)" "${C:0:8}"
	over
	made "$h" asked '"annotations":{"example.com/gpu":"all"}' "\"command\":[\"/bin/busybox\",\"true\"],\"mounts\":[{\"host_path\":\"$T/usr\",\"container_path\":\"/x\"}],\"annotations\":{\"over\":\"1\"}"
	like "$h: conditions: annotations, a mount, another directory" "$(names)" '^all init gpu mounts over '
	over
done
made native way; is 'native: by its fallback' "$(jq -r .way "$T/root/containers/$C.json")" runc; over

rm "$T/usr/10-all.json"
made native none
is 'a change needs no reload' "$(names)" ''
is 'and a container without hooks is native' "$(jq -r .way "$T/root/containers/$C.json")" native
echo '{"version": "1.0.0", "hook": {' >"$T/etc/99-bad.json"
notok 'a bad file is an error' $CRICTL create "$P" "$(ctr_json bad 'exit 0')" "$POD"
like 'that names it' "$($CRICTL create "$P" "$(ctr_json bad 'exit 0')" "$POD" 2>&1)" '99-bad.json'
ln -sf /dev/zero "$T/etc/99-bad.json"
like 'a file that is none too' "$($CRICTL create "$P" "$(ctr_json bad 'exit 0')" "$POD" 2>&1)" '99-bad.json'
rm "$T/etc/99-bad.json"
ok 'without it the same container is made' $CRICTL create "$P" "$(ctr_json bad 'exit 0')" "$POD"
over
crisp_clean
