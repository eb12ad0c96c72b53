# lanes.sh - runs lanes one after the other, each with its own time limit, and prints a table at the end. Sourced by scripts/test
# and scripts/full.
#
# LANES="WORD...": only the lanes whose name begins with one of these words.

lanes=() failed=0 said=$(mktemp -d "${TMPDIR:-/tmp}/crisp-lanes.XXXXXX") || exit 1
trap 'rm -rf "$said"' EXIT

# lane_wanted NAME: by LANES
lane_wanted() {
	local word
	[ -n "${LANES-}" ] || return 0
	for word in $LANES; do [ "${1#"$word"}" = "$1" ] || return 0; done
	return 1
}

# lane_run FILE NAME SECONDS COMMAND...: runs it; its output goes to FILE too, and its line of the table to FILE.line.
lane_run() {
	local file=$1 name=$2 limit=$3 begun=$SECONDS rc word; shift 3
	echo; echo "== $name"
	timeout -k 30 "$limit" "$@" 2>&1 | tee "$file"; rc=${PIPESTATUS[0]}
	case $rc in
	0) word=ok ;;
	124 | 137) word=TIMEOUT ;;
	*) word=FAILED ;;
	esac
	printf '%-8s %-40s %5d s of %d\n' $word "$name" $((SECONDS - begun)) "$limit" >"$file.line"
}

# lane_ended FILE NAME: takes its result.
lane_ended() {
	local line; line=$(cat "$1.line" 2>/dev/null) || line="FAILED   $2: no result"
	case $line in ok*) ;; *)
		failed=$((failed + 1))
		{ echo; echo "== what failed in: $2"; what_failed "$1"; } >>"$said/failed" ;;
	esac
	lanes+=("$line")
}

# lane NAME SECONDS COMMAND...
lane() {
	lane_wanted "$1" || return 0
	lane_run "$said/now" "$@"
	lane_ended "$said/now" "$1"
}

# lane_beside NAME SECONDS COMMAND...: runs at the lowest priority beside the lanes that follow, behind the earlier ones of this
# kind; for lanes that only compute. lanes_join waits for them and prints what they printed.
beside=() beside_pid=
lane_beside() {
	lane_wanted "$1" || return 0
	local file=$said/beside${#beside[@]} before=$beside_pid
	(
		[ -z "$before" ] || while kill -0 "$before" 2>/dev/null; do sleep 0.2; done
		renice -n 19 -p $BASHPID >/dev/null
		lane_run "$file" "$@" >/dev/null 2>&1
	) &
	beside_pid=$!
	beside+=("$1")
}
lanes_join() {
	local i
	wait
	for i in "${!beside[@]}"; do
		echo; echo "== ${beside[$i]}"; cat "$said/beside$i"
		lane_ended "$said/beside$i" "${beside[$i]}"
	done
	beside=() beside_pid=
}

# what_failed FILE: what a lane said about its failures, 60 lines at most: the checks with the lines that explain them, or the end of
# what it printed. The output of a whole run is long, and who reads it begins at its end. What passed between them is left out.
what_failed() {
	grep -A12 -E '^ *not ok|^(FAIL|FAILED|WRONG) |^# killed|^left on the machine|Failed tests?:|Wstat|: (error|warning):|ERROR: [A-Za-z]*Sanitizer' "$1" |
		grep -vE '^ *ok [0-9]|^ok  |^--$|\.t \.+ *(ok|skipped|$)|rules of iptables were left' | cut -c1-300 | tail -60 | grep . ||
		tail -20 "$1" | cut -c1-300
}

# lanes_end: prints what failed, and the table; fails when a lane has failed.
lanes_end() {
	[ ! -e "$said/failed" ] || cat "$said/failed"
	echo
	printf '%s\n' "${lanes[@]}"
	echo "$((${#lanes[@]} - failed)) passed, $failed failed"
	[ $failed = 0 ]
}
