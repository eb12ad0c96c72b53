#!/bin/bash
# bench_page.t - the HTML page of crisp-bench opens in a browser, needs no external resource, and shows its plots.
. "$(dirname "$0")/../lib/tap.sh"
[ -x "$BUILD/crisp-bench" ] || { echo '1..0 # SKIP crisp-bench is not built'; exit 0; }
command -v gnuplot >/dev/null || { echo '1..0 # SKIP no gnuplot: scripts/setup bench'; exit 0; }
T=$(mktemp -d "$WORK/page.XXXXXX")

python3 - >"$T/run.jsonl" <<'E2'
import json, random
r = random.Random(1)
print(json.dumps({"kind": "conditions", "commit": "<b>&amp", "cpus": 2}))
print(json.dumps({"kind": "run", "scenario": "exec", "when": "now", "load": "0.1", "options": "<i>rounds 5",
    "endpoints": "a is b"}))
def sample(scenario, mode, endpoint, n, **values):
    print(json.dumps({"kind": "sample", "scenario": scenario, "mode": mode, "endpoint": endpoint, "round": n,
        **values}))
for e, k in (("crisp-runc", 1.0), ("containerd-runc", 2.5)):
    for n in range(30):
        sample("pod-start", "spaced", e, n, run_pod=k * r.uniform(20, 30), up=k * r.uniform(40, 60),
            down=k * r.uniform(60, 80))
        sample("exec", "x10", e, n, exec=k * r.uniform(10, 20))
    for pods in (0, 25, 50):
        sample("density", f"{pods} pods", e, 1, uss_kib=k * (3000 + 20 * pods), pss_kib=k * (3500 + 20 * pods))
        for n in range(5):
            sample("density", f"{pods} pods", e, n, list_pods=k * (0.1 + pods / 100), list_stats=k * (1 + pods / 10))
sample("pod-start", "spaced", "floor", 0, up=4.7, down=2.5)
E2
stage() { # NAME SECONDS TIMES: a series of crispd's page
	printf 'crisp_stage_seconds_bucket{stage="%s",le="%s"} %s\n' "$1" 1 "$3" "$1" +Inf "$3"
	printf 'crisp_stage_seconds_sum{stage="%s"} %s\n' "$1" "$2"
}
stage namespaces 1 10 >"$T/before"
{ stage namespaces 3 20; stage cni_add 8 10; stage runtime_run 6 10; } >"$T/after"
ok 'report' "$BUILD/crisp-bench" report --before "$T/before" --after "$T/after" --plots "$T" --html "$T/report.html" \
	"$T/run.jsonl"
is 'each plot of the page is a file too, but the distributions' "$(ls "$T"/*.svg | xargs -n1 basename | paste -sd" ")" \
	'exec-exec.svg latency-by-pods.svg memory-by-pods.svg pod-start-down.svg pod-start-up.svg waterfall.svg'
is 'nothing is fetched from elsewhere' "$(grep -oE '(src|href)="?(https?:)?//[^" ]*' "$T/report.html")" ''
is 'text is escaped' "$(grep -c '<b>&amp\|<i>rounds' "$T/report.html")" 0
like 'the options of a run are on the page' "$(cat "$T/report.html")" 'i&#62;rounds 5</td><td>a is b'
sed -n 's/.*class="key">//p' "$T/report.html" | grep -o 'background:#[0-9a-f]*"></b>[^<]*' |
	sed 's/background:#\(.*\)"><.b>/\1 /' >"$T/key"
is 'the key has each endpoint' "$(cut -d' ' -f2 "$T/key" | paste -sd' ')" 'crisp-runc containerd-runc floor'
is 'with a colour of its own' "$(cut -d' ' -f1 "$T/key" | sort -u | wc -l)" 3
colours() { grep -o 'rgb([ 0-9,]*)' "$1" | tr -dc '0-9,\n' | sort -u; }
while read -r colour name; do
	rgb=$((16#${colour:0:2})),$((16#${colour:2:2})),$((16#${colour:4:2}))
	for plot in pod-start-up exec-exec memory-by-pods; do
		[ "$name $plot" = "floor exec-exec" ] || [ "$name $plot" = "floor memory-by-pods" ] ||
			ok "$plot has $name in this colour" grep -qx "$rgb" <(colours "$T/$plot.svg")
	done
done <"$T/key"
ok 'table' "$BUILD/crisp-bench" table "$T/run.jsonl"
like 'with the conditions' "$out" 'cpus +2'
like 'and the run' "$out" 'exec, now, load 0.1: <i>rounds 5'
like 'a p90 of 30 samples stands, a p99 does not' "$out" 'crisp-runc +30 +[0-9.]+ +[0-9.]+ +- +- +[0-9.]+'
like 'with a ratio and its interval' "$out" 'crisp-runc .* 0\.[34][0-9] \[0\.[0-9]+ 0\.[0-9]+\]'
ok 'a run compared with itself is the same' "$BUILD/crisp-bench" compare "$T/run.jsonl" "$T/run.jsonl"
sed 's/"up": \([0-9]\)/"up": 1\1/' "$T/run.jsonl" >"$T/slow.jsonl"
notok 'a slower one is worse' "$BUILD/crisp-bench" compare "$T/run.jsonl" "$T/slow.jsonl"
like 'and named' "$out" 'pod-start +spaced +crisp-runc +up .* WORSE'

if browser=$(command -v chromium); then
	chrome() {
		HOME=$T timeout $((60 * ${SLOW:-1})) "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
			--hide-scrollbars --user-data-dir="$T/profile" --window-size=1240,4200 "$@" "file://$T/report.html" 2>"$T/chrome.log"
	}
	chrome --dump-dom >"$T/dom.html"
	is 'the browser sees a plot for each part' "$(grep -o '<svg' "$T/dom.html" | wc -l)" \
		"$(grep -o '<svg' "$T/report.html" | wc -l)"
	for part in runs peers waterfall pods cdf table; do
		like "there is a part $part" "$(cat "$T/dom.html")" "<h2 id=\"$part\""
	done
	cp "$T/report.html" "$T/whole.html"
	over='document.documentElement.scrollWidth - innerWidth'
	for wide in 500 1280; do # chromium has no narrower window
		{ cat "$T/whole.html"; echo "<script>document.title = 'over ' + ($over) + ' of ' + innerWidth</script>"; } \
			>"$T/report.html"
		chrome --window-size=$wide,900 --dump-dom >"$T/dom.html"
		is "a window of $wide is not exceeded" "$(grep -o '<title>over[^<]*' "$T/dom.html")" "<title>over 0 of $wide"
	done
	cp "$T/whole.html" "$T/report.html"
	chrome --screenshot="$T/page.png" >/dev/null
	ok 'a screenshot is drawn' test "$(stat -c %s "$T/page.png" 2>/dev/null || echo 0)" -gt 50000
	[ -z "${SCREENSHOT-}" ] || cp "$T/page.png" "$SCREENSHOT"
else
	skip 'the page in a browser' 'no chromium: scripts/setup bench'
fi
rm -rf "$T"
tap_end
