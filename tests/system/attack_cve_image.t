# attack_cve_image.t - images and pods that try to lead a runtime out of the container: links in the place of what it mounts,
# working directories, descriptors, image volumes. Each attack with each runtime handler. docs/security.md has the table of CVEs.

. "$(dirname "$0")/../lib/crisp.sh"
. "$ROOT/tests/lib/rpc.sh"

LEVEL=info
crisp_up
mkdir "$T/outside" "$T/vol" "$T/dev"
for f in victim ptmx hosts; do echo good >"$T/outside/$f"; done
outside() { find "$T/outside" -printf '%P %y %s %m %U:%G %l\n' | sort; cat "$T/outside/victim" "$T/outside/hosts"; }
before=$(outside)
null() { stat -c '%F %t:%T %u:%g %a' /dev/null; }
null_before=$(null)
binaries() { cat "$(command -v runc)" "$(command -v crun)" | cksum; }
binaries_before=$(binaries)
untouched() { is "$1: nothing outside of the container has changed" "$(outside)" "$before"; }

# The images, each busybox with one layer more, in one run: image NAME CONFIG ENTRY...
images='[]'
image() {
	local name=$1 config=$2; shift 2
	images=$(jq --arg n "$name" --argjson c "{$config}" --argjson e "[$(IFS=,; echo "$*")]" --slurpfile b "$ROOT/tests/images/busybox.json" \
		'. + [$b[0][0] | .repo = $n | .config += $c | .layers += [{entries: $e}]]' <<<"$images")
}
link() { echo "{\"path\":\"$1\",\"type\":\"symlink\",\"target\":\"$2\"}"; }
dir() { echo "{\"path\":\"$1\",\"type\":\"dir\"}"; }
gone() { echo "{\"path\":\".wh.$1\"}"; }
up=../../../../../../../../..
image dev '' "$(gone dev)" "$(link dev "$T/outside")"
image devup '' "$(gone dev)" "$(link dev "$up$T/outside")"
image proc '' "$(gone proc)" "$(link proc /fake)" "$(dir fake)" "$(dir fake/self)" "$(dir fake/self/attr)"
image sys '' "$(gone sys)" "$(link sys "$T/outside")"
image links '' "$(link etc/hosts "$T/outside/hosts")" "$(link etc/hostname "$T/outside/new")" "$(link etc/resolv.conf "$up$T/outside/victim")" \
	"$(link etc/mtab "$T/outside/mtab")" "$(link mnt "$T/outside")" "$(link climb "$up$T/outside")" "$(link volume "$T")" "$(link magic /proc/self/cwd)"
image etc '' "$(gone etc)" "$(link etc "$T/outside")"
image volumes '"Volumes":{"/../../../../../../..'"$T"'/outside":{},"/etc":{},"":{}}' "$(dir x)"
image self '"Entrypoint":["/proc/self/exe"],"Cmd":[]' "{\"path\":\"bin/script\",\"mode\":493,\"data\":\"#!/proc/self/exe\\n\"}"
for fd in 7 8 9; do image "cwd$fd" '"WorkingDir":"/proc/self/fd/'$fd'"' "$(dir x)"; done
image fifo '' "$(gone etc)" "$(dir etc)" '{"path":"etc/passwd","type":"fifo"}'
image huge '' "$(gone etc)" "$(dir etc)" '{"path":"etc/passwd","size":3000000}'
image linked '' "$(gone etc)" "$(dir etc)" "$(link etc/passwd "$T/outside/passwd")"
image device '' '{"path":"mem","type":"char","major":1,"minor":1,"mode":438}'
echo 'outsider:x:4242:4242::/:/bin/sh' >"$T/outside/passwd"
before=$(outside)
echo "$images" | "$IMAGE" --registry "$REGISTRY" - >/dev/null || { echo 'Bail out! no images'; exit 1; }
for i in $(jq -r '.[].repo' <<<"$images"); do $CRICTL pull "$REGISTRY/$i" >/dev/null || fail "pull $i"; done
of() { echo "\"image\":{\"image\":\"$REGISTRY/$1:latest\"}"; }

# run NAME SCRIPT [EXTRA]: a container in $pod, run to its end. $said is what it logged, or the error of create or start.
n=0
run() {
	local name=$h-$1-$((n += 1)) ctr
	said=$({ ctr=$($CRICTL create "$pod" "$(ctr_json "$name" "$2" "${3-}")" "$T/p-$h.pod.json" 2>&1 | grep -v cgroup_parent) && [[ $ctr =~ ^[0-9a-f]{64}$ ]] || { echo "$ctr"; exit; }
		$CRICTL start "$ctr" >/dev/null && { until_ok 10 exited "$ctr"; log_text "$name"; }; } 2>&1)
	ctr=$($CRICTL ps -aq --name "^$name\$"); [ -z "$ctr" ] || $CRICTL rm -f "$ctr" >/dev/null 2>&1
}
refused() { like "$h: $1 is refused" "$said" "$2"; untouched "$h: $1"; }

handler() {
	h=$1
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h")" 2>/dev/null)

	# What a runtime mounts upon.
	for i in dev devup; do run "$i" 'echo up' "$(of "$i")"; refused "$i: an image whose /dev is a link" "InvalidArgument.*the image's /dev is not a directory"; done
	run proc 'echo up' "$(of proc)"; refused 'an image whose /proc is a link' "InvalidArgument.*the image's /proc is not a directory"
	run sys 'echo up' "$(of sys)"; refused 'an image whose /sys is a link' "InvalidArgument.*the image's /sys is not a directory"
	run links 'echo x >>/etc/hosts; grep -c . /etc/hosts; echo up' "$(of links)"
	like "$h: links at /etc/hosts, hostname, resolv.conf and mtab lead nowhere" "$said" '^up$'
	untouched "$h: links in /etc"
	run etc 'echo up' "$(of etc)"; untouched "$h: an image whose /etc is a link"
	run mounts 'echo mine >/mnt/a/f; echo up' "$(of links),\"mounts\":[{\"container_path\":\"/mnt/a\",\"host_path\":\"$T/vol\"}]"; untouched "$h: a mount below a link"
	run climb 'echo up' "$(of links),\"mounts\":[{\"container_path\":\"/climb/b/c\",\"host_path\":\"$T/vol\"}]"; untouched "$h: a mount below a link that climbs"
	run victim 'echo up' "$(of links),\"mounts\":[{\"container_path\":\"/x/../climb/victim\",\"host_path\":\"$T/vol\"}]"; untouched "$h: a mount upon a file behind a link"
	run volumes 'ls /; echo up' "$(of volumes)"
	like "$h: an image's Volumes mount nothing" "$said" '^up$'
	unlike "$h: and show nothing" "$said" '^outside'
	untouched "$h: an image's Volumes"
	is "$h: the container sees no path of the host" "$(grep -c "$T/vol" <<<"$said")" 0

	# An image as a volume.
	for sub in mnt climb volume volume/outside magic; do
		run "sub" 'ls -a /image/; echo up' "\"mounts\":[{\"container_path\":\"/image\",\"image\":{\"image\":\"$REGISTRY/links:latest\"},\"image_sub_path\":\"$sub\"}]"
		unlike "$h: image_sub_path $sub does not lead out" "$said" 'victim|config.yaml'
	done

	# Working directories and descriptors.
	for fd in 7 8 9; do
		run "cwd" "pwd; cat $up$T/outside/victim; cat outside/victim; echo up" "$(of "cwd$fd")"
		unlike "$h: the working directory /proc/self/fd/$fd of an image leads nowhere" "$said" '^good'
	done
	for fd in 3 4 5 6 10 11; do
		run "cwd" "cat $up$T/outside/victim; cat config.json; echo up" "\"working_dir\":\"/proc/self/fd/$fd\""
		unlike "$h: working_dir /proc/self/fd/$fd leads nowhere" "$said" '^good|ociVersion'
	done
	run fds 'ls -l /proc/self/fd; ls -l /proc/1/fd'
	is "$h: a container has its stdio and nothing else" "$(grep -E ' -> ' <<<"$said" | grep -vE ' [012] -> (pipe|/dev/null|/)| [0-9]+ -> /proc/[0-9]+/fd$' | grep -v 'fifo')" ''
	for i in fifo huge; do
		run "$i" 'id -u; echo up' "$(of "$i"),\"linux\":{\"security_context\":{\"run_as_username\":\"outsider\"}}"
		like "$h: /etc/passwd as $i is refused by name" "$said" "InvalidArgument.*/etc/passwd"
	done
	run linked 'id -u' "$(of linked),\"linux\":{\"security_context\":{\"run_as_username\":\"outsider\"}}"
	like "$h: /etc/passwd as a link to the host has no users" "$said" 'InvalidArgument.*no such user'
	run device 'head -c 1 /mem | wc -c; ls -l /mem' "$(of device)"
	like "$h: a device node of a layer cannot be opened" "$said" 'not permitted'

	# The runtime's own program.
	run self 'true' "$(of self),\"command\":[],\"args\":[]"
	run script 'true' "$(of self),\"command\":[\"/bin/script\"]"
	is "$h: the runtimes are as they were" "$(binaries)" "$binaries_before"
	is "$h: /dev/null of the host is as it was" "$(null)" "$null_before"
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
}
handler runc
handler crun
handler native
for i in $($CRICTL images -q); do $CRICTL rmi "$i" >/dev/null 2>&1; done
crisp_clean
