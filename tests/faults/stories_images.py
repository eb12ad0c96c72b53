"""stories_images.py - stories of stories.py: what a client does with images."""
import hashlib, json, os, subprocess

from cri import CriError
from node import Broken, wait_for
from stories_pods import expect_error


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


def no_image(node, name):
    """An image that is not there is not there."""
    try:
        node.cri.until("PullImage", {"image": {"image": node.registry + "/nothing:latest"}}, again=("UNAVAILABLE", "CANCELLED"))
        raise Broken("an image that does not exist was pulled")
    except CriError as e:
        if e.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise


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
