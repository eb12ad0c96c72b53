# rpc.sh - makes a raw gRPC call: any bytes to any path. Sourced after crisp.sh; needs curl and protoc.

CRI=$ROOT/handlers/cri/api.proto
GRPC_CODES=(OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED
	FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED)

# rpc_post PATH FILE: posts FILE, a message with gRPC's five-byte prefix. Sets $code (a name, or "none" without a status) and
# $message.
rpc_post() {
	local head
	head=$(curl -s --noproxy '*' --max-time $((20 * ${SLOW:-1})) --http2-prior-knowledge --unix-socket "$T/state/crisp.sock" -X POST -D - -o "$T/rpc.body" \
		-H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$2" \
		"http://localhost$1" | tr -d '\r')
	code=$(awk -F': ' 'tolower($1) == "grpc-status" { print $2 }' <<<"$head")
	code=${code:+${GRPC_CODES[$code]}} code=${code:-none}
	message=$(sed -n 's/^grpc-message: //Ip' <<<"$head")
}
# rpc_framed FILE: writes gRPC's prefix and FILE to $T/rpc.framed.
rpc_framed() {
	{ printf '\0'; printf '%b' "$(printf '\\x%02x' $(($(stat -c %s "$1") >> 24)) $(($(stat -c %s "$1") >> 16 & 255)) \
		$(($(stat -c %s "$1") >> 8 & 255)) $(($(stat -c %s "$1") & 255)))"; cat "$1"; } >"$T/rpc.framed"
}
# rpc_bytes METHOD FILE: calls METHOD; FILE is the message without prefix.
rpc_bytes() {
	rpc_framed "$2"
	rpc_post "$(rpc_path "$1")" "$T/rpc.framed"
}
# rpc_request METHOD TEXT: writes the request, with gRPC's prefix, to $T/rpc.framed. Sets $types.
rpc_request() {
	types=$(sed -nE "s/^[[:space:]]*rpc $1\(([a-zA-Z]+)\) returns \((stream )?([a-zA-Z]+)\).*/\1 \3/p" "$CRI")
	echo "$2" | protoc -I"${CRI%/*}" --encode="runtime.v1.${types% *}" "$CRI" >"$T/rpc.message" && rpc_framed "$T/rpc.message"
}
# rpc METHOD [TEXT]: calls METHOD; TEXT is the request in protobuf's text format. The answer, in that format, is in $answer.
rpc() {
	local types
	rpc_request "$1" "${2-}" || return 1
	rpc_post "$(rpc_path "$1")" "$T/rpc.framed"
	answer=$(tail -c +6 "$T/rpc.body" | protoc -I"${CRI%/*}" --decode="runtime.v1.${types#* }" "$CRI" 2>/dev/null)
}
rpc_path() { awk -v m="$1" '$1 == "service" { s = $2 } $1 == "rpc" && index($2, m "(") == 1 { print "/runtime.v1." s "/" m; exit }' "$CRI"; }

# The times of the loop's callbacks so far, from /metrics. loop_over US: prints the part of the callbacks ("0.00012") that took US
# microseconds of CPU time or more; US is a power of two, the bound of a bucket.
loop_metrics() { curl -s --unix-socket "$T/state/http.sock" http://localhost/metrics >"$T/metrics.txt"; }
loop_over() {
	loop_metrics
	awk -v us="$1" '/^crisp_loop_callback_cpu_seconds_bucket/ { split($1, p, "\""); if (p[2] != "+Inf" && p[2] * 1e6 + 0.5 >= us && !done) { below = $2; done = 1 } }
		/^crisp_loop_callback_cpu_seconds_count/ { all = $2 } END { printf "%.5f", all ? (all - below) / all : 1 }' "$T/metrics.txt"
}
# loop_is_quick WORDS: checks that p99.9 is at most 10 ms of CPU time and hardly a callback took over 50 ms, by the next lower bounds of
# buckets, 8 and 33 ms: making one file may take a busy kernel that long (ARCHITECTURE X61). Wall time and the wait for a CPU are printed as a comment.
loop_is_quick() {
	local over; over=$(loop_over 8192)
	ok "$1: callbacks over 8 ms of CPU time are fewer than one of 1000 ($over)" test "$over" \< 0.00100
	over=$(loop_over 32768)
	ok "$1: over 33 ms are fewer than one of 5000 ($over)" test "$over" \< 0.00020
	echo "# callbacks: $(awk '/^crisp_loop_callback_cpu_seconds_count/ { print $2 }' "$T/metrics.txt"), p99.9 of wall time below $(awk '/^crisp_loop_callback_wall_seconds_bucket/ { split($1, p, "\""); le[++n] = p[2]; c[n] = $2 }
		END { for (i = 1; i <= n; i++) if (c[i] >= 0.999 * c[n]) { print le[i]; exit } }' "$T/metrics.txt") s, waited for a CPU $(awk '/^crisp_loop_runqueue_wait_seconds/ { print $2; exit }' "$T/metrics.txt") s"
}
