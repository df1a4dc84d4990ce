"""From attribute names to a lock: which index to ask, and the hashes that only the packages themselves tell."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nixgen.debian import apt, release
from nixgen.debian.bootstrap import BUSYBOX, busybox_of
from nixgen.debian.index import Index, Source, cache_folder, open_cached
from nixgen.debian.lock import Lock
from nixgen.debian.mirrors import VARIABLE, Mirrors, find_mirrors
from nixgen.debian.resolve import BASE_ROOTS, resolve
from nixgen.errors import MirrorError
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["machine_mirrors", "open_index", "resolve_lock"]


def machine_mirrors(runner: Runner, environment: Mapping[str, str] | None = None) -> Mirrors:
    """The mirrors of this machine: NIXGEN_DEBIAN_MIRROR, then apt's.

    :raises MirrorError: there are none; the hint says what to set.
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
    """What exists in a suite, with its updates and security archive.

    apt's verified lists when they cover the suite and the architecture, and no mirror was named; else the mirror.

    :raises MirrorError: no apt and no mirror, an unreachable mirror, or apt without lists.
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
    paths: Mapping[str, tuple[str, str | None]] | None = None,
    environment: Mapping[str, str] | None = None,
    warn: Callable[[str], None] = ignore,
) -> Lock:
    """A lock for a project's packages and for the base itself.

    :param attributes: nixpkgs attribute names, without the base's own roots.
    :param overrides: attribute name → Debian packages, from ``Package(debian=…)``.
    :param paths: attribute name → (model path, ``file:line``), for messages.
    :raises ModelError: packages that do not exist.
    :raises MirrorError: see `open_index`.
    """
    wanted = {*attributes, *BASE_ROOTS}
    mirrors = machine_mirrors(runner, environment)
    found = {}
    for architecture in sorted(set(architectures)):
        with open_index(suite, architecture, runner, environment=environment, warn=warn) as index:
            resolution = resolve(wanted, index, overrides=overrides, paths=paths)
        busybox = busybox_of(resolution.packages[BUSYBOX], mirrors)
        found[architecture] = resolution.with_busybox(busybox)
    return Lock(suite=suite, architectures=found)
