# compare.t - compares the kubelet's pages that the other stories kept: under crisp they are the same as under containerd.

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

# CRI has no label "name". Series that only cAdvisor has are constants: its reader of cgroup load is off, and no CRI runtime reports
# health. Series that only CRI has are those of the writable layer, which cAdvisor leaves to the summary.
families() { "$here/series" --families "$1" | sed 's/,name,/,/' | grep -vE "^container_($2) "; }
constants='cpu_load_average_10s|cpu_load_d_average_10s|tasks_state|health_state'
layer='fs_usage_bytes|fs_limit_bytes|fs_inodes_total|fs_inodes_free'
if [ -e "$KEPT/crisp/cri" ] && [ -e "$KEPT/crisp/cadvisor" ]; then
	is 'the same families by CRI as by cAdvisor' "$(families "$KEPT/crisp/cri" "$layer")" "$(families "$KEPT/crisp/cadvisor" "$constants")"
fi
if both cri; then
	is 'no family by CRI that containerd has is missing' \
		"$(comm -13 <(families "$KEPT/crisp/cri" none | cut -d' ' -f1) <(families "$KEPT/containerd/cri" none | cut -d' ' -f1))" ''
fi
# containerd lists the default interface among the others too, against api.proto, and has 0 where there is no limit.
cri_summary() {
	jq -S -f "$here/summary.jq" "$1" | jq 'map(del(.interfaces) | .containers[].has -= ["swap.swapAvailableBytes", "memory.availableBytes"])'
}
[ ! -e "$KEPT/crisp/cri-summary.json" ] || same 'figures of the summary by CRI' cri-summary.json cri_summary
tap_end
