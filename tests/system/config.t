# config.t - invalid configuration files: exit code 78, a message with file, line and word; nothing is made.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
cp "$T/config.yaml" "$T/good.yaml"
start() { timeout 10 "$BUILD/crisp-keeper" --config "$T/config.yaml" >"$T/out" 2>&1; rc=$?; }
refused() { # WORDS LINE... PATTERN: lines are added to the good file
	local words=$1 want=${!#}
	cp "$T/good.yaml" "$T/config.yaml"
	shift
	while [ $# -gt 1 ]; do printf '%s\n' "$1" >>"$T/config.yaml"; shift; done
	start
	is "$words: exit" "$rc" 78
	like "$words: the words" "$(cat "$T/out")" "$T/config.yaml:?.*$want"
}
lines=$(wc -l <"$T/good.yaml")
refused 'an unknown key' 'colour: red' ":$((lines + 1)): unknown key colour"
refused 'an unknown key in a section' 'stream: {addres: 127.0.0.1}' ":$((lines + 1)): unknown key addres"
refused_runtime() { # WORDS RUNTIME PATTERN: a runtime `a` in place of those of the good file
	sed '/^runtimes:/,/}$/d' "$T/good.yaml" >"$T/config.yaml"
	printf 'runtimes:\n  a: %s\n' "$2" >>"$T/config.yaml"
	start
	is "$1: exit" "$rc" 78
	like "$1: the words" "$(cat "$T/out")" "$T/config.yaml:?.*:$(wc -l <"$T/config.yaml"): $3"
}
refused_runtime 'an unknown key of a runtime' '{type: oci, path: /bin/true, speed: 9}' 'unknown key speed'
refused 'a key given twice' "root: $T/other" ":$((lines + 1)): given twice: root"
refused 'a relative path' 'http: 5' 'images: {max_layer_bytes: 5XB}' ":$((lines + 2)): not a size.*5XB"
refused 'a port that is none' 'stream: {port: 70000}' ":$((lines + 1)): not a port: 70000"
refused 'a word where a list is expected' 'listen: unix:///run/x' ":$((lines + 1)): a list is expected"
refused 'a list where a word is expected' 'http: [a]' ":$((lines + 1)): one word is expected for http"
refused 'a default runtime that is not there' 'runtime: {default: swift}' 'swift'
refused_runtime 'a runtime of an unknown type' '{type: wasm, path: /bin/true}' '.*oci, native or shim, not wasm'
refused 'a second document' '---' 'network: cni' ":$((lines + 2)): a second document"
refused 'YAML that is none' 'images: {a: [' ":$((lines + 1))|:$((lines + 2))"
refused 'a cgroup driver that nobody knows' 'cgroup2: x' 'unknown key cgroup2'
sed 's|driver: [a-z]*|driver: systemd|; s|\(root: /\).*}|\1crisptest}|' "$T/good.yaml" >"$T/config.yaml"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$T/nobus start
	like 'the systemd driver without its bus: the words' "$(cat "$T/out")" \
		"start_failed.*cgroup.driver systemd: the bus unix:path=$T/nobus: No such file"
else
	start
	is 'the systemd driver on cgroup v1: exit' "$rc" 78
	like 'the systemd driver on cgroup v1: the words' "$(cat "$T/out")" 'start_failed.*systemd needs cgroup v2'
fi
rm -rf "$T/root" "$T/state" "$T/netns"
sed "s|^root: .*|root: var/lib/crisp|" "$T/good.yaml" >"$T/relative.yaml"
cp "$T/relative.yaml" "$T/good.bak"; cp "$T/relative.yaml" "$T/config.yaml"
start
is 'a relative root: exit' "$rc" 78
like 'a relative root: the words' "$(cat "$T/out")" "$T/config.yaml:1: an absolute path is expected for root"

# The directory beside the file.
cp "$T/good.yaml" "$T/config.yaml"; sed -i 's|^root: .*|root: '"$T/root|" "$T/config.yaml"
mkdir "$T/config.d"
printf 'log: {level: info}\nlog2: x\n' >"$T/config.d/50-a.yaml"
start
is 'a bad file of the directory: exit' "$rc" 78
like 'a bad file of the directory: the words' "$(cat "$T/out")" \
	"$T/config.d/50-a.yaml:2: unknown key log2 \(did you mean log\?\)"
echo 'log: {level: info}' >"$T/config.d/50-a.yaml"; chmod 666 "$T/config.d/50-a.yaml"
start
is 'one that all users may write: exit' "$rc" 78
like 'one that all users may write: the words' "$(cat "$T/out")" "$T/config.d/50-a.yaml: every user may write to it"
chmod 644 "$T/config.d/50-a.yaml"; chown 65534 "$T/config.d/50-a.yaml"
start
like 'one of another user: the words' "$(cat "$T/out")" "$T/config.d/50-a.yaml: it belongs to user 65534"
rm -r "$T/config.d"

rm "$T/config.yaml"
start
is 'a file that is not there: exit' "$rc" 78
like 'a file that is not there: the words' "$(cat "$T/out")" "$T/config.yaml.*No such file"
mkdir "$T/config.yaml"
start
is 'a directory: exit' "$rc" 78
like 'a directory: the words' "$(cat "$T/out")" "$T/config.yaml: not a regular file"
rmdir "$T/config.yaml"
head -c 3000 /dev/urandom >"$T/config.yaml"
start
is 'noise: exit' "$rc" 78
like 'noise: the words' "$(cat "$T/out")" "$T/config.yaml"
: >"$T/nothing"
out=$("$BUILD/crispd" --print state --config "$T/nothing" 2>&1)
is 'an empty file is all defaults' "$out" '/run/crisp
root: /var/lib/crisp'
is 'nothing was made' "$(ls -d "$T/root" "$T/state" 2>/dev/null)" ''

for p in crisp-keeper crispd; do
	"$BUILD/$p" --speed >"$T/out" 2>&1
	is "$p: an unknown option" $? 64
	like "$p: says how" "$(cat "$T/out")" 'usage:'
done
"$BUILD/crispd" --config "$T/good.yaml" >"$T/out" 2>&1
is 'crispd without a keeper' $? 64
like 'says who starts it' "$(cat "$T/out")" 'crisp-keeper'

# Values that a part of crispd understands.
wrong() { # WORDS LINE PATTERN
	{ cat "$T/good.yaml"; echo "$2"; } >"$T/config.yaml"
	start
	is "$1: exit" "$rc" 78
	like "$1: the words" "$(grep config_failed "$T/out")" "$3"
}
wrong 'min_free of words' 'images: {min_free: plenty}' 'images.min_free: .*plenty'
wrong 'min_free of more than all' 'images: {min_free: 150%}' 'images.min_free: .*150%'
wrong 'a listener of an unknown kind' 'listen: [udp://127.0.0.1:1]' 'listen: .*udp://127.0.0.1:1'
wrong 'a listener for the world' 'listen: [tcp://0.0.0.0:1234]' 'listen: .*tcp://0.0.0.0:1234'

# Directories that cannot be used.
cp "$T/good.yaml" "$T/config.yaml"
: >"$T/file"
sed -i "s|^state: .*|state: $T/file/state|" "$T/config.yaml"
start
is 'a state directory that cannot be made: exit' "$rc" 1
like 'a state directory that cannot be made: the words' "$(cat "$T/out")" "$T/file/state.*Not a directory"

cp "$T/good.yaml" "$T/config.yaml"
if crisp_start; then pass 'a good one starts'; else fail 'a good one starts'; fi
crisp_clean
