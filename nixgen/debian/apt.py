"""What apt on this machine knows: verified package lists, and the mirrors they came from."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from nixgen.debian.index import cache_folder
from nixgen.errors import MirrorError, MissingToolError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner

__all__ = ["Target", "read_list", "targets"]

#: Only Debian's own archives count: a machine may list other vendors' packages, under the same names.
_ARCHIVES: Mapping[str, str] = {"Debian": "debian", "Debian-Security": "debian-security"}
_FIELDS = ("SITE", "LABEL", "ORIGIN", "CODENAME", "ARCHITECTURE", "METAKEY", "FILENAME", "TRUSTED")
_HELPER = "/usr/lib/apt/apt-helper"
#: What apt parses, when it is allowed to keep it. Container images forbid it, and apt takes half a second each time.
_OWN_CACHE = Path("/var/cache/apt/pkgcache.bin")
_SECONDS = 60.0
_PAUSE = 1.0


@frozen(kw_only=True)
class Target:
    """One Packages list that apt keeps.

    :param site: the mirror's URL, up to and without ``/dists``.
    :param codename: ``bookworm``, ``bookworm-security``, …
    :param path: apt's copy, compressed as apt likes; read it with `read_list`.
    :param release: the signed Release file beside it, which names its contents.
    """

    site: str
    archive: str
    codename: str
    architecture: str
    path: Path
    release: Path


def _release_of(path: str, metakey: str) -> Path:
    """The Release file: apt names a list after its URL: PREFIX_main_binary-amd64_Packages.lz4 lies beside PREFIX_InRelease."""
    prefix = path[: path.rindex("_" + metakey.replace("/", "_"))]
    signed = Path(prefix + "_InRelease")
    return signed if signed.exists() else Path(prefix + "_Release")


def targets(runner: Runner, *, needed: bool = True) -> tuple[Target, ...]:
    """Debian's own lists in apt's order; empty without apt. A list's file may not exist yet.

    :param needed: no mirror is known otherwise.
    :raises MirrorError: apt is there, needed, and fails.
    """
    template = "\t".join(f"$({name})" for name in _FIELDS)
    command = Command(
        argv=(
            "apt-get", *_cached(), "indextargets", "--format", template, "Identifier: Packages",
        ),
        deadline=_SECONDS,
    )  # fmt: skip
    try:
        done = runner.run(command)
        if not done.ok:
            # It rebuilds its caches when they are old, and another apt may be at that just now.
            time.sleep(_PAUSE)
            done = runner.run(command)
    except MissingToolError:
        return ()
    if not done.ok and not needed:
        return ()
    if not done.ok:
        raise MirrorError(
            "apt does not say which mirrors it is configured for",
            hint="correct what it says, or set NIXGEN_DEBIAN_MIRROR",
            details=done.stderr_tail(),
        )
    found = []
    for line in done.text.splitlines():
        site, label, origin, codename, architecture, metakey, path, trusted = line.split("\t")
        if origin == "Debian" and label in _ARCHIVES and trusted == "yes":
            found.append(
                Target(
                    site=site.rstrip("/"),
                    archive=_ARCHIVES[label],
                    codename=codename,
                    architecture=architecture,
                    path=Path(path),
                    release=_release_of(path, metakey),
                )
            )
    return tuple(found)


def _cached() -> tuple[str, ...]:
    """Options with which apt keeps what it parses; it sees itself when that is out of date."""
    if _OWN_CACHE.exists():
        return ()
    folder = cache_folder() / "apt"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    # where it cannot write, it does without
    return ("-o", f"Dir::Cache::pkgcache={folder}/pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=")


def read_list(target: Target, runner: Runner) -> str:
    """The list as text, in whatever compression apt keeps it.

    :raises MirrorError: apt could not read it.
    """
    done = runner.run(Command(argv=(_HELPER, "cat-file", str(target.path)), deadline=_SECONDS))
    if not done.ok:
        raise MirrorError(
            f"apt cannot read its list {target.path.name}",
            hint="run `apt-get update` as root",
            details=done.stderr_tail(5),
        )
    return done.text
