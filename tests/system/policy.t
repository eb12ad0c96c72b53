# policy.t - signatures by policy.json: keys of each kind, names, registries and namespaces, tampered ones; the reason that the kubelet shows.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

pull() { rpc PullImage "image {image: '$1'}"; }
good() { pull "$2"; is "$1" "$code $message" 'OK '; }
# refused WORDS IMAGE CAUSE
refused() {
	pull "$2"
	is "$1: the code, with which the kubelet shows the reason" "$code" UNKNOWN
	like "$1: the reason and the cause" "$message" "^SignatureValidationFailed: pull .*$3"
}
crisp_config "images: {signature_policy: $T/policy.json, min_free: 1%}"
R=$REGISTRY

# ---- signatures as cosign makes them
key() { # NAME OPENSSL-WORDS...: NAME.key and NAME.pub
	local name=$1; shift
	openssl genpkey "$@" -out "$T/$name.key" 2>/dev/null && openssl pkey -in "$T/$name.key" -pubout -out "$T/$name.pub" 2>/dev/null
}
key ec -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key ed -algorithm ED25519
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key small -algorithm RSA -pkeyopt rsa_keygen_bits:1024
key alien -algorithm EC -pkeyopt ec_paramgen_curve:P-256
sha() { sha256sum "$1" | cut -d' ' -f1; }
put_blob() { # REPO FILE
	local where
	where=$(curl -sf -X POST -D - -o /dev/null "http://$R/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //Ip')
	curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$where&digest=sha256:$(sha "$2")" || echo "# no blob in $1"
}
# layer REPO DIGEST KEY NAME: prints one layer of a manifest of signatures; its payload is in the registry.
layer() {
	printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"%s"},"optional":null}' \
		"$4" "$2" "${TYPE:-cosign container image signature}" >"$T/payload"
	case $3 in
	ed) openssl pkeyutl -sign -inkey "$T/ed.key" -rawin -in "$T/payload" -out "$T/sig" ;;
	*) openssl dgst -sha256 -sign "$T/$3.key" -out "$T/sig" "$T/payload" ;;
	esac
	put_blob "$1" "$T/payload"
	printf '{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":%s,"digest":"sha256:%s","annotations":{"dev.cosignproject.cosign/signature":"%s"}}' \
		"$(stat -c %s "$T/payload")" "$(sha "$T/payload")" "$(base64 -w0 "$T/sig")"
}
# attach REPO DIGEST LAYERS: the manifest of signatures of an image.
attach() {
	echo '{}' >"$T/config.json"
	put_blob "$1" "$T/config.json"
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":3,"digest":"sha256:%s"},"layers":[%s]}' \
		"$(sha "$T/config.json")" "$3" >"$T/manifest"
	curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$T/manifest" \
		"http://$R/v2/$1/manifests/sha256-${2#sha256:}.sig" || echo "# no signatures of $1"
}
# image REPO [JQ]: pushes a small image; prints the digest of its manifest or index.
image() {
	jq -c --arg r "$1" '{repo: $r, tags: ["v1", "v2"], layers: [{entries: [{path: "name", data: $r}]}], config: {Cmd: ["x"]}} | '"${2:-.}" <<<null >"$T/spec.json"
	"$IMAGE" --registry "$R" "$T/spec.json" | cut -d' ' -f2
}
sign() { attach "$1" "$2" "$(layer "$1" "$2" "$3" "${4:-$R/$1}")"; } # REPO DIGEST KEY [NAME]

# ---- policies
rule() { # KEY [MORE]: sigstoreSigned with a key
	printf '[{"type":"sigstoreSigned","keyPath":"%s","signedIdentity":{"type":"matchRepository"}%s}]' "$T/$1.pub" "${2-}"
}
policy() { # DEFAULT [SCOPE RULES]...
	local out=$1 scopes= ; shift
	while [ $# -gt 0 ]; do scopes="$scopes${scopes:+,}\"$1\":$2"; shift 2; done
	printf '{"default":%s,"transports":{"docker":{%s}}}' "$out" "$scopes" >"$T/policy.json"
}
reject='[{"type":"reject"}]' accept='[{"type":"insecureAcceptAnything"}]'

for k in ec ed rsa; do d=$(image "keys/$k"); sign "keys/$k" "$d" $k; done
image keys/none >/dev/null
crisp_start || exit 1
refused 'a policy that is not there' "$R/keys/ec:v1" 'the signature policy cannot be used: .*policy.json: No such file'
policy "$reject" "$R/keys/ec" "$(rule ec)" "$R/keys/ed" "$(rule ed)" "$R/keys/rsa" "$(rule rsa)" "$R/keys" "$(rule ec)" "$R/free" "$accept"
good 'an image signed with ECDSA' "$R/keys/ec:v1"
good 'with Ed25519' "$R/keys/ed:v1"
good 'with RSA' "$R/keys/rsa:v1"
like 'the log tells' "$(cat "$T/crisp.log")" 'signature_verified image=sha256:'
refused 'an image without a signature' "$R/keys/none:v1" 'the policy asks for a signature, and the registry has none of sha256:'
refused 'a registry that no scope has' "$R/busybox" 'policy.json rejects it \(its default\)'
asked=$(grep -c 'sm http' "$T/crisp.log")
pull docker.io/library/busybox
is 'what is rejected is not asked for at its registry' "$(grep -c 'sm http' "$T/crisp.log")" "$asked"
image free/a >/dev/null
good 'what needs none' "$R/free/a:v1"
notok 'the refused image is not here' $CRICTL inspecti "$R/keys/none:v1"
d=$(image keys/bydigest); sign keys/bydigest "$d" ec
good 'by digest' "$R/keys/bydigest@$d"

# ---- what does not hold
d=$(image keys/alien); sign keys/alien "$d" alien
refused 'a signature of another key' "$R/keys/alien:v1" 'of none of the keys'
d=$(image keys/tampered); l=$(layer keys/tampered "$d" ec "$R/keys/tampered")
sed -i 's/"optional":null/"optional":{}/' "$T/payload"; put_blob keys/tampered "$T/payload"
attach keys/tampered "$d" "$(jq -c --arg d "sha256:$(sha "$T/payload")" --argjson s "$(stat -c %s "$T/payload")" '.digest = $d | .size = $s' <<<"$l")"
refused 'a payload that was changed' "$R/keys/tampered:v1" 'of none of the keys'
d=$(image keys/bent); attach keys/bent "$d" "$(layer keys/bent "$d" ec "$R/keys/bent" | sed 's/\(signature":"\)..../\1%%%%/')"
refused 'a signature that is no base64' "$R/keys/bent:v1" 'a signature is no base64'
d=$(image keys/moved); attach keys/moved "$d" "$(layer keys/moved "sha256:$(printf %064d 7)" ec "$R/keys/moved")"
refused 'a signature of another image' "$R/keys/moved:v1" 'a signature is of another image \(sha256:0000'
d=$(image keys/renamed); sign keys/renamed "$d" ec "$R/keys/other"
refused 'a signature for another name' "$R/keys/renamed:v1" 'which is not the name that the policy asks for'
d=$(image keys/kind); TYPE='atomic container signature' sign keys/kind "$d" ec
refused 'a payload of another type' "$R/keys/kind:v1" 'of the unknown type "atomic'
d=$(image keys/empty); attach keys/empty "$d" ''
refused 'a manifest of no signatures' "$R/keys/empty:v1" 'the manifest of its signatures has none'
d=$(image keys/second); attach keys/second "$d" "$(layer keys/second "$d" alien "$R/keys/second"),$(layer keys/second "$d" ec "$R/keys/second")"
good 'the second of two signatures' "$R/keys/second:v1"
d=$(image keys/crowd); l=$(layer keys/crowd "$d" alien "$R/keys/crowd"); list=$l; for i in $(seq 15); do list=$list,$l; done
attach keys/crowd "$d" "$list,$(layer keys/crowd "$d" ec "$R/keys/crowd")"
refused 'the 17th signature, and it is said that it was not looked at' "$R/keys/crowd:v1" 'of none of the keys.* \(the first 16 signatures of it were looked at, it has more\)'
attach keys/crowd "$d" "$list"
refused '16 signatures, all of them looked at' "$R/keys/crowd:v1" 'of none of the keys[^(]*$'

# ---- names
d=$(image names/a); sign names/a "$d" ec "$R/names/a:v1"
id() { printf '[{"type":"sigstoreSigned","keyPath":"%s"%s}]' "$T/ec.pub" "${1:+,\"signedIdentity\":$1}"; }
policy "$reject" "$R/names" "$(id)"
good 'without signedIdentity the tag must be the signed one' "$R/names/a:v1"
good 'or a digest' "$R/names/a@$d"
refused 'another tag of the same image' "$R/names/a:v2" 'which is not the name'
policy "$reject" "$R/names" "$(id '{"type":"matchExact"}')"
refused 'matchExact, by digest' "$R/names/a@$d" 'which is not the name'
policy "$reject" "$R/names" "$(id "{\"type\":\"exactReference\",\"dockerReference\":\"$R/names/a:v1\"}")"
good 'exactReference, by another tag' "$R/names/a:v2"
policy "$reject" "$R/names" "$(id "{\"type\":\"exactRepository\",\"dockerRepository\":\"$R/names/b\"}")"
refused 'exactRepository of another one' "$R/names/a:v1" 'which is not the name'
d=$(image mirror/a); sign mirror/a "$d" ec "public.test/real/a:v1"
policy "$reject" "$R/mirror" "$(id "{\"type\":\"remapIdentity\",\"prefix\":\"$R/mirror\",\"signedPrefix\":\"public.test/real\"}")"
good 'remapIdentity' "$R/mirror/a:v1"
d=$(image names/bare); sign names/bare "$d" ec
policy "$reject" "$R/names" "$(id)"
refused 'a signature without a tag is not one for latest or any other' "$R/names/bare:v1" 'cosign makes them: signedIdentity must be matchRepository'

# ---- several rules, several keys, keys in the file, indexes
policy "$reject" "$R/keys" "[$(rule ec | sed 's/^.\(.*\).$/\1/'),$(rule alien | sed 's/^.\(.*\).$/\1/')]"
good 'two rules, each met by another signature' "$R/keys/second:v1"
refused 'two rules, one met' "$R/keys/ec:v1" 'of none of the keys'
policy "$reject" "$R/keys" "[{\"type\":\"sigstoreSigned\",\"keyPaths\":[\"$T/ed.pub\",\"$T/ec.pub\"],\"signedIdentity\":{\"type\":\"matchRepository\"}}]"
good 'one of two keys' "$R/keys/ec:v1"
policy "$reject" "$R/keys" "[{\"type\":\"sigstoreSigned\",\"keyData\":\"$(base64 -w0 "$T/ec.pub")\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]"
good 'a key in the policy itself' "$R/keys/ec:v1"
policy "$reject" "$R/keys" "$(rule small)"
refused 'a key that is too short' "$R/keys/ec:v1" 'less than 2048'
policy "$reject" "$R/keys" "$(rule nothere)"
refused 'a key that is not there' "$R/keys/ec:v1" 'a key of the signature policy: .*nothere.pub: No such file'
policy "$reject" "$R/index" "$(rule ec)"
d=$(image index/top '.index = true'); sign index/top "$d" ec
good 'an index that is signed' "$R/index/top:v1"
image index/entry '.index = true' >/dev/null
d=$(curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$R/v2/index/entry/manifests/v1" | jq -r --arg a "$(dpkg --print-architecture)" '.manifests[] | select(.platform.architecture == $a) | .digest' | head -1)
refused 'an index, and nothing of it is signed' "$R/index/entry:v1" 'the registry has none of sha256:'
sign index/entry "$d" ec
good 'its entry for this machine is signed' "$R/index/entry:v1"
good 'again, when it is here' "$R/index/entry:v1"

# ---- an image that is here
good 'signed, and here' "$R/index/top:v1"
policy "$reject" "$R/index" "$(rule alien)"
refused 'another policy since' "$R/index/top:v1" 'of none of the keys'
ok 'it stays on the node' $CRICTL inspecti "$R/index/top:v1"
policy "$reject"
refused 'a policy that rejects it' "$R/index/top:v1" 'rejects it'
policy "$reject" "*.wide.test" "$accept"
refused 'a scope of a domain that is another' "$R/index/top:v1" 'rejects it'

# ---- archives: a policy is asked for them too, as podman does
export CRISP_ADDRESS=unix://$T/state/crisp.sock
jq -n '[{repo: "r.test/brought", tags: ["v1"], config: {Cmd: ["x"]}, layers: [{entries: [{path: "name", data: "x"}]}]}]' >"$T/brought.spec"
for kind in oci docker oci-dir; do "$ROOT/tests/images/archive" $kind "$T/brought.$kind" "$T/brought.spec" >/dev/null; done
archives() { # DEFAULT [TRANSPORT SCOPES]...
	local out=$1 transports= ; shift
	while [ $# -gt 0 ]; do transports="$transports${transports:+,}\"$1\":$2"; shift 2; done
	printf '{"default":%s,"transports":{%s}}' "$out" "$transports" >"$T/policy.json"
}
import() { "$BUILD/crisp" images import "$T/brought.$1" 2>&1; }
archives "$reject" docker "{\"\":$accept}"
for kind in oci docker oci-dir; do like "$kind: an import that the default rejects" "$(import $kind)" 'policy.json rejects it \(its default\)'; done
notok 'it is not here' $CRICTL inspecti r.test/brought:v1
archives "$(rule ec)"
like 'an import where signatures are asked for' "$(import oci)" 'an archive has none; .*the transport oci-archive the scope ""'
archives "$reject" oci-archive "{\"\":$accept}" docker-archive "{\"\":$accept}" oci "{\"$(realpath "$T")/other\":$accept}"
like 'a layout in another directory than the scope' "$(import oci-dir)" 'rejects it'
archives "$reject" oci-archive "{\"\":$accept}" docker-archive "{\"\":$accept}" oci "{\"$(realpath "$T")\":$accept}"
for kind in oci docker oci-dir; do like "$kind: allowed" "$(import $kind)" ' r.test/brought:v1$'; done
rm "$T/policy.json"
like 'without the file nothing is brought in' "$(import docker)" 'signature policy cannot be used: .*No such file'

# ---- what crisp cannot check, and what is no policy
policy "$reject" "$R/keys" "[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\"}]"
refused 'GPG' "$R/keys/ec:v1" "asks for signedBy \(the scope $R/keys\), which crisp cannot check"
policy "$reject" "$R/keys" "$(rule ec ",\"rekorPublicKeyPath\":\"/k\"")"
refused 'Rekor' "$R/keys/ec:v1" 'asks for sigstoreSigned with rekorPublicKey'
policy "$reject" "$R/keys" "$(rule ec ",\"keyData\":\"$(base64 -w0 "$T/ec.pub")\"")"
refused 'two sources of keys' "$R/keys/ec:v1" 'cannot be used: .*one of keyPath'
policy "$reject" "$R/keys" '[{"type":"sigstoreSinged"}]'
refused 'a requirement that nobody knows' "$R/keys/ec:v1" 'cannot be used: .*unknown type'
policy "$accept" other.test '[{"type":"reject","why":1}]'
refused 'an unknown member, of another scope even' "$R/keys/ec:v1" 'cannot be used: .*why: unknown member'
echo '{"default":' >"$T/policy.json"
refused 'no JSON' "$R/keys/ec:v1" 'cannot be used: .*policy.json: line'
policy "$accept"
good 'with a new policy no restart is needed' "$R/busybox"
crisp_clean
