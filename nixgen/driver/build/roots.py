"""GC roots of a project's targets: the links ``.nixgen/gcroots/<attr>``, and ``<attr>-<output>``
for outputs other than ``out``.

Each is an indirect root: after the project's folder is deleted, the next garbage collection frees
its store paths. A root is made only when its target is complete. So a build with nothing to do
reads these links and nothing else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from nixgen.driver.commands import nix
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Target
from nixgen.driver.messages.faults import store_fault
from nixgen.errors import StoreError
from nixgen.programs.runner import Runner

__all__ = ["Roots"]


@frozen
class Roots:
    """The roots in one folder.

    :param folder: the folder of the links.
    """

    folder: Path

    def link(self, attr: str, output: str = "out") -> Path:
        """The link for an output.

        :param attr: the target.
        :param output: the name of the output.
        """
        return self.folder / (attr if output == "out" else f"{attr}-{output}")

    def holds(self, target: Target) -> bool:
        """Whether every output of a target exists and has its root. Starts no process.

        :param target: the target.
        """
        try:
            return all(
                os.readlink(self.link(target.attr, output)) == path  # noqa: PTH115 - the link is compared as it is written
                and os.path.lexists(path)
                for output, path in target.outputs.items()
            )
        except OSError:
            return False

    def add(self, target: Target, *, runner: Runner, options: NixOptions) -> None:
        """Make a root for every output of a target. Older roots of the target are replaced.

        :param target: a target whose outputs are all in the store.
        :param runner: runs Nix.
        :param options: the settings of Nix.
        :raises StoreError: the folder or the store cannot be written.
        """
        if self.holds(target):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot write {self.folder}: {error.strerror}", hint="make the folder writable"
            ) from error
        for output, path in sorted(target.outputs.items()):
            link = self.link(target.attr, output)
            done = runner.run(nix.add_root(options, link=link, path=path))
            if not done.ok:
                errors = nix.strip_noise(done.stderr_tail())
                raise store_fault(errors) or StoreError(
                    f"cannot make the GC root {link}",
                    hint="remove what is in its place, and build again",
                    details=errors,
                )

    def prune(self, known: Iterable[str]) -> tuple[str, ...]:
        """Remove the roots of all other targets. Files that are not links stay.

        :param known: the targets whose roots stay.
        :return: the names of the removed links.
        """
        kept = frozenset(known)
        removed = []
        with contextlib.suppress(FileNotFoundError):
            for entry in sorted(self.folder.iterdir()):
                if entry.is_symlink() and not _belongs(entry.name, kept):
                    entry.unlink(missing_ok=True)
                    removed.append(entry.name)
        return tuple(removed)


def _belongs(name: str, attrs: frozenset[str]) -> bool:
    """Whether a link is of one of the targets: its name is ``<attr>`` or ``<attr>-<output>``."""
    words = name.split("-")
    return any("-".join(words[:count]) in attrs for count in range(len(words), 0, -1))
