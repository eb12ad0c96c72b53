# retry.t - a repeated request joins the first or succeeds; a different request with the same name is refused.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
pod_json p >/dev/null

for i in 1 2 3 4 5; do $CRICTL runp "$T/p.pod.json" >"$T/run.$i" 2>"$T/run.$i.err" & pids="${pids-} $!"; done
for p in $pids; do wait "$p"; done
is 'five calls at once make one sandbox' "$(cat "$T"/run.[1-5] | sort -u | wc -l)" 1
is 'that is listed once' "$($CRICTL pods -q | wc -l)" 1
pod=$($CRICTL pods -q --no-trunc)
is 'a later call gets it too' "$($CRICTL runp "$T/p.pod.json")" "$pod"
notok 'another handler under the same name' $CRICTL runp --runtime crun "$T/p.pod.json"
like 'says that it exists' "$out" 'AlreadyExists'

ctr_json c 'sleep 100' >/dev/null
one=$($CRICTL create "$pod" "$T/c.ctr.json" "$T/p.pod.json")
is 'create again gives the same container' "$($CRICTL create "$pod" "$T/c.ctr.json" "$T/p.pod.json")" "$one"
ctr_json c 'sleep 200' >/dev/null
notok 'another config under the same name' $CRICTL create "$pod" "$T/c.ctr.json" "$T/p.pod.json"
like 'says so' "$out" 'AlreadyExists'

$CRICTL start "$one" >/dev/null
pids=
for i in 1 2 3 4; do $CRICTL stop -t 0 "$one" >"$T/stop.$i" 2>&1 & pids="$pids $!"; done
bad=0; for p in $pids; do wait "$p" || bad=$((bad + 1)); done
is 'four stops at once all succeed' "$bad" 0
is 'killed' "$(exit_of "$one")" 137
pids=
for i in 1 2 3 4; do $CRICTL rm -f "$one" >"$T/rm.$i" 2>&1 & pids="$pids $!"; done
for p in $pids; do wait "$p"; done
is 'it is gone' "$($CRICTL ps -aq)" ''
$CRICTL create "$pod" "$T/c.ctr.json" "$T/p.pod.json" >/dev/null
pids=
for i in 1 2 3; do $CRICTL stopp "$pod" >/dev/null 2>&1 & pids="$pids $!"; $CRICTL rmp -f "$pod" >/dev/null 2>&1 & pids="$pids $!"; done
for p in $pids; do wait "$p"; done
is 'stops and removals at once end with no pod' "$($CRICTL pods -q)" ''

# A slow CNI plugin: the client's deadline passes, the operation goes on, and the retry gets its result.
mkdir -p "$T/bin"
cat >"$T/bin/slow" <<S
#!/bin/sh
cat >/dev/null
[ "\$CNI_COMMAND" = ADD ] || exit 0
until [ -e $T/go ]; do sleep 0.05; done
echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/24"}]}'
S
chmod 755 "$T/bin/slow"
sed -i "s|bin_dirs: \[|bin_dirs: [$T/bin, |" "$T/config.yaml"
echo '{"cniVersion":"1.0.0","name":"slow","plugins":[{"type":"slow"}]}' >"$T/cni/05-slow.conflist"
crisp_stop
crisp_start
notok 'the client gives up' $CRICTL --timeout 1s runp "$T/p.pod.json"
like 'by its deadline' "$out" 'DeadlineExceeded|deadline'
touch "$T/go"
ok 'the retry succeeds' $CRICTL runp "$T/p.pod.json"
is 'with the address' "$($CRICTL inspectp "$($CRICTL pods -q)" | jq -r .status.network.ip)" 10.9.9.9
is 'and there is one sandbox' "$($CRICTL pods -q | wc -l)" 1
crisp_clean
