# metrics.t - /metrics: what it counts, and docs/metrics.md, which has exactly its families with their types, labels and
# meanings.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

crisp_up 'network: cni'
metric() { loop_metrics; grep -F "$1" "$T/metrics.txt" | awk '{ print $NF }'; }
M=$((1 << 20))

# Each kind of event once.
is 'the version' "$(metric 'crisp_build_info{version=')" 1
is 'a pull' "$(metric 'crisp_pulls_total{result="ok"}')" 1
ok 'its bytes' test "$(metric crisp_pull_bytes_total | tail -1)" -gt 100000
is 'its time' "$(metric 'crisp_pull_seconds_count')" 1
rpc PullImage "image { image: '$REGISTRY/not/there:1' }"
is 'a pull that fails, by its code' "$(metric 'crisp_pulls_total{result=' | xargs)" '1 1'
is 'the call, by its code' "$(metric "crisp_rpc_failed_total{method=\"PullImage\",code=\"$code\"}")" 1
pod=$($CRICTL runp "$(pod_json p)")
is 'a run of a CNI plugin' "$(metric 'crisp_cni_total{plugin="bridge",result="ok"}')" 1
is 'and its time' "$(metric 'crisp_cni_seconds_count{plugin="bridge"}')" 1
run() { # NAME SCRIPT [EXTRA]: waits for its end
	ctr=$($CRICTL create "$pod" "$(ctr_json "$@")" "$T/p.pod.json")
	$CRICTL start "$ctr" >/dev/null
	until_ok 30 exited "$ctr"
}
ok 'a container ends well' run good 'exit 0'
ok 'one badly' run bad 'exit 3'
ok 'one is out of memory' run hog 'x=a; while :; do x=$x$x; done' \
	"\"linux\":{\"resources\":{\"memory_limit_in_bytes\":$((32 * M)),\"memory_swap_limit_in_bytes\":$((32 * M))}}"
for reason in Completed Error OOMKilled; do
	is "exits: $reason" "$(metric "crisp_container_exits_total{reason=\"$reason\"}")" 1
done
is 'out of memory' "$(metric crisp_container_oom_total | tail -1)" 1
is 'no restart' "$(metric crisp_restarts_total)" ''
ok 'crispd is killed' kill_crispd
is 'a restart' "$(metric crisp_restarts_total | tail -1)" 1
is 'a condition that is true' "$(metric 'crisp_condition{type="NetworkReady"}')" 1
mv "$T/cni" "$T/away"
network_lost() { [ "$(metric 'crisp_condition{type="NetworkReady"}')" = 0 ]; }
ok 'one that is not' until_ok 10 network_lost
is 'as many as Status has' "$(metric 'crisp_condition{' | wc -l)" "$($CRICTL info | jq '.status.conditions | length')"
mv "$T/away" "$T/cni"

# The document: NAME TYPE LABELS MEANING of each family.
documented() {
	sed -nE 's/^\| `([a-z_]+)` \| (counter|gauge|histogram) \| ([a-z_, ]*) \| (.*) \|$/\1|\2|\3|\4/p' \
		"$ROOT/docs/metrics.md"
}
declared() {
	sed -nE 's/^(COUNTER|GAUGE|HISTOGRAM)\(([a-z_0-9]+), (NULL|"[a-z_,]*"), "(.*)"\)$/crisp_\2|\1|\3|\4/p' \
		"$ROOT/reactor/metrics.def" |
		awk -F'|' -v OFS='|' '{
			$2 = tolower($2); $3 = $3 == "NULL" ? "" : $3; gsub(/"/, "", $3); gsub(/,/, ", ", $3); print }'
}
shown() {
	loop_metrics
	awk '/^# HELP/ { name = $3; $1 = $2 = $3 = ""; sub(/^ +/, ""); help = $0; next }
		/^# TYPE/ { type = $4; next }
		name { labels = ""; at = $0; if (sub(/^[a-z_]+[{]/, "", at)) {
				while (match(at, /^,?[a-z_]+="([^"\\]|\\.)*"/)) {
					l = substr(at, 1, RLENGTH); at = substr(at, RLENGTH + 1); sub(/^,/, "", l); sub(/=.*/, "", l)
					if (l != "le") labels = labels (labels ? ", " : "") l
				} }
			print name "|" type "|" labels "|" help; name = "" }' "$T/metrics.txt"
}
documented | sort >"$T/documented"
shown | sort >"$T/shown"
{ declared; cat "$T/shown"; } | sort -u >"$T/all"
ok 'the document has families' test "$(wc -l <"$T/documented")" -gt 30
is 'no family is missing or other than it is' "$(comm -13 "$T/documented" "$T/all")" ''
is 'none is in the document only' "$(comm -23 "$T/documented" "$T/all")" ''
$CRICTL rmp -f "$pod" >/dev/null
crisp_clean
