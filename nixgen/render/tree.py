"""The generated tree in memory: path → bytes, and the user's line behind each of its lines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import attrs

from nixgen import syntax as nix
from nixgen._collector import paused_collector
from nixgen.render.resources import default_inputs, nix_library

__all__ = ["FileTree", "SourceMap", "printed", "render"]

#: Paths below ``generated/``, with ``/``, and their bytes.
FileTree = Mapping[str, bytes]


@attrs.frozen
class SourceMap:
    """The lines of the user that generated lines were made from.

    :param spans: generated file → spans of lines: first, last (from 1), and the user's
        ``file:line``.
    """

    spans: Mapping[str, tuple[tuple[int, int, Any], ...]]

    def locate(self, path: str, line: int) -> str | None:
        """The user's ``file:line`` behind a line of a generated file; None if no span contains it.

        The innermost span decides.

        :param path: the file, from generated/.
        :param line: the line, from 1.
        """
        around = [span for span in self.spans.get(path, ()) if span[0] <= line <= span[1]]
        return str(min(around, key=lambda span: span[1] - span[0])[2]) if around else None


@cache
def _library() -> Mapping[str, bytes]:
    root = nix_library()
    files = {
        f"lib/{file.relative_to(root).as_posix()}": file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }
    # the pins of projects that have no flake-inputs.json of their own
    return {**files, "lib/flake-inputs.json": default_inputs().read_bytes()}


def printed(expression: nix.Expr) -> bytes:
    """The text of a file with an expression, without a comment at its head.

    :param expression: the expression.
    """
    return nix.print_file(expression).text.encode()


@paused_collector()
def render(files: Mapping[str, nix.GeneratedFile]) -> tuple[FileTree, SourceMap]:
    """Print the lowered files, and add the Nix library of this version of nixgen.

    :param files: path below generated/ → the file.
    """
    tree: dict[str, bytes] = dict(_library())
    spans: dict[str, tuple[tuple[int, int, Any], ...]] = {}
    for path in sorted(files):
        file = files[path]
        if isinstance(file, nix.PlainFile):
            tree[path] = "".join(f"{line}\n" for line in file.make()).encode()
            continue
        printed = nix.print_file(file.make(), comment=file.comment)
        tree[path] = printed.text.encode()
        spans[path] = tuple(span for span in printed.spans if span[2])
    return tree, SourceMap(spans)
