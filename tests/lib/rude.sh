# rude.sh - starts rude_registry for a test. Sourced after crisp.sh.

# rude_start DIR [ADDRESS [CERT KEY]]: starts a registry that misbehaves as its rules say (rude_registry); sets RUDE
# (host:port), RUDE_PID and RUDE_DIR.
rude_start() {
	RUDE_DIR=$1
	mkdir -p "$1"
	"$ROOT/tests/lib/rude_registry" "$@" &
	RUDE_PID=$!
	until_ok 10 test -s "$1/port" || return 1
	RUDE=${2:-127.0.0.1}:$(cat "$1/port")
}
rude_stop() { kill "$RUDE_PID" 2>/dev/null; wait "$RUDE_PID" 2>/dev/null; true; }
