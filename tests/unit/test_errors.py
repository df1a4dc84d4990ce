"""The hints that name the word somebody meant."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nixgen.errors import closest, closest_word, counted

VERBS = ("build", "cache", "generate", "secret")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("biuld", "build"), ("generat", "generate"), ("cahce", "cache"), ("secrets", "secret")],
)
def test_misspelt_word_names_the_known_word(word: str, meant: str) -> None:
    assert closest_word(word, VERBS) == meant
    assert closest(word, VERBS) == f"did you mean {meant}?"


@pytest.mark.parametrize("word", ["", "qqq", "BUILD"])
def test_unlike_word_names_no_known_word(word: str) -> None:
    assert closest_word(word, VERBS) is None
    assert closest(word, VERBS) is None


def test_likest_of_several_alike_words_is_chosen() -> None:
    assert closest_word("web-1", ["web-22", "web-11", "db-1"]) == "web-11"


def test_no_known_words_give_no_hint() -> None:
    assert closest("build", []) is None


def test_known_words_may_come_from_an_iterator() -> None:
    assert closest("biuld", iter(VERBS)) == "did you mean build?"


def test_importing_errors_does_not_import_difflib() -> None:
    program = "import sys, nixgen.errors; print('difflib' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert output.stdout == b"False\n"


@pytest.mark.parametrize(("number", "text"), [(0, "0 paths"), (1, "1 path"), (2, "2 paths")])
def test_a_count_has_its_noun_in_the_right_number(number: int, text: str) -> None:
    assert counted(number, "path") == text
