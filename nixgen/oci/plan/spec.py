"""image.json (docs/contracts.md §4): what an image is, as the Nix side says it.

Kilobytes of JSON; the bytes of the image stay in the Nix store until a layer is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from nixgen.errors import InputError

__all__ = ["SCHEMA", "ImageSpec", "PathEntry", "parse_spec", "read_spec"]

SCHEMA = "nixgen/image/1"

_STORE_PATH = re.compile(r"/nix/store/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+\-._?=]+")
_NAME = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_KEYS = {"schema", "name", "tag", "architecture", "os", "config", "root", "closure"}
_ENTRY_KEYS = {"path", "narHash", "narSize", "references"}


@frozen(kw_only=True)
class PathEntry:
    """A store path of the closure.

    :param nar_hash: as Nix wrote it; compared and hashed as text, never decoded.
    :param nar_size: bytes.
    :param references: full store paths, all within the closure; without the path itself.
    """

    path: str
    nar_hash: str
    nar_size: int
    references: tuple[str, ...]


@frozen(kw_only=True)
class ImageSpec:
    """An image before it has layers.

    :param config: the OCI image configuration's ``config`` object, with its own spelling.
    :param root: the store path whose tree appears at ``/``.
    :param closure: ordered by path; contains ``root``.
    """

    name: str
    tag: str
    architecture: str
    os: str
    config: Mapping[str, Any] = field(hash=False)
    root: str
    closure: tuple[PathEntry, ...]

    @property
    def ref(self) -> str:
        return f"{self.name}:{self.tag}"

    @property
    def root_entry(self) -> PathEntry:
        return next(entry for entry in self.closure if entry.path == self.root)

    @property
    def layered(self) -> tuple[PathEntry, ...]:
        """The store paths that appear under ``/nix/store``.

        All but ``root``, whose tree is at ``/`` instead; it stays when something names it.
        """
        named = self.root in set(_store_paths(self.config)) or any(
            self.root in entry.references for entry in self.closure if entry.path != self.root
        )
        return tuple(entry for entry in self.closure if named or entry.path != self.root)


def read_spec(path: Path) -> ImageSpec:
    """Read an image.json.

    :raises InputError: unreadable, not JSON, or not what contract 4 says; names the JSON path.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read {path}: {error}", hint="build the image target again"
        ) from error
    return parse_spec(text, source=str(path))


def parse_spec(text: str, *, source: str) -> ImageSpec:
    """Parse the text of an image.json; ``source`` names it in errors. Errors as for `read_spec`."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{source} is not JSON: {error}", hint="build the image target again"
        ) from error
    return _Reader(source=source).image(document)


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


@frozen(kw_only=True)
class _Reader:
    source: str

    def fail(self, where: str, message: str, hint: str | None = None) -> InputError:
        return InputError(
            f"{self.source}: {where}: {message}",
            hint=hint
            or "regenerate and build the image; nixgen and generated/lib must be of one version",
        )

    def keys(self, value: Any, where: str, expected: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(where, f"expected an object, found {type(value).__name__}")
        for key in sorted(expected - value.keys()):
            raise self.fail(where, f"{key!r} is missing")
        for key in sorted(value.keys() - expected):
            raise self.fail(f"{where}.{key}", "is not a key of this schema")
        return value

    def text(self, value: Any, where: str, pattern: re.Pattern[str] | None = None) -> str:
        if not isinstance(value, str) or not value:
            raise self.fail(where, f"expected a non-empty string, found {value!r}")
        if pattern is not None and not pattern.fullmatch(value):
            raise self.fail(where, f"{value!r} does not have the right form")
        return value

    def array(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.fail(where, f"expected an array, found {type(value).__name__}")
        return value

    def image(self, value: Any) -> ImageSpec:
        if isinstance(value, dict) and value.get("schema") != SCHEMA:
            raise self.fail("$.schema", f"expected {SCHEMA!r}, found {value.get('schema')!r}")
        data = self.keys(value, "$", _KEYS)
        if not isinstance(data["config"], dict):
            raise self.fail("$.config", "expected an object")
        entries = [
            self.entry(item, f"$.closure[{index}]")
            for index, item in enumerate(self.array(data["closure"], "$.closure"))
        ]
        spec = ImageSpec(
            name=self.text(data["name"], "$.name", _NAME),
            tag=self.text(data["tag"], "$.tag", _TAG),
            architecture=self.text(data["architecture"], "$.architecture"),
            os=self.text(data["os"], "$.os"),
            config=MappingProxyType(data["config"]),
            root=self.text(data["root"], "$.root", _STORE_PATH),
            closure=tuple(sorted(entries, key=lambda entry: entry.path)),
        )
        self.check_closed(spec)
        return spec

    def entry(self, value: Any, where: str) -> PathEntry:
        data = self.keys(value, where, _ENTRY_KEYS)
        size = data["narSize"]
        if type(size) is not int or size < 0:
            raise self.fail(f"{where}.narSize", f"expected a size in bytes, found {size!r}")
        path = self.text(data["path"], f"{where}.path", _STORE_PATH)
        references = {
            self.text(item, f"{where}.references[{index}]", _STORE_PATH)
            for index, item in enumerate(self.array(data["references"], f"{where}.references"))
        }
        return PathEntry(
            path=path,
            nar_hash=self.text(data["narHash"], f"{where}.narHash"),
            nar_size=size,
            references=tuple(sorted(references - {path})),
        )

    def check_closed(self, spec: ImageSpec) -> None:
        """A closure that is not closed makes an image that fails when it runs: refuse it here."""
        paths = {entry.path for entry in spec.closure}
        if len(paths) != len(spec.closure):
            raise self.fail("$.closure", "names a store path twice")
        if spec.root not in paths:
            raise self.fail("$.root", f"{spec.root} is not in the closure")
        for entry in spec.closure:
            for reference in entry.references:
                if reference not in paths:
                    raise self.fail(
                        "$.closure", f"{entry.path} refers to {reference}, which is not in it"
                    )
        for path in _store_paths(spec.config):
            if path not in paths:
                raise self.fail(
                    "$.config",
                    f"{path} is not in the closure",
                    "make it part of `contents` of the image",
                )
