"""The one file that must be in the store before any build: a static busybox, unpacked here, added by content.

The sandbox's own /bin/sh differs between builds of Nix, so nothing inside a build could unpack the first package.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import tempfile
from pathlib import Path

from nixgen.debian.archive import read_member
from nixgen.debian.download import fetch_verified
from nixgen.debian.lock import Architecture, Busybox, Locked
from nixgen.debian.mirrors import Mirrors
from nixgen.errors import LockError, StoreError, VerifyError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.store.digest import to_base32

__all__ = ["BUSYBOX", "busybox_of", "busybox_path", "ensure_busybox"]

#: The package, and the store path's name.
BUSYBOX = "busybox-static"
NAME = "busybox-seed"
# Since 1.37 Debian installs it below usr/ (merged /usr).
_PLACES = ("bin/busybox", "usr/bin/busybox")
_SECONDS = 60.0


def _nar_string(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data + b"\0" * (-len(data) % 8)


def _node(*words: bytes) -> bytes:
    return b"".join(map(_nar_string, (b"(", *words))) + _nar_string(b")")


def _entry(name: bytes, node: bytes) -> bytes:
    body = _nar_string(b"name") + _nar_string(name) + _nar_string(b"node") + node
    return _nar_string(b"entry") + _nar_string(b"(") + body + _nar_string(b")")


def _directory(name: bytes, node: bytes) -> bytes:
    head = b"".join(map(_nar_string, (b"(", b"type", b"directory")))
    return head + _entry(name, node) + _nar_string(b")")


def _seed_nar_hash(content: bytes) -> bytes:
    """SHA-256 of the NAR of a folder with bin/busybox in it (E. Dolstra's thesis, figure 5.2).

    A folder, because busybox looks at the name that it is called by, and a store path's own name has a hash in it.
    """
    file = _node(b"type", b"regular", b"executable", b"", b"contents", content)
    nar = _nar_string(b"nix-archive-1") + _directory(b"bin", _directory(b"busybox", file))
    return hashlib.sha256(nar).digest()


def _extract(package: Locked, mirrors: Mirrors) -> bytes:
    deb = fetch_verified(
        mirrors, package.archive, package.path, package.sha256, what=f"{BUSYBOX} {package.version}"
    )
    for place in _PLACES[:-1]:
        try:
            return read_member(deb, place)
        except VerifyError as error:
            if "has no file" not in error.message:
                raise
    return read_member(deb, _PLACES[-1])


def busybox_of(package: Locked, mirrors: Mirrors) -> Busybox:
    """The hashes to lock, from the package itself.

    :raises MirrorError: the package cannot be downloaded as locked.
    :raises VerifyError: its archive is unsafe.
    """
    content = _extract(package, mirrors)
    digest = base64.b64encode(_seed_nar_hash(content)).decode()
    return Busybox(sha256=hashlib.sha256(content).hexdigest(), nar_hash=f"sha256-{digest}")


def busybox_path(busybox: Busybox, *, store: str = "/nix/store") -> str:
    """The folder that holds bin/busybox in the store: a fixed-output path depends on nothing but its hash and name."""
    inner = base64.b64decode(busybox.nar_hash.removeprefix("sha256-")).hex()
    text = f"source:sha256:{inner}:{store}:{NAME}"
    return f"{store}/{_compressed(hashlib.sha256(text.encode()).digest())}-{NAME}"


def _compressed(digest: bytes) -> str:
    """Nix folds a hash to 20 bytes for a store path (thesis, section 5.1)."""
    folded = bytearray(20)
    for position, byte in enumerate(digest):
        folded[position % 20] ^= byte
    return to_base32(bytes(folded))


def ensure_busybox(locked: Architecture, mirrors: Mirrors, runner: Runner) -> str:
    """The store path of the folder with bin/busybox, downloaded and added unless it is valid already.

    :raises MirrorError: the package is unreachable or superseded (says ``nixgen inputs update``).
    :raises LockError: the package does not hold the executable that was locked.
    :raises StoreError: the store does not take it.
    """
    path = busybox_path(locked.busybox)
    if runner.run(Command(argv=("nix-store", "--check-validity", path), deadline=_SECONDS)).ok:
        return path
    package = locked.packages.get(BUSYBOX)
    if package is None:
        raise LockError(f"the lock has no {BUSYBOX}", hint="run `nixgen inputs update debian`")
    content = _extract(package, mirrors)
    if hashlib.sha256(content).hexdigest() != locked.busybox.sha256:
        raise LockError(
            f"{BUSYBOX} {package.version} does not hold the executable that was locked",
            hint="run `nixgen inputs update debian`",
        )
    with tempfile.TemporaryDirectory(prefix="nixgen-") as folder:
        seed = Path(folder) / NAME
        (seed / "bin").mkdir(parents=True)
        file = seed / "bin" / "busybox"
        file.write_bytes(content)
        file.chmod(0o755)
        argv = ("nix-store", "--add-fixed", "--recursive", "sha256", str(seed))
        done = runner.run(Command(argv=argv, deadline=_SECONDS))
    if not done.ok or done.text.strip() != path:
        raise StoreError(
            "the Nix store did not take the busybox that builds everything else",
            hint="check that the store is writable and has space; `nixgen doctor` says what is missing",
            details=done.stderr_tail(5) or (f"expected {path}, got {done.text.strip()}",),
        )
    return path
