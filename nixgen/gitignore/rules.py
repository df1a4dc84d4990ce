"""Parse lines of .gitignore files into rules, and find the rule that decides about a path."""

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
    """One line of a .gitignore file that can match something.

    :param glob: the glob for a name, or for a path if ``whole_path`` is set.
    :param whole_path: the glob is for the path from the folder of the .gitignore file.
    :param folders_only: the line ended in a slash, so it matches only folders. A link to a folder is
        not a folder.
    :param negated: the line began with ``!``, so it takes matching paths out of the ignored ones.
    :param line: the number of the line, from 1.
    """

    glob: Glob
    whole_path: bool
    folders_only: bool
    negated: bool
    line: int

    @property
    def posix(self) -> str:
        """The regular expression for ``builtins.match``, applied to a name or path.

        The name or path of a folder may end in a slash, and must do so for a rule that matches only
        folders.

        :raises InexpressibleError: no regular expression of Nix means the same.
        """
        return self.glob.posix + ("/" if self.folders_only else "")

    def matches(self, subject: bytes, *, folder: bool) -> bool:
        """Whether the rule matches.

        :param subject: a name, or a path if ``whole_path`` is set; without a final slash.
        :param folder: whether the subject is a folder.
        """
        if self.folders_only and not folder:
            return False
        literal = self.glob.literal
        if literal is not None:
            return literal == subject
        return self.glob.python.fullmatch(subject) is not None


@attrs.frozen(slots=False)
class Scope:
    """The rules of one .gitignore file, which apply to everything below its folder.

    :param folder: the path of the folder, without a final slash; empty for the top folder.
    :param rules: the rules in the order of the file.
    """

    folder: bytes
    rules: tuple[Rule, ...]

    def deciding(self, path: bytes, name: bytes, *, folder: bool) -> Rule | None:
        """The last rule that matches, or None.

        :param path: the path from the scope's folder.
        :param name: the last part of the path.
        :param folder: whether the path is a folder.
        """
        # most paths match no rule at all, and one expression of all rules finds that out quickly
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
    # without rules, an expression that never matches
    return re.compile(b"|".join(alternatives) or b"(?!)", re.DOTALL)


def parse(content: bytes) -> Iterator[Rule]:
    """The rules of a .gitignore file, one for each line that can match something.

    :param content: the bytes of the file.
    """
    for number, line in enumerate(content.removeprefix(_BOM).split(b"\n"), start=1):
        rule = _rule(line.removesuffix(b"\r").partition(b"\0")[0], number)
        if rule is not None:
            yield rule


def parse_pattern(text: str) -> Rule | None:
    """The rule of one pattern that stands outside of a .gitignore file.

    :param text: the pattern.
    :returns: the rule; None if the pattern can match nothing, such as a comment, an empty pattern, or
        one with an unclosed set.
    """
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
    """The line without spaces at its end. A space behind a backslash stays."""
    end = kept = 0
    while end < len(line):
        escaped = line[end : end + 1] == b"\\"
        end += 1 + escaped
        if escaped or line[end - 1 : end] != b" ":
            kept = end
    return line[:kept]


def decision(scopes: Sequence[Scope], path: bytes, *, folder: bool) -> tuple[Scope, Rule] | None:
    """The rule that decides about a path: the last matching rule of the innermost file that has one.

    :param scopes: the scopes, outermost first. The path lies in the folder of each scope.
    :param path: the path from the top folder, without a final slash.
    :param folder: whether the path is a folder.
    :returns: the deciding rule and its scope; None if no rule matches.
    """
    name = path.rpartition(b"/")[2]
    for scope in reversed(scopes):
        inner = path[len(scope.folder) + 1 :] if scope.folder else path
        rule = scope.deciding(inner, name, folder=folder)
        if rule is not None:
            return scope, rule
    return None


def is_ignored(scopes: Sequence[Scope], path: bytes, *, folder: bool) -> bool:
    """Whether git ignores a path. An ignored folder above the path does not count here.

    :param scopes: the scopes, outermost first. The path lies in the folder of each scope.
    :param path: the path from the top folder, without a final slash.
    :param folder: whether the path is a folder.
    """
    found = decision(scopes, path, folder=folder)
    return found is not None and not found[1].negated
