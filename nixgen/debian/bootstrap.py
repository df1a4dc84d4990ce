"""Add a static busybox to the store, which every build needs.

Without it, no build could unpack the first package: the /bin/sh of Nix's sandbox differs between
versions of Nix. So this module unpacks busybox, and adds it by its content.
"""

from __future__ import annotations

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
from nixgen.store.digest import Hash
from nixgen.store.path import STORE, content_path

__all__ = ["BUSYBOX", "busybox_hashes", "busybox_path", "ensure_busybox"]

#: The name of the package.
BUSYBOX = "busybox-static"
#: The name of the store path.
NAME = "busybox-seed"
# Debian installs it below usr/ since version 1.37 (merged /usr).
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


def _seed_nar_hash(content: bytes) -> Hash:
    """The SHA-256 of the NAR of a folder with bin/busybox (E. Dolstra's thesis, figure 5.2).

    It is a folder and not a file, because busybox acts by the name of its file, and the name of a
    store path begins with a hash.
    """
    file = _node(b"type", b"regular", b"executable", b"", b"contents", content)
    nar = _nar_string(b"nix-archive-1") + _directory(b"bin", _directory(b"busybox", file))
    return Hash.of(nar)


def _extract(package: Locked, mirrors: Mirrors) -> bytes:
    deb = fetch_verified(mirrors, package, what=f"{BUSYBOX} {package.version}")
    for place in _PLACES[:-1]:
        try:
            return read_member(deb, place)
        except VerifyError as error:
            if "has no file" not in error.message:
                raise
    return read_member(deb, _PLACES[-1])


def busybox_hashes(package: Locked, mirrors: Mirrors) -> Busybox:
    """The hashes of busybox for the lock.

    :param package: the package that is locked.
    :param mirrors: the mirrors to download it from.
    :raises MirrorError: the package cannot be downloaded as locked.
    :raises VerifyError: its archive is unsafe.
    """
    content = _extract(package, mirrors)
    return Busybox(sha256=Hash.of(content).hex, nar_hash=_seed_nar_hash(content).sri)


def busybox_path(busybox: Busybox, *, store: str = STORE) -> str:
    """The store path of the folder with bin/busybox, which follows from its hash.

    :param busybox: the hashes of the lock.
    :param store: the store.
    """
    return content_path("source", Hash.parse(busybox.nar_hash), NAME, folder=store)


def ensure_busybox(locked: Architecture, mirrors: Mirrors, runner: Runner) -> str:
    """Download busybox and add it to the store, unless the store has it.

    :param locked: the lock of an architecture.
    :param mirrors: the mirrors to download the package from.
    :param runner: runs Nix.
    :return: the store path of the folder with bin/busybox.
    :raises MirrorError: the package is unreachable or superseded; the hint is
        ``nixgen inputs update``.
    :raises LockError: the package has another executable than the lock.
    :raises StoreError: the store does not accept it.
    """
    path = busybox_path(locked.busybox)
    if runner.run(Command(argv=("nix-store", "--check-validity", path), deadline=_SECONDS)).ok:
        return path
    package = locked.packages.get(BUSYBOX)
    if package is None:
        raise LockError(f"the lock has no {BUSYBOX}", hint="run `nixgen inputs update debian`")
    content = _extract(package, mirrors)
    if Hash.of(content).hex != locked.busybox.sha256:
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
