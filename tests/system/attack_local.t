# attack_local.t - a local user without rights looks for what pods and images leave open to him, and a container for what the daemon pays.

. "$(dirname "$0")/../lib/crisp.sh"

LEVEL=info
# As an earlier version made them: they are to be closed at the start.
mkdir -m 711 "$T/root" && mkdir -m 711 "$T/root/layers" "$T/root/snapshots"
crisp_up

# walk: reads NUL-separated paths, becomes nobody and prints each thing that it could do with them: list, make, read, write, run, connect.
mkdir -m 755 "$T/bin"
cat >"$T/walk.c" <<-'C'
	#define _GNU_SOURCE
	#include <dirent.h>
	#include <fcntl.h>
	#include <grp.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	#include <sys/socket.h>
	#include <sys/stat.h>
	#include <sys/un.h>
	#include <unistd.h>
	static void try_directory(const char *path)
	{
		char in[8192];
		DIR *d = opendir(path);
		snprintf(in, sizeof(in), "%s/planted", path);
		if (d && readdir(d))
			printf("list %s\n", path);
		if (mkdir(in, 0700) == 0 && rmdir(in) == 0)
			printf("make %s\n", path);
		if (d)
			closedir(d);
	}
	static void try_file(const char *path, int may_run)
	{
		int r = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY), w = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
		if (r >= 0)
			printf("read %s\n", path);
		if (w >= 0)
			printf("write %s\n", path);
		if (may_run && access(path, X_OK) == 0)
			printf("run %s\n", path);
		close(r);
		close(w);
	}
	static void try_socket(const char *path)
	{
		struct sockaddr_un sa = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || connect(packets, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			printf("connect %s\n", path);
		close(fd);
		close(packets);
	}
	int main(void)
	{
		char *path = NULL;
		size_t room = 0, seen = 0;
		if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			return 1;
		for (; getdelim(&path, &room, 0, stdin) > 0; seen++) {
			char type = *path; /* of find's %y: d, f, s, p, c, b */
			if (type == 'd')
				try_directory(path + 2);
			else if (type == 's')
				try_socket(path + 2);
			else if (type != 'l')
				try_file(path + 2, type == 'f');
		}
		fprintf(stderr, "%zu\n", seen);
		return 0;
	}
C
printf '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("euid %%d\\n", geteuid()); return 0; }\n' >"$T/su.c"
gcc -w -static -o "$T/walk" "$T/walk.c" && gcc -w -static -o "$T/su" "$T/su.c" || exit 1
# By a shell: setpriv itself still has root's capabilities when it looks for a program.
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "$1"; }

# An image with a setuid program; a Secret as the kubelet lays it out: its own parent is closed.
jq --arg su "$T/su" '[.[0] | .repo = "suid" | .layers += [{entries: [{path: "suid", type: "dir"}, {path: "suid/su", from: $su, mode: 2541}]}]]' \
	"$ROOT/tests/images/busybox.json" | "$IMAGE" --registry "$REGISTRY" - >/dev/null
mkdir -m 700 "$T/kubelet" && mkdir -m 755 "$T/kubelet/secret" && echo secret >"$T/kubelet/secret/token"
chmod 644 "$T/kubelet/secret/token"

MAPS='[{"host_id":200000,"container_id":0,"length":65536}]'
USERNS='"userns_options":{"mode":0,"uids":'$MAPS',"gids":'$MAPS'}'
VOLUMES='"mounts":[{"container_path":"/secret","host_path":"'"$T"'/kubelet/secret"},{"container_path":"/image","image":{"image":"'"$REGISTRY"'/suid:latest"}}]'
SHIFTED='"mounts":[{"container_path":"/secret","host_path":"'"$T"'/kubelet/secret","uidMappings":'$MAPS',"gidMappings":'$MAPS'},
	{"container_path":"/image","image":{"image":"'"$REGISTRY"'/suid:latest"}}]'
# pod NAME HANDLER NAMESPACES CONTAINER-EXTRA [POD-SECURITY]: one pod with one container that runs and has written.
pod() {
	local p c
	pod_json "$1" >/dev/null
	jq --argjson l "{\"security_context\":{\"namespace_options\":{$3}${5-}}}" '.linux = $l' "$T/$1.pod.json" >"$T/x.json" && mv "$T/x.json" "$T/$1.pod.json"
	p=$($CRICTL runp --runtime "$2" "$T/$1.pod.json") || { fail "$1: runp"; return; }
	c=$($CRICTL create "$p" "$(ctr_json "$1" 'cp /image/suid/su /mine 2>/dev/null; chmod 4755 /mine; echo x >/dev/shm/x; echo up; exec sleep 1000' \
		"\"linux\":{\"security_context\":{\"namespace_options\":{$3}${5-}}},$4")" "$T/$1.pod.json") || { fail "$1: create"; return; }
	ok "$1: it runs" $CRICTL start "$c"
	ok "$1: it has written" until_ok 10 grep -q up "$T/logs/$1.log"
	eval "pod_$1=$p ctr_$1=$c"
}
$CRICTL pull "$REGISTRY/suid:latest" >/dev/null
users=$(until_ok 10 sh -c "$CRICTL info | jq -e '[.runtimeHandlers[] | select(.name == \"runc\" or .name == \"crun\") | .features.user_namespaces] | all'" && echo yes)
pod plain runc '"pid":1' "$VOLUMES"
pod host crun '"pid":1,"network":2,"ipc":2' "$VOLUMES"
pod shared runc '"pid":0' "$VOLUMES"
pod privileged crun '"pid":1' "$VOLUMES" ',"privileged":true'
pod terminal runc '"pid":1' "$VOLUMES,\"tty\":true"
if [ "$users" = yes ]; then
	for h in runc crun; do
		pod "user$h" $h "\"pid\":0,$USERNS" "$SHIFTED"
		is "user$h: its volume is its own" "$(eval "$CRICTL exec -s \$ctr_user$h cat /secret/token")" secret
		ok "user$h: hosts can be written" sh -c "$CRICTL exec -s $(eval "echo \$ctr_user$h") sh -c 'echo \"10.1.1.1 x\" >>/etc/hosts' && $CRICTL exec -s $(eval "echo \$ctr_user$h") busybox grep -q 10.1.1.1 /etc/hosts"
	done
else
	skip 'pods with a user namespace' 'no runtime here has them'
fi

# What is open on purpose: the names below netns_dir, which `ip netns` and CNI plugins share; a pinned namespace has nothing to read.
meant() { grep -vE "^(list|read|run) $T/netns(/crisp-[0-9a-f]+)?$"; }
walk() { find "$T/root" "$T/state" "$T/netns" -printf '%y %p\0' 2>/dev/null | "$T/walk" 2>"$T/walked" | meant >"$T/found"; head -40 "$T/found"; }
is 'nobody lists, makes, reads, writes, runs, reaches nothing' "$(walk)" ''
ok 'of the many things that there are' test "$(cat "$T/walked")" -gt 500
ok 'the walk sees what is open' sh -c "mkdir -m 755 $T/open && echo x >$T/open/file && printf 'd %s\0f %s\0' $T/open $T/open/file | $T/walk 2>/dev/null | grep -q '^read $T/open/file'"

su=$(find "$T/root/layers" -path '*/suid/su' | head -1)
ok 'the setuid program of a layer is there' test -u "$su"
is 'nobody does not run it' "$(as_nobody "$su" 2>/dev/null)" ''
is 'nor what a container made setuid' "$(as_nobody "$T/root/snapshots/$ctr_plain/fs/mine" 2>/dev/null)" ''
for v in "$T"/state/containers/*/volumes/*; do
	notok "nobody does not read ${v#"$T"/state/containers/}" as_nobody "cat $v/token || cat $v/suid/su"
done
for s in "$T"/state/sandboxes/*/shm; do notok "nobody plants nothing in ${s#"$T"/state/sandboxes/}" as_nobody "echo planted >$s/planted"; done
is 'root is closed' "$(stat -c %a "$T/root" "$T/root/layers" "$T/root/snapshots" | sort -u)" 700

# An earlier crispd made them open: the next one closes them, and all goes on.
chmod 711 "$T"/state/containers/* "$T"/state/sandboxes/* "$T/root"
kill_crispd
is 'what an earlier version left open is closed' "$(walk)" ''
[ "$users" != yes ] || is 'pods with a user namespace go on' "$($CRICTL exec -s "$ctr_userrunc" cat /secret/token)$($CRICTL exec -s "$ctr_usercrun" cat /secret/token)" secretsecret
crisp_clean
