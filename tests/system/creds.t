# creds.t - the node's own credentials: files of the form of docker's config.json, credential helpers; registries that are not allowed.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/registry.sh"
. "$ROOT/tests/lib/rpc.sh"
. "$ROOT/tests/lib/rude.sh"

pull() { rpc PullImage "image {image: '$1'} ${2-}"; }
good() { pull "$2" "${3-}"; is "$1" "$code $message" 'OK '; }
bad() { pull "$2" "${4-}"; is "$1: the code" "$code" "$3"; }
auth() { echo "auth {username: '$1' password: '$2'}"; }
plain=$REGISTRY
crisp_config "images: {min_free: 1%}"
sed -i "s|^registry: .*|registry: {config_path: $T/certs.d, auth_files: [$T/none.json, $T/config.json, $T/second.json], allow: ['127.0.0.1:${plain#*:}', 'ok.test/team', '*.wide.test', RUDE, 'closed.test'], deny: ['127.0.0.1:${plain#*:}/secret', 'ok.test/team/not']}|" "$T/config.yaml"
rude_start "$T/rude" || exit 1
sed -i "s|RUDE|'$RUDE'|" "$T/config.yaml"

# A registry with htpasswd, for a mirror and a server.
htpasswd -Bbn node secret >"$T/htpasswd" 2>/dev/null
registry_start "$T/closed" "auth: {htpasswd: {realm: test, path: $T/htpasswd}}" || exit 1
closed=$REGISTRY closed_pid=$REGISTRY_PID
"$IMAGE" --registry "$closed" --user node:secret "$ROOT/tests/images/busybox.json" >/dev/null || exit 1
mkdir -p "$T/certs.d/closed.test"
echo "server = \"http://$closed\"" >"$T/certs.d/closed.test/hosts.toml"

# Helpers, in a directory of this mount namespace's PATH. Each call is a line in helper.log.
mkdir "$T/bin" && cp -a /usr/local/sbin/. "$T/bin" && mount --bind "$T/bin" /usr/local/sbin
helper() { cat >"$T/bin/docker-credential-$1"; chmod 755 "$T/bin/docker-credential-$1"; }
helper fine <<H
#!/bin/sh
read -r server; echo "fine \$1 \$server fds=\$(ls /proc/self/fd | tr '\n' ,) home=\$HOME env=\$(env | wc -l)" >>$T/helper.log
case \$server in
closed.test) echo '{"ServerURL": "x", "Username": "node", "Secret": "secret"}' ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
H
helper broken <<<$'#!/bin/sh\necho "it broke, password=hunter2" >&2; exit 3'
helper chatty <<<$'#!/bin/sh\necho "{\\"Username\\": \\"hunter2\\" no json"'
helper flood <<<$'#!/bin/sh\nhead -c 1000000 /dev/zero | tr "\\0" x'
helper hangs <<H
#!/bin/sh
echo \$\$ >$T/hangs.pid; exec sleep 1000
H
conf() { cat >"$T/config.json"; }

crisp_start || exit 1
bad 'no file is there, so there are no credentials' closed.test/busybox UNAUTHENTICATED
like 'and it says so' "$message" 'no credentials were given'
conf <<<"{\"auths\": {\"closed.test\": {\"auth\": \"$(printf node:secret | base64)\"}}}"
good 'auths of a file that has come since' closed.test/busybox
bad "the request's own credentials come first" closed.test/busybox UNAUTHENTICATED "$(auth node wrong)"
good 'an empty AuthConfig brings none' closed.test/busybox 'auth {}'
conf <<<"{\"auths\": {\"closed.test\": {\"auth\": \"$(printf node:wrong | base64)\"}, \"closed.test/busybox\": {\"username\": \"node\", \"password\": \"secret\"}}}"
good 'the more exact entry' closed.test/busybox:1
conf <<<"{\"auths\": {\"https://closed.test/v1/\": {\"auth\": \"$(printf node:secret | base64)\"}}}"
good "a key as docker writes it" closed.test/busybox
conf <<<"{\"auths\": {\"other.test\": {\"auth\": \"$(printf node:secret | base64)\"}}}"
bad 'the entry of another registry' closed.test/busybox UNAUTHENTICATED
cp "$T/config.json" "$T/second.json"
sed -i 's/other.test/closed.test/' "$T/second.json"
good 'the next file' closed.test/busybox
rm "$T/second.json"
conf <<<'{"auths": {"closed.test": {"auth": "c2VjcmV0OnNlY3JldA"},,}}'
bad 'a file that is no JSON' closed.test/busybox INTERNAL
like 'is named with its line, and not quoted' "$message" "$T/config.json: line 1$"

# Node's credentials are no matter of mirrors.
conf <<<"{\"auths\": {\"closed.test\": {\"auth\": \"$(printf user:secret | base64)\"}}}"
echo "http://$RUDE/token" >"$T/rude/realm"
printf 'server = "http://%s"\n[host."http://%s/v2/bearer"]\noverride_path = true\n' "$closed" "$RUDE" >"$T/certs.d/closed.test/hosts.toml"
bad 'with a mirror that asks for a token' closed.test/busybox UNAUTHENTICATED
is 'the mirror has got no password' "$(grep -c ' token - .* 200$' "$RUDE_DIR/log")" 0
like 'though it asked' "$(cat "$RUDE_DIR/log")" ' token - .* 401'
echo "server = \"http://$closed\"" >"$T/certs.d/closed.test/hosts.toml"

# Helpers.
conf <<<'{"credHelpers": {"closed.test": "fine"}}'
good 'a helper' closed.test/busybox
like 'is asked for this registry, and has stdio and a small environment only' "$(cat "$T/helper.log")" 'fine get closed.test fds=0,1,2,[0-9]*,? ?home=/root env=[1-4]$'
conf <<<'{"credsStore": "fine"}'
good 'the store for all registries' closed.test/busybox
conf <<<"{\"credsStore\": \"fine\", \"auths\": {\"$plain\": {}}}"
good 'a store that knows nothing of a registry' "$plain/busybox"
conf <<<"{\"credsStore\": \"broken\", \"credHelpers\": {\"closed.test\": \"fine\"}}"
good 'the helper of the registry comes before the store' closed.test/busybox
for how in broken:INTERNAL:'docker-credential-broken: exit status 3: it broke' absent:INTERNAL:'docker-credential-absent is not in the PATH' \
	chatty:INTERNAL:'docker-credential-chatty: its answer has no Username and Secret in JSON$' flood:INTERNAL:'docker-credential-flood: its answer is too long' \
	../evil:INTERNAL:'must have a name of letters'; do
	conf <<<"{\"credHelpers\": {\"closed.test\": \"${how%%:*}\"}}"
	how=${how#*:}
	bad "a helper that cannot be used" closed.test/busybox "${how%%:*}"
	like 'is named' "$message" "${how#*:}"
	unlike 'its answer is not' "$message" 'x{99}|Username": "hunter2'
done
conf <<<'{"credHelpers": {"closed.test": "hangs"}}'
bad 'a helper that hangs' closed.test/busybox DEADLINE_EXCEEDED
like 'is named' "$message" 'docker-credential-hangs'
ok 'and is gone' until_ok 10 ended "$(cat "$T/hangs.pid")"
unlike 'no password is in the log' "$(cat "$T/crisp.log")" 'secret"|bm9kZTpzZWNyZXQ'
rm "$T/config.json"

# What may be pulled.
good 'a registry that is allowed' "$plain/busybox"
bad 'one that is not' docker.io/library/busybox PERMISSION_DENIED
is 'and says why' "$message" 'pull docker.io/library/busybox: docker.io/library/busybox is not allowed on this node: it is not in registry.allow'
bad 'a namespace that is denied' "$plain/secret/a" PERMISSION_DENIED
like 'and says why' "$message" "registry.deny has $plain/secret\$"
bad 'a name that only begins like an allowed one' ok.test/teamwork/a PERMISSION_DENIED
bad 'the more exact scope decides' ok.test/team/not/a PERMISSION_DENIED
bad 'another spelling of the host' OK.Test:443/team/not/a PERMISSION_DENIED
like 'and says why' "$message" 'registry.deny has ok.test/team/not$'
bad 'another spelling of its port' ok.test:0443/team/not/a PERMISSION_DENIED
bad 'another spelling of its address' "127.1:${plain#*:}/secret/a" PERMISSION_DENIED
like 'and says which' "$message" "registry.deny has $plain/secret\$"
bad 'the domain itself is not below it' wide.test/a PERMISSION_DENIED
mkdir -p "$T/certs.d/a.wide.test" && echo "server = \"http://$plain\"" >"$T/certs.d/a.wide.test/hosts.toml"
good 'a host below an allowed domain' a.wide.test/busybox
umount /usr/local/sbin
kill $closed_pid; wait $closed_pid 2>/dev/null
rude_stop
crisp_clean
