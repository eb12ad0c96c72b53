# lanes.sh - lanes one after the other, each with a time limit of its own, and a table at the end. Sourced by scripts/test and
# scripts/full.
#
# LANES="NAME...": those whose name begins so, others are left out.

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

# lanes_end: the table; fails when a lane did.
lanes_end() {
	echo
	printf '%s\n' "${lanes[@]}"
	echo "$((${#lanes[@]} - failed)) passed, $failed failed"
	[ $failed = 0 ]
}
