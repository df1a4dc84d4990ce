"""Parse ``--override-input NAME=PATH``, which replaces a pin by a local tree for one run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nixgen.documents.inputs import BASE_INPUTS, FILE, Inputs, missing_marks
from nixgen.errors import UsageError, closest

__all__ = ["OPTION", "parse_overrides"]

OPTION = "--override-input"


def parse_overrides(words: Iterable[str], inputs: Inputs) -> Mapping[str, Path]:
    """Input → the folder that replaces its pin, absolute and without links.

    :param words: words of the form ``NAME=PATH``. Relative paths begin in the current directory.
    :param inputs: the pins of the project.
    :raises UsageError: a word has another form, an input is unknown or given twice, or a path is
        not a tree of its input. The error names every fault.
    """
    found: dict[str, Path] = {}
    problems: list[tuple[str, str]] = []
    for word in words:
        name, equals, path = word.partition("=")
        if not name or not equals or not path:
            known = word if word in inputs.pins else "nixpkgs"
            problems.append(
                (
                    f"{OPTION} takes NAME=PATH as one word, not {word!r}",
                    f"write {OPTION} {known}=PATH",
                )
            )
            continue
        tree = Path(os.path.realpath(Path(path).expanduser()))
        faults = [*_name_problems(name, inputs), *_tree_problems(name, path, tree)]
        if name in found:
            faults.append((f"{OPTION} gives the input {name!r} twice", "leave one of them out"))
        found[name] = tree
        problems += faults
    if problems:
        message, hint = problems[0]
        raise UsageError(message, hint=hint, details=[each for each, _ in problems[1:]])
    return found


def _name_problems(name: str, inputs: Inputs) -> Iterator[tuple[str, str]]:
    # an input that the nixpkgs base reads can be given without a pin
    trees = sorted({*inputs.trees, *BASE_INPUTS})
    if name in trees:
        return
    yield (
        f"{FILE} has a lock of Debian packages in {name!r}, which no folder can stand for"
        if name in inputs.pins
        else f"{FILE} has no input {name!r}",
        closest(name, trees) or f"there are {', '.join(trees)}",
    )


def _tree_problems(name: str, given: str, tree: Path) -> Iterator[tuple[str, str]]:
    if not tree.is_dir():
        wrong = "is a file" if tree.exists() else "does not exist"
        yield (
            f"{given}, given for the input {name!r}, {wrong}",
            "give the folder of an unpacked tree",
        )
        return
    missing = missing_marks(name, tree)
    if missing:
        yield (
            f"{given} is no {name} tree: it has no {' and no '.join(missing)}",
            f"give the top folder of a checkout of {name}",
        )
