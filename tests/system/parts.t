# parts.t - long blobs come in parts, several at once, where the registry has ranges; whatever is odd ends in one transfer.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
. "$ROOT/tests/lib/rude.sh"

crisp_config 'images: {split_bytes: 1MiB, min_free: 0%, parallel_downloads: 4, unpackers: 1, progress_timeout: 3}'
crisp_start || exit 1
rude_start "$T/rude" || exit 1
pull() { rpc PullImage "image {image: '$RUDE/$1'}"; }
parts() { grep "GET $1 blobs .* bytes=[0-9]*-[0-9][0-9]* " "$RUDE_DIR/log" | awk '{ print $5, $6 }' | sort -u; }
wholes() { grep "GET $1 blobs " "$RUDE_DIR/log" | grep -vc ' bytes=[0-9]*-[0-9][0-9]* '; } # the config is one
right() { # NAME: its layer has the bytes that it should have
	local dir; dir=$(ls -d "$T"/root/layers/*/"noise-$1-0") && [ "$(stat -c %s "$dir")" = 1048576 ] && [ "$(cat "${dir%/*}/$1-0")" = "$1" ]
}

pull good/plain
is 'a long blob' "$code $message" 'OK '
is 'came in parts' "$(parts good/plain | wc -l) $(wholes good/plain)" '3 1'
ok 'and is whole' right plain
echo 6 >"$RUDE_DIR/many.layers"
pull good/many
is 'six long layers, one unpacker' "$code $message" 'OK '
is 'all of them in parts' "$(grep -c 'GET good/many blobs .* bytes=[0-9]*-[0-9][0-9]* 206$' "$RUDE_DIR/log")" 18
for rule in norange0 part416 partother; do
	pull "$rule/$rule"
	is "$rule: the pull" "$code $message" 'OK '
	ok "$rule: the layer" right "$rule"
	is "$rule: it came in one transfer" "$(wholes "$rule/$rule" | sed 's/^[2-9]$/some/')" "$(case $rule in norange0) echo 1;; *) echo some;; esac)"
done
pull partbent/partbent
is 'parts with wrong bytes: the pull' "$code $message" 'OK '
ok 'the layer is fetched again in one piece' right partbent
pull reset1/reset1
is 'each part breaks off once: the pull' "$code $message" 'OK '
ok 'the layer' right reset1

# A kill in the middle: what came in its order is used again, what is behind a gap is not believed.
$CRICTL pull "$RUDE/stall/killed" >/dev/null 2>&1 & client=$!
ok 'three parts are on their way' until_ok 10 sh -c "[ \$(grep -c 'GET stall/killed blobs .* bytes=' $RUDE_DIR/log) -ge 3 ]"
ok 'the last one is in the file' until_ok 10 sh -c "[ -n \"\$(find $T/root/partial -size +1M)\" ]"
kill -9 "$(crispd_pid)"
wait $client
ok 'crispd is back' until_ok 10 $CRICTL images
touch "$RUDE_DIR/go"
pull stall/killed
is 'the pull again' "$code $message" 'OK '
ok 'the layer' right killed
like 'goes on where it ended' "$(grep 'GET stall/killed blobs' "$RUDE_DIR/log" | tail -1)" ' bytes=[1-9][0-9]+-[0-9]* 206$'
is 'no partial is left' "$(ls "$T/root/partial" "$T/root/ingest" | grep -v :$)" ''

# A transfer that brings nothing is given up after images.progress_timeout.
rm "$RUDE_DIR/go"
$CRICTL pull "$RUDE/stall/hung" >/dev/null 2>&1 & client=$!
ok 'a registry that hangs: the transfer is given up' until_ok 60 grep -q 'stalled: no data for 3000 ms' "$T/crisp.log"
touch "$RUDE_DIR/go"
if wait $client; then pass 'and asked for again'; else fail 'and asked for again'; fi
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
ok 'no layer is left' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
rude_stop
crisp_clean
