# compare.t - what the kubelet said in the other stories is the same under crisp and under containerd.

. "$(dirname "$0")/../lib/tap.sh"
here=$(dirname "$0")

both() { [ -s "$KEPT/crisp/$1" ] && [ -s "$KEPT/containerd/$1" ]; }
same() { # WORDS FILE COMMAND...: COMMAND's output for both
	local words=$1 file=$2; shift 2
	both "$file" || { fail "$words" "no $file of both"; return; }
	"$@" "$KEPT/crisp/$file" >"$KEPT/a"; "$@" "$KEPT/containerd/$file" >"$KEPT/b"
	if d=$(diff -U1 --label crisp --label containerd "$KEPT/a" "$KEPT/b"); then pass "$words ($(wc -l <"$KEPT/a") lines)"; else fail "$words" "$d"; fi
}

if [[ $RUNTIMES != *containerd* ]]; then
	skip 'the same under containerd' "no containerd: $(grep -m1 ^containerd "$here/../../build/peers/missing")"
	tap_end; exit
fi
ok 'there is something to compare' test -n "$(ls "$KEPT/crisp")"
for f in "$KEPT"/crisp/*.json; do
	name=$(basename "$f" .json)
	case $name in *summary) ;; *) same "status of $name" "$name.json" jq -S -f "$here/same.jq" ;; esac
done
[ ! -e "$KEPT/crisp/cadvisor" ] || same 'series of cAdvisor' cadvisor "$here/series"
[ ! -e "$KEPT/crisp/summary.json" ] || same 'figures of the summary' summary.json jq -S -f "$here/summary.jq"
tap_end
