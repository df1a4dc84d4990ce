"""The reference that scripts/reference writes: every exported name, every argument, links that lead somewhere."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULES = ["nixgen", "nixgen.models", "nixgen.testing"]
VOID = {"br", "hr", "img", "input", "link", "meta", "path", "wbr"}


class Page(HTMLParser):
    """The anchors, links and texts of a page.

    :ivar texts: anchor → the text inside of its element.
    :ivar prose: the text of the page without code.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.texts: defaultdict[str, str] = defaultdict(str)
        self.prose = ""
        self._open: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        anchor = given.get("id")
        if anchor:
            self.anchors.append(anchor)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        elif tag != "a":
            self.resources += [given[word] or "" for word in ("src", "href") if given.get(word)]
        if tag not in VOID:
            self._open.append((tag, anchor))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, anchor in self._open:
            if anchor:
                self.texts[anchor] += data
        if not {"code", "pre", "style", "script"} & {tag for tag, _ in self._open}:
            self.prose += data


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The pages by their addresses in the folder."""
    folder = tmp_path_factory.mktemp("reference") / "pages"
    subprocess.run(
        [sys.executable, REPOSITORY / "scripts/_reference.py", folder],
        check=True,
        capture_output=True,
    )
    return {
        str(file.relative_to(folder)): Page(file.read_text()) for file in folder.rglob("*.html")
    }


def exported() -> Iterator[tuple[str, str]]:
    for name in MODULES:
        module = importlib.import_module(name)
        own = [each for each, value in vars(module).items() if not inspect.ismodule(value)]
        # without a list of its own: whatever its modules list
        for each in getattr(module, "__all__", own):
            if not each.startswith("_"):
                yield name, each


@pytest.mark.parametrize(("module", "name"), list(exported()))
def test_a_name_is_explained_with_its_arguments(
    pages: dict[str, Page], module: str, name: str
) -> None:
    own = f"{module.replace('.', '/')}.html"
    # what infra.py imports is explained on the first page, to which the page of the models leads
    place = own if name in pages[own].anchors else "nixgen.html"
    assert place == own or f"../nixgen.html#{name}" in pages[own].links
    value = getattr(importlib.import_module(module), name)
    assert len(pages[place].texts[name].split()) > 3
    if not callable(value):
        return
    for parameter in inspect.signature(value).parameters:
        words = pages[place].texts[f"{name}.{parameter}"].split()
        assert words[:1] == [parameter]
        assert len(words) > 4, f"{name}.{parameter} has no text"


def test_every_link_leads_to_an_anchor(pages: dict[str, Page]) -> None:
    lost = [
        (place, link)
        for place, page in pages.items()
        for link in page.links
        for address, anchor in [urldefrag(urljoin(place, link))]
        if address not in pages or (anchor and anchor not in pages[address].anchors)
    ]
    assert lost == []


def test_types_are_links(pages: dict[str, Page]) -> None:
    assert "nixgen.html#Port" in pages["nixgen.html"].links
    assert "nixgen/models.html#HealthCheck" in pages["nixgen.html"].links


def test_nothing_is_fetched_and_no_markup_is_left(pages: dict[str, Page]) -> None:
    for place, page in pages.items():
        assert [each for each in page.resources if each.startswith(("http", "//"))] == [], place
        assert [mark for mark in (":param", ":raises", "``", "::") if mark in page.prose] == []
