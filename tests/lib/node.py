"""node.py - a crisp of its own for tests in Python: directories, a network, both daemons, and what may be left behind.

Runs inside the namespaces of tests/lib/alone, so that fixed names are free.
"""
import glob, json, os, re, shutil, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cri import Cri, CriError


class Broken(Exception):
    """What a test found: a sentence."""


# The errors that a call can have on a machine. splice to /dev/null, for example, has no space to run out of.
ERRORS_OF = {"open": ("EMFILE", "ENFILE", "ENOSPC", "EIO"), "splice": ("EINTR",), "waitpid": ("EINTR",), "kill": (), "pidfd_send_signal": (),
             "write": ("ENOSPC", "EIO"), "clone3": ("EAGAIN", "ENOMEM"), "fork": ("EAGAIN", "ENOMEM"), "send": ("ENOBUFS", "EPERM"),
             "sendmsg": ("ENOBUFS",), "setns": ("EPERM", "ENOMEM"), "execve": ("ENOMEM", "EIO"), "bpf": ("EPERM", "ENOMEM"), "umount2": ("ENOMEM",), "mount": ("ENOMEM", "ENOSPC"),
             "bind": ("EADDRINUSE",)}
NETNS_POOL = 4  # namespaces that the keeper has ready for the next pods (crisp-config(5))
ANY_ERROR = ("ENOSPC", "EIO", "ENOMEM")
ERRORS = sorted(set(ANY_ERROR).union(*ERRORS_OF.values()))


def errors_of(point):
    """Of FILE.FUNCTION.CALL.before."""
    return ERRORS_OF.get(point.split(".")[-2], ANY_ERROR)


def known():
    """The lines of tests/faults/known: [(victim, a pattern of the result, the reason)]"""
    found = []
    for line in open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../faults/known")):
        if line.strip() and not line.startswith("#"):
            victim, rest = line.rstrip("\n").split(None, 1)
            pattern, reason = rest.split(" -- ", 1)
            found.append((victim, re.compile(pattern.strip()), reason))
    return found


def why_known(table, victim, result):
    """victim None: whoever has died."""
    return next((reason for of, pattern, reason in table if victim in (of, None) or of == "*" if pattern.search(result)), None)


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def names(pattern):
    return [p for p in glob.glob(pattern)]


def wait_for(seconds, fn, words=None):
    """The first value of fn that is true; after `seconds` Broken(words), or None without words."""
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > end:
            if words:
                raise Broken(words)
            return None
        time.sleep(0.01)


class Node:
    def __init__(self, build, root, work, registry, number, level="debug", network="cni", native=False, shim=False):
        self.build, self.root, self.registry, self.number = build, root, registry, number
        self.dir = os.path.join(work, "node%s" % number)
        self.cgroup = "/crisp-test-%s-%s" % (os.path.basename(work), number)
        self.faults = os.path.join(self.dir, "faults")
        self.log = self.dir + ".log"
        self.process = self.cri = None
        self.sub = self.rude = None  # a crisp of its own for one story, with the same fault points; a registry with faults
        self.deaths = 0  # of crispd under this keeper: each makes the pause before the next start longer
        for d in ("cni", "certs.d", "logs", "faults", "bin"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        os.chmod(self.dir, 0o711)
        os.chmod(self.faults, 0o700)
        open(os.path.join(self.faults, "hits"), "a").close()
        os.symlink(os.path.join(root, "tests/lib/cni_fake"), self.dir + "/bin/cni_fake")
        runc = os.path.join(root, "build/tools/runc")
        runc = runc if os.access(runc, os.X_OK) else "/usr/sbin/runc"
        more = ", native: {type: native, fallback: runc}" if native else ""
        if shim:
            more += ", shim: {type: shim, path: %s/build/tools/containerd-shim-runc-v2, binary: %s}" % (root, runc)
            shutil.copy(os.path.join(root, "build/tools/shim-runc-sandbox"), self.dir + "/bin")
            more += ", api: {type: shim, path: %s/bin/shim-runc-sandbox, binary: %s, sandbox: api}" % (self.dir, runc)
        with open(os.path.join(self.dir, "config.yaml"), "w") as f:
            f.write("root: {0}/root\nstate: {0}/state\nnetns_dir: {0}/netns\ncgroup: {{root: {1}}}\n"
                    "cni: {{bin_dirs: [/opt/cni/bin, /usr/lib/cni, {0}/bin], conf_dir: {0}/cni}}\nregistry: {{config_path: {0}/certs.d}}\n"
                    "log: {{level: {2}}}\nruntimes: {{runc: {{type: oci, path: {3}}}, crun: {{type: oci, path: /usr/bin/crun}}{4}}}\n{5}"
                    .format(self.dir, self.cgroup, level, runc, more, "network: %s\n" % network))
        # With network: auto a key that the native network does not know leaves the chain to the plugins.
        bridge, second = ("node%d" % number, 100 + number) if isinstance(number, int) else ("other", 99)
        self.conflist("10-node", "node%s" % number, bridge, second, ', "forPlugins": true' if network == "auto" else "")

    def conflist(self, file, name, bridge, second, more=""):
        """A network 10.SECOND.0.0/16. Returns the path of its file."""
        path = "%s/cni/%s.conflist" % (self.dir, file)
        with open(path + ".new", "w") as f:
            f.write('{"cniVersion": "1.0.0", "name": "%s", "plugins": [{"type": "bridge", "bridge": "%s", "isGateway": true,'
                    ' "ipMasq": true%s, "ipam": {"type": "host-local", "dataDir": "%s/ipam", "ranges": [[{"subnet": "10.%d.0.0/16"}]],'
                    ' "routes": [{"dst": "0.0.0.0/0"}]}}]}' % (name, bridge, more, self.dir, second))
        os.rename(path + ".new", path)
        return path

    def no_conflist(self, path):
        """Removed, and the first network is that of the node again."""
        since = self.log_size()
        os.unlink(path)
        wait_for(10, lambda: self.log_says("network=node%s " % self.number, since), "the network of the node is not seen")

    def rude_registry(self):
        """tests/lib/rude_registry of this node: its address. It ends with the run."""
        where = os.path.join(os.path.dirname(self.dir), "rude%s" % self.number)
        if not self.rude:
            os.mkdir(where)
            self.rude = subprocess.Popen([sys.executable, os.path.join(self.root, "tests/lib/rude_registry"), where], stdin=subprocess.DEVNULL)
        return "127.0.0.1:" + wait_for(10, lambda: read(where + "/port").strip(), "the registry with faults did not start")

    # ---- the daemons

    def pid_of(self, program):
        text = read(os.path.join(self.dir, "state", program + ".lock")).strip()
        if not text.isdigit():
            return None
        line = read("/proc/%s/cmdline" % text)
        return int(text) if self.dir in line and program in line else None

    def pool_ready(self):
        """Waits until the keeper has network namespaces that are no pod's yet. A machine that is too busy for it goes without."""
        def waiting():
            known = {"net:[%d]" % os.stat(pin).st_ino for pin in names(self.dir + "/netns/*")} | {os.readlink("/proc/self/ns/net")}
            return [to for to in self.fds_of(self.pid_of("keeper") or 0) if to.startswith("net:") and to not in known]
        wait_for(2, waiting)

    def daemons(self):
        """The pids of all processes of this crisp that live as long as it."""
        found = []
        for p in glob.glob("/proc/[0-9]*"):
            line = read(p + "/cmdline")
            if self.dir + "/" in line and re.match(r"[^\0]*/crisp(d|-keeper|-anchor)\0", line):
                found.append(int(p[6:]))
        return found

    def front_start(self):
        env = {k: v for k, v in os.environ.items() if k not in ("INVOCATION_ID", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID")}
        env["CRISP_FAULTS"] = self.faults
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([os.path.join(self.build, "crisp-keeper"), "--config", os.path.join(self.dir, "config.yaml")],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, start_new_session=True)

    def start(self):
        self.front_start()
        self.deaths = 0
        if not self.cri:
            self.cri = Cri(self.build, self.root, "unix://%s/state/crisp.sock" % self.dir)
        self.serves(20)

    def supervise(self):
        """As a service manager with Restart=always."""
        if self.process and self.process.poll() is not None:
            if self.process.returncode != -signal.SIGKILL:
                raise Broken("crisp-keeper ended by itself: %d" % self.process.returncode)
            self.front_start()

    def serves(self, seconds=20):
        """Waits until RPCs are answered and children can be started."""
        end = time.monotonic() + seconds
        while True:
            self.supervise()
            try:
                self.cri.ask("ListPodSandbox", {}, max(1, end - time.monotonic()))
                if not (self.pid_of("keeper") and self.pid_of("crispd")):
                    words = "the daemons did not come back"
                elif self.keeper_is_here():
                    return
                else:
                    words = "crispd has no keeper"
            except CriError as e:
                words = str(e)
            if time.monotonic() > end:
                raise Broken(words)
            time.sleep(0.01)

    def keeper_is_here(self):
        try:
            status = self.cri.ask("Status", {}, 5)
        except CriError:
            return False
        return any(c["type"] == "RuntimeReady" and c["status"] for c in status["status"]["conditions"])

    def stop(self):
        """As a service manager: the front gets SIGTERM. One that was killed is started again for it."""
        if not self.process:
            return
        end = time.monotonic() + 20
        while True:
            wait_for(5, lambda: read(self.dir + "/state/front.lock").strip() == str(self.process.pid) or self.process.poll() is not None)
            self.process.send_signal(signal.SIGTERM)
            try:
                if self.process.wait(max(0.1, end - time.monotonic())) != -signal.SIGKILL:
                    break
            except subprocess.TimeoutExpired:
                raise Broken("crisp-keeper does not end after SIGTERM")
            self.serves()
        wait_for(10, lambda: not self.pid_of("keeper") and not self.pid_of("crispd"), "a daemon lives on after a stop")
        self.process = None

    def abandon(self):
        """Ends all processes of this node. What they have made stays until the run ends."""
        for _ in range(3):
            for pid in self.daemons():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.2)  # a parent may have started another one
        self.cri.close()

    def restart(self):
        self.stop()
        self.start()

    def kill(self, *programs):
        for program in programs:
            pid = self.pid_of(program)
            self.deaths = 0 if program == "keeper" else self.deaths + 1
            if pid:
                os.kill(pid, signal.SIGKILL)

    def log_size(self):
        return os.path.getsize(self.log)

    def log_says(self, words, since):
        with open(self.log, errors="replace") as f:
            f.seek(since)
            return words in f.read()

    def has_anchor(self):
        return self.pid_of("anchor") is not None

    # ---- faults

    def arm(self, program, point, passes, order):
        path = os.path.join(self.faults, "%s.%s" % (program, point))
        with open(path + ".new", "w") as f:
            f.write("%d %s\n" % (passes, order))
        os.rename(path + ".new", path)
        return path

    def disarm(self):
        for path in glob.glob(self.faults + "/*"):
            if os.path.basename(path) != "hits":
                os.unlink(path)

    def hits_begin(self):
        return os.path.getsize(os.path.join(self.faults, "hits"))

    def hits_since(self, at):
        with open(os.path.join(self.faults, "hits"), errors="replace") as f:
            f.seek(at)
            return f.read().splitlines()

    # ---- calls, repeated as the kubelet does

    def run_pod(self, name, handler="crun", network=False, security={}, **more):
        options = dict({"network": "POD" if network else "NODE", "pid": "CONTAINER"}, **security)
        pod = {"metadata": {"name": name, "uid": name + "-uid", "namespace": "default", "attempt": 1},
               "log_directory": self.dir + "/logs", "linux": {"security_context": {"namespace_options": options}}}
        if network:
            pod["hostname"] = name
        pod.update(more)
        try:
            return self.cri.until("RunPodSandbox", {"config": pod, "runtime_handler": handler})["pod_sandbox_id"], pod
        except CriError as e:
            if e.code != "ALREADY_EXISTS" or "is not ready" not in e.words:
                raise
        # It could not be made to its end, or it ended before the answer came; what is left of it is not ready. The kubelet makes another.
        for old in self.cri.until("ListPodSandbox")["items"]:
            if old["metadata"]["name"] == name:
                self.remove_pod(old["id"])
        return self.cri.until("RunPodSandbox", {"config": pod, "runtime_handler": handler})["pod_sandbox_id"], pod

    def create(self, pod, config, name, script, **more):
        container = {"metadata": {"name": name, "attempt": 1}, "image": {"image": self.registry + "/busybox:latest"},
                     "command": ["sh", "-c", script], "log_path": name + ".log", "linux": {}}
        container.update(more)
        return self.cri.until("CreateContainer", {"pod_sandbox_id": pod, "config": container, "sandbox_config": config})["container_id"]

    def status(self, container):
        return self.cri.until("ContainerStatus", {"container_id": container})["status"]

    def start_container(self, container):
        """As the kubelet: when the answer is lost, the state decides whether to start it (again)."""
        end = time.monotonic() + 40
        while True:
            try:
                return self.cri.ask("StartContainer", {"container_id": container})
            except CriError as e:
                state = self.status(container)["state"]
                if state in ("CONTAINER_RUNNING", "CONTAINER_EXITED"):
                    return None
                if e.code not in ("UNAVAILABLE",) or time.monotonic() > end:
                    raise
            time.sleep(0.01)

    def wait_exit(self, container, seconds=20):
        end = time.monotonic() + seconds
        while True:
            s = self.status(container)
            if s["state"] == "CONTAINER_EXITED":
                return s
            if time.monotonic() > end:
                raise Broken("the container is %s after %d s" % (s["state"], seconds))
            time.sleep(0.01)

    def expect_exit(self, container, code):
        s = self.wait_exit(container)
        if s["exit_code"] != code:
            raise Broken("exit code %d %s %s instead of %d" % (s["exit_code"], s["reason"], s["message"], code))

    def exec(self, container, command, timeout=10):
        r = self.cri.until("ExecSync", {"container_id": container, "cmd": ["sh", "-c", command], "timeout": timeout})
        return r["exit_code"], r["stdout"].decode(), r["stderr"].decode()

    def touch(self, container, path):
        """Makes a file that the container waits for, without an exec, which a repeated call would run twice."""
        with open("/proc/%d/root%s" % (self.init_of(container), path), "w"):
            pass

    def init_of(self, container):
        info = self.cri.until("ContainerStatus", {"container_id": container, "verbose": True})["info"]["info"]
        return json.loads(info)["pid"]

    def lines(self, name):
        """The texts of a log. A line that is not of CRI's form is Broken."""
        found, part = [], {}
        for line in read("%s/logs/%s" % (self.dir, name)).split("\n")[:-1]:
            m = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([PF]) (.*)", line)
            if not m:
                raise Broken("a torn line in %s: %r" % (name, line[:120]))
            part[m[1]] = part.get(m[1], "") + m[3]
            if m[2] == "F":
                found.append((m[1], part.pop(m[1])))
        return found

    def expect_lines(self, name, want):
        got = wait_for(5, lambda: self.lines(name) == want) or self.lines(name)
        if got is not True and got != want:
            raise Broken("log %s: %r instead of %r" % (name, got[:6], want[:6]))

    def remove_pod(self, pod):
        self.cri.until("StopPodSandbox", {"pod_sandbox_id": pod})
        self.cri.until("RemovePodSandbox", {"pod_sandbox_id": pod})

    def clear(self):
        """Removes all pods."""
        for pod in self.cri.until("ListPodSandbox")["items"]:
            self.remove_pod(pod["id"])

    # ---- what is left

    def leftovers(self, spare=()):
        """One sentence a thing of a pod that is not there any more. spare: ids of pods and containers that live."""
        left = []

        def see(kind, found):
            left.extend("%s %s" % (kind, f) for f in found if f not in self.forgiven and not any(s in f for s in spare))

        for d in ("root/containers", "root/sandboxes", "root/snapshots", "root/sandbox-files", "state/containers", "state/sandboxes",
                  "state/runtime/runc", "state/runtime/crun", "root/checkpoints", "netns"):
            see("file", [d + "/" + f for f in os.listdir("%s/%s" % (self.dir, d))] if os.path.isdir("%s/%s" % (self.dir, d)) else [])
        see("mount", [line.split()[4] for line in open("/proc/self/mountinfo") if " %s/" % self.dir in line and not line.split()[4].endswith("/netns")])
        for mount in names("/sys/fs/cgroup/*/") + ["/sys/fs/cgroup/"]:
            see("cgroup", [d for d, _, _ in os.walk(mount.rstrip("/") + self.cgroup) if d.count("/") > mount.count("/")])
        see("lease", [p for p in names(self.dir + "/ipam/*/*") if re.fullmatch(r"[\d.]+", os.path.basename(p)) and not any(
            s in read(p) for s in spare)])
        if not spare:
            see("link", [line for line in names("/sys/class/net/veth*") if read(line + "/master/uevent").find("=node%s\n" % self.number) > 0])
        own = [os.readlink("/proc/self/ns/" + n) for n in ("net", "ipc", "uts", "user")]  # the daemons keep a way home
        keeper = self.pid_of("keeper")
        for pid in self.daemons():
            held = [to for to in self.fds_of(pid) if re.match(r"(net|ipc|uts|user):|%s/(state/containers|logs|netns)/" % self.dir, to) and
                    to not in self.spare_fds and to not in own]
            pool = [to for to in held if to.startswith("net:")] if pid == keeper else []
            see("fd of %d:" % pid, held if len(pool) > NETNS_POOL else [to for to in held if to not in pool])
        for p in glob.glob("/proc/[0-9]*"):
            line = read(p + "/cmdline").replace("\0", " ")
            if self.dir + "/" in line and not re.match(r"[^ ]*/(crisp(d|-keeper|-anchor)|cri-bridge) ", line):
                see("process", ["%s %s" % (p[6:], line[:100])])
        return left

    spare_fds, forgiven = (), frozenset()

    def forgive(self, left):
        """What a failed case has left does not fail the next cases."""
        self.forgiven |= {line.split(" ", 1)[1] for line in left}

    @staticmethod
    def fds_of(pid):
        found = []
        for fd in names("/proc/%d/fd/*" % pid):
            try:
                found.append(os.readlink(fd))
            except OSError:
                pass
        return found

    def spare_container(self, container):
        """leftovers() does not count what the daemons hold for it."""
        pid = self.init_of(container)
        self.spare_fds = frozenset([os.readlink("/proc/%d/ns/%s" % (pid, n)) for n in ("net", "ipc", "uts", "user")] +
                                   [to for daemon in self.daemons() for to in self.fds_of(daemon) if to.startswith("/")])


class Steady:
    """A container that writes numbers from the beginning to the end."""

    def __init__(self, node):
        self.node = node
        self.pod, config = node.run_pod("steady", "crun", network=True)
        self.id = node.create(self.pod, config, "steady", "i=0; until [ -e /tmp/go ]; do echo $i; i=$((i+1)); sleep 0.05; done; echo over; exit 5")
        node.start_container(self.id)
        node.spare_container(self.id)

    def lives(self):
        s = self.node.status(self.id)
        if s["state"] != "CONTAINER_RUNNING":
            raise Broken("the steady container is %s, exit code %d" % (s["state"], s["exit_code"]))

    def end(self):
        self.node.touch(self.id, "/tmp/go")
        self.node.wait_exit(self.id)
        got = wait_for(5, lambda: [text for _, text in self.node.lines("steady.log")]) or []
        want = [str(i) for i in range(len(got) - 1)] + ["over"]
        if got != want:
            bad = next((i for i in range(len(got)) if got[i] != want[i]), 0)
            raise Broken("steady.log: line %d of %d is %r" % (bad, len(got), got[bad:bad + 2]))
        self.node.expect_exit(self.id, 5)
        self.node.remove_pod(self.pod)
        return len(got) - 1
