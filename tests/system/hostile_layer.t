# hostile_layer.t - hostile layers in a real pull: refused by name, nothing is written outside, nothing is left, the node goes on.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

# A small file system for the test: a layer that fills the disk does not fill the machine's.
mkdir "$T/root"
mount -t tmpfs -o size=192m,mode=755 tmpfs "$T/root"
crisp_config 'images: {max_layer_bytes: 24MiB, min_free: 20%}'
crisp_start || exit 1
pull() { rpc PullImage "image {image: '$REGISTRY/$1'}"; }
good() { pull busybox:latest; is "$1" "$code $message" 'OK '; $CRICTL rmi "$REGISTRY/busybox:latest" >/dev/null 2>&1; }
clean() { [ -z "$(ls -A "$T/root/layers" "$T/root/ingest" "$T/root/partial" "$T/root/gone" 2>/dev/null | grep -v -e :$ -e '^$')" ]; }

n=0
push() { # REPO LAYERS
	printf '%s' "$2" >"$T/layers"
	jq -n --arg n "$1" --slurpfile l "$T/layers" '[{repo: $n, config: {}, layers: $l[0]}]' | "$IMAGE" --registry "$REGISTRY" - >/dev/null
}
layer() { echo "[{\"entries\":[$1]}]"; }
refused() { # WORDS CODE MESSAGE LAYERS
	n=$((n + 1))
	push "hostile-$n" "$4" || { fail "$1" 'push'; return; }
	pull "hostile-$n"
	is "$1: the code" "$code" "$2"
	like "$1: the cause" "$message" "layer sha256:[0-9a-f]{12}.*$3"
	ok "$1: nothing is left" until_ok 10 clean
}
file() { echo "{\"path\":\"$1\",\"data\":\"evil\"}"; }
link() { echo "{\"path\":\"$1\",\"type\":\"$2\",\"target\":\"$3\"}"; }

# A directory with a file outside of crisp's root, which must not change.
mkdir "$T/outside"
echo good >"$T/outside/victim"
host=${T#/}/outside
up=../../../../../../../../../../../..
before=$(find "$T/outside" -printf '%p %i %s %m %T@\n' | sort; cksum "$T/outside/victim")

refused 'a name with ..' INVALID_ARGUMENT 'leads out of the layer' "$(layer "$(file "$up/$host/evil")")"
refused 'a name with .. in the middle' INVALID_ARGUMENT 'leads out of the layer' "$(layer "$(file "a/$up/$host/evil")")"
refused 'a hard link with ..' INVALID_ARGUMENT 'leads out' "$(layer "$(link h link "$up/$host/victim")")"
refused 'a hard link to the host' INVALID_ARGUMENT 'is in no layer' "$(layer "$(link h link "/$host/victim")")"
refused 'a hard link through a link' INVALID_ARGUMENT "target" "$(layer "$(link d symlink "/$host"),$(link h link d/victim)")"
refused 'a file below a file' INVALID_ARGUMENT 'not a directory' "$(layer "$(file f),$(file f/g)")"
refused 'links in a circle' INVALID_ARGUMENT 'too many symbolic links' "$(layer "$(link a symlink b),$(link b symlink a),$(file a/x)")"
refused 'a whiteout of the directory above' INVALID_ARGUMENT 'whiteout' "$(layer "$(file d/.wh...)")"
refused 'a mark of overlayfs' INVALID_ARGUMENT 'trusted.overlay' \
	"$(layer '{"path":"d","type":"dir","xattrs":{"trusted.overlay.redirect":"/etc"}}')"
refused 'a flood of devices' RESOURCE_EXHAUSTED 'more than 4096 device nodes' \
	"$(jq -nc '[{entries: [range(5000) | {path: "dev/d\(.)", type: "char", major: 8, minor: 0}]}]')"

# Accepted, but resolved inside the root: absolute names and symbolic links.
inside() { # WORDS LAYERS PATH
	n=$((n + 1))
	push "hostile-$n" "$2"
	pull "hostile-$n"
	is "$1: is taken" "$code $message" 'OK '
	like "$1: stays in the layer" "$(find "$T/root/layers" -name evil -type f)" "^$T/root/layers/[^/]+/$3$"
	$CRICTL rmi "$REGISTRY/hostile-$n" >/dev/null 2>&1
	ok "$1: nothing is left" until_ok 10 clean
}
inside 'an absolute name' "$(layer "$(file "/$host/evil")")" "$host/evil"
inside 'a link out, and a file through it' "$(layer "$(link d symlink "/$host"),$(file d/evil)")" "$host/evil"
inside 'a link with .., and a file through it' "$(layer "$(link d symlink "$up/$host"),$(file d/evil)")" "$host/evil"
inside 'a link out in a lower layer' "[{\"entries\":[$(link d symlink "/$host")]},{\"entries\":[$(file d/evil)]}]" "($host|d)/evil"

# Decompression bombs.
truncate -s 64M "$T/zeros"
mkdir "$T/bomb" && mv "$T/zeros" "$T/bomb/zeros"
tar -C "$T/bomb" -cf "$T/bomb.tar" zeros
head -c 40M /dev/zero >"$T/raw"
for how in gzip zstd; do
	refused "a $how bomb" RESOURCE_EXHAUSTED 'max_layer_bytes' "[{\"compress\":\"$how\",\"tar\":\"$T/bomb.tar\"}]"
	refused "a $how bomb that is no tar" RESOURCE_EXHAUSTED 'max_layer_bytes' "[{\"compress\":\"$how\",\"tar\":\"$T/raw\"}]"
done
truncate -s 1T "$T/bomb/zeros"
tar -C "$T/bomb" -S --format=posix -cf "$T/sparse.tar" zeros
refused 'a sparse file of a terabyte' RESOURCE_EXHAUSTED 'max_layer_bytes' "[{\"tar\":\"$T/sparse.tar\"}]"

# Blobs that are no layers.
head -c 100000 /dev/urandom >"$T/noise"
refused 'noise' INVALID_ARGUMENT 'tar' "[{\"tar\":\"$T/noise\"}]"
tar -C "$ROOT" -cf - GNUmakefile | head -c 3000 >"$T/cut.tar"
refused 'a tar that ends early' INVALID_ARGUMENT 'tar' "[{\"tar\":\"$T/cut.tar\"}]"
said() { # HOW TYPE: bytes of another format than the media type says
	inside "$1 that says $2" "[{\"compress\":\"$1\",\"media_type\":\"application/vnd.oci.image.layer.v1.$2\",\"entries\":[$(file evil)]}]" evil
}
said zstd tar+gzip
said gzip tar
said none tar+zstd
push type '[{"media_type":"application/x-evil","entries":[{"path":"x"}]}]'
pull type
is 'a media type that nobody knows' "$code" INVALID_ARGUMENT
like 'is named' "$message" 'application/x-evil'
good 'a good image fits'

# A disk that is almost full.
head -c 165M /dev/zero >"$T/root/ballast"
push full "$(layer '{"path":"x","size":4000000}')"
pull full
is 'less than min_free: the code' "$code" RESOURCE_EXHAUSTED
like 'the cause' "$message" 'min_free'
ok 'nothing is left' until_ok 10 clean
rm "$T/root/ballast"
pull full
is 'with room it works' "$code $message" 'OK '
$CRICTL rmi "$REGISTRY/full" >/dev/null 2>&1

is 'nothing outside was touched' "$(find "$T/outside" -printf '%p %i %s %m %T@\n' | sort; cksum "$T/outside/victim")" "$before"
is 'nor made' "$(find "$T" -path "$T/root" -prune -o -name evil -print; find / -maxdepth 2 -xdev -name evil)" ''
is 'no image is left' "$($CRICTL images -q)" ''
ok 'all is clean' until_ok 10 clean
crisp_stop
umount "$T/root"
crisp_clean
