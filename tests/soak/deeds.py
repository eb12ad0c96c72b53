"""deeds.py - what a soak does to a node, and what it keeps of a wrong answer."""
import collections, datetime, glob, os, random, re, resource, shutil, signal, subprocess, threading, time

from cri import CriError
from node import errors_of, known, read, wait_for, why_known

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# What a client sees of an injected error. Anything else is a fault of crisp's.
CLEAN = ("UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ALREADY_EXISTS", "NOT_FOUND", "CANCELLED", "DATA_LOSS",
         "DEADLINE_EXCEEDED", "UNKNOWN")


class Soak:
    def __init__(self, node, seed, handlers):
        self.node, self.seed, self.handlers = node, seed, handlers
        self.deeds = open(node.dir + ".deeds", "w", buffering=1)  # what was done, and when
        self.report = os.path.join(node.build, "soak-%s" % seed)  # a directory; made when an answer is wrong
        self.over, self.known = threading.Event(), known()
        self.lock, self.count, self.bad = threading.Lock(), collections.Counter(), []
        self.unprotected = 0  # until when a death of the anchor may have cost an exit code

    def add(self, word):
        with self.lock:
            self.count[word] += 1

    def did(self, words):
        self.deeds.write("%s %s\n" % (datetime.datetime.now(datetime.timezone.utc).strftime("%FT%T.%fZ"), words))

    def keep(self, name):
        """The logs of a container, the node's log and the deeds, for whoever explains a wrong answer."""
        os.makedirs(self.report, exist_ok=True)
        for path in glob.glob("%s/logs/%s.log*" % (self.node.dir, name)) + [self.node.log, self.deeds.name]:
            shutil.copy(path, self.report)

    def wrong(self, words, name=None):
        """name: of a container whose log is kept."""
        reason = why_known(self.known, None, words)
        if reason:
            self.add("known: " + reason)
            return
        with self.lock:
            self.bad.append(words)
        self.did("WRONG " + words)
        if name:
            self.keep(name)
            words += "; see %s" % self.report
        print("WRONG %s" % words, flush=True)


def processes(pattern):
    found = []
    for p in glob.glob("/proc/[0-9]*"):
        line = read(p + "/cmdline").replace("\0", " ")
        if re.match(pattern, line):
            found.append(int(p[6:]))
    return found


def kill_one(rng, pattern):
    """A process that matches. It is stopped and looked at again first: on a busy node what was a runtime's init when it was found may
    be a container's program when the signal comes."""
    found = processes(pattern)
    if not found:
        return False
    pid = rng.choice(found)
    try:
        os.kill(pid, signal.SIGSTOP)
        wait_for(5, lambda: re.search(r"\) [TtZX]", read("/proc/%d/stat" % pid) or ") X"))
        still = re.match(pattern, read("/proc/%d/cmdline" % pid).replace("\0", " "))
        os.kill(pid, signal.SIGKILL if still else signal.SIGCONT)
        return bool(still)
    except ProcessLookupError:
        return False


def arm_error(soak, rng, program, point):
    passes, error = rng.choice((1, 1, 2, 5)), rng.choice(errors_of(point))
    soak.did("%s in pass %d of %s %s" % (error, passes, program, point))
    soak.node.arm(program, point, passes, "err " + error)


def full_disk(where, rng, longest=1):
    """For a moment every write and every new file on the disk of this directory fails with ENOSPC."""
    filler = where + "/filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        space = os.statvfs(where)
        os.posix_fallocate(fd, 0, max(1, space.f_bavail * space.f_frsize))
        os.lseek(fd, 0, os.SEEK_END)
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        time.sleep(rng.uniform(0.1, longest))
    finally:
        os.close(fd)
        os.unlink(filler)


def no_fds(node, rng):
    """For a moment every call of crispd that makes a fd fails with EMFILE."""
    pid = node.pid_of("crispd")
    if not pid:
        return False
    try:
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir("/proc/%d/fd" % pid)) - rng.randrange(3), hard))
        time.sleep(rng.uniform(0.05, 0.5))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    except (ProcessLookupError, FileNotFoundError):
        pass  # it has died meanwhile
    return True


def kill_anchor(soak):
    """And the service is restarted, as the log and crisp-keeper(8) say."""
    node = soak.node
    pid = node.pid_of("anchor")
    if not pid:
        return False
    soak.unprotected = float("inf")
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    node.restart()
    soak.unprotected = time.monotonic()
    return True


def kill_front(node):
    node.process.kill()
    node.process.wait()
    node.front_start()


def change_network(node, known=[]):
    """The first network is for plugins, or for crisp-net. Pods that live stay in theirs."""
    if known:
        os.unlink(known.pop())
    else:
        known.append(node.conflist("05-native", "soak-native", "soak1", 151))


class Registry:
    """Kills the registry of tests/faults/run and starts it again at the same address."""

    def __init__(self):
        self.pid, self.process = int(os.environ["REGISTRY_PID"]), None
        self.config = os.path.join(os.environ["WORK"], "registry/config.yml")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        else:
            os.kill(self.pid, signal.SIGKILL)
            # its parent, the shell, has not reaped it: the port is free all the same
        with open(os.path.join(os.environ["WORK"], "registry/log2"), "a") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", self.config], stdout=log, stderr=log)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def occupants(node):
    """The processes in the groups of the node, for who reads a failure."""
    found = set()
    for top in glob.glob("/sys/fs/cgroup/*/"):
        for at, _, _ in os.walk(top.rstrip("/") + node.cgroup):
            found |= {(int(pid), os.path.relpath(at, top)) for pid in read(at + "/cgroup.procs").split()}
    return ["pid %d in %s: %s %s" % (pid, at[-40:], read("/proc/%d/cmdline" % pid)[:60].replace("\0", " "),
                                     " ".join(read("/proc/%d/status" % pid).split("\n")[2:7])) for pid, at in sorted(found)]


def effect_points():
    out = subprocess.run([os.path.join(ROOT, "scripts/fault-points")], capture_output=True, text=True, check=True).stdout
    return [(w[0], w[1]) for w in (line.split() for line in out.splitlines())
            if w[1].endswith(".before") and not w[1].startswith(("send.", "work.")) and errors_of(w[1])]


