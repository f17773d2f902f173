"""How much memory a process may still take."""

from collections.abc import Iterator
from pathlib import Path

# Of each version: folder below /sys/fs/cgroup, and the files of the limit and of the use.
_VERSIONS = {
    "": ("", "memory.max", "memory.current"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def available_bytes(root: Path = Path("/")) -> int:
    """Return the bytes that the machine and the limits of this job leave.

    Slurm and container engines limit a job by cgroups. `root` is the root of the file system.
    """
    lines = (line.split() for line in (root / "proc/meminfo").read_text().splitlines())
    machine = next(1024 * int(line[1]) for line in lines if line[0] == "MemAvailable:")
    return max(0, min([machine, *_left_by_cgroups(root)]))


def _left_by_cgroups(root: Path) -> Iterator[int]:
    """Yield what each limit leaves: that of the process's group, and those above it."""
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, name = line.split(":", 2)
        if controllers not in _VERSIONS:
            continue
        below, limit, use = _VERSIONS[controllers]
        top = root / "sys/fs/cgroup" / below
        # In a container the name may be that of the host, and only the top exists.
        for folder in (top / name.lstrip("/"), *(top / name.lstrip("/")).parents):
            if folder.is_relative_to(top) and (folder / limit).is_file():
                yield from _left(folder / limit, folder / use)


def _left(limit: Path, use: Path) -> Iterator[int]:
    text = limit.read_text().strip()
    if text != "max":
        # Pages of files that were not used of late give way to a process that needs memory.
        fields = dict(
            line.split() for line in (use.parent / "memory.stat").read_text().splitlines()
        )
        files = int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))
        yield int(text) - int(use.read_text()) + files
