#!/usr/bin/env python3
"""main.py - pods come and go while everything is killed at random and single system calls fail.

usage: tests/soak/run BUILD [--minutes N] [--seed S] [--workers W] [--lives N] [--handlers runc,crun,native,shim] [--network auto|cni|native] [--logs] [--load N]

Workers make pods, run containers that print known lines and end with known codes, probe them by exec, rotate their logs, pull and
remove images. Meanwhile crispd, the keeper, both, the front, CNI plugins, OCI runtimes, crisp-net, crisp-zygote, crisp-unpack, crisp-tree and the registry
are killed at random moments, the disk is full or crispd has no fd left for a moment, the first network changes between one for plugins and
one for crisp-net, and single calls at fault points of all programs fail with ENOSPC, EMFILE, ENFILE, ENOMEM, EIO or EINTR. A call of a
client may fail by that; but a container that was started ends with its own code and has exactly its lines, and when all pods are removed
nothing is left. Seldom crisp-anchor is killed and the service is restarted: a container that lived before may then end as 255 Unknown,
which is what crisp-keeper(8) promises.

--lives N  no kills: N pods come and go, and then the daemons have as many fds, and the machine as many mounts, namespaces, groups,
           links, leases, rules and files as before; the memory of the daemons does not grow.
--logs     no pods that come and go: logs.py
--load N   N processes beside it that want a CPU all the time
When a log or an exit code is wrong, the container's log, the log of the daemons and all that was done to them, with its time, are kept
in BUILD/soak-SEED.
The seed of the random numbers is printed; the same seed makes the same choices, though not at the same instants.
"""
import argparse, collections, glob, os, random, re, subprocess, sys, threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from cri import CriError
from node import Broken, Node, Steady, read, wait_for
import logs
from deeds import (CLEAN, Registry, Soak, arm_error, change_network, effect_points, full_disk, kill_anchor, kill_front, kill_one, no_fds,
                   occupants)

# ---- one life


def life(soak, rng, name):
    node, begun, handler = soak.node, time.monotonic(), rng.choice(soak.handlers)
    pod, config = node.run_pod(name, handler, network=rng.random() < 0.4,
                               security={"pid": rng.choice(("CONTAINER", "CONTAINER", "POD"))})
    code, lines, waits = rng.randrange(1, 100), rng.choice((1, 20, 3000)), rng.random() < 0.5
    script = "i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done; " % lines
    script += "until [ -e /tmp/go ]; do sleep 0.05; done; exit %d" % code if waits else "exit %d" % code
    c = node.create(pod, config, name, script, linux={"security_context": {"namespace_options": config["linux"]["security_context"]["namespace_options"]}})
    node.start_container(c)
    status = node.status(c)
    if status["reason"] == "StartError":
        soak.add("starts that failed")
        return pod
    soak.add("starts")
    if waits:
        for _ in range(rng.randrange(1, 4)):
            try:
                answer = node.exec(c, "echo probe; exit 3")
                if answer[0] == 137:
                    soak.add("execs that were killed")  # the runtime's process inside of the container: it is the exec
                elif answer != (3, "probe\n", ""):
                    soak.wrong("%s: an exec answered %r" % (name, answer))
            except CriError as e:
                if e.code not in CLEAN:
                    raise
                soak.add("execs that failed")
        if rng.random() < 0.3:
            rotate(soak, c, name)
        try:
            node.touch(c, "/tmp/go")
        except OSError:
            pass  # it has ended: its exit code says whether it may have
    s = node.wait_exit(c, 60)
    if s["exit_code"] == 137 and not printed(node, name):
        soak.add("containers that were killed before their program ran")  # as for an exec
        return pod
    if s["exit_code"] == 255 and s["reason"] == "Unknown" and begun < soak.unprotected:
        soak.add("exit codes that went with the anchor")
        return pod
    if s["exit_code"] != code:
        soak.wrong("%s (%s): exit code %d %s %s instead of %d" % (name, handler, s["exit_code"], s["reason"], s["message"], code), name)
    want = ["line %d" % i for i in range(lines)]
    if not wait_for(10, lambda: printed(node, name) == want):
        if handler == "shim" and begun < soak.unprotected:  # the shim has kept the exit code, and nobody the output
            soak.add("lines that went with the anchor")
            return pod
        soak.wrong("%s (%s): %s" % (name, handler, difference(printed(node, name), want)), name)
    soak.add("lives")
    return pod


def rotate(soak, container, name):
    path = "%s/logs/%s.log" % (soak.node.dir, name)
    if os.path.exists(path + ".1"):
        return
    os.rename(path, path + ".1")
    try:
        soak.node.cri.until("ReopenContainerLog", {"container_id": container})
    except CriError as e:
        if e.code not in CLEAN:
            raise
        soak.add("rotations that failed")


def printed(node, name):
    both = [text for _, text in node.lines(name + ".log.1")] if os.path.exists("%s/logs/%s.log.1" % (node.dir, name)) else []
    return both + [text for _, text in node.lines(name + ".log")]


def difference(got, want):
    i = next((i for i in range(min(len(got), len(want))) if got[i] != want[i]), min(len(got), len(want)))
    return "%d lines instead of %d; the first that differs is %d: %r" % (len(got), len(want), i, got[i:i + 2])


def image(soak, rng, name):
    node, ref = soak.node, {"image": {"image": soak.node.registry + "/faults:latest"}}
    try:
        node.cri.until("RemoveImage", ref)
        node.cri.until("PullImage", ref)
        soak.add("pulls")
    except CriError as e:
        if e.code not in CLEAN:
            raise
        soak.add("pulls that failed")


def worker(soak, number):
    rng, turn = random.Random("%s-%d" % (soak.seed, number)), 0
    while not soak.over.is_set():
        turn += 1
        name = "w%d-%d" % (number, turn)
        try:
            if number == 0 and rng.random() < 0.3:
                image(soak, rng, name)
                continue
            life(soak, rng, name)
        except CriError as e:
            soak.add("calls that failed")
            if e.code not in CLEAN:
                soak.wrong("%s: %s" % (name, e))
        except Broken as e:
            soak.wrong("%s: %s" % (name, e))
        except Exception:
            soak.wrong("%s: %s" % (name, traceback.format_exc()))
        remove(soak, name)


def remove_logs(node, name):
    """As the kubelet, when the pod is gone: the disk would be full of them within an hour."""
    for path in glob.glob("%s/logs/%s.log*" % (node.dir, name)):
        os.unlink(path)


def remove(soak, name):
    """As the kubelet: again and again until it is gone."""
    end = time.monotonic() + 60
    while True:
        try:
            for pod in soak.node.cri.until("ListPodSandbox")["items"]:
                if pod["metadata"]["name"] == name:
                    soak.node.remove_pod(pod["id"])
            return remove_logs(soak.node, name)
        except CriError as e:
            if time.monotonic() > end:
                return soak.wrong("%s cannot be removed: %s" % (name, e))
            soak.add("removals that failed")
        time.sleep(0.1)


# ---- what is done to it


def trouble(soak, points):
    rng, node, registry = random.Random("%s-trouble" % soak.seed), soak.node, Registry()
    deeds = {
        "crispd": lambda: node.kill("crispd"),
        "keeper": lambda: node.kill("keeper"),
        "both": lambda: node.kill("keeper", "crispd"),
        "a plugin": lambda: kill_one(rng, r"/(usr/lib|opt)/cni/(bin/)?"),
        "a runtime": lambda: kill_one(rng, r"\S*/(runc|crun) "),
        "crisp-net": lambda: kill_one(rng, r"\S*/crisp-net"),
        "crisp-zygote": lambda: kill_one(rng, r"/proc/self/fd/4 "),  # or a process that it has made and that runs no program yet
        "the front": lambda: kill_front(node),
        "the anchor": lambda: kill_anchor(soak),
        "another network": lambda: change_network(node),
        "a worker": lambda: kill_one(rng, r"\S*/crisp-(unpack|tree)"),
        "the registry": registry.kill,
        "the disk is full": lambda: full_disk(node.dir, rng),
        "no fds": lambda: no_fds(node, rng),
        "an error": lambda: arm_error(soak, rng, *rng.choice(points)),
    }
    weights = {"crispd": 4, "keeper": 2, "both": 1, "a plugin": 3, "a runtime": 3, "crisp-net": 2, "crisp-zygote": 2, "the front": 0.5,
               "the anchor": 0.3, "another network": 2, "a worker": 1, "the registry": 0.5,
               "the disk is full": 1, "no fds": 2, "an error": 10}
    while not soak.over.wait(rng.uniform(0.1, 1.0)):
        deed = rng.choices(list(deeds), [weights[d] for d in deeds])[0]
        soak.did(deed)
        try:
            if deeds[deed]() is not False:
                soak.add(deed)
        except OSError as e:
            print("# %s: %s" % (deed, e))
        except (CriError, Broken) as e:
            soak.wrong("%s: %s" % (deed, e))
    registry.stop()
    node.disarm()


# ---- what must not grow


def rules():
    out = subprocess.run(["iptables-save"], capture_output=True, text=True).stdout
    return sum("CNI-" in line for line in out.splitlines())


def elements():
    """Of pods, in the table of the native network."""
    out = subprocess.run(["nft", "list", "table", "inet", "crisp"], capture_output=True, text=True).stdout
    return len(re.findall(r'comment "[0-9a-f]{64}"', out))


def helpers():
    """The processes crisp-net of this run: one works, one waits."""
    return [int(p.split("/")[2]) for p in glob.glob("/proc/[0-9]*/comm") if read(p).strip() == "crisp-net"]


def memory(pid):
    """KiB that the process alone has: what a leak makes larger."""
    return sum(int(n) for n in re.findall(r"^Private_Dirty:\s+(\d+)", read("/proc/%d/smaps_rollup" % pid), re.M))


def census(node):
    found = collections.OrderedDict()
    for program in ("crispd", "keeper"):
        pid = node.pid_of(program)
        found[program + " fds"] = len(os.listdir("/proc/%d/fd" % pid))
        found[program + " KiB"] = memory(pid)
    found["crisp-net fds"] = sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in helpers())
    found["crisp-net KiB"] = sum(memory(pid) for pid in helpers())
    found["mounts"] = sum(1 for _ in open("/proc/self/mountinfo"))
    found["namespaces"] = len({os.readlink(p) for p in glob.glob("/proc/[0-9]*/ns/net")}) + len(glob.glob(node.dir + "/netns/*"))
    found["groups"] = sum(1 for top in glob.glob("/sys/fs/cgroup/*/") for _ in os.walk(top.rstrip("/") + node.cgroup))
    found["links"] = len(os.listdir("/sys/class/net"))
    found["leases"] = len([p for p in glob.glob(node.dir + "/ipam/*/*") if re.fullmatch(r"[\d.]+", os.path.basename(p))])
    found["rules"] = rules() + elements()
    found["results"] = sum(node.dir + "/" in read(p) for p in glob.glob("/var/lib/cni/results/*"))
    found["files"] = sum(len(f) + len(d) for top in ("root", "state") for _, d, f in os.walk("%s/%s" % (node.dir, top)))
    return found


def lives(soak, total, workers):
    """Without kills: the numbers before, in the middle, and at the end."""
    node, done, seen = soak.node, 0, []
    for part in range(4):
        goal, lock = total // 4, threading.Lock()

        def work(number, part=part):
            nonlocal done
            rng = random.Random("%s-%d-%d" % (soak.seed, part, number))
            while True:
                with lock:
                    if done >= goal * (part + 1):
                        return
                    done += 1
                    name = "l%d" % done
                try:
                    node.remove_pod(life(soak, rng, name))
                except (CriError, Broken) as e:
                    soak.wrong("%s: %s" % (name, e))
                    remove(soak, name)
                remove_logs(node, name)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(workers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wait_for(8, lambda: not node.leftovers())
        time.sleep(1)  # what the daemons free by timers
        seen.append(census(node))
        print("# after %5d lives: %s" % (done, ", ".join("%s %d" % kv for kv in seen[-1].items())), flush=True)
    first, last = seen[0], seen[-1]
    for what in first:
        limit = first[what] + 512 if what.endswith("KiB") else first[what]
        if last[what] > limit:
            soak.wrong("%s grew from %d to %d in %d lives" % (what, first[what], last[what], total * 3 // 4))


def churn(soak, minutes, workers):
    node = soak.node
    steady = Steady(node)
    threads = [threading.Thread(target=worker, args=(soak, i)) for i in range(workers)]
    threads.append(threading.Thread(target=trouble, args=(soak, effect_points())))
    for t in threads:
        t.start()
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        time.sleep(1)
    soak.over.set()
    for t in threads:
        t.join()
    node.disarm()
    node.restart()
    try:
        print("# %d lines of the steady container, none lost, doubled or torn" % steady.end())
    except (Broken, CriError) as e:
        soak.wrong("the steady container: %s" % e, "steady")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=1)
    p.add_argument("--seed", default="")
    p.add_argument("--workers", type=int, default=4)
    p.add_argument("--handlers", default="runc,crun,native")
    p.add_argument("--network", default="auto")
    p.add_argument("--lives", type=int, default=0)
    p.add_argument("--logs", action="store_true")
    p.add_argument("--load", type=int, default=0)
    o = p.parse_args()
    seed = o.seed or str(random.SystemRandom().randrange(10 ** 9))
    print("# seed %s: repeat with --seed %s" % (seed, seed), flush=True)
    disk = os.path.join(os.environ["WORK"], "node1")  # small, so that it can be filled
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=711", "tmpfs", disk], check=True)
    node = Node(os.environ["BUILD"], ROOT, os.environ["WORK"], os.environ["REGISTRY"], 1, "info", o.network, "native" in o.handlers,
                shim="shim" in o.handlers)
    os.unlink(node.faults + "/hits")
    node.start()
    node.cri.until("PullImage", {"image": {"image": node.registry + "/busybox:latest"}})
    soak = Soak(node, seed, o.handlers.split(","))
    load = [subprocess.Popen(["nice", "sh", "-c", "while :; do :; done"]) for _ in range(o.load)]
    if o.lives:
        lives(soak, o.lives, o.workers)
    elif o.logs:
        logs.churn(soak, o.minutes, o.workers)
    else:
        churn(soak, o.minutes, o.workers)
    for p in load:
        p.kill()
        p.wait()
    try:
        node.clear()
    except CriError as e:
        soak.wrong("%s; %s" % (e, "; ".join(occupants(node))))
    left = wait_for(20, lambda: not node.leftovers()) or node.leftovers()
    if left is not True:
        soak.wrong("left: " + "; ".join(left[:20]))
    # A bridge plugin that is killed in its DEL leaves the chain of its pod, the jump to it and its two rules: the DEL that follows
    # finds no device, and looks for no rules then. Not so one whose keeper is killed: it goes on.
    left, most = rules(), 4 * soak.count["a plugin"]
    if left > most:
        soak.wrong("left: %d rules of iptables, and %d plugins were killed" % (left, soak.count["a plugin"]))
    elif left:
        print("# %d rules of iptables were left by the plugins that were killed" % left)
    if elements():
        soak.wrong("left: %d elements of nftables" % elements())
    node.stop()
    print("# " + ", ".join("%s %d" % kv for kv in sorted(soak.count.items())))
    print("soak: seed %s, %d lives, %d wrong" % (seed, soak.count["lives"], len(soak.bad)))
    for words in soak.bad:
        print("WRONG %s" % words)
    return 1 if soak.bad else 0


if __name__ == "__main__":
    sys.exit(main())
