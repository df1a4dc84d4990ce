"""Parse NixOS's descriptions of types: ``null or list of string``, ``attribute set of
(submodule)``.

lib/types.nix of nixpkgs composes the descriptions. Since 22.11 it writes parentheses where phrases
would be ambiguous, and no plurals. Before, ``list of null or strings`` has two readings: a list, or
null or a list. So the parser collects all readings. A description without any is `Unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

import attrs

from nixgen.options import types as t

__all__ = ["parse"]

Alternatives = tuple[t.Alternative, ...]
Read = Callable[[re.Match[str]], Iterable[t.Alternative]]

_INTEGER = t.Number(integers=True)
_FLOAT = t.Number(floats=True)
_NUMBER = t.Number(integers=True, floats=True)
# lib.types.singleLineStr removes one newline at the end
_SINGLE_LINE = t.String(pattern="[^\n\r]*\n?")

_NOUNS: dict[str, t.Alternative] = {
    "anything": t.Anything(),
    "raw value": t.Anything(),
    "unspecified": t.Anything(),
    "unspecified value": t.Anything(),
    "null": t.Null(),
    "boolean": t.Boolean(),
    "boolean (merged using or)": t.Boolean(),
    "signed integer": _INTEGER,
    "integer of at least 16 bits": _INTEGER,
    "positive integer, meaning >0": t.Number(integers=True, low=1),
    "unsigned integer, meaning >=0": t.Number(integers=True, low=0),
    "nonzero signed integer, meaning !=0": t.Number(integers=True, nonzero=True),
    "floating point number": _FLOAT,
    "nonnegative floating point number, meaning >=0": t.Number(floats=True, low=0),
    "nonnegative integer or floating point number, meaning >=0": attrs.evolve(_NUMBER, low=0),
    "positive integer or floating point number, meaning >0": attrs.evolve(
        _NUMBER, low=0, nonzero=True
    ),
    "string": t.String(),
    "Concatenated string": t.String(),
    "non-empty string": t.String(pattern=".*[^ \t\n].*"),
    "string (with check: non-empty)": t.String(pattern=".+"),
    "string (with check: non-empty without trailing slash)": t.String(vague=True),
    "string without line breaks or quotes": t.String(vague=True),
    "string without spaces": t.String(vague=True),
    "printable string without spaces, # and /": t.String(vague=True),
    "file mode string": t.String(vague=True),
    "single-line string": t.String(pattern="[^\n\r]*"),
    "(optionally newline-terminated) single-line string": _SINGLE_LINE,
    "path": t.Path(absolute=True),
    "absolute path": t.Path(absolute=True),
    "relative path": t.Path(absolute=False),
    "path in the Nix store": t.Path(in_store=True),
    "absolute path in the Nix store": t.Path(absolute=True, in_store=True),
    "absolute path not in the Nix store": t.Path(absolute=True, in_store=False),
    "path not in the Nix store": t.Path(in_store=False),
    "package": t.Package(),
    "package with provided sessions": t.Package(),
    "attribute set": t.AttrsOf(element=t.ANYTHING),
    "attribute-tagged union": t.Tagged(),
    "submodule": t.Submodule(),
    "impossible (empty enum)": t.Enum(values=()),
    # data of any shape; a set of these may hold packages, too
    "CDN value": t.Anything(),
    "JSON value": t.Anything(),
    "Json value": t.Anything(),
    "YAML 1.1 value": t.Anything(),
    "YAML 1.2 value": t.Anything(),
    "YAML value": t.Anything(),
    "Yaml value": t.Anything(),
    "TOML value": t.NoNull(),
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
        t.Unknown(),
    ),
}

_WORDS: dict[str, t.Alternative] = {
    "bool": t.Boolean(),
    "float": _FLOAT,
    "int": _INTEGER,
    "integer": _INTEGER,
    "null": t.Null(),
    "str": t.String(),
    "string": t.String(),
}

_DECIMAL = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_BETWEEN = rf"between {_DECIMAL} and {_DECIMAL} \(both inclusive\)"
_JSON_STRING = r'"(?:[^"\\]|\\.)*"'
_MEMBER = r'"([^"]*)"|(-?\d+)|(true|false)|<(\w+)>'
_MEMBERS = rf"((?:{_MEMBER})(?:, (?:{_MEMBER}))*)"
_IDENTIFIER = r'[A-Za-z_][\w\'-]*|"[^"]*"'


@cache
def parse(words: str) -> t.Type:
    """Parse a description. Parentheses around the whole description have no meaning and are left
    out.

    :param words: The description.
    """
    inner = _inside(words)
    return t.Type(words, _read(words) or (t.Unknown(),)) if inner is None else parse(inner)


@cache
def _read(words: str) -> Alternatives | None:
    """The alternatives of all readings; None when there is no reading."""
    noun = _NOUNS.get(words)
    if noun is not None:
        return (noun,)
    found: dict[t.Alternative, None] = {}
    for pattern, read in _PHRASES:
        match = pattern.fullmatch(words)
        if match:
            found.update(dict.fromkeys(read(match)))
    found.update(dict.fromkeys(_disjunctions(words)))
    return tuple(found) or None


def _disjunctions(words: str) -> Iterator[t.Alternative]:
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
            yield from (*left, t.Perhaps(type=parse(right)))


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


def _element(words: str) -> Iterator[t.Type]:
    """Read the type after ``of``. Trees before 22.11 add an s to any type there."""
    for phrase in (words, words.removesuffix("s")):
        if _read(phrase):
            yield parse(phrase)
        if phrase == words and not words.endswith("s"):
            return


def _each(*makes: Callable[[t.Type], t.Alternative]) -> Read:
    """Read a phrase that ends with a type, and make alternatives of that type."""
    return lambda match: (make(element) for element in _element(match[1]) for make in makes)


def _list_of_sets(element: t.Type) -> t.Alternative:
    return t.ListOf(t.Type("attribute set", (t.AttrsOf(element),)))


def _non_empty(match: re.Match[str]) -> Iterator[t.Alternative]:
    for alternative in _read(match[1]) or ():
        if isinstance(alternative, t.ListOf):
            yield attrs.evolve(alternative, minimum=1)


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
    values: list[str | int | bool] = []
    unsaid: set[str] = set()
    for member in re.finditer(_MEMBER, match[1]):
        string, number, boolean, kind = member.groups()
        if string is not None:
            values.append(string)
        elif number is not None:
            values.append(int(number))
        elif boolean is not None:
            values.append(boolean == "true")
        else:
            unsaid.add(kind)
    return (t.Enum(values=tuple(values), unsaid=frozenset(unsaid)),)


def _between(**kinds: bool) -> Read:
    def read(match: re.Match[str]) -> Alternatives:
        low, high = (
            int(word) if word.lstrip("-").isdigit() else float(word) for word in match.groups()
        )
        return (t.Number(**kinds, low=low, high=high),)

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
    element = t.Type(match[0].removesuffix(several), atom)
    return (*atom, t.ListOf(element, minimum=1 if "non-empty" in several else 0))


def _without_separators(match: re.Match[str]) -> Alternatives:
    """Read the description of ``lib.types.passwdEntry``."""
    match _read(match[1]):
        case (t.String(pattern=None),):
            return (t.String(pattern="[^\n:]*"),)
        case None:
            return ()
        case alternatives:
            return (t.Perhaps(type=t.Type(match[1], alternatives)),)


def _tagged(match: re.Match[str]) -> Alternatives:
    names = re.findall(_IDENTIFIER, match[1])
    return (t.Tagged(choices=tuple(name.strip('"') for name in names)),)


def _constant(alternative: t.Alternative) -> Read:
    return lambda _match: (alternative,)


_PHRASES: tuple[tuple[re.Pattern[str], Read], ...] = (
    *(
        (re.compile(pattern, re.DOTALL), read)
        for pattern, read in (
            (r"\((.*)\)", _parenthesised),
            (r"list of (.*)", _each(t.ListOf)),
            (r"non-empty list of (.*)", _each(partial(t.ListOf, minimum=1))),
            (r"non-empty \((.*)\)", _non_empty),
            (r"(?:lazy )?attribute set of (.*)", _each(t.AttrsOf)),
            (r"list or attribute set of (.*)", _each(t.AttrsOf, t.ListOf)),
            (r"attribute list of (.*)", _each(t.AttrsOf, _list_of_sets)),
            (r"pair of (.*)", _each(partial(t.ListOf, minimum=2, maximum=2))),
            (r"open submodule of (.*)", _each(t.Submodule)),
            (r"function that evaluates to a\(n\) .*", _constant(t.Function())),
            (r"attribute-tagged union with choices: (.*)", _tagged),
            (rf"one of {_MEMBERS}", _enumeration),
            (rf"value {_MEMBERS} \(singular enum\)", _enumeration),
            (rf"strings concatenated with {_JSON_STRING}", _constant(t.String())),
            (r"string matching the pattern (.*)", lambda match: (t.String(pattern=match[1]),)),
            (r"(.*), not containing newlines or colons", _without_separators),
            (rf"integer {_BETWEEN}", _between(integers=True)),
            (rf"\d+ bit (?:un)?signed integer; {_BETWEEN}", _between(integers=True)),
            (rf"integer or floating point number {_BETWEEN}", _between(integers=True, floats=True)),
            (
                rf"a floating point number in range \[{_DECIMAL}, {_DECIMAL}\]",
                _between(floats=True),
            ),
            (rf"float between {_DECIMAL} and {_DECIMAL} \(inclusive\)", _between(floats=True)),
            (
                r"(?:INI )?atom \(([^()]*)\)( or a list of them for duplicate keys| or a non-empty list of them)?",
                _atom,
            ),
            (r"section of an INI file \(attrs of (.*)\)", _each(t.AttrsOf)),
        )
    ),
)
