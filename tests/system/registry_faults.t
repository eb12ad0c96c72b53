# registry_faults.t - registries with faults: temporary faults are retried, others are reported with their cause, and nothing is left.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
. "$ROOT/tests/lib/rude.sh"

crisp_config
crisp_start || exit 1
rude_start "$T/rude" || exit 1
pull() { rpc PullImage "image {image: '$RUDE/$1'} ${2-}"; }
asked() { grep -cE "$1" "$RUDE_DIR/log"; }
no_partials() { [ -z "$(ls -A "$T/root/partial" "$T/root/ingest" 2>/dev/null | grep -v :$)" ]; }
fails() { # WORDS IMAGE CODE MESSAGE
	pull "$2"
	is "$1: the code" "$code" "$3"
	like "$1: the cause" "$message" "$4"
}

# These pulls are retried for some seconds each: all run at once, results are checked below.
slow="status500 status502 status503 html502 short"
for rule in $slow; do
	$CRICTL pull "$RUDE/$rule/always" >"$T/$rule.out" 2>&1 &
	eval "pid_$rule=$!"
done

# A definite answer is not retried.
fails 'an image that does not exist' status404/none NOT_FOUND 'status404/none.*status 404: MANIFEST_UNKNOWN: said the registry'
is 'it is asked for once' "$(asked 'status404/none ')" 1
fails 'no credentials' status401/a UNAUTHENTICATED 'status 401'
fails 'no right' status403/a PERMISSION_DENIED 'status 403: DENIED'
fails 'a page for people' html/a INVALID_ARGUMENT 'html page'
fails 'a manifest of rubbish' rubbish/a INVALID_ARGUMENT 'manifest'
fails 'a manifest of another digest than is said' header/a DATA_LOSS 'digest'
fails 'a manifest of another digest than was asked for' "wrong/a@sha256:$(printf %064d 7)" DATA_LOSS 'digest'
fails 'a layer of other bytes' other/a DATA_LOSS 'layer sha256:[0-9a-f]{12}.*digest'
fails 'a layer that is too long' longer/a DATA_LOSS 'longer than|digest'
fails 'a gzip that ends early' truncated/a INVALID_ARGUMENT 'layer sha256:[0-9a-f]{12}.*gzip: the stream ends early'
fails 'another diff_id' diffid/a DATA_LOSS 'diff_id'
fails 'a registry that is not there' '../x' INVALID_ARGUMENT 'x'
is 'no image came of it' "$($CRICTL images -q)" ''

# Faults that a second try overcomes.
mended() { pull "$2"; is "$1" "$code $message" "OK "; }
mended 'status 500 once' status500x1/b1
mended 'status 502 twice' status502x2/b2
begun=$(date +%s%N)
mended 'status 429 with Retry-After' status429x1/b3
took_ms=$((($(date +%s%N) - begun) / 1000000))
ok "it waited as it was told, a second ($took_ms ms)" test "$took_ms" -ge 950
mended 'a connection reset in a blob' reset1/b4
like 'it goes on where it ended' "$(grep 'reset1/b4 blobs' "$RUDE_DIR/log" | tail -1)" 'bytes=[1-9][0-9]+- 206'
mended 'a reset, and a registry without Range' norange1/b5
mended 'the good one' good/b6

# The results of the slow pulls.
verdict() { # RULE CAUSE
	local pid=pid_$1
	if wait "${!pid}"; then fail "$1 always"; else pass "$1 always"; fi
	like "$1: the code" "$(cat "$T/$1.out")" 'code = Unknown'
	like "$1: the reason that the kubelet knows, then the cause" "$(cat "$T/$1.out")" "desc = RegistryUnavailable: .*$2"
}
verdict status500 'status 500'
is 'after five rounds' "$(asked 'status500/always ')" 5
verdict status502 'status 502'
verdict status503 'status 503'
verdict html502 'status 502 with an html page'
verdict short 'transfer closed with [0-9]+ bytes remaining'

is 'the mended ones are here' "$($CRICTL images -q | wc -l)" 6
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
ok 'what failed left no partial blob, but of the one that may come back' until_ok 10 test "$(ls "$T/root/partial" | wc -l)" -le 1
ok 'nor a layer' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers $T/root/ingest | grep -v :$)\" ]"
mended 'afterwards a good pull works' good/c
rude_stop
crisp_clean
