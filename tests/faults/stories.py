"""stories.py - what a client does while the daemons are killed. A story ends with everything removed, or raises Broken or CriError.

Each story is a function of a Node and a name that no other pod has. Calls are repeated as the kubelet repeats them.
"""
import contextlib, glob, hashlib, json, os, re, shutil, signal, socket, subprocess, sys, threading

from cri import CriError
from node import Broken, Node, wait_for


def pod(node, name):
    """A pod with a network of its own, a container that ends with 7."""
    node.pool_ready()
    pod, config = node.run_pod(name, "crun", network=True)
    c = node.create(pod, config, name, "echo out; echo err >&2; exit 7")
    node.start_container(c)
    node.expect_exit(c, 7)
    got = wait_for(5, lambda: sorted(node.lines(name + ".log")) == [("stderr", "err"), ("stdout", "out")])
    if not got:
        raise Broken("log: %r" % node.lines(name + ".log"))
    node.remove_pod(pod)


def runc(node, name):
    """The same with runc and without a network, and the container is removed by its own call."""
    pod, config = node.run_pod(name, "runc")
    c = node.create(pod, config, name, "for i in 1 2 3 4 5; do echo line $i; done; exit 9")
    node.start_container(c)
    node.expect_exit(c, 9)
    node.expect_lines(name + ".log", [("stdout", "line %d" % i) for i in range(1, 6)])
    node.cri.until("RemoveContainer", {"container_id": c})
    node.remove_pod(pod)


def life(node, name):
    """A running container: an exec, new limits, a rotated log, and a stop in its grace time."""
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, 'trap "echo bye; exit 3" TERM; echo up; until [ -e /tmp/turned ]; do sleep 0.02; done; '
                    'echo on; while :; do sleep 0.02; done', linux={"resources": {"cpu_shares": 512}})
    node.start_container(c)
    wait_for(10, lambda: ("stdout", "up") in node.lines(name + ".log"), "no line in the log after the start")
    code, out, err = node.exec(c, "echo out; echo err >&2; exit 4")
    if (code, out, err) != (4, "out\n", "err\n"):
        raise Broken("exec: %r" % ((code, out, err),))
    node.cri.until("UpdateContainerResources", {"container_id": c, "linux": {"cpu_shares": 256}})
    old, now = "%s/logs/%s.log.1" % (node.dir, name), "%s/logs/%s.log" % (node.dir, name)
    os.rename(now, old)
    node.cri.until("ReopenContainerLog", {"container_id": c})
    wait_for(5, lambda: os.path.exists(now), "no log after ReopenContainerLog")
    node.touch(c, "/tmp/turned")
    wait_for(10, lambda: os.path.exists(now) and ("stdout", "on") in node.lines(name + ".log"), "no line in the rotated log")
    node.cri.until("StopContainer", {"container_id": c, "timeout": 10})
    node.expect_exit(c, 3)
    node.expect_lines(name + ".log", [("stdout", "on"), ("stdout", "bye")])
    node.expect_lines(name + ".log.1", [("stdout", "up")])
    node.cri.until("RemoveContainer", {"container_id": c})
    node.remove_pod(pod)


def native(node, name):
    """A container that crisp starts itself, and an exec in it."""
    pod, config = node.run_pod(name, "native")
    c = node.create(pod, config, name, "echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 9")
    node.start_container(c)
    answer = node.exec(c, "echo out; exit 4")
    if answer != (4, "out\n", ""):
        raise Broken("exec: %r" % (answer,))
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 9)
    node.expect_lines(name + ".log", [("stdout", "up")])
    node.remove_pod(pod)


def shim(node, name):
    """A container of containerd's runc shim. A start that was cut off may end with StartError (docs/handlers.md): then another is made."""
    pod, config = node.run_pod(name, "shim")
    for attempt in (1, 2):
        log = "%s-%d" % (name, attempt)
        c = node.create(pod, config, log, "echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 9")
        node.start_container(c)
        if node.status(c)["reason"] != "StartError":
            break
    answer = node.exec(c, "echo out; exit 4")
    if answer != (4, "out\n", ""):
        raise Broken("exec: %r" % (answer,))
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 9)
    node.expect_lines(log + ".log", [("stdout", "up")])
    node.remove_pod(pod)


def sandbox(node, name):
    """A pod whose sandbox its shim has, with a shared PID namespace: a container in it, and the status that the shim tells."""
    node.pool_ready()
    pod, config = node.run_pod(name, "api", network=True, security={"pid": "POD"})
    c = node.create(pod, config, name, "echo up; until [ -e /tmp/go ]; do sleep 0.02; done; exit 9")
    node.start_container(c)
    node.cri.until("PodSandboxStatus", {"pod_sandbox_id": pod, "verbose": True})
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 9)
    node.expect_lines(name + ".log", [("stdout", "up")])
    node.remove_pod(pod)


def pull(node, name):
    """An image with two VOLUMEs is pulled, a container of it runs, and it is removed."""
    image = node.registry + "/faults:latest"
    node.cri.until("RemoveImage", {"image": {"image": image}})
    node.cri.until("PullImage", {"image": {"image": image}}, again=("UNAVAILABLE", "CANCELLED"))
    if not node.cri.until("ImageStatus", {"image": {"image": image}})["image"]:
        raise Broken("the image is not there after its pull")
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "sha256sum /big | cut -c1-64; cat /second /data/file; echo written > /empty/x; cat /empty/x", image={"image": image})
    node.start_container(c)
    node.expect_exit(c, 0)
    node.expect_lines(name + ".log", [("stdout", big_sum()), ("stdout", "second"), ("stdout", "filled"), ("stdout", "written")])
    node.remove_pod(pod)
    node.cri.until("RemoveImage", {"image": {"image": image}})
    if node.cri.until("ImageStatus", {"image": {"image": image}})["image"]:
        raise Broken("the image is there after its removal")


def big_sum(known=[]):
    if not known:
        import random
        known.append(hashlib.sha256(random.Random("big").randbytes(BIG)).hexdigest())
    return known[0]


BIG = 300000


def pause(node, name):
    """A pod with a shared PID namespace, stopped with a running container in it."""
    pod, config = node.run_pod(name, "crun", security={"pid": "POD"})
    c = node.create(pod, config, name, "exec sleep 1000", linux={"security_context": {"namespace_options": {"network": "NODE", "pid": "POD"}}})
    node.start_container(c)
    node.cri.until("StopPodSandbox", {"pod_sandbox_id": pod})
    node.wait_exit(c)
    node.cri.until("RemovePodSandbox", {"pod_sandbox_id": pod})


def userns(node, name):
    """A pod in a user namespace, with idmapped volumes and a volume that is an image."""
    ids = [{"host_id": 200000, "container_id": 0, "length": 65536}]
    options = {"mode": "POD", "uids": ids, "gids": ids}
    volume = "%s/volume-%s" % (node.dir, name)
    os.makedirs(volume, exist_ok=True)
    with open(volume + "/file", "w"):
        pass
    pod, config = node.run_pod(name, "runc", network=True, security={"userns_options": options})
    c = node.create(pod, config, name, "cat /image/etc/passwd | wc -l; stat -c %u /volume; exit 5",
                    linux={"security_context": {"namespace_options": {"pid": "CONTAINER", "userns_options": options}}},
                    mounts=[{"container_path": "/volume", "host_path": volume, "uidMappings": ids, "gidMappings": ids},
                            {"container_path": "/file", "host_path": volume + "/file", "uidMappings": ids, "gidMappings": ids},
                            {"container_path": "/image", "readonly": True, "image": {"image": node.registry + "/busybox:latest"}}])
    node.start_container(c)
    node.expect_exit(c, 5)
    node.expect_lines(name + ".log", [("stdout", "3"), ("stdout", "0")])
    node.remove_pod(pod)
    shutil.rmtree(volume)


def terminal(node, name):
    """A container with a terminal."""
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "echo on a terminal; exit 6", tty=True)
    node.start_container(c)
    node.expect_exit(c, 6)
    node.expect_lines(name + ".log", [("stdout", "on a terminal")])
    node.remove_pod(pod)


def refused(node, name):
    """A sandbox and a container that cannot be made: what was made for them is given back."""
    for sysctls in ({"net.nothing.here": "1"},):
        try:
            node.run_pod(name + "-bad", "crun", network=True, linux={"sysctls": sysctls, "security_context": {"namespace_options": {"pid": "CONTAINER"}}})
            raise Broken("a pod with a wrong sysctl was made")
        except CriError as e:
            if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                raise
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "", command=["/no/such/program"])
    try:
        node.start_container(c)
        if node.status(c)["state"] == "CONTAINER_RUNNING":
            raise Broken("a program that does not exist runs")
    except CriError as e:
        if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise
    s = node.status(c)
    if s["state"] != "CONTAINER_EXITED" or s["exit_code"] == 0:
        raise Broken("a failed start left %s, exit code %d" % (s["state"], s["exit_code"]))
    node.remove_pod(pod)


def stubborn(node, name, handler="crun"):
    """A container that ignores SIGTERM, and an exec that takes too long: both are killed."""
    pod, config = node.run_pod(name, handler)
    c = node.create(pod, config, name, 'trap "" TERM; echo up; while :; do sleep 0.05; done')
    node.start_container(c)
    wait_for(10, lambda: ("stdout", "up") in node.lines(name + ".log"), "no line in the log after the start")
    try:
        node.exec(c, "sleep 100", timeout=1)
        raise Broken("an exec with a timeout of 1 s slept for 100 s")
    except CriError as e:
        if e.code not in ("DEADLINE_EXCEEDED",):
            raise
    node.cri.until("StopContainer", {"container_id": c, "timeout": 1})
    node.expect_exit(c, 137)
    node.remove_pod(pod)


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


def network(node, name):
    """A pod in a network that crisp-net makes."""
    path = native_network(node, name)
    try:
        pod, config = node.run_pod(name, "crun", network=True)
    finally:
        node.no_conflist(path)
    c = node.create(pod, config, name, "ip -4 addr show eth0 | grep -c 10.%d.; exit 6" % (150 + node.number))
    node.start_container(c)
    node.expect_exit(c, 6)
    node.expect_lines(name + ".log", [("stdout", "1")])
    node.remove_pod(pod)


def native_fails(node, name):
    """Natively: a program that does not exist, one that is no program, then a terminal."""
    file = "%s/file-%s" % (node.dir, name)
    with open(file, "w") as f:
        f.write("no program\n")
    os.chmod(file, 0o755)
    pod, config = node.run_pod(name, "native")
    for n, command in enumerate(("/no/such/program", "/file")):
        c = node.create(pod, config, "%s-%d" % (name, n), "", command=[command], mounts=[{"container_path": "/file", "host_path": file}])
        try:
            node.start_container(c)
            if node.status(c)["state"] == "CONTAINER_RUNNING":
                raise Broken("%s runs" % command)
        except CriError as e:
            if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                raise
        if node.wait_exit(c)["exit_code"] == 0:
            raise Broken("a failed start left exit code 0")
    c = node.create(pod, config, name + "-tty", "echo on a terminal; exit 6", tty=True)
    node.start_container(c)
    node.expect_exit(c, 6)
    node.expect_lines(name + "-tty.log", [("stdout", "on a terminal")])
    node.remove_pod(pod)
    os.unlink(file)


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


def checkpoint(node, name):
    """A container is checkpointed, and restored as another one. Where CRIU does not work, it runs on."""
    archive = "%s/%s.tar" % (node.dir, name)
    pod, config = node.run_pod(name, "runc", network=True)
    c = node.create(pod, config, name, 'trap "exit 4" TERM; while :; do sleep 0.05; done')
    node.start_container(c)
    try:
        node.cri.until("CheckpointContainer", {"container_id": c, "location": archive, "timeout": 20}, again=("UNAVAILABLE", "ALREADY_EXISTS"))
    except CriError as e:
        if e.code != "INTERNAL" and e.code != "FAILED_PRECONDITION":
            raise
        node.cri.until("StopContainer", {"container_id": c, "timeout": 10})
        node.expect_exit(c, 4)
        return node.remove_pod(pod)
    node.cri.until("StopContainer", {"container_id": c, "timeout": 0})
    r = node.create(pod, config, name + "-again", "", image={"image": archive}, command=[])
    node.start_container(r)
    if node.status(r)["state"] != "CONTAINER_RUNNING":
        raise Broken("the restored container is %s" % node.status(r)["state"])
    node.cri.until("StopContainer", {"container_id": r, "timeout": 10})
    node.expect_exit(r, 4)
    node.remove_pod(pod)
    os.unlink(archive)


def stream(node, name):
    """An exec over the streaming server."""
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "exec sleep 1000")
    node.start_container(c)
    client = os.path.join(node.root, "tests/lib/stream_client")

    def once():
        url = node.cri.until("Exec", {"container_id": c, "cmd": ["sh", "-c", "echo through; exit 2"], "stdout": True, "stderr": True})["url"]
        r = subprocess.run([sys.executable, client, "command", url, "out,err"], capture_output=True, text=True, timeout=20)
        return "through" in r.stdout

    wait_for(20, once, "no exec over the streaming server")
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


def forward(node, name):
    """Bytes through a forwarded port."""
    pod, config = node.run_pod(name, "crun")
    client = os.path.join(node.root, "tests/lib/stream_client")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    echo = subprocess.Popen([sys.executable, client, "echo", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def once():
        url = node.cri.until("PortForward", {"pod_sandbox_id": pod, "port": [port]})["url"]
        return subprocess.run([sys.executable, client, "forward", url, str(port), "2", "100000"], capture_output=True, timeout=20).returncode == 0

    try:
        wait_for(20, once, "no bytes through a forwarded port")
    finally:
        echo.kill()
        echo.wait()
    node.remove_pod(pod)


def no_image(node, name):
    """An image that is not there is not there."""
    try:
        node.cri.until("PullImage", {"image": {"image": node.registry + "/nothing:latest"}}, again=("UNAVAILABLE", "CANCELLED"))
        raise Broken("an image that does not exist was pulled")
    except CriError as e:
        if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise


def no_network(node, name):
    """A plugin that fails: nothing is left of the pod, and the next pod has its network."""
    path, since = node.dir + "/cni/05-broken.conflist", node.log_size()
    with open(path + ".new", "w") as f:
        f.write('{"cniVersion": "1.0.0", "name": "broken", "plugins": [{"type": "cni_fake", "mode": "error", "label": "x", "log": "%s/fake.log"}]}' % node.dir)
    os.rename(path + ".new", path)
    try:
        wait_for(10, lambda: node.log_says("network=broken ", since), "the new network is not seen")
        node.run_pod(name, "crun", network=True)
        raise Broken("a pod was made whose plugin fails")
    except CriError as e:
        if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise
    finally:
        node.no_conflist(path)
    for pod in node.cri.until("ListPodSandbox")["items"]:
        if pod["metadata"]["name"] == name:
            node.remove_pod(pod["id"])


def expect_error(call, what):
    """A call that must fail, and not because a daemon was away."""
    try:
        call()
    except CriError as e:
        if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise
        return
    raise Broken(what + " succeeded")


def remove_named(node, name):
    for pod in node.cri.until("ListPodSandbox")["items"]:
        if pod["metadata"]["name"] == name:
            node.remove_pod(pod["id"])


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


def created(node, name):
    """A container that has not been started, with a file as volume and a log directory that is not there: new limits, an exec; then it is started."""
    file = "%s/file-%s" % (node.dir, name)
    with open(file, "w") as f:
        f.write("volume\n")
    pod, config = node.run_pod(name, "runc", log_directory="%s/logs/new-%s/deep" % (node.dir, name))
    c = node.create(pod, config, name, "cat /file; exit 2", linux={"resources": {"cpu_shares": 512}},
                    mounts=[{"container_path": "/file", "host_path": file}])
    node.cri.until("UpdateContainerResources", {"container_id": c, "linux": {"cpu_shares": 256}})
    expect_error(lambda: node.exec(c, "true"), "an exec in a container that does not run")
    node.start_container(c)
    node.expect_exit(c, 2)
    node.expect_lines("new-%s/deep/%s.log" % (name, name), [("stdout", "volume")])
    node.remove_pod(pod)
    os.unlink(file)


def wrong_limits(node, name):
    """Limits that the kernel refuses for a container that runs: the old ones hold."""
    pod, config = node.run_pod(name, "runc")
    c = node.create(pod, config, name, "until [ -e /tmp/go ]; do sleep 0.02; done; exit 2", linux={"resources": {"memory_limit_in_bytes": 50 << 20}})
    node.start_container(c)
    expect_error(lambda: node.cri.until("UpdateContainerResources", {"container_id": c, "linux": {"cpuset_cpus": "9999"}}), "an update to CPUs that do not exist")
    node.touch(c, "/tmp/go")
    node.expect_exit(c, 2)
    node.remove_pod(pod)


def network_again(node, name):
    """crispd dies, and another firewall flushes all tables, while a pod lives in a network of crisp-net."""
    path = native_network(node, name)
    try:
        pod, _ = node.run_pod(name, "crun", network=True)
        node.kill("crispd")
        node.serves()
        other, _ = node.run_pod(name + "-2", "crun", network=True)
        subprocess.run(["nft", "delete", "table", "inet", "crisp"], capture_output=True)  # the story of another node may have done it
        wait_for(10, lambda: "masq-" in subprocess.run(["nft", "list", "table", "inet", "crisp"], capture_output=True, text=True).stdout,
                 "the rules are not made again")
    finally:
        node.no_conflist(path)
    node.remove_pod(other)
    node.remove_pod(pod)


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


def archives(node, name):
    """Images are imported, exported and imported again."""
    spec = os.path.join(node.dir, name + ".spec")
    with open(spec, "w") as f:
        json.dump([{"repo": "archives.test/" + name, "layers": [{"entries": [{"path": "f", "data": name}]}, {"entries": [{"path": "g", "data": "g"}]}]}], f)
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "images", "archive")

    def crisp(*words):
        r = subprocess.run([os.path.join(node.build, "crisp"), "images", *words], capture_output=True, text=True, timeout=60,
                           env={"CRISP_ADDRESS": "unix://%s/state/crisp.sock" % node.dir, "PATH": os.environ["PATH"]})
        return r.returncode == 0

    image, out = "archives.test/" + name, os.path.join(node.dir, name + ".out")
    for kind in ("oci", "docker", "crane", "oci-dir"):
        archive = os.path.join(node.dir, "%s.%s" % (name, kind))
        subprocess.run([tool, kind, archive, spec], check=True, stdout=subprocess.DEVNULL)
        wait_for(30, lambda: crisp("import", archive), "the import of %s does not come to its end" % kind)
        if kind == "crane":
            wait_for(30, lambda: crisp("export", image, out), "the export does not come to its end")
            wait_for(30, lambda: crisp("import", out), "the import of the export does not come to its end")
    for i in node.cri.until("ListImages", {})["images"]:
        if any(t.startswith(image + ":") for t in i["repo_tags"]):
            node.cri.until("RemoveImage", {"image": {"image": i["id"]}})
    crisp("import", out + ".none")  # fails


def native_network(node, name):
    """The first network is one of crisp-net's, of its own name. Returns the path of its file."""
    since = node.log_size()
    path = node.conflist("05-native", "nat-" + name, "nat%d" % node.number, 150 + node.number)
    try:
        wait_for(10, lambda: node.log_says("network=nat-%s " % name, since), "the new network is not seen")
    except Broken:
        os.unlink(path)
        raise
    return path


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


def hung_plugin(node, name):
    """A plugin that hangs: the pod is listed, and a stop gives its network up."""
    go, since = node.dir + "/go-" + name, node.log_size()
    path = node.dir + "/cni/05-hung.conflist"
    with open(path + ".new", "w") as f:
        f.write('{"cniVersion": "1.0.0", "name": "hung", "plugins": [{"type": "cni_fake", "mode": "hang", "go": "%s", "label": "x", "log": "%s/fake.log"}]}'
                % (go, node.dir))
    os.rename(path + ".new", path)
    done = threading.Event()

    def run():
        with contextlib.suppress(CriError, Broken):
            node.run_pod(name, "crun", network=True)
        done.set()

    try:
        wait_for(10, lambda: node.log_says("network=hung ", since), "the new network is not seen")
        threading.Thread(target=run).start()
        wait_for(15, lambda: any(p["metadata"]["name"] == name for p in node.cri.until("ListPodSandbox")["items"]), "a pod whose plugin hangs is not listed")
    finally:
        node.no_conflist(path)
    remove_named(node, name)
    with open(go, "w"):
        pass
    if not wait_for(60, done.is_set):
        raise Broken("RunPodSandbox does not end")
    remove_named(node, name)
    os.unlink(go)


def broken_del(node, name):
    """DEL fails until its plugin is mended: the pod stays until then."""
    path, since = node.dir + "/cni/05-del.conflist", node.log_size()
    with open(path + ".new", "w") as f:
        f.write('{"cniVersion": "1.0.0", "name": "del", "plugins": [{"type": "cni_fake", "mode": "ok", "ip": "10.9.9.9/24", "label": "x", "log": "%s/fake.log"}]}'
                % node.dir)
    os.rename(path + ".new", path)
    try:
        wait_for(10, lambda: node.log_says("network=del ", since), "the new network is not seen")
        pod, _ = node.run_pod(name, "crun", network=True)
    finally:
        node.no_conflist(path)
    with replaced(node.dir + "/bin/cni_fake", "/bin/false"):
        expect_error(lambda: node.cri.until("StopPodSandbox", {"pod_sandbox_id": pod}), "a stop whose DEL fails")
    node.remove_pod(pod)


@contextlib.contextmanager
def replaced(link, to):
    was = os.readlink(link)

    def point(target):
        os.symlink(target, link + ".new")
        os.rename(link + ".new", link)

    point(to)
    try:
        yield
    finally:
        point(was)


def hidden_pins(node, name):
    """The directory of the pins becomes a mount of its own below a living pod, as by the first `ip netns add` of a host."""
    pins = node.dir + "/netns"
    pod, _ = node.run_pod(name, "crun", network=True)
    subprocess.run(["mount", "--rbind", pins, pins], check=True)
    try:
        subprocess.run(["mount", "--make-rshared", pins], check=True)
        node.cri.until("StopPodSandbox", {"pod_sandbox_id": pod})
    finally:
        subprocess.run(["umount", "-l", pins], check=True)
    node.remove_pod(pod)
    pod, _ = node.run_pod(name + "-2", "crun", network=True)
    subprocess.run(["mount", "-t", "tmpfs", "hides", pins], check=True)
    try:
        node.cri.until("StopPodSandbox", {"pod_sandbox_id": pod})
    finally:
        subprocess.run(["umount", "-l", pins], check=True)
    node.remove_pod(pod)


def pull_from(node, image, good, auth={}):
    """good: it comes; else its pull fails, and nothing of it is there."""
    ref = {"image": {"image": image}}
    pull = lambda: node.cri.until("PullImage", dict(ref, auth=auth), again=("UNAVAILABLE", "CANCELLED"))
    if not good:
        return expect_error(pull, "the pull of " + image)
    pull()
    if not node.cri.until("ImageStatus", ref)["image"]:
        raise Broken("%s is not there after its pull" % image)
    node.cri.until("RemoveImage", ref)


def rude(node, name):
    """Registries that misbehave, and one that asks for a token."""
    address = node.rude_registry()
    for rule in ("status503x1", "reset1", "norange1"):
        pull_from(node, "%s/%s/%s" % (address, rule, name), True)
    pull_from(node, "%s/bearer/%s" % (address, name), True, {"username": "user", "password": "secret"})
    pull_from(node, "%s/bearer/%s-wrong" % (address, name), False, {"username": "user", "password": "wrong"})


def bad_images(node, name):
    """Images that cannot be pulled: what came of them is given back."""
    address = node.rude_registry()
    for rule in ("html", "rubbish", "truncated", "other", "longer", "diffid"):
        pull_from(node, "%s/%s/%s" % (address, rule, name), False)


def no_port(node, name):
    """A forwarded port on which nothing listens, and one on ::1 alone."""
    pod, _ = node.run_pod(name, "crun")
    client = os.path.join(node.root, "tests/lib/stream_client")

    def ask(port, becomes):
        url, since = node.cri.until("PortForward", {"pod_sandbox_id": pod, "port": [port]})["url"], node.log_size()
        p = subprocess.Popen([sys.executable, client, "forward", url, str(port), "1", "10"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(10, lambda: node.log_says("from=V6 to=" + becomes, since) or p.poll() is not None)
        finally:
            p.kill()
            p.wait()

    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        port = s.getsockname()[1]
        ask(port, "OVER")
        s.listen()
        ask(port, "OPEN")
    node.remove_pod(pod)


def hang_up(node, name):
    """A client of an exec leaves while it writes; its process ends."""
    pod, config = node.run_pod(name, "crun")
    c = node.create(pod, config, name, "exec sleep 1000")
    node.start_container(c)
    client = os.path.join(node.root, "tests/lib/stream_client")
    for options in ([], ["--ws"]):
        url = node.cri.until("Exec", {"container_id": c, "cmd": ["sh", "-c", "while echo through; do :; done"], "stdout": True, "stderr": True})["url"]
        subprocess.run([sys.executable, client, "command", url, "out,err", "--leave", "100000"] + options, capture_output=True, timeout=30)
    node.remove_pod(pod)


def native_stubborn(node, name):
    """The same natively."""
    stubborn(node, name, "native")


# What is undone after a call that failed: a story, and the point at which its first try fails. make faults ARGS='--explore zzz' tells
# which points are passed by such a pair only.
FAILING = [
    ("runc", "crispd bundle.write_whole.write.before", "ENOSPC"), ("runc", "crispd record.write_all.write.before", "ENOSPC"),
    ("runc", "crispd create.create_undo.rmdir.before", "EIO"), ("runc", "crispd sandbox_files.remove_dir.rmdir.before", "EIO"),
    ("native_fails", "crispd console.console_listen.bind.before", "EADDRINUSE"),
    ("native", "crispd exec_file.exec_file_write.write.before", "ENOSPC"),
    ("network", "net lease.file_write.write.before", "ENOSPC"), ("network", "net inside.inside_prepare.setns.before", "ENOMEM"),
    ("network", "net lease.lease_give.unlinkat.before", "EIO"), ("network", "net result.cache_put.write.before", "ENOSPC"),
    ("pull", "crispd content.write_all.write.before", "ENOSPC"), ("pull", "crispd partial.partial_put.pwrite.before", "ENOSPC"),
    ("pull", "crispd partial.partial_open.open.before", "EMFILE"), ("pull", "crispd unpack.unpack_move_in.rename.before", "EIO"),
    ("userns", "crispd volume.volume_unmount.umount2.before", "ENOMEM"),
    ("recovery", "crispd userns.trial_make_dirs.mkdir.before", "ENOSPC"), ("recovery", "crispd userns.trial_make_rootfs.mount.before", "ENOMEM"),
    ("network", "net lease.lease_link.linkat.before", "kill self"), ("pull", "crispd content.content_put.rename.before", "kill keeper"),
    ("service", "keeper sm.crispd.RUN.END", "kill self"), ("service", "anchor work.ANCHOR_SIGNAL.before", "kill self"),
    ("recovery", "crispd send.HELLO.before", "kill keeper"), ("runc", "crispd send.FORGET.after", "kill keeper"),
    ("checkpoint", "crispd criu.write_file.write.before", "kill keeper"),
    ("checkpoint", "crispd checkpoint.checkpoint_prepare.mkdir.before", "ENOSPC"),
    ("checkpoint", "crispd checkpoint_stage.checkpoint_stage_new.mkdir.before", "ENOSPC"),
]


def failing(base, point, order):
    """The story with a first try that fails at that point, and a second one. order: an errno, or "kill" and a daemon or "self"."""
    def story(node, name):
        program, where = point.split()
        words = order.replace("keeper", str(node.pid_of("keeper"))) if order.startswith("kill ") else "err " + order
        path = node.arm(program, where, 1, words)
        try:
            globals()[base](node, name)
            name = None
        except (CriError, Broken) as e:
            if getattr(e, "code", "") in ("UNAVAILABLE", "DEADLINE_EXCEEDED") or isinstance(e, Broken) and "StartError" not in str(e):
                raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if name:
            for pod in node.cri.until("ListPodSandbox")["items"]:
                if pod["metadata"]["name"] != "steady":
                    node.remove_pod(pod["id"])
            globals()[base](node, name + "-2")
    story.__name__ = "%s_%s" % (base, point.split(".", 1)[1].replace(".", "_"))
    globals()[story.__name__] = story
    return story


# In the order in which a point is given to a story: quick ones first.
STORIES = [runc, pod, native, shim, sandbox, network, native_fails, life, created, pull, pause, terminal, recovery, new_keeper, refused, wrong_limits, no_network,
           broken_del, no_image, reload, service, userns, hidden_pins, stream, forward, no_port, hang_up, rude, bad_images, checkpoint, fresh,
           network_again, check, archives, alone, stubborn, native_stubborn, hung_plugin, power_cut] + [failing(*f) for f in FAILING]
