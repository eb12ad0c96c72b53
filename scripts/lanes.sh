# lanes.sh - runs lanes one after the other, each with its own time limit, and prints a table at the end. Sourced by scripts/test
# and scripts/full.
#
# LANES="WORD...": only the lanes whose name begins with one of these words.

lanes=() failed=0

# lane NAME SECONDS COMMAND...
lane() {
	local name=$1 limit=$2 begun=$SECONDS rc=0 word; shift 2
	if [ -n "${LANES-}" ]; then
		for word in $LANES; do [ "${name#"$word"}" = "$name" ] || break; done
		[ "${name#"$word"}" != "$name" ] || return 0
	fi
	echo; echo "== $name"
	timeout -k 30 "$limit" "$@" || rc=$?
	case $rc in
	0) word=ok ;;
	124 | 137) word=TIMEOUT ;;
	*) word=FAILED ;;
	esac
	[ $rc = 0 ] || failed=$((failed + 1))
	lanes+=("$(printf '%-8s %-40s %5d s of %d' $word "$name" $((SECONDS - begun)) "$limit")")
}

# lanes_end: prints the table; fails when a lane has failed.
lanes_end() {
	echo
	printf '%s\n' "${lanes[@]}"
	echo "$((${#lanes[@]} - failed)) passed, $failed failed"
	[ $failed = 0 ]
}
