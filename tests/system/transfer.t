# transfer.t - pulls that share layers, break off, are cancelled or killed; nothing is fetched twice and the loop does not block.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"
. "$ROOT/tests/lib/rude.sh"

crisp_config
gcc -O1 -D_GNU_SOURCE -shared -fPIC -o "$T/slow_resolver.so" "$ROOT/tests/lib/slow_resolver.c" || exit 1
# The sanitizer's library must be the first in LD_PRELOAD.
LD_PRELOAD="$(ldd "$BUILD/crispd" | awk '/libasan/ { print $3 }') $T/slow_resolver.so" crisp_start || exit 1
rude_start "$T/rude" || exit 1
pull() { rpc PullImage "image {image: '$RUDE/$1'}"; }
layer_gets() { grep -c "GET $1 blobs .* 20[06]$" "$RUDE_DIR/log"; } # the config is counted too
asked() { grep -q "GET $1" "$RUDE_DIR/log"; }
partial() { [ "$(find "$T/root/partial" -type f -size +400k | wc -l)" = 1 ]; }
not_unpacking() { ! pgrep -f "crisp-unpack.*$T" && [ -z "$(ls "$T/root/ingest")" ]; }
pulls_begun() { grep -c 'grpc=PullImage from=READY to=RUN' "$T/crisp.log"; }
pulls_are() { [ "$(pulls_begun)" -ge "$1" ]; }
clients_gone() { [ "$(grep -c 'rpc_client_gone method=PullImage' "$T/crisp.log")" -ge "$1" ]; }
go() { touch "$RUDE_DIR/go"; }
stop_going() { rm -f "$RUDE_DIR/go"; }

# Many pulls at once.
pids=
for i in 1 2 3 4 5 6; do $CRICTL pull "$RUDE/holds/many" >"$T/many.$i" 2>&1 & pids="$pids $!"; done
ok 'six pulls run' until_ok 10 pulls_are 6
go
bad=0; for p in $pids; do wait "$p" || bad=$((bad + 1)); done
is 'six pulls of one image all succeed' "$bad" 0
is 'with one manifest, one config and one layer from the registry' "$(grep -c 'GET holds/many' "$RUDE_DIR/log")" 3
is 'and one image' "$($CRICTL images -q | wc -l)" 1
stop_going

# Images that share a layer: layers are made from the name, so two rules with one name have the same layers.
echo 3 >"$RUDE_DIR/shared.layers"
$CRICTL pull "$RUDE/stall/shared" >"$T/shared.1" 2>&1 & one=$!
$CRICTL pull "$RUDE/holds/shared" >"$T/shared.2" 2>&1 & two=$!
ok 'the first one is in its layers' until_ok 10 sh -c "[ \$(grep -c 'GET stall/shared blobs' $RUDE_DIR/log) -ge 3 ]"
go
if wait $one; then pass 'the one that began'; else fail 'the one that began' "$(cat "$T/shared.1")"; fi
if wait $two; then pass 'the one that joined'; else fail 'the one that joined' "$(cat "$T/shared.2")"; fi
is 'each layer came once' "$(grep -E 'GET (stall|holds)/shared blobs' "$RUDE_DIR/log" | awk '{ print $4 }' | sort | uniq -c | awk '$1 > 1' | wc -l)" 0
stop_going

# A client leaves: the transfer stops, the bytes received are kept, and the next pull goes on from there.
$BARE_CRICTL pull "$RUDE/stall/left" >/dev/null 2>&1 & client=$!
ok 'half a layer is here' until_ok 10 partial
kill -9 $client; wait $client 2>/dev/null
ok 'the unpacker goes' until_ok 10 not_unpacking
ok 'its bytes stay' partial
go
pull stall/left
is 'the next pull' "$code $message" 'OK '
like 'goes on where it ended' "$(grep 'GET stall/left blobs' "$RUDE_DIR/log" | tail -1)" ' bytes=[1-9][0-9]+- 206$'
is 'no partial is left' "$(ls "$T/root/partial")" ''
stop_going

# One of two clients leaves: the pull of the other goes on.
$BARE_CRICTL pull "$RUDE/stall/two" >/dev/null 2>&1 & client=$!
ok 'half a layer is here' until_ok 10 partial
begun=$(pulls_begun)
$CRICTL pull "$RUDE/stall/two" >"$T/two" 2>&1 & other=$!
ok 'another client wants it too' until_ok 10 pulls_are $((begun + 1))
kill -9 $client; wait $client 2>/dev/null
ok 'the first one is gone' until_ok 10 clients_gone 2
go
if wait $other; then pass 'the other has its image'; else fail 'the other has its image' "$(cat "$T/two")"; fi
is 'from one transfer' "$(layer_gets stall/two)" 2
stop_going

# crispd is killed in a transfer.
$BARE_CRICTL pull "$RUDE/stall/killed" >"$T/killed" 2>&1 & client=$!
ok 'half a layer is here' until_ok 10 partial
old=$(crispd_pid)
kill -9 "$old"
if wait $client; then fail 'the client hears of it'; else pass 'the client hears of it'; fi
ok 'crispd is back' until_ok 10 sh -c "$CRICTL version"
go
until_ok 10 $CRICTL images
pull stall/killed
is 'the pull again' "$code $message" 'OK '
like 'goes on where it ended' "$(grep 'GET stall/killed blobs' "$RUDE_DIR/log" | tail -1)" ' bytes=[1-9][0-9]+- 206$'
is 'no partial is left' "$(ls "$T/root/partial")" ''
is 'no half layer' "$(ls "$T/root/ingest")" ''
stop_going

# A partial blob that was damaged is not used.
$BARE_CRICTL pull "$RUDE/stall/rotten" >/dev/null 2>&1 & client=$!
ok 'half a layer is here' until_ok 10 partial
kill -9 $client; wait $client 2>/dev/null
ok 'the unpacker goes' until_ok 10 not_unpacking
dd if=/dev/zero of="$(find "$T/root/partial" -type f -size +400k)" bs=1k seek=100 count=4 conv=notrunc status=none
go
pull stall/rotten
is 'with rotten bytes in the partial' "$code $message" 'OK '
stop_going

# A resolver that hangs for six seconds.
$BARE_CRICTL pull no.slow.test/a >"$T/slow" 2>&1 & client=$!
resolving() { grep -q 'get=latest from=START to=ASK' "$T/crisp.log" && [ "$(ls "/proc/$(crispd_pid)/task" | wc -l)" -gt 1 ]; }
ok 'the resolver is at work' until_ok 5 resolving
answers_in() { local begun took; begun=$(date +%s%N); $CRICTL version >/dev/null || return 1; took=$((($(date +%s%N) - begun) / 1000000)); echo "$took ms"; [ $took -lt 2000 ]; }
ok 'Version is answered meanwhile' answers_in
kill -9 $client; wait $client 2>/dev/null
ok 'also right after the pull is cancelled' answers_in
cancelled() { grep -q 'rpc_failed method=PullImage code=CANCELLED' <(tail -30 "$T/crisp.log"); }
ok 'which it is at once' until_ok 2 cancelled
pull good/after
is 'and another pull works' "$code $message" 'OK '

for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null; done
ok 'no layer is left' until_ok 10 sh -c "[ -z \"\$(ls $T/root/layers)\" ]"
is 'no partial' "$(ls "$T/root/partial" "$T/root/ingest" | grep -v :$)" ''
rude_stop
crisp_clean
