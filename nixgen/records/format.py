"""A kind of document: its schema, its class, and the error of a wrong document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from nixgen.errors import NixgenError
from nixgen.records.document import document, parse_object, to_text
from nixgen.records.structure import WRONG, Faults, to_json, value_of

__all__ = ["Format"]

_T = TypeVar("_T")

#: A function that compares the members of a document, and returns the place and message of each fault.
Check = Callable[[Any], Iterable[tuple[str, str]]]


@frozen(kw_only=True)
class Format(Generic[_T]):
    """One kind of document, which it reads and writes.

    :param schema: the value of its member ``schema``, such as ``nixgen/image/1``.
    :param shape: the attrs class of its other members; see `structure` for the types of fields.
    :param error: the class of the error of a wrong document.
    :param hint: the hint for a wrong document.
    :param missing_hint: the hint for a file that cannot be read; None for ``hint``.
    :param check: compares members, after each is right by itself. It returns the place and the
        message of each fault.
    :param ignore_unknown: accept members that ``shape`` does not have.
    """

    schema: str
    shape: type[_T]
    error: type[NixgenError]
    hint: str
    missing_hint: str | None = None
    check: Check = field(default=lambda _: ())
    ignore_unknown: bool = False

    def read(self, path: Path) -> _T:
        """Read a file.

        :param path: the file.
        :raises NixgenError: of the class ``error``: the file is missing or unreadable, or as
            `parse`.
        """
        return self.parse(self.bytes_of(path), source=str(path))

    def bytes_of(self, path: Path) -> bytes:
        """The bytes of a file of this kind.

        :param path: the file.
        :raises NixgenError: of the class ``error``: the file is missing or unreadable.
        """
        try:
            return path.read_bytes()
        except OSError as error:
            raise self.error(
                f"{path} cannot be read: {error.strerror}", hint=self.missing_hint or self.hint
            ) from error

    def parse(self, text: str | bytes, *, source: str) -> _T:
        """Read the text of a document.

        :param text: the document.
        :param source: its name in error messages.
        :raises NixgenError: of the class ``error``: it is not JSON, has another schema, or is wrong
            anywhere. One fault is in the message; several are in the details, each with its place.
        """
        try:
            value = parse_object(text)
        except ValueError as error:
            raise self.error(f"{source} is not JSON: {error}", hint=self.hint) from error
        return self.structure(value, source=source)

    def structure(self, value: object, *, source: str) -> _T:
        """Read a document that `json.loads` has read already.

        :param value: the document.
        :param source: its name in error messages.
        :raises NixgenError: as `parse`.
        """
        schema = value.get("schema") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or schema != self.schema:
            raise self.error(
                f"{source}: $.schema: this nixgen reads {self.schema!r}, found {schema!r}",
                hint=self.hint,
            )
        made, faults = self._read_members(value)
        if faults or made is None:
            raise self.failure(source, faults)
        return made

    def find(self, path: Path) -> _T | None:
        """Read a file that can be made again. None if it is missing, damaged or of another version.

        :param path: the file.
        """
        try:
            value = parse_object(path.read_bytes())
        except (OSError, ValueError):
            return None
        if value.get("schema") != self.schema:
            return None
        made, faults = self._read_members(value)
        return None if faults else made

    def failure(self, source: str, faults: Iterable[tuple[str, str]]) -> NixgenError:
        """The error of a document with faults, for the caller to raise.

        :param source: the document's name.
        :param faults: the place and the message of each.
        """
        lines = [f"{place}: {message}" for place, message in faults]
        if len(lines) == 1:
            return self.error(f"{source}: {lines[0]}", hint=self.hint)
        return self.error(
            f"{source} is not a {self.schema}: {len(lines)} members are wrong",
            hint=self.hint,
            details=lines,
        )

    def document(self, value: _T) -> dict[str, Any]:
        """The document of a value, for `json.dumps`.

        :param value: of the class ``shape``.
        """
        return document(self.schema, **to_json(value))

    def text(self, value: _T, *, indent: int | None = 2) -> str:
        """Canonical JSON of a value; see `to_text`.

        :param value: of the class ``shape``.
        :param indent: spaces for each level; None for one line.
        """
        return to_text(self.document(value), indent=indent)

    def _read_members(self, value: Mapping[str, Any]) -> tuple[_T | None, list[tuple[str, str]]]:
        faults = Faults(ignore_unknown=self.ignore_unknown)
        members = {name: item for name, item in value.items() if name != "schema"}
        made = value_of(self.shape, members, faults)
        if made is WRONG:
            return None, faults.found
        return made, list(self.check(made))
