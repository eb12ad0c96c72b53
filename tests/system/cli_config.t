# cli_config.t - crisp config: the default file, what crispd runs with, what differs, and a file that is tried.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config 'netns_pool: 7' 'registry: {deny: ["a: b"]}'
sed -i '0,/^registry:/{/^registry:/d}' "$T/config.yaml"
mkdir "$T/config.d"
echo 'watchdog: 60' >"$T/config.d/50-dog.yaml"
cni_config
CRISP="$BUILD/crisp --address unix://$T/state/crisp.sock"
rc_of() { "$@" >/dev/null 2>&1; echo $?; }

# Without a daemon.
is 'default is the file that is installed' "$($CRISP config default | md5sum)" \
	"$(md5sum <"$ROOT/packaging/config.yaml")"
like 'dump needs a daemon' "$($CRISP config dump 2>&1)" '^crisp: config dump: UNAVAILABLE: .*is crisp running\?$'
ok 'a good file passes' $CRISP config check "$T/config.yaml"
cd "$T" || exit 1
ok 'a relative path too' $CRISP config check config.yaml
cd / || exit 1

# From other runtimes.
containerd config default >"$T/containerd.toml"
$CRISP config import "$T/containerd.toml" >"$T/imported.yaml" 2>"$T/told"
ok "containerd's default becomes a configuration" $CRISP config check "$T/imported.yaml"
for line in '  bin_dirs: \[/opt/cni/bin\]' '      path: /usr/s\?bin/runc' '  parallel_downloads: 3' \
	'  default: runc'; do
	ok "it has $line" grep -qx "$(sed 's/^      path/    path/' <<<"$line")" "$T/imported.yaml"
done
like 'what has no counterpart is told' "$(cat "$T/told")" \
	"$T/containerd.toml:$(grep -n sandbox_image "$T/containerd.toml" | cut -d: -f1): cri.sandbox_image: pods have no pause image"
is 'and what says nothing is not' "$(grep -c 'image_decryption.key_model\|unset_seccomp' "$T/told")" 1
printf '[crio.runtime]\ndefault_runtime = "crun"\nhooks_dir = ["/h"]\n[crio.runtime.runtimes.crun]\n' >"$T/crio.conf"
printf '[crio.runtime]\nlog_level = "trace"\npids_limit = 7\n' >"$T/99-more.conf"
$CRISP config import "$T/crio.conf" "$T/99-more.conf" >"$T/imported.yaml" 2>"$T/told"
is "of CRI-O's files" "$(grep -v '^#' "$T/imported.yaml")" 'runtime:
  default: crun
hooks:
  dirs: [/h]
runtimes:
  crun:
    type: oci
    path: /usr/bin/crun
log:
  level: debug
cgroup:
  driver: systemd'
is 'a key without counterpart has its file and line' "$(cat "$T/told")" \
	"$T/99-more.conf:3: crio.runtime.pids_limit: no counterpart"
is 'no TOML: exit' "$(rc_of $CRISP config import "$T/config.yaml")" 1
like 'no TOML: the words' "$($CRISP config import "$T/config.yaml" 2>&1)" "$T/config.yaml:1: "

crisp_start || exit 1
$CRISP config dump >"$T/dump.yaml"
is 'dump names the files' "$(grep '^#' "$T/dump.yaml")" "# $T/config.yaml
# $T/config.d/50-dog.yaml"
for line in 'watchdog: 60' 'netns_pool: 7' "root: $T/root" \
	'  deny: \["a: b"\]' '  port: 0' '    path: /usr/bin/crun'; do
	ok "dump has $line" grep -qx "$line" "$T/dump.yaml"
done
ok 'what is dumped is a configuration' $CRISP config check "$T/dump.yaml"
ok 'as JSON too' bash -c "$CRISP config dump --json >$T/dump2.yaml && $CRISP config check $T/dump2.yaml"
is 'as JSON' "$($CRISP config dump --json | jq -c '[.watchdog, .registry.deny, .stateDir]')" '[60,["a: b"],null]'
is 'diff has what is not as by default' "$($CRISP config diff | grep -E 'watchdog|netns_pool|deny')" '- netns_pool: 4
+ netns_pool: 7
- registry.deny: []
+ registry.deny: ["a: b"]
- watchdog: 180
+ watchdog: 60'
is 'and nothing else' "$($CRISP config diff | grep -cE 'parallel|hooks|selinux|stream')" 0
is 'diff as JSON' "$($CRISP config diff --json | jq -c .watchdog)" '{"default":180,"used":60}'
ok 'the addresses of the crispd that serves are no fault' $CRISP config check "$T/config.yaml"
ok 'without a name it is the file of the crispd that serves' $CRISP config check
echo 'watchdgo: 60' >"$T/config.d/60-bad.yaml"
is 'a bad file: exit' "$(rc_of $CRISP config check "$T/config.yaml")" 78
is 'a bad file that is not named: exit' "$(rc_of $CRISP config check)" 78
is 'a bad file is told by line' "$($CRISP config check "$T/config.yaml" 2>&1)" \
	"$T/config.d/60-bad.yaml:1: unknown key watchdgo (did you mean watchdog?)"
rm "$T/config.d/60-bad.yaml"
for words in '' 'show' 'dump x' 'check a b' 'import'; do
	is "crisp config $words" "$(rc_of $CRISP config $words)" 64
done
crisp_clean
