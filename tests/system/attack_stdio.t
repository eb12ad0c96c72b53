# attack_stdio.t - a container attacks the daemon by its stdout and stderr.

. "$(dirname "$0")/../lib/crisp.sh"

LEVEL=info
crisp_up
pod=$($CRICTL runp "$(pod_json p)")
daemon=$(crispd_pid)
confined='"linux":{"security_context":{"run_as_user":{"value":1234},"run_as_group":{"value":1234},"no_new_privs":true,
	"capabilities":{"drop_capabilities":["ALL"]},"seccomp":{"profile_type":0}}}'
log_bytes() { stat -c %s "$T/logs/$1.log" 2>/dev/null || echo 0; }
log_over() { [ "$(log_bytes "$1")" -gt "$2" ]; }
malformed() { head -c 20000000 "$T/logs/$1.log" | sed '$d' | grep -avcE '^[0-9T:.-]+Z (stdout|stderr) [FP] [abc]*$'; }

# An exec without input has nothing of the node's: what it did to the mode or owner of the node's /dev/null would stay. crun makes the
# user of the exec the owner of its stdio.
null() { stat -c '%u:%g %a' /dev/null; }
was=$(null)
for h in runc crun; do
	victim=$($CRICTL runp --runtime $h "$(pod_json null-$h)" 2>/dev/null)
	user=$($CRICTL create "$victim" "$(ctr_json null-$h 'exec sleep 1000' "$confined")" "$T/null-$h.pod.json" 2>/dev/null)
	$CRICTL start "$user" >/dev/null
	is "$h: an exec's input is at its end, and no device" "$($CRICTL exec -s "$user" sh -c 'cat; test -c /proc/self/fd/0 || echo none')" none
	like "$h: a streamed one's too" "$($CRICTL exec "$user" sh -c 'cat; test -c /proc/self/fd/0 || echo none')" '^none'
	for how in -s ''; do $CRICTL exec $how "$user" sh -c 'for i in 0 1 2; do busybox chmod 600 /proc/self/fd/$i; done' >/dev/null 2>&1; done
	is "$h: the node's /dev/null is as it was" "$(null)" "$was"
done

# A container holds its stdout for reading and writing. It reads it back while it writes.
reader=$($CRICTL create "$pod" "$(ctr_json reader 'for i in 1 2 3; do cat <&1 >/dev/null & done; exec yes abc' "$confined")" "$T/p.pod.json")
$CRICTL start "$reader" >/dev/null
ok 'a container that reads its own stdout is logged' until_ok 60 log_over reader 200000
is 'by the same daemon' "$(crispd_pid)" "$daemon"
is 'in lines that are well formed' "$(malformed reader)" 0
$CRICTL stop -t 0 "$reader" >/dev/null

# It opens the FIFO anew by /proc, makes it small and large, and asks for packets: one slot of the pipe for each byte.
cat >"$T/pipe.c" <<-'C'
	#define _GNU_SOURCE
	#include <fcntl.h>
	#include <stdio.h>
	#include <sys/stat.h>
	#include <unistd.h>
	int main(void)
	{
		char b[4096];
		int again;
		fchmod(1, 0777);
		fchown(1, 4242, 4242);
		again = open("/proc/self/fd/1", O_RDONLY | O_NONBLOCK);
		fcntl(1, F_SETFL, O_DIRECT);
		for (int i = 0; i < 6000; i++) {
			if (i % 1000 == 0)
				fcntl(1, F_SETPIPE_SZ, i % 2000 ? 4096 : 65536);
			if (write(1, i % 10 ? "a" : "\n", 1) < 0)
				return 1;
			if (i % 3 == 0)
				read(again, b, i % 100);
		}
		fprintf(stderr, "abc\n");
		return 7;
	}
C
mkdir "$T/bin" && gcc -w -static -o "$T/bin/pipe" "$T/pipe.c"
chmod 755 "$T/bin"
packets=$($CRICTL create "$pod" "$(ctr_json packets 'exec /bin/attack/pipe' '"mounts":[{"host_path":"'"$T"'/bin","container_path":"/bin/attack","readonly":true}]')" "$T/p.pod.json")
$CRICTL start "$packets" >/dev/null
ok 'a container that changes its pipe under the daemon ends' until_ok 60 exited "$packets"
is 'with its own code' "$(exit_of "$packets")" 7
is 'and is logged in lines that are well formed' "$(malformed packets)" 0
ok 'to the end' grep -q 'stderr F abc' "$T/logs/packets.log"
is 'by the same daemon' "$(crispd_pid)" "$daemon"

# The same container again over a kill -9: what waits in the FIFO and the stage is whatever its readers left.
reader=$($CRICTL create "$pod" "$(ctr_json again 'for i in 1 2 3; do cat <&1 >/dev/null & done; exec yes abc' "$confined")" "$T/p.pod.json")
$CRICTL start "$reader" >/dev/null

for i in 1 2 3; do
	ok "life $i: it is logged" until_ok 60 log_over again $((i * 50000))
	kill_crispd
done
ok 'no daemon died by itself' test "$(grep -c 'Assertion' "$T/crisp.log")" = 0
is 'in lines that are well formed' "$(malformed again)" 0
ok 'the pod can be removed' $CRICTL rmp -f "$pod"
crisp_clean
