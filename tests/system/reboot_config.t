# reboot_config.t - a bad configuration and a reboot, which empties the state directory: the service comes up with the
# configuration that was ready last, from the copy under `root`.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config
cni_config
crisp_start || exit 1
cp "$T/config.yaml" "$T/good.yaml"
condition() { $CRICTL info | jq -r '.status.conditions[] | select(.type == "ConfigurationUsed") | "\(.status) \(.message)"'; }
reboot() {
	node_off
	until_ok 10 no_processes
}
serves() { # WORDS
	if crisp_start; then pass "$1"; else fail "$1"; fi
}
ends_with() { # STATUS WORDS
	timeout 20 "$BUILD/crisp-keeper" --config "$T/config.yaml" >>"$T/crisp.log" 2>&1
	is "$2" $? "$1"
}

is 'both copies are the same' "$(md5sum <"$T/root/config.ready")" "$(md5sum <"$T/state/config.ready")"
is 'only root reads it' "$(stat -c %a "$T/root/config.ready")" 600
inode=$(stat -c %i "$T/root/config.ready")
kill_crispd
is 'the same text is not written again' "$(stat -c %i "$T/root/config.ready")" "$inode"

echo '{' >>"$T/config.yaml"
reboot
serves 'a file that is no YAML'
like 'Status says why' "$(condition)" 'false .*the last configuration that was ready is: .*config.yaml:'
like 'crisp info too' "$("$BUILD/crisp" --address "unix://$T/state/crisp.sock" info)" 'ConfigurationUsed.*config.yaml:'
like 'the log has where it is from' "$(cat "$T/crisp.log")" "configuration_copy from=\"?$T/root/config.ready"
cp "$T/good.yaml" "$T/config.yaml"
sed -i 's|^runtimes: {runc: {|&base_spec: /nothing, |' "$T/config.yaml"
reboot
serves 'a file that only the start finds bad'
like 'Status says it' "$(condition)" 'false .*/nothing'

# What is not taken.
cp "$T/root/config.ready" "$T/aside"
reboot
sed "1s|of .*|of $T/another.yaml|" "$T/aside" >"$T/root/config.ready"
ends_with 78 'one of another file is not taken'
head -c 150 "$T/aside" >"$T/root/config.ready"
ends_with 78 'nor one that is damaged'
sed "s|$T/state|$T/elsewhere|g" "$T/aside" >"$T/root/config.ready"
ends_with 78 'nor one with another state directory'
notok 'which stays as it was' test -e "$T/elsewhere"
rm "$T/root/config.ready"
ends_with 78 'without a copy the keeper ends'
cp "$T/good.yaml" "$T/config.yaml"
serves 'a good file needs none'
is 'and Status is content' "$(condition)" 'true '
is 'the next copy is made' "$(md5sum <"$T/root/config.ready")" "$(md5sum <"$T/state/config.ready")"

# What stands in the place of the next copy.
for make in mkfifo mkdir; do
	w=$make
	crisp_stop
	for dir in "$T/root" "$T/state"; do rm -f "$dir/config.ready"; $make "$dir/config.ready.tmp"; done
	serves "$w: crispd serves"
	is "$w: the copies are made" "$(ls "$T/root" "$T/state" | grep config.ready | xargs)" 'config.ready config.ready'
done
crisp_clean
