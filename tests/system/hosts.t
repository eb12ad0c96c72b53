# hosts.t - the host that serves an image, and its authentication: https with a private CA, Basic, Bearer tokens, mirrors by hosts.toml.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/registry.sh"
. "$ROOT/tests/lib/rpc.sh"
. "$ROOT/tests/lib/rude.sh"

crisp_config
crisp_start || exit 1
rude_start "$T/rude" || exit 1
rude_first=$RUDE_PID
pull() { rpc PullImage "image {image: '$1'} ${2-}"; }
good() { pull "$2" "${3-}"; is "$1" "$code $message" 'OK '; }
bad() { pull "$2" "${4-}"; is "$1: the code" "$code" "$3"; }
auth() { echo "auth {username: '$1' password: '$2'}"; }
hosts_toml() { mkdir -p "$T/certs.d/$1"; cat >"$T/certs.d/$1/hosts.toml"; }
plain=$REGISTRY

# A registry with a private CA and htpasswd.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout "$T/ca.key" -out "$T/ca.crt" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$T/tls.key" -out "$T/tls.csr" 2>/dev/null
openssl x509 -req -in "$T/tls.csr" -CA "$T/ca.crt" -CAkey "$T/ca.key" -CAcreateserial -days 2 -out "$T/tls.crt" \
	-extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') 2>/dev/null
htpasswd -Bbn user secret >"$T/htpasswd" 2>/dev/null
registry_start "$T/secure" "  tls: {certificate: $T/tls.crt, key: $T/tls.key}" "auth: {htpasswd: {realm: test, path: $T/htpasswd}}" || exit 1
secure=$REGISTRY_PID host=$REGISTRY
"$IMAGE" --registry "$host" --user user:secret --ca "$T/ca.crt" "$ROOT/tests/images/busybox.json" >/dev/null || exit 1
url=https://$host
# Pulls that are retried for some seconds run in the background; their results are checked below.
later() { $CRICTL pull "$2" >"$T/$1.out" 2>&1 & eval "later_$1=$!"; }
was() { # NAME WORDS CODE CAUSE
	local pid=later_$1
	if wait "${!pid}"; then fail "$2"; else like "$2" "$(cat "$T/$1.out")" "code = $3 desc = .*$4"; fi
}
later nowhere does-not-exist.invalid/a
hosts_toml unknown.test <<<"server = \"$url\""
bad 'a CA that nobody knows' unknown.test/busybox FAILED_PRECONDITION
like 'says so' "$message" 'certificate'
is 'there is no second try' "$(grep -c 'registry_retry host=unknown.test ' "$T/crisp.log")" 0
hosts_toml "$host" <<<"server = \"$url\"
ca = \"../../ca.crt\""
bad 'a private CA, and no password' "$host/busybox" UNAUTHENTICATED
like 'says so' "$message" 'status 401'
bad 'a wrong password' "$host/busybox" UNAUTHENTICATED "$(auth user wrong)"
unlike 'the password is not in the message' "$message" wrong
good 'the right one' "$host/busybox" "$(auth user secret)"
good 'base64 as in a docker config' "$host/busybox:1" "auth {auth: '$(printf user:secret | base64)'}"
bad 'not for those who know it not, though the image is here' "$host/busybox" UNAUTHENTICATED
bad 'credentials for another server are not sent' "$host/busybox:1" UNAUTHENTICATED "auth {username: 'user' password: 'secret' server_address: 'other.test'}"
bad 'what is no base64' "$host/busybox" INVALID_ARGUMENT "auth {auth: '%%%'}"
hosts_toml "$host" <<<"server = \"$url\"
[host.\"$url\"]
  skip_verify = true"
good 'by skip_verify too' "$host/busybox:1" "$(auth user secret)"
unlike 'no password is in the log' "$(cat "$T/crisp.log")" 'secret'
hosts_toml "$host" <<<"server = \"$url\"
[host.\"$url\"]
  ca = \"../../ca.crt\""
bad 'the server among its hosts' "$host/busybox" UNAUTHENTICATED
is 'is asked once, as its table says' "$(grep -c "registry_retry host=$host " "$T/crisp.log")" 0
was nowhere 'a host that does not exist' Unknown 'RegistryUnavailable.*Could not resolve host: does-not-exist.invalid|resolve'
kill "$secure"; wait "$secure" 2>/dev/null

# A token server.
bad 'a token is needed' "$RUDE/bearer/a" UNAUTHENTICATED
bad 'a wrong password for it' "$RUDE/bearer/a" UNAUTHENTICATED "$(auth user wrong)"
good 'the right one' "$RUDE/bearer/a" "$(auth user secret)"
is 'one token serves manifest, config and layer' "$(grep -c ' token - .* 200$' "$RUDE_DIR/log")" 1
good 'a token that the client brings' "$RUDE/bearer/b" "auth {registry_token: 'token-for-bearer/b'}"

# Mirrors.
hosts_toml mirrored.test <<-T
	server = "http://$plain"
	[host."http://$RUDE"]
	  capabilities = ["pull", "resolve"]
T
good 'what the mirror has' mirrored.test/good/m
like 'comes from the mirror' "$(grep -c ' good/m ' "$RUDE_DIR/log")" '^[1-9]'
good 'what it has not' mirrored.test/busybox:1
good 'a mirror with status 500' mirrored.test/busybox:latest
is 'the image bears the name that was asked for' "$($CRICTL inspecti mirrored.test/busybox:1 | jq -r '.status.repoTags | sort | .[]' | grep -c '^mirrored.test/busybox:')" 2
bad 'what neither has' mirrored.test/none NOT_FOUND
hosts_toml fails.test <<-T
	server = "http://$plain"
	[host."http://$RUDE/v2/status500"]
	  capabilities = ["pull", "resolve"]
	  override_path = true
	[host."http://127.0.0.1:1"]
	  capabilities = ["pull", "resolve"]
T
good 'a mirror with status 500, one that is not there, then the server' fails.test/busybox
is 'the first was asked' "$(grep -c 'status500/busybox manifests .* 500$' "$RUDE_DIR/log")" 1
ip link add crispsilent type bridge && ip addr add 10.99.0.1/24 dev crispsilent && ip link set crispsilent up &&
	ip neigh add 10.99.0.9 lladdr 02:00:00:00:00:09 dev crispsilent nud permanent
hosts_toml silent.test <<-T
	server = "http://$plain"
	[host."http://10.99.0.9:5000"]
	  capabilities = ["pull", "resolve"]
	  dial_timeout = "300ms"
T
begun=$(date +%s%N)
good 'a mirror that never answers' silent.test/busybox
ok 'is given its dial_timeout' test $((($(date +%s%N) - begun) / 1000000)) -lt 5000
ip link del crispsilent
hosts_toml _default <<<"server = \"http://$plain\""
good 'any other host by _default' anything.test/busybox
rm -r "$T/certs.d/_default"
hosts_toml broken.test <<<$'server = "http://x"\n[host."http://y"\n'
bad 'a hosts.toml that is broken' broken.test/a INTERNAL
like 'is named with its line' "$message" 'certs.d/broken.test/hosts.toml:2'
hosts_toml strange.test <<<"server = \"http://$plain\"
serve = 1
dial_timeout = \"soon\"
[host.\"ftp://x\"]
[plugins]
since = 2020-01-01
text = \"\"\"
lines\"\"\""
good 'what nobody knows in a hosts.toml' strange.test/busybox
for word in 'serve: unknown key' 'dial_timeout: it is ignored' 'host ftp://x: it is ignored' 'plugins: unknown key'; do
	like "is a warning: $word" "$(grep 'hosts_toml file=' "$T/crisp.log")" "strange.test/hosts.toml.*$word"
done

# CAs: beside the system's, and for their own host. The node's public CA is a directory of this mount namespace.
new_ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.crt" 2>/dev/null; }
new_cert() { # CA NAME SUBJECTALTNAME
	openssl req -x509 -CA "$T/$1.crt" -CAkey "$T/$1.key" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$2" \
		-addext "subjectAltName=$3" -addext basicConstraints=CA:FALSE -keyout "$T/$2.key" -out "$T/$2.crt" 2>/dev/null
}
for ca in public own alien; do new_ca $ca; done
new_cert own registry DNS:localhost
new_cert public store IP:127.0.0.1
new_cert own private IP:127.0.0.1
new_cert own me DNS:me
new_cert alien notme DNS:notme
mkdir "$T/hashed" && cp "$T/public.crt" "$T/hashed" && openssl rehash "$T/hashed" && mount --bind "$T/hashed" /etc/ssl/certs
rude_start "$T/registry" 127.0.0.1 "$T/registry.crt" "$T/registry.key" || exit 1
registry=localhost:${RUDE#*:} registry_pid=$RUDE_PID
rude_start "$T/store" 127.0.0.1 "$T/store.crt" "$T/store.key" || exit 1
store=$RUDE store_pid=$RUDE_PID
rude_start "$T/private" 127.0.0.1 "$T/private.crt" "$T/private.key" || exit 1
private=$RUDE private_pid=$RUDE_PID
registry_start "$T/picky" && "$IMAGE" --registry "$REGISTRY" "$ROOT/tests/images/busybox.json" >/dev/null && registry_stop
registry_start "$T/picky" "  tls: {certificate: $T/store.crt, key: $T/store.key, clientcas: [$T/own.crt]}" || exit 1
echo "https://$store" >"$T/registry/public.to"
echo "https://$private" >"$T/registry/private.to"
hosts_toml cas.test <<<"server = \"https://$registry\"
ca = [\"$T/alien.crt\", \"../../own.crt\"]"
good 'one of two CAs, and a redirect to a host of the public CA' cas.test/goes/public
bad 'a redirect to another host of that CA' cas.test/goes/private FAILED_PRECONDITION
like 'says where its CA belongs' "$message" "private|certificate.*to give this host a ca, add \[host.\"https://$private\"\] with capabilities = \[\"push\"\] to .*/cas.test/hosts.toml"
hosts_toml cas.test <<<"server = \"https://$registry\"
ca = \"../../own.crt\"
[host.\"https://$private\"]
  capabilities = [\"push\"]
  ca = \"../../own.crt\""
good 'so it is done' cas.test/goes/private
is 'the table is no mirror' "$(grep -c ' manifests ' "$T/private/log")" 0
hosts_toml picky.test <<<"server = \"https://$REGISTRY\"
client = [[\"$T/notme.crt\", \"$T/notme.key\"], [\"../../me.crt\", \"../../me.key\"]]"
good 'of two client certificates the one that the server wants' picky.test/busybox
registry_stop
echo "https://$private/token" >"$T/registry/realm"
sed -i '/^\[host.*'"$private"'/,/ca = /d' "$T/certs.d/cas.test/hosts.toml"
bad 'a token server of another host' cas.test/bearer/a FAILED_PRECONDITION "$(auth user secret)"
like 'does not have the ca either, and is told so' "$message" "token server $private.*to give this host a ca, add"
echo "https://localhost:${registry#*:}/token" >"$T/registry/realm"
good 'a token server of the same name' cas.test/bearer/a "$(auth user secret)"
mkdir -p "$T/certs.d/$registry"
cp "$T/alien.crt" "$T/certs.d/$registry/a.crt"; cp "$T/own.crt" "$T/certs.d/$registry/b.crt"
cp "$T/me.crt" "$T/certs.d/$registry/me.cert"; cat "$T/me.key" >>"$T/certs.d/$registry/me.cert"
cp "$T/notme.crt" "$T/certs.d/$registry/notme.cert"; cp "$T/notme.key" "$T/certs.d/$registry"
good "several of Docker's files of one kind" "$registry/good/docker"

# From https to http.
ip link add crispplain type bridge && ip addr add 10.99.0.1/24 dev crispplain && ip link set crispplain up
rude_start "$T/http" 10.99.0.1 || exit 1
http=$RUDE http_pid=$RUDE_PID
echo "http://$http" >"$T/registry/http.to"
bad 'a redirect from https to http' cas.test/goes/http INTERNAL
like 'is refused, and it says how to allow it' "$message" "from https to plain http \($http\), which is refused; to allow it, add \[host.\"http://$http\"\] with capabilities = \[\"push\"\] to .*/cas.test/hosts.toml"
hosts_toml cas.test <<<"server = \"https://$registry\"
ca = \"../../own.crt\"
[host.\"http://$http\"]
  capabilities = [\"push\"]"
good 'so it is done' cas.test/goes/http
hosts_toml insecure.test <<<"server = \"https://$registry\"
skip_verify = true"
good 'a host that is not verified may redirect to http' insecure.test/goes/http
echo "http://$http/token" >"$T/registry/realm"
hosts_toml cas.test <<<"server = \"https://$registry\"
ca = \"../../own.crt\""
bad 'a token server of plain http' cas.test/bearer/b INTERNAL "$(auth user secret)"
like 'gets no password' "$message" "it is plain http, and credentials are not sent unencrypted; to allow it, add \[host.\"http://$http\"\]"
is 'and is not asked' "$(cat "$T/http/log" 2>/dev/null | grep -c ' token ')" 0
for pid in $registry_pid $store_pid $private_pid $http_pid; do kill $pid; wait $pid 2>/dev/null; done
ip link del crispplain
umount /etc/ssl/certs

RUDE_PID=$rude_first
rude_stop
crisp_clean
