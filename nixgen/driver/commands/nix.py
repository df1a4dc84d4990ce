"""Nix's command lines, as values.

Only the subset that means the same in Nix 2.8 … 2.34 and Lix: ``nix-instantiate`` for derivations,
``nix-store`` for builds and queries, ``nix path-info --json`` for metadata.
"""

from __future__ import annotations

import ctypes
import grp
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from attrs import frozen

from nixgen.programs.command import Command

__all__ = [
    "MIRRORS_VARIABLE",
    "MOST_TARGETS",
    "NixOptions",
    "add_root",
    "evaluate_function",
    "evaluate_jobs",
    "is_noise",
    "path_info",
    "read_log",
    "realise",
    "report_targets",
    "strip_noise",
]

MIRRORS_VARIABLE = "NIXGEN_DEBIAN_MIRRORS"
"""What the generated tree reads with ``builtins.getEnv``; docs/contracts.md §3."""

_CLONE_NEWUSER = 0x10000000  # include/uapi/linux/sched.h
_FEATURES = ("--extra-experimental-features", "nix-command flakes")
_NOISE = (
    "warning: the group 'nixbld' specified in 'build-users-group' does not exist",
    "warning: you did not specify '--add-root'; the result might be removed by the garbage collector",
    "warning: `--gc-roots-dir' not specified",
)

MOST_TARGETS = 1000
"""That one evaluation can be given: the kernel allows 128 KiB for each word of a command line."""

_EXPRESSIONS = Path(__file__).parents[1] / "evaluate"


@frozen(kw_only=True)
class NixOptions:
    """Settings that every Nix child of a run shares.

    :param substituters: binary caches to fetch from; none by default, so that nothing is fetched
        unless asked for.
    :param trusted_public_keys: keys whose signatures on substituted paths count.
    :param forget_narinfos: ask the substituters anew about every path, for those whose address another cache may have had.
    :param drop_build_users: root without the group nixbld, as Debian's package leaves it, builds
        as itself.
    :param drop_sandbox: this process may not make user namespaces (as in many containers), so no sandbox
        could be had. The Debian base builds the same bytes without one.
    :param download_attempts: how often a download is tried; Nix's own five times when None.
    :param store: another store (``--store``), such as a directory; the system's when None.
    :param builders: Nix's setting of that name, machines separated by ``;``. Empty, everything is built on this computer;
        None leaves it to Nix's own configuration.
    :param ssh_options: the value of ``NIX_SSHOPTS`` for builds.
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
        """The options that this machine needs."""
        alone = os.geteuid() == 0 and not _group_exists("nixbld")
        return cls(
            substituters=tuple(substituters),
            trusted_public_keys=tuple(trusted_public_keys),
            drop_build_users=alone,
            drop_sandbox=alone and not _can_make_user_namespaces(),
        )

    @property
    def arguments(self) -> tuple[str, ...]:
        words = [*_FEATURES, "--option", "substituters", " ".join(self.substituters)]
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
    """Tried, since no file tells: a chroot, seccomp or a sysctl may each forbid it."""
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


def report_targets(
    options: NixOptions,
    *,
    file: Path,
    arguments: str,
    attrs: Iterable[str],
    token: str,
    variables: Mapping[str, str],
) -> Command:
    """One evaluation of ``attrs`` of the function in ``file``, one after the other; what it tells is said in
    ``evaluation/report.nix``, each line on standard error behind ``trace: ``. The first that is wrong ends it.

    :param arguments: what that function is given, as JSON.
    :param attrs: `MOST_TARGETS` or fewer.
    :param variables: added to the environment.
    """
    return Command(
        argv=(
            "nix-instantiate",
            "--eval",
            "--strict",
            "--read-write-mode",
            *options.arguments,
            # costs nothing as long as nothing is wrong
            "--show-trace",
            *_evaluation("report.nix", file, arguments, attrs),
            "--argstr",
            "token",
            token,
        ),
        env=variables,
    )


def evaluate_jobs(
    options: NixOptions,
    *,
    file: Path,
    arguments: str,
    attrs: Iterable[str],
    workers: int,
    memory: int,
    variables: Mapping[str, str],
) -> Command:
    """The same by nix-eval-jobs, which prints a line of JSON for each target on standard output; see ``evaluation/jobs.nix``.

    :param memory: bytes that a worker may hold between two targets.
    """
    return Command(
        argv=(
            "nix-eval-jobs",
            *options.arguments,
            "--show-trace",
            "--workers",
            str(workers),
            "--max-memory-size",
            str(max(1, memory >> 20)),
            *_evaluation("jobs.nix", file, arguments, attrs),
        ),
        env=variables,
    )


def _evaluation(
    expression: str, file: Path, arguments: str, attrs: Iterable[str]
) -> tuple[str, ...]:
    return (
        str(_EXPRESSIONS / expression),
        "--argstr",
        "file",
        str(file.absolute()),
        "--argstr",
        "arguments",
        arguments,
        "--argstr",
        "attrs",
        json.dumps(list(attrs), ensure_ascii=False),
    )


def evaluate_function(
    options: NixOptions, *, file: Path, arguments: Mapping[str, object]
) -> Command:
    """The function in ``file``, applied to JSON; it prints its value as JSON. Nothing is instantiated."""
    return Command(
        argv=(
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            "--show-trace",  # costs nothing as long as nothing fails
            *options.arguments,
            "--argstr",
            "file",
            str(file.absolute()),
            "--argstr",
            "arguments",
            json.dumps(dict(arguments), ensure_ascii=False),
            "--expr",
            "{ file, arguments }: import (/. + file) (builtins.fromJSON arguments)",
        )
    )


def realise(
    options: NixOptions,
    paths: Iterable[str],
    *,
    keep_going: bool = True,
    jobs: int | None = None,
) -> Command:
    """Build or substitute ``paths``; events on stderr for `nixgen.driver.messages.events`."""
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


def open_store(options: NixOptions) -> Command:
    """Make the store's folders and its database, where they are not there yet."""
    return Command(argv=("nix-store", "--init", *options.arguments))


def add_root(options: NixOptions, *, link: Path, path: str) -> Command:
    """Register ``link`` as an indirect GC root of a valid ``path``."""
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
    return Command(argv=("nix-store", "--read-log", *options.arguments, drv), deadline=30)


def path_info(
    options: NixOptions, paths: Iterable[str], *, recursive: bool, derivations: bool = False
) -> Command:
    """Metadata as JSON; ``derivations`` takes .drv paths as themselves, not as their outputs."""
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
    """Lines without the warnings that say nothing about the user's work."""
    return tuple(line for line in lines if not is_noise(line))


def is_noise(line: str) -> bool:
    """Whether a line warns of something that nixgen does on purpose."""
    return line.strip() in _NOISE
