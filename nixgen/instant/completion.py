"""Completion of command lines in bash, zsh and fish: the words that can come next.

The user's project is not executed: infra.py may be slow, half-written, or print. Names come from
what nixgen wrote last (generated/) and from the names that infra.py spells out as
``Machine("web")``, which are found by a regular expression. A name that a loop makes appears once
`nixgen generate` has run.

Verbs and options come from words.json beside this module. A test derives that table from the
command line itself and compares.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

__all__ = ["VARIABLE", "answer", "complete"]

#: Environment variable that asks for completion. Its value is the name of the shell.
VARIABLE = "_NIXGEN_COMPLETE"

#: A word and its help.
_Word = tuple[str, str]

#: Kinds of targets. The modules of each kind are in a folder of generated/ with its name.
_TARGETS = ("machines", "images", "kubernetes", "tests")
#: Model of infra.py → what its name can be used as.
_MODELS = {
    "Machine": "machines",
    "Image": "images",
    "Application": "kubernetes",
    "Test": "tests",
    "Environment": "environment",
    "Cache": "cache",
    "Builder": "builder",
}
_LITERAL = re.compile(rf"\b({'|'.join(_MODELS)})\(\s*(?:name\s*=\s*)?[\"']([^\"'\n]*)[\"']")
#: A name with any other character could be a command of the shell that it is inserted into.
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")


def answer(shell: str, arguments: Sequence[str]) -> None:
    """Print the words that can come next, one a line, and nothing at all when anything is wrong.

    zsh and fish get ``WORD<tab>HELP``. A last line ``:files``, ``:folders`` or ``:nospace`` tells
    the shell to offer paths, or to put no space behind the word.

    :param shell: ``bash``, ``zsh`` or ``fish``.
    :param arguments: the words up to the cursor, the last one being the word to complete. bash,
        which splits words at ``=`` and ``:``, gives the line itself in ``_NIXGEN_LINE``.
    """
    try:
        words = _split(os.environ["_NIXGEN_LINE"]) if shell == "bash" else list(arguments) or [""]
        found, rest = complete(words[:-1], words[-1])
        # bash replaces only what follows the last character it breaks words at
        breaks = [at for at in "=:" if at in os.environ.get("_NIXGEN_BREAKS", "")]
        cut = max((words[-1].rfind(at) + 1 for at in breaks), default=0)
        for word, text in found:
            print(word[cut:] if shell == "bash" else f"{word}\t{text}" if text else word)
        if rest:
            print(f":{rest}")
    except Exception:  # noqa: BLE001, S110  # whatever is wrong, a message would land in the prompt
        pass


def _split(line: str) -> list[str]:
    """The words of an unfinished line; the last one is empty behind a space."""
    import shlex

    for quote in ("", '"', "'"):
        try:
            words = shlex.split(line + quote)
        except ValueError:
            continue
        return words if quote or not (not line or line[-1].isspace()) else [*words, ""]
    return [""]


def complete(words: Sequence[str], word: str) -> tuple[list[_Word], str]:
    """The words that ``word`` can become.

    :param words: the words before it, without ``nixgen``.
    :param word: the beginning of a word, or an empty string.
    :returns: words with their help, and ``files``, ``folders``, ``nospace`` or nothing.
    """
    with open(os.path.join(os.path.dirname(__file__), "words.json"), encoding="utf-8") as file:
        table = json.load(file)
    line = _Line(table, words)
    if line.awaits:
        return _values(line.awaits, word, line)
    option, equals, value = word.partition("=")
    if word.startswith("-") and not line.only_arguments:
        kind = line.options.get(option, {}).get("value")
        if equals and kind is not None:
            found, rest = _values(kind, value, line)
            return [(f"{option}={each}", text) for each, text in found], rest
        options = [
            (name, about["help"])
            for name, about in line.options.items()
            if name not in line.given or about["again"]
        ]
        return _beginning(word, options), ""
    if line.verbs:
        return _beginning(word, line.verbs.items()), ""
    kind = line.argument()
    found, rest = _values(kind, word, line)
    return [each for each in found if each[0] not in line.arguments], rest


class _Line:
    """The meaning of the words before the cursor.

    :ivar options: of the verb, with their kind of value (None for a flag), help and whether they
        repeat.
    :ivar verbs: the sub-verbs that can follow; empty when the verb is complete.
    :ivar awaits: the kind of value that the last word, an option, needs.
    :ivar project: the folder of infra.py.
    """

    def __init__(self, table: dict[str, Any], words: Sequence[str]) -> None:
        self._table = table
        self._path: list[str] = []
        self._kinds: list[str] = []
        self._option = ""
        self.options: dict[str, dict[str, Any]] = {}
        self.verbs: dict[str, str] = {}
        self.given: set[str] = set()
        self.arguments: list[str] = []
        self.awaits = ""
        self.only_arguments = False
        self.project = "."
        helping = [*words[:1]] == ["help"]
        self._enter()
        for word in words[helping:]:
            self._take(word)
        if helping:
            self.options, self._kinds = {}, []

    def _enter(self, *verb: str) -> None:
        self._path += verb
        about = self._table[" ".join(self._path)]
        self.options, self.verbs, self._kinds = about["options"], about["verbs"], about["arguments"]

    def _take(self, word: str) -> None:
        option, equals, value = word.partition("=")
        if self.awaits:
            if self._option == "--project":
                self.project = word
            self.awaits = ""
        elif self.only_arguments or not word.startswith("-"):
            if word in self.verbs:
                self._enter(word)
            else:
                self.arguments.append(word)
        elif word == "--":
            self.only_arguments = True
        elif option in self.options:
            self.given.add(option)
            if equals and option == "--project":
                self.project = value
            elif not equals and self.options[option]["value"] is not None:
                self._option = option
                self.awaits = self.options[option]["value"]

    def argument(self) -> str:
        """The kind of the next argument; the last kind of a verb may repeat."""
        kinds = self._kinds
        at = len(self.arguments)
        if at < len(kinds):
            return kinds[at].removesuffix("...")
        return kinds[-1].removesuffix("...") if kinds and kinds[-1].endswith("...") else ""


def _beginning(word: str, known: Iterable[_Word]) -> list[_Word]:
    return [each for each in known if each[0].startswith(word)]


def _values(kind: str, word: str, line: _Line) -> tuple[list[_Word], str]:
    """The values of a kind; see `nixgen.cli.completion` for the kinds."""
    name, _, more = kind.partition(":")
    root = os.path.expanduser(line.project)
    if name in {"files", "folders"}:
        return [], name
    if name == "choice":
        found = more.split(",")
    elif name == "target":
        found = list(_targets(root, more))
        if word.startswith("/"):
            return [], "files"
    elif name == "override":
        if "=" in word:
            return [], "folders"
        return _beginning(word, [(f"{each}=", "") for each in _inputs(root)]), "nospace"
    elif name == "input":
        found = list(_inputs(root))
    elif name == "application":
        found = sorted(_names(root)["kubernetes"])
    else:
        found = [*sorted(_names(root).get(name, ())), *filter(None, more.split(","))]
    return _beginning(word, [(each, "") for each in found]), ""


def _targets(root: str, kind: str) -> Iterator[str]:
    """Targets, whole kinds first.

    :param kind: the only kind, or an empty string for all.
    """
    names = _names(root)
    kinds = [kind] if kind else [each for each in (*_TARGETS, "packages") if names[each]]
    yield from kinds
    for each in kinds:
        yield from (f"{each}.{name}" for name in sorted(names[each]))


def _names(root: str) -> dict[str, set[str]]:
    """Kind → the names of the project in ``root`` that are known without running it."""
    names: dict[str, set[str]] = {each: set() for each in (*_MODELS.values(), "packages")}
    for model, name in _LITERAL.findall(_text(f"{root}/infra.py")):
        names[_MODELS[model]].add(name)
    try:
        files = json.loads(_text(f"{root}/generated/.nixgen.json"))["files"]
    except (ValueError, LookupError, TypeError):
        files = {}
    for path in files:
        folder, *rest = path.removesuffix(".nix").split("/")
        if folder in _TARGETS and len(rest) == 1:
            names[folder].add(rest[0])
        elif folder == "environments" and rest:
            names["environment"].add(rest[0])
    packages = re.search(
        r"^  packages = \[(.*?)\];",
        _text(f"{root}/generated/default.nix"),
        re.MULTILINE | re.DOTALL,
    )
    if packages:
        names["packages"].update(re.findall(r'"([^"]*)"', packages[1]))
    return {kind: {each for each in found if _SAFE.match(each)} for kind, found in names.items()}


def _inputs(root: str) -> list[str]:
    """The inputs of flake-inputs.json."""
    try:
        document = json.loads(_text(f"{root}/flake-inputs.json"))
        return [each for each in document["inputs"] if _SAFE.match(each)]
    except (ValueError, LookupError, TypeError):
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
