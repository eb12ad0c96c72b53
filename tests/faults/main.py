#!/usr/bin/env python3
"""main.py - kills crispd, the keeper, both, or another program of crisp at each fault point while a story runs, or lets the call fail.

usage: tests/faults/run BUILD [--select] [--nodes N] [--stories a,b] [--victims a,b] [--programs a,b] [--seconds S] [--part I/N] [WORD...]

First each story runs once and says which points it passes. Then each point that was passed gets its cases: a story that passes it
runs, and at that point the victim dies. Afterwards the daemons must serve again, the story must have come to its end by the calls
that a kubelet repeats, exit codes and log lines must be right, and nothing may be left: records, mounts, namespaces, cgroups,
leases, processes, fds that the daemons hold. A container that writes all the time must not lose, double or tear a line.
A point that no story passes must stand in tests/faults/unpassed with a reason (with --select this is printed only: it has less time).

--select   one case a point, the victims in turns, at most S seconds (90): the lane of scripts/test
--part     every N-th case, from the I-th
WORD       only points that contain it
A failure that tests/faults/known has is told as known, with its reason.
"""
import argparse, collections, fnmatch, glob, os, queue, re, select, signal, subprocess, sys, threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests/lib"), HERE]
from cri import CriError
from node import ERRORS, Broken, Node, Steady, errors_of, known, wait_for, why_known
import stories

DAEMONS = ("crispd", "keeper", "both")
# Who dies at a point of a program. "zygote" is the process that passes the point: crisp-zygote, or a container's on its way.
KILLS = {"crispd": DAEMONS, "keeper": DAEMONS, "anchor": ("anchor", "keeper", "crispd"), "front": ("front", "keeper"),
         "net": ("net", "crispd", "keeper"), "zygote": ("zygote", "keeper", "crispd")}
# These points are passed many times by one story: by each request to the kernel, each mount. Each pass is a place of its own.
MANY = {"net", "zygote"}
# Deaths of crispd under one keeper before both are started anew: each death makes the next pause longer.
DEATHS_MAX = 3

Case = collections.namedtuple("Case", "program point story passes victim")


def listed():
    out = subprocess.run([os.path.join(ROOT, "scripts/fault-points")], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()[:2]) for line in out.splitlines()]


def unpassed():
    """tests/faults/unpassed: [(program, pattern, reason)]"""
    found = []
    for line in open(os.path.join(HERE, "unpassed")):
        if line.strip() and not line.startswith("#"):
            words, reason = line.rstrip("\n").split(" -- ", 1)
            found.append((*words.split(), reason))
    return found


def all_hits():
    """What was passed at any time by any node. Some points are passed by a timer, so not always by the same story."""
    found = set()
    for path in glob.glob(os.path.join(os.environ["WORK"], "node*/faults/hits")):
        with open(path, errors="replace") as f:
            found |= {tuple(line.split(" ", 1)) for line in f.read().splitlines() if " " in line}
    return found


def matches(point, pattern):
    """A point of the sources may have "*" for the name of a machine."""
    return fnmatch.fnmatch(point, pattern) or fnmatch.fnmatch(pattern, point)


def check_world(node, steady):
    node.serves()
    steady.lives()
    spare = (steady.pod, steady.id)
    left = None

    def clean():
        nonlocal left
        left = node.leftovers(spare)
        return not left
    if not wait_for(8, clean):
        raise Broken("left: " + "; ".join(left[:4]))


def order_of(case):
    if case.victim in ERRORS:
        return "err " + case.victim
    return "kill self" if case.victim == case.program else "wait"


class Executioner(threading.Thread):
    """Kills the victims while the process at the point waits. Their pids are looked up then: a story may start them anew."""

    def __init__(self, node, case):
        threading.Thread.__init__(self, daemon=True)
        self.node, self.over, self.waits = node, threading.Event(), node.faults + "/waits"
        self.victims = ("keeper", "crispd") if case.victim == "both" else (case.victim,)
        if case.victim == "both" and case.program == "keeper":
            self.victims = ("crispd", "keeper")

    def run(self):
        while not self.over.wait(0.002):
            if os.path.exists(self.waits):
                for victim in self.victims:
                    self.kill((self.node.sub or self.node).pid_of(victim))
                os.unlink(self.waits)

    @staticmethod
    def kill(pid):
        try:
            fd = os.pidfd_open(pid) if pid else -1
        except ProcessLookupError:
            return
        if fd < 0:
            return
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            select.select([fd], [], [], 5)
        finally:
            os.close(fd)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.over.set()
        self.join()


def excused(case, e):
    """A first try may end so: the call that was to fail is told by an error, or the container's own process was the victim."""
    if isinstance(e, CriError):
        return case.victim in ERRORS or case.victim == "zygote" or "the child that does it died" in e.words # that child passes points, too
    return case.victim in ERRORS and "StartError" in str(e) or case.victim == "zygote" and re.search(r"StartError|exit code 137|\(137, ", str(e))


def run_story(node, steady, case, name):
    """Once; where a call was to fail, its error may be the story's end: then all is removed, and the second try succeeds."""
    story = next(s for s in stories.STORIES if s.__name__ == case.story)
    try:
        return story(node, name)
    except (CriError, Broken) as e:
        if not excused(case, e) or getattr(e, "code", "") in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise
    clear(node, steady)
    story(node, name + "-again")


def clear(node, steady):
    for pod in node.cri.until("ListPodSandbox")["items"]:
        if pod["id"] != steady.pod:
            node.remove_pod(pod["id"])


def run_case(node, steady, case, number):
    begun = time.monotonic()
    if node.deaths >= DEATHS_MAX:
        node.restart()
    armed = node.arm(case.program, case.point, case.passes, order_of(case))
    result = "ok"
    try:
        with Executioner(node, case):
            run_story(node, steady, case, "s%d" % number)
        if os.path.exists(armed):
            result = "not passed"
        elif case.victim in ("crispd", "both"):
            node.deaths += 1
        node.disarm()
        check_world(node, steady)
        if not node.has_anchor(): # it comes back with the next keeper
            node.restart()
    except (CriError, Broken) as e:
        result = "FAILED " + str(e)
    except Exception as e:
        result = "FAILED " + traceback.format_exc().strip().replace("\n", " | ")
    return result, time.monotonic() - begun


def recover(node, steady):
    """After a failure: back to a world in which the next case can be tried."""
    node.disarm()
    try:
        node.restart()
        clear(node, steady)
        steady.lives()
        left = wait_for(8, lambda: not node.leftovers((steady.pod, steady.id))) or node.leftovers((steady.pod, steady.id))
        if left is True:
            return ""
        node.forgive(left)
        return " (still left after a restart and a removal: %s)" % "; ".join(left[:3])
    except (CriError, Broken) as e:
        return " (and it cannot be mended: %s)" % e


def begin(number):
    env = os.environ
    node = Node(env["BUILD"], ROOT, env["WORK"], env["REGISTRY"], number, network="auto", native=True, shim=True)
    node.start()
    node.cri.until("PullImage", {"image": {"image": node.registry + "/busybox:latest"}})
    return node, Steady(node)


def another(node, pairs, lock):
    """A new node in the place of one that cannot be used any more."""
    node.abandon()
    fresh = begin(node.number + 10)
    with lock:
        pairs[:] = [p for p in pairs if p[0] is not node] + [fresh]
    return fresh


def record(pairs, only):
    """What each story passes: {(program, point): {story: passes}}, and the stories that work here. Each node takes the next story."""
    passed, works, lock = {}, [], threading.Lock()
    todo = queue.Queue()
    for story in stories.STORIES:
        if not only or story.__name__ in only:
            todo.put(story)

    def work(node, steady):
        while True:
            try:
                story = todo.get_nowait()
            except queue.Empty:
                return
            at, begun, name = node.hits_begin(), time.monotonic(), story.__name__
            try:
                story(node, "record-" + name.replace("_", "-"))
                node.serves()
            except (CriError, Broken, OSError, subprocess.SubprocessError) as e:
                print("# story %s does not work: %s" % (name, e), flush=True)
                node.disarm()
                node.serves()
                clear(node, steady)
                continue
            count = collections.Counter(tuple(line.split(" ", 1)) for line in node.hits_since(at))
            with lock:
                for key, n in count.items():
                    passed.setdefault(key, {})[name] = n
                works.append(name)
                print("# story %-24s %5.2f s, %d points" % (name, time.monotonic() - begun, len(count)), flush=True)
            if node.deaths >= DEATHS_MAX:
                node.restart()

    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return passed, works


def passes_of(case, last, whole):
    """Which passes of a point are tried with that victim."""
    if not whole or case.victim in ERRORS:
        return [1]
    if case.program in MANY and case.victim == case.program:
        return range(1, min(last, 24) + 1)
    return [1, last // 2 + 1] if last > 2 and case.victim == case.program and case.program in MANY | {"crispd"} else [1]


def cases_of(passed, select):
    order = [s.__name__ for s in stories.STORIES]
    cases = []
    for number, (key, by_story) in enumerate(sorted(passed.items())):
        program, point = key
        story = min(by_story, key=order.index)
        effect = point.endswith(".before") and not point.startswith(("send.", "work."))
        errors = errors_of(point) if effect else ()
        kills = KILLS[program]
        for victim in [kills[number % len(kills)]] if select else list(kills) + ([errors[number % len(errors)]] if errors else []):
            case = Case(program, point, story, 1, victim)
            cases += [case._replace(passes=n) for n in passes_of(case, by_story[story], not select)]
    if select: # those of effects and messages first: they decide what a crash leaves
        cases.sort(key=lambda c: (c.point.startswith("sm."), hash_of(c)))
    return cases


def explore(node, steady, passed):
    """For who writes stories: which points are passed only behind a fault at another one."""
    for case in cases_of(passed, True) + [c for c in cases_of(passed, False) if c.victim in ERRORS]:
        at = node.hits_begin()
        result, took = run_case(node, steady, case, 100000 + at)
        if result.startswith("FAILED"):
            recover(node, steady)
        found = {tuple(line.split(" ", 1)) for line in node.hits_since(at)} - set(passed)
        if found or result.startswith("FAILED"):
            print("%s %s %s %s %s: %s" % (case.story, case.program, case.point, case.victim, result, " ".join(sorted(" ".join(f) for f in found))), flush=True)


def hash_of(case):
    return sum(ord(ch) * (i + 1) for i, ch in enumerate(case.program + case.point)) % 997


def work(node, steady, todo, results, lock, end, table, pairs):
    while time.monotonic() < end:
        try:
            number, case = todo.get_nowait()
        except queue.Empty:
            return
        result, took = run_case(node, steady, case, number)
        if result.startswith("FAILED"):
            mended = recover(node, steady)
            if case.victim in ERRORS and result.startswith("FAILED left:") and not mended:
                result = "late: it was logged, and went with the next start of crispd:" + result[12:]
            reason = why_known(table, case.victim, result)
            result = "known: " + reason if reason else result
            if result.startswith("FAILED"):
                result += mended
            if "cannot be mended" in mended: # it would fail all that comes
                node, steady = another(node, pairs, lock)
        with lock:
            results.append((case, result, took))
            print("%-7s %-55s %-20s %3d %-7s %5.1f  %s" % (case.program, case.point, case.story, case.passes, case.victim, took, result), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--select", action="store_true")
    p.add_argument("--nodes", type=int, default=2)
    p.add_argument("--stories", default="")
    p.add_argument("--victims", default="")
    p.add_argument("--programs", default="")
    p.add_argument("--explore", action="store_true")
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("--part", default="1/1")
    p.add_argument("words", nargs="*")
    o = p.parse_args()
    pairs = [begin(i + 1) for i in range(o.nodes)]
    passed, works = record(pairs, [s for s in o.stories.split(",") if s])
    points = listed()
    missing = [k for k in passed if not any(k[0] == p and fnmatch.fnmatch(k[1], w) for p, w in points)]
    cases = [c for c in cases_of(passed, o.select) if (not o.words or any(w in c.point for w in o.words)) and
             (not o.victims or c.victim in o.victims.split(",")) and (not o.programs or c.program in o.programs.split(","))]
    first, every = map(int, o.part.split("/"))
    cases = cases[first - 1::every]
    print("# %d points in the sources, %d passed by %d stories, %d cases" % (len(points), len(passed), len(works), len(cases)), flush=True)
    if o.explore:
        explore(*pairs[0], passed)
    todo, results, lock, table = queue.Queue(), [], threading.Lock(), known()
    for i, case in enumerate(cases):
        todo.put((i, case))
    end = time.monotonic() + (o.seconds or (90 if o.select else 86400))
    threads = [threading.Thread(target=work, args=(n, s, todo, results, lock, end, table, pairs)) for n, s in list(pairs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    failed = [r for r in results if r[1].startswith("FAILED")]
    for node, s in pairs:
        try:
            print("# node %d: %d lines of the steady container, none lost, doubled or torn" % (node.number, s.end()))
        except (CriError, Broken) as e:
            reason = why_known(table, None, str(e))
            print("# node %d: %s" % (node.number, "known: " + reason if reason else e))
            if not reason:
                failed.append(("node %d" % node.number, str(e), 0))
        try:
            node.clear()
            node.stop()
        except (CriError, Broken) as e:
            failed.append(("node %d" % node.number, str(e), 0))
        left = wait_for(8, lambda: not node.leftovers()) or node.leftovers()
        if left is not True:
            failed.append(("node %d" % node.number, "left at the end: " + "; ".join(left[:8]), 0))
    passed = set(passed) | all_hits()
    never = [k for k in points if not any(k[0] == p and fnmatch.fnmatch(w, k[1]) for p, w in passed)]
    excuses = unpassed()
    broken = [s.__name__ for s in stories.STORIES if s.__name__ not in works and not o.stories]
    silent = [k for k in never if not o.stories and not any(k[0] == p and matches(k[1], w) for p, w, _ in excuses)]
    print("\n# never passed: %d points, %d of them in tests/faults/unpassed" % (len(never), len(never) - len(silent)))
    for name in broken:
        print("a story does not work: %s" % name)
    for program, point in silent:
        print("never passed, and not in tests/faults/unpassed: %s %s" % (program, point))
    for program, point in missing:
        print("passed, but not printed by scripts/fault-points: %s %s" % (program, point))
    print("\n%d cases: %s" % (len(results), ", ".join("%d %s" % (n, w) for w, n in collections.Counter(
        r[1].split(" ")[0].rstrip(":") for r in results).most_common())))
    left_out = todo.qsize()
    if left_out:
        print("%d cases were left out: the time is over" % left_out)
    for what, result, _ in failed:
        print("FAILED %s: %s" % (" ".join(map(str, what)) if isinstance(what, tuple) else what, result))
    return 1 if failed or missing or broken or (silent and not o.select) else 0


if __name__ == "__main__":
    sys.exit(main())
