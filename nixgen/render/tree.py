"""The generated tree in memory: path → bytes, and which line of it comes from which line of the user's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from nixgen import syntax as nix
from nixgen._collector import paused_collector
from nixgen.render.resources import nix_library, template_folder

if TYPE_CHECKING:
    import jinja2

__all__ = ["FileTree", "SourceMap", "printed", "render"]

#: Paths below ``generated/``, with ``/``, and their bytes.
FileTree = Mapping[str, bytes]


class NixText(str):
    """Text that the printer made. Templates accept nothing else, but for `PlainLine`."""

    __slots__ = ()


class PlainLine(str):
    """A line of a file that is not Nix: its lowering answers for what is in it."""

    __slots__ = ()


@attrs.frozen
class SourceMap:
    """For each generated file, spans of lines (first, last, from 1) and what they were made from."""

    spans: Mapping[str, tuple[tuple[int, int, Any], ...]]

    def locate(self, path: str, line: int) -> str | None:
        """The user's ``file:line`` for a line of a generated file: that of the innermost span around it."""
        around = [span for span in self.spans.get(path, ()) if span[0] <= line <= span[1]]
        return str(min(around, key=lambda span: span[1] - span[0])[2]) if around else None


def _only_lowered(value: Any) -> str:
    if not isinstance(value, NixText | PlainLine):
        raise TypeError(f"a template was given {value!r}, which the printer did not make")
    return value


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "generated"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701  # Nix, not HTML; `finalize` lets only printed text through
        finalize=_only_lowered,
    )


@cache
def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _library() -> Mapping[str, bytes]:
    root = nix_library()
    return {
        f"lib/{file.relative_to(root).as_posix()}": file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


#: where a generated file is → its template, the first that fits
_TEMPLATES = {
    "default.nix": "default.nix.j2",
    "flake.nix": "flake.nix.j2",
    "ignored.nix": "ignored.nix.j2",
    "machines/*.nix": "machine.nix.j2",
    "images/*.nix": "image.nix.j2",
    "kubernetes/*.nix": "application.nix.j2",
    "tests/*.nix": "test.nix.j2",
    "environments/*/*.nix": "environment.nix.j2",
    "environments/*/kubernetes/*.nix": "application-environment.nix.j2",
}
#: a file that is not Nix → its template
_PLAIN_TEMPLATES = {"builders": "builders.j2", "flake.lock": "flake.lock.j2"}


def _template_of(path: str) -> str:
    depth = path.count("/")
    return next(
        name
        for place, name in _TEMPLATES.items()
        if place.count("/") == depth and fnmatchcase(path, place)
    )


def printed(expression: nix.Expr) -> bytes:
    """The text of a file with this expression, without what a template adds."""
    return nix.print_file(expression).text.encode()


def render(
    files: Mapping[str, Callable[[], nix.Expr | tuple[str, ...]]],
) -> tuple[FileTree, SourceMap]:
    """Lay out the lowered files with the templates and add this version's Nix library."""
    with paused_collector():
        return _render(files)


def _render(
    files: Mapping[str, Callable[[], nix.Expr | tuple[str, ...]]],
) -> tuple[FileTree, SourceMap]:
    tree: dict[str, bytes] = dict(_library())
    spans: dict[str, tuple[tuple[int, int, Any], ...]] = {}
    for path in sorted(files):
        content = files[path]()
        if isinstance(content, tuple):
            lines = tuple(map(PlainLine, content))
            tree[path] = _template(_PLAIN_TEMPLATES[path]).render(lines=lines).encode()
            continue
        printed = nix.print_file(content)
        text = _template(_template_of(path)).render(body=NixText(printed.text))
        above = text.count("\n") - printed.text.count("\n")
        tree[path] = text.encode()
        spans[path] = tuple(
            (first + above, last + above, origin) for first, last, origin in printed.spans if origin
        )
    return tree, SourceMap(spans)
