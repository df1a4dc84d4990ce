"""How much of this computer an evaluation may use."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from nixgen.errors import UsageError

__all__ = ["MEMORY_VARIABLE", "WORKERS_VARIABLE", "Limits", "available_memory", "human_memory"]

WORKERS_VARIABLE = "NIXGEN_EVAL_WORKERS"
MEMORY_VARIABLE = "NIXGEN_EVAL_MEMORY"

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
#: the least that an evaluation of NixOS needs; with less for each, fewer are better
_SHARE = 1 << 30
_SMALLEST = 1 << 26


@frozen(kw_only=True)
class Limits:
    """
    :param workers: evaluations beside each other, at least 1.
    :param memory: bytes of all of them together.
    """

    workers: int
    memory: int

    @classmethod
    def of_host(
        cls,
        *,
        workers: int | None = None,
        memory: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Limits:
        """What is given; else what the environment says; else a worker for each processor and three quarters of the memory
        that is free, but no more workers than have a gigabyte each.

        :param memory: bytes, or such as ``4G``: powers of 1024.
        :raises UsageError: a value is no number, or too small.
        """
        size = _size("--eval-memory", memory) or _size(
            MEMORY_VARIABLE, environment.get(MEMORY_VARIABLE)
        )
        count = workers or _count(WORKERS_VARIABLE, environment.get(WORKERS_VARIABLE))
        budget = size or max(available_memory() * 3 // 4, _SMALLEST)
        return cls(
            workers=count or max(1, min(len(os.sched_getaffinity(0)), budget // _SHARE)),
            memory=budget,
        )


def _size(name: str, text: str | None) -> int | None:
    if not text:
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"{name} is no amount of memory: {text!r}", hint="write it as 4G, 512M or in bytes"
        )
    size = int(float(found[1]) * _UNITS[found[2].upper()])
    if size < _SMALLEST:
        raise UsageError(
            f"{name} is {human_memory(size)}, with which nothing can be evaluated",
            hint=f"give it {human_memory(_SMALLEST)} or more, such as 4G",
        )
    return size


def _count(name: str, text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(
            f"{name} is no number of evaluations at a time: {text!r}", hint="write it as 1, 2, …"
        )
    return int(text)


def human_memory(size: int) -> str:
    """As it is written on the command line: ``4G``, ``1.5G``."""
    unit, one = next((u, n) for u, n in reversed(_UNITS.items()) if size >= n or n == 1)
    return f"{size / one:.1f}".removesuffix(".0") + unit


def available_memory(*, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that a new program may use, of the computer and of the control groups that this process is in."""
    free = [_meminfo(proc / "meminfo")]
    free += _headroom(proc / "self/cgroup", cgroups)
    return max(0, min(free))


def _meminfo(file: Path) -> int:
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB", file.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _headroom(membership: Path, mount: Path) -> list[int]:
    """What each control group around this process leaves (cgroups(7), version 2, or the memory controller of version 1)."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    found: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = mount, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = mount / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder == top.parent:
                break
            limit, usage = _number(folder / names[0]), _number(folder / names[1])
            if limit is not None and usage is not None:
                # what the kernel would give up at once is as good as free
                found.append(limit - usage + _statistic(folder / "memory.stat", names[2]))
    return found


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # there is none, or it says "max"
        return None


def _statistic(file: Path, name: str) -> int:
    try:
        found = re.search(rf"^{name} (\d+)$", file.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
