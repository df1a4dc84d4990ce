"""Parse NixOS's descriptions of types: ``null or list of string``, ``attribute set of
(submodule)``.

lib/types.nix of nixpkgs composes the descriptions. Since 22.11 it writes parentheses where phrases
would be ambiguous, and no plurals. Before, ``list of null or strings`` has two readings: a list, or
null or a list. So the parser collects all readings. A description without any is `Unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import attrs

from nixgen.options.types import (
    ANYTHING,
    Alternative,
    Anything,
    AttrsOf,
    Boolean,
    Enum,
    Function,
    ListOf,
    NoNull,
    Null,
    Number,
    Package,
    Path,
    Perhaps,
    String,
    Submodule,
    Tagged,
    Type,
    Unknown,
)

__all__ = ["parse"]

Alternatives = tuple[Alternative, ...]

_INTEGER = Number(integers=True)
_FLOAT = Number(floats=True)
_NUMBER = Number(integers=True, floats=True)
# lib.types.singleLineStr removes one newline at the end
_SINGLE_LINE = String(pattern="[^\n\r]*\n?")

_NOUNS: dict[str, Alternative] = {
    "anything": Anything(),
    "raw value": Anything(),
    "unspecified": Anything(),
    "unspecified value": Anything(),
    "null": Null(),
    "boolean": Boolean(),
    "boolean (merged using or)": Boolean(),
    "signed integer": _INTEGER,
    "integer of at least 16 bits": _INTEGER,
    "positive integer, meaning >0": Number(integers=True, low=1),
    "unsigned integer, meaning >=0": Number(integers=True, low=0),
    "nonzero signed integer, meaning !=0": Number(integers=True, nonzero=True),
    "floating point number": _FLOAT,
    "nonnegative floating point number, meaning >=0": Number(floats=True, low=0),
    "nonnegative integer or floating point number, meaning >=0": attrs.evolve(_NUMBER, low=0),
    "positive integer or floating point number, meaning >0": attrs.evolve(
        _NUMBER, low=0, nonzero=True
    ),
    "string": String(),
    "Concatenated string": String(),
    "non-empty string": String(pattern=".*[^ \t\n].*"),
    "string (with check: non-empty)": String(pattern=".+"),
    "string (with check: non-empty without trailing slash)": String(vague=True),
    "string without line breaks or quotes": String(vague=True),
    "string without spaces": String(vague=True),
    "printable string without spaces, # and /": String(vague=True),
    "file mode string": String(vague=True),
    "single-line string": String(pattern="[^\n\r]*"),
    "(optionally newline-terminated) single-line string": _SINGLE_LINE,
    "path": Path(absolute=True),
    "absolute path": Path(absolute=True),
    "relative path": Path(absolute=False),
    "path in the Nix store": Path(in_store=True),
    "absolute path in the Nix store": Path(absolute=True, in_store=True),
    "absolute path not in the Nix store": Path(absolute=True, in_store=False),
    "path not in the Nix store": Path(in_store=False),
    "package": Package(),
    "package with provided sessions": Package(),
    "attribute set": AttrsOf(element=ANYTHING),
    "attribute-tagged union": Tagged(),
    "submodule": Submodule(),
    "impossible (empty enum)": Enum(values=()),
    # data of any shape; a set of these may hold packages, too
    "CDN value": Anything(),
    "JSON value": Anything(),
    "Json value": Anything(),
    "YAML 1.1 value": Anything(),
    "YAML 1.2 value": Anything(),
    "YAML value": Anything(),
    "Yaml value": Anything(),
    "TOML value": NoNull(),
    # known phrases for types that cannot be checked
    **dict.fromkeys(
        (
            "Elixir value",
            "HOCON value",
            "PHP value",
            "Python value",
            "ibus-engine",
            "libconfig value",
            "maintainer",
            "module",
            "nixpkgs overlay",
            "secret value",
            "settings option",
            "sysctl option value",
            "systemd option",
        ),
        Unknown(),
    ),
}

_WORDS: dict[str, Alternative] = {
    "bool": Boolean(),
    "float": _FLOAT,
    "int": _INTEGER,
    "integer": _INTEGER,
    "null": Null(),
    "str": String(),
    "string": String(),
}

_DECIMAL = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_JSON_STRING = r'"(?:[^"\\]|\\.)*"'
_MEMBER = re.compile(r'"([^"]*)"|(-?\d+)|(true|false)|<(\w+)>')
_IDENTIFIER = r'[A-Za-z_][\w\'-]*|"[^"]*"'


@cache
def parse(words: str) -> Type:
    """Parse a description. Parentheses around the whole description have no meaning and are left
    out.

    :param words: The description.
    """
    inner = _inside(words)
    return Type(words, _read(words) or (Unknown(),)) if inner is None else parse(inner)


@cache
def _read(words: str) -> Alternatives | None:
    """The alternatives of all readings; None when there is no reading."""
    noun = _NOUNS.get(words)
    if noun is not None:
        return (noun,)
    found: dict[Alternative, None] = {}
    for pattern, read in _PHRASES:
        match = pattern.fullmatch(words)
        if match:
            found.update(dict.fromkeys(read(match)))
    found.update(dict.fromkeys(_disjunctions(words)))
    return tuple(found) or None


def _disjunctions(words: str) -> Iterator[Alternative]:
    """Read ``A or B`` and ``A or B convertible to it``, at each ``or`` outside of parentheses and
    quotes.
    """
    body = words.removesuffix(" convertible to it")
    for place in _places_of_or(body):
        left = _read(body[:place].removesuffix(","))
        right = body[place + len(" or ") :]
        if left is None:
            continue
        if body == words:
            yield from (*left, *alternatives) if (alternatives := _read(right)) else ()
        elif _read(right):
            yield from (*left, Perhaps(type=parse(right)))


def _places_of_or(words: str) -> Iterator[int]:
    depth = 0
    quoted = False
    places = []
    for at, character in enumerate(words):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0 and words.startswith(" or ", at):
                places.append(at)
    if depth == 0 and not quoted:
        yield from places
    else:  # a pattern holds a lone parenthesis or quote
        yield from (found.start() for found in re.finditer(" or ", words))


def _element(words: str) -> Iterator[Type]:
    """Read the type after ``of``. Trees before 22.11 add an s to any type there."""
    for phrase in (words, words.removesuffix("s")):
        if _read(phrase):
            yield parse(phrase)
        if phrase == words and not words.endswith("s"):
            return


def _lists(match: re.Match[str]) -> Iterator[Alternative]:
    minimum = 1 if match[1] else 0
    return (ListOf(element=element, minimum=minimum) for element in _element(match[2]))


def _sets(match: re.Match[str]) -> Iterator[Alternative]:
    return (AttrsOf(element=element) for element in _element(match[1]))


def _lists_or_sets(match: re.Match[str]) -> Iterator[Alternative]:
    for element in _element(match[1]):
        yield AttrsOf(element=element)
        yield ListOf(element=element)


def _attribute_lists(match: re.Match[str]) -> Iterator[Alternative]:
    for element in _element(match[1]):
        yield AttrsOf(element=element)
        yield ListOf(element=Type("attribute set", (AttrsOf(element=element),)))


def _non_empty(match: re.Match[str]) -> Iterator[Alternative]:
    for alternative in _read(match[1]) or ():
        if isinstance(alternative, ListOf):
            yield attrs.evolve(alternative, minimum=1)


def _pairs(match: re.Match[str]) -> Iterator[Alternative]:
    return (ListOf(element=element, minimum=2, maximum=2) for element in _element(match[1]))


def _parenthesised(match: re.Match[str]) -> Alternatives:
    inner = _inside(match[0])
    return () if inner is None else parse(inner).alternatives


def _inside(words: str) -> str | None:
    """The words inside a pair of parentheses around all of the words; None without such a pair."""
    if not words.startswith("(") or not words.endswith(")") or words in _NOUNS:
        return None
    depth = 0
    for character in words[1:-1]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:  # the first one closes before the end
            return None
    return words[1:-1]


def _enumeration(match: re.Match[str]) -> Alternatives:
    text = match[1]
    values: list[str | int | bool] = []
    unsaid: set[str] = set()
    at = 0
    while member := _MEMBER.match(text, at):
        string, number, boolean, kind = member.groups()
        if string is not None:
            values.append(string)
        elif number is not None:
            values.append(int(number))
        elif boolean is not None:
            values.append(boolean == "true")
        else:
            unsaid.add(kind)
        at = member.end()
        if at == len(text):
            return (Enum(values=tuple(values), unsaid=frozenset(unsaid)),)
        if not text.startswith(", ", at):
            break
        at += len(", ")
    return ()


def _between(**kinds: bool) -> Callable[[re.Match[str]], Alternatives]:
    def read(match: re.Match[str]) -> Alternatives:
        low, high = (
            int(word) if word.lstrip("-").isdigit() else float(word) for word in match.groups()
        )
        return (Number(**kinds, low=low, high=high),)

    return read


def _atom(match: re.Match[str]) -> Alternatives:
    """Read ``atom (null, bool or string)``, with the suffixes of pkgs-lib/formats.nix."""
    words = re.split(r", or |, | or ", match[1])
    if not all(word in _WORDS for word in words):
        return ()
    atom = tuple(dict.fromkeys(_WORDS[word] for word in words))
    several = match[2]
    if several is None:
        return atom
    element = Type(match[0].removesuffix(several), atom)
    return (*atom, ListOf(element=element, minimum=1 if "non-empty" in several else 0))


def _without_separators(match: re.Match[str]) -> Alternatives:
    """Read the description of ``lib.types.passwdEntry``."""
    match _read(match[1]):
        case (String(pattern=None),):
            return (String(pattern="[^\n:]*"),)
        case None:
            return ()
        case alternatives:
            return (Perhaps(type=Type(match[1], alternatives)),)


def _tagged(match: re.Match[str]) -> Alternatives:
    names = re.findall(_IDENTIFIER, match[1])
    return (Tagged(choices=tuple(name.strip('"') for name in names)),)


def _constant(alternative: Alternative) -> Callable[[re.Match[str]], Alternatives]:
    return lambda _match: (alternative,)


_PHRASES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Iterable[Alternative]]], ...] = (
    *(
        (re.compile(pattern, re.DOTALL), read)
        for pattern, read in (
            (r"\((.*)\)", _parenthesised),
            (r"(non-empty )?list of (.*)", _lists),
            (r"non-empty \((.*)\)", _non_empty),
            (r"(?:lazy )?attribute set of (.*)", _sets),
            (r"list or attribute set of (.*)", _lists_or_sets),
            (r"attribute list of (.*)", _attribute_lists),
            (r"pair of (.*)", _pairs),
            (
                r"open submodule of (.*)",
                lambda match: (Submodule(freeform=element) for element in _element(match[1])),
            ),
            (r"function that evaluates to a\(n\) .*", _constant(Function())),
            (r"attribute-tagged union with choices: (.*)", _tagged),
            (r"one of (.*)", _enumeration),
            (r"value (.*) \(singular enum\)", _enumeration),
            (rf"strings concatenated with {_JSON_STRING}", _constant(String())),
            (r"string matching the pattern (.*)", lambda match: (String(pattern=match[1]),)),
            (r"(.*), not containing newlines or colons", _without_separators),
            (
                r"integer between (-?\d+) and (-?\d+) \(both inclusive\)",
                _between(integers=True),
            ),
            (
                r"\d+ bit (?:un)?signed integer; between (-?\d+) and (-?\d+) \(both inclusive\)",
                _between(integers=True),
            ),
            (
                rf"integer or floating point number between {_DECIMAL} and {_DECIMAL} \(both inclusive\)",
                _between(integers=True, floats=True),
            ),
            (
                rf"a floating point number in range \[{_DECIMAL}, {_DECIMAL}\]",
                _between(floats=True),
            ),
            (
                rf"float between {_DECIMAL} and {_DECIMAL} \(inclusive\)",
                _between(floats=True),
            ),
            (
                r"(?:INI )?atom \(([^()]*)\)( or a list of them for duplicate keys| or a non-empty list of them)?",
                _atom,
            ),
            (r"section of an INI file \(attrs of (.*)\)", _sets),
        )
    ),
)
