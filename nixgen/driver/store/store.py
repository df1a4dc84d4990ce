"""The local Nix store: hashes, sizes, references and signatures of its paths.

The database of the store is read directly, which is ten times faster than Nix. If it cannot be
read, ``nix path-info`` answers. The schema is version 10 of Nix's ``src/libstore/schema.sql``, the
only one since Nix 2.0.
"""

from __future__ import annotations

import bz2
import os
from collections.abc import Iterable
from pathlib import Path

from attrs import evolve, field, frozen

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.store import path_info
from nixgen.driver.store.path_info import PathInfo, Realisation
from nixgen.errors import StoreError, counted
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.store.path import STORE, StorePath, base_name

__all__ = ["PathInfo", "Realisation", "Store"]


@frozen(kw_only=True)
class Store:
    """Reads a local store; never writes to it.

    :param root: the folder of the store's files: ``/nix/store/x`` is at ``root/nix/store/x``.
    :param store_dir: the folder in its paths, ``/nix/store`` unless Nix was built for another.
    :param state_dir: the folder of its database; None for ``root/nix/var/nix``.
    :param log_dir: the folder of build logs; None for ``root/nix/var/log/nix``.
    :param options: the settings of Nix, which answers if the database cannot be read.
    :param runner: runs Nix.
    """

    root: Path = Path("/")
    store_dir: str = STORE
    state_dir: Path | None = None
    log_dir: Path | None = None
    options: NixOptions = field(factory=NixOptions.of_host)
    runner: Runner = field(factory=SubprocessRunner)

    @classmethod
    def of_host(cls, *, options: NixOptions | None = None, runner: Runner | None = None) -> Store:
        """The store that Nix uses here, by NIX_STORE_DIR, NIX_STATE_DIR and NIX_LOG_DIR.

        :param options: the settings of Nix.
        :param runner: runs Nix.
        """
        state, logs = os.environ.get("NIX_STATE_DIR"), os.environ.get("NIX_LOG_DIR")
        return cls(
            store_dir=os.environ.get("NIX_STORE_DIR", "/nix/store"),
            state_dir=Path(state) if state else None,
            log_dir=Path(logs) if logs else None,
            options=options or NixOptions.of_host(),
            runner=runner or SubprocessRunner(),
        )

    @property
    def database(self) -> Path:
        """The file of its database."""
        return (self.state_dir or self.root / "nix/var/nix") / "db/db.sqlite"

    def real_path(self, path: str) -> Path:
        """The place of a store path on the disk.

        :param path: the full store path.
        """
        return self.root / path.lstrip("/")

    def closure(self, paths: Iterable[str]) -> list[PathInfo]:
        """The closure of paths: each path once, and references before the paths that refer to them.

        The order depends on the closure alone.

        :param paths: full store paths.
        :raises StoreError: one is not valid in this store; the error names it.
        """
        return self._query(paths, recursive=True)

    def info(self, paths: Iterable[str]) -> list[PathInfo]:
        """The metadata of paths, in the given order without repetitions.

        :param paths: full store paths.
        :raises StoreError: as `closure`.
        """
        wanted = tuple(dict.fromkeys(paths))
        by_path = {info.path: info for info in self._query(wanted, recursive=False)}
        return [by_path[path] for path in wanted]

    def valid(self, paths: Iterable[str]) -> frozenset[str]:
        """The paths that the store has completely.

        :param paths: full store paths.
        """
        wanted = tuple(dict.fromkeys(paths))
        if not wanted:
            return frozenset()
        from nixgen.driver.store import database

        valid = database.valid(self.database, wanted)
        if valid is None:
            valid = frozenset(
                path_info.query(self.runner, self._nix_options, wanted, recursive=False)
            )
        return valid

    def is_valid(self, paths: Iterable[str]) -> bool:
        """Whether the store has all paths completely.

        :param paths: full store paths.
        """
        wanted = frozenset(paths)
        return self.valid(wanted) == wanted

    def realisations(self, paths: Iterable[str]) -> list[Realisation]:
        """The realisations of content-addressed paths. Most stores have none.

        :param paths: full store paths.
        """
        from nixgen.driver.store import database

        return database.realisations(self.database, tuple(dict.fromkeys(paths)))

    def outputs(self, drvs: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Derivation → its output paths, built or not, in the order of the output names.

        Derivations that the store does not have are left out. There are none if the database cannot
        be read.

        :param drvs: store paths of derivations.
        """
        from nixgen.driver.store import database

        return database.outputs(self.database, tuple(dict.fromkeys(drvs)))

    def build_log(self, drv: str) -> bytes | None:
        """The log of a build; None if this store has not built the derivation, or keeps no logs.

        A log is at ``drvs/<2 characters>/<the rest>`` below the folder of logs, by default
        compressed with bzip2 (``src/libstore/local-fs-store.cc``).

        :param drv: the derivation.
        """
        name = base_name(drv)
        folder = (self.log_dir or self.root / "nix/var/log/nix") / "drvs" / name[:2]
        try:
            return bz2.decompress((folder / f"{name[2:]}.bz2").read_bytes())
        except (OSError, ValueError):  # ValueError: Nix still writes the log, or it was cut off
            pass
        try:
            return (folder / name[2:]).read_bytes()
        except OSError:
            return None

    @property
    def _nix_options(self) -> NixOptions:
        if self.root == Path("/") or self.options.store is not None:
            return self.options
        return evolve(self.options, store=str(self.root))

    def _require_store_path(self, path: str) -> None:
        try:
            StorePath.parse(path, folder=self.store_dir)
        except ValueError as error:
            raise StoreError(
                str(error), hint=f"a store path looks like {self.store_dir}/<32 characters>-<name>"
            ) from None

    def _query(self, paths: Iterable[str], *, recursive: bool) -> list[PathInfo]:
        wanted = tuple(dict.fromkeys(paths))
        if not wanted:
            return []
        from nixgen.driver.store import database

        for path in wanted:
            self._require_store_path(path)
        infos = database.query(self.database, wanted, recursive=recursive)
        if infos is None:
            infos = path_info.query(self.runner, self._nix_options, wanted, recursive=recursive)
        missing = sorted(set(wanted) - infos.keys())
        if missing:
            raise StoreError(
                f"{missing[0]} is not valid in the store"
                + (f" (and {counted(len(missing) - 1, 'other path')})" if missing[1:] else ""),
                hint="build it first with: nixgen build",
                details=missing,
            )
        return _references_first(infos) if recursive else [infos[path] for path in wanted]


def _references_first(infos: dict[str, PathInfo]) -> list[PathInfo]:
    ordered: list[PathInfo] = []
    seen: set[str] = set()
    # An explicit stack: closures are deeper than Python's recursion limit.
    for start in sorted(infos):
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(infos[start].references))]
        while stack:
            path, pending = stack[-1]
            for reference in pending:
                if reference not in seen:
                    seen.add(reference)
                    stack.append((reference, iter(infos[reference].references)))
                    break
            else:
                ordered.append(infos[path])
                stack.pop()
    return ordered
