# reload_bad.t - no configuration takes a node down: each key gets bad values over SIGHUP, and Version is asked after
# each. Then those that only the start of crispd finds bad, a configuration that never gets READY, and a start of the
# service with a bad file.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_up 'stream: {address: 127.0.0.1, port: 4010}'
pod=$($CRICTL runp "$(pod_json p)" 2>/dev/null)
ctr=$($CRICTL create "$pod" "$(ctr_json c 'sleep 1000')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
cp "$T/config.yaml" "$T/good.yaml"
before=$(crispd_pid)

lines() { grep -c "$1" "$T/crisp.log"; }
more() { [ "$(lines "$1")" -gt "$2" ]; }
condition() { # [TYPE]
	$CRICTL info | jq -r --arg type "${1:-ConfigurationUsed}" \
		'.status.conditions[] | select(.type == $type) | [.status, .message] | map(tostring) | join(" ")'
}
# take PORT: another process listens there. Sets $taker.
take() {
	: >"$T/taker"
	python3 -c "import socket, time
s = socket.create_server(('127.0.0.1', $1)); print('here', flush=True); time.sleep(600)" >"$T/taker" &
	taker=$!
	until_ok 10 grep -q here "$T/taker" || fail 'a process listens'
}
serves() { # WORDS
	if crisp_start; then pass "$1"; else fail "$1"; fi
}

# bad KEY VALUE [WORDS]: the key is set to VALUE, in place of what the file has for it; WORDS are those of the refusal.
tried=
asks() { $CRICTL version; }
bad() {
	local n key=$1 top=${1%%.*}
	tried+=" $key"
	if [ "$top" = runtimes ]; then sed '/^runtimes:/,/}$/d' "$T/good.yaml"; else grep -v "^$top:" "$T/good.yaml"; fi \
		>"$T/config.yaml"
	if [ "$key" = "$top" ]; then echo "$top: $2"; else echo "$top: {${key#*.}: $2}"; fi >>"$T/config.yaml"
	n=$(lines reload_refused)
	kill -HUP "$KEEPER"
	ok "$key: $2 is refused" until_ok 20 more reload_refused "$n"
	like "$key: $2: the words" "$(grep reload_refused "$T/crisp.log" | tail -1)" "${3:-config.yaml}"
	ok "$key: $2: Version is answered" asks
}

: >"$T/plain"
nothing="$T/nothing.pem"
for key in root state netns_dir cni.conf_dir cni.cache_dir cgroup.root nri.plugin_path nri.plugin_config_path \
	nri.socket registry.config_path images.signature_policy; do
	bad $key relative/path 'an absolute path is expected'
	bad $key '[a, b]' 'one word is expected'
done
for key in cni.bin_dirs cdi.spec_dirs hooks.dirs registry.auth_files registry.allow registry.deny images.pinned \
	listen; do
	bad $key word 'a list is expected'
done
bad root "$T/other" 'stop crisp-keeper'
bad state "$T/other" 'stop crisp-keeper'
bad listen '[]' 'no address'
bad listen '[tcp://0.0.0.0:9099]' 'not a loopback address'
bad listen "[unix://$T/plain]" 'not a socket'
bad listen "[unix://$T/x.sock, unix://$T/x.sock]" 'listens there already'
bad listen '[tcp://127.0.0.1:99999]' 'IP:port'
bad http tcp://0.0.0.0:9099 'not a loopback address.*needs http_tls.cert and http_tls.key'
bad http_tls.cert "$nothing" 'http_tls needs both'
bad http_tls.key "$nothing" 'http_tls needs both'
bad http_tls.client_ca "$nothing" 'http_tls needs both'
bad http_tls.cert "$nothing, key: $nothing" 'for a tcp:// address of http'
bad http_tls.cert relative/path 'an absolute path is expected'
bad socket_gid root 'a number from 0'
bad socket_gid 4294967295 'a number from 0'
bad http nothing 'neither unix'
bad http "unix://$T/plain/x" 'Not a directory'
take 4011
bad http tcp://127.0.0.1:4011 'Address already in use'
kill $taker
bad stream.address node.example 'not a literal IP'
bad stream.address 192.0.2.7 'Cannot assign requested address'
bad stream.port 99999 'not a port'
bad stream.port word 'not a port'
bad stream.tls_cert "$nothing" 'need each other'
bad stream.tls_cert relative/path 'an absolute path is expected'
bad stream.tls_key "$nothing, tls_cert: $nothing" 'nothing.pem: No such file'
bad stream.tls_cert "$T/plain, tls_key: $T/plain" 'certificate'
bad cgroup.driver cgroups 'cgroupfs, systemd or auto'
bad cgroup.root /../x 'cgroup.root'
bad network cilium 'cni, native or auto'
bad netns_pool many 'a number from 0'
bad watchdog 3 '0 or at least 10 seconds'
bad watchdog 30s 'a number from 0'
bad nri.enabled maybe 'config.yaml'
bad nri.registration_timeout 0 'at least one second'
bad nri.request_timeout -1 'a number from 0'
bad images.max_layer_bytes 12XB 'not a size'
bad images.split_bytes 1 'at least 1MiB'
bad images.min_free '200%' 'min_free'
bad images.min_free plenty 'min_free'
bad images.parallel_downloads 0 'at least 1'
bad images.unpackers 1000 'a number from 0'
bad images.progress_timeout 0 'at least 1'
bad images.volumes copy 'bind, mkdir or ignore'
bad checkpoint.enabled 7 'config.yaml'
bad checkpoint.restore_from_image 7 'config.yaml'
bad runtime.default swift 'not among the runtimes'
bad runtimes '{a: {type: wasm, path: /x}}' 'wasm'
bad runtimes "{runc: {type: oci, path: /usr/sbin/runc, base_spec: $nothing}}" 'base_spec'
bad runtimes '{runc: {type: native, fallback: none}}' 'fallback'
bad selinux 3 'config.yaml'
bad log.level loud 'debug, info, warn or error'
bad log.format xml 'text or json'
bad unknown 1 'unknown key'
is 'the same crispd serves' "$(crispd_pid)" "$before"
like 'and Status says what is not used' "$(condition)" 'false .*unknown key'
want=$(sed -n 's/^	KEY("\([a-z]*\)", "\([a-z_]*\)".*/\1.\2/p' "$(dirname "$0")/../../handlers/config_keys.c" |
	sed 's/^\.//' | sort)
is 'no key is left out' "$(comm -13 <(tr ' ' '\n' <<<"$tried" | sort -u) <(echo "$want"))" ''

# Past the check: crispd dies while a bad file lies there, so the next one finds it bad.
kill_crispd
is 'the container runs' "$(state_of "$ctr")" CONTAINER_RUNNING
like 'the last configuration that was ready is used, and Status says why' "$(condition)" \
	'false .*the last configuration that was ready is: .*unknown key'
like 'crisp info too' "$(CRISP_ADDRESS=unix://$T/state/crisp.sock "$BUILD/crisp" info)" 'ConfigurationUsed.*unknown key'
like 'the log of the keeper too' "$(cat "$T/crisp.log")" 'keeper.*configuration file=.*refused=.*unknown key.*SIGHUP'
kill_crispd
like 'a crash of that one changes nothing' "$(condition)" 'false .*unknown key'
n=$(lines reload_refused)
kill -HUP "$KEEPER"
ok 'a reload of the bad file is refused' until_ok 20 more reload_refused "$n"
ok 'and Version is answered' asks

# The service is started again with it, and with no YAML at all.
crisp_stop
serves 'a start of the service with the bad file serves'
is 'and has the container' "$(state_of "$ctr")" CONTAINER_RUNNING
crisp_stop
for said in "$T/state" "\"$T/state\"" "'$T/state'"; do
	{ echo "state: $said # of this node"; echo '{'; } >"$T/config.yaml"
	serves "a start with a file that is no YAML serves: $said"
	like 'Status says why' "$(condition)" 'false .*config.yaml:'
	crisp_stop
done
mv "$T/state/config.ready" "$T/aside"
timeout 20 "$BUILD/crisp-keeper" --config "$T/config.yaml" >>"$T/crisp.log" 2>&1
is 'without an earlier one the keeper ends' $? 78
sed "s|^# .*|# crispd was ready with this copy of $T/another.yaml|" "$T/aside" >"$T/state/config.ready"
timeout 20 "$BUILD/crisp-keeper" --config "$T/config.yaml" >>"$T/crisp.log" 2>&1
is 'one of another file is not taken' $? 78
mv "$T/aside" "$T/state/config.ready"
crisp_start
before=$(crispd_pid)
cp "$T/good.yaml" "$T/config.yaml"
kill -HUP "$KEEPER"
ok 'the mended file is taken' until_ok 20 back_after "$before"
is 'and Status is content' "$(condition)" 'true '
before=$(crispd_pid)
ln -s "$T/state" "$T/link"
{ grep -v '^listen:' "$T/good.yaml"; echo "listen: [\"unix://$T/link/crisp.sock\"]"; } >"$T/config.yaml"
kill -HUP "$KEEPER"
ok 'another path to the socket that is served is taken' until_ok 20 back_after "$before"
is 'and Status is content with it' "$(condition)" 'true '
cp "$T/good.yaml" "$T/config.yaml"

# What the check cannot see, the keeper does: the address is taken between the check and the start.
before=$(crispd_pid)
{ grep -v '^listen:' "$T/good.yaml"; echo "listen: ['unix://$T/state/crisp.sock', 'tcp://127.0.0.1:4012']"; } \
	>"$T/config.yaml"
take 4012
kill -9 "$before"
ok 'an address that cannot be bound' until_ok 20 back_after "$before"
like 'the last configuration that was ready is used' "$(condition)" 'false .*4012: Address already in use'
before=$(crispd_pid)
kill $taker
wait $taker 2>/dev/null
kill -HUP "$KEEPER"
ok 'when it is free a reload takes it' until_ok 20 back_after "$before"
is 'and Status is content again' "$(condition)" 'true '

# Without the addresses of streams and pages crispd serves too.
before=$(crispd_pid)
{ grep -vE '^(stream|http):' "$T/good.yaml"; echo 'stream: {port: 4013}'; echo 'http: tcp://127.0.0.1:4014'; } \
	>"$T/config.yaml"
take 4013; first=$taker
take 4014
kill -9 "$before"
ok 'crispd serves without two addresses' until_ok 20 back_after "$before"
is 'with the configuration of the file' "$(condition)" 'true '
like 'Status says what is missing' "$(condition AddressesServed)" \
	'false stream: .*4013: Address already in use; http: .*4014: Address already in use'
like 'an exec says where to look' "$(timeout 20 $CRICTL exec "$ctr" true 2>&1)" \
	'the address of streams is not served yet'
ok 'what needs no address runs' $CRICTL exec --sync "$ctr" true
before=$(crispd_pid)
kill $taker $first
wait $taker $first 2>/dev/null
served() { [ "$(condition AddressesServed)" = 'true ' ]; }
ok 'when they are free they are served' until_ok 20 served
is 'by the same crispd' "$(crispd_pid)" "$before"
ok 'and an exec works' timeout 20 $CRICTL exec "$ctr" true
is 'the container never noticed' "$(state_of "$ctr")" CONTAINER_RUNNING
crisp_clean
