# install.t - `make install` on a machine without CNI network and without crisp: the installed crisp runs a container. A second
# install keeps what the user has changed, and `make uninstall` leaves it. Then the same into a DESTDIR.

. "$(dirname "$0")/../lib/crisp.sh"

if [ ! -e "$ROOT/GNUmakefile" ]; then
	echo '1..0 # SKIP only the programs are here, without the GNUmakefile'
	rm -rf "$T"
	exit 0
fi
# The other tests keep their /etc and /usr/local: this one goes on in a mount namespace of its own, over directories that may have
# to be made for it.
places='/etc/cni /etc/crisp /usr/local /var/lib/cni'
if [ "${INSTALL_ALONE-}" != yes ]; then
	rm -rf "$T"
	made=$(for dir in $places; do [ -d "$dir" ] || { mkdir "$dir" && echo "$dir"; }; done)
	INSTALL_ALONE=yes unshare --mount --propagation private bash "$0"
	rc=$?
	[ -z "$made" ] || rmdir $made
	exit $rc
fi
for dir in $places; do mount -t tmpfs -o mode=755 tmpfs "$dir" || exit 1; done

built=$BUILD
make_() { make -s -C "$ROOT" -o all BUILD="$built" "$@"; }
files() { (cd "$1" && find . -type f | sort); }

ok 'make install' make_ install
like 'a machine without a network gets one, and install says so' "$out" '/etc/cni/net.d had no network'
ok 'it is a bridge' jq -e '.plugins[0].type == "bridge"' /etc/cni/net.d/99-crisp.conflist
is 'the configuration has only comments' "$(grep -v '^#' /etc/crisp/config.yaml | grep .)" ''
like 'the unit has the path of the keeper' "$(cat /usr/local/lib/systemd/system/crisp.service)" '^ExecStart=/usr/local/sbin/crisp-keeper --config /etc/crisp/config.yaml$'
for page in crisp.1 crisp-config.5 crisp-checkpoint.7 crisp-keeper.8 crispd.8; do
	ok "man page $page" test -s "/usr/local/share/man/man${page##*.}/$page"
done

crisp_config
{ cat /etc/crisp/config.yaml; grep -E '^(root|state|netns_dir|cgroup):' "$T/config.yaml"; } >"$T/installed.yaml"
mv "$T/installed.yaml" "$T/config.yaml"
BUILD=/usr/local/sbin
crisp_start || exit 1
export CRISP_ADDRESS=unix://$T/state/crisp.sock
is 'crisp run' "$(/usr/local/bin/crisp run "$REGISTRY/busybox" echo hello 2>"$T/run.txt")" hello
like 'its pod has an address of the installed network' "$(/usr/local/bin/crisp run "$REGISTRY/busybox" ip -4 -o addr show dev eth0 2>&1)" ' 10\.85\.[0-9]+\.[0-9]+/16 '
is 'no address is left leased by it' "$(find /var/lib/cni -name '[0-9]*.[0-9]*')" ''

echo 'log: {level: warn}' >>/etc/crisp/config.yaml
echo '{"mine": true}' >/etc/cni/net.d/99-crisp.conflist
ok 'make install again' make_ install
like 'says that the configuration was kept' "$out" '^kept /etc/crisp/config.yaml'
is 'it has the change of the user' "$(tail -1 /etc/crisp/config.yaml)" 'log: {level: warn}'
ok 'the new one is beside it' cmp /etc/crisp/config.yaml.new "$ROOT/packaging/config.yaml"
is 'the network is as it was' "$(cat /etc/cni/net.d/99-crisp.conflist)" '{"mine": true}'
mv /etc/cni/net.d/99-crisp.conflist /etc/cni/net.d/10-other.conf
cp "$ROOT/packaging/config.yaml" /etc/crisp/config.yaml
ok 'once more, beside the network of another' make_ install
is 'no network is added' "$(ls /etc/cni/net.d)" 10-other.conf
is 'and an unchanged configuration has no .new' "$(ls /etc/crisp)" config.yaml

ok 'make uninstall' make_ uninstall
like 'says what it leaves' "$out" '/etc/crisp /etc/cni/net.d /var/lib/crisp'
is 'it leaves no file of its own' "$(files /usr/local)" ''
is 'and all of the user' "$(ls /etc/crisp /etc/cni/net.d | tr '\n' ' ')" '/etc/cni/net.d: 10-other.conf  /etc/crisp: config.yaml '

ok 'make install with DESTDIR' make_ DESTDIR="$T/dest" PREFIX=/usr install
is 'the configuration is in place' "$(files "$T/dest/etc")" ./crisp/config.yaml
ok 'the network is an example' cmp "$T/dest/usr/share/doc/crisp/99-crisp.conflist" "$ROOT/packaging/99-crisp.conflist"
completed() { # WORD...: what bash offers for the last word
	PATH=$T/dest/usr/bin:$PATH bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _crisp; echo "${COMPREPLY[*]}"' \
		"$T/dest/usr/share/bash-completion/completions/crisp" "$@"
}
is 'bash completes a command' "$(completed crisp ver)" version
is 'a command of two words' "$(completed crisp port-f)" port-forward
is 'a word behind a command' "$(completed crisp images pr)" prune
is 'an option of exec' "$(completed crisp exec --inter)" --interactive
is 'one behind options' "$(completed crisp --timeout 3 --json imag)" images
is 'an option of a command' "$(completed crisp logs --fo)" --follow
is 'what an option takes' "$(completed crisp run --pull '')" 'always missing never'
is 'files, where it takes one' "$(completed crisp debug -o "$T/de")" "$T/dest"
is 'nothing behind its end' "$(completed crisp config import '')" ''
is 'nor in the command of a container' "$(completed crisp exec web ls --inter)" ''
is 'all commands are offered' "$(completed crisp '' | wc -w)" "$("$built/crisp" --help | sed -n '/^Commands:/,/^$/p' | grep -c '^  ')"
zsh_completed() { # WORD...: what zsh may offer for the last word, before it looks at what is typed of it
	PATH=$T/dest/usr/bin:$PATH zsh -f -c '
		_describe() { local list=$argv[-1] entry; for entry in ${(P)list}; do print -r -- ${entry%%:*}; done }
		compadd() { print -rl -- ${(P)argv[-1]}; }
		_files() { :; }
		words=("$@") CURRENT=$#
		. "$0"' "$T/dest/usr/share/zsh/site-functions/_crisp" "$@" | sort | paste -sd' '
}
sorted() { tr ' ' '\n' | sort -u | paste -sd' '; }
commands=$("$built/crisp" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\).*/\1/p')
is 'zsh offers the same commands' "$(zsh_completed crisp '')" "$(sorted <<<"$commands")"
is 'zsh: words of images' "$(zsh_completed crisp images '')" "$(completed crisp images '' | sorted)"
is 'zsh: what an option takes' "$(zsh_completed crisp run --pull '')" 'always missing never'
is 'zsh: nothing behind its end' "$(zsh_completed crisp config import ''; zsh_completed crisp exec web ls --)" ''
is 'and the same options' "$(zsh_completed crisp --)" "$(completed crisp -- | sorted)"
for command in $commands; do
	options=$("$built/crisp" "$command" --help | sed -n 's/^ *\(-[a-z], \)\{0,1\} *\(--[a-z-]*\).*/\2/p' | sorted)
	is "bash: options of $command" "$(completed crisp "$command" -- | sorted)" "$options"
	is "zsh: options of $command" "$(zsh_completed crisp "$command" --)" "$options"
done
is 'nothing of it went to the machine' "$(files /usr/local)" ''
ok 'make uninstall with DESTDIR' make_ DESTDIR="$T/dest" PREFIX=/usr uninstall
is 'leaves the configuration' "$(files "$T/dest")" ./etc/crisp/config.yaml

crisp_clean
