"""stories_streams.py - stories of stories.py: what a client does with streams: exec, attach, forwarded ports."""
import os, socket, subprocess, sys

from node import wait_for


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
