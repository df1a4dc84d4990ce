"""Make a lock from attribute names: choose an index, resolve the packages, and hash busybox."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from attrs import asdict

from nixgen.debian import apt, release
from nixgen.debian.bootstrap import BUSYBOX, busybox_hashes
from nixgen.debian.index import Index, Source, cache_folder, open_cached
from nixgen.debian.lock import Architecture, Lock
from nixgen.debian.mirrors import VARIABLE, Mirrors, find_mirrors
from nixgen.debian.resolve import BASE_ROOTS, resolve
from nixgen.errors import MirrorError
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["machine_mirrors", "open_index", "resolve_lock"]


def machine_mirrors(runner: Runner, environment: Mapping[str, str] | None = None) -> Mirrors:
    """The mirrors of this machine: those of NIXGEN_DEBIAN_MIRROR, or without it those of apt.

    :param runner: runs apt.
    :param environment: holds the variable; None for the environment of this process.
    :raises MirrorError: there are none; the hint names the variable.
    """
    given = os.environ if environment is None else environment
    return find_mirrors(apt.targets(runner, needed=not given.get(VARIABLE)), given)


def _source(target: apt.Target, runner: Runner) -> Source:
    digest = hashlib.sha256(target.release.read_bytes() + str(target.path).encode()).hexdigest()
    return Source(archive=target.archive, digest=digest, read=lambda: apt.read_list(target, runner))


def open_index(
    suite: str,
    architecture: str,
    runner: Runner,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    warn: Callable[[str], None] = ignore,
) -> Index:
    """The packages of a suite, with its updates and its security archive.

    They come from the lists of apt, if apt has the suite and the architecture and no mirror is set,
    or else from a mirror.

    :param suite: such as ``bookworm``.
    :param architecture: such as ``amd64``.
    :param runner: runs apt and gpgv.
    :param folder: the folder of parsed indexes; None for the user's.
    :param environment: holds NIXGEN_DEBIAN_MIRROR; None for the environment of this process.
    :param warn: gets each warning.
    :raises MirrorError: there is no mirror, it cannot be reached, or apt has no lists yet.
    """
    given = os.environ if environment is None else environment
    every = apt.targets(runner, needed=not given.get(VARIABLE))
    suites = {suite, f"{suite}-updates", f"{suite}-security"}
    own = [t for t in every if t.codename in suites and t.architecture == architecture]
    if own and not given.get(VARIABLE):
        lacking = [t for t in own if not (t.release.exists() and t.path.exists())]
        if lacking:
            raise MirrorError(
                f"apt has no list of {lacking[0].codename} yet", hint="run `apt-get update` as root"
            )
        sources = tuple(_source(target, runner) for target in own)
    else:
        sources = release.sources(suite, architecture, find_mirrors(every, given), runner, warn)
    return open_cached(
        sources, suite=suite, architecture=architecture, folder=folder or cache_folder()
    )


def resolve_lock(
    attributes: Iterable[str],
    *,
    suite: str,
    architectures: Iterable[str],
    runner: Runner,
    overrides: Mapping[str, tuple[str, ...]] | None = None,
    attribute_paths: Mapping[str, str] | None = None,
    paths: Mapping[str, tuple[str, str | None]] | None = None,
    environment: Mapping[str, str] | None = None,
    warn: Callable[[str], None] = ignore,
) -> Lock:
    """A lock of the packages of a project and of the base itself.

    :param attributes: nixpkgs attribute names, without the base's own roots.
    :param suite: such as ``bookworm``.
    :param architectures: Debian's names, such as ``amd64``.
    :param runner: runs apt and gpgv.
    :param overrides: attribute name → Debian packages, from ``Package(debian=…)``.
    :param attribute_paths: attribute name → path in nixpkgs, from ``Package(nixpkgs=…)``.
    :param paths: attribute name → the path in the models and the ``file:line``, for messages.
    :param environment: as for `open_index`.
    :param warn: gets each warning.
    :raises ModelError: a package does not exist.
    :raises MirrorError: see `open_index`.
    """
    wanted = {*attributes, *BASE_ROOTS}
    mirrors = machine_mirrors(runner, environment)
    locked = {}
    for architecture in sorted(set(architectures)):
        with open_index(suite, architecture, runner, environment=environment, warn=warn) as index:
            resolution = resolve(
                wanted, index, overrides=overrides, attribute_paths=attribute_paths, paths=paths
            )
        busybox = busybox_hashes(resolution.packages[BUSYBOX], mirrors)
        locked[architecture] = Architecture(**asdict(resolution, recurse=False), busybox=busybox)
    return Lock(suite=suite, architectures=locked)
