# attack_memory.t - what an attacker finds in the programs and the processes of crisp: how they are linked, whether their memory can be had.

. "$(dirname "$0")/../lib/crisp.sh"

LEVEL=info

# ---- the files ----

san=$(nm "$BUILD/crispd" | grep -c '__asan_init') # a build with sanitizers has none of it, on purpose
for p in crisp crisp-keeper crispd crisp-unpack crisp-seccomp; do
	if [ "$san" != 0 ]; then
		is "$p: a build with sanitizers has no hardening of the build" "$(readelf -dW "$BUILD/$p" | grep -c BIND_NOW)" 0
		continue
	fi
	like "$p: position independent" "$(readelf -hW "$BUILD/$p")" 'Type: +DYN'
	like "$p: RELRO" "$(readelf -lW "$BUILD/$p")" GNU_RELRO
	like "$p: all of it, bound at the start" "$(readelf -dW "$BUILD/$p")" 'BIND_NOW'
	like "$p: no stack that is executed" "$(readelf -lW "$BUILD/$p" | grep GNU_STACK)" ' RW '
	like "$p: fortified" "$(readelf --dyn-syms -W "$BUILD/$p")" '_chk@'
	like "$p: stack protector" "$(readelf --dyn-syms -W "$BUILD/$p")" '__stack_chk_fail'
	case $(uname -m) in
	x86_64) ok "$p: functions are marked for indirect calls" test "$(objdump -d "$BUILD/$p" | grep -c endbr64)" -gt 20 ;;
	aarch64) ok "$p: return addresses are signed" test "$(objdump -d "$BUILD/$p" | grep -cE 'paciasp|hint.*#0x19')" -gt 20 ;;
	esac
done

# ---- the processes ----

ulimit -S -c 4096 # what children are to have
crisp_up
until_ok 5 sh -c "$CRICTL info >/dev/null"
pod=$($CRICTL runp "$(pod_json shared '"linux":{"security_context":{"namespace_options":{"pid":0}}}')")
ctr=$($CRICTL create "$pod" "$(ctr_json c 'echo core $(ulimit -S -c) $(ulimit -H -c); exec sleep 1000')" "$T/shared.pod.json")
$CRICTL start "$ctr" >/dev/null
core() { awk '/Max core/ { print $5, $6 }' "/proc/$1/limits"; }
status() { awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status"; }
hard=$(ulimit -H -c)
for d in "$KEEPER" $(cat "$T"/state/{anchor,keeper}.lock) "$(crispd_pid)"; do
	is "$(cat "/proc/$d/comm"): no core file" "$(core "$d" | cut -d' ' -f1)" 0
done
ok 'a container has the limit of the service' until_ok 5 grep -q "core .* $hard" "$T/logs/c.log"
child=$(pgrep -f 'sleep 1000' | head -1)
is 'also the soft one' "$(core "$child" | cut -d' ' -f1)" $((4096 * 1024))

# pid 1 of the pod.
pause=$(pgrep -x crisp-pause | head -1)
is 'the pause can never have a capability again' "$(status "$pause" CapBnd)$(status "$pause" CapPrm)" 00000000000000000000000000000000
is 'nor new rights' "$(status "$pause" NoNewPrivs)" 1
is 'it has a seccomp filter' "$(status "$pause" Seccomp)" 2
is 'one of its own' "$(status "$pause" Seccomp_filters)" "$(($(status "$KEEPER" Seccomp_filters) + 1))"
# It goes on reaping, and being told to end.
$CRICTL exec -s "$ctr" sh -c '(sleep 0.05 & exec true) & wait' >/dev/null
ok 'it reaps what is left to it' until_ok 5 sh -c "! ps -o stat= --ppid $pause | grep -q Z"
is 'and lives' "$(status "$pause" State)" S
kill -STOP "$pause"; kill -CONT "$pause"
ok 'also after it was stopped' until_ok 5 sh -c "grep -q '^State:.S' /proc/$pause/status"

# The same rights as the daemon, less CAP_SYS_PTRACE for both: then only a process that is dumpable shows its fds.
no_ptrace=(setpriv --bounding-set -sys_ptrace --inh-caps -all)
mkdir "$T/other" && sed "s|$T/|$T/other/|; s|$CGROUP|$CGROUP-other|" "$T/config.yaml" >"$T/other/config.yaml"
"${no_ptrace[@]}" "$BUILD/crisp-keeper" --config "$T/other/config.yaml" >>"$T/crisp.log" 2>&1 &
other=$!
other_crispd() { pgrep -f "^[^ ]*crispd --config $T/other/config.yaml" | head -1; }
ok 'a second crisp' until_ok 10 test -S "$T/other/state/keeper.sock"
ok 'its crispd' until_ok 10 test -S "$T/other/state/crisp.sock"
"${no_ptrace[@]}" sleep 1000 & sleeper=$!
ok 'a process with the same rights is open' until_ok 5 "${no_ptrace[@]}" ls "/proc/$sleeper/fd/1"
ok 'and its memory too' "${no_ptrace[@]}" sh -c ": </proc/$sleeper/mem"
for d in "$other" $(cat "$T"/other/state/{anchor,keeper}.lock) "$(other_crispd)"; do
	notok "$(cat "/proc/$d/comm") is closed to it" "${no_ptrace[@]}" ls "/proc/$d/fd/1"
	notok 'and so is its memory' "${no_ptrace[@]}" sh -c ": </proc/$d/mem"
done
kill $sleeper "$other"; wait $sleeper "$other" 2>/dev/null
rm -rf "$T/other"

# A fault, with the limit raised from outside. crispd runs in "/": there is where a core_pattern that is a name puts the file.
touch "$T/now"
old=$(crispd_pid)
prlimit --pid "$old" --core=unlimited
kill -SEGV "$old"; until_ok 10 back_after "$old"
cores=$(find / -maxdepth 1 -name 'core*' -newer "$T/now")
is 'a daemon that dies of a fault dumps no core' "$cores" ''
[ -z "$cores" ] || rm -f $cores
ok 'the next one is as closed' test "$(core "$(crispd_pid)" | cut -d' ' -f1)" = 0
crisp_clean
