"""Whether a path lies on a network file system, where locks and write-ahead logs are not safe."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = re.compile(
    r"(fuse\.)?(afs|beegfs|ceph|cifs|davfs2?|gcsfuse|glusterfs|gpfs|lustre|ncpfs|nfs4?|rclone"
    r"|s3fs|smb[23]?|smbfs|sshfs)"
)
MOUNTS = Path("/proc/mounts")


def network_kind(path: Path, mounts: str) -> str:
    """
    Name the network file system that *path* lies on, or return "".

    Arguments:
        path: Absolute path, links resolved; it need not exist.
        mounts: What ``/proc/mounts`` says; "" on systems without it.
    """
    if str(path).startswith(("\\\\", "//")):
        return "a network share"
    deepest, kind = -1, ""
    for line in mounts.splitlines():
        _device, point, system, *_rest = line.split(" ")
        folder = Path(point.replace("\\040", " "))
        if path.is_relative_to(folder) and len(folder.parts) >= deepest:
            deepest, kind = len(folder.parts), system
    return kind if _NETWORK.fullmatch(kind) else ""


def mounts_of_this_machine() -> str:
    """Return what this machine says of its mounts, or ""."""
    return MOUNTS.read_text("utf-8", "replace") if MOUNTS.exists() else ""
