"""Limits on the processes and the memory of an evaluation."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from nixgen.errors import UsageError

__all__ = ["MEMORY_VARIABLE", "WORKERS_VARIABLE", "Limits", "available_memory", "memory_text"]

WORKERS_VARIABLE = "NIXGEN_EVAL_WORKERS"
MEMORY_VARIABLE = "NIXGEN_EVAL_MEMORY"

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
#: The least memory of one worker: an evaluation of NixOS needs as much.
_SHARE = 1 << 30
_SMALLEST = 1 << 26


@frozen(kw_only=True)
class Limits:
    """Limits of one evaluation.

    :param workers: the number of processes, at least 1.
    :param memory: the bytes that all of them may hold together.
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
        """The limits that the arguments or the environment set, or else those that fit this
        computer.

        These are three quarters of the free memory and a worker for each processor, but no more
        workers than a gigabyte each allows.

        :param workers: the number of processes.
        :param memory: bytes, with an optional unit as in ``4G``. Units are powers of 1024.
        :param environment: holds `WORKERS_VARIABLE` and `MEMORY_VARIABLE`.
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
            f"{name} is {memory_text(size)}, with which nothing can be evaluated",
            hint=f"give it {memory_text(_SMALLEST)} or more, such as 4G",
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


def memory_text(size: int) -> str:
    """A size as the command line takes it, such as ``4G`` or ``1.5G``.

    :param size: in bytes.
    """
    unit, one = next((u, n) for u, n in reversed(_UNITS.items()) if size >= n or n == 1)
    return f"{size / one:.1f}".removesuffix(".0") + unit


def available_memory(*, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """The bytes that a new program may use.

    :param proc: the mounted proc file system.
    :param cgroups: the mounted control groups. Those around this process may allow less than the
        computer has.
    """
    kilobytes = _number(proc / "meminfo", r"^MemAvailable:\s*(\d+) kB")
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = installed if kilobytes is None else kilobytes << 10
    return max(0, min([free, *_headroom(proc / "self/cgroup", cgroups)]))


def _headroom(membership: Path, mount: Path) -> list[int]:
    """The free bytes of each control group around this process (cgroups(7), version 1 or 2)."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    free: list[int] = []
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
            limit, usage = (_number(folder / name, r"\A(\d+)$") for name in names[:2])
            if limit is not None and usage is not None:
                # the kernel frees inactive file pages at once
                inactive = _number(folder / "memory.stat", rf"^{names[2]} (\d+)$") or 0
                free.append(limit - usage + inactive)
    return free


def _number(file: Path, pattern: str) -> int | None:
    """The number that a pattern finds in a file; None if there is none, as in "max", or no file."""
    try:
        match = re.search(pattern, file.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None
