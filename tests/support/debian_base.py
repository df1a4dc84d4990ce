"""The Debian base as a test locks it, from the index of this computer: mirrors drop the packages of older locks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import frozen

from nixgen.debian.bootstrap import ensure_busybox
from nixgen.debian.lock import write_lock
from nixgen.debian.locking import machine_mirrors, resolve_lock
from nixgen.debian.mirrors import mirrors_env
from nixgen.driver.commands.nix import NixOptions
from nixgen.programs.runner import SubprocessRunner

NIX = Path(__file__).parents[2] / "nix"
#: As nixgen itself runs Nix: without a sandbox where none can be had.
OPTIONS = NixOptions.of_host()


@frozen
class DebianBase:
    """A lock, and the environment in which Nix downloads its packages."""

    lock: Path
    environment: Mapping[str, str]

    @classmethod
    def locked(
        cls,
        attributes: Iterable[str],
        folder: Path,
        overrides: Mapping[str, tuple[str, ...]] | None = None,
    ) -> DebianBase:
        """Lock attributes for bookworm on amd64.

        :param attributes: Names in ``pkgs``.
        :param folder: Folder for the lock.
        :param overrides: Attribute → Debian packages.
        """
        runner = SubprocessRunner()
        lock = resolve_lock(
            attributes,
            suite="bookworm",
            architectures=["amd64"],
            runner=runner,
            overrides=overrides,
        )
        path = folder / "debian.lock.json"
        write_lock(lock, path)
        mirrors = machine_mirrors(runner)
        ensure_busybox(lock.architectures["amd64"], mirrors, runner)
        return cls(path, {**os.environ, "NIXGEN_DEBIAN_MIRRORS": mirrors_env(mirrors)})

    def build(self, expression: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Build a Nix expression in the scope of the base, whatever comes of it.

        :param expression: Sees ``pkgs``, ``image`` and ``debian``.
        :param more: Further words for nix-build.
        """
        text = f'with import {NIX} {{ base = "debian"; system = builtins.currentSystem; lock = {self.lock}; }}; {expression}'
        argv = ["nix-build", "--no-out-link", "-j2", *OPTIONS.arguments, *more, "-E", text]
        return subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, check=False
        )

    def paths(self, expression: str) -> list[str]:
        """The store paths of a Nix expression, which can be built."""
        done = self.build(expression)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.split()

    def path(self, expression: str) -> str:
        """The one store path of a Nix expression, which can be built."""
        (path,) = self.paths(expression)
        return path

    def packages(self, attribute: str) -> list[str]:
        """The Debian packages of an attribute, with their versions."""
        locked = json.loads(self.lock.read_text())["architectures"]["amd64"]
        names = locked["roots"][attribute]
        return [f"{name} {locked['packages'][name]['version']}" for name in names]
