"""README and docs/ name verbs, options, models, arguments, places and pages that exist."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import nixgen
from nixgen.cli.app import app

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(nixgen [^`\n]+)`")
#: options may stand alone, after the verb that they belong to
_OPTION = re.compile(r"--[a-z][a-z-]+")


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command line of nixgen."""
    text = page.read_text()
    lines = [
        line.removeprefix("$ ")
        for _, block in _FENCE.findall(text)
        for line in block.splitlines()
        if line.startswith("$ nixgen ")
    ]
    for line in [*lines, *_INLINE.findall(_FENCE.sub("", text))]:
        yield shlex.split(re.split(r" (?:&&|\||#) ?", line)[0])


def every_command() -> dict[tuple[str, ...], Any]:
    """Path of verbs → the command of click."""
    found: dict[tuple[str, ...], Any] = {}

    def visit(path: tuple[str, ...], command: Any) -> None:
        found[path] = command
        if hasattr(command, "list_commands"):
            for name in command.list_commands(None):
                visit((*path, name), command.get_command(None, name))

    visit((), typer.main.get_command(app))
    return found


def options_of(command: Any) -> set[str]:
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {
        "--help"
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    known = every_command()
    for words in commands(page):
        if words[1:2] == ["help"]:
            assert tuple(words[2:]) in known, " ".join(words)
            continue
        path: tuple[str, ...] = ()
        for word in words[1:]:
            if (*path, word) not in known:
                break
            path = (*path, word)
        command = known[path]
        said = " ".join(words)
        rest = [word for word in words[len(path) + 1 :] if word != "[OPTIONS]"]
        if hasattr(command, "list_commands"):
            assert all(word.startswith("--") for word in rest), f"there is no verb: {said}"
        options = options_of(command)
        own = rest[: rest.index("--")] if "--" in rest else rest
        for word in own:
            for option in _OPTION.findall(word):
                assert option in options, f"{option} of: {said}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_stand_alone_belong_to_a_verb(page: Path) -> None:
    options = set[str]().union(*map(options_of, every_command().values()))
    text = _FENCE.sub("", page.read_text())
    rows = [line for line in text.splitlines() if line.startswith("| `nixgen ")]
    for row in rows:
        assert set(_OPTION.findall(row)) <= options, row


def names_from_elsewhere(code: ast.Module) -> Iterator[str]:
    """Names that a block imports from other packages, or defines."""
    for node in ast.walk(code):
        match node:
            case ast.Import(names) | ast.ImportFrom(names=names):
                if getattr(node, "module", "") != "nixgen":
                    yield from (each.asname or each.name for each in names)
            case ast.ClassDef(name) | ast.FunctionDef(name):
                yield name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_models_have_the_arguments_of_the_examples(page: Path) -> None:
    for language, block in _FENCE.findall(page.read_text()):
        if language != "python":
            continue
        code = ast.parse(re.sub(r",? ?…", "", block))
        others = set(names_from_elsewhere(code))
        for call in ast.walk(code):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func)
            model, _, method = name.partition(".")
            if not model.isidentifier():
                continue  # a method of what another call returned
            if model in others or (model.islower() and model not in nixgen.__all__):
                continue
            assert model in nixgen.__all__, f"nixgen has no {model}"
            callee = getattr(nixgen, model)
            callee = getattr(callee, method) if method else callee
            parameters = inspect.signature(callee).parameters
            given = {word.arg for word in call.keywords}
            assert given <= parameters.keys(), f"{name}: {given - parameters.keys()}"


#: Words in code that name a place in the repository: `nixgen/cache/`, `tests/unit/cli/test_*.py`.
_PLACE = re.compile(r"`((?:nixgen|tests|nix|docs|bench|scripts|templates|examples)/[^`\s…<]*)`")
#: Not places: the schemas of documents, such as `nixgen/error/1`, and objects in a bucket.
_NO_PLACE = re.compile(r"nixgen/[a-z-]+/\d+|nixgen/sweep\.json|nixgen/(?:cli|verbs)/X\.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_places_in_the_repository_exist(page: Path) -> None:
    places = {place for place in _PLACE.findall(page.read_text()) if not _NO_PLACE.fullmatch(place)}
    assert [place for place in sorted(places) if not any(REPOSITORY.glob(place))] == []


_LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_page_and_a_heading(page: Path) -> None:
    for address, anchor in _LINK.findall(_FENCE.sub("", page.read_text())):
        target = page.parent / address if address else page
        assert target.exists(), address
        assert not anchor or anchor in anchors(target), anchor


def test_the_readme_links_every_page() -> None:
    linked = {address for address, _ in _LINK.findall((REPOSITORY / "README.md").read_text())}
    missing = {str(page.relative_to(REPOSITORY)) for page in PAGES} - linked - {"README.md"}
    assert missing == set()


#: Folders with files of other people, or that a build writes.
_NOT_OURS = {"node_modules", "build", "dist", "generated"}


def own_pages() -> list[Path]:
    return [
        page
        for page in sorted(REPOSITORY.rglob("*.md"))
        for parts in [page.relative_to(REPOSITORY).parts]
        if not any(part.startswith(".") or part in _NOT_OURS for part in parts)
    ]


def lines_that_are_too_long(text: str) -> list[str]:
    """Lines of more than 100 characters that could be broken: rows of tables cannot, nor can a word."""
    return [
        line
        for line in text.splitlines()
        if len(line) > 100 and not line.startswith("| ") and len(line.split()) > 2
    ]


def test_all_pages_are_found() -> None:
    assert set(PAGES) <= set(own_pages())


@pytest.mark.parametrize("page", own_pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_lines_of_a_page_have_at_most_100_characters(page: Path) -> None:
    assert lines_that_are_too_long(page.read_text()) == []


def test_a_long_line_is_found_and_a_table_is_not() -> None:
    long = "word " * 30
    row, link = f"| {long} |", f"[1]: https://example.org/{'x' * 100}"
    assert lines_that_are_too_long(f"{long}\n{row}\n{link}\nshort") == [long]
