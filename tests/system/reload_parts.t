# reload_parts.t - the directory beside the configuration file: whatever is in it, SIGHUP does not end crispd, and the service
# starts. What another user could have written is not believed.

. "$(dirname "$0")/../lib/crisp.sh"

# The directories stand in a part: the file alone does not say where the containers are.
crisp_config
cni_config
sed -i '/^state:/d; /^root:/d' "$T/config.yaml"
D=$T/config.d
mkdir -m 755 "$D"
printf '# of this node\nstate: "%s"\nroot: %s\n' "$T/state" "$T/root" >"$D/10-node.yaml"
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null
pod=$($CRICTL runp "$(pod_json p)" 2>/dev/null)
ctr=$($CRICTL create "$pod" "$(ctr_json c 'sleep 1000')" "$T/p.pod.json")
$CRICTL start "$ctr" >/dev/null
is 'a container runs' "$(state_of "$ctr")" CONTAINER_RUNNING
before=$(crispd_pid)

lines() { grep -c "$1" "$T/crisp.log"; }
more() { [ "$(lines "$1")" -gt "$2" ]; }
used() {
	$CRICTL info | jq -r '.status.conditions[] | select(.type == "ConfigurationUsed") | "\(.status) \(.message // "")"'
}
refused() { # NAME WORDS
	local n
	n=$(lines reload_refused)
	kill -HUP "$KEEPER"
	ok "$1 is refused" until_ok 20 more reload_refused "$n"
	like "$1: the words" "$(grep reload_refused "$T/crisp.log" | tail -1)" "$2"
	ok "$1: Version is answered" $CRICTL version
}
bad() { # NAME TEXT WORDS
	printf '%b' "$2" >"$D/50-bad.yaml"
	refused "$1" "config.d/50-bad.yaml$3"
}

bad 'an unknown key' '\nwatchdg: 1\n' ':2: unknown key watchdg'
bad 'a bad value' 'images: {min_free: 200%}\n' ':1: .*min_free'
bad 'a value that fits nothing of the file' 'stream: {tls_cert: /nowhere.pem}\n' '.*tls_key'
bad 'no YAML' 'log: {level\n' ':[0-9]'
bad 'a second document' 'selinux: false\n---\nselinux: true\n' ':3: a second document'
bad 'a key that is given twice' 'selinux: false\nselinux: true\n' ':2: '
bad 'bytes that are no text' 'log: {level: \0377\0376}\n' ''
bad 'a list in place of a map' '[a, b]\n' ':1: '
printf 'state: %s\n' "$T/elsewhere" >"$D/50-bad.yaml"
refused 'another state directory' 'root and state .*stop crisp-keeper'

put() { echo 'selinux: false' >"$D/50-bad.yaml"; }
put; chmod 666 "$D/50-bad.yaml"
refused 'a file that every user may write' 'config.d/50-bad.yaml: every user may write to it'
chmod 644 "$D/50-bad.yaml"; chown 65534 "$D/50-bad.yaml"
refused 'a file of another user' 'config.d/50-bad.yaml: it belongs to user 65534'
rm "$D/50-bad.yaml"; mkfifo "$D/50-bad.yaml"
refused 'a FIFO' 'config.d/50-bad.yaml: not a regular file'
rm "$D/50-bad.yaml"; mkdir "$D/50-bad.yaml"
refused 'a directory' 'config.d/50-bad.yaml: not a regular file'
rmdir "$D/50-bad.yaml"; ln -s /nowhere "$D/50-bad.yaml"
refused 'a link to nothing' 'config.d/50-bad.yaml: No such file'
rm "$D/50-bad.yaml"; chmod 777 "$D"
refused 'a directory that every user may write' 'config.d: every user may write to it'
chmod 755 "$D"
for i in $(seq 64); do : >"$D/6$i.yaml"; done
refused 'more files than are read' 'config.d: more than 64 files'
rm "$D"/6*.yaml
is 'the same crispd serves' "$(crispd_pid)" "$before"
bad 'an unknown key again' 'watchdg: 1\n' ':1: unknown key watchdg'
like 'and Status says what is not used' "$(used)" 'false .*config.d/50-bad.yaml:1: unknown key watchdg'

# The next crispd, and the next service, find the bad part.
kill_crispd
like 'after a crash the last configuration that was ready is used' "$(used)" 'false .*config.d/50-bad.yaml:1: unknown key'
is 'the container runs' "$(state_of "$ctr")" CONTAINER_RUNNING
again() { # NAME
	crisp_stop
	if crisp_start; then pass "$1"; else fail "$1"; fi
	like "$1: Status says why" "$(used)" 'false .*config\.d'
	is "$1: it has the container" "$(state_of "$ctr")" CONTAINER_RUNNING
}
again 'a start of the service with a bad part, where another part names the directories, serves'
chmod 777 "$D"
crisp_stop
timeout 20 "$BUILD/crisp-keeper" --config "$T/config.yaml" >>"$T/crisp.log" 2>&1
is 'what everybody could have written names no directory: the keeper ends' $? 78
chmod 755 "$D"
mkdir -p "$T/evil"
sed "s|$T/state|$T/evil|g; s|$T/root|$T/evil|g" "$T/state/config.ready" >"$T/evil/config.ready"
printf 'state: %s\nroot: %s\n' "$T/evil" "$T/evil" >"$D/90-evil.yaml"; chmod 666 "$D/90-evil.yaml"
again 'a start of the service with a part that everybody could have written serves from the directory of the others'
is 'and the other one is not used' "$(ls "$T/evil")" config.ready
head -c 1048600 /dev/zero | tr '\0' '\n' >"$T/long"
(cat "$T/long"; printf 'state: %s\nroot: %s\n' "$T/evil" "$T/evil") >"$D/90-evil.yaml"; chmod 644 "$D/90-evil.yaml"
again 'a part that is too long for crispd is not read to its end by the keeper either'
is 'and names no directory' "$(ls "$T/evil")" config.ready

rm -r "$T/evil" "$D/90-evil.yaml" "$D/50-bad.yaml"
before=$(crispd_pid)
kill -HUP "$KEEPER"
ok 'without the bad parts the files are taken' until_ok 20 back_after "$before"
is 'and Status is content' "$(used)" 'true '
is 'the container never noticed' "$(state_of "$ctr")" CONTAINER_RUNNING
crisp_clean
