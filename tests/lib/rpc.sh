# rpc.sh - one raw gRPC call: any bytes to any path. Sourced after crisp.sh; needs curl and protoc.

CRI=$ROOT/handlers/cri/api.proto
GRPC_CODES=(OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED
	FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED)

# rpc_post PATH FILE: FILE is the body, gRPC's five-byte prefix included. Sets $code (a name; "none" without a status), $message.
rpc_post() {
	local head
	head=$(curl -s --noproxy '*' --max-time $((20 * ${SLOW:-1})) --http2-prior-knowledge --unix-socket "$T/state/crisp.sock" -X POST -D - -o "$T/rpc.body" \
		-H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$2" \
		"http://localhost$1" | tr -d '\r')
	code=$(awk -F': ' 'tolower($1) == "grpc-status" { print $2 }' <<<"$head")
	code=${code:+${GRPC_CODES[$code]}} code=${code:-none}
	message=$(sed -n 's/^grpc-message: //Ip' <<<"$head")
}
# rpc_framed FILE: FILE with the prefix before it, in $T/rpc.framed.
rpc_framed() {
	{ printf '\0'; printf '%b' "$(printf '\\x%02x' $(($(stat -c %s "$1") >> 24)) $(($(stat -c %s "$1") >> 16 & 255)) \
		$(($(stat -c %s "$1") >> 8 & 255)) $(($(stat -c %s "$1") & 255)))"; cat "$1"; } >"$T/rpc.framed"
}
# rpc_bytes METHOD FILE: FILE is the message.
rpc_bytes() {
	rpc_framed "$2"
	rpc_post "$(rpc_path "$1")" "$T/rpc.framed"
}
# rpc METHOD [TEXT]: TEXT is the request in protobuf's text format. The answer, as text, is in $answer.
rpc() {
	local types
	types=$(sed -nE "s/^[[:space:]]*rpc $1\(([a-zA-Z]+)\) returns \((stream )?([a-zA-Z]+)\).*/\1 \3/p" "$CRI")
	echo "${2-}" | protoc -I"${CRI%/*}" --encode="runtime.v1.${types% *}" "$CRI" >"$T/rpc.message" || return 1
	rpc_bytes "$1" "$T/rpc.message"
	answer=$(tail -c +6 "$T/rpc.body" | protoc -I"${CRI%/*}" --decode="runtime.v1.${types#* }" "$CRI" 2>/dev/null)
}
rpc_path() { awk -v m="$1" '$1 == "service" { s = $2 } $1 == "rpc" && index($2, m "(") == 1 { print "/runtime.v1." s "/" m; exit }' "$CRI"; }
