"""Command lines of Nix, as values.

Only the subset that means the same in Nix 2.8 … 2.34 and Lix: ``nix-instantiate`` for values,
``nix-store`` for builds and queries, ``nix path-info --json`` for metadata. The command lines that
evaluate targets are in `nixgen.driver.evaluate.commands`.
"""

from __future__ import annotations

import ctypes
import grp
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from attrs import frozen

from nixgen.programs.command import Command

__all__ = [
    "MIRRORS_VARIABLE",
    "NixOptions",
    "add_root",
    "evaluate",
    "is_noise",
    "path_info",
    "plan",
    "read_log",
    "realise",
    "strip_noise",
]

MIRRORS_VARIABLE = "NIXGEN_DEBIAN_MIRRORS"
"""The environment variable that the generated tree reads for its mirrors (docs/contracts.md §3)."""

_CLONE_NEWUSER = 0x10000000  # include/uapi/linux/sched.h
#: The most seconds until a server accepts a connection. Nix would wait for five minutes, five times.
#: The same limit for pauses in a download (stalled-download-timeout) is not for every user of a Nix
#: daemon to set.
_CONNECT_SECONDS = 30
_FEATURES = ("--extra-experimental-features", "nix-command flakes")
_NOISE = (
    "warning: the group 'nixbld' specified in 'build-users-group' does not exist",
    "warning: you did not specify '--add-root'; the result might be removed by the garbage collector",
    "warning: `--gc-roots-dir' not specified",
)


# Another Nix writes; this one tries again until it can.
_BUSY = re.compile(r"(?:warning: )?(?:error: )?SQLite database '[^']+' is busy")


@frozen(kw_only=True)
class NixOptions:
    """Settings that every Nix process of a run shares.

    :param substituters: binary caches to fetch from; none by default, so that nothing is fetched
        unless asked for.
    :param trusted_public_keys: keys whose signatures on substituted paths count.
    :param forget_narinfos: ask the substituters anew about every path. Needed for an address that
        another cache may have had before.
    :param drop_build_users: build as root itself. Needed for root where the group nixbld is
        missing, as after installing Debian's package.
    :param drop_sandbox: build without a sandbox. Needed where this process may not make user
        namespaces, as in many containers. The Debian base builds the same bytes without one.
    :param download_attempts: how often a download is tried. None: five times, as Nix does.
    :param store: another store (``--store``), such as a directory. None: the system's.
    :param builders: Nix's setting of that name, machines separated by ``;``. Empty: everything is
        built on this computer. None: Nix's own configuration decides.
    :param ssh_options: the value of ``NIX_SSHOPTS`` for builds. None: as it is.
    """

    substituters: tuple[str, ...] = ()
    trusted_public_keys: tuple[str, ...] = ()
    forget_narinfos: bool = False
    drop_build_users: bool = False
    drop_sandbox: bool = False
    download_attempts: int | None = None
    store: str | None = None
    builders: str | None = None
    ssh_options: str | None = None

    @classmethod
    def of_host(
        cls, *, substituters: Iterable[str] = (), trusted_public_keys: Iterable[str] = ()
    ) -> NixOptions:
        """The options that this computer needs.

        :param substituters: binary caches to fetch from.
        :param trusted_public_keys: keys whose signatures on fetched paths count.
        """
        alone = os.geteuid() == 0 and not _group_exists("nixbld")
        return cls(
            substituters=tuple(substituters),
            trusted_public_keys=tuple(trusted_public_keys),
            drop_build_users=alone,
            drop_sandbox=alone and not _can_make_user_namespaces(),
        )

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words for the command line of any Nix program."""
        words = [*_FEATURES, "--option", "substituters", " ".join(self.substituters)]
        words += ["--option", "connect-timeout", str(_CONNECT_SECONDS)]
        if self.substituters:
            words += ["--option", "trusted-public-keys", " ".join(self.trusted_public_keys)]
        if self.forget_narinfos:
            for kind in ("positive", "negative"):
                words += ["--option", f"narinfo-cache-{kind}-ttl", "0"]
        if self.download_attempts is not None:
            words += ["--option", "download-attempts", str(self.download_attempts)]
        if self.drop_build_users:
            words += ["--option", "build-users-group", ""]
        if self.drop_sandbox:
            words += ["--option", "sandbox", "false"]
        if self.builders is not None:
            words += ["--option", "builders", self.builders]
        if self.builders:
            words += ["--option", "builders-use-substitutes", "true"]
        if self.store is not None:
            words += ["--store", self.store]
        return tuple(words)


@cache
def _can_make_user_namespaces() -> bool:
    """Try it: a chroot, seccomp or a sysctl may each forbid it, and no file says so."""
    child = os.fork()
    if child == 0:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            os._exit(0 if libc.unshare(_CLONE_NEWUSER) == 0 else 1)
        except BaseException:  # noqa: BLE001 - a child must not return into its parent's code
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def evaluate(
    options: NixOptions, *words: str, variables: Mapping[str, str] = MappingProxyType({})
) -> Command:
    """Evaluate an expression completely, and print its value.

    :param options: the settings of Nix.
    :param words: further words of the command line.
    :param variables: additions to the environment.
    """
    # --show-trace costs nothing as long as nothing fails; only the trace names targets and lines
    argv = ("nix-instantiate", "--eval", "--strict", *options.arguments, "--show-trace", *words)
    return Command(argv=argv, env=variables)


def realise(
    options: NixOptions,
    paths: Iterable[str],
    *,
    keep_going: bool = True,
    jobs: int | None = None,
) -> Command:
    """Build or substitute paths, with a log for `nixgen.driver.messages.wire` on standard error.

    :param options: the settings of Nix.
    :param paths: derivations, or outputs to substitute.
    :param keep_going: build the other paths when one fails.
    :param jobs: builds at a time on this computer. None: as Nix is configured.
    """
    return Command(
        argv=(
            "nix-store",
            "--realise",
            *options.arguments,
            "--log-format",
            "internal-json",
            "-v",
            *(("--keep-going",) if keep_going else ()),
            *(() if jobs is None else ("--max-jobs", str(jobs))),
            *paths,
        ),
        env={} if options.ssh_options is None else {"NIX_SSHOPTS": options.ssh_options},
    )


def plan(options: NixOptions, paths: Iterable[str]) -> Command:
    """Print what `realise` would build and substitute.

    :param options: the settings of Nix.
    :param paths: derivations.
    """
    return Command(argv=("nix-store", "--realise", "--dry-run", *options.arguments, *paths))


def open_store(options: NixOptions) -> Command:
    """Make the folders and the database of the store, if they do not exist yet.

    :param options: the settings of Nix, with the store.
    """
    return Command(argv=("nix-store", "--init", *options.arguments))


def add_root(options: NixOptions, *, link: Path, path: str) -> Command:
    """Register a link as an indirect GC root.

    :param options: the settings of Nix.
    :param link: the link to make.
    :param path: a valid store path.
    """
    return Command(
        argv=(
            "nix-store",
            "--realise",
            *options.arguments,
            "--add-root",
            str(link.absolute()),
            "--indirect",
            path,
        )
    )


def read_log(options: NixOptions, drv: str) -> Command:
    """Print the log of a build.

    :param options: the settings of Nix.
    :param drv: the derivation.
    """
    return Command(argv=("nix-store", "--read-log", *options.arguments, drv), deadline=30)


def path_info(
    options: NixOptions, paths: Iterable[str], *, recursive: bool, derivations: bool = False
) -> Command:
    """Print the metadata of store paths as JSON.

    :param options: the settings of Nix.
    :param paths: valid store paths.
    :param recursive: print that of the closure.
    :param derivations: a ``.drv`` path means itself, not its outputs.
    """
    return Command(
        argv=(
            "nix",
            "path-info",
            *options.arguments,
            "--json",
            *(("--recursive",) if recursive else ()),
            *(("--derivation",) if derivations else ()),
            *paths,
        )
    )


def strip_noise(lines: Iterable[str]) -> tuple[str, ...]:
    """Leave out the lines that `is_noise` finds.

    :param lines: standard error of Nix.
    """
    return tuple(line for line in lines if not is_noise(line))


def is_noise(line: str) -> bool:
    """Whether a line warns of something that nixgen does on purpose, or that Nix waits for.

    :param line: of standard error.
    """
    return line.strip() in _NOISE or _BUSY.fullmatch(line.strip()) is not None
