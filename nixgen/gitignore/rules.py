"""Lines of .gitignore files as rules, and which of many rules decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import attrs

from nixgen.gitignore.glob import Glob

__all__ = ["Rule", "Scope", "decision", "is_ignored", "parse", "parse_pattern"]

_BOM = b"\xef\xbb\xbf"


@attrs.frozen
class Rule:
    """A line that can match something.

    :param glob: of a name, or of a path when ``whole_path``.
    :param whole_path: relative to the folder of the file that the line is in.
    :param folders_only: it ended in a slash; links to folders are no folders.
    :param negated: it began with ``!``: what it matches is not ignored after all.
    :param line: from 1.
    """

    glob: Glob
    whole_path: bool
    folders_only: bool
    negated: bool
    line: int

    @property
    def posix(self) -> str:
        """What ``builtins.match`` has to find in a name or path; those of folders may end in a slash, and some must.

        :raises InexpressibleError: Nix cannot say it.
        """
        return self.glob.posix + ("/" if self.folders_only else "")

    def matches(self, subject: bytes, *, folder: bool) -> bool:
        """:param subject: a name, or a path when ``whole_path``; without a final slash."""
        if self.folders_only and not folder:
            return False
        literal = self.glob.literal
        if literal is not None:
            return literal == subject
        return self.glob.python.fullmatch(subject) is not None


@attrs.frozen(slots=False)
class Scope:
    """The rules of one file, for what lies in its folder.

    :param folder: path, without a final slash; empty for the top.
    :param rules: in the order of the file.
    """

    folder: bytes
    rules: tuple[Rule, ...]

    def deciding(self, path: bytes, name: bytes, *, folder: bool) -> Rule | None:
        """The last rule that matches.

        :param path: relative to the scope's folder.
        """
        # most paths match none of many rules, and that is one question
        if not self._names.fullmatch(name) and not self._paths.fullmatch(path):
            return None
        for rule in reversed(self.rules):
            if rule.matches(path if rule.whole_path else name, folder=folder):
                return rule
        return None

    @cached_property
    def _names(self) -> re.Pattern[bytes]:
        return _any(rule for rule in self.rules if not rule.whole_path)

    @cached_property
    def _paths(self) -> re.Pattern[bytes]:
        return _any(rule for rule in self.rules if rule.whole_path)


def _any(rules: Iterable[Rule]) -> re.Pattern[bytes]:
    alternatives = [b"(?:%s)" % rule.glob.python.pattern for rule in rules]
    # without any, what never matches
    return re.compile(b"|".join(alternatives) or b"(?!)", re.DOTALL)


def parse(content: bytes) -> Iterator[Rule]:
    """The lines of a .gitignore file that can match something."""
    for number, line in enumerate(content.removeprefix(_BOM).split(b"\n"), start=1):
        rule = _rule(line.removesuffix(b"\r").partition(b"\0")[0], number)
        if rule is not None:
            yield rule


def parse_pattern(text: str) -> Rule | None:
    """One pattern outside of a file; None when it can match nothing: a comment, an empty one, a set without end."""
    return None if "\n" in text else _rule(text.encode(), 1)


def _rule(line: bytes, number: int) -> Rule | None:
    if line.startswith(b"#"):
        return None
    text = _without_trailing_spaces(line)
    negated = text.startswith(b"!")
    text = text.removeprefix(b"!")
    folders_only = text.endswith(b"/")
    text = text.removesuffix(b"/")
    whole_path = b"/" in text
    glob = Glob.parse(text.removeprefix(b"/"), whole_path=whole_path)
    return None if glob is None else Rule(glob, whole_path, folders_only, negated, number)


def _without_trailing_spaces(line: bytes) -> bytes:
    """Spaces at the end do not count, unless a backslash stands before them."""
    end = kept = 0
    while end < len(line):
        escaped = line[end : end + 1] == b"\\"
        end += 1 + escaped
        if escaped or line[end - 1 : end] != b" ":
            kept = end
    return line[:kept]


def decision(scopes: Sequence[Scope], path: bytes, *, folder: bool) -> tuple[Scope, Rule] | None:
    """What decides about a path: the last rule that matches, of the innermost file that has one.

    :param scopes: outermost first; the path lies in the folder of each.
    """
    name = path.rpartition(b"/")[2]
    for scope in reversed(scopes):
        inner = path[len(scope.folder) + 1 :] if scope.folder else path
        rule = scope.deciding(inner, name, folder=folder)
        if rule is not None:
            return scope, rule
    return None


def is_ignored(scopes: Sequence[Scope], path: bytes, *, folder: bool) -> bool:
    """Whether git would leave a path out, provided that it does not leave out a folder above it."""
    found = decision(scopes, path, folder=folder)
    return found is not None and not found[1].negated
