"""stories.py - what a client does while the daemons are killed. A story ends with everything removed, or raises Broken or CriError.

Each story is a function of a Node and a name that no other pod has. Calls are repeated as the kubelet repeats them. They stand in stories_*.py;
here is their order, and those whose first try fails.
"""
import contextlib, os

from cri import CriError
from node import Broken
from stories_daemons import alone, check, fresh, new_keeper, power_cut, recovery, reload, service
from stories_images import archives, bad_images, no_image, pull, rude
from stories_networks import broken_del, hidden_pins, hung_plugin, network, network_again, no_network
from stories_pods import (checkpoint, created, life, native, native_fails, native_stubborn, pause, pod, refused, runc, sandbox, shim, stubborn,
                          terminal, userns, wrong_limits)
from stories_streams import forward, hang_up, no_port, stream


# In the order in which a point is given to a story: quick ones first.
PLAIN = [runc, pod, native, shim, sandbox, network, native_fails, life, created, pull, pause, terminal, recovery, new_keeper, refused, wrong_limits, no_network,
         broken_del, no_image, reload, service, userns, hidden_pins, stream, forward, no_port, hang_up, rude, bad_images, checkpoint, fresh,
         network_again, check, archives, alone, stubborn, native_stubborn, hung_plugin, power_cut]


# What is undone after a call that failed: a story, and the point at which its first try fails. make faults ARGS='--explore zzz' tells
# which points are passed by such a pair only.
FAILING = [
    ("runc", "crispd bundle.write_whole.write.before", "ENOSPC"), ("runc", "crispd record.write_all.write.before", "ENOSPC"),
    ("runc", "crispd create.create_undo.rmdir.before", "EIO"), ("runc", "crispd sandbox_files.remove_dir.rmdir.before", "EIO"),
    ("life", "crispd logfile.logfile_append.write.before", "ENOSPC"),
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
    tell = next(s for s in PLAIN if s.__name__ == base)
    def story(node, name):
        program, where = point.split()
        words = order.replace("keeper", str(node.pid_of("keeper"))) if order.startswith("kill ") else "err " + order
        path = node.arm(program, where, 1, words)
        try:
            tell(node, name)
            name = None
        except (CriError, Broken) as e:
            if getattr(e, "code", "") in ("UNAVAILABLE", "DEADLINE_EXCEEDED") or isinstance(e, Broken) and "StartError" not in str(e):
                raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if name:
            for left in node.cri.until("ListPodSandbox")["items"]:
                if left["metadata"]["name"] != "steady":
                    node.remove_pod(left["id"])
            tell(node, name + "-2")
    story.__name__ = "%s_%s" % (base, point.split(".", 1)[1].replace(".", "_"))
    return story


STORIES = PLAIN + [failing(*f) for f in FAILING]
