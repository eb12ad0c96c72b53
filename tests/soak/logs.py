"""logs.py - containers that only write, while all that carries their lines is killed, fails, fills up or is rotated.

In rounds of half a minute some writers number their lines. Meanwhile crispd, the keeper and both die, also while one of them is away
already; the disk of the logs is full; the log's own calls fail; a log is renamed and opened again, as the kubelet does. In each second
round the anchor is killed and the service restarted, too, without the terminals and shims that this costs. When a round is over each
log, with the files that were renamed, has the numbers from 0 to the end in their order.
"""
import glob, os, random, re, subprocess, threading, time

from cri import CriError
from node import Broken, read, wait_for
from deeds import CLEAN, arm_error, effect_points, full_disk, kill_anchor, no_fds

ROUND_S = 25
POINTS = r"(log|log_pump|log_stage|log_undo|logfile|console|reopen|hold|table)\."
SLOW = "i=0; until [ -e /tmp/go ]; do echo $i; i=$((i+1)); sleep 0.02; done; echo over; exit 5"
BOTH = "i=0; until [ -e /tmp/go ]; do echo $i; echo $i >&2; i=$((i+1)); sleep 0.02; done; echo over; echo over >&2; exit 5"
BURSTS = "i=0; until [ -e /tmp/go ]; do echo $i; i=$((i+1)); [ $((i%100)) != 0 ] || sleep 0.05; done; echo over; exit 5"


class Writer:
    def __init__(self, soak, name, handler, script, tty=False):
        self.soak, self.name, self.handler, self.rotations, self.tty = soak, name, handler, 0, tty
        node = soak.node
        self.pod, config = node.run_pod(name, handler)
        self.id = node.create(self.pod, config, name, script, tty=tty)
        self.both = script == BOTH
        node.start_container(self.id)

    def path(self, suffix=""):
        return "%s/logs/%s.log%s" % (self.soak.node.dir, self.name, suffix)

    def rotate(self):
        """As the kubelet, which gives the log its name back when it could not be opened again."""
        renamed = self.path(".%d" % self.rotations)
        os.rename(self.path(), renamed)
        self.rotations += 1
        try:
            self.soak.node.cri.until("ReopenContainerLog", {"container_id": self.id})
        except CriError as e:
            if e.code not in CLEAN:
                raise
            if not os.path.exists(self.path()):
                os.rename(renamed, self.path())
                self.rotations -= 1

    def lines(self):
        """{stream: lines}, of all files in their order. A piece of a line may end one file, and the rest begin the next."""
        found, part = {"stdout": [], "stderr": []}, {"stdout": "", "stderr": ""}
        for path in [self.path(".%d" % i) for i in range(self.rotations)] + [self.path()]:
            for line in filter(None, read(path).split("\n")):
                m = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([PF]) (.*)", line)
                if not m:
                    raise Broken("a torn line in %s: %r" % (path, line[:120]))
                part[m[1]] += m[3]
                if m[2] == "F":
                    found[m[1]].append(part[m[1]].rstrip("\r") if self.tty else part[m[1]])
                    part[m[1]] = ""
        return found

    def wrong_of(self, lines):
        want = [str(i) for i in range(len(lines) - 1)] + ["over"]
        at = next((i for i in range(len(want)) if i >= len(lines) or lines[i] != want[i]), None)
        return None if at is None else "line %d of %d is %r" % (at, len(lines), lines[at:at + 2])

    def wrong(self):
        try:
            lines = self.lines()
        except Broken as e:
            return str(e)
        return self.wrong_of(lines["stdout"]) or (self.both and self.wrong_of(lines["stderr"]))

    def end(self, unprotected):
        """Its number of lines."""
        node = self.soak.node
        node.touch(self.id, "/tmp/go")
        s = node.wait_exit(self.id, 60)
        if s["exit_code"] != 5 and not (unprotected and s["exit_code"] == 255):
            self.soak.wrong("%s (%s): exit code %d %s %s" % (self.name, self.handler, s["exit_code"], s["reason"], s["message"]), self.name)
        if not wait_for(10, lambda: not self.wrong()):
            self.soak.wrong("%s (%s): %s" % (self.name, self.handler, self.wrong()), self.name)
        lines = sum(map(len, self.lines().values()))
        node.remove_pod(self.pod)
        for path in glob.glob(self.path("*")):
            os.unlink(path)
        return lines


def begin(soak, turn, anchor):
    made, name = [], "r%d-" % turn
    for handler in soak.handlers:
        if handler == "shim" and anchor:
            continue
        made.append(Writer(soak, name + handler + "-slow", handler, SLOW))
        made.append(Writer(soak, name + handler + "-both", handler, BOTH))
        made.append(Writer(soak, name + handler + "-bursts", handler, BURSTS))
        if not anchor:
            made.append(Writer(soak, name + handler + "-tty", handler, SLOW, tty=True))
    return made


def refused_then(soak, rng, *then):
    """The disk of the logs was full a moment ago, so that the bytes wait which it has refused."""
    full_disk(soak.node.dir + "/logs", rng, 0.3)
    for fn in then:
        time.sleep(rng.choice((0, 0, 0.01, 0.05, 0.2)))
        fn()


def trouble(soak, rng, writers, points, anchor, over):
    node, logs = soak.node, soak.node.dir + "/logs"
    keeper, crispd = (lambda: node.kill("keeper")), (lambda: node.kill("crispd"))
    deeds = {
        "crispd": (4, crispd),
        "the keeper": (3, keeper),
        "both": (2, lambda: node.kill("keeper", "crispd")),
        "the keeper, then crispd": (2, lambda: (keeper(), time.sleep(rng.uniform(0, 0.1)), crispd())),
        "no room": (3, lambda: full_disk(logs, rng)),
        "no room, then crispd": (2, lambda: refused_then(soak, rng, crispd)),
        "no room, then both": (2, lambda: refused_then(soak, rng, keeper, crispd)),
        "no keeper, no room, then crispd": (2, lambda: (keeper(), refused_then(soak, rng, crispd))),
        "rotate": (4, lambda: rng.choice(writers).rotate()),
        "no keeper, rotate": (2, lambda: (keeper(), rng.choice(writers).rotate(), crispd())),
        "rotate, then both": (2, lambda: (rng.choice(writers).rotate(), keeper(), crispd())),
        "no fds": (2, lambda: no_fds(node, rng)),
        "an error": (8, lambda: arm_error(soak, rng, *rng.choice(points))),
        "no room, then the service": (1, lambda: refused_then(soak, rng, node.restart)),
        "the anchor": (1 if anchor else 0, lambda: kill_anchor(soak)),
        "no room, then the anchor": (2 if anchor else 0, lambda: refused_then(soak, rng, lambda: kill_anchor(soak))),
    }
    while not over.wait(rng.uniform(0, 0.4)):
        deed = rng.choices(list(deeds), [w for w, _ in deeds.values()])[0]
        soak.did(deed)
        try:
            if deeds[deed][1]() is not False:
                soak.add(deed)
        except (CriError, Broken, OSError) as e:
            soak.wrong("%s: %s" % (deed, e))
    node.disarm()


def one_round(soak, rng, turn, points):
    anchor = turn % 2 == 1
    soak.node.restart()
    writers, over = begin(soak, turn, anchor), threading.Event()
    thread = threading.Thread(target=trouble, args=(soak, rng, writers, points, anchor, over))
    thread.start()
    time.sleep(ROUND_S)
    over.set()
    thread.join()
    soak.node.serves()
    lines = 0
    for w in writers:
        try:
            lines += w.end(anchor)
            soak.add("lives")
        except (CriError, Broken) as e:
            soak.wrong("%s (%s): %s" % (w.name, w.handler, e), w.name)
    print("# round %d: %d writers, %d lines, %d wrong" % (turn, len(writers), lines, len(soak.bad)), flush=True)


def churn(soak, minutes, workers):
    rng, turn, end = random.Random("%s-logs" % soak.seed), 0, time.monotonic() + minutes * 60
    points = [p for p in effect_points() if re.match(POINTS, p[1])]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", soak.node.dir + "/logs"], check=True)
    while time.monotonic() < end:
        turn += 1
        try:
            one_round(soak, rng, turn, points)
        except (CriError, Broken) as e:
            soak.wrong("round %d: %s" % (turn, e))
        try:
            soak.node.clear()
        except CriError as e:
            soak.wrong("round %d: %s" % (turn, e))
    subprocess.run(["umount", "-l", soak.node.dir + "/logs"], check=True)
