# tap.sh - checks for shell tests: each prints one TAP line; the plan is printed at the end. Sourced.

tap_n=0
tap_bad=0

# pass WORDS / fail WORDS [DETAIL]
pass() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1"; }
fail() {
	tap_n=$((tap_n + 1)); tap_bad=$((tap_bad + 1))
	echo "not ok $tap_n - $1"
	[ -z "${2-}" ] || printf '%s\n' "$2" | head -40 | sed 's/^/#   /'
}
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1 # SKIP $2"; }

# ok WORDS COMMAND...: COMMAND succeeds. notok: COMMAND fails. Its output is in $out, and is printed when the check fails.
ok() { local w=$1; shift; if out=$("$@" 2>&1); then pass "$w"; else fail "$w" "status $?: $* : $out"; fi; }
notok() { local w=$1; shift; if out=$("$@" 2>&1); then fail "$w" "succeeded: $* : $out"; else pass "$w"; fi; }
# is WORDS GOT WANT; like WORDS GOT PATTERN (extended regular expression, anywhere)
is() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:  $2
want: $3"; fi; }
like() { if printf '%s\n' "$2" | grep -qE -- "$3"; then pass "$1"; else fail "$1" "got:  $2
want: $3"; fi; }
unlike() { if printf '%s\n' "$2" | grep -qE -- "$3"; then fail "$1" "got: $2
not wanted: $3"; else pass "$1"; fi; }

# until_ok SECONDS COMMAND...: runs COMMAND every 20 ms until it succeeds or the time is over; tests poll only here. SLOW multiplies
# the seconds: an emulated machine needs more time.
until_ok() {
	local end=$(($(date +%s%N) + $1 * ${SLOW:-1} * 1000000000)); shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# ended PID: there is no such process. One that was just killed is there until its parent, or pid 1 of the namespace, has reaped it, so
# this is waited for.
ended() { ! kill -0 "$1" 2>/dev/null; }

tap_end() { echo "1..$tap_n"; [ "$tap_bad" = 0 ]; }
