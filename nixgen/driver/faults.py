"""Failures of the world that Nix reports in words, mapped once to our errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nixgen.errors import MirrorError, OutsideError, StoreError

__all__ = ["fetch_fault", "store_fault"]

_FULL = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded")
_READ_ONLY = re.compile(
    r"Read-only file system|attempt to write a readonly database|remounting .* writable"
)
_DENIED = re.compile(
    r"(?:opening|creating|cannot open|connect to|big-lock|lock file).*Permission denied"
    r"|Permission denied.*?/nix/"
    r"|cannot connect to (?:daemon|socket).*",
)
_URL = re.compile(r"(?:https?|ftp)://[^\s'\"]+")
_GONE = re.compile(
    r"HTTP error (404|410)\b|\b(404|410) Not Found|server returned error: .*\b(404|410)\b"
)
_UNREACHABLE = re.compile(
    r"unable to download|[Cc]ould(?:n't| not) resolve|[Cc]ould(?:n't| not) connect|[Tt]imed? ?out"
    r"|[Cc]onnection (?:refused|reset)|bad address|can't connect|HTTP error \d+|Temporary failure"
)
_MISMATCH = re.compile(r"hash mismatch")


def store_fault(lines: Iterable[str]) -> StoreError | None:
    """A store that cannot be written to; None when the words are about something else."""
    for line in lines:
        if _FULL.search(line):
            return StoreError(
                "the disk of the Nix store is full",
                hint="free space with: nix-collect-garbage",
                details=(line.strip(),),
            )
        if _READ_ONLY.search(line):
            return StoreError(
                "the Nix store is read-only",
                hint="mount it writable: mount -o remount,rw /nix",
                details=(line.strip(),),
            )
        if _DENIED.search(line):
            return StoreError(
                "the Nix store refuses this user",
                hint="run as a user of the Nix daemon (group nix-users), or as root",
                details=(line.strip(),),
            )
    return None


def fetch_fault(name: str, lines: Iterable[str]) -> OutsideError | None:
    """Why the fetch of ``name`` (a file of a Debian mirror) failed; None when it is unclear.

    A mirror keeps only the newest version of a package: 404 means that the lock is out of date.
    """
    text = "\n".join(lines)
    found = _URL.search(text)
    mirror = f" from {found[0]}" if found else ""
    if _GONE.search(text):
        return MirrorError(
            f"the mirror no longer has {name}{mirror}: the package was superseded",
            hint="lock the versions it has now with: nixgen inputs update debian",
        )
    if _MISMATCH.search(text):
        return MirrorError(
            f"{name}{mirror} is not the file that was locked",
            hint="try another mirror (NIXGEN_DEBIAN_MIRROR), or lock anew with:"
            " nixgen inputs update debian",
        )
    if _UNREACHABLE.search(text):
        return MirrorError(
            f"the Debian mirror cannot be reached: {name}{mirror}",
            hint="check the network, or set NIXGEN_DEBIAN_MIRROR to a mirror that answers",
        )
    return None
