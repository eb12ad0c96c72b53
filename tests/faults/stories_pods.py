"""stories_pods.py - stories of stories.py: what a client does with pods and containers."""
import os, shutil

from cri import CriError
from node import Broken, wait_for


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


def native_stubborn(node, name):
    """The same natively."""
    stubborn(node, name, "native")
