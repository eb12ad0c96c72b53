"""stories_daemons.py - stories of stories.py: what a service manager and an operator do with the daemons."""
import contextlib, glob, os, re, shutil, signal, subprocess

from node import Broken, Node, wait_for
from stories_networks import native_network


def recovery(node, name):
    """crispd dies while a pod runs, so that the points of a start are passed; the pod goes on."""
    pod, config = node.run_pod(name, "crun", network=True)
    c = node.create(pod, config, name, 'echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 8')
    created = node.create(pod, config, name + "-later", "echo later")
    node.start_container(c)
    node.kill("crispd")
    node.serves()
    if node.status(c)["state"] != "CONTAINER_RUNNING":
        raise Broken("the container is %s after a death of crispd" % node.status(c)["state"])
    node.start_container(created)
    node.expect_exit(created, 0)
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 8)
    node.expect_lines(name + ".log", [("stdout", "up")])
    node.expect_lines(name + "-later.log", [("stdout", "later")])
    node.remove_pod(pod)


def new_keeper(node, name):
    """The keeper dies while a pod runs; the pod goes on."""
    pod, config = node.run_pod(name, "crun", network=True)
    c = node.create(pod, config, name, 'echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 8')
    node.start_container(c)
    node.kill("keeper")
    node.serves()
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 8)
    node.expect_lines(name + ".log", [("stdout", "up")])
    node.remove_pod(pod)


def service(node, name):
    """The service is stopped and started while a pod runs: it runs on, and its exit code is right."""
    pod, config = node.run_pod(name, "crun", network=True)
    c = node.create(pod, config, name, "echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 8")
    node.start_container(c)
    node.stop()
    node.start()
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 8)
    node.expect_lines(name + ".log", [("stdout", "up")])
    node.remove_pod(pod)


def reload(node, name):
    """A SIGHUP replaces crispd; a pod with late sysctls and a log in a directory of its own runs on."""
    pod, config = node.run_pod(name, "crun", network=True, linux={
        "sysctls": {"net.ipv4.conf.eth0.arp_filter": "1"}, "security_context": {"namespace_options": {"pid": "CONTAINER"}}})
    c = node.create(pod, config, name, "echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 8", log_path="%s/sub/%s.log" % (name, name))
    node.start_container(c)
    before = node.pid_of("crispd")
    asked = set()

    def again():
        """A keeper that died has not passed the signal on: its successor is asked too."""
        keeper = node.pid_of("keeper")
        if keeper and keeper not in asked and node.keeper_is_here():
            asked.add(keeper)
            os.kill(keeper, signal.SIGHUP)
        return node.pid_of("crispd") not in (None, before)

    wait_for(15, again, "no new crispd after SIGHUP")
    node.serves()
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 8)
    node.expect_lines("%s/sub/%s.log" % (name, name), [("stdout", "up")])
    node.remove_pod(pod)


@contextlib.contextmanager
def crisp_of_its_own(node, name):
    """From nothing to nothing, with the fault points of the node."""
    sub = Node(node.build, node.root, os.path.dirname(node.dir), node.registry, "%d-%s" % (node.number, name), native=True)
    sub.faults = node.faults
    node.sub = sub
    try:
        yield sub
    finally:
        node.sub = None
        sub.abandon()
        for top in glob.glob("/sys/fs/cgroup/*/") + ["/sys/fs/cgroup/"]:  # no_trace() has looked for what may not be left
            for at, _, _ in os.walk(top.rstrip("/") + sub.cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(at)
        shutil.rmtree(sub.dir, ignore_errors=True)


def one_pod(node, name, code):
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "echo up; exit %d" % code)
    node.start_container(c)
    node.expect_exit(c, code)
    node.expect_lines(name + ".log", [("stdout", "up")])
    wait_for(5, lambda: not os.path.exists("%s/state/runtime/crun/%s" % (node.dir, c)), "the runtime's `delete` does not come")
    return pod, c


def stop_quietly(node):
    """After the trials of both runtimes: a stop cuts them off, and what they have made stays until the next start."""
    def over():
        with open(node.log, errors="replace") as f:
            return len(re.findall(r"sm userns_trial=\S+ from=\w+ to=DONE", f.read().rsplit("keeper start", 1)[-1])) >= 2
    wait_for(5, over)
    node.stop()


def no_trace(node):
    for _ in range(3):
        if wait_for(3, lambda: not node.leftovers()):
            return
        node.start()
        stop_quietly(node)
    raise Broken("left: " + "; ".join(node.leftovers()[:4]))


def fresh(node, name):
    """The first start of a crisp, a pod, and its end."""
    with crisp_of_its_own(node, name) as sub:
        sub.start()
        sub.cri.until("PullImage", {"image": {"image": sub.registry + "/busybox:latest"}})
        pod, _ = one_pod(sub, "first", 3)
        sub.remove_pod(pod)
        stop_quietly(sub)
        no_trace(sub)


def power_cut(node, name):
    """Another boot: records that say nothing go, or are those before. In the same boot they are set aside."""
    with crisp_of_its_own(node, name) as sub:
        sub.start()
        sub.cri.until("PullImage", {"image": {"image": sub.registry + "/busybox:latest"}})
        kept, _ = one_pod(sub, "kept", 3)
        lost, c = one_pod(sub, "lost", 4)
        sub.stop()
        root = sub.dir + "/root"
        for path in glob.glob("%s/containers/%s*" % (root, c)):
            open(path, "w").close()
        open(root + "/sandboxes/%s.json.tmp" % ("0" * 64), "w").close()
        for path in glob.glob(root + "/images/*.json"):
            shutil.copy(path, path + ".old")
            open(path, "w").close()
        with open(root + "/boot", "w") as f:
            f.write("00000000-0000-0000-0000-000000000000\n")
        since = sub.log_size()
        sub.start()
        if not sub.cri.until("ListImages")["images"] and not sub.log_says("record_unreadable record=images/", since):
            raise Broken("the image of the generation before is gone") # but where the disk refuses, which is told
        sub.stop()
        with open(root + "/images/damaged.json", "w") as f:
            f.write("{")
        sub.start()
        wait_for(5, lambda: glob.glob(root + "/images/*.corrupt") or sub.log_says("cannot be set aside", 0), "a damaged record is not set aside")
        for path in glob.glob(root + "/images/*.corrupt") + glob.glob(root + "/images/damaged.json"):
            os.unlink(path)
        sub.clear()
        stop_quietly(sub)
        no_trace(sub)


def check(node, name):
    """crisp check looks at the networks of all pods."""
    path = native_network(node, name)
    try:
        pod, _ = node.run_pod(name, "crun", network=True)
    finally:
        node.no_conflist(path)
    plain, _ = node.run_pod(name + "-plugins", "crun", network=True)

    def once():
        r = subprocess.run([os.path.join(node.build, "crisp"), "check"], capture_output=True, text=True, timeout=60,
                           env={"CRISP_ADDRESS": "unix://%s/state/crisp.sock" % node.dir, "PATH": os.environ["PATH"]})
        return r.returncode in (0, 1) and r.stdout != ""  # 1: rules that the pods of other nodes need are in the same table

    wait_for(30, once, "crisp check does not come to its end")
    node.remove_pod(plain)
    node.remove_pod(pod)


def alone(node, name):
    """The anchor is killed, and the service is restarted, as its log asks for. A container that lives is not harmed."""
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "until [ -e /tmp/go ]; do sleep 0.02; done; exit 4")
    node.start_container(c)
    anchor = node.pid_of("anchor")
    if anchor:
        os.kill(anchor, signal.SIGKILL)
        wait_for(10, lambda: not os.path.exists("/proc/%d/exe" % anchor), "the anchor lives on")
    node.restart()
    node.touch(c, "/tmp/go")
    code = node.wait_exit(c)["exit_code"]
    if code not in (4, 255): # 255: crisp-keeper(8), "all, the anchor too"
        raise Broken("exit code %d instead of 4" % code)
    node.remove_pod(pod)
