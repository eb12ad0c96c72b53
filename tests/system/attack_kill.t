# attack_kill.t - a container that is hard to kill: many threads, many processes, no first thread, frozen.

. "$(dirname "$0")/../lib/crisp.sh"
. "$(dirname "$0")/../lib/rpc.sh"

LEVEL=info
crisp_up
N=${N:-4000}
mkdir "$T/bin"
cat >"$T/many.c" <<-'C'
	/* many threads N: a process and its child with N threads each. many forks N: N processes. many leaderless N: N processes whose
	 * first thread has ended. Says "ready" when all are there, and sleeps. */
	#include <pthread.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	static void *sleeper(void *arg) { for (;;) pause(); return arg; }
	static void threads(int n)
	{
		pthread_attr_t a;
		pthread_t t;
		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 16384);
		while (n-- > 0)
			if (pthread_create(&t, &a, sleeper, NULL))
				exit(3);
	}
	int main(int argc, char **argv)
	{
		int n = atoi(argv[2]), up[2];
		char c;
		pipe(up);
		if (strcmp(argv[1], "threads") == 0) {
			if (fork() == 0) {
				threads(n);
				write(up[1], "x", 1);
				sleeper(NULL);
			}
			threads(n);
			read(up[0], &c, 1);
		}
		for (int i = 0; i < n && strcmp(argv[1], "threads") != 0; i++) {
			pid_t p = fork();
			if (p < 0)
				exit(4);
			if (p)
				continue;
			if (strcmp(argv[1], "leaderless") == 0) {
				threads(1);
				write(up[1], "x", 1);
				pthread_exit(NULL);
			}
			sleeper(NULL);
		}
		for (int i = 0; i < n && strcmp(argv[1], "leaderless") == 0; i++)
			read(up[0], &c, 1);
		puts("ready");
		fflush(stdout);
		if (argc > 3)
			return 0;
		sleeper(NULL);
	}
C
gcc -w -static -pthread -o "$T/bin/many" "$T/many.c"
cat >"$T/floor.c" <<-'C'
	/* floor N: the kernel's share. A child with N threads gets SIGKILL; says for how many ms kill(2) held the caller. */
	#include <pthread.h>
	#include <signal.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <sys/wait.h>
	#include <time.h>
	#include <unistd.h>
	static void *sleeper(void *arg) { for (;;) pause(); return arg; }
	int main(int argc, char **argv)
	{
		struct timespec from, to;
		int up[2];
		char c;
		pipe(up);
		pid_t p = fork();
		if (p == 0) {
			pthread_attr_t a;
			pthread_t t;
			pthread_attr_init(&a);
			pthread_attr_setstacksize(&a, 16384);
			for (int i = 0; i < atoi(argv[1]); i++)
				if (pthread_create(&t, &a, sleeper, NULL))
					exit(3);
			write(up[1], "x", 1);
			sleeper(NULL);
		}
		close(up[1]);
		if (read(up[0], &c, 1) != 1)
			return 1;
		clock_gettime(CLOCK_MONOTONIC, &from);
		kill(p, SIGKILL);
		clock_gettime(CLOCK_MONOTONIC, &to);
		waitpid(p, NULL, 0);
		printf("%ld\n", (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
		return 0;
	}
C
gcc -w -pthread -o "$T/floor" "$T/floor.c"
# One kill(2) of N threads cannot be divided: the woken threads contend with the caller for the CPUs. The worst of some tries.
floor_ms=$(for _ in 1 2 3 4 5; do "$T/floor" "$N"; done | sort -n | tail -1)
echo "# one kill(2) of $N threads holds its caller for up to $floor_ms ms here"
chmod 755 "$T/bin"
BIN='"mounts":[{"host_path":"'$T'/bin","container_path":"/bin/attack","readonly":true}]'
SHARED='"linux":{"security_context":{"namespace_options":{"pid":0}}}'
pod=$($CRICTL runp "$(pod_json p "$SHARED")")
start() { # NAME SCRIPT: sets $ctr
	ctr=$($CRICTL create "$pod" "$(ctr_json "$1" "$2" "$BIN,$SHARED")" "$T/p.pod.json")
	$CRICTL start "$ctr" >/dev/null
}
says() { grep -q " $2\$" "$T/logs/$1.log" 2>/dev/null; }
# By threads: a process whose first thread has ended has no command line.
none_left() { ! ps -eLo comm= | grep -qx many; }
# The longest callback so far, in ms of CPU time, by the upper bounds of the histogram's buckets.
longest() {
	loop_metrics
	awk '/^crisp_loop_callback_cpu_seconds_bucket/ { split($1, p, "\""); le[++n] = p[2]; c[n] = $2 }
		END { for (i = 1; i <= n; i++) if (c[i] == c[n]) { print le[i] == "+Inf" ? 99999 : le[i] * 1000; exit } }' "$T/metrics.txt"
}
# version_max FILE: asks Version without a pause until FILE exists; writes the longest answer in ms to FILE.max.
version_max() {
	local max=0 ms
	printf '\0\0\0\0\0' >"$T/empty"
	while [ ! -e "$1" ]; do
		ms=$(curl -s --noproxy '*' --max-time $((20 * ${SLOW:-1})) --http2-prior-knowledge --unix-socket "$T/state/crisp.sock" -X POST \
			-o /dev/null -w '%{time_total}' \
			-H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$T/empty" "http://localhost$(rpc_path Version)" | awk '{ print int($1 * 1000) }')
		[ "$ms" -le "$max" ] || max=$ms
	done
	echo "$max" >"$1.max"
}
watched() { # NAME COMMAND...: runs COMMAND; $max is the longest answer of Version meanwhile
	rm -f "$T/over"
	version_max "$T/over" &
	local watcher=$!
	"${@:2}"
	touch "$T/over"
	wait $watcher
	max=$(cat "$T/over.max")
	ok "$1: Version answers at once (longest $max ms)" test "$max" -lt $(((100 + 2 * floor_ms) * ${SLOW:-1}))
}

# ExecSync runs into its timeout: two processes with N threads each are killed.
start exec 'sleep 1000'
execs() { rpc ExecSync "container_id: \"$ctr\" cmd: \"/bin/attack/many\" cmd: \"threads\" cmd: \"$N\" timeout: 2"; }
watched "an exec of 2 x $N threads that is killed" execs
is 'its timeout is told' "$code" DEADLINE_EXCEEDED
ok 'none of it is left' until_ok 20 none_left

# N processes are stopped.
start forks "exec /bin/attack/many forks $N"
ok "$N processes run" until_ok 30 says forks ready
stops() { $CRICTL stop -t 0 "$ctr" >/dev/null; }
watched "StopContainer of $N processes" stops
is 'the container is stopped' "$(state_of "$ctr")" CONTAINER_EXITED
ok 'none of them is left' until_ok 30 none_left
ok 'it can be removed' $CRICTL rm "$ctr"
words="no callback has taken over 66 ms of CPU time (at most $(longest))"
if [ -n "${SLOW-}" ]; then
	skip "$words" 'the CPU time of an emulated machine is that of its host'
else
	ok "$words" awk -v ms="$(longest)" 'BEGIN { exit ms > 66 }'
fi

# Processes whose first thread has ended, while others run: on v1 their /proc/PID/cgroup says "/".
start leaderless 'exec /bin/attack/many leaderless 100 end'
ok 'the first process of a container ends' until_ok 20 exited "$ctr"
echo "# $(ps -eLo comm= | grep -cx many) threads are left at that moment"
ok 'processes without a first thread die with it' until_ok 10 none_left
ok 'it can be removed' $CRICTL rm "$ctr"
start leaderless2 'exec /bin/attack/many leaderless 100'
ok 'a container of such processes runs' until_ok 20 says leaderless2 ready
ok 'it is stopped' $CRICTL stop -t 0 "$ctr"
ok 'they die with it' until_ok 10 none_left
ok 'it can be removed' $CRICTL rm "$ctr"

# A container that is frozen by its cgroup.
freeze() { # CONTAINER
	local path; path=$($CRICTL inspect "$1" | jq -r .info.cgroup)
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo 1 >"/sys/fs/cgroup$path/cgroup.freeze"
	else
		echo FROZEN >"/sys/fs/cgroup/freezer$path/freezer.state"
	fi
}
start frozen 'sleep 1000 & sleep 1000'
freeze "$ctr"
ok 'a frozen container can be stopped' $CRICTL stop -t 1 "$ctr"
like 'by a signal: SIGTERM came while it was frozen' "$(exit_of "$ctr")" '^(137|143)$'
ok 'and removed' $CRICTL rm "$ctr"
start frozen2 'sleep 1000'
freeze "$ctr"
ok 'a pod with a frozen container can be stopped and removed' $CRICTL rmp -f "$pod"

# The group of the whole pod is frozen, with its pause.
pod=$($CRICTL runp "$(pod_json cold '"linux":{"security_context":{"namespace_options":{"pid":0}}}')")
ctr=$($CRICTL create "$pod" "$(ctr_json cold 'sleep 1000' '"linux":{"security_context":{"namespace_options":{"pid":0}}}')" "$T/cold.pod.json")
$CRICTL start "$ctr" >/dev/null
freeze_path() { if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo 1 >"/sys/fs/cgroup$1/cgroup.freeze"; else echo FROZEN >"/sys/fs/cgroup/freezer$1/freezer.state"; fi; }
path=$($CRICTL inspect "$ctr" | jq -r .info.cgroup)
freeze_path "$(dirname "$path")"
ok 'a container in a frozen pod can be stopped' $CRICTL stop -t 0 "$ctr"
freeze_path "$(dirname "$path")"
ok 'a frozen pod can be removed, with its pause' $CRICTL rmp -f "$pod"
crisp_clean
