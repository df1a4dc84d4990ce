"""Read the verified package lists of apt on this machine, and their mirrors."""

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

#: Label of an archive of Debian → its name. Lists of other vendors may have packages of the same names.
_ARCHIVES: Mapping[str, str] = {"Debian": "debian", "Debian-Security": "debian-security"}
_FIELDS = ("SITE", "LABEL", "ORIGIN", "CODENAME", "ARCHITECTURE", "METAKEY", "FILENAME", "TRUSTED")
_HELPER = "/usr/lib/apt/apt-helper"
#: apt's cache of parsed lists. Container images forbid it; then apt takes half a second each time.
_OWN_CACHE = Path("/var/cache/apt/pkgcache.bin")
_SECONDS = 60.0
_PAUSE = 1.0


@frozen(kw_only=True)
class Target:
    """A Packages list on this machine.

    :param site: the URL of the mirror, without ``/dists`` and what follows it.
    :param archive: ``debian`` or ``debian-security``.
    :param codename: the suite, such as ``bookworm`` or ``bookworm-security``.
    :param architecture: such as ``amd64``.
    :param path: the file, in a compression of apt's choice; `read_list` reads it.
    :param release: the signed Release file beside it, which has the hash of the list.
    """

    site: str
    archive: str
    codename: str
    architecture: str
    path: Path
    release: Path


def _release_of(path: str, metakey: str) -> Path:
    """The Release file of a list.

    apt names a list after its URL: PREFIX_main_binary-amd64_Packages.lz4 is beside
    PREFIX_InRelease.
    """
    prefix = path[: path.rindex("_" + metakey.replace("/", "_"))]
    signed = Path(prefix + "_InRelease")
    return signed if signed.exists() else Path(prefix + "_Release")


def targets(runner: Runner, *, needed: bool = True) -> tuple[Target, ...]:
    """The lists of Debian's own archives, in the order of apt; none if apt is not installed.

    The file of a list may not exist yet.

    :param runner: runs apt.
    :param needed: whether no other mirror is known. If one is, an error of apt means no lists.
    :raises MirrorError: apt fails, and is needed.
    """
    template = "\t".join(f"$({name})" for name in _FIELDS)
    command = Command(
        argv=(
            "apt-get", *_cache_options(), "indextargets", "--format", template, "Identifier: Packages",
        ),
        deadline=_SECONDS,
    )  # fmt: skip
    try:
        done = runner.run(command)
        if not done.ok:
            # apt rebuilds its caches when they are old, and another apt may be doing so now.
            time.sleep(_PAUSE)
            done = runner.run(command)
    except MissingToolError:
        return ()
    if not done.ok and not needed:
        return ()
    if not done.ok:
        raise MirrorError(
            "apt does not say which mirrors it is configured for",
            hint="correct the error of apt, or set NIXGEN_DEBIAN_MIRROR",
            details=done.stderr_tail(),
        )
    lists = []
    for line in done.text.splitlines():
        site, label, origin, codename, architecture, metakey, path, trusted = line.split("\t")
        if origin == "Debian" and label in _ARCHIVES and trusted == "yes":
            lists.append(
                Target(
                    site=site.rstrip("/"),
                    archive=_ARCHIVES[label],
                    codename=codename,
                    architecture=architecture,
                    path=Path(path),
                    release=_release_of(path, metakey),
                )
            )
    return tuple(lists)


def _cache_options() -> tuple[str, ...]:
    """Options that let apt keep its parsed lists. apt itself notices when they are out of date."""
    if _OWN_CACHE.exists():
        return ()
    folder = cache_folder() / "apt"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    # apt works without the cache where it cannot write it
    return ("-o", f"Dir::Cache::pkgcache={folder}/pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=")


def read_list(target: Target, runner: Runner) -> str:
    """The text of a list, in any compression of apt.

    :param target: the list.
    :param runner: runs apt's helper.
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
