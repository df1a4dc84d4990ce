"""git, Python and Nix choose the same files of random trees with random .gitignore files."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
import source_trees

from nixgen.gitignore import parse_pattern
from nixgen.project.sources import Sources

pytestmark = pytest.mark.real


@pytest.fixture
def agree(tmp_path):
    """Which cases git, Python and Nix agree about. Git knows nothing of include and exclude."""
    batches = itertools.count()
    source_trees.make_repository(tmp_path / "repository")

    def compare(cases: Sequence[source_trees.Case], *, with_git: bool) -> list[bool]:
        top = tmp_path / str(next(batches))
        sources = []
        for number, case in enumerate(cases):
            folder = top / str(number)
            source_trees.write(folder, {**case.tree, ".git": {}})
            sources.append((Sources(str(folder)), case.source()))
        verdicts = []
        for (look, source), copied in zip(
            sources, source_trees.copied(top / "nix", sources), strict=True
        ):
            counted = source_trees.counted(look, source)
            same = counted == copied
            listing = look.listing(source)
            whole = look.gitignores.culprit(listing.repository, listing.place, folder=True)
            if with_git and whole is None:
                files = {name for name, kind in counted.items() if kind != "folder"}
                same &= files == source_trees.added(
                    tmp_path / look.place(source), tmp_path / look.root, tmp_path / "repository"
                )
            verdicts.append(same)
        return verdicts

    return compare


def test_git_python_and_nix_agree(holds, agree):
    holds(source_trees.CASES, lambda cases: agree(cases, with_git=True))


def test_python_and_nix_choose_the_same_files(holds, agree):
    holds(source_trees.CHOOSING_CASES, lambda cases: agree(cases, with_git=False))


def test_expressions_mean_the_same_in_python_and_in_nix(nix):
    """Every set of up to three of the characters that are special in one of both, and every character that Nix can say."""
    special = ["]", "[", "^", "-", "!", "\\", "a", "c", ":"]
    sets = [
        f"[{''.join(members)}]"
        for size in (1, 2, 3)
        for members in itertools.product(special, repeat=size)
    ]
    characters = [chr(code) for code in range(1, 127)]
    found = [parse_pattern(text) for text in [*sets, *(f"x\\{char}" for char in characters)]]
    known = [rule for rule in found if rule is not None]
    assert len(known) > 600
    subjects = [*(char for char in characters if char != "/"), *(f"x{char}" for char in characters)]
    (nix.folder / "data.json").write_text(json.dumps([[rule.posix for rule in known], subjects]))
    matching = nix.evaluate(
        "let data = builtins.fromJSON (builtins.readFile ./data.json); first = builtins.elemAt data 0; in\n"
        "map (e: map (s: builtins.match e s != null) (builtins.elemAt data 1)) first"
    )
    for rule, answers in zip(known, matching, strict=True):
        python = [rule.matches(subject.encode(), folder=False) for subject in subjects]
        assert python == answers, rule.posix
