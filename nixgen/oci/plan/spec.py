"""image.json (docs/contracts.md §4): an image as the Nix side describes it.

The document has kilobytes. The image's bytes stay in the Nix store until a layer is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from attrs import evolve, field, frozen

from nixgen.errors import InputError
from nixgen.records.format import Format
from nixgen.records.rules import Text, at_least, matching

__all__ = ["IMAGE", "ImageSpec", "PathEntry", "parse_spec", "read_spec"]

_STORE_PATH = re.compile(r"/nix/store/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+\-._?=]+")
_WORD = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"

_StorePath = Annotated[str, matching(_STORE_PATH, "a store path")]
# https://github.com/distribution/reference/blob/v0.6.0/reference.go has the grammar
_Name = Annotated[str, matching(f"{_WORD}(?:/{_WORD})*", "the name of an image")]
_Tag = Annotated[str, matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", "the tag of an image")]


@frozen(kw_only=True)
class PathEntry:
    """A store path of an image's closure.

    :param path: ``/nix/store/<digest>-<name>``.
    :param nar_hash: as Nix wrote it; compared and hashed as text, never decoded.
    :param nar_size: bytes.
    :param references: sorted store paths, all within the closure, without the path itself.
    """

    path: _StorePath
    nar_hash: Text
    nar_size: Annotated[int, at_least(0, "a size in bytes")]
    references: tuple[_StorePath, ...]


@frozen(kw_only=True)
class ImageSpec:
    """An image before it has layers.

    :param name: the repository part of its reference, such as ``shop/api``.
    :param tag: the rest of its reference, such as ``latest``.
    :param architecture: as OCI spells it, such as ``amd64``.
    :param os: as OCI spells it: ``linux``.
    :param config: the OCI image configuration's ``config`` object, in OCI's spelling.
    :param root: the store path whose tree appears at ``/``.
    :param closure: sorted by path; contains ``root``.
    """

    name: _Name
    tag: _Tag
    architecture: Text
    os: Text
    config: Mapping[str, Any] = field(hash=False, converter=MappingProxyType)
    root: _StorePath
    closure: tuple[PathEntry, ...]

    @property
    def ref(self) -> str:
        """``name:tag``."""
        return f"{self.name}:{self.tag}"

    @property
    def root_entry(self) -> PathEntry:
        """The entry of ``root`` in the closure."""
        return next(entry for entry in self.closure if entry.path == self.root)

    @property
    def layered(self) -> tuple[PathEntry, ...]:
        """The store paths that appear under ``/nix/store``.

        The tree of ``root`` is at ``/`` instead. It appears in the store, too, when the
        configuration or another path names it.
        """
        named = self.root in set(_store_paths(self.config)) or any(
            self.root in entry.references for entry in self.closure if entry.path != self.root
        )
        return tuple(entry for entry in self.closure if named or entry.path != self.root)


def read_spec(path: Path) -> ImageSpec:
    """Read an image.json.

    :param path: the file.
    :raises InputError: it is unreadable, not JSON, or not as contract 4 says; names each place.
    """
    return _ordered(IMAGE.read(path))


def parse_spec(text: str, *, source: str) -> ImageSpec:
    """Parse the text of an image.json; errors as for `read_spec`.

    :param text: the document.
    :param source: its name in errors.
    """
    return _ordered(IMAGE.parse(text, source=source))


def _ordered(spec: ImageSpec) -> ImageSpec:
    entries = (
        evolve(entry, references=tuple(sorted({*entry.references} - {entry.path})))
        for entry in spec.closure
    )
    return evolve(spec, closure=tuple(sorted(entries, key=lambda entry: entry.path)))


def _store_paths(value: Any) -> Iterator[str]:
    """Every store path that a JSON value mentions, in keys and in strings."""
    match value:
        case str():
            yield from _STORE_PATH.findall(value)
        case Mapping():
            for key, item in value.items():
                yield from _store_paths(key)
                yield from _store_paths(item)
        case list() | tuple():
            for item in value:
                yield from _store_paths(item)


def _check_closed(spec: ImageSpec) -> Iterator[tuple[str, str]]:
    """The faults of a closure that is not closed: its image would fail only when it runs."""
    paths = {entry.path for entry in spec.closure}
    if len(paths) != len(spec.closure):
        yield "$.closure", "names a store path twice"
    if spec.root not in paths:
        yield "$.root", f"{spec.root} is not in the closure"
    for entry in spec.closure:
        for reference in entry.references:
            if reference not in paths:
                yield "$.closure", f"{entry.path} refers to {reference}, which is not in it"
    for path in _store_paths(spec.config):
        if path not in paths:
            yield (
                "$.config",
                f"{path} is not in the closure: make it part of `contents` of the image",
            )


#: The format of image.json.
IMAGE = Format(
    schema="nixgen/image/1",
    shape=ImageSpec,
    error=InputError,
    hint="regenerate and build the image; nixgen and generated/lib must be of one version",
    missing_hint="build the image target again",
    check=_check_closed,
)
