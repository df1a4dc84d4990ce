"""Read package lists from a mirror: without apt, or for a suite or architecture that apt lacks."""

from __future__ import annotations

import hashlib
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path

from nixgen.debian.download import AbsentError, fetch
from nixgen.debian.index import Source
from nixgen.debian.mirrors import Mirrors
from nixgen.errors import MirrorError, MissingToolError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner

__all__ = ["sources"]

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LIST = "main/binary-{}/Packages.xz"
_SECONDS = 60.0


def _checksums(release: str) -> dict[str, str]:
    """Path → hash, from the field SHA256 (https://wiki.debian.org/DebianRepository/Format)."""
    checksums = {}
    inside = False
    for line in release.splitlines():
        if not line.startswith(" "):
            inside = line.startswith("SHA256:")
        elif inside:
            digest, _size, path = line.split()
            checksums[path] = digest
    return checksums


def _verified(release: bytes, runner: Runner, warn: Callable[[str], None]) -> str:
    """The signed text. The signature is checked if Debian's keyring is installed.

    :raises MirrorError: the signature is wrong.
    """
    text = release.decode("utf-8", "replace")
    if not _KEYRING.exists():
        warn(
            f"the mirror's signature was not checked: {_KEYRING} is missing (package debian-archive-keyring)"
        )
        return text
    with tempfile.TemporaryDirectory(prefix="nixgen-") as folder:
        signed, plain = Path(folder) / "InRelease", Path(folder) / "Release"
        signed.write_bytes(release)
        argv = ("gpgv", "--keyring", str(_KEYRING), "--output", str(plain), str(signed))
        try:
            done = runner.run(Command(argv=argv, deadline=_SECONDS))
        except MissingToolError:
            warn("the mirror's signature was not checked: gpgv is not installed")
            return text
        if not done.ok:
            raise MirrorError(
                "the mirror's InRelease is not signed by Debian",
                hint="use another mirror, or update the package debian-archive-keyring",
                details=done.stderr_tail(5),
            )
        return plain.read_text("utf-8")


def sources(
    suite: str, architecture: str, mirrors: Mirrors, runner: Runner, warn: Callable[[str], None]
) -> tuple[Source, ...]:
    """The package lists of a suite, of its updates and of its security archive.

    :param suite: such as ``bookworm``.
    :param architecture: such as ``amd64``.
    :param mirrors: the mirrors to try.
    :param runner: runs gpgv.
    :param warn: gets each warning.
    :raises MirrorError: no mirror can be reached or has the suite, or a signature is wrong.
    """
    wanted = [
        ("debian", suite),
        ("debian", f"{suite}-updates"),
        ("debian-security", f"{suite}-security"),
    ]
    lists = []
    for archive, codename in wanted:
        urls = [f"{base}/dists/{codename}" for base in mirrors.urls(archive)]
        try:
            url, raw = fetch([f"{u}/InRelease" for u in urls], what=f"the suite {codename}")
        except AbsentError as error:
            if codename == suite:
                raise
            # A suite that has just opened has no updates and no security archive yet.
            warn(f"{codename} is left out: {error.message}")
            continue
        checksums = _checksums(_verified(raw, runner, warn))
        path = _LIST.format(architecture)
        if path not in checksums:
            raise MirrorError(
                f"{codename} has no list for {architecture}",
                hint="check the architectures in flake-inputs.json",
            )
        lists.append(
            Source(
                archive=archive,
                digest=checksums[path],
                read=_reader(f"{url.removesuffix('/InRelease')}/{path}", checksums[path]),
            )
        )
    return tuple(lists)


def _reader(url: str, sha256: str) -> Callable[[], str]:
    def read() -> str:
        _, data = fetch([url], what="a list of packages")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise MirrorError(
                f"{url} is not what its InRelease names",
                hint="the mirror may be in the middle of an update; try again in a few minutes",
            )
        return lzma.decompress(data).decode("utf-8")

    return read
