# attack_lists.t - lists of 50,000 entries, in every request of CRI and in every document of an image, hold up nobody. A list of a
# request fails when its longest callback takes over 50 ms of CPU time and more than 8 times what a quarter of the list takes
# (lists/cri_lists.c): on a machine with other work the same instructions take twice as long. A document of an image that was over
# 50 ms is done again, up to eight times, and counts by its best time; it fails over 250. Work that grows faster than its input took
# 500 ms to minutes. SLOW multiplies the last two.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rude.sh"

[ -x "$BUILD/cri-lists" ] || { echo '1..0 # SKIP cri-lists is not built'; exit 0; }
N=50000
LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")
ctr=$($CRICTL create "$pod" "$(ctr_json runs 'sleep 1000')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
daemon=$(crispd_pid)

# ---- an exec in a container with a long list ----

# The longest callback since the last question, in us of CPU time.
longest_us() { curl -s --unix-socket "$T/state/http.sock" http://localhost/debug/loop | jq .cpu_us; }
# exec_us CONTAINER OUTPUT: that of an ExecSync; the number of variables goes to the file OUTPUT.
exec_us() {
	longest_us >/dev/null
	$CRICTL exec -s "$1" sh -c 'env | grep -c ^K' >"$2" 2>&1
	longest_us
}
native=$($CRICTL runp -r native "$(pod_json n)")
for n in 4 $N; do
	jq --argjson n "$n" '.envs = [range($n) | {key: "K\(.)", value: "v"}]' "$(ctr_json "n$n" 'exec sleep 1000')" >"$T/envs.json"
	$CRICTL create "$native" "$T/envs.json" "$T/n.pod.json" >"$T/envs.$n"
	$CRICTL start "$(cat "$T/envs.$n")" >/dev/null
done
few=999999999 many=999999999
for try in 1 2 3 4 5 6 7 8; do
	us=$(exec_us "$(cat "$T/envs.4")" "$T/few") && [ "$us" -ge "$few" ] || few=$us
	us=$(exec_us "$(cat "$T/envs.$N")" "$T/many") && [ "$us" -ge "$many" ] || many=$us
	[ "$many" -gt $((few * 4)) ] || break
done
is 'each exec has its variables' "$(echo $(cat "$T/few" "$T/many"))" "4 $N"
echo "# the longest callback of an exec: $few us of CPU with 4 variables, $many us with $N"
ok 'an exec in a container of 50,000 variables costs the loop what it costs with four' test "$many" -le $((few * 4))
$CRICTL rmp -f "$native" >/dev/null

# ---- requests: every list that the descriptors of CRI have ----

"$BUILD/cri-lists" "$T/state" "$pod" "$ctr" "$REGISTRY/busybox:latest" $N >"$T/lists.txt" 2>&1
is 'no list of a request holds the loop' "$?$(grep OVER "$T/lists.txt")" 0
[ -z "${LISTS-}" ] || cp "$T/lists.txt" "$LISTS"
ok 'all of CRI was tried' test "$(wc -l <"$T/lists.txt")" -gt 100
like '50,000 variables are taken' "$(grep 'CreateContainer config.envs' "$T/lists.txt")" "^CreateContainer config.envs $N OK"
like 'and as many labels' "$(grep 'RunPodSandbox config.labels' "$T/lists.txt")" "^RunPodSandbox config.labels $N OK"
like 'too many mounts are refused by name' "$(grep 'CreateContainer config.mounts ' "$T/lists.txt")" 'ContainerConfig.mounts: 50000 entries; 2048 are allowed'
like 'as many as are allowed are taken' "$(grep 'CreateContainer config.mounts ' "$T/lists.txt")" '^CreateContainer config.mounts 2048 OK'
like 'a message that comes again and again is refused' "$(grep config-again "$T/lists.txt")" 'INVALID_ARGUMENT .* two messages config'
like 'millions of empty words are refused' "$(grep empty-words "$T/lists.txt")" 'INVALID_ARGUMENT .* more than 65536 entries'
is 'the same daemon is there' "$(crispd_pid)" "$daemon"

# ---- documents of an image ----

rude_start "$T/rude"
mkdir -p "$T/certs.d/$RUDE"
echo "server = \"http://$RUDE\"" >"$T/certs.d/$RUDE/hosts.toml"
# The longest callback since the last question, in ms of CPU time.
longest_ms() { curl -s --unix-socket "$T/state/http.sock" http://localhost/debug/loop | jq '.cpu_us / 1000 | floor'; }
peak_kib() { awk '/^VmHWM/ { print $2 }' "/proc/$daemon/status"; }
# shape NAME JQ [WORDS [CREATE [CONFIG]]]: pulls an image with such documents, and uses it where WORDS, the expected refusal, are
# empty. CREATE: the answer to CreateContainer, an id if it is not given. CONFIG: jq for what else the container's config has.
shape() {
	local ms=999 try
	jq -nc --argjson n $N "$2" >"$RUDE_DIR/$1.shape"
	for try in 1 2 3 4 5 6 7 8; do
		$CRICTL rmi "$RUDE/shape/$1" >/dev/null 2>&1
		longest_ms >/dev/null
		pulled=$($CRICTL pull "$RUDE/shape/$1" 2>&1)
		created=
		if [ -z "${3-}" ]; then
			$CRICTL inspecti "$RUDE/shape/$1" >"$T/out" 2>&1 || fail "$1: its status" "$(tail -1 "$T/out")"
			sed "s#$REGISTRY/busybox:latest#$RUDE/shape/$1#" "$T/runs.ctr.json" | jq -c ".metadata.name = \"$1\" | ${5:-.}" >"$T/$1.json"
			created=$($CRICTL create "$pod" "$T/$1.json" "$T/p.pod.json" 2>&1)
			$CRICTL rm "$created" >/dev/null 2>&1
		fi
		ms=$(longest_ms)
		[ "$ms" -gt $((50 * ${SLOW:-1})) ] || break
	done
	if [ -n "${3-}" ]; then
		like "$1: refused" "$pulled" "$3"
	else
		like "$1: pulled" "$pulled" 'up to date'
		like "$1: what becomes of a container of it" "$created" "${4:-^[0-9a-f]{64\}$}"
	fi
	ok "$1: no callback grows faster than the document ($ms ms, try $try)" test "$ms" -le $((250 * ${SLOW:-1}))
}

shape env '{config: {config: {Env: [range($n) | "K\(.)=v"]}}}'
shape env-removed '{config: {config: {Env: ([range($n / 2) | "K\(.)=v"] + [range($n / 2) | "K\(.)"])}}}'
shape entrypoint '{config: {config: {Entrypoint: [range($n) | "w\(.)"]}}}'
shape cmd '{config: {config: {Cmd: [range($n) | "w\(.)"]}}}'
shape labels '{config: {config: {Labels: ([range(30000) | {key: "k\(.)", value: "v"}] | from_entries)}}}'
shape labels-all '{config: {config: {Labels: ([range($n) | {key: "k\(.)", value: "v"}] | from_entries)}}}' 'more than 65536 values'
shape volumes '{config: {config: {Volumes: ([range(20000) | {key: "/k\(.)", value: {}}] | from_entries)}}}' '' 'more than 256 VOLUMEs'
shape volumes-all '{config: {config: {Volumes: ([range($n) | {key: "/k\(.)", value: {}}] | from_entries)}}}' 'more than 65536 values'
shape history '{config: {history: [range($n) | {created_by: "x"}]}}' 'more than 65536 values'
shape diff-ids '{config: {rootfs: {diff_ids: [range($n) | "sha256:x"]}}}' 'malformed rootfs.diff_ids'
shape layers '{manifest: {layers: [range($n) | 1]}}' 'layers; overlayfs takes 500'
shape annotations '{manifest: {annotations: ([range($n) | {key: "k\(.)", value: "v"}] | from_entries)}}' 'more than 65536 values'
shape index '{index: [range(30000) | {platform: 1}]}' 'more than 65536 values'
shape platforms '{index: [range(9000) | {platform: {os: "linux", architecture: "a\(.)"}}]}'
# One path in 20,000 spellings, where the last of 2048 mounts is: each with each took 18 s.
shape volumes-mounted '{config: {config: {Volumes: ([range(20000) | . as $i | {value: {}, key: ((reduce range(15) as $b ("";
	. + (if ($i / pow(2; $b) | floor) % 2 == 1 then "/." else "/" end))) + "/x/2047")}] | from_entries)}}}' '' '' \
	'.mounts = [range(2048) | {container_path: "/x/\(.)", host_path: "/dev/null"}]'
peak=$(peak_kib)
shape values '{config: {x: [range(600000) | {}]}}' 'more than 65536 values'
# A config of 2.8 million values: its size alone is refused, before a byte of it is fetched.
shape values-all '{config: {x: [range(2800000) | {}]}}' 'the image config has [0-9]+ bytes; 2097152 are allowed'
ok "memory stays: $peak KiB before, $(peak_kib) after" test $(($(peak_kib) - peak)) -lt 16000
is 'the same daemon is there' "$(crispd_pid)" "$daemon"

# ---- what was taken is read again ----

shape env-again '{config: {config: {Env: [range($n) | "K\(.)=v"]}}}'
kill_crispd
daemon=$(crispd_pid)
like 'its image is there after a restart' "$($CRICTL images)" 'shape/env-again'
rude_stop
crisp_clean
