"""Tells the disks that several machines may share from the ones that are this machine's alone."""

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
SHARED = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "virtiofs", "ncpfs"),
        *("lustre", "gpfs", "mmfs", "beegfs", "ceph", "glusterfs", "panfs", "wekafs", "pvfs2"),
        *("orangefs", "ocfs2", "gfs2", "prl_fs", "vboxsf", "vmhgfs"),
    }
)
"""What Linux calls the file systems that other machines can write to as well."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def shared_disk(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return how the file system of a path is called when other machines may share it, else None.

    A file system that a program provides (fuse.…) counts as shared: sshfs and the like are. Where
    there is no list of mounts (macOS) nothing is known, and nothing is said.
    """
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    place = path.resolve()
    found, depth = "", -1
    for line in table.splitlines():
        _, where, kind, *_ = line.split(" ")
        mounted = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), where))
        # A later mount on the same place hides the earlier one; autofs is only the way to one.
        if kind != "autofs" and len(mounted.parts) >= depth and place.is_relative_to(mounted):
            found, depth = kind, len(mounted.parts)
    return found if found in SHARED or found.startswith("fuse.") else None
