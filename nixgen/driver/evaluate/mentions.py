"""Mentions: the paths and variables in the text of a Nix file, which an evaluation of it may read.

This is a lexer, not a parser. It separates code, strings and comments as Nix's own lexer does
(``src/libexpr/lexer.l``), and knows nothing of scopes. So it finds too much rather than too little:
a path in code counts, whether the code uses it or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from attrs import define, field

__all__ = ["Doubt", "Mentions", "find_mentions"]

_SEGMENT = rb"[a-zA-Z0-9._+\-]"
_CODE = re.compile(
    rb"(?P<comment>\#[^\r\n]*|/\*.*?(?:\*/|\Z))"
    rb"|(?P<string>\")"
    rb"|(?P<block>'')"
    rb"|(?P<update>//)"
    rb"|(?P<uri>[a-zA-Z][a-zA-Z0-9+.\-]*:[a-zA-Z0-9%/?:@&=+$,\-_.!~*']+)"
    rb"|(?P<search><SEGMENT+(?:/SEGMENT+)*>)"
    rb"|(?P<path>(?:~|SEGMENT*)(?:/SEGMENT+)+/?|SEGMENT*/(?=\$\{))(?P<more>\$\{)?"
    rb"|(?P<word>[a-zA-Z_][a-zA-Z0-9_'\-]*)"
    rb"|(?P<open>\$?\{)"
    rb"|(?P<close>\})"
    rb"|[^a-zA-Z0-9_\#/\"'<~.+\-{}$]+|.".replace(b"SEGMENT", _SEGMENT),
    re.DOTALL,
)
# Text in which none of these tokens begins, except words and, outside of interpolations, braces. It
# skips most of a file in one step. Only single characters have possessive quantifiers: before Python
# 3.11.5, those of groups are wrong (gh-106052).
_DULL = (
    rb"(?:[a-zA-Z0-9_.+\-][a-zA-Z0-9_.+\-']*+(?![/:])|[^a-zA-Z0-9_.+\-/\"'<~\#$EXCEPT]++"
    rb"|\"(?:[^\"\\$/][^\"\\$]*+)?\"|\#[^\r\n]*+)*"
)
_DULL_OUTSIDE = re.compile(_DULL.replace(b"EXCEPT", b""))
_DULL_INSIDE = re.compile(_DULL.replace(b"EXCEPT", b"{}"))
# up to the end of the string, or to an interpolation
_STRING = re.compile(rb"(?:[^\"\\$]|\\.|\$[^{\"\\]|\$(?=[\"\\]))*", re.DOTALL)
_BLOCK = re.compile(rb"(?:[^'$]|\$[^{']|\$(?!\{)|''\$|'''|''\\.|'(?!'))*", re.DOTALL)
_REST_OF_PATH = re.compile(rb"(?:SEGMENT|/)*".replace(b"SEGMENT", _SEGMENT))
_ABSOLUTE = re.compile(rb"(?:/[^/\0\r\n]+)+/?")

_LITERAL = re.compile(rb"\s*\(?\s*\"([a-zA-Z_][a-zA-Z0-9_]*)\"")
_ATTRIBUTES = re.compile(rb"\s*\{([^{}]*)\}")
_PINNED = re.compile(rb"\b(?:sha256|hash|narHash)\s*=|\brev\s*=\s*\"[0-9a-f]{40}\"")

_FETCHERS = frozenset({b"fetchGit", b"fetchMercurial", b"fetchTarball", b"fetchTree", b"fetchurl"})
_UNKNOWABLE = {
    b"currentTime": "asks what time it is",
    b"exec": "runs programs",
    b"findFile": "looks files up in a search path",
    b"getFlake": "reads a flake",
    b"importNative": "runs native code",
    b"nixPath": "reads the search path NIX_PATH",
}
#: Common words, which are functions of Nix only after ``builtins.``.
_QUALIFIED = frozenset({b"exec", b"fetchurl", b"path"})
_READS_FOLDERS = frozenset({b"filterSource", b"path", b"readDir"})
_TELLING = re.compile(
    b"getEnv|filterSource|readDir|builtins|" + b"|".join({*_FETCHERS, *_UNKNOWABLE})
)


class Doubt(NamedTuple):
    """A reason why the dependencies of a file cannot be known.

    :param line: the line of the file, from 1.
    :param clause: the rest of a sentence that begins with the name of the file.
    """

    line: int
    clause: str


@define(kw_only=True)
class Mentions:
    """The paths and variables in the text of a Nix file.

    :param paths: paths as they are written; relative ones begin at the folder of the file.
    :param prefixes: folders of paths whose rest is computed, as in ``./a/${b}``. Everything in such
        a folder may be read.
    :param strings: strings that are absolute paths. ``readFile`` and ``imports`` accept them, too.
    :param variables: names of environment variables.
    :param doubts: expressions that make the evaluation unrepeatable.
    :param reads_folders: whether the file lists or copies folders, perhaps one of ``strings``.
    """

    paths: set[str] = field(factory=set)
    prefixes: set[str] = field(factory=set)
    strings: set[str] = field(factory=set)
    variables: set[str] = field(factory=set)
    doubts: list[Doubt] = field(factory=list)
    reads_folders: bool = False


class _Token(NamedTuple):
    kind: str
    text: bytes
    start: int
    end: int


def find_mentions(text: bytes) -> Mentions:
    """Find the paths and variables in the text of a Nix file. Never raises: Nix reports syntax
    errors.

    :param text: the text, in any encoding.
    """
    mentions = Mentions()
    # Nix reads no further than the first NUL, and a string may name a program, such as /bin/sh
    text = text.partition(b"\0")[0]

    def doubt(at: int, clause: str) -> None:
        mentions.doubts.append(Doubt(text.count(b"\n", 0, at) + 1, clause))

    before: tuple[bytes, bytes] = (b"", b"")
    opened_builtins = bool(re.search(rb"(?:with\s+|\(\s*)builtins\b", text))
    for token in _tokens(text):
        match token.kind:
            case "path":
                mentions.paths.add(_decoded(token.text))
            case "prefix":
                mentions.prefixes.add(_decoded(token.text.rpartition(b"/")[0] or b"/"))
            case "string" if _ABSOLUTE.fullmatch(token.text):
                mentions.strings.add(_decoded(token.text))
            case "search" if not token.text.startswith(b"<nix/"):
                doubt(token.start, f"looks up {_decoded(token.text)} in the search path NIX_PATH")
            case "word":
                name = token.text.removeprefix(b"__")
                qualified = before == (b"builtins", b".") or opened_builtins
                meant = qualified or name not in _QUALIFIED
                mentions.reads_folders |= meant and name in _READS_FOLDERS
                if name == b"getEnv":
                    if found := _LITERAL.match(text, token.end):
                        mentions.variables.add(_decoded(found[1]))
                    else:
                        doubt(token.start, "reads an environment variable whose name it computes")
                elif meant and name in _FETCHERS:
                    given = _ATTRIBUTES.match(text, token.end)
                    if not (given and _PINNED.search(given[1])):
                        doubt(token.start, f"fetches without a hash ({_decoded(name)})")
                elif meant and name in _UNKNOWABLE:
                    doubt(token.start, f"{_UNKNOWABLE[name]} ({_decoded(name)})")
            case _:
                pass
        if token.kind != "blank":
            before = (before[1], token.text)
    return mentions


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _tokens(text: bytes) -> Iterator[_Token]:
    """Words, paths, whole strings and single characters, without comments and parts of strings.

    A stack tells what a closing brace ends: code in braces, or an interpolation in a string or
    path.
    """
    at, end = 0, len(text)
    stack: list[str] = []
    words_matter = bool(_TELLING.search(text))
    while at < end:
        if stack and stack[-1] in {"string", "block"}:
            pattern, close = (_STRING, b'"') if stack[-1] == "string" else (_BLOCK, b"''")
            found = pattern.match(text, at)
            assert found is not None  # noqa: S101 - both match the empty text
            stop = found.end()
            if text.startswith(b"${", stop):
                stack.append("interpolation")
                at = stop + 2
                continue
            whole = text.startswith(close, at - len(close))
            if whole and text.startswith(close, stop):
                yield _Token("string", found[0], at, stop)
            stack.pop()
            at = stop + len(close)
            continue
        if not words_matter:
            dull = (_DULL_INSIDE if stack else _DULL_OUTSIDE).match(text, at)
            at = dull.end() if dull else at
            if at == end:
                return
        token = _CODE.match(text, at)
        assert token is not None  # noqa: S101 - its last alternative is any character
        kind, at = token.lastgroup or "other", token.end()
        match kind:
            case "comment" | "uri" | "update":
                pass
            case "string" | "block":
                stack.append(kind)
            case "more":
                yield _Token("prefix", token["path"], token.start(), at)
                stack.append("path")
            case "open":
                stack.append("braces")
                yield _Token("other", token[0], token.start(), at)
            case "close":
                if stack and stack.pop() == "path":
                    rest = _REST_OF_PATH.match(text, at)
                    at = rest.end() if rest else at
                yield _Token("other", token[0], token.start(), at)
            case _:
                blank = kind == "other" and token[0].isspace()
                yield _Token("blank" if blank else kind, token[0], token.start(), at)
