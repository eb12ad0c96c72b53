# alerts.t - the alert rules and the dashboard: they are installed, Prometheus takes them, their metrics are in
# docs/metrics.md (which metrics.t compares with the daemon), and each alert is seen to fire. No daemon runs.

. "$(dirname "$0")/../lib/tap.sh"
promtool=$TOOLS/promtool
rules=$ROOT/packaging/prometheus/crisp.rules.yaml
board=$ROOT/packaging/grafana/crisp.json
T=$(mktemp -d "$WORK/alerts.XXXXXX")

if [ -e "$ROOT/GNUmakefile" ]; then
	ok 'make install' make -s -C "$ROOT" -o all BUILD="$BUILD" DESTDIR="$T/dest" PREFIX=/usr install
	for file in docs/metrics.md prometheus/crisp.rules.yaml prometheus/crisp.rules.test.yaml grafana/crisp.json; do
		ok "$file is with the documentation" test -s "$T/dest/usr/share/doc/crisp/$file"
	done
fi

jq -r '.panels[].targets[]?.expr, .templating.list[].query' "$board" >"$T/board"
ok 'the dashboard is JSON with expressions' test "$(wc -l <"$T/board")" -gt 30
is 'each of its panels has an id of its own' "$(jq '.panels | (map(.id) | unique | length) == length' "$board")" true
python3 - "$rules" >"$T/rules" <<'P'
import sys
# The expressions: what stands behind "expr:", or below it at a greater depth.
depth = None
for line in open(sys.argv[1]):
    at, word = len(line) - len(line.lstrip()), line.strip()
    if depth is not None and at > depth:
        print(word)
        continue
    depth = None
    if word.startswith("expr:"):
        depth = at
        print(word[5:].strip(" |"))
P
# used FILE: the metrics that are named in it, as families.
used() {
	sed 's/"[^"]*"//g' "$1" | grep -oE '\b(crisp|process)_[a-z_]+|\bup\b' |
		sed -E 's/^(.*_seconds)_(bucket|sum|count)$/\1/' | sort -u
}
# up is Prometheus' own.
documented() { { echo up; sed -nE 's/^\| `([a-z_]+)` \|.*/\1/p' "$ROOT/docs/metrics.md"; } | sort -u; }
for what in rules board; do
	ok "$what: metrics are named" test "$(used "$T/$what" | wc -l)" -gt 15
	is "$what: all are in docs/metrics.md" "$(comm -23 <(used "$T/$what") <(documented))" ''
done
alerts=$(sed -nE 's/^ *- alert: (.*)/\1/p' "$rules" | sort)
tried=$(sed -nE 's/.*alertname="([A-Za-z]+)".*/\1/p' "${rules%.yaml}.test.yaml" | sort -u)
is 'the test names each alert' "$tried" "$alerts"

if [ -x "$promtool" ]; then
	ok 'the rules are valid' "$promtool" check rules "$rules"
	ok 'they fire and are silent as their test says' "$promtool" test rules "${rules%.yaml}.test.yaml"
	# The expressions of the dashboard, as rules.
	jq '[.panels[].targets[]?.expr | gsub("[$]__rate_interval"; "5m") | gsub("[$](job|instance)"; "x")] |
		{groups: [{name: "board", rules: map({record: "x:x", expr: .})}]}' "$board" >"$T/board.rules.json"
	ok 'the expressions of the dashboard are valid' "$promtool" check rules "$T/board.rules.json"
else
	skip 'what Prometheus says of them' 'promtool was not fetched: tests/tools/promtool/build'
fi
rm -rf "$T"
tap_end
