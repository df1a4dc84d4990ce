"""JSON text with the position of each value: errors name lines, and edits keep the layout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.errors import NixgenError

__all__ = ["JsonPath", "JsonText", "path_text"]

#: Member names and list positions, from the top.
JsonPath = tuple[str | int, ...]

#: white space, then one punctuation mark, string, number or word
_TOKEN = re.compile(r'\s*([{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+)')
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def path_text(path: JsonPath) -> str:
    """A path as text, for messages.

    Examples: ``inputs.nixpkgs.rev``, ``inputs["a b"]``, ``inputs.debian.architectures[0]``.

    :param path: member names and list positions, from the top of the document.
    """
    text = ""
    for part in path:
        if isinstance(part, str) and _BARE.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


@frozen
class _Span:
    """The position of a value in the text, in characters.

    :param member: the first character of the member's name; the same as ``start`` in a list.
    :param start: the first character of the value.
    :param end: the position after the last character of the value.
    """

    member: int
    start: int
    end: int


@frozen
class JsonText:
    """A JSON document with its text.

    :param text: the text as it was read.
    :param document: the values of the text, as `json.loads` returns them.
    :param repeated: the paths of members that one object names more than once. The last one counts,
        as in Python and Nix.
    """

    text: str
    document: Any
    repeated: tuple[JsonPath, ...]
    _spans: Mapping[JsonPath, _Span]

    @classmethod
    def read(
        cls, path: Path, name: str, error: type[NixgenError], *, missing: str, malformed: str | None
    ) -> JsonText:
        """Read a file.

        :param path: the file.
        :param name: its name in messages.
        :param error: the class of the errors.
        :param missing: the hint for a file that cannot be read.
        :param malformed: the hint for a file that is not JSON.
        :raises NixgenError: of the class ``error``: the file cannot be read, or is not JSON.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as problem:
            raise error(f"{name} is not UTF-8 text: {problem.reason}") from problem
        except OSError as problem:
            raise error(f"{name} cannot be read: {problem.strerror}", hint=missing) from problem
        except ValueError as problem:
            line = f":{problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
            message = getattr(problem, "msg", problem)
            raise error(
                f"{name} is not JSON: {message}", where=f"{name}{line}", hint=malformed
            ) from problem

    @classmethod
    def parse(cls, text: str) -> JsonText:
        """Read a JSON text and record the position of each value.

        :param text: the whole document.
        :raises ValueError: the text is not JSON, or is nested too deeply. The former is a
            `json.JSONDecodeError`, which has the line.
        """
        spans: dict[JsonPath, _Span] = {}
        repeated: list[JsonPath] = []
        try:
            document = json.loads(text)
            _scan([*_TOKEN.finditer(text)], 0, (), spans, repeated)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        return cls(text, document, tuple(repeated), spans)

    def line(self, path: JsonPath) -> int:
        """The line of a value, counted from 1.

        :param path: the value. If the document lacks it, the innermost value around it is used.
        """
        while path not in self._spans:
            path = path[:-1]
        return self.text.count("\n", 0, self._spans[path].member) + 1

    def replaced(self, path: JsonPath, value: str | int) -> JsonText:
        """The text with one value replaced, or with a new member at the end of its object.

        A new member is laid out like the member before it.

        :param path: a member of an object that exists and is not empty.
        :param value: the new value of the member.
        """
        new = json.dumps(value, ensure_ascii=False)
        if (span := self._spans.get(path)) is not None:
            return self.parse(self.text[: span.start] + new + self.text[span.end :])
        siblings = (
            span for known, span in self._spans.items() if known and known[:-1] == path[:-1]
        )
        last = max(siblings, key=lambda span: span.start)
        before = self.text[: last.member]
        gap = before[len(before.rstrip()) :] or " "
        name = json.dumps(path[-1], ensure_ascii=False)
        return self.parse(f"{self.text[: last.end]},{gap}{name}: {new}{self.text[last.end :]}")

    def without(self, path: JsonPath) -> JsonText:
        """The text without one member; unchanged if the document lacks the member.

        :param path: a member of an object that has other members too.
        """
        if (span := self._spans.get(path)) is None:
            return self
        before, after = self.text[: span.member].rstrip(), self.text[span.end :]
        if before.endswith(","):
            return self.parse(before[:-1] + after)
        return self.parse(self.text[: span.member] + after.lstrip().removeprefix(",").lstrip())


def _scan(
    tokens: Sequence[re.Match[str]],
    at: int,
    path: JsonPath,
    spans: dict[JsonPath, _Span],
    repeated: list[JsonPath],
) -> int:
    """Record the positions of one value and of all values in it.

    The text is known to be JSON, so nothing is checked.

    :param at: the number of the value's first token, which is its name if it is a member.
    :returns: the number of the token after the value.
    """
    first = tokens[at].start(1)
    if path and isinstance(path[-1], str):
        at += 2  # the name, the colon
    opening, start = tokens[at][1], tokens[at].start(1)
    if path in spans:
        repeated.append(path)
        for known in [known for known in spans if known[: len(path)] == path]:
            del spans[known]
    index = 0
    if opening in ("{", "["):
        at += 1
        while tokens[at][1] not in ("}", "]"):
            if tokens[at][1] == ",":
                at += 1
            part = json.loads(tokens[at][1]) if opening == "{" else index
            at = _scan(tokens, at, (*path, part), spans, repeated)
            index += 1
    spans[path] = _Span(first, start, tokens[at].end(1))
    return at + 1
