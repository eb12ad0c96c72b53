# reload.t - SIGHUP to the keeper: a valid configuration is used by a new crispd while containers run; an invalid one
# changes nothing.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up
pod=$($CRICTL runp "$(pod_json p)" 2>/dev/null)
ctr=$($CRICTL create "$pod" "$(ctr_json c 'while :; do echo tick; sleep 0.1; done')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
before=$(crispd_pid)

cp "$T/config.yaml" "$T/good.yaml"
echo 'nonsense: 1' >>"$T/config.yaml"
kill -HUP "$KEEPER"
ok 'a bad file is refused, by line' until_ok 10 \
	grep -q 'reload_refused.*config.yaml:[0-9]*: unknown key nonsense' "$T/crisp.log"
is 'and the same crispd goes on' "$(crispd_pid)" "$before"
sed "s|^state: .*|state: $T/elsewhere|" "$T/good.yaml" >"$T/config.yaml"
kill -HUP "$KEEPER"
ok 'another state directory is refused' until_ok 10 grep -q 'reload_refused.*root and state' "$T/crisp.log"
is 'the same crispd still' "$(crispd_pid)" "$before"

{ grep -v '^runtime:' "$T/good.yaml"; echo 'runtime: {default: crun}'; } >"$T/config.yaml"
kill -HUP "$KEEPER"
renewed() { [ -n "$(crispd_pid)" ] && [ "$(crispd_pid)" != "$before" ] && $CRICTL pods -q; }
ok 'a good one is taken by a new crispd' until_ok 10 renewed
is 'the container did not notice' "$(state_of "$ctr")" CONTAINER_RUNNING
pod2=$($CRICTL runp "$(pod_json q)" 2>/dev/null)
ctr2=$($CRICTL create "$pod2" "$(ctr_json d 'sleep 100')" "$T/q.pod.json")
$CRICTL start "$ctr2" >/dev/null
is 'and the new default runs' "$($CRICTL inspect "$ctr2" | jq -r .info.runtime)" crun

# The directory beside the file.
reload() { before=$(crispd_pid); kill -HUP "$KEEPER"; }
mkdir "$T/config.d"
echo 'runtime: {default: runc}' >"$T/config.d/50-default.yaml"
reload
ok 'a file of the directory is taken by a new crispd' until_ok 10 renewed
default_runtime() { $CRICTL info | jq -r '.config.runtime.default'; }
is 'and replaces the value of the file' "$(default_runtime)" runc
n=$(grep -c reload_refused "$T/crisp.log")
echo 'runtime: {defualt: runc}' >"$T/config.d/60-bad.yaml"
reload
more_refused() { [ "$(grep -c reload_refused "$T/crisp.log")" -gt "$n" ]; }
ok 'a bad file of the directory is refused' until_ok 10 more_refused
like 'by name and line, with what was meant' "$(grep reload_refused "$T/crisp.log" | tail -1)" \
	'config.d/60-bad.yaml:1: unknown key defualt \(did you mean default\?\)'
kill_crispd
like 'after a crash the last good one is used' "$($CRICTL info | jq -c .status.conditions)" 'ConfigurationRefused'
is 'the copy has what the directory had' "$(default_runtime)" runc
is 'and the containers did not notice' "$(state_of "$ctr2")" CONTAINER_RUNNING

# A path from here.
crisp_stop
rm -r "$T/config.d"
cd "$T" || exit 1
"$BUILD/crisp-keeper" --config config.yaml >>"$T/crisp.log" 2>&1 & KEEPER=$!
cd / || exit 1
ok 'a relative path is that of the directory of the start' until_ok 20 crisp_ready
is 'for crispd too' "$(default_runtime)" crun
crisp_clean
