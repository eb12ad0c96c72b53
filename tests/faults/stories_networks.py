"""stories_networks.py - stories of stories.py: what happens to pods' networks."""
import contextlib, os, subprocess, threading

from cri import CriError
from node import Broken, wait_for
from stories_pods import expect_error, remove_named


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
