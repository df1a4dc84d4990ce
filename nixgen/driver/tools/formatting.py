"""Format hand-written Nix in the style of RFC 166, by nixfmt.

Generated files need no formatting: the printer writes them in that style.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from nixgen.errors import InputError, MissingToolError, StaleError, counted
from nixgen.files.write import write_atomically
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.records.document import document

__all__ = ["Formatted", "Formatter", "Rejected", "Report", "format_files"]

#: The official formatter, or a port with the same arguments. With a formatter of another style, files
#: would change back and forth.
_PROGRAM = "nixfmt"
_DEADLINE = 60
#: A text in the style of RFC 166. Older versions of nixfmt change it.
_SAMPLE = b"""\
{ lib, pkgs, ... }:
{
  list = [
    1
    2
  ];
  text = lib.mkIf pkgs.stdenv.isLinux "x";
}
"""
_INSTALL = (
    "`nix profile install nixpkgs#nixfmt`, or `cargo install nixfmt_rs` where there is no nixpkgs"
)


@attrs.frozen(kw_only=True)
class Formatted:
    """A file that nixfmt has formatted.

    :param name: the path that people know.
    :param before: its content.
    :param after: its content in the style of RFC 166.
    """

    name: str
    before: bytes
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether the file was in another style."""
        return self.before != self.after

    def difference(self) -> Iterator[str]:
        """The lines of a unified diff; none if nothing changed."""
        old, new = (
            text.decode(errors="replace").splitlines(keepends=True)
            for text in (self.before, self.after)
        )
        return difflib.unified_diff(old, new, f"a/{self.name}", f"b/{self.name}")


@attrs.frozen(kw_only=True)
class Rejected:
    """A file that is not Nix, or cannot be read.

    :param name: the path that people know.
    :param reason: the lines of the error message.
    """

    name: str
    reason: tuple[str, ...]


@attrs.frozen
class Formatter:
    """An installed nixfmt.

    :param runner: runs it.
    """

    runner: Runner

    @classmethod
    def find(cls, runner: Runner) -> Formatter:
        """The nixfmt on PATH.

        :param runner: runs it.
        :raises MissingToolError: there is none, or it is older than RFC 166.
        """
        formatter = cls(runner)
        try:
            found = formatter.format("sample.nix", _SAMPLE)
        except MissingToolError:
            raise MissingToolError(
                "no Nix formatter is installed",
                hint=f"install one with {_INSTALL}; generated files do not need it",
            ) from None
        if not isinstance(found, Formatted) or found.changed:
            raise MissingToolError(
                "the nixfmt that is installed does not write the form of RFC 166",
                hint=f"install version 1.0 or newer with {_INSTALL}",
            )
        return formatter

    def format(self, name: str, text: bytes) -> Formatted | Rejected:
        """Format a text.

        :param name: the path that people know.
        :param text: the content of the file.
        :raises MissingToolError: there is no nixfmt.
        """
        argv = (_PROGRAM, f"--filename={name}", "-")
        done = self.runner.run(Command(argv=argv, stdin=text, deadline=_DEADLINE))
        if not done.ok:
            reason = "\n".join(done.stderr_tail()).strip("\n")
            lines = (reason or f"nixfmt ended with {done.status}").split("\n")
            return Rejected(name=name, reason=tuple(lines))
        return Formatted(name=name, before=text, after=done.stdout)


@attrs.frozen
class Report:
    """The results for several files.

    :param results: one for each file, in their order.
    """

    results: tuple[Formatted | Rejected, ...]

    @property
    def changed(self) -> tuple[Formatted, ...]:
        """The files that were in another style."""
        return tuple(each for each in self.results if isinstance(each, Formatted) and each.changed)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The files that are not Nix, or cannot be read."""
        return tuple(each for each in self.results if isinstance(each, Rejected))

    def document(self) -> dict[str, Any]:
        """The document ``nixgen/fmt/1``."""
        return document(
            "nixgen/fmt/1",
            files=len(self.results),
            changed=[each.name for each in self.changed],
            rejected=[{"file": each.name, "reason": list(each.reason)} for each in self.rejected],
        )

    def require(self, *, check: bool) -> None:
        """Raise an error if a file is wrong.

        :param check: whether a file in another style is wrong.
        :raises InputError: some files are not Nix; the error lists them all.
        :raises StaleError: ``check`` is true, and a file is in another style.
        """
        if self.rejected:
            raise InputError(
                f"{counted(len(self.rejected), 'file')} cannot be formatted",
                details=[
                    line for each in self.rejected for line in (f"{each.name}:", *each.reason)
                ],
                hint="correct the errors, and run the command again",
            )
        if check and self.changed:
            many = len(self.changed) > 1
            raise StaleError(
                f"{counted(len(self.changed), 'file')} {'are' if many else 'is'} not formatted",
                hint="run `nixgen fmt`",
            )


def format_files(files: Iterable[tuple[str, Path]], formatter: Formatter, *, write: bool) -> Report:
    """Format files, one for each processor at a time.

    :param files: the name that people know, and the path of each file.
    :param formatter: the formatter.
    :param write: replace files that changed, each completely or not at all. Links stay, and the
        files that they lead to are replaced.
    :raises StoreError: a file cannot be written.
    """

    def one(file: tuple[str, Path]) -> Formatted | Rejected:
        name, path = file
        try:
            text = path.read_bytes()
        except OSError as error:
            return Rejected(name=name, reason=(f"{error.strerror}",))
        result = formatter.format(name, text)
        if write and isinstance(result, Formatted) and result.changed:
            real = path.resolve()
            write_atomically(real, result.after, mode=stat.S_IMODE(real.stat().st_mode))
        return result

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="format") as pool:
        return Report(tuple(pool.map(one, files)))
